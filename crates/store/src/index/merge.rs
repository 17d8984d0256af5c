//! Makes one segment of several that stand side by side: fewer to look into, and without the documents that are gone.
//! Streams from front to back; holds one block and one chunk of each.

use std::{collections::BTreeSet, sync::Arc};

use yubin_base::AccountId;
use yubin_engine::{Op, View};

use super::segment::{Entry, SegmentReader, SegmentWriter, pack, unpack};
use crate::{
    StoreError, limits,
    tables::{
        codec::damaged,
        index::{self, Segment},
    },
};

/// Which segments to make one of, as a range; nothing when all is well.
pub(crate) fn due(segments: &[Segment], gone: &[u64]) -> Option<std::ops::Range<usize>> {
    let level = |segment: &Segment| segment.docs.max(1).ilog2() / 2;
    let joint = |run: &[Segment]| run.iter().map(|s| s.docs).sum::<u64>() <= limits::INDEX_SEGMENT_DOCS;
    let four = || segments.windows(limits::INDEX_MERGE).enumerate().filter(|(_, run)| joint(run));
    // The newest first: they are the smallest.
    let alike = four().rfind(|(_, run)| run.iter().all(|s| Some(level(s)) == run.first().map(level)));
    let crowded = || {
        let all = (segments.len() > limits::INDEX_SEGMENTS).then(four).into_iter().flatten();
        all.min_by_key(|(_, run)| run.iter().map(|s| s.docs).sum::<u64>())
    };
    if let Some((at, run)) = alike.or_else(crowded) {
        return Some(at..at + run.len());
    }
    // Half of it is gone.
    let emptied = segments.iter().position(|s| {
        let within = gone.partition_point(|d| *d < s.to) - gone.partition_point(|d| *d < s.from);
        within as u64 * 2 >= s.docs.max(1)
    });
    emptied.map(|at| at..at + 1)
}

/// The terms of one segment, in order.
struct Terms<'a> {
    reader: SegmentReader<'a>,
    /// The next block's key is not below this.
    from: Vec<u8>,
    to: Vec<u8>,
    space: u8,
    /// The terms of the block that are left, the next one last.
    left: Vec<(Vec<u8>, Entry)>,
}

impl<'a> Terms<'a> {
    fn new(view: &Arc<dyn View>, account: AccountId, segment: &'a Segment) -> Self {
        let [(from, to), _] = index::segment_ranges(account, segment.id);
        let reader = SegmentReader::new(view, account, segment);
        Self { reader, from, to, space: 0, left: Vec::new() }
    }

    /// Reads on, if the block is at its end.
    async fn fill(&mut self) -> Result<(), StoreError> {
        if !self.left.is_empty() {
            return Ok(());
        }
        let Some((key, block)) = self.reader.block(&self.from, &self.to).await? else { return Ok(()) };
        self.space = index::space_of(&key).ok_or_else(|| damaged("a block of the index", &key))?;
        self.left = block.terms().map(|(term, entry)| (term.to_vec(), entry)).collect();
        self.left.reverse();
        self.from = key;
        self.from.push(0);
        Ok(())
    }

    fn peek(&self) -> Option<(u8, &[u8])> {
        self.left.last().map(|(term, _)| (self.space, term.as_slice()))
    }
}

/// What a merge made, step by step.
pub(crate) struct Merge<'a> {
    terms: Vec<Terms<'a>>,
    writer: SegmentWriter,
    gone: &'a BTreeSet<u64>,
    from: u64,
    to: u64,
}

impl<'a> Merge<'a> {
    pub(crate) fn new(
        view: Arc<dyn View>,
        account: AccountId,
        segments: &'a [Segment],
        gone: &'a BTreeSet<u64>,
        id: u64,
    ) -> Self {
        let terms: Vec<_> = segments.iter().map(|s| Terms::new(&view, account, s)).collect();
        let from = segments.first().map_or(0, |s| s.from);
        let to = segments.last().map_or(0, |s| s.to);
        Self { terms, writer: SegmentWriter::new(account, id), gone, from, to }
    }

    /// Goes on with a later view.
    pub(crate) fn renew(&mut self, view: &Arc<dyn View>) {
        self.terms.iter_mut().for_each(|terms| terms.reader.renew(view));
    }

    /// Goes on until there is enough for a commit; nothing at the end.
    pub(crate) async fn step(&mut self) -> Result<Option<Vec<Op>>, StoreError> {
        loop {
            for terms in &mut self.terms {
                terms.fill().await?;
            }
            let Some((space, term)) =
                self.terms.iter().filter_map(Terms::peek).min().map(|(space, term)| (space, term.to_vec()))
            else {
                return Ok(None);
            };
            let mut numbers: Vec<u64> = Vec::new();
            for terms in &mut self.terms {
                if terms.peek() != Some((space, term.as_slice())) {
                    continue;
                }
                let Some((_, entry)) = terms.left.pop() else { continue };
                let packed = terms.reader.postings(entry).await?;
                let base = terms.reader.segment.from;
                let docs = unpack(&packed, entry.bits).into_iter().map(|n| base.saturating_add(n));
                numbers.extend(docs.filter(|doc| !self.gone.contains(doc)).map(|doc| doc - self.from));
            }
            if !numbers.is_empty() {
                let (packed, bits) = pack(numbers.into_iter(), self.to - self.from);
                self.writer.term(space, &term, &packed, bits);
            }
            if let Some(ops) = self.writer.full() {
                return Ok(Some(ops));
            }
        }
    }

    /// The last operations, and the row of the new segment.
    pub(crate) fn finish(self, segments: &[Segment], id: u64) -> (Vec<Op>, Segment) {
        let (ops, octets, postings) = self.writer.finish();
        let is_left = |doc: &u64| !self.gone.contains(doc);
        let docs: u64 = segments.iter().map(|s| s.docs).sum();
        let segment = Segment {
            id,
            from: self.from,
            to: self.to,
            docs: docs.saturating_sub(self.gone.len() as u64),
            octets,
            postings,
            unread: segments.iter().flat_map(|s| s.unread.iter().copied()).filter(is_left).collect(),
        };
        (ops, segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_merged_four_alike_and_when_half_is_gone() {
        let made = |sizes: &[u64]| {
            let mut from = 1;
            let segment = |docs: &u64| {
                let segment = Segment { from, to: from + docs, docs: *docs, ..Segment::default() };
                from += docs;
                segment
            };
            sizes.iter().map(segment).collect::<Vec<_>>()
        };
        assert_eq!(due(&made(&[]), &[]), None);
        assert_eq!(due(&made(&[300, 300, 300]), &[]), None);
        assert_eq!(due(&made(&[5_000, 300, 300, 300, 300]), &[]), Some(1..5));
        assert_eq!(due(&made(&[1_000_000, 1_000_000, 1_000_000, 1_000_000]), &[]), None);
        assert_eq!(due(&made(&[100, 100]), &(1..=50).collect::<Vec<_>>()), Some(0..1));
        let crowd: Vec<u64> = (0..40).map(|n| if n % 2 == 0 { 300 } else { 5_000 }).collect();
        assert!(due(&made(&crowd), &[]).is_some());
    }
}
