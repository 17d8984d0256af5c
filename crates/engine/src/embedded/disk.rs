//! What the embedded engine asks of the disk besides reading and writing: flushes, space. A port, so that tests can fail each.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

/// The room on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Octets that may still be written.
    pub free_octets: u64,
    /// Octets in all.
    pub total_octets: u64,
}

/// The disk's promises. [`RealDisk`] keeps them; tests hand in one that breaks them.
pub trait Disk: Send + Sync {
    /// Returns when the file's content is on the platter (fdatasync).
    fn sync_file(&self, file: &File) -> io::Result<()>;
    /// Returns when the folder's entries are on the platter.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Asked just before LMDB commits and flushes; an error stands for a commit that failed.
    fn before_metadata_commit(&self) -> io::Result<()>;
    /// Reserves room within a file, so that writing there cannot run out of space.
    fn allocate(&self, file: &File, offset: u64, octets: u64) -> io::Result<()>;
    /// How much room there is.
    fn space(&self, folder: &Path) -> io::Result<Space>;
}

/// The operating system's disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn sync_file(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn before_metadata_commit(&self) -> io::Result<()> {
        Ok(())
    }

    fn allocate(&self, file: &File, offset: u64, octets: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), offset, octets)?)
    }

    fn space(&self, folder: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(folder)?;
        let octets = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Space { free_octets: octets(stat.f_bavail), total_octets: octets(stat.f_blocks) })
    }
}

/// Answers "is there room" mostly from memory: asks the disk again after some octets or some calls.
pub(super) struct Room {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Given by the operator; otherwise the smaller of 5 % and 1 GiB.
    reserve_octets: Option<u64>,
    /// What can be handed out before the disk is asked again.
    known_octets: AtomicU64,
    calls: AtomicU32,
    told: AtomicBool,
}

/// How far into the reserve a writer may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Into {
    /// New mail: not at all.
    Nothing,
    /// Metadata: three quarters, so that people can still delete what fills the disk.
    MostOfIt,
}

const KNOWN_OCTETS_MAX: u64 = 16 << 20;
const CALLS_MAX: u32 = 256;

impl Room {
    pub(super) fn new(disk: Arc<dyn Disk>, folder: PathBuf, reserve_octets: Option<u64>) -> Self {
        Self {
            disk,
            folder,
            reserve_octets,
            known_octets: AtomicU64::new(0),
            calls: AtomicU32::new(0),
            told: AtomicBool::new(false),
        }
    }

    /// Whether `octets` fit; counts them as written when `taking`.
    pub(super) fn has(&self, octets: u64, taking: bool, into: Into) -> bool {
        let taken = if taking { octets } else { 0 };
        if !self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(CALLS_MAX) {
            let known = self.known_octets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| {
                (octets <= known).then(|| known - taken)
            });
            if known.is_ok() {
                return true;
            }
        }
        let Ok(space) = self.disk.space(&self.folder) else { return true }; // the write itself will tell
        let reserve = self.reserve_octets.unwrap_or((space.total_octets / 20).min(1 << 30));
        let known = space.free_octets.saturating_sub(reserve.saturating_add(taken)).min(KNOWN_OCTETS_MAX);
        self.known_octets.store(known, Ordering::Relaxed);
        let kept = match into {
            Into::Nothing => reserve,
            Into::MostOfIt => reserve / 4,
        };
        let fits = space.free_octets >= kept.saturating_add(octets);
        let reserve_touched = space.free_octets < reserve.saturating_add(octets);
        if reserve_touched && !self.told.swap(true, Ordering::Relaxed) {
            yubin_base::event!(
                crate::events::DISK_FULL,
                free_octets = space.free_octets,
                reserve_octets = reserve
            );
        } else if !reserve_touched {
            self.told.store(false, Ordering::Relaxed);
        }
        fits
    }
}
