//! What is due when, in memory. Derived from the engine's rows; losing it costs a scan.

use std::{collections::BTreeSet, future::Future};

use event_listener::Event;
use parking_lot::Mutex;
use yubin_base::{TraceId, UnixMs};
use yubin_engine::{Engine, ReadError};

use crate::tables;

/// Rows read at a time when the index is read.
const PAGE: usize = 1_000;

/// The index.
pub(super) struct Index {
    due: Mutex<Due>,
    changed: Event,
}

#[derive(Default)]
struct Due {
    entries: u64,
    times: BTreeSet<(UnixMs, TraceId)>,
}

impl Index {
    /// Reads every shard.
    pub async fn read(engine: &dyn Engine) -> Result<Self, ReadError> {
        let mut due = Due::default();
        for shard in 0..tables::SHARDS {
            let view = engine.view(tables::part(shard)).await?;
            let mut after = None;
            loop {
                let (from, to) = tables::due_range(shard, after);
                let rows = view.scan(&from, &to, false, PAGE).await?;
                let found: Vec<_> = rows.iter().filter_map(|(key, _)| tables::parse_due_key(key)).collect();
                due.times.extend(found.iter().copied());
                after = found.last().copied();
                if rows.len() < PAGE || after.is_none() {
                    break;
                }
            }
            let mut after = None;
            loop {
                let (from, to) = tables::entries_range(shard, after);
                let rows = view.scan(&from, &to, false, PAGE).await?;
                due.entries += rows.len() as u64;
                after = rows.last().and_then(|(key, _)| tables::parse_entry_key(key));
                if rows.len() < PAGE || after.is_none() {
                    break;
                }
            }
        }
        Ok(Self { due: Mutex::new(due), changed: Event::new() })
    }

    pub fn len(&self) -> u64 {
        self.due.lock().entries
    }

    pub fn added(&self, id: TraceId, due: Option<UnixMs>) {
        let mut index = self.due.lock();
        index.entries += 1;
        index.times.extend(due.map(|due| (due, id)));
        drop(index);
        self.changed.notify(usize::MAX);
    }

    pub fn moved(&self, id: TraceId, from: Option<UnixMs>, to: Option<UnixMs>) {
        let mut index = self.due.lock();
        if let Some(from) = from {
            index.times.remove(&(from, id));
        }
        index.times.extend(to.map(|to| (to, id)));
        drop(index);
        self.changed.notify(usize::MAX);
    }

    pub fn removed(&self, id: TraceId, due: Option<UnixMs>) {
        let mut index = self.due.lock();
        index.entries = index.entries.saturating_sub(1);
        if let Some(due) = due {
            index.times.remove(&(due, id));
        }
    }

    pub fn set_aside(&self, id: TraceId) {
        self.due.lock().times.retain(|(_, other)| *other != id);
    }

    pub fn due(&self, now: UnixMs, limit: usize) -> Vec<TraceId> {
        let index = self.due.lock();
        index.times.iter().take_while(|(due, _)| *due <= now).take(limit).map(|(_, id)| *id).collect()
    }

    pub fn next(&self) -> Option<UnixMs> {
        self.due.lock().times.first().map(|(due, _)| *due)
    }

    pub fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        self.changed.listen()
    }
}
