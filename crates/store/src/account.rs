//! One account: its state, shared by its sessions, and every change to it.

use std::{ops::Range, sync::Arc};

use yubin_base::{AccountId, UnixMs};
use yubin_engine::Committed;

use crate::{
    AccountState, Appended, DocId, Flags, Keyword, MailboxId, MailboxState, ModSeq, NewMessage, Quota, Record,
    SpecialUse, StoreError, Uid, UidSet, UidValidity,
};

/// An open account. Sessions share it. Reading never waits for writing.
pub struct Account {
    // filled in by its owner
}

/// How STORE changes flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagOp {
    /// `FLAGS`
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

/// A change of flags for a set of messages.
#[derive(Clone, Debug)]
pub struct FlagChange {
    /// How.
    pub op: FlagOp,
    /// System flags.
    pub flags: Flags,
    /// Keywords.
    pub keywords: Vec<Keyword>,
    /// Change only messages whose modseq is at most this (RFC 7162 §3.1.3).
    pub unchanged_since: Option<ModSeq>,
}

/// What STORE did.
#[derive(Clone, Debug, Default)]
pub struct StoreFlags {
    /// Messages that have other flags now.
    pub changed: Vec<Uid>,
    /// Messages left alone because of `unchanged_since`.
    pub modified: Vec<Uid>,
    /// The modseq of the change; none when nothing changed.
    pub modseq: Option<ModSeq>,
}

/// What COPY did.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Of the target mailbox.
    pub uid_validity: UidValidity,
    /// Old and new UID, ascending by old.
    pub uids: Vec<(Uid, Uid)>,
    /// The proof; none when the set held no message.
    pub committed: Option<Committed>,
}

/// What MOVE did.
pub type Moved = Copied;

/// What EXPUNGE did.
#[derive(Clone, Debug, Default)]
pub struct Expunged {
    /// The messages that are gone.
    pub uids: Vec<Uid>,
    /// The modseq of the expunge; none when nothing was.
    pub modseq: Option<ModSeq>,
}

/// What a change to the list of mailboxes gave.
#[derive(Clone, Copy, Debug)]
pub struct MailboxChange {
    /// The mailbox.
    pub id: MailboxId,
    /// The modseq of the change.
    pub modseq: ModSeq,
}

#[allow(unused_variables, clippy::todo)]
impl Account {
    /// Its id.
    pub fn id(&self) -> AccountId {
        todo!()
    }
    /// The state now. Cheap; immutable.
    pub fn state(&self) -> Arc<AccountState> {
        todo!()
    }
    /// Resolves when the account's modseq is greater than `since`. Safe to drop.
    pub async fn changed(&self, since: ModSeq) {
        todo!()
    }
    /// The mailbox of that name. `INBOX` in any case; other names are compared after NFC, with case.
    pub fn mailbox_named(&self, name: &str) -> Option<Arc<MailboxState>> {
        todo!()
    }
    /// The mailbox with its pages loaded.
    pub async fn open(&self, mailbox: MailboxId) -> Result<Arc<MailboxState>, StoreError> {
        todo!()
    }

    /// Makes a mailbox and the levels above it that are missing (RFC 9051 §6.3.4).
    pub async fn create_mailbox(
        &self,
        name: &str,
        special_use: Option<SpecialUse>,
        now: UnixMs,
    ) -> Result<MailboxChange, StoreError> {
        todo!()
    }
    /// Deletes a mailbox and its messages; keeps the name as `\NoSelect` while it has children (RFC 9051 §6.3.5).
    pub async fn delete_mailbox(&self, mailbox: MailboxId, now: UnixMs) -> Result<MailboxChange, StoreError> {
        todo!()
    }
    /// Renames a mailbox and those below it; INBOX: moves its messages into a new mailbox (RFC 9051 §6.3.6).
    pub async fn rename_mailbox(
        &self,
        mailbox: MailboxId,
        name: &str,
        now: UnixMs,
    ) -> Result<MailboxChange, StoreError> {
        todo!()
    }
    /// Subscribes to a name or gives it up.
    pub async fn subscribe(&self, name: &str, subscribed: bool) -> Result<ModSeq, StoreError> {
        todo!()
    }

    /// **The only door into a mailbox.** Appends the messages in one transaction: UIDs, modseq, threads, quota, log.
    /// Concurrent calls for one account share commits.
    pub async fn append(
        &self,
        mailbox: MailboxId,
        messages: Vec<NewMessage>,
        quota: Quota,
        now: UnixMs,
    ) -> Result<Vec<Appended>, StoreError> {
        todo!()
    }
    /// Changes flags of the messages in `uids` that exist.
    pub async fn store_flags(
        &self,
        mailbox: MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        now: UnixMs,
    ) -> Result<StoreFlags, StoreError> {
        todo!()
    }
    /// Copies messages, keeping flags, keywords and INTERNALDATE (RFC 9051 §6.4.7). All or nothing.
    pub async fn copy(
        &self,
        from: MailboxId,
        uids: &UidSet,
        to: MailboxId,
        quota: Quota,
        now: UnixMs,
    ) -> Result<Copied, StoreError> {
        todo!()
    }
    /// Moves messages (RFC 6851). All or nothing.
    pub async fn move_messages(
        &self,
        from: MailboxId,
        uids: &UidSet,
        to: MailboxId,
        now: UnixMs,
    ) -> Result<Moved, StoreError> {
        todo!()
    }
    /// Removes messages: those with `\Deleted`, within `uids` when given (UID EXPUNGE); with `any_flags`, whatever their flags (POP3).
    pub async fn expunge(
        &self,
        mailbox: MailboxId,
        uids: Option<&UidSet>,
        any_flags: bool,
        now: UnixMs,
    ) -> Result<Expunged, StoreError> {
        todo!()
    }

    /// What is kept of a message; also of one expunged a short while ago.
    pub async fn record(&self, doc: DocId) -> Result<Arc<Record>, StoreError> {
        todo!()
    }
    /// The records of several, in their order; gone ones are none.
    pub async fn records(&self, docs: &[DocId]) -> Result<Vec<Option<Arc<Record>>>, StoreError> {
        todo!()
    }
    /// Octets `range` of the raw message (prefix and content), clipped to its size. Read long bodies in pieces.
    pub async fn read(&self, record: &Record, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        todo!()
    }
}
