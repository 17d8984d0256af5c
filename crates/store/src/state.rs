//! What is in memory of an account: immutable states behind `Arc`, shared by its sessions, replaced whole at each commit.

use std::{collections::BTreeMap, sync::Arc};

use yubin_base::UnixMs;

use crate::{DocId, Flags, Keyword, KeywordBits, MailboxId, ModSeq, ThreadId, Uid, UidValidity};

/// One account at one modseq.
#[derive(Clone, Debug, Default)]
pub struct AccountState {
    /// The account's counter at this state.
    pub modseq: ModSeq,
    /// Its mailboxes.
    pub mailboxes: BTreeMap<MailboxId, Arc<MailboxState>>,
    /// Octets and messages that count against the quota: every placement counts its message's size once.
    pub usage: Usage,
    /// Names subscribed to, including names of mailboxes that are gone (RFC 9051 §6.3.7).
    pub subscribed: Arc<[String]>,
}

/// What counts against a quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Octets of RFC 822 size.
    pub octets: u64,
    /// Messages.
    pub messages: u64,
}

/// One mailbox at one modseq of its account.
#[derive(Clone, Debug, Default)]
pub struct MailboxState {
    /// Its id.
    pub id: MailboxId,
    /// Full name in UTF-8 (NFC), levels separated by `/`. `INBOX` is spelled so.
    pub name: String,
    /// Its role, if any (RFC 6154).
    pub special_use: Option<SpecialUse>,
    /// Set at creation.
    pub uid_validity: UidValidity,
    /// The next UID; greater than every UID ever given here.
    pub uid_next: Uid,
    /// The modseq of the last change to a message here, expunges included.
    pub highest_modseq: ModSeq,
    /// A name that only holds others (`\NoSelect`).
    pub no_select: bool,
    /// Counted, not scanned.
    pub counts: Counts,
    /// Keywords ever used here, in the order of their bits. At most 64.
    pub keywords: Arc<[Keyword]>,
    /// The messages, if loaded ([`crate::Account::open`] loads them): pages of 1 to 256 rows, ascending by UID.
    pub pages: Option<Pages>,
}

/// Counts of one mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages.
    pub messages: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Sum of sizes.
    pub octets: u64,
}

/// Roles (RFC 6154 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecialUse {
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

/// The pages of a mailbox. Unchanged pages keep their `Arc` from state to state, so that a difference costs only what changed.
pub type Pages = Arc<[Arc<Page>]>;

/// Up to 256 messages, ascending by UID.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Row>,
}

/// One message in one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its UID.
    pub uid: Uid,
    /// Its content.
    pub doc: DocId,
    /// System flags.
    pub flags: Flags,
    /// Keywords, as bits into [`MailboxState::keywords`].
    pub keywords: KeywordBits,
    /// The modseq of its last change.
    pub modseq: ModSeq,
    /// INTERNALDATE.
    pub internal_date: UnixMs,
    /// When it came into this mailbox (RFC 8514).
    pub save_date: UnixMs,
    /// RFC822.SIZE, trace fields included.
    pub size_octets: u32,
    /// Its thread.
    pub thread: ThreadId,
}
