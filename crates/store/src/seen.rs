//! `\Seen` of those who are not the owner: everybody has their own in a mailbox that is shared (RFC 4314 §4). Pure.
//! What a viewer has marked is kept as runs of UIDs with the modseq of the change, in pieces of 4,096 UIDs; a UID in no run was never
//! marked. From the owner's rows and these follow the rows that the viewer sees.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use yubin_base::AccountId;

use crate::{Flags, MailboxState, ModSeq, Page, Row, Uid, UidSet};

/// How many UIDs one piece covers, as a power of two: a piece of single UIDs still fits into one value.
const PIECE_BITS: u32 = 12;

/// What those who look into a mailbox have marked, as far as it is loaded.
#[derive(Clone, Debug, Default)]
pub struct Readers(Arc<BTreeMap<AccountId, Seen>>);

impl Readers {
    pub(crate) fn get(&self, viewer: AccountId) -> Option<&Seen> {
        self.0.get(&viewer)
    }
    pub(crate) fn put(&mut self, viewer: AccountId, seen: Seen) {
        Arc::make_mut(&mut self.0).insert(viewer, seen);
    }
}

/// What one viewer has marked in one mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pieces: BTreeMap<u32, Arc<[Run]>>,
}

/// UIDs that were marked alike and at once, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// Whether they are seen; if not, they were once.
    pub(crate) seen: bool,
    /// When they were marked so.
    pub(crate) modseq: ModSeq,
}

impl Seen {
    /// From pieces as they are stored.
    pub(crate) fn new(pieces: impl IntoIterator<Item = (u32, Vec<Run>)>) -> Self {
        Self { pieces: pieces.into_iter().map(|(piece, runs)| (piece, runs.into())).collect() }
    }
    pub(crate) fn piece(&self, piece: u32) -> &[Run] {
        self.pieces.get(&piece).map(|runs| &**runs).unwrap_or_default()
    }
    /// The run of a UID.
    fn run(&self, uid: Uid) -> Option<&Run> {
        let runs = self.piece(piece_of(uid.0));
        runs.get(runs.partition_point(|run| run.to < uid.0)).filter(|run| run.from <= uid.0)
    }
    /// Whether the viewer has seen a message.
    pub(crate) fn has(&self, uid: Uid) -> bool {
        self.run(uid).is_some_and(|run| run.seen)
    }
    /// The row as the viewer sees it. Its modseq is that of the last change, the viewer's own or another's.
    pub(crate) fn row(&self, row: &Row) -> Row {
        let run = self.run(row.uid);
        let others = row.flags.without(Flags::SEEN);
        Row {
            flags: if run.is_some_and(|run| run.seen) { others.with(Flags::SEEN) } else { others },
            modseq: run.map_or(row.modseq, |run| row.modseq.max(run.modseq)),
            ..*row
        }
    }
    /// Marks messages. Answers with the pieces that changed.
    pub(crate) fn mark(&mut self, uids: &UidSet, seen: bool, modseq: ModSeq) -> Vec<u32> {
        let mut touched: BTreeMap<u32, Vec<Run>> = BTreeMap::new();
        for &(from, to) in uids.ranges() {
            for piece in piece_of(from)..=piece_of(to) {
                let (first, last) = bounds(piece);
                let run = Run { from: from.max(first), to: to.min(last), seen, modseq };
                let runs = touched.entry(piece).or_insert_with(|| self.piece(piece).to_vec());
                *runs = overlaid(runs, run);
            }
        }
        let pieces = touched.keys().copied().collect();
        self.pieces.extend(touched.into_iter().map(|(piece, runs)| (piece, runs.into())));
        pieces
    }
    /// Whether two agree, by being the very same, about a range of UIDs.
    fn is_same(&self, other: &Self, from: Uid, to: Uid) -> bool {
        (piece_of(from.0)..=piece_of(to.0)).all(|piece| {
            match (self.pieces.get(&piece), other.pieces.get(&piece)) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (a, b) => a.is_none() && b.is_none(),
            }
        })
    }
}

/// The pieces that hold UIDs of a set.
fn piece_of(uid: u32) -> u32 {
    uid >> PIECE_BITS
}

fn bounds(piece: u32) -> (u32, u32) {
    let first = piece << PIECE_BITS;
    (first, first | ((1 << PIECE_BITS) - 1))
}

