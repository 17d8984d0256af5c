//! Puts messages in order: takes what is compared of each, and gives their sequence numbers. Pure; works in pieces, so that sorting a
//! million messages keeps nobody waiting. RFC 5256 §3, RFC 5957 §3.

use std::cmp::Ordering;

use yubin_store::{DigestWords, Row};

use crate::{
    codec::sort::{Criterion, SortBy},
    limits::{SORT_MERGED_AT_ONCE, SORT_RUN_MESSAGES},
};

/// What is compared of each message, in columns.
pub(super) struct Table {
    columns: Vec<Column>,
    items: Vec<Item>,
    seqs: Vec<u32>,
}

struct Column {
    criterion: Criterion,
    values: Values,
}

enum Values {
    Numbers(Vec<u64>),
    /// Texts end to end; where each ends.
    Texts(Vec<u8>, Vec<usize>),
}

/// A message while it is being sorted.
#[derive(Clone, Copy)]
struct Item {
    /// The first criterion, or the beginning of it: most comparisons need no more.
    head: u64,
    /// The message, counted as they came.
    at: u32,
}

impl Table {
    /// For these criteria.
    pub(super) fn new(criteria: &[Criterion]) -> Self {
        let column = |criterion: &Criterion| {
            let values = match criterion.by {
                SortBy::Arrival | SortBy::Date | SortBy::Size => Values::Numbers(Vec::new()),
                _ => Values::Texts(Vec::new(), Vec::new()),
            };
            Column { criterion: *criterion, values }
        };
        Self { columns: criteria.iter().map(column).collect(), items: Vec::new(), seqs: Vec::new() }
    }

    /// Whether more is compared than a row holds.
    pub(super) fn needs_digests(criteria: &[Criterion]) -> bool {
        criteria.iter().any(|c| !matches!(c.by, SortBy::Arrival | SortBy::Size))
    }

    /// Takes a message. They come ascending: that is their order where all is equal (RFC 5256 §3).
    pub(super) fn push(&mut self, seq: u32, row: &Row, words: &DigestWords<'_>) {
        let heads: Vec<u64> = self.columns.iter_mut().map(|column| column.push(row, words)).collect();
        let at = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.items.push(Item { head: heads.first().copied().unwrap_or(0), at });
        self.seqs.push(seq);
    }

    fn compare(&self, a: &Item, b: &Item) -> Ordering {
        let by_columns = || {
            let orders = self.columns.iter().map(|column| column.compare(a.at as usize, b.at as usize));
            orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        a.head.cmp(&b.head).then_with(by_columns).then_with(|| a.at.cmp(&b.at))
    }
}

impl Column {
    /// Adds a message; gives what stands for it in comparisons.
    fn push(&mut self, row: &Row, words: &DigestWords<'_>) -> u64 {
        let head = match &mut self.values {
            Values::Numbers(numbers) => {
                let number = number(self.criterion.by, row, words);
                numbers.push(number);
                number
            }
            Values::Texts(octets, ends) => {
                let text = text(self.criterion.by, words);
                octets.extend_from_slice(text);
                ends.push(octets.len());
                let mut head = [0; 8];
                head.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
                u64::from_be_bytes(head)
            }
        };
        if self.criterion.reverse { !head } else { head }
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let order = match &self.values {
            Values::Numbers(numbers) => numbers.get(a).cmp(&numbers.get(b)),
            Values::Texts(octets, ends) => {
                let text = |n: usize| {
                    let start = n.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
                    octets.get(start..ends.get(n).copied().unwrap_or(start)).unwrap_or_default()
                };
                text(a).cmp(text(b))
            }
        };
        if self.criterion.reverse { order.reverse() } else { order }
    }
}

/// The number that is compared.
fn number(by: SortBy, row: &Row, words: &DigestWords<'_>) -> u64 {
    match by {
        SortBy::Size => u64::from(row.size_octets),
        SortBy::Date => sent_s(row, words).cast_unsigned() ^ (1 << 63),
        _ => row.internal_date.0,
    }
}

/// The sent date (RFC 5256 §2.2): without a Date that says something, INTERNALDATE takes its place.
pub(in crate::command) fn sent_s(row: &Row, words: &DigestWords<'_>) -> i64 {
    words.sent_s.unwrap_or_else(|| i64::try_from(row.internal_date.seconds()).unwrap_or(i64::MAX))
}

fn text<'a>(by: SortBy, words: &DigestWords<'a>) -> &'a [u8] {
    match by {
        SortBy::Cc => words.cc,
        SortBy::DisplayFrom => words.display_from,
        SortBy::DisplayTo => words.display_to,
        SortBy::From => words.from,
        SortBy::Subject => words.subject,
        SortBy::To => words.to,
        SortBy::Arrival | SortBy::Date | SortBy::Size => &[],
    }
}

/// A sort under way: runs are sorted one by one, and then merged.
pub(super) struct Sorter {
    table: Table,
    /// Items before this one are in sorted runs.
    sorted: usize,
    /// The runs, as a heap: the one whose next item comes first is at the top.
    runs: Vec<(usize, usize)>,
    order: Vec<u32>,
}

