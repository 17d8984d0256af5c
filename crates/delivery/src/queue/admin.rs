//! What an administrator sees and does: list, show, retry, drop.

use yubin_base::{TraceId, UnixMs, event};

use super::{Loaded, Queue, QueueError, removal};
use crate::{
    events, limits,
    tables::{
        self,
        entry::Entry,
        note::{Note, What},
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

/// Which messages a listing shows, or an order is for. What is none fits all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Part of the sender's address.
    pub from: Option<String>,
    /// Part of a recipient's address.
    pub to: Option<String>,
    /// The name of a recipient's state.
    pub state: Option<String>,
    /// Only held ones, or only those that are not.
    pub held: Option<bool>,
}

impl Filter {
    fn fits(&self, message: &QueuedMessage) -> bool {
        let has =
            |address: &str, part: &str| address.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
        let sender = message.entry.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
        self.from.as_ref().is_none_or(|part| has(&sender, part))
            && self.held.is_none_or(|held| held == message.entry.orders.held)
            && message.recipients.iter().any(|recipient| {
                self.to.as_ref().is_none_or(|part| has(&recipient.target.address().to_string(), part))
                    && self.state.as_ref().is_none_or(|state| recipient.state.name().contains(state.as_str()))
            })
    }
}

impl Queue {
    /// The queue in numbers.
    pub fn status(&self) -> QueueStatus {
        QueueStatus { entries: self.len(), next_due: self.next_due() }
    }

    /// Up to `limit` messages that fit, shard by shard, each shard oldest first.
    pub async fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<QueuedMessage>, QueueError> {
        let limit = limit.min(limits::ENTRIES_LISTED);
        let mut out = Vec::new();
        let mut after = None;
        while out.len() < limit {
            let page = self.entries_after(after, limits::ENTRIES_PER_ROUND).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for entry in page {
                match self.load(entry.id).await {
                    Ok(Loaded { entry, recipients }) => {
                        let message = QueuedMessage { entry, recipients };
                        if filter.fits(&message) && out.len() < limit {
                            out.push(message);
                        }
                    }
                    // Gone since: delivered.
                    Err(QueueError::NoEntry) => {}
                    Err(error) => return Err(error),
                }
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

    /// Tries a message again now: its deferred and failed recipients become due.
    pub async fn retry(&self, id: TraceId, now: UnixMs) -> Result<(), QueueError> {
        self.change(id, now, "tried again by order", |_, recipient| {
            let waits = matches!(recipient.state, State::Deferred { .. } | State::Failed { .. });
            if waits {
                recipient.state = match recipient.target {
                    crate::Target::Local { .. } => State::Pending,
                    crate::Target::Remote { .. } => State::WaitingRemote,
                };
                recipient.told.settled = false;
            }
            waits
        })
        .await
    }

    /// Leaves a message alone until it is released.
    pub async fn hold(&self, id: TraceId, now: UnixMs) -> Result<(), QueueError> {
        self.change(id, now, "held by order", |entry, _| {
            entry.orders.held = true;
            false
        })
        .await
    }

    /// Lets a held message go on.
    pub async fn release(&self, id: TraceId, now: UnixMs) -> Result<(), QueueError> {
        self.change(id, now, "released by order", |entry, _| {
            entry.orders.held = false;
            false
        })
        .await
    }

    /// Sends a message to this host (`host` or `host:port`) instead of where DNS says; none: as DNS says again.
    pub async fn route(&self, id: TraceId, host: Option<String>, now: UnixMs) -> Result<(), QueueError> {
        let text = match &host {
            Some(host) => format!("goes to {host} by order"),
            None => "goes where DNS says by order".to_owned(),
        };
        self.change(id, now, &text, |entry, _| {
            entry.orders.route.clone_from(&host);
            false
        })
        .await
    }

    /// Drops a message. Nobody is told.
    pub async fn drop_message(&self, id: TraceId, now: UnixMs) -> Result<(), QueueError> {
        let loaded = self.load(id).await?;
        let mut ops = removal(&loaded.entry);
        ops.extend(loaded.entry.due.map(|due| yubin_engine::Op::Del(tables::due_key(due, id))));
        let note = self.administered(&loaded.entry, now, "dropped by order; nobody was told");
        ops.extend(super::note_ops(id, loaded.entry.revision + 1, &[note]));
        self.commit_at(&loaded.entry, ops, Vec::new()).await?;
        self.index.removed(id);
        event!(events::DROPPED, trace = %id);
        Ok(())
    }

    fn administered(&self, entry: &Entry, now: UnixMs, text: &str) -> Note {
        let sender = entry.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
        Note::new(now, What::Administered, sender, text)
    }

    /// Changes an entry and its recipients, however often another change comes first.
    async fn change(
        &self,
        id: TraceId,
        now: UnixMs,
        text: &str,
        mut each: impl FnMut(&mut Entry, &mut Recipient) -> bool,
    ) -> Result<(), QueueError> {
        let mut tries = 0;
        loop {
            let mut loaded = self.load(id).await?;
            let Loaded { entry, recipients } = &mut loaded;
            let (revision, due) = (entry.revision, entry.due);
            let changed: Vec<usize> = recipients
                .iter_mut()
                .enumerate()
                .filter_map(|(number, recipient)| each(entry, recipient).then_some(number))
                .collect();
            debug_assert_eq!((revision, due), (entry.revision, entry.due));
            let note = self.administered(entry, now, text);
            match self.update(&mut loaded, &changed, &[note], None).await {
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
