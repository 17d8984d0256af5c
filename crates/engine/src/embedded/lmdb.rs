//! The metadata file: LMDB, one database of octets. Each value is stored behind a checksum of its key and itself, because LMDB
//! has none. The only module of the workspace with an unsafe call: opening the memory map.

use std::{fs::File, io, ops::Bound, path::Path, sync::Arc};

use heed::{
    CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, MdbError, RoTxn, RwTxn, WithoutTls, types::Bytes,
};

use super::disk::Disk;
use crate::{Key, ReadError, Val};

const CRC_OCTETS: usize = 4;
/// As many views as may be open at once; 64 octets of the lock file each.
const READERS_MAX: u32 = 8_192;
const MAP_OCTETS_MIN: usize = 1 << 30;
const GROW_OCTETS_MIN: u64 = 4 << 20;
const GROW_OCTETS_MAX: u64 = 256 << 20;

pub(super) struct Lmdb {
    env: Env<WithoutTls>,
    db: Database<'static, Bytes, Bytes>,
    file: File,
    page_octets: u64,
    disk: Arc<dyn Disk>,
}

/// What a failed write means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WriteError {
    /// No room in the file or on the disk.
    Full,
    /// More than one transaction can hold.
    TooLarge,
    /// The file is damaged or the disk failed. The text is for the operator.
    Broken(Arc<str>),
}

impl Lmdb {
    /// Opens or makes the file. Takes address space of `map_octets`, or less where the system refuses.
    pub(super) fn open(folder: &Path, map_octets: usize, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let mut map_octets = map_octets.max(MAP_OCTETS_MIN);
        let env = loop {
            match open_env(folder, map_octets) {
                Ok(env) => break env,
                Err(heed::Error::Io(why))
                    if why.raw_os_error() == Some(12) && map_octets > MAP_OCTETS_MIN =>
                {
                    map_octets /= 4; // out of address space
                }
                Err(why) => {
                    return Err(io::Error::other(format!("the metadata file cannot be opened: {why}")));
                }
            }
        };
        let broken = |why: heed::Error| io::Error::other(format!("the metadata file cannot be read: {why}"));
        let txn = env.write_txn().map_err(broken)?;
        let opened = env.create_databases_and_commit(txn, |opener, txn| {
            opener.create_database::<Bytes, Bytes>(txn, None).map(CommitOrAbort::<_, ()>::Commit)
        });
        let Some(db) = opened.map_err(broken)?.commit() else {
            return Err(io::Error::other("the metadata file has no database"));
        };
        let file = std::fs::OpenOptions::new().read(true).write(true).open(folder.join("data.mdb"))?;
        let page_octets = u64::from(env.unnamed_database_stat().page_size);
        Ok(Self { env, db, file, page_octets, disk })
    }

