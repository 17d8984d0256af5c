//! One account: its state, shared by its sessions, and every change to it.

mod annotations;
mod append;
mod commit;
mod copy;
mod digests;
mod expunge;
mod flags;
mod fold;
mod index;
mod lifecycle;
mod load;
mod mailboxes;
mod purge;

mod read;
mod remembered;
mod scripts;
mod sharing;
mod text;
mod uidls;
mod verify;
mod viewers;

pub(crate) use annotations::set as set_annotations;
pub use index::{IndexStats, IndexStep};
pub use purge::Purged;
pub use scripts::ScriptError;
pub(crate) use text::breathe;
pub use text::{MessageText, TextPlace, TextSink};
pub(crate) use verify::visit_blobs;
pub use verify::{Recount, Report};

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use event_listener::Event;
use parking_lot::{Mutex, RwLock};
use yubin_base::AccountId;
use yubin_engine::Committed;

use crate::{
    AccountState, Flags, Keyword, MailboxId, MailboxState, ModSeq, Row, StoreError, Uid, UidValidity, names,
    seen::Seer, store::Core,
};
use commit::Writer;

/// An open account. Sessions share it. Reading never waits for writing.
pub struct Account {
    id: AccountId,
    core: Arc<Core>,
    /// What sessions see: always durable.
    state: RwLock<Arc<AccountState>>,
    changed: Event,
    /// Appends that wait for the next commit.
    queue: Mutex<VecDeque<append::Job>>,
    /// Mailboxes as viewers see them, for as long as a session has them.
    seers: Mutex<BTreeMap<(MailboxId, AccountId), Seer>>,
    /// Held by whoever changes the account.
    writer: async_lock::Mutex<Writer>,
    /// Held by whoever changes the search index.
    indexer: async_lock::Mutex<()>,
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
    /// The modseq of the change; none when there was none.
    pub modseq: Option<ModSeq>,
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

impl Account {
    pub(crate) fn new(id: AccountId, core: Arc<Core>, state: AccountState, writer: Writer) -> Self {
        Self {
            id,
            core,
            state: RwLock::new(Arc::new(state)),
            changed: Event::new(),
            queue: Mutex::default(),
            seers: Mutex::default(),
            writer: async_lock::Mutex::new(writer),
            indexer: async_lock::Mutex::new(()),
        }
    }

    /// Its id.
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// The state now. Cheap; immutable.
    pub fn state(&self) -> Arc<AccountState> {
        self.state.read().clone()
    }

    /// Resolves when the account's modseq is greater than `since`. Safe to drop.
    pub async fn changed(&self, since: ModSeq) {
        loop {
            // First listen, then look: a change in between is not missed.
            let listener = self.changed.listen();
            if self.state.read().modseq > since {
                return;
            }
            listener.await;
        }
    }

    /// The mailbox of that name. `INBOX` in any case; other names are compared after NFC, with case.
    pub fn mailbox_named(&self, name: &str) -> Option<Arc<MailboxState>> {
        let name = names::canonical(name);
        self.state.read().named(&name).cloned()
    }

    /// Replaces what sessions see. Only with what is durable.
    fn publish(&self, state: AccountState) {
        *self.state.write() = Arc::new(state);
        self.changed.notify(usize::MAX);
    }

    /// Memory it takes, roughly, in octets.
    pub(crate) fn octets(&self) -> usize {
        let state = self.state();
        let pages = |mailbox: &Arc<MailboxState>| mailbox.pages.as_ref().map_or(0, |pages| pages.len());
        let pages: usize = state.mailboxes.values().map(pages).sum();
        let recent = self.writer.try_lock().map_or(0, |writer| writer.recent.len());
        4096 + recent * 256
            + state.mailboxes.len() * 512
            + pages * crate::limits::PAGE_ROWS * size_of::<Row>()
    }
}

/// The mailbox, if it can hold messages.
fn selectable(state: &AccountState, mailbox: MailboxId) -> Result<&Arc<MailboxState>, StoreError> {
    let mailbox = state.mailboxes.get(&mailbox).ok_or(StoreError::NoMailbox)?;
    if mailbox.no_select {
        return Err(StoreError::Cannot("the mailbox holds no messages"));
    }
    Ok(mailbox)
}
