//! Sequence sets (RFC 9051 §9 `sequence-set`), of sequence numbers or UIDs as the command says. Never expands them.

use super::cursor::{Cursor, Parsed};

/// `*`, as it stands in [`Set::Ranges`]. Zero is no sequence number and no UID.
pub const STAR: u32 = 0;

/// ```abnf
/// sequence-set = (seq-number / seq-range) ["," sequence-set] / seq-last-command
/// seq-range = seq-number ":" seq-number
/// seq-last-command = "$"                       ; RFC 5182
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// As the client wrote them: any order; [`STAR`] is the last.
    Ranges(Vec<(u32, u32)>),
    /// The result of the last SEARCH that was told to save it.
    Saved,
}

impl Set {
    /// Reads a set.
    pub fn parse(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        if cursor.eat(b'$') {
            return Ok(Self::Saved);
        }
        let mut ranges = Vec::with_capacity(1);
        loop {
            let from = number(cursor)?;
            let to = if cursor.eat(b':') { number(cursor)? } else { from };
            ranges.push((from, to));
            if !cursor.eat(b',') {
                return Ok(Self::Ranges(ranges));
            }
        }
    }
    /// Whether a set begins here.
    pub fn begins(cursor: &Cursor<'_>) -> bool {
        matches!(cursor.peek(), Some(b'0'..=b'9' | b'*' | b'$'))
    }
}

fn number(cursor: &mut Cursor<'_>) -> Parsed<u32> {
    if cursor.eat(b'*') { Ok(STAR) } else { cursor.nz_number() }
}

/// Puts the last number in the place of `*` and orders the ranges: ascending, disjoint. A range whose both ends lie beyond `last`
/// stays as it is.
pub fn resolve(ranges: &[(u32, u32)], last: u32) -> Vec<(u32, u32)> {
    let number = |n: u32| if n == STAR { last } else { n };
    let mut all: Vec<(u32, u32)> = ranges
        .iter()
        .map(|&(a, b)| (number(a), number(b)))
        .map(|(a, b)| (a.min(b), a.max(b)))
        .filter(|&(_, to)| to != 0)
        .collect();
    all.sort_unstable();
    let mut out: Vec<(u32, u32)> = Vec::with_capacity(all.len());
    for (from, to) in all {
        match out.last_mut() {
            Some(before) if from <= before.1.saturating_add(1) => before.1 = before.1.max(to),
            _ => out.push((from.max(1), to)),
        }
    }
    out
}

/// How many numbers there are in ranges that are disjoint.
pub fn total(ranges: &[(u32, u32)]) -> u64 {
    ranges.iter().map(|&(from, to)| u64::from(to.saturating_sub(from)) + 1).sum()
}

/// Ranges of ascending numbers.
pub fn ranges(numbers: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut out: Vec<(u32, u32)> = Vec::new();
    for n in numbers {
        match out.last_mut() {
            Some(last) if n == last.1.saturating_add(1) => last.1 = n,
            _ => out.push((n, n)),
        }
    }
    out
}

/// What is in both. Both ascending and disjoint.
pub fn both(one: &[(u32, u32)], other: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    let mut other = other.iter().peekable();
    for &(from, to) in one {
        while let Some(&&(other_from, other_to)) = other.peek() {
            if other_from > to {
                break;
            }
            if other_to >= from {
                out.push((from.max(other_from), to.min(other_to)));
            }
            if other_to > to {
                break;
            }
            other.next();
        }
    }
    out
}

/// What is in the ranges and not among the numbers. Both ascending.
pub fn without(ranges: &[(u32, u32)], numbers: impl Iterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    let mut numbers = numbers.peekable();
    for &(mut from, to) in ranges {
        while let Some(&n) = numbers.peek() {
            if n > to {
                break;
            }
            numbers.next();
            if n < from {
                continue;
            }
            if n > from {
                out.push((from, n - 1));
            }
            // `to` may be the largest number there is: then nothing is left.
            match n.checked_add(1) {
                Some(next) => from = next,
                None => return out,
            }
        }
        if from <= to {
            out.push((from, to));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_cut() {
        assert_eq!(both(&[(1, 5), (9, 20)], &[(3, 10), (15, 15), (30, 40)]), [(3, 5), (9, 10), (15, 15)]);
        assert_eq!(both(&[(1, 2), (4, 5)], &[(1, 9)]), [(1, 2), (4, 5)]);
        assert_eq!(both(&[], &[(1, 9)]), []);
        assert_eq!(without(&[(1, 5), (9, 9)], [2, 5, 7, 9, 11].into_iter()), [(1, 1), (3, 4)]);
        assert_eq!(without(&[(4, u32::MAX)], [1, 4, u32::MAX].into_iter()), [(5, u32::MAX - 1)]);
    }

    #[test]
    fn sets_are_read_and_ordered() {
        let check = |text: &str, last: u32, want: Option<&[(u32, u32)]>| {
            let mut cursor = Cursor::new(text.as_bytes());
            let set = Set::parse(&mut cursor).and_then(|s| cursor.end().map(|()| s)).ok();
            let got = set.map(|s| match s {
                Set::Ranges(ranges) => resolve(&ranges, last),
                Set::Saved => vec![],
            });
            assert_eq!(got.as_deref(), want, "{text}");
        };
        check("1", 9, Some(&[(1, 1)]));
        check("*", 9, Some(&[(9, 9)]));
        check("1:*", 9, Some(&[(1, 9)]));
        check("*:1", 9, Some(&[(1, 9)]));
        check("12:*", 9, Some(&[(9, 12)]));
        check("5,1:3,2:4", 9, Some(&[(1, 5)]));
        check("7,1:2,*", 9, Some(&[(1, 2), (7, 7), (9, 9)]));
        check("4294967295:1", 9, Some(&[(1, u32::MAX)]));
        check("1:*", 0, Some(&[(1, 1)]));
        check("*", 0, Some(&[]));
        for wrong in ["", "0", "1:", ":1", "1,", "a", "1:2:3", "4294967296", "1:0", "**"] {
            check(wrong, 9, None);
        }
    }
}
