//! Whether a message is what a search asks for. Three-valued: a row alone may not know; then the record, the header and at last the
//! text are read. Text is compared decoded and folded, so that searching is exact in every script.

use yubin_base::UnixMs;
use yubin_formats::{
    charset::Charset,
    fold_for_search,
    mail::{DateTime, Envelope, SearchField, parse_date},
};
use yubin_store::{Access, IndexAnswer, Keyword, Row, Sought, StoreError, UidSet};

use crate::{
    codec::{date::Day, search::Key, set::both},
    session::view::View,
};

#[path = "search_text.rs"]
mod text;
use text::{Found, Needle, find_in_body};

/// What is known so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Yes,
    No,
    /// More must be read to know.
    Unknown,
}

impl From<bool> for Truth {
    fn from(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }
}

/// A search made ready: sets found, text folded, ages turned into moments.
pub(crate) struct Plan {
    test: Test,
    texts: Texts,
    /// What the search index says of each text sought; nothing before it was asked, and where it cannot help.
    answers: Vec<Option<IndexAnswer>>,
    /// The fields of the header that matter, in lower case; none: all of them.
    names: Option<Vec<String>>,
}

enum Test {
    Always(bool),
    Flag(yubin_store::Flags, bool),
    /// By name: a keyword may come into use while the search runs.
    Keyword(Option<Keyword>, bool),
    /// Half-open ranges of days.
    Received(i64, i64),
    Saved(i64, i64),
    Sent(i64, i64),
    ReceivedBefore(UnixMs),
    ReceivedAfter(UnixMs),
    Larger(u64),
    Smaller(u64),
    Seqs(Vec<(u32, u32)>),
    ModSeq(u64),
    Doc(u64),
    Thread(u64),
    /// A text sought, by its number.
    Words(usize),
    Not(Box<Test>),
    Or(Vec<Test>),
    And(Vec<Test>),
}

/// The texts sought.
#[derive(Default)]
struct Texts {
    needles: Vec<Needle>,
    /// Where, and by its place among the needles what.
    sought: Vec<(Sought, usize)>,
}

/// What was read of a message.
#[derive(Default)]
struct Content {
    /// The day its `Date` names.
    sent: Option<Option<i64>>,
    /// The fields of its header that matter.
    header: Option<Vec<SearchField>>,
    /// Where else each needle is.
    found: Option<Vec<Found>>,
}

/// What a test is looked at with.
#[derive(Clone, Copy)]
struct Look<'a> {
    seq: u32,
    row: &'a Row,
    keywords: &'a [Keyword],
    texts: &'a Texts,
    answers: &'a [Option<IndexAnswer>],
    content: Option<&'a Content>,
}

/// What keys are made ready for.
struct Setting<'a> {
    charset: Charset,
    view: &'a View,
    saved: &'a UidSet,
    now: UnixMs,
}

impl Plan {
    pub(crate) fn new(key: &Key, charset: Charset, view: &View, saved: &UidSet, now: UnixMs) -> Self {
        let mut texts = Texts::default();
        let test = Test::new(key, &Setting { charset, view, saved, now }, &mut texts);
        let mut names = Some(Vec::new());
        for (sought, _) in &texts.sought {
            match (sought, &mut names) {
                (Sought::Anywhere, names) => *names = None,
                (Sought::Field(name), Some(names)) if !names.contains(name) => names.push(name.clone()),
                _ => {}
            }
        }
        Self { test, texts, answers: Vec::new(), names }
    }
    /// The messages that sets among the keys leave to be looked at, of so many.
    pub(crate) fn candidates(&self, last: u32) -> Vec<(u32, u32)> {
        let all = vec![(1, last)];
        let all = if last == 0 { Vec::new() } else { all };
        match &self.test {
            Test::Seqs(seqs) => both(&all, seqs),
            Test::And(tests) => tests.iter().fold(all, |left, test| match test {
                Test::Seqs(seqs) => both(&left, seqs),
                _ => left,
            }),
            _ => all,
        }
    }

    /// Asks the search index about every text, so that fewer messages must be read.
    pub(crate) async fn ask_index(&mut self, access: &Access) -> Result<(), StoreError> {
        let text = |needle: &usize| self.texts.needles.get(*needle).map_or("", |n| n.text.as_str());
        let texts: Vec<_> = self.texts.sought.iter().map(|(s, needle)| (s.clone(), text(needle))).collect();
        self.answers = access.ask_index(&texts).await?;
        Ok(())
    }

    /// Looks at the row only.
    pub(crate) fn look(&self, seq: u32, row: &Row, keywords: &[Keyword]) -> Truth {
        self.test.look(self.at(seq, row, keywords, None))
    }

