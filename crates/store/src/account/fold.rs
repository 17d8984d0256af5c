//! Rewriting chunks now and then, so that opening an account replays a short piece of the log. Lazy: losing it costs a
//! longer replay and nothing else.

use std::{collections::BTreeMap, sync::Arc};

use yubin_engine::{Batch, Durability, Op, Pre, View};

use super::{
    Account,
    commit::{Writer, op_octets},
    load::{read_chunks, replay},
};
use crate::{
    Change, MailboxId, Page, Pages, StoreError, limits,
    tables::{self, chunk, codec::damaged, head, head::Head},
};

/// Octets of one piece of the rewriting.
const PIECE_OCTETS: usize = 1_500_000;
/// Operations of one piece of the rewriting.
const PIECE_OPS: usize = 2_000;

impl Account {
    /// Rewrites the chunks when enough has changed. A failure is left for the next time.
    pub(super) async fn fold_if_due(&self, writer: &mut Writer) {
        let weight: usize = writer.recent.iter().flat_map(|entry| &entry.changes).map(Change::weight).sum();
        let due = writer.recent.len() >= limits::UNFOLDED_COMMITS || weight >= limits::UNFOLDED_ROWS;
        if due {
            let _ = self.fold(writer).await;
        }
    }

    /// Brings the chunks up to the log.
    pub(crate) async fn fold(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let mut ops = Vec::new();
        let mut folded: BTreeMap<MailboxId, Pages> = BTreeMap::new();
        let state = self.state();
        for (id, only_appends) in touched(writer) {
            let Some(mailbox) = state.mailboxes.get(&id) else { continue };
            match (&mailbox.pages, writer.chunks.get(&id)) {
                (Some(pages), Some(chunks)) => {
                    self.rewrite(id, chunks, pages, &mut ops);
                    folded.insert(id, pages.clone());
                }
                _ if only_appends => {
                    let tail = self.read_tail(&*view, id).await?;
                    self.rewrite(id, &tail, &replay(&tail, &writer.recent, id), &mut ops);
                }
                _ => {
                    let chunks = read_chunks(&*view, self.id, id).await?;
                    self.rewrite(id, &chunks, &replay(&chunks, &writer.recent, id), &mut ops);
                }
            }
        }
        drop(view);
        let head = Head { base: writer.head.modseq, ..writer.head };
        ops.push(Op::Put(head::key(self.id), head.encode()));
        let key = head::key(self.id);
        for piece in pieces(ops) {
            let batch = Batch {
                part: tables::part(self.id),
                pre: vec![Pre::Version(key.clone(), writer.head.modseq)],
                ops: piece,
                durability: Durability::Lazy,
                ..Batch::default()
            };
            if let Err(error) = self.core.engine.commit(batch).await {
                writer.in_doubt = true;
                return Err(error.into());
            }
        }
        writer.head = head;
        writer.recent.clear();
        writer.chunks.extend(folded);
        Ok(())
    }

    /// The last chunk of a mailbox, if it has one.
    async fn read_tail(&self, view: &dyn View, mailbox: MailboxId) -> Result<Vec<Arc<Page>>, StoreError> {
        let (from, to) = chunk::range(self.id, mailbox);
        let last = view.scan(&from, &to, true, 1).await?;
        let decode = |(key, value): &(Vec<u8>, Vec<u8>)| {
            chunk::decode(value).map(Arc::new).ok_or_else(|| damaged("a chunk", key))
        };
        last.iter().map(decode).collect()
    }

    /// The operations that turn stored chunks into pages. In order of UID, so that a part of them does no harm.
    fn rewrite(&self, mailbox: MailboxId, chunks: &[Arc<Page>], pages: &[Arc<Page>], ops: &mut Vec<Op>) {
        let by_first = |pages: &[Arc<Page>]| -> BTreeMap<_, Arc<Page>> {
            pages.iter().filter_map(|page| Some((page.rows.first()?.uid, page.clone()))).collect()
        };
        let (old, new) = (by_first(chunks), by_first(pages));
        for (first, page) in &new {
            if old.get(first).is_none_or(|stored| !Arc::ptr_eq(stored, page)) {
                ops.push(Op::Put(chunk::key(self.id, mailbox, *first), chunk::encode(page)));
            }
        }
        for first in old.keys().filter(|first| !new.contains_key(first)) {
            ops.push(Op::Del(chunk::key(self.id, mailbox, *first)));
        }
    }
}

/// The mailboxes whose rows the log changes after the chunks, and whether messages only came in.
fn touched(writer: &Writer) -> BTreeMap<MailboxId, bool> {
    let mut out = BTreeMap::new();
    for change in writer.recent.iter().flat_map(|entry| &entry.changes) {
        let appended = match change {
            Change::Appended { .. } => true,
            Change::Flags { .. } | Change::Expunged { .. } => false,
            _ => continue,
        };
        if let Some(id) = change.mailbox() {
            *out.entry(id).or_insert(true) &= appended;
        }
    }
    out
}

/// Cut so that each piece fits into one batch.
pub(super) fn pieces(ops: Vec<Op>) -> Vec<Vec<Op>> {
    let (mut out, mut piece, mut octets) = (Vec::new(), Vec::new(), 0);
    for op in ops {
        if octets >= PIECE_OCTETS || piece.len() >= PIECE_OPS {
            out.push(std::mem::take(&mut piece));
            octets = 0;
        }
        octets += op_octets(&op);
        piece.push(op);
    }
    out.push(piece);
    out
}
