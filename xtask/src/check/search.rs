//! Search keys, as text and as what they mean (RFC 9051 §6.4.4).

use crate::client::Rng;

use super::flags::Flags;
use super::mail::{Mail, SENDERS, WORDS};

/// One search key.
#[derive(Clone, Debug)]
pub enum Key {
    All,
    Flag(Flags, &'static str),
    Subject(&'static str),
    From(&'static str),
    Body(&'static str),
    Text(&'static str),
    Token(u64),
    Larger(u64),
    Smaller(u64),
    SentSince(u32),
    SentBefore(u32),
    SentOn(u32),
    Since(u32),
    Before(u32),
    On(u32),
    Uid(u32, u32),
    Not(Box<Key>),
    Or(Box<Key>, Box<Key>),
    And(Vec<Key>),
}

/// What is known of a message.
pub struct Known<'a> {
    pub uid: u32,
    pub mail: Option<&'a Mail>,
    /// `None`: others may be changing them.
    pub flags: Option<Flags>,
}

impl Key {
    pub fn random(rng: &mut Rng, uid_max: u32, depth: u32) -> Key {
        let day = |rng: &mut Rng| u32::try_from(1 + rng.below(28)).unwrap_or(1);
        let word = |rng: &mut Rng| rng.pick(&WORDS).copied().unwrap_or_default();
        let kinds = if depth > 0 { 19 } else { 16 };
        match rng.below(kinds) {
            0 => Key::All,
            1..4 => {
                let flags: Vec<_> = Flags::each().collect();
                let (flag, name) = rng.pick(&flags).copied().unwrap_or_default();
                Key::Flag(flag, name)
            }
            4 => Key::Subject(word(rng)),
            5 => Key::From(rng.pick(&SENDERS).copied().unwrap_or_default()),
            6 => Key::Body(word(rng)),
            7 => Key::Text(word(rng)),
            8 => Key::Token(rng.below(2_000)),
            9 => Key::Larger(rng.below(400)),
            10 => Key::Smaller(rng.below(400)),
            11 => Key::SentSince(day(rng)),
            12 => {
                if rng.percent(50) {
                    Key::SentBefore(day(rng))
                } else {
                    Key::SentOn(day(rng))
                }
            }
            13 => Key::Since(day(rng)),
            14 => {
                if rng.percent(50) {
                    Key::Before(day(rng))
                } else {
                    Key::On(day(rng))
                }
            }
            15 => {
                let from = u32::try_from(rng.below(u64::from(uid_max) + 1)).unwrap_or(0) + 1;
                Key::Uid(from, from + u32::try_from(rng.below(40)).unwrap_or(0))
            }
            16 => Key::Not(Box::new(Key::random(rng, uid_max, depth - 1))),
            17 => Key::Or(
                Box::new(Key::random(rng, uid_max, depth - 1)),
                Box::new(Key::random(rng, uid_max, depth - 1)),
            ),
            _ => Key::And((0..2).map(|_| Key::random(rng, uid_max, depth - 1)).collect()),
        }
    }

    pub fn text(&self) -> String {
        match self {
            Key::All => "ALL".into(),
            Key::Flag(_, name) => match name.strip_prefix('\\') {
                Some(system) => system.to_ascii_uppercase(),
                None => format!("KEYWORD {name}"),
            },
            Key::Subject(word) => format!("SUBJECT \"{}\"", word.to_ascii_uppercase()),
            Key::From(word) => format!("FROM {word}"),
            Key::Body(word) => format!("BODY {word}"),
            Key::Text(word) => format!("TEXT \"{word}\""),
            Key::Token(token) => format!("HEADER X-Check {token}.check"),
            Key::Larger(size) => format!("LARGER {size}"),
            Key::Smaller(size) => format!("SMALLER {size}"),
            Key::SentSince(day) => format!("SENTSINCE {day}-Jan-2026"),
            Key::SentBefore(day) => format!("SENTBEFORE {day}-Jan-2026"),
            Key::SentOn(day) => format!("SENTON {day}-Jan-2026"),
            Key::Since(day) => format!("SINCE {day}-Feb-2026"),
            Key::Before(day) => format!("BEFORE {day}-Feb-2026"),
            Key::On(day) => format!("ON {day}-Feb-2026"),
            Key::Uid(from, to) => format!("UID {from}:{to}"),
            Key::Not(key) => format!("NOT {}", key.text()),
            Key::Or(one, other) => format!("OR {} {}", one.text(), other.text()),
            Key::And(keys) => {
                let keys: Vec<String> = keys.iter().map(Key::text).collect();
                format!("({})", keys.join(" "))
            }
        }
    }

    /// Whether a message matches, as far as is known.
    pub fn matches(&self, known: &Known<'_>) -> Option<bool> {
        let mail = |test: &dyn Fn(&Mail) -> bool| known.mail.map(test);
        match self {
            Key::All => Some(true),
            Key::Flag(flag, _) => known.flags.map(|flags| flags.has(*flag)),
            Key::Subject(word) => mail(&|mail| mail.subject.contains(word)),
            Key::From(word) => mail(&|mail| mail.from.contains(word)),
            Key::Body(word) => mail(&|mail| mail.body.contains(word)),
            Key::Text(word) => mail(&|mail| mail.subject.contains(word) || mail.body.contains(word)),
            // A substring: 17 is in 117 as well.
            Key::Token(token) => {
                mail(&|mail| format!("{}.check", mail.token).contains(&format!("{token}.check")))
            }
            Key::Larger(size) => mail(&|mail| mail.size() > *size),
            Key::Smaller(size) => mail(&|mail| mail.size() < *size),
            Key::SentSince(day) => mail(&|mail| mail.sent_day >= *day),
            Key::SentBefore(day) => mail(&|mail| mail.sent_day < *day),
            Key::SentOn(day) => mail(&|mail| mail.sent_day == *day),
            Key::Since(day) => mail(&|mail| mail.internal_day >= *day),
            Key::Before(day) => mail(&|mail| mail.internal_day < *day),
            Key::On(day) => mail(&|mail| mail.internal_day == *day),
            Key::Uid(from, to) => Some((*from..=*to).contains(&known.uid)),
            Key::Not(key) => key.matches(known).map(|matches| !matches),
            Key::Or(one, other) => match (one.matches(known), other.matches(known)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Key::And(keys) => keys.iter().try_fold(true, |all, key| Some(all & key.matches(known)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_they_say() {
        let mail = Mail::of(17);
        let known = |flags| Known { uid: 4, mail: Some(&mail), flags };
        let seen = Key::Flag(Flags::SEEN, "\\Seen");
        assert_eq!(seen.matches(&known(Some(Flags::SEEN))), Some(true));
        assert_eq!(seen.matches(&known(None)), None);
        assert_eq!(Key::Not(Box::new(seen.clone())).matches(&known(Some(Flags::SEEN))), Some(false));
        assert_eq!(Key::Or(Box::new(seen), Box::new(Key::All)).matches(&known(None)), Some(true));
        assert_eq!(Key::Token(17).matches(&known(None)), Some(true));
        assert_eq!(Key::Token(7).matches(&known(None)), Some(true), "a substring");
        assert_eq!(Key::Larger(mail.size()).matches(&known(None)), Some(false));
    }
}
