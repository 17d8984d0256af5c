//! The engine on one machine: LMDB for metadata, segment files for bodies, in one folder. Never keeps a file per message,
//! and never acknowledges what was not flushed.
//!
//! ```no_run
//! use yubin_engine::embedded::{EmbeddedEngine, EmbeddedOptions};
//!
//! let engine = EmbeddedEngine::open("/var/lib/yubin/store", EmbeddedOptions::default())?;
//! // … use it as an `Engine` …
//! engine.close(); // answers what waits, then stops the committer
//! # Ok::<(), yubin_engine::embedded::OpenError>(())
//! ```

mod care;
mod committer;
mod disk;
mod home;
mod lmdb;
mod packer;
mod reader;
mod record;
mod segments;
mod state;
mod writer;

pub use care::{GarbageReport, Level, LiveBlobs, Stats, VerifyReport};
pub use disk::{Disk, RealDisk, Space};
pub use home::OpenError;

use std::{
    collections::BTreeSet,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64},
    },
    thread::JoinHandle,
};

use futures_channel::oneshot;
use heed::{RoTxn, WithoutTls};
use parking_lot::Mutex;
use yubin_base::Pending;

use crate::{
    Batch, BlobRef, BlobWriter, CommitError, Committed, Engine, Health, Key, Part, ReadError, Val, View,
    keyspace,
};
use committer::{Answer, Queue, Submission};
use disk::{Into, Room};
use lmdb::Lmdb;
use packer::Packer;
use segments::Segments;
use state::State;

/// How to open a store.
#[derive(Clone)]
pub struct EmbeddedOptions {
    /// Free space that new mail leaves alone; by default the smaller of 5 % of the disk and 1 GiB.
    pub reserve_octets: Option<u64>,
    /// Length at which a segment file is full. At most 2 GiB.
    pub segment_octets: u32,
    /// Address space for LMDB, the most its file can grow to; less is taken where the system refuses.
    pub map_octets: usize,
    /// The disk. Tests hand in one that fails.
    pub disk: Arc<dyn Disk>,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            reserve_octets: None,
            segment_octets: 256 << 20,
            map_octets: 1 << 40,
            disk: Arc::new(RealDisk),
        }
    }
}

/// An open store. Clones share it. It closes with [`EmbeddedEngine::close`], or when the last clone is dropped.
#[derive(Clone)]
pub struct EmbeddedEngine {
    running: Arc<Running>,
}

struct Running {
    shared: Arc<Shared>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

/// What the handles, views, writers and the committer share.
struct Shared {
    lmdb: Lmdb,
    segments: Segments,
    packer: Packer,
    room: Room,
    queue: Queue,
    read_only: OnceLock<Arc<str>>,
    counters: Counters,
    /// Segments that the last garbage collection found without anything alive in them.
    condemned: Mutex<BTreeSet<u32>>,
    /// The segment of the high water that is on disk: opening expects that one and all behind it.
    durable_segment: AtomicU32,
    /// Damage found while opening.
    found_at_open: Vec<String>,
    /// Released last: no other process opens the folder while a view is alive.
    _lock: home::Lock,
}

#[derive(Default)]
struct Counters {
    batches: AtomicU64,
    groups: AtomicU64,
    group_batches_max: AtomicU64,
    body_flushes: AtomicU64,
    metadata_flushes: AtomicU64,
}

impl EmbeddedEngine {
    /// Opens the store in a folder, or makes one in an empty or missing folder. Recovers from a crash by itself.
    pub fn open(folder: impl AsRef<Path>, options: EmbeddedOptions) -> Result<Self, OpenError> {
        let folder: PathBuf = folder.as_ref().to_owned();
        let failed = |error| OpenError::Io(folder.clone(), error);
        let lock = home::enter(&folder, &*options.disk)?;
        let lmdb =
            Lmdb::open(&folder.join("metadata"), options.map_octets, options.disk.clone()).map_err(failed)?;
        options.disk.sync_folder(&folder.join("metadata")).map_err(failed)?;
        let state = State::load(&lmdb).map_err(|why| failed(io::Error::other(why)))?;
        let segment_octets = options.segment_octets.min(1 << 31);
        let (segments, found_at_open) =
            Segments::open(folder.join("segments"), options.disk.clone(), segment_octets, state.high_water)
                .map_err(failed)?;
        for what in &found_at_open {
            yubin_base::event!(crate::events::CORRUPT, what = %what);
        }
        let shared = Arc::new(Shared {
            lmdb,
            segments,
            packer: Packer::default(),
            room: Room::new(options.disk, folder.clone(), options.reserve_octets),
            queue: Queue::default(),
            read_only: OnceLock::new(),
            counters: Counters::default(),
            condemned: Mutex::default(),
            durable_segment: AtomicU32::new(state.high_water.segment),
            found_at_open,
            _lock: lock,
        });
        let for_thread = shared.clone();
        let committer = std::thread::Builder::new()
            .name("committer".into())
            .spawn(move || committer::run(for_thread, state))
            .map_err(failed)?;
        yubin_base::event!(crate::events::OPENED, folder = %folder.display());
        Ok(Self { running: Arc::new(Running { shared, committer: Mutex::new(Some(committer)) }) })
    }

