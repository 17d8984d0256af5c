//! Tidying: content that no mailbox holds any more goes, old deliveries are forgotten, the log is trimmed. Bounded per call.

use std::collections::BTreeSet;

use yubin_base::UnixMs;
use yubin_engine::{Key, Op, Val, View};

use super::{
    Account,
    commit::{Outcome, Plan, Writer},
    load::{read_chunks, replay, scan_all},
};
use crate::{
    DocId, ModSeq, StoreError, limits,
    tables::{
        self,
        codec::damaged,
        delivery::{self, Delivery},
        expunged, index, log, message, shared,
    },
};

/// What one call of purge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Messages whose content is gone.
    pub messages: u64,
    /// Deliveries that are forgotten.
    pub deliveries: u64,
    /// Log entries that are gone.
    pub log_entries: u64,
    /// There is more to do.
    pub more: bool,
}

/// Rows to delete, and what they mean.
#[derive(Default)]
struct Sweep {
    ops: Vec<Op>,
    log_floor: Option<u64>,
    done: Purged,
}

impl Account {
    /// Tidies the account, a bounded piece of it per call. Changes nothing that a session sees.
    pub async fn purge(&self, now: UnixMs) -> Result<Purged, StoreError> {
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let view = self.core.engine.view(tables::part(self.id)).await?;
            if self.read_head(&*view).await? != Some(writer.head) {
                drop(view);
                self.reload(&mut writer).await?;
                continue;
            }
            let mut sweep = Sweep::default();
            self.sweep_content(&*view, &writer, now, &mut sweep).await?;
            self.sweep_deliveries(&*view, now, &mut sweep).await?;
            self.sweep_log(&*view, &writer, now, &mut sweep).await?;
            drop(view);
            if sweep.ops.is_empty() {
                return Ok(sweep.done);
            }
            let mut plan = Plan::new(&writer);
            plan.ops = sweep.ops;
            plan.head.log_floor = sweep.log_floor.unwrap_or(plan.head.log_floor);
            // Its log entry has no changes: the commit is there to expect the modseq, like any other.
            match self.commit(&mut writer, plan, now).await? {
                Outcome::Done(_) => return Ok(sweep.done),
                Outcome::Again => {}
            }
        }
        Err(yubin_engine::CommitError::Conflict(0).into())
    }

    /// Content of messages expunged long enough ago, unless a copy is still somewhere.
    async fn sweep_content(
        &self,
        view: &dyn View,
        writer: &Writer,
        now: UnixMs,
        sweep: &mut Sweep,
    ) -> Result<(), StoreError> {
        let keep_ms = self.core.options.expunged_keep_s.saturating_mul(1000);
        let (from, to) = expunged::range(self.id);
        let rows = view.scan(&from, &to, false, limits::SCAN_PAIRS).await?;
        let mut candidates: BTreeSet<DocId> = BTreeSet::new();
        for (key, value) in rows {
            let mut row = expunged::decode(&value).ok_or_else(|| damaged("an expunged row", &key))?;
            if now.since(row.at) < keep_ms {
                break;
            }
            let room = limits::PURGE_DOCS.saturating_sub(candidates.len());
            if room == 0 {
                sweep.done.more = true;
                break;
            }
            let later = row.docs.split_off(room.min(row.docs.len()));
            candidates.extend(row.docs);
            if later.is_empty() {
                sweep.ops.push(Op::Del(key));
            } else {
                sweep.done.more = true;
                sweep.ops.push(Op::Put(key, expunged::encode(row.at, &later)));
            }
        }
        if candidates.is_empty() {
            return Ok(());
        }
        self.spare_copies(view, writer, &mut candidates, sweep).await?;
        sweep.done.messages = candidates.len() as u64;
        sweep.ops.extend(candidates.iter().map(|doc| Op::Del(message::key(self.id, *doc))));
        // The search index takes them out when it merges.
        if view.get(&index::head_key(self.id)).await?.is_some() {
            let gone = candidates.iter().map(|doc| index::gone_key(self.id, doc.0));
            sweep.ops.extend(gone.map(|key| Op::Put(key, index::gone_value())));
        }
        Ok(())
    }

    /// Takes documents that a mailbox still holds out of the candidates; forgets copies that are no more.
    async fn spare_copies(
        &self,
        view: &dyn View,
        writer: &Writer,
        candidates: &mut BTreeSet<DocId>,
        sweep: &mut Sweep,
    ) -> Result<(), StoreError> {
        let (from, to) = shared::range(self.id);
        let mut rows: Vec<(Key, Vec<DocId>)> = Vec::new();
        for (key, value) in scan_all(view, from, &to).await? {
            let docs = shared::decode(&value).ok_or_else(|| damaged("a row of copies", &key))?;
            rows.push((key, docs));
        }
        let copied: BTreeSet<DocId> = rows.iter().flat_map(|(_, docs)| docs.iter().copied()).collect();
        let doubtful: BTreeSet<DocId> = candidates.intersection(&copied).copied().collect();
        if doubtful.is_empty() {
            return Ok(());
        }
        let held = self.held(view, writer, &doubtful).await?;
        candidates.retain(|doc| !held.contains(doc));
        let gone: BTreeSet<DocId> = doubtful.difference(&held).copied().collect();
        for (key, docs) in rows {
            let left: Vec<DocId> = docs.iter().copied().filter(|doc| !gone.contains(doc)).collect();
            if left.is_empty() {
                sweep.ops.push(Op::Del(key));
            } else if left.len() < docs.len() {
                sweep.ops.push(Op::Put(key, shared::encode(&left)));
            }
        }
        Ok(())
    }

    /// Those of the documents that some mailbox holds.
    async fn held(
        &self,
        view: &dyn View,
        writer: &Writer,
        docs: &BTreeSet<DocId>,
    ) -> Result<BTreeSet<DocId>, StoreError> {
        let mut held = BTreeSet::new();
        for (id, mailbox) in &self.state().mailboxes {
            let pages = match &mailbox.pages {
                Some(pages) => pages.to_vec(),
                None => replay(&read_chunks(view, self.id, *id).await?, &writer.recent, *id),
            };
            held.extend(
                pages.iter().flat_map(|page| &page.rows).map(|row| row.doc).filter(|doc| docs.contains(doc)),
            );
        }
        Ok(held)
    }

    /// Deliveries older than any repetition.
    async fn sweep_deliveries(
        &self,
        view: &dyn View,
        now: UnixMs,
        sweep: &mut Sweep,
    ) -> Result<(), StoreError> {
        let (mut from, to) = delivery::range(self.id);
        loop {
            let rows: Vec<(Key, Val)> = view.scan(&from, &to, false, limits::SCAN_PAIRS).await?;
            let full = rows.len() >= limits::SCAN_PAIRS;
            for (key, value) in rows {
                let row = Delivery::decode(&value).ok_or_else(|| damaged("a delivery", &key))?;
                from.clone_from(&key);
                from.push(0);
                if now.since(row.at) < limits::IDEM_KEPT_S * 1000 {
                    continue;
                }
                if sweep.done.deliveries >= limits::PURGE_DOCS as u64 {
                    sweep.done.more = true;
                    return Ok(());
                }
                sweep.done.deliveries += 1;
                sweep.ops.push(Op::Del(key));
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// Log entries that are old, many commits back, and not needed to open the account.
    async fn sweep_log(
        &self,
        view: &dyn View,
        writer: &Writer,
        now: UnixMs,
        sweep: &mut Sweep,
    ) -> Result<(), StoreError> {
        let head = &writer.head;
        let until = head.modseq.saturating_sub(limits::LOG_KEPT_ENTRIES).min(head.base);
        if until <= head.log_floor {
            return Ok(());
        }
        // The newest entry that may go; entries are in order of time, but for a clock that went back.
        let last = until.min(head.log_floor + limits::PURGE_DOCS as u64);
        let entries = self.read_log(view, head.log_floor + 1, last).await?;
        let old = |at: UnixMs| now.since(at) >= limits::LOG_KEPT_S * 1000;
        let Some(floor) = entries.iter().take_while(|e| old(e.at)).last().map(|e| e.modseq) else {
            return Ok(());
        };
        sweep.done.log_entries = floor.0 - head.log_floor;
        sweep.done.more |= floor.0 == last && last < until;
        let (from, to) = (log::key(self.id, 0, 0), log::key(self.id, floor.0 + 1, 0));
        sweep.ops.push(Op::DelRange(from, to));
        sweep.log_floor = Some(floor.0);
        Ok(())
    }

    /// The oldest modseq since which changes can be told.
    pub async fn log_floor(&self) -> Result<ModSeq, StoreError> {
        Ok(ModSeq(self.write().await?.head.log_floor))
    }
}
