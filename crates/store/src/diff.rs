//! What changed between two states of one mailbox. Pure; unchanged pages cost nothing.

use std::{iter::Peekable, sync::Arc};

use crate::{MailboxState, Page, Row, Uid};

/// The difference. Each list ascending by UID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// In the old state only.
    pub vanished: Vec<Uid>,
    /// In both, with other flags, keywords or modseq.
    pub changed: Vec<Uid>,
    /// In the new state only.
    pub added: Vec<Uid>,
}

/// Compares two states of one mailbox, both with pages loaded (missing pages count as empty).
pub fn diff(old: &MailboxState, new: &MailboxState) -> Diff {
    let (old, new) = (old.pages.as_deref().unwrap_or_default(), new.pages.as_deref().unwrap_or_default());
    let mut out = Diff::default();
    // Pages at both ends that are the very same need no look; what is between is merged row by row, skipping again
    // whatever the two share.
    let head = old.iter().zip(new).take_while(|(a, b)| Arc::ptr_eq(a, b)).count();
    let (old, new) = (old.get(head..).unwrap_or_default(), new.get(head..).unwrap_or_default());
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| Arc::ptr_eq(a, b)).count();
    let old = old.get(..old.len() - tail).unwrap_or_default();
    let new = new.get(..new.len() - tail).unwrap_or_default();
    if old.len() == new.len() && same_bounds(old, new) {
        for (a, b) in old.iter().zip(new).filter(|(a, b)| !Arc::ptr_eq(a, b)) {
            merge(a.rows.iter().peekable(), b.rows.iter().peekable(), &mut out);
        }
    } else {
        let rows = |pages: &'_ [Arc<Page>]| pages.iter().flat_map(|p| p.rows.clone()).collect::<Vec<Row>>();
        merge(rows(old).iter().peekable(), rows(new).iter().peekable(), &mut out);
    }
    out
}

/// Whether page n of one holds UIDs that all lie between those of the neighbours of page n of the other, so that pages
/// can be compared one by one.
fn same_bounds(old: &[Arc<Page>], new: &[Arc<Page>]) -> bool {
    let first = |p: &Arc<Page>| p.rows.first().map_or(0, |r| r.uid.0);
    let last = |p: &Arc<Page>| p.rows.last().map_or(0, |r| r.uid.0);
    let pairs = || old.iter().zip(new);
    pairs()
        .zip(pairs().skip(1))
        .all(|((a, b), (next_a, next_b))| last(a).max(last(b)) < first(next_a).min(first(next_b)))
}

fn merge<'a>(
    mut old: Peekable<impl Iterator<Item = &'a Row>>,
    mut new: Peekable<impl Iterator<Item = &'a Row>>,
    out: &mut Diff,
) {
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(a), Some(b)) if a.uid == b.uid => {
                if a != b {
                    out.changed.push(b.uid);
                }
                old.next();
                new.next();
            }
            (Some(a), b) if b.is_none_or(|b| a.uid < b.uid) => {
                out.vanished.push(a.uid);
                old.next();
            }
            (_, Some(b)) => {
                out.added.push(b.uid);
                new.next();
            }
            (Some(_), None) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Change, DocId, Flags, KeywordBits, MailboxId, ModSeq, ThreadId, UidSet,
        apply::{Delta, apply_rows},
    };
    use yubin_base::UnixMs;

    proptest! {
        #[test]
        fn it_finds_what_a_comparison_of_all_rows_finds(
            steps in prop::collection::vec((0u8..3, 1u32..1200, 0u32..300), 1..12), cut in 0usize..12,
        ) {
            let mailbox = MailboxId(1);
            let (mut pages, mut next) = (vec![], 1);
            let mut old = vec![];
            for (n, (kind, from, len)) in [(0, 0, 700)].iter().chain(&steps).enumerate() {
                if n == cut { old = pages.clone(); }
                let modseq = ModSeq(n as u64 + 1);
                let uids = UidSet::from_ranges([(*from, from + len)]);
                let change = match kind {
                    0 => {
                        let rows = (next..next + len).map(|uid| Row {
                            uid: Uid(uid), doc: DocId(0), flags: Flags(0), keywords: KeywordBits(0), modseq,
                            internal_date: UnixMs(0), save_date: UnixMs(0), size_octets: 1, thread: ThreadId(0),
                        }).collect();
                        next += len;
                        Change::Appended { mailbox, keywords: vec![], rows }
                    }
                    1 => {
                        let none = (Flags(0), KeywordBits(0));
                        Change::Flags { mailbox, keywords: vec![], uids, clear: none, set: (Flags(1), KeywordBits(0)) }
                    }
                    _ => Change::Expunged { mailbox, uids },
                };
                apply_rows(&mut pages, modseq, &change, &mut Delta::default());
            }
            let state = |pages: &Vec<Arc<Page>>| MailboxState { pages: Some(pages.clone().into()), ..Default::default() };
            let found = diff(&state(&old), &state(&pages));
            let all = |p: &Vec<Arc<Page>>| p.iter().flat_map(|p| p.rows.clone()).collect::<Vec<Row>>();
            let (a, b) = (all(&old), all(&pages));
            let get = |rows: &[Row], uid| rows.iter().find(|r| r.uid == uid).copied();
            let uids = |rows: &[Row]| rows.iter().map(|r| r.uid).collect::<Vec<Uid>>();
            let expected = Diff {
                vanished: uids(&a).into_iter().filter(|u| get(&b, *u).is_none()).collect(),
                changed: uids(&b).into_iter().filter(|u| get(&a, *u).is_some_and(|r| Some(r) != get(&b, *u))).collect(),
                added: uids(&b).into_iter().filter(|u| get(&a, *u).is_none()).collect(),
            };
            prop_assert_eq!(found, expected);
        }
    }
}
