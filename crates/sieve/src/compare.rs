//! Comparators and match types. RFC 5228 §2.7, RFC 4790, RFC 5051, RFC 5231. Time is linear in the text, but for `?` in patterns,
//! where it may be the text times the pattern; the caller charges for that. No expression makes a matcher wander back.

use std::{borrow::Cow, cmp::Ordering};

/// How two strings are held against each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum MatchType {
    Is,
    Contains,
    Matches,
    Regex,
    /// RFC 5231 §4.1.
    Value(Relation),
    /// RFC 5231 §4.2: how many there are.
    Count(Relation),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Relation {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

impl Relation {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "gt" => Self::Greater,
            "ge" => Self::GreaterOrEqual,
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            _ => return None,
        })
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
        }
    }
}

/// What counts as the same. RFC 4790.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Comparator {
    Octet,
    #[default]
    AsciiCasemap,
    /// Digits at the front, as a number; a text without is more than all numbers.
    AsciiNumeric,
    UnicodeCasemap,
}

impl Comparator {
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "i;octet" => Self::Octet,
            "i;ascii-casemap" => Self::AsciiCasemap,
            "i;ascii-numeric" => Self::AsciiNumeric,
            "i;unicode-casemap" => Self::UnicodeCasemap,
            _ => return None,
        })
    }

    /// Whether it can look for a part of a text. RFC 4790 §9.1.1: numbers have no parts.
    pub fn has_substrings(self) -> bool {
        self != Self::AsciiNumeric
    }

    /// Whether case makes a difference.
    pub fn folds_case(self) -> bool {
        matches!(self, Self::AsciiCasemap | Self::UnicodeCasemap)
    }

    /// The character that stands for all that are the same.
    fn fold(self, c: char) -> char {
        match self {
            Self::Octet | Self::AsciiNumeric => c,
            Self::AsciiCasemap => c.to_ascii_lowercase(),
            // RFC 5051 maps to title case; lower case of upper case makes the same classes.
            Self::UnicodeCasemap => {
                c.to_uppercase().next().and_then(|c| c.to_lowercase().next()).unwrap_or(c)
            }
        }
    }

    pub fn folded(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Octet | Self::AsciiNumeric => Cow::Borrowed(text),
            Self::AsciiCasemap => Cow::Owned(text.to_ascii_lowercase()),
            Self::UnicodeCasemap => Cow::Owned(text.chars().map(|c| self.fold(c)).collect()),
        }
    }

    pub fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            Self::AsciiNumeric => Numeric::of(a).cmp(&Numeric::of(b)),
            // RFC 4790 §9.2.1 orders by upper-case letters; lower case would put `_` on the other side.
            Self::AsciiCasemap => a.to_ascii_uppercase().cmp(&b.to_ascii_uppercase()),
            Self::Octet | Self::UnicodeCasemap => self.folded(a).cmp(&self.folded(b)),
        }
    }
}

/// RFC 4790 §9.1: digits without leading zeros, or infinity. Never overflows.
#[derive(PartialEq, Eq)]
enum Numeric<'a> {
    Digits(&'a str),
    Infinity,
}

impl<'a> Numeric<'a> {
    fn of(text: &'a str) -> Self {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        match text.get(..end) {
            Some("") | None => Self::Infinity,
            Some(digits) => Self::Digits(digits.trim_start_matches('0')),
        }
    }
}

impl Ord for Numeric<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Infinity, Self::Infinity) => Ordering::Equal,
            (Self::Infinity, Self::Digits(_)) => Ordering::Greater,
            (Self::Digits(_), Self::Infinity) => Ordering::Less,
            (Self::Digits(a), Self::Digits(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        }
    }
}

impl PartialOrd for Numeric<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `:is`
pub(crate) fn is(comparator: Comparator, value: &str, key: &str) -> bool {
    comparator.compare(value, key).is_eq()
}

/// `:contains`
pub(crate) fn contains(comparator: Comparator, value: &str, key: &str) -> bool {
    comparator.folded(value).contains(comparator.folded(key).as_ref())
}

/// `:value`
pub(crate) fn has_value(relation: Relation, comparator: Comparator, value: &str, key: &str) -> bool {
    relation.holds(comparator.compare(value, key))
}

/// `:count`
pub(crate) fn has_count(relation: Relation, comparator: Comparator, count: usize, key: &str) -> bool {
    relation.holds(comparator.compare(&count.to_string(), key))
}

/// `:matches`: `*` takes any text, as little as it can; `?` takes one character; a backslash takes their meaning away. On success, what
/// was taken by the whole pattern and by each wildcard (RFC 5229 §3.2).
pub(crate) fn matches(comparator: Comparator, value: &str, pattern: &str) -> Option<Vec<String>> {
    let value: Vec<char> = value.chars().collect();
    let folded: Vec<char> = value.iter().map(|c| comparator.fold(*c)).collect();
    let runs = runs(comparator, pattern);
    let (first, others) = runs.split_first()?;
    let mut taken = vec![value.iter().collect::<String>()];
    let text = |from: usize, to: usize| value.get(from..to).unwrap_or_default().iter().collect::<String>();

    // The run before the first star stands at the front; the one after the last stands at the end.
    if !first.fits(&folded, 0) || others.is_empty() && first.0.len() != folded.len() {
        return None;
    }
    first.take_singles(&value, 0, &mut taken);
    let mut at = first.0.len();
    for (number, run) in others.iter().enumerate() {
        let last_start = folded.len().checked_sub(run.0.len())?;
        let is_last = number + 1 == others.len();
        let begin = if is_last { last_start.max(at) } else { at };
        let found = run.find(&folded, begin, last_start)?;
        taken.push(text(at, found));
        run.take_singles(&value, found, &mut taken);
        at = found + run.0.len();
    }
    Some(taken)
}

