//! One change to an account: expect the modseq, write the head, the mailboxes, the log; then show it. The only place that
//! commits an account's tables (but for rewritten chunks, `fold.rs`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_lock::MutexGuard;
use yubin_base::UnixMs;
use yubin_engine::{Batch, BlobRef, CommitError, Committed, Durability, Key, Op, Pre, Val};

use super::fold::pieces;
use crate::{
    Account, AccountState, Change, LogEntry, MailboxId, ModSeq, Pages, StoreError, apply, limits,
    tables::{self, chunk, head, head::Head, log, mailbox, seen, staging, subscription},
};

/// What the one writer of an account knows beside the state.
#[derive(Default)]
pub(crate) struct Writer {
    /// The head as stored.
    pub(super) head: Head,
    /// The log from the chunks on.
    pub(super) recent: Vec<Arc<LogEntry>>,
    /// The chunks as stored, for mailboxes whose pages are loaded. Behind the pages by `recent`.
    pub(super) chunks: BTreeMap<MailboxId, Pages>,
    /// What was written ahead and does not count, as stored: see `tables/staging.rs`.
    pub(super) staged: Option<Val>,
    /// When the last change was.
    pub(super) last_at: UnixMs,
    /// The outcome of a commit is not known: what is stored must be read before anything is changed.
    pub(super) in_doubt: bool,
    /// The account is gone.
    pub(super) removed: bool,
}

/// A change worked out, to be committed.
pub(super) struct Plan {
    /// The head with the ids that the plan takes. Modseq and usage are set at the commit.
    pub(super) head: Head,
    /// What goes into the log.
    pub(super) changes: Vec<Change>,
    /// Rows that do not follow from the changes.
    pub(super) ops: Vec<Op>,
    /// Rows that do no harm when the commit does not follow: written ahead of it when all is too much for one batch.
    pub(super) ahead: Vec<Op>,
    /// The blobs named in `ops`.
    pub(super) blobs: Vec<BlobRef>,
}

impl Plan {
    pub(super) fn new(writer: &Writer) -> Self {
        Self { head: writer.head, changes: Vec::new(), ops: Vec::new(), ahead: Vec::new(), blobs: Vec::new() }
    }
    /// The modseq that the plan will have.
    pub(super) fn modseq(&self) -> ModSeq {
        ModSeq(self.head.modseq + 1)
    }
    /// A plan of one change.
    pub(super) fn of(writer: &Writer, change: Change) -> Self {
        Self { changes: vec![change], ..Self::new(writer) }
    }
}

/// What became of a plan.
pub(super) enum Outcome {
    /// It is durable, and shown.
    Done(Committed),
    /// Another writer came first; the account has been read again. Make a new plan.
    Again,
}

impl Account {
    /// Waits for the turn to write, with the account known as it is stored.
    pub(super) async fn write(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        let mut writer = self.writer.lock().await;
        self.settle(&mut writer).await?;
        Ok(writer)
    }

    /// Clears up what an earlier writer left in doubt.
    pub(super) async fn settle(&self, writer: &mut Writer) -> Result<(), StoreError> {
        if writer.removed {
            return Err(StoreError::NoAccount);
        }
        if writer.in_doubt {
            self.reload(writer).await?;
        }
        Ok(())
    }

