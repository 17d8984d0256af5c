//! What became of messages, also of those that are gone from the queue: the notes that each transaction left. For `yubin trace`.

use yubin_base::{TraceId, UnixMs};
use yubin_engine::{Batch, Durability, Op};

use super::{Queue, QueueError, note_ops};
use crate::{
    limits,
    tables::{self, note::Note},
};

/// The life of one message.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Its trace id.
    pub id: TraceId,
    /// What happened, oldest first.
    pub notes: Vec<Note>,
}

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// One message.
    Id(TraceId),
    /// Messages from or to an address.
    Address(String),
    /// Messages with this Message-ID.
    MessageId(String),
}

impl Sought {
    /// Reads what somebody typed: a trace id, a Message-ID (in angle brackets), or an address. A Message-ID without brackets looks like an
    /// address, and is looked for as both.
    pub fn read(text: &str) -> Vec<Self> {
        let text = text.trim();
        if let Some(id) = TraceId::parse(text) {
            return vec![Self::Id(id)];
        }
        match text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
            Some(id) => vec![Self::MessageId(id.to_owned())],
            None => vec![Self::Address(text.to_owned()), Self::MessageId(text.to_owned())],
        }
    }

    fn fits(&self, id: TraceId, note: &Note) -> bool {
        match self {
            Self::Id(sought) => *sought == id,
            Self::Address(address) => note.address.eq_ignore_ascii_case(address),
            Self::MessageId(sought) => {
                let found = note.message_id.as_deref().map(|id| id.trim_matches(['<', '>']));
                found == Some(sought.as_str())
            }
        }
    }
}

impl Queue {
    /// Writes notes about a message that is not in the queue. Nobody waits for them; a crash may lose them.
    pub(crate) fn note(&self, id: TraceId, notes: &[Note]) {
        let batch = Batch {
            part: tables::part(tables::shard(id)),
            ops: note_ops(id, 0, notes),
            durability: Durability::Lazy,
            ..Batch::default()
        };
        // Giving up on the answer does not call the batch back.
        drop(self.engine.commit(batch));
    }

    /// The lives of the messages that are sought, newest first, as far back as notes are kept.
    pub async fn history(&self, sought: &[Sought]) -> Result<Vec<History>, QueueError> {
        if let [Sought::Id(id)] = sought {
            let found = self.notes_of(*id).await?;
            return Ok(if found.notes.is_empty() { Vec::new() } else { vec![found] });
        }
        let mut ids = Vec::new();
        let mut left = limits::NOTES_SEARCHED;
        for shard in 0..tables::SHARDS {
            let view = self.engine.view(tables::part(shard)).await?;
            let (mut from, to) = tables::notes_between(shard, 0, u128::MAX);
            while left > 0 {
                let rows = view.scan(&from, &to, false, limits::ENTRIES_PER_ROUND).await?;
                left = left.saturating_sub(rows.len());
                for (key, value) in &rows {
                    let (Some(id), Some(note)) = (tables::parse_note_key(key), Note::decode(value)) else {
                        continue;
                    };
                    if ids.last() != Some(&id) && sought.iter().any(|sought| sought.fits(id, &note)) {
                        ids.push(id);
                    }
                }
                match rows.last() {
                    Some((last, _)) if rows.len() == limits::ENTRIES_PER_ROUND => {
                        from = last.clone();
                        from.push(0);
                    }
                    _ => break,
                }
            }
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.dedup();
        ids.truncate(limits::TRACES_SHOWN);
        let mut out = Vec::with_capacity(ids.len());
        for id in ids {
            out.push(self.notes_of(id).await?);
        }
        Ok(out)
    }

    async fn notes_of(&self, id: TraceId) -> Result<History, QueueError> {
        let view = self.engine.view(tables::part(tables::shard(id))).await?;
        let (from, to) = tables::notes_range(id);
        let rows = view.scan(&from, &to, false, limits::RECIPIENTS_PER_ENTRY * 10).await?;
        Ok(History { id, notes: rows.iter().filter_map(|(_, value)| Note::decode(value)).collect() })
    }

    /// Removes the notes of messages that came in before this moment.
    pub async fn forget_before(&self, before: UnixMs) -> Result<(), QueueError> {
        let end = TraceId::new(before, 0).0;
        for shard in 0..tables::SHARDS {
            let (from, to) = tables::notes_between(shard, 0, end);
            let batch = Batch {
                part: tables::part(shard),
                ops: vec![Op::DelRange(from, to)],
                durability: Durability::Lazy,
                ..Batch::default()
            };
            self.engine.commit(batch).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_tells_what_it_is() {
        assert_eq!(Sought::read("<a@b>"), [Sought::MessageId("a@b".into())]);
        assert_eq!(Sought::read("a@b").len(), 2);
        let id = TraceId(7);
        assert_eq!(Sought::read(&id.to_string()), [Sought::Id(id)]);
    }
}
