//! The durable queue: entries and their recipients in the engine, an index of what is due in memory.
//! Never delivers anything itself.

mod admin;
mod index;

use std::{future::Future, sync::Arc};

use yubin_base::{TraceId, UnixMs};
use yubin_engine::{Batch, BlobRef, CommitError, Committed, Engine, Op, Pre, ReadError};
use yubin_store::Staged;

use crate::{
    events, limits,
    tables::{self, entry::Entry, recipient::Recipient},
};

pub use admin::{QueueStatus, QueuedMessage};
use index::Index;

/// The queue. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    engine: Arc<dyn Engine>,
    index: Arc<Index>,
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

/// An entry with its recipients.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub entry: Entry,
    pub recipients: Vec<Recipient>,
}

impl Queue {
    /// Reads the index.
    pub(crate) async fn open(engine: Arc<dyn Engine>) -> Result<Self, QueueError> {
        let index = Index::read(engine.as_ref()).await?;
        Ok(Self { engine, index: Arc::new(index) })
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
        mut entry: Entry,
        recipients: &[Recipient],
        staged: &Staged,
    ) -> Result<Committed, QueueError> {
        let id = entry.id;
        let encoded = staged.encode();
        let pieces: Vec<&[u8]> = encoded.chunks(limits::STAGED_PIECE_OCTETS).collect();
        entry.revision = 1;
        entry.recipients = recipients.len() as u32;
        entry.staged_pieces = pieces.len() as u16;
        entry.due = next_due(&entry, recipients);
        let mut ops = vec![Op::Put(tables::entry_key(id), entry.encode())];
        for (number, piece) in pieces.iter().enumerate() {
            ops.push(Op::Put(tables::staged_key(id, number as u16), piece.to_vec()));
        }
        for (number, recipient) in recipients.iter().enumerate() {
            ops.push(Op::Put(tables::recipient_key(id, number as u32), recipient.encode()));
        }
        ops.extend(entry.due.map(|due| Op::Put(tables::due_key(due, id), Vec::new())));
        let batch = Batch {
            part: tables::part(tables::shard(id)),
            pre: vec![Pre::Absent(tables::entry_key(id))],
            ops,
            blobs: vec![staged.blob.clone()],
            ..Batch::default()
        };
        let committed = self.engine.commit(batch).await?;
        self.index.added(id, entry.due);
        Ok(committed)
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

    /// Writes new states of recipients (by number). Removes the whole entry when every recipient is `Delivered`.
    /// Fails with `Conflict` when somebody else changed the entry since it was loaded.
    pub(crate) async fn update(
        &self,
        loaded: &mut Loaded,
        changed: &[usize],
    ) -> Result<Committed, QueueError> {
        let id = loaded.entry.id;
        let done = loaded
            .recipients
            .iter()
            .all(|r| matches!(r.state, crate::tables::recipient::State::Delivered { .. }));
        let due = if done { None } else { next_due(&loaded.entry, &loaded.recipients) };
        let mut ops = Vec::new();
        if let Some(old) = loaded.entry.due
            && (done || due != Some(old))
        {
            ops.push(Op::Del(tables::due_key(old, id)));
        }
        let mut entry = loaded.entry.clone();
        if done {
            ops.extend(removal(&entry));
        } else {
            entry.revision += 1;
            entry.due = due;
            ops.push(Op::Put(tables::entry_key(id), entry.encode()));
            ops.extend(due.map(|due| Op::Put(tables::due_key(due, id), Vec::new())));
            for number in changed {
                if let Some(recipient) = loaded.recipients.get(*number) {
                    ops.push(Op::Put(tables::recipient_key(id, *number as u32), recipient.encode()));
                }
            }
        }
        let committed = self.commit_at(&loaded.entry, ops).await?;
        if done {
            self.index.removed(id, loaded.entry.due);
        } else {
            self.index.moved(id, loaded.entry.due, due);
        }
        loaded.entry = entry;
        Ok(committed)
    }

    async fn commit_at(&self, entry: &Entry, ops: Vec<Op>) -> Result<Committed, QueueError> {
        let batch = Batch {
            part: tables::part(tables::shard(entry.id)),
            pre: vec![Pre::Version(tables::entry_key(entry.id), entry.revision)],
            ops,
            ..Batch::default()
        };
        Ok(self.engine.commit(batch).await?)
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

    /// Leaves a damaged entry alone until a restart, instead of trying it for ever.
    pub(crate) fn set_aside(&self, id: TraceId) {
        self.index.set_aside(id);
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

fn next_due(entry: &Entry, recipients: &[Recipient]) -> Option<UnixMs> {
    recipients.iter().filter_map(|r| r.state.due(entry.accepted)).min()
}

fn damaged(what: &str, id: TraceId) -> QueueError {
    yubin_base::event!(events::DAMAGED, trace = %id, what = what);
    QueueError::Read(ReadError::Corrupt(format!("queue {what} of {id}").into()))
}