    /// Commits a plan made on the state and the writer as they are.
    pub(super) async fn commit(
        &self,
        writer: &mut Writer,
        plan: Plan,
        now: UnixMs,
    ) -> Result<Outcome, StoreError> {
        let old = self.state();
        let entry =
            LogEntry { modseq: plan.modseq(), at: now, tag: self.core.random.u64(), changes: plan.changes };
        let mut new = AccountState::clone(&old);
        apply::apply(&mut new, &entry);
        let head = Head { modseq: entry.modseq.0, usage: new.usage, ..plan.head };

        let mut ops = vec![Op::Put(head::key(self.id), head.encode())];
        self.put_mailboxes(&old, &new, &entry, &mut ops);
        self.put_subscriptions(&entry, &mut ops);
        self.put_annotations(&entry, &mut ops);
        ops.extend(plan.ops);
        let mut ahead = plan.ahead;
        log::puts(self.id, &entry, &mut ahead);
        if fits(ops.iter().chain(&ahead)) {
            ops.append(&mut ahead);
        } else if !fits(&ops) {
            return Err(StoreError::Limit("too much for one change"));
        } else if !self.write_ahead(writer, &entry, ahead).await? {
            self.reload(writer).await?;
            return Ok(Outcome::Again);
        }
        let mut pre = vec![Pre::Version(head::key(self.id), writer.head.modseq)];
        self.settle_staging(writer, &entry, &mut pre, &mut ops);
        let batch = Batch {
            part: tables::part(self.id),
            pre,
            ops,
            blobs: plan.blobs,
            idem: None,
            durability: Durability::Sync,
        };

        let is_new = |id: &MailboxId| new.mailboxes.contains_key(id) && !old.mailboxes.contains_key(id);
        let made: Vec<MailboxId> = entry.changes.iter().filter_map(Change::mailbox).filter(is_new).collect();
        let appended = entry.changes.iter().any(|c| matches!(c, crate::Change::Appended { .. }));
        // If this future is dropped, or the engine cannot tell, the next writer reads what is stored.
        writer.in_doubt = true;
        match self.attempt(&batch, &entry).await? {
            Some((committed, current)) => {
                if current {
                    writer.in_doubt = false;
                    writer.staged = None;
                    writer.head = head;
                    writer.last_at = now;
                    writer.recent.push(Arc::new(entry));
                    writer.chunks.retain(|id, _| new.mailboxes.contains_key(id));
                    for made in made {
                        writer.chunks.insert(made, Arc::from([]));
                    }
                    self.publish(new);
                    if appended {
                        self.core.wanted.add(self.id);
                    }
                    self.fold_if_due(writer).await;
                } else {
                    // Committed, and others came after: what they did is shown with it. A failure to read is the next
                    // writer's, since this change is safe.
                    let _ = self.reload(writer).await;
                }
                Ok(Outcome::Done(committed))
            }
            None => {
                self.reload(writer).await?;
                Ok(Outcome::Again)
            }
        }
    }

