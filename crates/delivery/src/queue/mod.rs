//! The durable queue: entries and their recipients in the engine, an index of what is due in memory.
//! Never delivers anything itself.

mod admin;
mod history;
mod index;

use std::{future::Future, sync::Arc};

use yubin_base::{TraceId, UnixMs};
use yubin_engine::{Batch, BlobRef, CommitError, Committed, Engine, Op, Pre, ReadError};
use yubin_store::Staged;

use crate::{
    events, limits,
    tables::{self, entry::Entry, note::Note, recipient::Recipient},
};

pub use admin::{Filter, QueueStatus, QueuedMessage};
pub use history::{History, Sought};
use index::Index;

/// The queue. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    engine: Arc<dyn Engine>,
    index: Arc<Index>,
    /// Whether mail for other hosts is sent.
    sending: bool,
}

/// Why the queue said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueError {
    /// No entry of that id (any more).
    NoEntry,
    /// The disk is full, the store is read-only or not reachable.
    Commit(CommitError),
    /// What was stored cannot be read.
    Read(ReadError),
}

impl std::fmt::Display for QueueError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoEntry => f.write_str("no such message in the queue"),
            Self::Commit(error) => error.fmt(f),
            Self::Read(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for QueueError {}

impl QueueError {
    /// A report could not be written into the store.
    pub(crate) fn from_store(error: &yubin_store::StoreError) -> Self {
        match error {
            yubin_store::StoreError::Commit(error) => Self::Commit(error.clone()),
            yubin_store::StoreError::Blob(yubin_engine::BlobError::Full) => Self::Commit(CommitError::Full),
            yubin_store::StoreError::Blob(yubin_engine::BlobError::ReadOnly) => {
                Self::Commit(CommitError::ReadOnly)
            }
            _ => Self::Commit(CommitError::Unavailable),
        }
    }
}

impl From<CommitError> for QueueError {
    fn from(error: CommitError) -> Self {
        Self::Commit(error)
    }
}

impl From<ReadError> for QueueError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// A report about a message, to be enqueued in the transaction that says so. Its id lies in the message's shard.
pub(crate) struct Report {
    pub entry: Entry,
    pub recipients: Vec<Recipient>,
    pub staged: Staged,
    pub notes: Vec<Note>,
}

/// An entry with its recipients.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub entry: Entry,
    pub recipients: Vec<Recipient>,
}

impl Queue {
    /// Reads the index.
    pub(crate) async fn open(engine: Arc<dyn Engine>, sending: bool) -> Result<Self, QueueError> {
        let index = Index::read(engine.as_ref(), sending).await?;
        Ok(Self { engine, index: Arc::new(index), sending })
    }

