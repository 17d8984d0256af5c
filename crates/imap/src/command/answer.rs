//! Answers of SEARCH, SORT and ESEARCH: lines of numbers, written piece by piece. RFC 9051 §7.3.4, RFC 4731 §3, RFC 5267 §3.

use crate::{
    codec::{Writer, search::SearchReturn, write::push_number},
    limits,
};

/// A line under way that is mostly numbers.
pub(crate) struct NumberLine {
    numbers: Vec<u32>,
    at: usize,
    /// Ranges and commas; else every number behind a space.
    as_set: bool,
    /// What stands behind the numbers, line end included.
    tail: Vec<u8>,
}

impl NumberLine {
    /// Numbers behind spaces, and the `tail`.
    pub(crate) fn spaced(numbers: Vec<u32>, tail: Vec<u8>) -> Self {
        Self { numbers, at: 0, as_set: false, tail }
    }

    /// Writes the next piece. True: the line has ended.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) -> bool {
        while let Some(first) = self.numbers.get(self.at).copied() {
            if out.len() >= limits::ANSWER_OCTETS {
                return false;
            }
            if !self.as_set {
                out.push(b' ');
                push_number(out, u64::from(first));
                self.at += 1;
                continue;
            }
            if self.at > 0 {
                out.push(b',');
            }
            // Only what ascends can be a range: a set has an order here.
            let ascends = |(n, next): (u32, &u32)| first.checked_add(n) == Some(*next);
            let rest = self.numbers.get(self.at..).unwrap_or_default();
            let length = (0..).zip(rest).take_while(|pair| ascends(*pair)).count();
            push_number(out, u64::from(first));
            if let Some(last) = rest.get(length - 1).filter(|_| length > 1) {
                out.push(b':');
                push_number(out, u64::from(*last));
            }
            self.at += length;
        }
        out.append(&mut self.tail);
        true
    }
}

/// What was found, and what of it is asked for.
pub(crate) struct Answer<'a> {
    /// The command's.
    pub(crate) tag: &'a str,
    /// The mailbox and its UIDVALIDITY, where they must be told (RFC 7377 §2.1).
    pub(crate) mailbox: Option<(&'a str, u32)>,
    /// Whether the numbers are UIDs.
    pub(crate) uid: bool,
    /// In their order.
    pub(crate) numbers: Vec<u32>,
    /// The highest modseq of what was found, when it was asked for.
    pub(crate) modseq: Option<u64>,
    pub(crate) returns: SearchReturn,
}

/// Begins `* ESEARCH (TAG "a") UID MIN 2 MAX 5 COUNT 3 ALL 2:3,5` (RFC 4731 §3.2). With only SAVE nothing is told (RFC 5182 §2.1).
pub(crate) fn esearch(answer: Answer<'_>, w: &mut Writer<'_>) -> NumberLine {
    let Answer { numbers, returns, .. } = answer;
    let mut line = NumberLine { numbers: Vec::new(), at: 0, as_set: true, tail: Vec::new() };
    if !(returns.min || returns.max || returns.all || returns.count || returns.partial.is_some()) {
        return line;
    }
    w.raw("* ESEARCH (TAG ").string(answer.tag.as_bytes());
    if let Some((name, uid_validity)) = answer.mailbox {
        w.raw(" MAILBOX ").mailbox(name).raw(" UIDVALIDITY ").number(uid_validity);
    }
    w.raw(")").raw(if answer.uid { " UID" } else { "" });
    if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
        if returns.min {
            w.raw(" MIN ").number(*first);
        }
        if returns.max {
            w.raw(" MAX ").number(*last);
        }
    }
    if returns.count {
        w.raw(" COUNT ").number(numbers.len() as u64);
    }
    if let Some(modseq) = answer.modseq.filter(|modseq| *modseq > 0) {
        line.tail = format!(" MODSEQ {modseq}").into_bytes();
    }
    line.tail.extend_from_slice(b"\r\n");
    if let Some((from, to)) = returns.partial {
        // RFC 9394 §3.1
        w.raw(&format!(" PARTIAL ({from}:{to} "));
        let part = part_of(&numbers, (from, to));
        if part.is_empty() {
            w.raw("NIL");
        }
        line.tail.insert(0, b')');
        line.numbers = part.to_vec();
    } else if returns.all && !numbers.is_empty() {
        w.raw(" ALL ");
        line.numbers = numbers;
    }
    line
}

/// The results numbered `from` to `to`, from 1, or with negative numbers from the end (RFC 9394 §3.1).
pub(crate) fn part_of(numbers: &[u32], (from, to): (i64, i64)) -> &[u32] {
    let len = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
    let (start, end) = if from > 0 { (from - 1, to) } else { (len + to, len + from + 1) };
    let index = |n: i64| usize::try_from(n.clamp(0, len)).unwrap_or(0);
    numbers.get(index(start)..index(end)).unwrap_or_default()
}

/// What SAVE keeps of what was found, in its order (RFC 5182 §2.1): with MIN or MAX only those, unless all are asked for as well.
pub(crate) fn saved(found: &[u32], returns: SearchReturn) -> Vec<u32> {
    if (returns.min || returns.max) && !returns.all && !returns.count {
        let ends = [found.first().filter(|_| returns.min), found.last().filter(|_| returns.max)];
        return ends.into_iter().flatten().copied().collect();
    }
    match returns.partial {
        // RFC 9394 §3.1: PARTIAL saves what it returned.
        Some(range) if !returns.count => part_of(found, range).to_vec(),
        _ => found.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_count_from_either_end() {
        let numbers = [2, 4, 6, 8];
        assert_eq!(part_of(&numbers, (1, 2)), [2, 4]);
        assert_eq!(part_of(&numbers, (4, 9)), [8]);
        assert_eq!(part_of(&numbers, (5, 9)), [0u32; 0]);
        assert_eq!(part_of(&numbers, (-1, -2)), [6, 8]);
        assert_eq!(part_of(&numbers, (-3, -9)), [2, 4]);
    }

    #[test]
    fn sets_keep_their_order() {
        let check = |numbers: &[u32], want: &str| {
            let mut line = NumberLine { numbers: numbers.to_vec(), at: 0, as_set: true, tail: b"!".to_vec() };
            let mut out = Vec::new();
            assert!(line.write(&mut out));
            assert_eq!(String::from_utf8(out).unwrap(), format!("{want}!"));
        };
        check(&[], "");
        check(&[5, 4, 3, 7, 8, 9, 1], "5,4,3,7:9,1");
        check(&[u32::MAX - 1, u32::MAX, 0], "4294967294:4294967295,0");
    }

    #[test]
    fn a_long_line_comes_in_pieces() {
        let mut line = NumberLine::spaced((1..60_000).collect(), b"\r\n".to_vec());
        let (mut all, mut pieces) = (Vec::new(), 0);
        loop {
            let mut out = Vec::new();
            let ended = line.write(&mut out);
            assert!(out.len() <= limits::ANSWER_OCTETS + 16);
            all.append(&mut out);
            pieces += 1;
            if ended {
                break;
            }
        }
        assert!(pieces > 3 && all.ends_with(b" 59998 59999\r\n"));
    }
}
