//! The engine in memory: for tests and simulation. Everything that happens follows from the calls and one seed.
//! Never touches a disk, a clock or a thread.
//!
//! ```
//! use yubin_engine::memory::{Faults, MemoryEngine};
//!
//! let engine = MemoryEngine::with_faults(7, Faults { lose_lazy: true, ..Faults::default() });
//! let after_the_crash = engine.crash(); // the same disk; `engine` answers nothing any more
//! ```

mod faults;
mod rng;
mod table;

pub use faults::{Fault, Faults};

use std::{
    collections::BTreeMap,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use parking_lot::Mutex;
use yubin_base::Pending;

use crate::{
    Batch, BlobError, BlobRef, BlobWriter, CommitError, Committed, Durability, Engine, Health, Key, Op, Part,
    Pre, ReadError, Val, View, keyspace, limits,
    place::{Place, codec},
};
use rng::Rng;
use table::Table;

/// A handle on a simulated disk, as one process has it. Clones are the same process.
#[derive(Clone)]
pub struct MemoryEngine {
    disk: Arc<Mutex<Disk>>,
    /// Which life of the process this handle belongs to; only the current one gets answers.
    life: u64,
}

#[derive(Clone)]
struct Disk {
    table: Table,
    /// The version of the newest batch.
    version: u64,
    /// The newest version that a crash cannot take away.
    durable: u64,
    idems: u64,
    blobs: BTreeMap<u64, Blob>,
    blob_next: u64,
    /// How many views look at each version.
    views: BTreeMap<u64, usize>,
    life: u64,
    crashed: bool,
    read_only: Option<Arc<str>>,
    /// Batches whose flush failed: a restart may find them, or not.
    limbo: Vec<Batch>,
    attempts: u64,
    flushes: u64,
    faults: Faults,
    rng: Rng,
}

#[derive(Clone)]
struct Blob {
    octets: Arc<[u8]>,
    /// The first version whose batch named it; before that nothing protects it from a crash.
    named_at: Option<u64>,
    damaged: bool,
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryEngine {
    /// An empty store that never fails.
    pub fn new() -> Self {
        Self::with_faults(0, Faults::default())
    }

    /// An empty store that fails as the seed and the chances say.
    pub fn with_faults(seed: u64, faults: Faults) -> Self {
        let disk = Disk {
            table: Table::default(),
            version: 0,
            durable: 0,
            idems: 0,
            blobs: BTreeMap::new(),
            blob_next: 1,
            views: BTreeMap::new(),
            life: 0,
            crashed: false,
            read_only: None,
            limbo: Vec::new(),
            attempts: 0,
            flushes: 0,
            faults,
            rng: Rng::new(seed),
        };
        Self { disk: Arc::new(Mutex::new(disk)), life: 0 }
    }

    /// Changes what fails from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.disk.lock().faults = faults;
    }

    /// What fails now.
    pub fn faults(&self) -> Faults {
        self.disk.lock().faults.clone()
    }

    /// Kills the process, if a fault has not yet, and starts it again on the same disk: what was durable is there, and
    /// of the rest what the faults leave. Older handles, their views and their blob writers get no answers any more.
    pub fn crash(&self) -> MemoryEngine {
        let mut disk = self.disk.lock();
        disk.restart();
        Self { disk: self.disk.clone(), life: disk.life }
    }

    /// Whether this process is dead: a fault killed it, or [`MemoryEngine::crash`] started the next one.
    pub fn crashed(&self) -> bool {
        self.disk.lock().alive(self.life).is_err()
    }

    /// A second disk with the same content, on which a restart can be tried without disturbing this one.
    pub fn fork(&self) -> MemoryEngine {
        let mut disk = self.disk.lock().clone();
        disk.views.clear();
        Self { disk: Arc::new(Mutex::new(disk)), life: self.life }
    }

    /// Makes every lazy batch durable, as the next synchronous one would.
    pub fn flush(&self) {
        let mut disk = self.disk.lock();
        if disk.alive(self.life).is_ok() && disk.read_only.is_none() {
            disk.flush();
        }
    }

    /// How many batches were tried on this disk: the number the next one has in [`Faults::plan`].
    pub fn attempts(&self) -> u64 {
        self.disk.lock().attempts
    }

    /// How many flushes happened on this disk.
    pub fn flushes(&self) -> u64 {
        self.disk.lock().flushes
    }

    /// Damages a stored blob: reading it tells so from now on. False for those that are inside their reference.
    pub fn damage_blob(&self, blob: &BlobRef) -> bool {
        let Some(Place::Memory(id)) = Place::decode(&blob.place) else { return false };
        self.disk.lock().blobs.get_mut(&id).map(|b| b.damaged = true).is_some()
    }

    /// Every pair as the newest version has it, for comparing stores in tests. Leaves out the engine's own keys.
    pub fn dump(&self) -> Vec<(Key, Val)> {
        let disk = self.disk.lock();
        let (from, to) = keyspace::clip(&[], &[keyspace::RESERVED]);
        disk.table.range(from, to, disk.version).map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    fn later<T: Send + Unpin + 'static>(&self, value: T) -> Pending<T> {
        let mut disk = self.disk.lock();
        let polls = match disk.faults.delay_polls_max {
            0 => 0,
            max => disk.rng.below(u64::from(max) + 1),
        };
        if polls == 0 { Pending::ready(value) } else { Pending::later(Delay { value: Some(value), polls }) }
    }
}

impl Engine for MemoryEngine {
    fn view(&self, _part: Part) -> Pending<Result<Arc<dyn View>, ReadError>> {
        let mut disk = self.disk.lock();
        if let Err(why) = disk.readable(self.life) {
            return Pending::ready(Err(why));
        }
        let version = disk.version;
        *disk.views.entry(version).or_default() += 1;
        Pending::ready(Ok(Arc::new(MemoryView { disk: self.disk.clone(), life: self.life, version })))
    }

    fn commit(&self, batch: Batch) -> Pending<Result<Committed, CommitError>> {
        let answer = self.disk.lock().commit(self.life, vec![batch]).pop();
        self.later(answer.unwrap_or(Err(CommitError::Unavailable)))
    }

    fn commit_many(&self, batches: Vec<Batch>) -> Pending<Vec<Result<Committed, CommitError>>> {
        let answers = self.disk.lock().commit(self.life, batches);
        self.later(answers)
    }

    fn blob_writer(&self) -> Box<dyn BlobWriter> {
        Box::new(MemoryBlobWriter {
            disk: self.disk.clone(),
            life: self.life,
            octets: Vec::new(),
            hasher: blake3::Hasher::new(),
        })
    }

    fn blob_read(&self, blob: &BlobRef, range: Range<u64>) -> Pending<Result<Vec<u8>, ReadError>> {
        Pending::ready(self.disk.lock().blob_read(self.life, blob, range))
    }

    fn health(&self) -> Health {
        let disk = self.disk.lock();
        match (disk.alive(self.life), &disk.read_only) {
            (Err(()), _) => Health::ReadOnly("the simulated process is dead".into()),
            (Ok(()), Some(why)) => Health::ReadOnly(why.clone()),
            (Ok(()), None) => Health::Writable,
        }
    }

    fn room_for(&self, _octets: u64) -> Result<(), CommitError> {
        let disk = self.disk.lock();
        disk.writable(self.life)?;
        if disk.faults.disk_full { Err(CommitError::Full) } else { Ok(()) }
    }
}

impl Disk {
    fn alive(&self, life: u64) -> Result<(), ()> {
        if self.crashed || self.life != life { Err(()) } else { Ok(()) }
    }

    fn writable(&self, life: u64) -> Result<(), CommitError> {
        self.alive(life).map_err(|()| CommitError::Unavailable)?;
        if self.read_only.is_some() { Err(CommitError::ReadOnly) } else { Ok(()) }
    }

    fn readable(&mut self, life: u64) -> Result<(), ReadError> {
        self.alive(life).map_err(|()| ReadError::Unavailable("the simulated process is dead".into()))?;
        if self.rng.chance(self.faults.read_error_ppm) {
            return Err(ReadError::Unavailable("simulated read error".into()));
        }
        Ok(())
    }

    /// One group: each batch for itself, then one flush for all.
    fn commit(&mut self, life: u64, batches: Vec<Batch>) -> Vec<Result<Committed, CommitError>> {
        if let Err(why) = self.writable(life) {
            return batches.iter().map(|_| Err(why.clone())).collect();
        }
        let before = self.version;
        let mut sync = false;
        let mut ending = None;
        let mut applied = Vec::new();
        let mut answers = Vec::with_capacity(batches.len());
        for batch in batches {
            if self.crashed {
                answers.push(Err(CommitError::Unknown));
                continue;
            }
            let fault = self.faults.draw(self.attempts, &mut self.rng);
            self.attempts += 1;
            let answer = match fault {
                Some(Fault::CrashBeforeApply) => {
                    self.crashed = true;
                    Err(CommitError::Unknown)
                }
                Some(Fault::Full) => Err(CommitError::Full),
                Some(Fault::UnknownWithoutEffect) => Err(CommitError::Unknown),
                Some(Fault::Conflict) if !batch.pre.is_empty() => Err(CommitError::Conflict(0)),
                Some(Fault::UnknownWithEffect) => self.apply(&batch).and(Err(CommitError::Unknown)),
                Some(Fault::Conflict) | None => self.apply(&batch),
                Some(at_the_end) => {
                    ending = Some(at_the_end);
                    self.apply(&batch)
                }
            };
            sync |= answer.is_ok() && batch.durability == Durability::Sync;
            if answer.is_ok() {
                applied.push(batch);
            }
            answers.push(answer);
        }
        let cut_short = match ending {
            _ if self.crashed => true,
            Some(Fault::CrashAfterApply) => {
                self.crashed = true;
                true
            }
            Some(Fault::CrashAfterFlush) => {
                self.flush();
                self.crashed = true;
                true
            }
            Some(Fault::FlushError) if sync => {
                self.table.roll_back(before);
                self.version = before;
                self.limbo = applied;
                self.read_only = Some("simulated flush error".into());
                yubin_base::event!(crate::events::READ_ONLY, why = "simulated flush error");
                true
            }
            _ if sync => {
                self.flush();
                false
            }
            _ => false,
        };
        if cut_short {
            for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
                *answer = Err(CommitError::Unknown);
            }
        }
        self.forget();
        answers
    }

    fn apply(&mut self, batch: &Batch) -> Result<Committed, CommitError> {
        keyspace::check(batch)?;
        if let Some(version) = self.committed_before(batch) {
            return Ok(Committed { version, repeated: true });
        }
        if let Some(n) = batch.pre.iter().position(|pre| !self.holds(pre)) {
            return Err(CommitError::Conflict(n));
        }
        if self.faults.disk_full && batch.ops.iter().any(|op| matches!(op, Op::Put(..))) && !batch.shrinks() {
            return Err(CommitError::Full);
        }
        self.version += 1;
        let version = self.version;
        for op in &batch.ops {
            self.apply_op(op, version);
        }
        if let Some(idem) = &batch.idem {
            self.remember(idem, version);
        }
        for blob in &batch.blobs {
            if let Some(Place::Memory(id)) = Place::decode(&blob.place)
                && let Some(blob) = self.blobs.get_mut(&id)
            {
                blob.named_at.get_or_insert(version);
            }
        }
        Ok(Committed { version, repeated: false })
    }

    fn committed_before(&self, batch: &Batch) -> Option<u64> {
        let value = self.table.get(&keyspace::idem_key(batch.idem.as_ref()?), self.version)?;
        value.first_chunk::<8>().map(|v| u64::from_be_bytes(*v))
    }

    fn holds(&self, pre: &Pre) -> bool {
        let get = |key: &Key| self.table.get(key, self.version);
        match pre {
            Pre::Absent(key) => get(key).is_none(),
            Pre::Equals(key, value) => get(key) == Some(value),
            Pre::Version(key, version) => get(key).is_some_and(|v| keyspace::has_version(v, *version)),
        }
    }

    fn apply_op(&mut self, op: &Op, version: u64) {
        match op {
            Op::Put(key, value) => self.table.set(key.clone(), Some(value.clone()), version),
            Op::Del(key) => self.table.set(key.clone(), None, version),
            Op::DelRange(from, to) => {
                let (from, to) = keyspace::clip(from, to);
                let keys: Vec<Key> = self.table.range(from, to, version).map(|(k, _)| k.clone()).collect();
                for key in keys {
                    self.table.set(key, None, version);
                }
            }
            Op::Add(key, by) => {
                let value = keyspace::added(self.table.get(key, version).map(Vec::as_slice), *by);
                self.table.set(key.clone(), Some(value.to_vec()), version);
            }
        }
    }

    fn remember(&mut self, idem: &crate::Idem, version: u64) {
        self.table.set(keyspace::idem_key(idem), Some(version.to_be_bytes().to_vec()), version);
        self.table.set(keyspace::idem_order_key(version), Some(idem.to_vec()), version);
        self.idems += 1;
        if self.idems <= limits::IDEMS_KEPT {
            return;
        }
        let (from, to) = keyspace::IDEM_ORDER;
        let oldest = self.table.range(from, to, version).next().map(|(k, v)| (k.clone(), v.clone()));
        if let Some((order, idem)) = oldest {
            self.table.set(order, None, version);
            if let Ok(idem) = idem.as_slice().try_into() {
                self.table.set(keyspace::idem_key(&idem), None, version);
            }
            self.idems -= 1;
        }
    }

    fn flush(&mut self) {
        self.durable = self.version;
        self.flushes += 1;
    }

    /// Forgets versions that no view, and no crash, can bring back.
    fn forget(&mut self) {
        let viewed = self.views.keys().next().copied().unwrap_or(u64::MAX);
        self.table.forget_before(viewed.min(self.durable));
    }

    fn restart(&mut self) {
        let limbo = std::mem::take(&mut self.limbo);
        let limbo_survives = !limbo.is_empty() && self.rng.chance(500_000);
        let lost_at_most = self.version - self.durable;
        // A batch never survives without those before it.
        let loses = self.faults.lose_lazy && !limbo_survives;
        let kept = if loses { self.rng.below(lost_at_most + 1) } else { lost_at_most };
        self.version = self.durable + kept;
        self.durable = self.version;
        self.table.roll_back(self.version);
        self.views.clear();
        self.life += 1;
        self.crashed = false;
        self.read_only = None;
        if limbo_survives {
            for batch in &limbo {
                // What an expectation refuses now was refused then as well.
                let _ = self.apply(batch);
            }
            self.durable = self.version;
        }
        let (from, to) = keyspace::IDEM_ORDER;
        self.idems = self.table.range(from, to, self.version).count() as u64;
        self.lose_blobs();
        self.forget();
    }

    fn lose_blobs(&mut self) {
        let (version, lose, rng) = (self.version, self.faults.lose_blobs, &mut self.rng);
        self.blobs.retain(|_, blob| {
            let named = blob.named_at.is_some_and(|at| at <= version);
            if !named {
                blob.named_at = None;
            }
            named || !lose || !rng.chance(500_000)
        });
    }

    fn blob_read(&mut self, life: u64, blob: &BlobRef, range: Range<u64>) -> Result<Vec<u8>, ReadError> {
        self.readable(life)?;
        let octets: &[u8] = match Place::decode(&blob.place) {
            Some(Place::Inline { codec: codec::RAW, octets }) => octets,
            Some(Place::Memory(id)) => match self.blobs.get(&id) {
                Some(blob) if !blob.damaged => &blob.octets,
                Some(_) => return Err(ReadError::Corrupt(format!("blob {id} is damaged").into())),
                None => return Err(ReadError::Corrupt(format!("blob {id} does not exist").into())),
            },
            _ => return Err(ReadError::Corrupt("a blob reference that is none of ours".into())),
        };
        let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(octets.len());
        let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
        Ok(octets.get(start..end).unwrap_or_default().to_vec())
    }
}

