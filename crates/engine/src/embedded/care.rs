//! Looking after a store: counting, checking, collecting garbage. Runs beside everything else and never stops a writer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
    time::{Duration, SystemTime},
};

use yubin_base::UnixMs;

use super::EmbeddedEngine;
use crate::{BlobRef, ReadError, place::At};

/// Problems listed in full; further ones are only counted.
const PROBLEMS_LISTED: usize = 100;

/// Calls what it is given with every blob that is still named.
pub type LiveBlobs<'a> = dyn FnMut(&mut dyn FnMut(&BlobRef)) -> Result<(), ReadError> + 'a;

/// Figures for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches answered since the store was opened.
    pub batches: u64,
    /// Groups they were committed in.
    pub groups: u64,
    /// The largest group.
    pub group_batches_max: u64,
    /// Flushes of segment files.
    pub body_flushes: u64,
    /// Commits of LMDB, two flushes each.
    pub metadata_flushes: u64,
    /// Submissions that wait now.
    pub waiting: u64,
    /// Length of the metadata file.
    pub metadata_octets: u64,
    /// What of it is in use.
    pub metadata_used_octets: u64,
    /// Segment files.
    pub segments: u64,
    /// Their length in all.
    pub segment_octets: u64,
}

/// How thoroughly to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every value's checksum.
    Metadata,
    /// Also every record of every segment.
    Everything,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Values read.
    pub values: u64,
    /// Their octets.
    pub value_octets: u64,
    /// Segments read.
    pub segments: u64,
    /// Records read.
    pub records: u64,
    /// Their octets on disk.
    pub record_octets: u64,
    /// How many problems there are.
    pub problems: u64,
    /// The first of them, as sentences for the operator.
    pub listed: Vec<String>,
}

impl VerifyReport {
    fn problem(&mut self, what: String) {
        self.problems += 1;
        if self.listed.len() < PROBLEMS_LISTED {
            self.listed.push(what);
        }
    }
}

/// What a garbage collection found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GarbageReport {
    /// Length and live octets of each segment that remains, by number.
    pub segments: BTreeMap<u32, (u64, u64)>,
    /// Segments without anything alive, deleted now.
    pub deleted: Vec<u32>,
    /// Segments without anything alive, to be deleted by the next collection if that is still so.
    pub condemned: Vec<u32>,
    /// Octets given back.
    pub freed_octets: u64,
}

impl EmbeddedEngine {
    /// The store's figures.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let segments = shared.segments.list().unwrap_or_default();
        Stats {
            batches: count(&shared.counters.batches),
            groups: count(&shared.counters.groups),
            group_batches_max: count(&shared.counters.group_batches_max),
            body_flushes: count(&shared.counters.body_flushes),
            metadata_flushes: count(&shared.counters.metadata_flushes),
            waiting: shared.queue.len() as u64,
            metadata_octets: shared.lmdb.file_octets(),
            metadata_used_octets: shared.lmdb.used_octets(),
            segments: segments.len() as u64,
            segment_octets: segments.iter().map(|(_, octets)| octets).sum(),
        }
    }

    /// Checks what is stored against its checksums. Damage found while opening is listed as well.
    pub fn verify(&self, level: Level) -> Result<VerifyReport, ReadError> {
        let shared = self.shared();
        let mut report = VerifyReport::default();
        for what in &shared.found_at_open {
            report.problem(what.clone());
        }
        self.verify_values(&mut report)?;
        if level < Level::Everything {
            return Ok(report);
        }
        for (number, _) in shared.segments.list().map_err(unavailable)? {
            report.segments += 1;
            let walked = shared.segments.walk(number, |_, at| {
                report.records += 1;
                report.record_octets += u64::from(at.octets);
            });
            match walked {
                Ok(damaged) => damaged.iter().for_each(|stretch| {
                    report.problem(format!(
                        "segment {number:08}: octets {} to {} are damaged",
                        stretch.start, stretch.end
                    ));
                }),
                Err(error) => report.problem(format!("segment {number:08}: {error}")),
            }
        }
        Ok(report)
    }

    fn verify_values(&self, report: &mut VerifyReport) -> Result<(), ReadError> {
        let lmdb = &self.shared().lmdb;
        let mut from = vec![0];
        // In steps, each in a snapshot of its own: a long one would keep the file from reusing pages.
        loop {
            let mut left = 10_000;
            let mut last = None;
            lmdb.scan(&*lmdb.read()?, &from, &[u8::MAX; 512], false, |key, value| {
                match value {
                    Ok(value) => {
                        report.values += 1;
                        report.value_octets += value.len() as u64;
                    }
                    Err(why) => report.problem(why.to_string()),
                }
                left -= 1;
                last = Some(key.to_vec());
                left > 0
            })?;
            match last {
                Some(key) if left == 0 => {
                    from = key;
                    from.push(0);
                }
                _ => return Ok(()),
            }
        }
    }

    /// Deletes segments in which nothing is alive. `live` is called once and names every blob that any metadata still names,
    /// from a snapshot taken within the call.
    ///
    /// A segment goes when two collections in a row found it dead, a body in a later one was committed, and it was last written before
    /// `unchanged_since`: put that an hour back, so that no message still on its way has its body there. Half-dead segments stay;
    /// the report tells how much of each is alive.
    pub fn collect_garbage(
        &self,
        unchanged_since: UnixMs,
        live: &mut LiveBlobs<'_>,
    ) -> Result<GarbageReport, ReadError> {
        let shared = self.shared();
        let before = shared.segments.list().map_err(unavailable)?;
        let newest_expected = shared.durable_segment.load(Ordering::Acquire);
        let alive = self.live_octets(live)?;
        let mut condemned = shared.condemned.lock();
        let mut still_dead = BTreeSet::new();
        let mut report = GarbageReport::default();
        for (number, octets) in before {
            let living = alive.get(&number).copied().unwrap_or(0);
            let old = shared.segments.modified(number).is_ok_and(|at| is_before(at, unchanged_since));
            if living > 0 || number >= newest_expected || !old {
                report.segments.insert(number, (octets, living));
            } else if condemned.contains(&number) {
                shared.segments.remove(number).map_err(unavailable)?;
                report.deleted.push(number);
                report.freed_octets += octets;
            } else {
                still_dead.insert(number);
                report.condemned.push(number);
                report.segments.insert(number, (octets, 0));
            }
        }
        *condemned = still_dead;
        Ok(report)
    }

    fn live_octets(&self, live: &mut LiveBlobs<'_>) -> Result<BTreeMap<u32, u64>, ReadError> {
        let shared = self.shared();
        let mut records: BTreeSet<At> = BTreeSet::new();
        let mut unreadable = None;
        live(&mut |blob| match shared.records_of(blob) {
            Ok(of_blob) => records.extend(of_blob),
            Err(why) => unreadable = Some(why),
        })?;
        // A manifest that cannot be read hides which segments its frames are in: delete nothing.
        if let Some(why) = unreadable {
            return Err(why);
        }
        let mut octets = BTreeMap::new();
        for at in records {
            *octets.entry(at.segment).or_default() += u64::from(at.octets);
        }
        Ok(octets)
    }
}

fn is_before(at: SystemTime, limit: UnixMs) -> bool {
    at < SystemTime::UNIX_EPOCH + Duration::from_millis(limit.0)
}

fn unavailable(error: std::io::Error) -> ReadError {
    ReadError::Unavailable(error.to_string().into())
}
