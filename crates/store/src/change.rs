//! What can happen to an account, as data. The log holds these; states follow from them.

use std::sync::Arc;

use yubin_base::{AccountId, UnixMs};

use crate::{Acl, Flags, Keyword, KeywordBits, MailboxId, ModSeq, Row, SpecialUse, UidSet, UidValidity};

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A mailbox was made.
    Created {
        /// The mailbox.
        mailbox: MailboxId,
        /// Its name.
        name: String,
        /// Its UIDVALIDITY.
        uid_validity: UidValidity,
        /// Its role.
        special_use: Option<SpecialUse>,
        /// Whether it only holds others.
        no_select: bool,
    },
    /// A mailbox is gone, and its messages with it.
    Deleted {
        /// The mailbox.
        mailbox: MailboxId,
    },
    /// A mailbox has another name.
    Renamed {
        /// The mailbox.
        mailbox: MailboxId,
        /// Its new name.
        name: String,
    },
    /// Others may do more or less with a mailbox.
    Acl {
        /// The mailbox.
        mailbox: MailboxId,
        /// All of its list.
        acl: Acl,
    },
    /// Somebody who is not the owner has seen messages, or marked them as not seen. Nothing changes for others.
    Seen {
        /// The mailbox.
        mailbox: MailboxId,
        /// Whose `\Seen`.
        viewer: AccountId,
        /// The messages.
        uids: UidSet,
        /// Whether they are seen.
        seen: bool,
    },
    /// A name was subscribed to, or given up.
    Subscribed {
        /// The name.
        name: String,
        /// Which.
        subscribed: bool,
    },
    /// A Sieve script was written, or deleted when it has no size.
    Script {
        /// Its name.
        name: String,
        /// Its size in octets.
        octets: Option<usize>,
    },
    /// Another Sieve script runs at delivery.
    ScriptActive {
        /// Its name; nothing when none runs.
        name: Option<String>,
    },
    /// Annotations were set, or without a value taken away. They are no changes of messages.
    Annotated {
        /// The mailbox; none is the account as a whole.
        mailbox: Option<MailboxId>,
        /// Names in lower case.
        entries: Vec<(String, Option<Arc<[u8]>>)>,
    },
    /// Messages came into a mailbox: by delivery, APPEND, COPY or MOVE.
    Appended {
        /// The mailbox.
        mailbox: MailboxId,
        /// Keywords new to the mailbox; they follow those it has.
        keywords: Vec<Keyword>,
        /// The messages, ascending by UID.
        rows: Vec<Row>,
    },
    /// Messages have other flags.
    Flags {
        /// The mailbox.
        mailbox: MailboxId,
        /// Keywords new to the mailbox; they follow those it has.
        keywords: Vec<Keyword>,
        /// The messages.
        uids: UidSet,
        /// First these are cleared,
        clear: (Flags, KeywordBits),
        /// then these are set.
        set: (Flags, KeywordBits),
    },
    /// Messages left a mailbox.
    Expunged {
        /// The mailbox.
        mailbox: MailboxId,
        /// The messages.
        uids: UidSet,
    },
}

/// The changes of one commit.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// The commit's modseq.
    pub modseq: ModSeq,
    /// When.
    pub at: UnixMs,
    /// Names the attempt, so that an attempt whose outcome is unknown can be found.
    pub(crate) tag: u64,
    /// What, in order.
    pub changes: Vec<Change>,
}

impl Change {
    /// The mailbox whose messages change.
    pub fn mailbox(&self) -> Option<MailboxId> {
        match self {
            Self::Created { mailbox, .. }
            | Self::Deleted { mailbox }
            | Self::Renamed { mailbox, .. }
            | Self::Acl { mailbox, .. }
            | Self::Seen { mailbox, .. }
            | Self::Appended { mailbox, .. }
            | Self::Flags { mailbox, .. }
            | Self::Expunged { mailbox, .. } => Some(*mailbox),
            Self::Subscribed { .. }
            | Self::Script { .. }
            | Self::ScriptActive { .. }
            | Self::Annotated { .. } => None,
        }
    }

    /// How much memory it takes, roughly, in rows.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Appended { rows, .. } => rows.len() + 1,
            Self::Flags { uids, .. } | Self::Expunged { uids, .. } | Self::Seen { uids, .. } => {
                uids.ranges().len() / 8 + 1
            }
            _ => 1,
        }
    }
}
