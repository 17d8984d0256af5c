//! SORT and UID SORT. RFC 5256 §3; RFC 5957 (SORT=DISPLAY), RFC 5267 §3 (ESORT), RFC 7162 §3.1.5 (MODSEQ).
//! Finds, takes what is compared from the digests, sorts, writes: each in pieces.

use yubin_store::{DigestWords, DocId, Row, StoreError, UidSet};

use crate::{
    codec::{
        search::SearchReturn,
        set::ranges,
        sort::{Criterion, Sort},
    },
    limits,
    session::{reply::Reply, user::Context},
};

use super::{
    Outcome,
    answer::{self, Answer, NumberLine},
    find::{self, Finder},
    job::{Job, Progress},
    message_limit,
};

#[path = "sort_order.rs"]
pub(super) mod order;
use order::{Sorter, Table};

/// A SORT under way.
pub(crate) struct SortJob {
    tag: String,
    finder: Finder,
    criteria: Vec<Criterion>,
    returns: Option<SearchReturn>,
    uid: bool,
    asks_modseq: bool,
    stage: Stage,
}

enum Stage {
    Finding,
    /// What is compared of the messages found before this one is known.
    Reading(usize, Table),
    Sorting(Sorter),
    Writing(NumberLine),
}

pub(crate) fn run(cx: &mut Context<'_>, tag: &str, sort: Sort, uid: bool) -> Result<Outcome, Reply> {
    let charset = find::charset(Some(&sort.charset))?;
    let mut finder = Finder::in_selected(cx, &sort.key, charset)?;
    let asks_modseq = sort.key.asks_modseq();
    cx.user.enabled.condstore |= asks_modseq;
    message_limit::whole(finder.limit(cx))?;
    Ok(Outcome::Job(Job::Sort(Box::new(SortJob {
        tag: tag.to_owned(),
        finder,
        criteria: sort.criteria,
        returns: sort.returns,
        uid,
        asks_modseq,
        stage: Stage::Finding,
    }))))
}

impl SortJob {
    /// Whether a line has begun and not ended.
    pub(crate) fn in_line(&self) -> bool {
        matches!(self.stage, Stage::Writing(_))
    }

    /// How many messages were looked at, and of how many.
    pub(crate) fn progress(&self) -> (u64, u64) {
        self.finder.progress()
    }

    /// Goes on.
    pub(crate) async fn step(&mut self, cx: &mut Context<'_>) -> Progress {
        match self.go_on(cx).await {
            Ok(true) => {
                let reply = Reply::ok("that is all");
                Progress::Done { reply, known: Vec::new() }
            }
            Ok(false) => Progress::More,
            Err(error) => Progress::Done { reply: error.into(), known: Vec::new() },
        }
    }

    async fn go_on(&mut self, cx: &mut Context<'_>) -> Result<bool, StoreError> {
        match &mut self.stage {
            Stage::Finding => {
                if self.finder.step(cx).await? {
                    self.stage = Stage::Reading(0, Table::new(&self.criteria));
                }
                Ok(false)
            }
            Stage::Reading(next, table) => {
                let end = self.finder.found.len().min(*next + limits::ORDER_ROWS_AT_ONCE);
                let seqs = self.finder.found.get(*next..end).unwrap_or_default();
                let digests = Table::needs_digests(&self.criteria);
                read(cx, seqs, digests, |seq, row, words| table.push(seq, row, words)).await?;
                *next = end;
                if end == self.finder.found.len() {
                    let table = std::mem::replace(table, Table::new(&[]));
                    self.stage = Stage::Sorting(Sorter::new(table));
                }
                Ok(false)
            }
            Stage::Sorting(sorter) => match sorter.step() {
                Some(order) => {
                    let line = self.answer(order, cx);
                    self.stage = Stage::Writing(line);
                    Ok(false)
                }
                None => Ok(false),
            },
            Stage::Writing(line) => Ok(line.write(cx.out)),
        }
    }

    /// `* SORT 5 3 4 1 2 (MODSEQ 9)`, or ESEARCH (RFC 5267 §3).
    fn answer(&mut self, order: Vec<u32>, cx: &mut Context<'_>) -> NumberLine {
        let numbers = |seqs: &[u32]| -> Vec<u32> {
            let Some(selected) = cx.user.selected.as_ref().filter(|_| self.uid) else { return seqs.to_vec() };
            seqs.iter().filter_map(|seq| selected.view.at(*seq)).map(|(row, _)| row.uid.0).collect()
        };
        let numbers = numbers(&order);
        let modseq = Some(self.finder.highest_modseq).filter(|n| self.asks_modseq && *n > 0);
        let Some(returns) = self.returns else {
            cx.out.extend_from_slice(b"* SORT");
            let modseq = modseq.map(|modseq| format!(" (MODSEQ {modseq})")).unwrap_or_default();
            return NumberLine::spaced(numbers, format!("{modseq}\r\n").into_bytes());
        };
        if returns.save {
            save(&answer::saved(&order, returns), cx);
        }
        let answer = Answer { tag: &self.tag, mailbox: None, uid: self.uid, numbers, modseq, returns };
        answer::esearch(answer, &mut cx.w())
    }
}

/// Keeps messages for `$` (RFC 5182).
pub(super) fn save(seqs: &[u32], cx: &mut Context<'_>) {
    let Some(selected) = &mut cx.user.selected else { return };
    let rows = seqs.iter().filter_map(|seq| selected.view.at(*seq));
    let mut uids: Vec<u32> = rows.map(|(row, _): (&Row, bool)| row.uid.0).collect();
    uids.sort_unstable();
    selected.saved = UidSet::from_ranges(ranges(uids));
}

/// Hands out messages of the selected mailbox with their digests, if asked for. A message whose content is gone says nothing.
pub(super) async fn read(
    cx: &Context<'_>,
    seqs: &[u32],
    digests: bool,
    mut take: impl FnMut(u32, &Row, &DigestWords<'_>),
) -> Result<(), StoreError> {
    let Some(selected) = &cx.user.selected else { return Ok(()) };
    for seqs in seqs.chunks(yubin_store::limits::DIGESTS_AT_ONCE) {
        let rows: Vec<(u32, Row)> =
            seqs.iter().filter_map(|seq| selected.view.at(*seq).map(|(row, _)| (*seq, *row))).collect();
        if !digests {
            rows.iter().for_each(|(seq, row)| take(*seq, row, &DigestWords::default()));
            continue;
        }
        let docs: Vec<DocId> = rows.iter().map(|(_, row)| row.doc).collect();
        let digests = selected.access.digests(&docs).await?;
        for ((seq, row), digest) in rows.iter().zip(digests) {
            match digest {
                Some(digest) => take(*seq, row, &digest.read()),
                None => take(*seq, row, &DigestWords::default()),
            }
        }
    }
    Ok(())
}
