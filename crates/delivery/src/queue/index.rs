//! What is due when, in memory. Derived from the engine's rows; losing it costs a scan.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use event_listener::Event;
use parking_lot::Mutex;
use yubin_base::{TraceId, UnixMs};
use yubin_engine::{Engine, ReadError};

use crate::tables::{self, entry::Entry};

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
    by_id: BTreeMap<TraceId, UnixMs>,
}

impl Due {
    fn set(&mut self, id: TraceId, due: Option<UnixMs>) {
        if let Some(before) = self.by_id.remove(&id) {
            self.times.remove(&(before, id));
        }
        if let Some(due) = due {
            self.times.insert((due, id));
            self.by_id.insert(id, due);
        }
    }
}

impl Index {
    /// Reads every shard. Where mail is sent, entries that an older server or one that does not send left without a due time are due.
    pub async fn read(engine: &dyn Engine, sending: bool) -> Result<Self, ReadError> {
        let mut due = Due::default();
        for shard in 0..tables::SHARDS {
            let view = engine.view(tables::part(shard)).await?;
            let mut after = None;
            loop {
                let (from, to) = tables::entries_range(shard, after);
                let rows = view.scan(&from, &to, false, PAGE).await?;
                due.entries += rows.len() as u64;
                for (key, value) in &rows {
                    let Some(id) = tables::parse_entry_key(key) else { continue };
                    after = Some(id);
                    // What cannot be read is reported when somebody works on it.
                    let Some(entry) = Entry::decode(id, value) else { continue };
                    let forgotten = sending && !entry.orders.held;
                    due.set(id, entry.due.or(forgotten.then_some(entry.accepted)));
                }
                if rows.len() < PAGE {
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
        index.set(id, due);
        drop(index);
        self.changed.notify(usize::MAX);
    }

    /// Sets when an entry is due.
    pub fn set(&self, id: TraceId, due: Option<UnixMs>) {
        self.due.lock().set(id, due);
        self.changed.notify(usize::MAX);
    }

    pub fn removed(&self, id: TraceId) {
        let mut index = self.due.lock();
        index.entries = index.entries.saturating_sub(1);
        index.set(id, None);
    }

    /// Sets when an entry is due, without waking anybody.
    pub fn set_aside(&self, id: TraceId, due: Option<UnixMs>) {
        self.due.lock().set(id, due);
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
