//! What an administrator sees and does: list, show, retry, drop.

use yubin_base::{TraceId, UnixMs, event};

use super::{Loaded, Queue, QueueError, removal};
use crate::{
    events, limits,
    tables::{
        self,
        entry::Entry,
        recipient::{Recipient, State},
    },
};

/// One message in a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct QueuedMessage {
    /// The entry.
    pub entry: Entry,
    /// Its recipients.
    pub recipients: Vec<Recipient>,
}

/// The queue in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// Entries.
    pub entries: u64,
    /// When the next is due.
    pub next_due: Option<UnixMs>,
}

impl Queue {
    /// The queue in numbers.
    pub fn status(&self) -> QueueStatus {
        QueueStatus { entries: self.len(), next_due: self.next_due() }
    }

    /// Up to `limit` messages, shard by shard, each shard oldest first.
    pub async fn list(&self, limit: usize) -> Result<Vec<QueuedMessage>, QueueError> {
        let entries = self.entries_after(None, limit.min(limits::ENTRIES_LISTED)).await?;
        let mut out = Vec::with_capacity(entries.len());
        for entry in entries {
            match self.load(entry.id).await {
                Ok(Loaded { entry, recipients }) => out.push(QueuedMessage { entry, recipients }),
                // Gone since: delivered.
                Err(QueueError::NoEntry) => {}
                Err(error) => return Err(error),
            }
        }
        out.sort_by_key(|message| message.entry.id);
        Ok(out)
    }

    /// One message.
    pub async fn show(&self, id: TraceId) -> Result<QueuedMessage, QueueError> {
        let Loaded { entry, recipients } = self.load(id).await?;
        Ok(QueuedMessage { entry, recipients })
    }

    /// Tries a message again now: its deferred and failed local recipients become due.
    pub async fn retry(&self, id: TraceId) -> Result<(), QueueError> {
        self.change(id, |recipient| {
            let local = matches!(recipient.target, crate::Target::Local { .. });
            let waits = matches!(recipient.state, State::Deferred { .. } | State::Failed { .. });
            if local && waits {
                recipient.state = State::Pending;
            }
            local && waits
        })
        .await
    }

    /// Drops a message. Nobody is told.
    pub async fn drop_message(&self, id: TraceId) -> Result<(), QueueError> {
        let loaded = self.load(id).await?;
        let mut ops = removal(&loaded.entry);
        ops.extend(loaded.entry.due.map(|due| yubin_engine::Op::Del(tables::due_key(due, id))));
        self.commit_at(&loaded.entry, ops).await?;
        self.index.removed(id, loaded.entry.due);
        event!(events::DROPPED, trace = %id);
        Ok(())
    }

    async fn change(
        &self,
        id: TraceId,
        mut each: impl FnMut(&mut Recipient) -> bool,
    ) -> Result<(), QueueError> {
        let mut tries = 0;
        loop {
            let mut loaded = self.load(id).await?;
            let changed: Vec<usize> = loaded
                .recipients
                .iter_mut()
                .enumerate()
                .filter_map(|(number, recipient)| each(recipient).then_some(number))
                .collect();
            match self.update(&mut loaded, &changed).await {
                Ok(_) => return Ok(()),
                Err(QueueError::Commit(yubin_engine::CommitError::Conflict(_)))
                    if tries < limits::CONFLICT_TRIES =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Entries in the order of shards and ids.
    pub(super) async fn entries_after(
        &self,
        after: Option<TraceId>,
        limit: usize,
    ) -> Result<Vec<Entry>, QueueError> {
        let mut out = Vec::new();
        let first = after.map_or(0, tables::shard);
        for shard in first..tables::SHARDS {
            if out.len() >= limit {
                break;
            }
            let view = self.engine.view(tables::part(shard)).await?;
            let (from, to) = tables::entries_range(shard, after.filter(|id| tables::shard(*id) == shard));
            for (key, value) in view.scan(&from, &to, false, limit - out.len()).await? {
                let id = tables::parse_entry_key(&key).ok_or_else(|| super::damaged("key", TraceId(0)))?;
                out.push(Entry::decode(id, &value).ok_or_else(|| super::damaged("entry", id))?);
            }
        }
        Ok(out)
    }
}
