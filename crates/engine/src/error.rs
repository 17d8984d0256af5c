//! What can go wrong, and whose fault it is.

use std::{fmt, sync::Arc};

/// Why a batch was not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// Expectation number n did not hold; nothing changed. Re-read and try again.
    Conflict(usize),
    /// Nobody knows whether it took effect. Repeat with the same `idem`, or re-read. Never report success.
    Unknown,
    /// The batch breaks a limit of the engine; our bug.
    TooLarge,
    /// The disk (less its reserve) is full.
    Full,
    /// The store takes no writes; [`Engine::health`](crate::Engine::health) says why.
    ReadOnly,
    /// The store is stopping or not reachable now.
    Unavailable,
}

/// Why a read failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// What was stored is damaged. The text is for the operator.
    Corrupt(Arc<str>),
    /// The disk or the store failed. The text is for the operator.
    Unavailable(Arc<str>),
}

/// Why a blob could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobError {
    /// The disk (less its reserve) is full.
    Full,
    /// The store takes no writes.
    ReadOnly,
    /// The disk failed. The text is for the operator.
    Io(Arc<str>),
}

/// Whether the store takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Writable,
    /// It does not, until a restart; the text says why, for the operator.
    ReadOnly(Arc<str>),
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(n) => write!(f, "another change came first (expectation {n})"),
            Self::Unknown => f.write_str("it is not known whether the change was stored"),
            Self::TooLarge => f.write_str("the change is larger than one transaction may be"),
            Self::Full => f.write_str("the disk is full"),
            Self::ReadOnly => f.write_str("the store is read-only after a disk error"),
            Self::Unavailable => f.write_str("the store is not available"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(what) => write!(f, "stored data is damaged: {what}"),
            Self::Unavailable(what) => write!(f, "the store cannot be read: {what}"),
        }
    }
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the disk is full"),
            Self::ReadOnly => f.write_str("the store is read-only after a disk error"),
            Self::Io(what) => write!(f, "the disk failed: {what}"),
        }
    }
}

impl std::error::Error for CommitError {}
impl std::error::Error for ReadError {}
impl std::error::Error for BlobError {}
