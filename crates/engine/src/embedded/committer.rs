//! The one thread that commits. It takes every submission that waits, flushes the bodies they name, applies them in one LMDB
//! transaction, flushes that, and answers. There is no timer: a group is what queued up during the previous flush.
//!
//! After a failed flush nothing is acknowledged any more, and the store takes no writes until a restart: what a failed flush
//! left on the disk cannot be known, and flushing again would only pretend.

use std::{collections::VecDeque, sync::Arc, sync::atomic::Ordering};

use event_listener::Event;
use futures_channel::oneshot;
use heed::RwTxn;
use parking_lot::{Condvar, Mutex};

use super::{
    Shared,
    disk::Into,
    lmdb::{Lmdb, WriteError},
    segments::Position,
    state::State,
};
use crate::{Batch, CommitError, Committed, Durability, Op, Pre, keyspace, limits, place::Place};

pub(super) type Answer = Result<Committed, CommitError>;

/// Batches that came together, and where their answers go.
pub(super) struct Submission {
    pub(super) batches: Vec<Batch>,
    pub(super) reply: oneshot::Sender<Vec<Answer>>,
}

/// What waits for the committer. Bounded; who finds it full waits for `room`.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// The committer sleeps on it.
    arrived: Condvar,
    /// Submitters listen to it.
    room: Event,
}

#[derive(Default)]
struct Waiting {
    submissions: VecDeque<Submission>,
    octets: usize,
    closed: bool,
}

impl Queue {
    /// Hands over a submission; gives it back when the queue is full.
    pub(super) fn push(&self, submission: Submission) -> Result<(), Submission> {
        let octets = weight(&submission);
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            drop(waiting);
            let answers = submission.batches.iter().map(|_| Err(CommitError::Unavailable)).collect();
            let _ = submission.reply.send(answers);
            return Ok(());
        }
        if !waiting.submissions.is_empty() && waiting.octets + octets > limits::QUEUE_OCTETS {
            return Err(submission);
        }
        waiting.octets += octets;
        waiting.submissions.push_back(submission);
        if waiting.submissions.len() == 1 {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Hands over a submission as soon as there is room.
    pub(super) async fn push_later(&self, mut submission: Submission) {
        loop {
            let listener = self.room.listen();
            match self.push(submission) {
                Ok(()) => return,
                Err(back) => submission = back,
            }
            listener.await;
        }
    }

    /// Waits for submissions and takes a group; nothing once the queue is closed and empty.
    fn take(&self) -> Option<Vec<Submission>> {
        let mut waiting = self.waiting.lock();
        while waiting.submissions.is_empty() {
            if waiting.closed {
                return None;
            }
            self.arrived.wait(&mut waiting);
        }
        let mut group = Vec::new();
        let mut octets = 0;
        while let Some(next) = waiting.submissions.front() {
            let weight = weight(next);
            if !group.is_empty() && octets + weight > limits::GROUP_OCTETS {
                break;
            }
            octets += weight;
            group.extend(waiting.submissions.pop_front());
        }
        waiting.octets -= octets;
        drop(waiting);
        self.room.notify(usize::MAX);
        Some(group)
    }

    pub(super) fn close(&self) {
        self.waiting.lock().closed = true;
        self.arrived.notify_one();
        self.room.notify(usize::MAX);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.lock().submissions.len()
    }
}

fn weight(submission: &Submission) -> usize {
    submission.batches.iter().map(octets_of).sum()
}

fn octets_of(batch: &Batch) -> usize {
    let ops: usize = batch
        .ops
        .iter()
        .map(|op| match op {
            Op::Put(key, value) => key.len() + value.len(),
            Op::Del(key) | Op::Add(key, _) => key.len(),
            Op::DelRange(from, to) => from.len() + to.len(),
        })
        .sum();
    256 + ops + batch.ops.len() * 32
}

/// The thread's whole life.
pub(super) fn run(shared: Arc<Shared>, mut state: State) {
    let _guard = Guard(&shared);
    while let Some(group) = shared.queue.take() {
        commit_group(&shared, &mut state, group);
    }
}

/// If the committer should ever panic, nothing more is accepted.
struct Guard<'a>(&'a Shared);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.become_read_only("the committer thread failed");
        }
        self.0.queue.close();
        while let Some(group) = self.0.queue.take() {
            drop(group); // who waits learns that the outcome is unknown
        }
    }
}