impl Sorter {
    pub(super) fn new(table: Table) -> Self {
        Self { table, sorted: 0, runs: Vec::new(), order: Vec::new() }
    }

    /// Does the next piece of the work. The sequence numbers in order, once all is done.
    pub(super) fn step(&mut self) -> Option<Vec<u32>> {
        if self.sorted < self.table.items.len() {
            self.sort_run();
            return None;
        }
        for _ in 0..SORT_MERGED_AT_ONCE {
            let Some(&(at, end)) = self.runs.first() else { return Some(std::mem::take(&mut self.order)) };
            let item = self.table.items.get(at).map_or(0, |item| item.at as usize);
            self.order.extend(self.table.seqs.get(item));
            match self.runs.first_mut() {
                Some(top) if at + 1 < end => top.0 = at + 1,
                _ => {
                    self.runs.swap_remove(0);
                }
            }
            self.sift_down(0);
        }
        None
    }

    fn sort_run(&mut self) {
        let end = self.table.items.len().min(self.sorted + SORT_RUN_MESSAGES);
        let mut run = self.table.items.get(self.sorted..end).unwrap_or_default().to_vec();
        run.sort_unstable_by(|a, b| self.table.compare(a, b));
        if let Some(place) = self.table.items.get_mut(self.sorted..end) {
            place.copy_from_slice(&run);
        }
        self.runs.push((self.sorted, end));
        self.sorted = end;
        if end == self.table.items.len() {
            (0..self.runs.len()).rev().for_each(|run| self.sift_down(run));
        }
    }

    /// Lets a run sink below those whose next item comes earlier.
    fn sift_down(&mut self, mut run: usize) {
        loop {
            let mut least = run;
            for child in [2 * run + 1, 2 * run + 2] {
                if self.comes_before(child, least) {
                    least = child;
                }
            }
            if least == run {
                return;
            }
            self.runs.swap(run, least);
            run = least;
        }
    }

    fn comes_before(&self, one: usize, other: usize) -> bool {
        let next = |run: usize| self.runs.get(run).and_then(|(at, _)| self.table.items.get(*at));
        match (next(one), next(other)) {
            (Some(one), Some(other)) => self.table.compare(one, other).is_lt(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use yubin_base::UnixMs;
    use yubin_store::{DocId, Flags, KeywordBits, ModSeq, ThreadId, Uid};

    fn row(size: u32, at: u64) -> Row {
        Row {
            uid: Uid(1),
            doc: DocId(1),
            flags: Flags(0),
            keywords: KeywordBits(0),
            modseq: ModSeq(1),
            internal_date: UnixMs(at),
            save_date: UnixMs(0),
            size_octets: size,
            thread: ThreadId(1),
        }
    }

    #[allow(clippy::field_reassign_with_default, reason = "a part of it is private")]
    fn sorted(criteria: &[Criterion], messages: &[(u32, i64, String)]) -> Vec<u32> {
        let mut table = Table::new(criteria);
        for (n, (size, sent, subject)) in (1..).zip(messages) {
            let mut words = DigestWords::default();
            words.sent_s = (*sent != 0).then_some(*sent);
            words.subject = subject.as_bytes();
            table.push(n, &row(*size, 5_000), &words);
        }
        let mut sorter = Sorter::new(table);
        loop {
            if let Some(order) = sorter.step() {
                return order;
            }
        }
    }

    #[test]
    fn more_than_one_run_is_merged() {
        let many: Vec<_> = (0..SORT_RUN_MESSAGES as u32 * 5 / 2)
            .map(|n| (n.wrapping_mul(2_654_435_761) % 1_000, 1, String::new()))
            .collect();
        let order = sorted(&[Criterion { by: SortBy::Size, reverse: false }], &many);
        let mut expected: Vec<u32> = (1..=many.len() as u32).collect();
        expected.sort_by_key(|seq| many[*seq as usize - 1].0);
        assert!(order == expected);
    }

    proptest! {
        #[test]
        fn it_sorts_as_a_plain_sort_does(
            messages in proptest::collection::vec((0u32..4, -2i64..3, "[ab]{0,12}"), 0..60),
            criteria in proptest::collection::vec((0usize..3, any::<bool>()), 1..4),
        ) {
            let by = [SortBy::Size, SortBy::Date, SortBy::Subject];
            let criteria: Vec<_> =
                criteria.iter().map(|(n, reverse)| Criterion { by: by[*n], reverse: *reverse }).collect();
            let mut expected: Vec<u32> = (1..=messages.len() as u32).collect();
            expected.sort_by(|a, b| {
                let (a, b) = (&messages[*a as usize - 1], &messages[*b as usize - 1]);
                let sent = |m: &(u32, i64, String)| if m.1 == 0 { 5 } else { m.1 };
                criteria.iter().fold(Ordering::Equal, |order, criterion| order.then_with(|| {
                    let next = match criterion.by {
                        SortBy::Size => a.0.cmp(&b.0),
                        SortBy::Date => sent(a).cmp(&sent(b)),
                        _ => a.2.cmp(&b.2),
                    };
                    if criterion.reverse { next.reverse() } else { next }
                }))
            });
            prop_assert_eq!(sorted(&criteria, &messages), expected);
        }
    }
}
