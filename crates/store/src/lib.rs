//! What: mailboxes, messages, threads, quota and the account's change log. The only writer of these tables; no wire format.
//!
//! `Account::append` is the only door into a mailbox, and every change reaches the account's log in the same transaction.

mod access;
mod account;
mod acl;
mod apply;
mod cache;
mod change;
mod diff;
mod digest;
mod error;
pub mod events;
mod flags;
mod ids;
mod index;
pub mod limits;
mod message;
mod names;
mod seen;
mod sharers;
mod stage;
mod state;
mod store;
mod tables;
mod threads;
mod uidset;

pub use access::Access;
pub use account::{
    Account, Copied, Expunged, FlagChange, FlagOp, IndexStats, IndexStep, MailboxChange, MessageText, Moved,
    Purged, Recount, Report, ScriptError, StoreFlags, TextPlace, TextSink,
};
pub use acl::{Acl, AclChange, AclEntry, Rights, Viewer, Who};
pub use change::{Change, LogEntry};
pub use diff::{Diff, diff};
pub use digest::{Digest, DigestWords};
pub use error::StoreError;
pub use flags::{Flags, Keyword, KeywordBits};
pub use ids::{DocId, MailboxId, ModSeq, ThreadId, Uid, UidValidity};
pub use index::{IndexAnswer, Sought};
pub use message::{Appended, NewMessage, Record, Staged};
pub use names::{OTHER_USERS, PUBLIC, canonical as canonical_name};
pub use seen::Readers;
pub use stage::Stager;
pub use state::{AccountState, Annotations, Counts, MailboxState, Page, Pages, Row, SpecialUse, Usage};
pub use store::{LoadedAccounts, Quota, Store, StoreOptions};
pub use uidset::UidSet;