/// What stands between two stars: characters, and none for `?`.
struct Run(Vec<Option<char>>);

impl Run {
    fn fits(&self, value: &[char], at: usize) -> bool {
        value.get(at..at + self.0.len()).is_some_and(|part| {
            part.iter().zip(&self.0).all(|(c, wanted)| wanted.is_none_or(|wanted| wanted == *c))
        })
    }

    /// Where it first stands, from `begin` to `last`. By Knuth, Morris and Pratt, so that no text makes it look twice.
    fn find(&self, value: &[char], begin: usize, last: usize) -> Option<usize> {
        let Some(wanted) = self.0.iter().copied().collect::<Option<Vec<char>>>() else {
            return (begin..=last).find(|start| self.fits(value, *start));
        };
        if wanted.is_empty() {
            return (begin <= last).then_some(begin);
        }
        let mut borders = Vec::with_capacity(wanted.len());
        let mut held = 0;
        for (at, c) in wanted.iter().enumerate() {
            held = if at == 0 { 0 } else { longer(&wanted, &borders, held, *c) };
            borders.push(held);
        }
        held = 0;
        for (at, c) in value.iter().enumerate().skip(begin) {
            held = longer(&wanted, &borders, held, *c);
            if held == wanted.len() {
                let start = at + 1 - held;
                return (start <= last).then_some(start);
            }
        }
        None
    }

    fn take_singles(&self, value: &[char], at: usize, taken: &mut Vec<String>) {
        for (c, wanted) in value.iter().skip(at).zip(&self.0) {
            if wanted.is_none() {
                taken.push(c.to_string());
            }
        }
    }
}

/// How much of `wanted` is held once `c` follows. `borders` says for each beginning how long its longest end is that is a beginning, too.
fn longer(wanted: &[char], borders: &[usize], mut held: usize, c: char) -> usize {
    while held > 0 && wanted.get(held) != Some(&c) {
        held = borders.get(held - 1).copied().unwrap_or(0);
    }
    held + usize::from(wanted.get(held) == Some(&c))
}

fn runs(comparator: Comparator, pattern: &str) -> Vec<Run> {
    let mut runs = vec![Run(Vec::new())];
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let Some(run) = runs.last_mut() else { break };
        match c {
            '*' => runs.push(Run(Vec::new())),
            '?' => run.0.push(None),
            '\\' => run.0.push(Some(comparator.fold(chars.next().unwrap_or('\\')))),
            c => run.0.push(Some(comparator.fold(c))),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, pattern: &str, taken: Option<&[&str]>) {
        let found = matches(Comparator::AsciiCasemap, value, pattern);
        let found = found.map(|found| found.into_iter().skip(1).collect::<Vec<_>>());
        assert_eq!(
            found,
            taken.map(|taken| taken.iter().map(|t| (*t).to_owned()).collect()),
            "{pattern} on {value}"
        );
    }

    #[test]
    fn wildcards_take_as_little_as_they_can() {
        check(
            "[acme-users] [fwd]: version 1.0 is out",
            "[*] *",
            Some(&["acme-users", "[fwd]: version 1.0 is out"]),
        );
        check("abc", "ABC", Some(&[]));
        check("abc", "a?c", Some(&["b"]));
        check("abcabc", "*bc", Some(&["abca"]));
        check("abcabc", "*b*", Some(&["a", "cabc"]));
        check("aaa", "a*a", Some(&["a"]));
        check("aa", "a*a", Some(&[""]));
        check("a", "a*a", None);
        check("a*b", "a\\*b", Some(&[]));
        check("axb", "a\\*b", None);
        check("日本語", "日?語", Some(&["本"]));
        check("", "*", Some(&[""]));
        check("x", "", None);
        check("frop", "**", Some(&["", "frop"]));
        check("aabaabaaab", "*aabaaa*", Some(&["aab", "b"]));
        check("ababac", "*abac", Some(&["ab"]));
        check("xaxbx", "*a?b*", Some(&["x", "x", "x"]));
    }

    #[test]
    fn long_patterns_of_stars_end_soon() {
        let value = "a".repeat(20_000);
        assert!(matches(Comparator::Octet, &value, &format!("{}b", "*a".repeat(2_000))).is_none());
        // A text that nearly fits everywhere: looked at once, not once for each place.
        let (value, pattern) = ("a".repeat(1_000_000), format!("*{}b*", "a".repeat(30_000)));
        assert!(matches(Comparator::Octet, &value, &pattern).is_none());
    }

    #[test]
    fn numbers_compare_as_numbers() {
        let compare = |a, b| Comparator::AsciiNumeric.compare(a, b);
        assert_eq!(compare("10", "9"), Ordering::Greater);
        assert_eq!(compare("007", "7"), Ordering::Equal);
        assert_eq!(compare("7 pm", "7"), Ordering::Equal);
        assert_eq!(compare("x", "99999999999999999999999"), Ordering::Greater);
        assert_eq!(compare("x", "y"), Ordering::Equal);
        assert_eq!(compare("99999999999999999999999", "1"), Ordering::Greater);
    }
}