    /// How many entries there are.
    pub fn len(&self) -> u64 {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts an entry in, in one transaction. `250` rests on the answer.
    pub(crate) async fn enqueue(
        &self,
        entry: Entry,
        recipients: &[Recipient],
        staged: &Staged,
        notes: &[Note],
    ) -> Result<Committed, QueueError> {
        let id = entry.id;
        let (mut ops, due) = self.insertion(entry, recipients, staged);
        ops.extend(note_ops(id, 1, notes));
        let batch = Batch {
            part: tables::part(tables::shard(id)),
            pre: vec![Pre::Absent(tables::entry_key(id))],
            ops,
            blobs: vec![staged.blob.clone()],
            ..Batch::default()
        };
        let committed = self.engine.commit(batch).await?;
        self.index.added(id, due);
        Ok(committed)
    }

    /// Every row of a new entry, and when it is due.
    fn insertion(
        &self,
        mut entry: Entry,
        recipients: &[Recipient],
        staged: &Staged,
    ) -> (Vec<Op>, Option<UnixMs>) {
        let id = entry.id;
        let encoded = staged.encode();
        let pieces: Vec<&[u8]> = encoded.chunks(limits::STAGED_PIECE_OCTETS).collect();
        entry.revision = 1;
        entry.recipients = recipients.len() as u32;
        entry.staged_pieces = pieces.len() as u16;
        entry.due = self.next_due_of(&entry, recipients);
        let mut ops = vec![Op::Put(tables::entry_key(id), entry.encode())];
        for (number, piece) in pieces.iter().enumerate() {
            ops.push(Op::Put(tables::staged_key(id, number as u16), piece.to_vec()));
        }
        for (number, recipient) in recipients.iter().enumerate() {
            ops.push(Op::Put(tables::recipient_key(id, number as u32), recipient.encode()));
        }
        ops.extend(entry.due.map(|due| Op::Put(tables::due_key(due, id), Vec::new())));
        (ops, entry.due)
    }

    /// The entry and its recipients.
    pub(crate) async fn load(&self, id: TraceId) -> Result<Loaded, QueueError> {
        let view = self.engine.view(tables::part(tables::shard(id))).await?;
        let value = view.get(&tables::entry_key(id)).await?.ok_or(QueueError::NoEntry)?;
        let entry = Entry::decode(id, &value).ok_or_else(|| damaged("entry", id))?;
        let (from, to) = tables::entry_range(id, b'r');
        let rows = view.scan(&from, &to, false, limits::RECIPIENTS_PER_ENTRY + 1).await?;
        let recipients: Option<Vec<Recipient>> =
            rows.iter().map(|(_, value)| Recipient::decode(value)).collect();
        let recipients = recipients.ok_or_else(|| damaged("recipient", id))?;
        if recipients.len() != entry.recipients as usize {
            return Err(damaged("recipients missing", id));
        }
        Ok(Loaded { entry, recipients })
    }

    /// The parsed message of an entry.
    pub(crate) async fn staged(&self, entry: &Entry) -> Result<Staged, QueueError> {
        let view = self.engine.view(tables::part(tables::shard(entry.id))).await?;
        let mut encoded = Vec::new();
        for piece in 0..entry.staged_pieces {
            let value = view.get(&tables::staged_key(entry.id, piece)).await?;
            encoded.extend(value.ok_or_else(|| damaged("message", entry.id))?);
        }
        Staged::decode(&encoded).ok_or_else(|| damaged("message", entry.id))
    }

    /// Writes new states of recipients (by number), the notes about them, and the report about them, in one transaction.
    /// Removes the whole entry when nothing is left to do for any recipient. Fails with `Conflict` when somebody else changed the
    /// entry since it was loaded.
    pub(crate) async fn update(
        &self,
        loaded: &mut Loaded,
        changed: &[usize],
        notes: &[Note],
        report: Option<&Report>,
    ) -> Result<Committed, QueueError> {
        let id = loaded.entry.id;
        let done = loaded.recipients.iter().all(Recipient::is_finished);
        let due = if done { None } else { self.next_due_of(&loaded.entry, &loaded.recipients) };
        let mut ops = Vec::new();
        if let Some(old) = loaded.entry.due
            && (done || due != Some(old))
        {
            ops.push(Op::Del(tables::due_key(old, id)));
        }
        let mut entry = loaded.entry.clone();
        entry.revision += 1;
        if done {
            ops.extend(removal(&entry));
        } else {
            entry.due = due;
            ops.push(Op::Put(tables::entry_key(id), entry.encode()));
            ops.extend(due.map(|due| Op::Put(tables::due_key(due, id), Vec::new())));
            for number in changed {
                if let Some(recipient) = loaded.recipients.get(*number) {
                    ops.push(Op::Put(tables::recipient_key(id, *number as u32), recipient.encode()));
                }
            }
        }
        ops.extend(note_ops(id, entry.revision, notes));
        let mut blobs = Vec::new();
        let mut report_due = None;
        if let Some(report) = report {
            let (rows, due) = self.insertion(report.entry.clone(), &report.recipients, &report.staged);
            ops.extend(rows);
            ops.extend(note_ops(report.entry.id, 1, &report.notes));
            blobs.push(report.staged.blob.clone());
            report_due = due;
        }
        let committed = self.commit_at(&loaded.entry, ops, blobs).await?;
        if done {
            self.index.removed(id);
        } else {
            self.index.set(id, due);
        }
        if let Some(report) = report {
            self.index.added(report.entry.id, report_due);
        }
        loaded.entry = entry;
        Ok(committed)
    }

    async fn commit_at(
        &self,
        entry: &Entry,
        ops: Vec<Op>,
        blobs: Vec<BlobRef>,
    ) -> Result<Committed, QueueError> {
        let batch = Batch {
            part: tables::part(tables::shard(entry.id)),
            pre: vec![Pre::Version(tables::entry_key(entry.id), entry.revision)],
            ops,
            blobs,
            ..Batch::default()
        };
        Ok(self.engine.commit(batch).await?)
    }

    /// When something is to be done for an entry; a held one is left alone.
    fn next_due_of(&self, entry: &Entry, recipients: &[Recipient]) -> Option<UnixMs> {
        if entry.orders.held {
            return None;
        }
        recipients.iter().filter_map(|r| r.due(entry.accepted, self.sending)).min()
    }

    /// Reads a piece of a message.
    pub(crate) async fn read(
        &self,
        blob: &BlobRef,
        range: std::ops::Range<u64>,
    ) -> Result<Vec<u8>, QueueError> {
        Ok(self.engine.blob_read(blob, range).await?)
    }

    /// Whether mail for other hosts is sent.
    pub(crate) fn sends(&self) -> bool {
        self.sending
    }

    /// Entries due now, oldest first, at most `limit`.
    pub(crate) fn due(&self, now: UnixMs, limit: usize) -> Vec<TraceId> {
        self.index.due(now, limit)
    }

    /// When the next entry is due.
    pub(crate) fn next_due(&self) -> Option<UnixMs> {
        self.index.next()
    }

    /// Resolves when something new may be due.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        self.index.changed()
    }