/// A snapshot: the versioned table seen at one version.
struct MemoryView {
    disk: Arc<Mutex<Disk>>,
    life: u64,
    version: u64,
}

impl View for MemoryView {
    fn get(&self, key: &[u8]) -> Pending<Result<Option<Val>, ReadError>> {
        let mut disk = self.disk.lock();
        Pending::ready(disk.readable(self.life).map(|()| visible(&disk.table, key, self.version)))
    }

    fn get_many(&self, keys: &[Key]) -> Pending<Result<Vec<Option<Val>>, ReadError>> {
        let mut disk = self.disk.lock();
        let answer = disk.readable(self.life);
        Pending::ready(answer.map(|()| keys.iter().map(|k| visible(&disk.table, k, self.version)).collect()))
    }

    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        limit: usize,
    ) -> Pending<Result<Vec<(Key, Val)>, ReadError>> {
        let mut disk = self.disk.lock();
        if let Err(why) = disk.readable(self.life) {
            return Pending::ready(Err(why));
        }
        let (from, to) = keyspace::clip(from, to);
        let rows = disk.table.range(from, to, self.version).map(|(k, v)| (k.clone(), v.clone()));
        Pending::ready(Ok(if reverse {
            rows.rev().take(limit).collect()
        } else {
            rows.take(limit).collect()
        }))
    }
}