    fn at<'a>(
        &'a self,
        seq: u32,
        row: &'a Row,
        keywords: &'a [Keyword],
        content: Option<&'a Content>,
    ) -> Look<'a> {
        Look { seq, row, keywords, texts: &self.texts, answers: &self.answers, content }
    }

    /// Reads what is needed, the cheap things first, until it is known.
    pub(crate) async fn read_and_look(
        &self,
        seq: u32,
        row: &Row,
        keywords: &[Keyword],
        access: &Access,
    ) -> Result<bool, StoreError> {
        let record = access.record(row.doc).await?;
        // RFC 9051 §6.4.4: the day that is written, whatever its time and zone.
        let envelope = Envelope::read(&record.staged.envelope);
        let sent = envelope.date.as_deref().and_then(parse_date).map(DateTime::local_day);
        let mut content = Content { sent: Some(sent), ..Content::default() };
        let known = |content: &Content| self.test.look(self.at(seq, row, keywords, Some(content)));
        if let Truth::Unknown = known(&content) {
            let mut text = access.text(&record);
            content.header = Some(text.header(self.names.as_deref()).await?);
            if let Truth::Unknown = known(&content) {
                content.found = Some(find_in_body(&self.texts.needles, &mut text).await?);
            }
        }
        Ok(known(&content) == Truth::Yes)
    }
}

impl Test {
    fn new(key: &Key, setting: &Setting<'_>, texts: &mut Texts) -> Self {
        const FIRST: i64 = i64::MIN;
        const LAST: i64 = i64::MAX;
        let Setting { charset, view, saved, now } = *setting;
        let mut again = |key: &Key| Self::new(key, setting, texts);
        let ago = |seconds: u32| UnixMs(now.0.saturating_sub(u64::from(seconds) * 1000));
        match key {
            Key::All => Self::Always(true),
            Key::Nothing => Self::Always(false),
            Key::Flag(flag, set) => Self::Flag(*flag, *set),
            Key::Keyword(text, set) => Self::Keyword(Keyword::new(text), *set),
            Key::Before(day) => Self::Received(FIRST, day.0),
            Key::On(day) => Self::Received(day.0, day.0 + 1),
            Key::Since(day) => Self::Received(day.0, LAST),
            Key::SentBefore(day) => Self::Sent(FIRST, day.0),
            Key::SentOn(day) => Self::Sent(day.0, day.0 + 1),
            Key::SentSince(day) => Self::Sent(day.0, LAST),
            Key::SavedBefore(day) => Self::Saved(FIRST, day.0),
            Key::SavedOn(day) => Self::Saved(day.0, day.0 + 1),
            Key::SavedSince(day) => Self::Saved(day.0, LAST),
            Key::Older(seconds) => Self::ReceivedBefore(ago(*seconds)),
            Key::Younger(seconds) => Self::ReceivedAfter(ago(*seconds)),
            Key::Larger(octets) => Self::Larger(*octets),
            Key::Smaller(octets) => Self::Smaller(*octets),
            Key::Header(name, text) => {
                let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                Self::words(Sought::Field(name), text, charset, texts)
            }
            Key::Body(text) => Self::words(Sought::Body, text, charset, texts),
            Key::Text(text) => Self::words(Sought::Anywhere, text, charset, texts),
            Key::Seq(set) => Self::Seqs(view.find_if_there(set, false, saved)),
            Key::Uid(set) => Self::Seqs(view.find_if_there(set, true, saved)),
            Key::ModSeq(modseq) => Self::ModSeq(*modseq),
            Key::EmailId(id) => object_id(id, 'E').map_or(Self::Always(false), Self::Doc),
            Key::ThreadId(id) => object_id(id, 'T').map_or(Self::Always(false), Self::Thread),
            Key::Not(key) => Self::Not(Box::new(again(key))),
            Key::Or(a, b) => Self::Or(vec![again(a), again(b)]),
            Key::And(keys) => Self::And(keys.iter().map(again).collect()),
        }
    }

    /// A text sought. Octets that the charset has no characters for are in no text.
    fn words(sought: Sought, text: &[u8], charset: Charset, texts: &mut Texts) -> Self {
        let decoded = charset.decode(text);
        if decoded.contains('\u{fffd}') && !std::str::from_utf8(text).is_ok_and(|t| t.contains('\u{fffd}')) {
            return Self::Always(false);
        }
        let folded = fold_for_search(&decoded);
        // RFC 9051 §6.4.4: the empty string is in every text, but a field must be there.
        let in_header = matches!(sought, Sought::Field(_));
        if folded.is_empty() && !in_header {
            return Self::Always(true);
        }
        let needles = &mut texts.needles;
        let at = needles.iter().position(|needle| needle.text == folded).unwrap_or_else(|| {
            needles.push(Needle::new(folded));
            needles.len() - 1
        });
        if let Some(needle) = needles.get_mut(at) {
            needle.in_body |= !in_header;
        }
        texts.sought.push((sought, at));
        Self::Words(texts.sought.len() - 1)
    }

