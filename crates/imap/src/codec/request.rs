//! Commands as values. Only what the client asked; nothing of whether it may.

use yubin_base::UnixMs;
use yubin_store::SpecialUse;

use super::{
    acl::AclCommand,
    esearch::Esearch,
    fetch::Item,
    list::List,
    notify::NotifyArguments,
    search::Search,
    set::Set,
    sort::{Sort, Thread},
};

/// How names and strings are written in this session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// Mailbox names are UTF-8 (IMAP4rev2, UTF8=ACCEPT), not modified UTF-7.
    pub utf8: bool,
    /// Messages are told by their UIDs only (UIDONLY, RFC 9586).
    pub uid_only: bool,
}

/// A command with its tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Repeated in the answer.
    pub tag: String,
    /// What is asked.
    pub command: Command,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum Command {
    Capability,
    Noop,
    Compress(String),
    Unauthenticate,
    Logout,
    Id(Vec<(String, Option<String>)>),
    StartTls,
    Authenticate { mechanism: String, initial: Option<Vec<u8>> },
    Login { user: Vec<u8>, password: Vec<u8> },
    Enable(Vec<String>),
    Select { mailbox: String, examine: bool, parameters: SelectParameters },
    Create { mailbox: String, uses: Vec<String> },
    Delete(String),
    Rename { from: String, to: String },
    Subscribe(String),
    Unsubscribe(String),
    List(List),
    Lsub { reference: String, pattern: String },
    Namespace,
    Status { mailbox: String, items: Vec<StatusItem> },
    GetMetadata(super::metadata::GetMetadata),
    SetMetadata(super::metadata::SetMetadata),
    GetQuota(Vec<u8>),
    GetQuotaRoot(String),
    SetQuota,
    Notify(NotifyArguments),
    Acl(AclCommand),
    Idle,
    Check,
    Close,
    Unselect,
    Expunge { uids: Option<Set> },
    Search { search: Search, uid: bool },
    UidBatches { size: u32, batches: Option<(u32, u32)> },
    Esearch(Esearch),
    Sort { sort: Sort, uid: bool },
    Thread { thread: Thread, uid: bool },
    Fetch { set: Set, items: Vec<Item>, modifiers: FetchModifiers, uid: bool },
    Store { set: Set, store: StoreArguments, uid: bool },
    Copy { set: Set, mailbox: String, uid: bool },
    Move { set: Set, mailbox: String, uid: bool },
}

impl Command {
    /// Whether it names messages by sequence numbers, which a client that enabled UIDONLY must not do (RFC 9586 §3). `$` is
    /// a set of messages, however they were found.
    pub fn uses_sequence_numbers(&self) -> bool {
        match self {
            Self::Search { search, uid } => !uid || search.key.uses_sequence_numbers(),
            Self::Esearch(esearch) => esearch.search.key.uses_sequence_numbers(),
            Self::Sort { sort, uid } => !uid || sort.key.uses_sequence_numbers(),
            Self::Thread { thread, uid } => !uid || thread.key.uses_sequence_numbers(),
            Self::Fetch { uid, .. }
            | Self::Store { uid, .. }
            | Self::Copy { uid, .. }
            | Self::Move { uid, .. } => !uid,
            Self::Select { parameters, .. } => {
                parameters.qresync.as_ref().is_some_and(|q| q.matched.is_some())
            }
            _ => false,
        }
    }
}

/// Arguments of STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreArguments {
    /// `+` adds, `-` removes, none replaces.
    pub op: yubin_store::FlagOp,
    /// Whether the client wants no FETCH in answer.
    pub silent: bool,
    /// The flags.
    pub flags: FlagList,
    /// UNCHANGEDSINCE.
    pub unchanged_since: Option<u64>,
}

/// Parameters of SELECT and EXAMINE (RFC 7162).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectParameters {
    /// CONDSTORE.
    pub condstore: bool,
    /// QRESYNC: what the client knows of the mailbox.
    pub qresync: Option<QResync>,
}

/// What a client knows of a mailbox (RFC 7162 §3.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QResync {
    /// UIDVALIDITY when the client looked last.
    pub uid_validity: u32,
    /// The highest modseq it knows.
    pub modseq: u64,
    /// The UIDs it knows; none is all.
    pub known: Option<Set>,
    /// Sequence numbers and the UIDs they had: what matches still need not be told as removed (RFC 7162 §3.2.5.2).
    pub matched: Option<(Set, Set)>,
}

/// Modifiers of FETCH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchModifiers {
    /// CHANGEDSINCE: only messages with a greater modseq (RFC 7162 §3.1.4.1).
    pub changed_since: Option<u64>,
    /// VANISHED: also what was removed since (RFC 7162 §3.2.6).
    pub vanished: bool,
    /// PARTIAL: only some of the messages of the set, counted from its begin, or with negative numbers from its end (RFC 9394 §3.3).
    pub partial: Option<(i64, i64)>,
}

/// Flags as the client wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagList {
    /// System flags.
    pub flags: yubin_store::Flags,
    /// Keywords.
    pub keywords: Vec<yubin_store::Keyword>,
}

/// What precedes a message of APPEND (RFC 9051 §6.3.12).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendHead {
    /// Flags to set.
    pub flags: FlagList,
    /// INTERNALDATE.
    pub date: Option<UnixMs>,
}

/// Items of STATUS (RFC 9051 §6.3.11, RFC 7162, RFC 8438, RFC 8474, RFC 7889, RFC 9208).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Size,
    Deleted,
    DeletedStorage,
    HighestModSeq,
    AppendLimit,
    MailboxId,
}

/// The special use that an attribute names, whatever its case.
pub fn special_use(attribute: &str) -> Option<SpecialUse> {
    use SpecialUse::{Archive, Drafts, Junk, Sent, Trash};
    [Archive, Drafts, Junk, Sent, Trash]
        .into_iter()
        .find(|u| attribute.eq_ignore_ascii_case(special_use_attribute(*u)))
}

/// The attribute of a special use (RFC 6154 §2).
pub fn special_use_attribute(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    }
}