fn visible(table: &Table, key: &[u8], version: u64) -> Option<Val> {
    if key.first() == Some(&keyspace::RESERVED) { None } else { table.get(key, version).cloned() }
}

impl Drop for MemoryView {
    fn drop(&mut self) {
        let mut disk = self.disk.lock();
        if disk.life != self.life {
            return;
        }
        if let Some(count) = disk.views.get_mut(&self.version) {
            *count -= 1;
            if *count == 0 {
                disk.views.remove(&self.version);
            }
        }
    }
}

struct MemoryBlobWriter {
    disk: Arc<Mutex<Disk>>,
    life: u64,
    octets: Vec<u8>,
    hasher: blake3::Hasher,
}

impl MemoryBlobWriter {
    fn check(&self) -> Result<(), BlobError> {
        let disk = self.disk.lock();
        match disk.writable(self.life) {
            Ok(()) if disk.faults.disk_full => Err(BlobError::Full),
            Ok(()) => Ok(()),
            Err(CommitError::ReadOnly) => Err(BlobError::ReadOnly),
            Err(_) => Err(BlobError::Io("the simulated process is dead".into())),
        }
    }
}

impl BlobWriter for MemoryBlobWriter {
    fn write(&mut self, octets: &[u8]) -> Result<(), BlobError> {
        self.check()?;
        self.hasher.update(octets);
        self.octets.extend_from_slice(octets);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<BlobRef, BlobError> {
        self.check()?;
        let size_octets = self.octets.len() as u64;
        let hash = crate::blob::short_hash(&self.hasher);
        if self.octets.len() <= limits::BLOB_INLINE_OCTETS {
            let place = Place::Inline { codec: codec::RAW, octets: &self.octets }.encode();
            return Ok(BlobRef { size_octets, hash, place });
        }
        let mut disk = self.disk.lock();
        let id = disk.blob_next;
        disk.blob_next += 1;
        disk.blobs.insert(id, Blob { octets: self.octets.into(), named_at: None, damaged: false });
        Ok(BlobRef { size_octets, hash, place: Place::Memory(id).encode() })
    }
}

/// An answer that comes after some polls.
struct Delay<T> {
    value: Option<T>,
    polls: u64,
}

impl<T: Unpin> std::future::Future for Delay<T> {
    type Output = T;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if self.polls > 0 {
            self.polls -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.value.take().map_or(Poll::Pending, Poll::Ready)
    }
}

#[cfg(test)]
mod tests;