    /// Writes ahead what is too much for one batch. It does not count until the commit that follows; a crash in between leaves
    /// nothing but rows that the next commit removes. False: another writer came first.
    async fn write_ahead(
        &self,
        writer: &mut Writer,
        entry: &LogEntry,
        ops: Vec<Op>,
    ) -> Result<bool, StoreError> {
        let key = staging::key(self.id);
        let mine = staging::encode(entry.tag);
        let begin = [log::clear(self.id, entry.modseq.0, 0), Op::Put(key.clone(), mine.clone())];
        let ops = begin.into_iter().chain(ops).collect();
        // Until the commit that follows, whoever comes next looks at what is stored.
        writer.in_doubt = true;
        for piece in pieces(ops) {
            let batch = Batch {
                part: tables::part(self.id),
                pre: vec![
                    Pre::Version(head::key(self.id), writer.head.modseq),
                    expected(&key, writer.staged.as_ref()),
                ],
                ops: piece,
                durability: Durability::Lazy,
                ..Batch::default()
            };
            match self.core.engine.commit(batch).await {
                Ok(_) => writer.staged = Some(mine.clone()),
                Err(CommitError::Conflict(_)) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Expects that nobody else writes ahead, and removes what was written ahead and is not this entry's.
    pub(super) fn settle_staging(
        &self,
        writer: &Writer,
        entry: &LogEntry,
        pre: &mut Vec<Pre>,
        ops: &mut Vec<Op>,
    ) {
        let key = staging::key(self.id);
        pre.push(expected(&key, writer.staged.as_ref()));
        if let Some(staged) = &writer.staged {
            if *staged != staging::encode(entry.tag) {
                // Before this entry's own parts.
                ops.insert(0, log::clear(self.id, entry.modseq.0, 0));
            }
            ops.push(Op::Del(key));
        }
    }

    /// Commits until the outcome is certain. Nothing: it did not take effect, another writer came first. The flag tells
    /// whether it is the account's newest commit.
    async fn attempt(
        &self,
        batch: &Batch,
        entry: &LogEntry,
    ) -> Result<Option<(Committed, bool)>, StoreError> {
        let mut doubt = false;
        for _ in 0..limits::COMMIT_TRIES {
            match self.core.engine.commit(batch.clone()).await {
                Ok(committed) => return Ok(Some((committed, true))),
                Err(CommitError::Conflict(_)) if !doubt => return Ok(None),
                Err(CommitError::Conflict(_) | CommitError::Unknown) => doubt = true,
                // Whether an attempt before this one took effect is still not known.
                Err(_) if doubt => return Err(CommitError::Unknown.into()),
                Err(error) => return Err(error.into()),
            }
            // The log tells whether an attempt took effect: it holds the entry with this attempt's tag.
            let (newest, found) = match self.find_attempt(entry).await {
                Ok(answer) => answer,
                Err(_) => return Err(CommitError::Unknown.into()),
            };
            if found {
                // Seen, but perhaps not flushed: a later commit that is durable proves it.
                let committed = self.prove().await.map_err(|_| CommitError::Unknown)?;
                return Ok(Some((committed, newest == entry.modseq.0)));
            }
            if newest >= entry.modseq.0 {
                return Ok(None);
            }
        }
        Err(CommitError::Unknown.into())
    }

    /// The modseq as stored, and whether the log has this very entry.
    async fn find_attempt(&self, entry: &LogEntry) -> Result<(u64, bool), StoreError> {
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let head = self.read_head(&*view).await?.ok_or(StoreError::NoAccount)?;
        if head.modseq < entry.modseq.0 {
            return Ok((head.modseq, false));
        }
        let found = self.read_log(&*view, entry.modseq.0, entry.modseq.0).await?;
        Ok((head.modseq, found.first().is_some_and(|e| e.tag == entry.tag)))
    }

    /// A commit that changes nothing: when it is durable, so is everything before it.
    pub(super) async fn prove(&self) -> Result<Committed, StoreError> {
        for _ in 0..limits::COMMIT_TRIES {
            let view = self.core.engine.view(tables::part(self.id)).await?;
            let head = self.read_head(&*view).await?.ok_or(StoreError::NoAccount)?;
            let key = head::key(self.id);
            let batch = Batch {
                part: tables::part(self.id),
                pre: vec![Pre::Version(key.clone(), head.modseq)],
                ops: vec![Op::Put(key, head.encode())],
                ..Batch::default()
            };
            match self.core.engine.commit(batch).await {
                Ok(committed) => return Ok(committed),
                Err(CommitError::Conflict(_) | CommitError::Unknown) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommitError::Unknown.into())
    }

    /// Rows of the mailboxes that a commit changes. Does not look at the others, however many there are.
    fn put_mailboxes(&self, old: &AccountState, new: &AccountState, entry: &LogEntry, ops: &mut Vec<Op>) {
        let changed: BTreeSet<MailboxId> = entry.changes.iter().filter_map(Change::mailbox).collect();
        for id in changed {
            match (old.mailboxes.get(&id), new.mailboxes.get(&id)) {
                (_, Some(now)) => ops.push(Op::Put(mailbox::key(self.id, id), mailbox::encode(now))),
                (Some(_), None) => {
                    ops.push(Op::Del(mailbox::key(self.id, id)));
                    let (from, to) = chunk::range(self.id, id);
                    ops.push(Op::DelRange(from, to));
                    let (from, to) = seen::mailbox_range(self.id, id);
                    ops.push(Op::DelRange(from, to));
                }
                (None, None) => {}
            }
        }
    }

    fn put_subscriptions(&self, entry: &LogEntry, ops: &mut Vec<Op>) {
        for change in &entry.changes {
            if let Change::Subscribed { name, subscribed } = change {
                let key = subscription::key(self.id, name);
                ops.push(if *subscribed { Op::Put(key, subscription::value()) } else { Op::Del(key) });
            }
        }
    }
}

/// The staging row is as it is known.
fn expected(key: &Key, staged: Option<&Val>) -> Pre {
    match staged {
        Some(value) => Pre::Equals(key.clone(), value.clone()),
        None => Pre::Absent(key.clone()),
    }
}

/// Octets of an operation.
pub(super) fn op_octets(op: &Op) -> usize {
    match op {
        Op::Put(key, value) => key.len() + value.len(),
        Op::Del(key) | Op::Add(key, _) => key.len(),
        Op::DelRange(from, to) => from.len() + to.len(),
    }
}

/// Whether the operations fit into one commit.
fn fits<'a>(ops: impl IntoIterator<Item = &'a Op>) -> bool {
    let (count, octets) =
        ops.into_iter().fold((0, 0), |(count, octets), op| (count + 1, octets + op_octets(op)));
    count <= limits::COMMIT_OPS && octets <= limits::COMMIT_OCTETS
}