/// Runs with another laid over them.
fn overlaid(runs: &[Run], new: Run) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::with_capacity(runs.len() + 2);
    let mut push = |run: Run| match out.last_mut() {
        Some(last)
            if last.to.checked_add(1) == Some(run.from)
                && (last.seen, last.modseq) == (run.seen, run.modseq) =>
        {
            last.to = run.to;
        }
        _ => out.push(run),
    };
    let mut pending = Some(new);
    for run in runs {
        if run.from < new.from {
            push(Run { to: run.to.min(new.from.saturating_sub(1)), ..*run });
        }
        if run.to >= new.from
            && let Some(new) = pending.take()
        {
            push(new);
        }
        if run.to > new.to {
            push(Run { from: run.from.max(new.to.saturating_add(1)), ..*run });
        }
    }
    if let Some(new) = pending {
        push(new);
    }
    out
}

/// A mailbox as a viewer sees it, and the states it was made from.
pub(crate) struct Seer {
    pub(crate) base: Arc<MailboxState>,
    pub(crate) mine: std::sync::Weak<MailboxState>,
}

/// A mailbox with its pages as a viewer sees it. Pages that neither the owner nor the viewer changed are those of `before`.
pub(crate) fn seen_by(
    viewer: AccountId,
    base: &Arc<MailboxState>,
    before: Option<&Seer>,
) -> Arc<MailboxState> {
    let nothing = Seen::default();
    let seen = base.readers.get(viewer).unwrap_or(&nothing);
    let pages = |state: &MailboxState| state.pages.clone().unwrap_or_default();
    let old = before.and_then(|before| Some((before.base.clone(), before.mine.upgrade()?)));
    let old_seen = old.as_ref().and_then(|(base, _)| base.readers.get(viewer)).unwrap_or(&nothing);
    let (old_base, old_mine) = match &old {
        Some((base, mine)) => (pages(base), pages(mine)),
        None => Default::default(),
    };
    let known: HashMap<*const Page, &Arc<Page>> =
        old_base.iter().map(Arc::as_ptr).zip(old_mine.iter()).collect();
    let base_pages = pages(base);
    let mine = base_pages.iter().map(|page| {
        let (first, last) = match (page.rows.first(), page.rows.last()) {
            (Some(first), Some(last)) => (first.uid, last.uid),
            _ => return page.clone(),
        };
        match known.get(&Arc::as_ptr(page)) {
            Some(mine) if seen.is_same(old_seen, first, last) => Arc::clone(mine),
            _ => {
                let rows: Vec<Row> = page.rows.iter().map(|row| seen.row(row)).collect();
                if rows == page.rows { page.clone() } else { Arc::new(Page { rows }) }
            }
        }
    });
    let mine: Vec<Arc<Page>> = mine.collect();
    let mut state = MailboxState::clone(base);
    let unseen = mine.iter().flat_map(|page| &page.rows).filter(|row| !row.flags.has(Flags::SEEN)).count();
    state.counts.unseen = u32::try_from(unseen).unwrap_or(u32::MAX);
    state.pages = Some(mine.into());
    Arc::new(state)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn marks_are_those_set_last(steps in prop::collection::vec((1u32..9000, 0u32..5000, any::<bool>()), 1..30)) {
            let mut seen = Seen::default();
            let mut model: BTreeMap<u32, (bool, ModSeq)> = BTreeMap::new();
            for (n, (from, len, is)) in steps.iter().enumerate() {
                let modseq = ModSeq(n as u64 / 2 + 1);
                let before = seen.clone();
                let pieces = seen.mark(&UidSet::from_ranges([(*from, from + len)]), *is, modseq);
                model.extend((*from..=from + len).map(|uid| (uid, (*is, modseq))));
                for piece in 0..4 {
                    prop_assert!(pieces.contains(&piece) || seen.piece(piece) == before.piece(piece));
                }
            }
            for uid in 0..15_000 {
                let found = seen.run(Uid(uid)).map(|run| (run.seen, run.modseq));
                prop_assert_eq!(found, model.get(&uid).copied(), "{}", uid);
            }
            for piece in 0..4 {
                let runs = seen.piece(piece);
                let apart = runs.windows(2).all(|w| w[0].to < w[1].from
                    && (w[0].to + 1 < w[1].from || (w[0].seen, w[0].modseq) != (w[1].seen, w[1].modseq)));
                prop_assert!(apart && runs.iter().all(|r| bounds(piece).0 <= r.from && r.from <= r.to && r.to <= bounds(piece).1));
            }
        }
    }
}
