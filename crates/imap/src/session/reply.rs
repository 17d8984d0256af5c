//! The tagged answer of a command, and what the store's errors become for a client: a code and a text without names or paths.

use std::borrow::Cow;

use yubin_engine::{BlobError, CommitError};
use yubin_store::StoreError;

use crate::{
    codec::write::{Code, Status},
    events,
};

/// A tagged answer without its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: Status,
    pub(crate) code: Option<Code>,
    pub(crate) text: Cow<'static, str>,
}

impl Reply {
    /// `OK text`
    pub(crate) fn ok(text: &'static str) -> Self {
        Self { status: Status::Ok, code: None, text: text.into() }
    }
    /// `OK [code] text`
    pub(crate) fn ok_code(code: Code, text: &'static str) -> Self {
        Self { status: Status::Ok, code: Some(code), text: text.into() }
    }
    /// `NO [code] text`
    pub(crate) fn no(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::No, code: Some(code), text: text.into() }
    }
    /// `BAD text`
    pub(crate) fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Bad, code: None, text: text.into() }
    }
    /// `BAD [code] text`
    pub(crate) fn bad_code(code: Code, text: &'static str) -> Self {
        Self { status: Status::Bad, code: Some(code), text: text.into() }
    }
    /// A missing target of APPEND, COPY and MOVE: the client may create it (RFC 9051 §6.3.12, §6.4.7).
    pub(crate) fn try_create() -> Self {
        Self::no(Code::TryCreate, "there is no such mailbox")
    }
}

impl From<StoreError> for Reply {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NoMailbox | StoreError::NoAccount => {
                Self::no(Code::NonExistent, "there is no such mailbox")
            }
            StoreError::MailboxExists => Self::no(Code::AlreadyExists, "the mailbox exists already"),
            StoreError::BadName(why) | StoreError::Cannot(why) => Self::no(Code::Cannot, *why),
            StoreError::Limit(why) => Self::no(Code::Limit, *why),
            StoreError::NoPermission => super::reach::not_permitted(),
            StoreError::OverQuota => Self::no(Code::OverQuota, "the account is full"),
            StoreError::Gone => Self::no(Code::ExpungeIssued, "the message is gone"),
            StoreError::Commit(CommitError::TooLarge) => {
                Self::no(Code::Limit, "that is more than one command can do; take fewer messages")
            }
            StoreError::Commit(CommitError::Full) | StoreError::Blob(BlobError::Full) => {
                Self::no(Code::Unavailable, "the server's disk is full; try again later")
            }
            StoreError::Commit(_) | StoreError::Read(_) | StoreError::Blob(_) => {
                yubin_base::event!(events::STORE_FAILED, why = %error);
                Self::no(Code::Unavailable, "the server cannot do that now; try again later")
            }
        }
    }
}
