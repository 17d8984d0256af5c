//! What can go wrong, and whose fault it is.

use std::fmt;

use yubin_engine::{BlobError, CommitError, ReadError};

/// Why the store said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// No such account.
    NoAccount,
    /// No such mailbox (any more): `[NONEXISTENT]`.
    NoMailbox,
    /// A mailbox of this name exists: `[ALREADYEXISTS]`.
    MailboxExists,
    /// The name breaks a rule; the text says which: `[CANNOT]`.
    BadName(&'static str),
    /// The mailbox cannot be deleted or renamed (INBOX), or holds no messages (`\NoSelect`): `[CANNOT]`.
    Cannot(&'static str),
    /// A named limit of the store was met: `[LIMIT]`.
    Limit(&'static str),
    /// The mailbox's list of rights does not allow it: `[NOPERM]`.
    NoPermission,
    /// The account is full: `[OVERQUOTA]`.
    OverQuota,
    /// The message is gone: `[EXPUNGEISSUED]`.
    Gone,
    /// The disk is full or the store is read-only or not reachable: try later, `[UNAVAILABLE]`.
    Commit(CommitError),
    /// What was stored is damaged or cannot be read now.
    Read(ReadError),
    /// A body could not be written.
    Blob(BlobError),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAccount => f.write_str("no such account"),
            Self::NoMailbox => f.write_str("no such mailbox"),
            Self::MailboxExists => f.write_str("the mailbox exists"),
            Self::BadName(why) | Self::Cannot(why) | Self::Limit(why) => f.write_str(why),
            Self::NoPermission => f.write_str("that is not permitted"),
            Self::OverQuota => f.write_str("the account is over its quota"),
            Self::Gone => f.write_str("the message is gone"),
            Self::Commit(e) => e.fmt(f),
            Self::Read(e) => e.fmt(f),
            Self::Blob(e) => e.fmt(f),
        }
    }
}
impl std::error::Error for StoreError {}
impl From<CommitError> for StoreError {
    fn from(e: CommitError) -> Self {
        Self::Commit(e)
    }
}
impl From<ReadError> for StoreError {
    fn from(e: ReadError) -> Self {
        Self::Read(e)
    }
}
impl From<BlobError> for StoreError {
    fn from(e: BlobError) -> Self {
        Self::Blob(e)
    }
}