fn commit_group(shared: &Shared, state: &mut State, group: Vec<Submission>) {
    let (replies, batches): (Vec<_>, Vec<_>) = group.into_iter().map(|s| (s.reply, s.batches)).unzip();
    let counts: Vec<usize> = batches.iter().map(Vec::len).collect();
    let batches: Vec<Batch> = batches.into_iter().flatten().collect();
    let mut answers = commit_batches(shared, state, &batches).into_iter();
    shared.counters.groups.fetch_add(1, Ordering::Relaxed);
    shared.counters.batches.fetch_add(batches.len() as u64, Ordering::Relaxed);
    shared.counters.group_batches_max.fetch_max(batches.len() as u64, Ordering::Relaxed);
    for (reply, count) in replies.into_iter().zip(counts) {
        let _ = reply.send(answers.by_ref().take(count).collect()); // nobody may be waiting any more
    }
}

fn commit_batches(shared: &Shared, state: &mut State, batches: &[Batch]) -> Vec<Answer> {
    let all = |why: CommitError| batches.iter().map(|_| Err(why.clone())).collect();
    if shared.read_only.get().is_some() {
        return all(CommitError::ReadOnly);
    }
    if let Err(why) = sync_bodies(shared, batches) {
        shared.become_read_only(&format!("flushing the bodies failed: {why}"));
        return all(CommitError::ReadOnly);
    }
    match transact(shared, state, batches) {
        Ok(answers) => answers,
        Err(Failed::Commit(why)) => {
            shared.become_read_only(&format!("flushing the metadata failed: {why}"));
            all(CommitError::Unknown)
        }
        Err(Failed::Apply(why)) => match (batches, why) {
            // Nothing took effect. Whose fault it was shows when each is tried alone.
            ([_, _, ..], WriteError::Full | WriteError::TooLarge) => batches
                .iter()
                .flat_map(|batch| commit_batches(shared, state, std::slice::from_ref(batch)))
                .collect(),
            (_, WriteError::Full) => all(CommitError::Full),
            (_, WriteError::TooLarge) => all(CommitError::TooLarge),
            (_, WriteError::Broken(why)) => {
                shared.become_read_only(&format!("writing the metadata failed: {why}"));
                all(CommitError::ReadOnly)
            }
        },
    }
}