    fn look(&self, at: Look<'_>) -> Truth {
        let Look { seq, row, keywords, content, .. } = at;
        let look = |test: &Test| test.look(at);
        let within = |day: i64, from: i64, to: i64| Truth::from(from <= day && day < to);
        match self {
            Self::Always(is) => (*is).into(),
            Self::Flag(flag, set) => (row.flags.has(*flag) == *set).into(),
            Self::Keyword(keyword, set) => {
                let bit = keyword.as_ref().and_then(|k| keywords.iter().position(|known| known == k));
                (bit.is_some_and(|bit| row.keywords.0 >> (bit & 63) & 1 == 1) == *set).into()
            }
            Self::Received(from, to) => within(Day::of(row.internal_date).0, *from, *to),
            Self::Saved(from, to) => within(Day::of(row.save_date).0, *from, *to),
            Self::Sent(from, to) => match content.and_then(|c| c.sent) {
                Some(Some(day)) => within(day, *from, *to),
                Some(None) => Truth::No,
                None => Truth::Unknown,
            },
            // RFC 5032 §2: exactly that age is both.
            Self::ReceivedBefore(moment) => (row.internal_date <= *moment).into(),
            Self::ReceivedAfter(moment) => (row.internal_date >= *moment).into(),
            Self::Larger(octets) => (u64::from(row.size_octets) > *octets).into(),
            Self::Smaller(octets) => (u64::from(row.size_octets) < *octets).into(),
            Self::Seqs(seqs) => {
                let at = seqs.partition_point(|(_, to)| *to < seq);
                seqs.get(at).is_some_and(|(from, _)| *from <= seq).into()
            }
            Self::ModSeq(modseq) => (row.modseq.0 >= *modseq).into(),
            Self::Doc(doc) => (row.doc.0 == *doc).into(),
            Self::Thread(thread) => (row.thread.0 == *thread).into(),
            Self::Words(number) => at.words(*number),
            Self::Not(test) => match look(test) {
                Truth::Yes => Truth::No,
                Truth::No => Truth::Yes,
                Truth::Unknown => Truth::Unknown,
            },
            Self::Or(tests) => decide(tests.iter().map(look), Truth::Yes, Truth::No),
            Self::And(tests) => decide(tests.iter().map(look), Truth::No, Truth::Yes),
        }
    }
}

/// One `strong` decides; all others must be `weak`.
fn decide(truths: impl Iterator<Item = Truth>, strong: Truth, weak: Truth) -> Truth {
    let mut sum = weak;
    for truth in truths {
        if truth == strong {
            return strong;
        }
        if truth == Truth::Unknown {
            sum = Truth::Unknown;
        }
    }
    sum
}

impl Look<'_> {
    /// Whether a text is where it is sought: as the index says, or as it was read.
    fn words(&self, number: usize) -> Truth {
        let known = self.answers.get(number).and_then(Option::as_ref);
        if let Some(holds) = known.and_then(|answer| answer.holds(self.row.doc)) {
            return holds.into();
        }
        let Some((sought, at)) = self.texts.sought.get(number) else { return Truth::No };
        let Some(needle) = self.texts.needles.get(*at) else { return Truth::No };
        let header = self.content.and_then(|content| content.header.as_ref());
        let found = self.content.and_then(|content| content.found.as_ref());
        let found = found.map(|found| found.get(*at).copied().unwrap_or_default());
        match sought {
            Sought::Field(name) => header.map_or(Truth::Unknown, |h| needle.is_in_field(name, h).into()),
            Sought::Body => found.map_or(Truth::Unknown, |f| f.in_body.into()),
            // RFC 9051 §6.4.4: MIME header fields are part of it.
            Sought::Anywhere => match (header, found) {
                (_, Some(f)) if f.in_body || f.in_part_headers => Truth::Yes,
                (Some(h), _) if needle.is_in_header(h) => Truth::Yes,
                (Some(_), Some(_)) => Truth::No,
                _ => Truth::Unknown,
            },
        }
    }
}

fn object_id(text: &str, letter: char) -> Option<u64> {
    text.strip_prefix(letter)?.parse().ok()
}