    /// Looks at an entry again then and not before; none: until it changes. Nothing is written.
    pub(crate) fn set_aside(&self, id: TraceId, until: Option<UnixMs>) {
        self.index.set_aside(id, until);
    }

    /// Looks at an entry again then, and wakes whoever waits.
    pub(crate) fn look_again(&self, id: TraceId, at: UnixMs) {
        self.index.set(id, Some(at));
    }

    /// Visits the blob of every entry, for the engine's garbage collection.
    pub async fn live_blobs(&self, visit: &mut (dyn FnMut(&BlobRef) + Send)) -> Result<(), QueueError> {
        let mut after = None;
        loop {
            let page = self.entries_after(after, limits::ENTRIES_PER_ROUND).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for entry in &page {
                match self.staged(entry).await {
                    Ok(staged) => visit(&staged.blob),
                    // Delivered meanwhile: its blob is a mailbox's now, or the entry is damaged and nothing may be collected.
                    Err(error) if self.load(entry.id).await.is_ok() => return Err(error),
                    Err(_) => {}
                }
            }
        }
    }
}

/// Every row of an entry but its place in the index.
fn removal(entry: &Entry) -> Vec<Op> {
    let mut ops = vec![Op::Del(tables::entry_key(entry.id))];
    for kind in [b's', b'r'] {
        let (from, to) = tables::entry_range(entry.id, kind);
        ops.push(Op::DelRange(from, to));
    }
    ops
}

/// The rows of notes.
fn note_ops(id: TraceId, revision: u64, notes: &[Note]) -> Vec<Op> {
    notes
        .iter()
        .enumerate()
        .map(|(n, note)| Op::Put(tables::note_key(id, note.at, revision, n as u16), note.encode()))
        .collect()
}

fn damaged(what: &str, id: TraceId) -> QueueError {
    yubin_base::event!(events::DAMAGED, trace = %id, what = what);
    QueueError::Read(ReadError::Corrupt(format!("queue {what} of {id}").into()))
}