    /// Takes no more batches, answers those that wait, and returns when they are flushed. Reading goes on until the last handle
    /// and view are dropped; only then may the folder be opened again.
    pub fn close(&self) {
        self.running.close();
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.running.shared
    }

    fn submit(&self, batches: Vec<Batch>) -> Waiting {
        let shared = self.shared();
        let (reply, answer) = oneshot::channel();
        match shared.queue.push(Submission { batches, reply }) {
            Ok(()) => Waiting { answer, late: None },
            Err(submission) => Waiting { answer, late: Some((shared.clone(), submission)) },
        }
    }
}

/// A submission on its way.
struct Waiting {
    answer: oneshot::Receiver<Vec<Answer>>,
    /// The queue was full.
    late: Option<(Arc<Shared>, Submission)>,
}

impl Waiting {
    async fn answers(self, count: usize) -> Vec<Answer> {
        if let Some((shared, submission)) = self.late {
            shared.queue.push_later(submission).await;
        }
        // The committer goes without answering only when it failed half-way.
        self.answer.await.unwrap_or_else(|_| (0..count).map(|_| Err(CommitError::Unknown)).collect())
    }
}

impl Running {
    fn close(&self) {
        self.shared.queue.close();
        let committer = self.committer.lock().take();
        if let Some(committer) = committer {
            let _ = committer.join(); // a panic was told to those who waited
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn become_read_only(&self, why: &str) {
        if self.read_only.set(why.into()).is_ok() {
            yubin_base::event!(crate::events::READ_ONLY, why = why);
        }
    }

    fn writable(&self) -> Result<(), CommitError> {
        if self.read_only.get().is_some() { Err(CommitError::ReadOnly) } else { Ok(()) }
    }
}

impl Engine for EmbeddedEngine {
    fn view(&self, _part: Part) -> Pending<Result<Arc<dyn View>, ReadError>> {
        let view = self.shared().lmdb.read().map(|txn| {
            let view: Arc<dyn View> =
                Arc::new(Snapshot { txn: Mutex::new(txn), shared: self.shared().clone() });
            view
        });
        Pending::ready(view)
    }

    fn commit(&self, batch: Batch) -> Pending<Result<Committed, CommitError>> {
        if let Err(why) = self.shared().writable() {
            return Pending::ready(Err(why));
        }
        let waiting = self.submit(vec![batch]);
        Pending::later(async move { waiting.answers(1).await.pop().unwrap_or(Err(CommitError::Unknown)) })
    }

    fn commit_many(&self, batches: Vec<Batch>) -> Pending<Vec<Result<Committed, CommitError>>> {
        let count = batches.len();
        if let Err(why) = self.shared().writable() {
            return Pending::ready(batches.iter().map(|_| Err(why.clone())).collect());
        }
        if count == 0 {
            return Pending::ready(Vec::new());
        }
        let waiting = self.submit(batches);
        Pending::later(waiting.answers(count))
    }

    fn blob_writer(&self) -> Box<dyn BlobWriter> {
        Box::new(writer::Writer::new(self.shared().clone()))
    }

    fn blob_read(&self, blob: &BlobRef, range: Range<u64>) -> Pending<Result<Vec<u8>, ReadError>> {
        Pending::ready(self.shared().blob_read(blob, range))
    }

    fn health(&self) -> Health {
        match self.shared().read_only.get() {
            Some(why) => Health::ReadOnly(why.clone()),
            None => Health::Writable,
        }
    }

    fn room_for(&self, octets: u64) -> Result<(), CommitError> {
        self.shared().writable()?;
        if self.shared().room.has(octets, false, Into::Nothing) { Ok(()) } else { Err(CommitError::Full) }
    }
}

/// A view: an LMDB read transaction. The mutex makes it shareable; each holder uses it briefly.
struct Snapshot {
    txn: Mutex<RoTxn<'static, WithoutTls>>,
    shared: Arc<Shared>,
}

impl Snapshot {
    fn get_now(&self, key: &[u8]) -> Result<Option<Val>, ReadError> {
        if key.is_empty() || key.len() > crate::limits::KEY_OCTETS || key.first() == Some(&keyspace::RESERVED)
        {
            return Ok(None);
        }
        self.shared.lmdb.get(&self.txn.lock(), key)
    }
}

impl View for Snapshot {
    fn get(&self, key: &[u8]) -> Pending<Result<Option<Val>, ReadError>> {
        Pending::ready(self.get_now(key))
    }

    fn get_many(&self, keys: &[Key]) -> Pending<Result<Vec<Option<Val>>, ReadError>> {
        Pending::ready(keys.iter().map(|key| self.get_now(key)).collect())
    }

    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        limit: usize,
    ) -> Pending<Result<Vec<(Key, Val)>, ReadError>> {
        let (from, to) = keyspace::clip(from, to);
        let mut found = Vec::new();
        let mut damaged = None;
        if limit == 0 {
            return Pending::ready(Ok(found));
        }
        let scanned = self.shared.lmdb.scan(&self.txn.lock(), from, to, reverse, |key, value| match value {
            Ok(value) => {
                found.push((key.to_vec(), value.to_vec()));
                found.len() < limit
            }
            Err(why) => {
                damaged = Some(why);
                false
            }
        });
        Pending::ready(match (scanned, damaged) {
            (Err(why), _) | (Ok(()), Some(why)) => Err(why),
            (Ok(()), None) => Ok(found),
        })
    }
}
