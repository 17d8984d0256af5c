//! What is in memory of an account: immutable states behind `Arc`, shared by its sessions, replaced whole at each commit.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use yubin_base::UnixMs;

use crate::{
    Acl, DocId, Flags, Keyword, KeywordBits, MailboxId, ModSeq, Readers, ThreadId, Uid, UidValidity,
};

/// One account at one modseq.
#[derive(Clone, Debug, Default)]
pub struct AccountState {
    /// The account's counter at this state.
    pub modseq: ModSeq,
    /// Its mailboxes.
    pub mailboxes: BTreeMap<MailboxId, Arc<MailboxState>>,
    /// The mailboxes by name. Follows `mailboxes`; copied only when a name changes.
    pub(crate) names: Arc<BTreeMap<Arc<str>, MailboxId>>,
    /// Octets and messages that count against the quota: every placement counts its message's size once.
    pub usage: Usage,
    /// Names subscribed to, including names of mailboxes that are gone (RFC 9051 §6.3.7).
    pub subscribed: Arc<[String]>,
    /// The names of the Sieve scripts, with their sizes in octets.
    pub scripts: Arc<BTreeMap<String, usize>>,
    /// The script that runs at delivery.
    pub active_script: Option<Arc<str>>,
    /// What clients keep with mailboxes (RFC 5464); what they keep with the account as a whole stands under none.
    pub annotations: Arc<Annotations>,
}

/// Annotations by mailbox and name (lower case).
pub type Annotations = BTreeMap<Option<MailboxId>, BTreeMap<String, Arc<[u8]>>>;

impl AccountState {
    /// The mailbox with exactly this name, as the store spells names. Logarithmic.
    pub fn named(&self, name: &str) -> Option<&Arc<MailboxState>> {
        self.mailboxes.get(self.names.get(name)?)
    }

    /// The mailboxes below a name, at any depth, in the order of their names. Costs what it gives.
    pub fn below(&self, name: &str) -> impl Iterator<Item = &Arc<MailboxState>> {
        // Everything below begins with `name/`; the octet after `/` is `0`.
        let (from, to) = (format!("{name}/"), format!("{name}0"));
        let range = (Bound::Included(from.as_str()), Bound::Excluded(to.as_str()));
        self.names
            .range::<str, _>(range)
            .filter_map(|(_, id)| self.mailboxes.get(id))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Whether no mailbox was made, deleted or renamed between the two. May say no although none was.
    pub fn has_the_names_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.names, &other.names)
    }

    /// All mailboxes in the order of their names.
    pub fn by_name(&self) -> impl Iterator<Item = &Arc<MailboxState>> {
        self.names.values().filter_map(|id| self.mailboxes.get(id))
    }

    /// Makes the index anew, when the mailboxes were read.
    pub(crate) fn index(&mut self) {
        let name = |mailbox: &Arc<MailboxState>| (mailbox.name.as_str().into(), mailbox.id);
        self.names = Arc::new(self.mailboxes.values().map(name).collect());
    }
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
    /// What others may do with it.
    pub acl: Acl,
    /// What those who are not the owner have marked `\Seen`, as far as it is loaded.
    pub readers: Readers,
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