/// Bodies first: flushes the segments when a batch names a record that is not flushed yet.
fn sync_bodies(shared: &Shared, batches: &[Batch]) -> std::io::Result<()> {
    let synced = shared.segments.synced();
    let named = batches.iter().flat_map(|batch| &batch.blobs).filter_map(|blob| Place::decode(&blob.place));
    let newest = named.filter_map(|place| match place {
        Place::Segment(at) => Some(Position::behind(at)),
        _ => None,
    });
    if newest.max().is_some_and(|newest| newest > synced) {
        shared.segments.sync()?;
        shared.counters.body_flushes.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

enum Failed {
    /// Before the commit: nothing took effect.
    Apply(WriteError),
    /// The commit itself: nobody knows.
    Commit(Arc<str>),
}

impl From<WriteError> for Failed {
    fn from(why: WriteError) -> Self {
        Self::Apply(why)
    }
}

fn transact(shared: &Shared, state: &mut State, batches: &[Batch]) -> Result<Vec<Answer>, Failed> {
    let room = Headroom::make(shared, batches);
    let lmdb = &shared.lmdb;
    let mut txn = lmdb.write()?;
    let mut next = state.clone();
    let mut answers = Vec::with_capacity(batches.len());
    for batch in batches {
        answers.push(match check(lmdb, &txn, batch, room) {
            Ok(None) => {
                next.version += 1;
                apply(lmdb, &mut txn, &mut next, batch)?;
                Ok(Committed { version: next.version, repeated: false })
            }
            Ok(Some(version)) => Ok(Committed { version, repeated: true }),
            Err(why) => Err(why),
        });
    }
    if next.version == state.version {
        // Nothing changed, and what a repeated batch rests on was flushed before.
        return Ok(answers);
    }
    next.trim_idems(lmdb, &mut txn)?;
    next.high_water = shared.segments.synced();
    next.store(lmdb, &mut txn)?;
    lmdb.commit(txn).map_err(Failed::Commit)?;
    *state = next;
    shared.durable_segment.store(state.high_water.segment, Ordering::Release);
    shared.counters.metadata_flushes.fetch_add(1, Ordering::Relaxed);
    Ok(answers)
}

/// Whether the disk has room for more metadata, asked once per group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Headroom {
    Ample,
    /// Only for what makes room.
    Scarce,
}

impl Headroom {
    /// Extends the file ahead of the group. Each operation may copy a path of pages; values lie on pages of their own.
    fn make(shared: &Shared, batches: &[Batch]) -> Self {
        let octets: usize = batches.iter().map(octets_of).sum();
        let ops: usize = batches.iter().map(|batch| batch.ops.len() + 2).sum();
        let worst = octets as u64 * 2 + ops as u64 * 3 * 4_096 + (1 << 16);
        let stored = octets as u64;
        let ample = shared.room.has(stored, true, Into::MostOfIt)
            && shared.lmdb.reserve(worst.saturating_add(limits::HEADROOM_OCTETS)).is_ok();
        if ample { Self::Ample } else { Self::Scarce }
    }
}

/// Whether the batch may take effect; the version it got when it did so before.
fn check(lmdb: &Lmdb, txn: &RwTxn<'_>, batch: &Batch, room: Headroom) -> Result<Option<u64>, CommitError> {
    keyspace::check(batch)?;
    let get = |key: &[u8]| lmdb.get(txn, key).map_err(|_| CommitError::Unavailable);
    if let Some(idem) = &batch.idem
        && let Some(value) = get(&keyspace::idem_key(idem))?
    {
        return Ok(Some(value.first_chunk::<8>().map_or(0, |v| u64::from_be_bytes(*v))));
    }
    for (n, pre) in batch.pre.iter().enumerate() {
        let holds = match pre {
            Pre::Absent(key) => get(key)?.is_none(),
            Pre::Equals(key, value) => get(key)?.as_ref() == Some(value),
            Pre::Version(key, version) => get(key)?.is_some_and(|v| keyspace::has_version(&v, *version)),
        };
        if !holds {
            return Err(CommitError::Conflict(n));
        }
    }
    if room == Headroom::Scarce && !batch.shrinks() { Err(CommitError::Full) } else { Ok(None) }
}

fn apply(lmdb: &Lmdb, txn: &mut RwTxn<'_>, state: &mut State, batch: &Batch) -> Result<(), WriteError> {
    for op in &batch.ops {
        match op {
            Op::Put(key, value) => lmdb.put(txn, key, value)?,
            Op::Del(key) => lmdb.delete(txn, key)?,
            Op::DelRange(from, to) => {
                let (from, to) = keyspace::clip(from, to);
                lmdb.delete_range(txn, from, to)?;
            }
            Op::Add(key, by) => {
                // A damaged counter is a statistic that starts again.
                let old = lmdb.get(txn, key).ok().flatten();
                lmdb.put(txn, key, &keyspace::added(old.as_deref(), *by))?;
            }
        }
    }
    if let Some(idem) = &batch.idem {
        state.remember_idem(lmdb, txn, idem)?;
    }
    // Lazy batches ride in the group they come with: on this engine no flush could be saved by holding them back.
    debug_assert!(matches!(batch.durability, Durability::Sync | Durability::Lazy));
    Ok(())
}