    /// A snapshot. Keeps the file open as long as it lives.
    pub(super) fn read(&self) -> Result<RoTxn<'static, WithoutTls>, ReadError> {
        self.env.clone().static_read_txn().map_err(|why| unavailable(&why))
    }

    pub(super) fn write(&self) -> Result<RwTxn<'_>, WriteError> {
        self.env.write_txn().map_err(|why| failed(&why))
    }

    pub(super) fn get(&self, txn: &RoTxn<'_>, key: &[u8]) -> Result<Option<Val>, ReadError> {
        let Some(stored) = self.db.get(txn, key).map_err(|why| unavailable(&why))? else { return Ok(None) };
        opened(key, stored).map(|value| Some(value.to_vec()))
    }

    /// Visits pairs with `from <= key < to` in order until the visitor has enough (returns false).
    pub(super) fn scan(
        &self,
        txn: &RoTxn<'_>,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        mut each: impl FnMut(&[u8], Result<&[u8], ReadError>) -> bool,
    ) -> Result<(), ReadError> {
        if from >= to {
            return Ok(());
        }
        // LMDB has no empty key, and none lies before this one.
        let from = if from.is_empty() { &[0][..] } else { from };
        let range = (Bound::Included(from), Bound::Excluded(to));
        if reverse {
            for pair in self.db.rev_range(txn, &range).map_err(|why| unavailable(&why))? {
                let (key, stored) = pair.map_err(|why| unavailable(&why))?;
                if !each(key, opened(key, stored)) {
                    break;
                }
            }
        } else {
            for pair in self.db.range(txn, &range).map_err(|why| unavailable(&why))? {
                let (key, stored) = pair.map_err(|why| unavailable(&why))?;
                if !each(key, opened(key, stored)) {
                    break;
                }
            }
        }
        Ok(())
    }

    pub(super) fn put(&self, txn: &mut RwTxn<'_>, key: &[u8], value: &[u8]) -> Result<(), WriteError> {
        let sum = checksum(key, value).to_be_bytes();
        let fill = |space: &mut heed::ReservedSpace| {
            io::Write::write_all(space, &sum)?;
            io::Write::write_all(space, value)
        };
        self.db.put_reserved(txn, key, CRC_OCTETS + value.len(), fill).map_err(|why| failed(&why))
    }

    pub(super) fn delete(&self, txn: &mut RwTxn<'_>, key: &[u8]) -> Result<(), WriteError> {
        self.db.delete(txn, key).map(|_| ()).map_err(|why| failed(&why))
    }

    pub(super) fn delete_range(&self, txn: &mut RwTxn<'_>, from: &[u8], to: &[u8]) -> Result<(), WriteError> {
        if from >= to {
            return Ok(());
        }
        let from = if from.is_empty() { &[0][..] } else { from };
        let range = (Bound::Included(from), Bound::Excluded(to));
        self.db.delete_range(txn, &range).map(|_| ()).map_err(|why| failed(&why))
    }

    /// Commits with LMDB's two flushes. After an error nobody knows what a restart will find.
    pub(super) fn commit(&self, txn: RwTxn<'_>) -> Result<(), Arc<str>> {
        if let Err(why) = self.disk.before_metadata_commit() {
            return Err(why.to_string().into());
        }
        txn.commit().map_err(|why| why.to_string().into())
    }

    /// Makes sure that the next `octets` of new pages find room: extends the file ahead, in steps that grow with it. Commits to
    /// a file of unchanging length flush faster, and never meet a full disk half-way.
    pub(super) fn reserve(&self, octets: u64) -> io::Result<()> {
        let used = self.used_octets();
        let length = self.file.metadata()?.len();
        let needed = used.saturating_add(octets);
        if needed <= length {
            return Ok(());
        }
        let step = (length / 4).clamp(GROW_OCTETS_MIN, GROW_OCTETS_MAX);
        let ample = needed.saturating_add(step).next_multiple_of(self.page_octets);
        match self.disk.allocate(&self.file, length, ample - length) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                let least = needed.next_multiple_of(self.page_octets);
                self.disk.allocate(&self.file, length, least - length)
            }
            // Some file systems cannot; then the commit itself has to find the room.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            other => other,
        }
    }

    /// Octets up to the last page in use.
    pub(super) fn used_octets(&self) -> u64 {
        (self.env.info().last_page_number as u64 + 1) * self.page_octets
    }

    /// The length of the file.
    pub(super) fn file_octets(&self) -> u64 {
        self.file.metadata().map_or(0, |m| m.len())
    }
}

#[allow(unsafe_code)]
fn open_env(folder: &Path, map_octets: usize) -> heed::Result<Env<WithoutTls>> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_octets).max_readers(READERS_MAX).max_dbs(0);
    // SAFETY: NO_READ_AHEAD only changes advice to the kernel; no flag is set that weakens flushing or locking.
    let options = unsafe { options.flags(EnvFlags::NO_READ_AHEAD) };
    // SAFETY: the memory map stays valid as long as nobody but this LMDB environment changes the file. The caller holds the
    // exclusive lock on the store's folder, so no second process opens it; within the process nothing else writes below
    // `metadata/` (`Lmdb::reserve` only appends zeroes behind the last page, which is within LMDB's contract).
    unsafe { options.open(folder) }
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}

fn opened<'a>(key: &[u8], stored: &'a [u8]) -> Result<&'a [u8], ReadError> {
    match stored.split_first_chunk::<CRC_OCTETS>() {
        Some((sum, value)) if u32::from_be_bytes(*sum) == checksum(key, value) => Ok(value),
        _ => {
            let key: Key = key.to_vec();
            yubin_base::event!(crate::events::CORRUPT, key = %key.escape_ascii());
            Err(ReadError::Corrupt(
                format!("the value of {} does not match its checksum", key.escape_ascii()).into(),
            ))
        }
    }
}

fn unavailable(why: &heed::Error) -> ReadError {
    match why {
        heed::Error::Mdb(MdbError::Corrupted | MdbError::PageNotFound) => {
            yubin_base::event!(crate::events::CORRUPT, why = %why);
            ReadError::Corrupt(format!("the metadata file is damaged: {why}").into())
        }
        why => ReadError::Unavailable(why.to_string().into()),
    }
}

fn failed(why: &heed::Error) -> WriteError {
    match why {
        heed::Error::Mdb(MdbError::MapFull) => WriteError::Full,
        heed::Error::Mdb(MdbError::TxnFull) => WriteError::TooLarge,
        heed::Error::Io(why) if why.kind() == io::ErrorKind::StorageFull => WriteError::Full,
        why => WriteError::Broken(why.to_string().into()),
    }
}
