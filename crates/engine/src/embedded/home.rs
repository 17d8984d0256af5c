//! The store's folder: its lock, its format number, and what is in it. Never opened by two processes at once.
//!
//! ```text
//! lock          held as long as the store, or a view of it, is open
//! format        the format's number, as text
//! metadata/     LMDB
//! segments/     bodies
//! ```

use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::disk::Disk;

/// The format this build writes. Raised when an older build could no longer read what is written.
pub(super) const FORMAT: u32 = 1;
const FORMAT_WORD: &str = "yubin-store";

/// Why a store cannot be opened. Each is a sentence for the operator.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it open.
    InUse(PathBuf),
    /// A newer build wrote it.
    Newer {
        /// The format found.
        found: u32,
        /// The newest format this build reads.
        known: u32,
    },
    /// The folder holds something else.
    NotAStore(PathBuf),
    /// The disk failed or refused.
    Io(PathBuf, io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(folder) => write!(f, "the store {} is open in another process", folder.display()),
            Self::Newer { found, known } => write!(
                f,
                "the store has format {found}, written by a newer version; this version reads formats up to {known}. \
                 Install the newer version again, or restore a backup made with this one"
            ),
            Self::NotAStore(folder) => {
                write!(f, "the folder {} is not empty and holds no store; choose another", folder.display())
            }
            Self::Io(path, why) => write!(f, "cannot open the store at {}: {why}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

/// The folder is ours as long as this lives.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not do: a child process just being started may share the file for a moment.
        let _ = self.0.unlock();
    }
}

/// Makes the folder if need be, locks it and checks its format.
pub(super) fn enter(folder: &Path, disk: &dyn Disk) -> Result<Lock, OpenError> {
    let io = |error| OpenError::Io(folder.to_owned(), error);
    let mut make = std::fs::DirBuilder::new();
    let is_new = !folder.exists();
    make.recursive(true).mode(0o700).create(folder).map_err(io)?;
    if is_new && let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        disk.sync_folder(parent).map_err(io)?;
    }
    let strangers = std::fs::read_dir(folder).map_err(io)?.flatten().any(|entry| entry.file_name() != "lock");
    let lock =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(folder.join("lock"));
    let lock = lock.map_err(io)?;
    let lock = match lock.try_lock() {
        Ok(()) => Lock(lock),
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => return Err(io(error)),
    };
    match std::fs::read_to_string(folder.join("format")) {
        Ok(text) => check_format(&text, folder)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && strangers => {
            // A crash between the lock and the format leaves the temporary file alone.
            let only_ours = std::fs::read_dir(folder)
                .map_err(io)?
                .flatten()
                .all(|entry| entry.file_name() == "lock" || entry.file_name() == "format.new");
            if !only_ours {
                return Err(OpenError::NotAStore(folder.to_owned()));
            }
            write_format(folder, disk).map_err(io)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_format(folder, disk).map_err(io)?,
        Err(error) => return Err(io(error)),
    }
    for part in ["metadata", "segments"] {
        make.create(folder.join(part)).map_err(io)?;
    }
    disk.sync_folder(folder).map_err(io)?;
    Ok(lock)
}

fn check_format(text: &str, folder: &Path) -> Result<(), OpenError> {
    let number = text.trim_end().strip_prefix(FORMAT_WORD).and_then(|n| n.trim().parse::<u32>().ok());
    match number {
        Some(found) if found > FORMAT => Err(OpenError::Newer { found, known: FORMAT }),
        Some(_) => Ok(()),
        None => Err(OpenError::NotAStore(folder.to_owned())),
    }
}

/// No file is visible under its final name before its content is flushed.
fn write_format(folder: &Path, disk: &dyn Disk) -> io::Result<()> {
    let temporary = folder.join("format.new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(format!("{FORMAT_WORD} {FORMAT}\n").as_bytes())?;
    disk.sync_file(&file)?;
    std::fs::rename(&temporary, folder.join("format"))?;
    disk.sync_folder(folder)
}
