//! What a session knows once somebody has logged in: the account, what was enabled, the selected mailbox. Tells of others' changes.

use std::{pin::pin, sync::Arc};

use futures_util::future::select;
use yubin_base::{AccountId, UnixMs};
use yubin_store::{
    Access, Account, Annotations, MailboxId, MailboxState, ModSeq, Rights, StoreError, Uid, UidSet,
};

use crate::{
    ImapServices,
    codec::{Dialect, Writer, fetch::Item, set::ranges},
    command::{FetchJob, job::Job, metadata},
};

use super::{
    notify::{Notify, OwnChange, Telling},
    reach::allowed,
    reply::Reply,
    view::{Known, Permits, View},
};

/// Somebody who has logged in.
pub(crate) struct User {
    /// The user's own account. What concerns the selected mailbox goes to [`Selected::access`].
    pub(crate) own: Access,
    pub(crate) id: AccountId,
    pub(crate) enabled: Enabled,
    pub(crate) selected: Option<Selected>,
    /// The annotations that the client was told of last, if it wants to be told of changes (RFC 5464 §4.4.2).
    pub(crate) annotations_told: Option<Arc<Annotations>>,
    /// The modseq of the selected mailbox's account when the selected mailbox was looked at last.
    pub(crate) looked_at: ModSeq,
    /// The modseqs of the user's own account and of the selected mailbox's when the session was woken or synchronised last:
    /// later ones wake it.
    heard_at: (ModSeq, ModSeq),
    /// What the client asked to hear of (NOTIFY); none: it never did.
    pub(crate) notify: Option<Box<Notify>>,
}

/// What was enabled (RFC 5161).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Enabled {
    pub(crate) condstore: bool,
    /// Implies `condstore`.
    pub(crate) qresync: bool,
    pub(crate) rev2: bool,
    /// UTF-8 in quoted strings, mailbox names and header fields (RFC 9755).
    pub(crate) utf8: bool,
    /// METADATA responses unasked (RFC 5464).
    pub(crate) metadata: bool,
    /// No sequence numbers any more, in either direction (RFC 9586).
    pub(crate) uid_only: bool,
}

/// The selected mailbox.
pub(crate) struct Selected {
    /// Its account, which need not be the user's own.
    pub(crate) access: Access,
    pub(crate) id: MailboxId,
    pub(crate) view: View,
    pub(crate) read_only: bool,
    /// It was deleted, or may not be read any more: to this session it stays empty.
    pub(crate) lost: bool,
    /// The result of the last SEARCH that saved it (RFC 5182).
    pub(crate) saved: UidSet,
}

/// What a command after login works with.
pub(crate) struct Context<'a> {
    pub(crate) services: &'a ImapServices,
    pub(crate) user: &'a mut User,
    pub(crate) now: UnixMs,
    pub(crate) out: &'a mut Vec<u8>,
    /// Flags that the command's own answer told already.
    pub(crate) known: Vec<Known>,
}

impl Context<'_> {
    pub(crate) fn w(&mut self) -> Writer<'_> {
        let dialect = self.user.dialect();
        Writer::new(self.out, dialect)
    }
    /// The selected mailbox.
    pub(crate) fn selected(&self) -> Result<&Selected, Reply> {
        self.user.selected.as_ref().ok_or_else(not_selected)
    }
    /// The selected mailbox, if it may be changed.
    pub(crate) fn selected_for_writing(&self) -> Result<&Selected, Reply> {
        match self.selected()? {
            selected if selected.read_only => {
                Err(Reply::no(crate::codec::Code::ReadOnly, "the mailbox was opened read-only"))
            }
            selected if !selected.is_there() => Err(mailbox_gone()),
            selected => Ok(selected),
        }
    }
    /// The selected mailbox, if there are still messages to take from it, and the user may (RFC 4314 §4: `r`).
    pub(crate) fn selected_to_copy_from(&self) -> Result<&Selected, Reply> {
        match self.selected()? {
            selected if !selected.is_there() => Err(mailbox_gone()),
            selected => allowed(selected.rights(), Rights::READ).map(|()| selected),
        }
    }
    /// The selected mailbox, if it can be read (RFC 4314 §4: `r`): one that was deleted can, as long as the client has not been told.
    pub(crate) fn selected_for_reading(&self) -> Result<&Selected, Reply> {
        match self.selected()? {
            selected if !selected.is_there() && selected.view.exists() == 0 => Err(mailbox_gone()),
            selected if !selected.is_there() => Ok(selected),
            selected => allowed(selected.rights(), Rights::READ).map(|()| selected),
        }
    }
}

/// RFC 9051 §6.3.5 leaves to the server what a session may still do in a mailbox that another one deleted: it may close it.
fn mailbox_gone() -> Reply {
    Reply::no(crate::codec::Code::NonExistent, "the mailbox was deleted")
}

pub(crate) fn not_selected() -> Reply {
    Reply::bad("no mailbox is selected")
}

impl Selected {
    /// What the user may do with it now.
    pub(crate) fn rights(&self) -> Rights {
        self.access.rights_now(self.id)
    }
    /// Whether the mailbox still exists.
    pub(crate) fn is_there(&self) -> bool {
        self.access.state().mailboxes.contains_key(&self.id)
    }
}

impl User {
    pub(crate) fn new(account: Arc<Account>, id: AccountId) -> Self {
        Self {
            own: Access::owner(account),
            id,
            enabled: Enabled::default(),
            annotations_told: None,
            selected: None,
            looked_at: ModSeq::default(),
            heard_at: (ModSeq::default(), ModSeq::default()),
            notify: None,
        }
    }
    /// Resolves when something has changed since the session heard of it last. Safe to drop.
    pub(crate) async fn changed(&self) {
        let (own, selected) = self.heard_at;
        let (own, selected) = (pin!(self.own.changed(own)), pin!(self.access().changed(selected)));
        select(own, selected).await;
    }
    /// Whether events are told between commands.
    pub(crate) fn listens(&self) -> bool {
        self.notify.as_ref().is_some_and(|notify| notify.listens())
    }
    /// Whether anything is told within IDLE: what NOTIFY asked for, or else changes of the selected mailbox (RFC 5465 §4).
    pub(crate) fn listens_in_idle(&self) -> bool {
        match &self.notify {
            Some(notify) => notify.listens(),
            None => self.selected.is_some() || self.enabled.metadata,
        }
    }
    /// Whether EXPUNGE waits for a command that permits it.
    pub(crate) fn delays_expunge(&self) -> bool {
        self.notify.as_ref().and_then(|notify| notify.selected.as_ref()).is_some_and(|events| events.delayed)
    }
    /// Remembers a change that this session made, so that it is not told of it.
    pub(crate) fn made(&mut self, account: AccountId, change: OwnChange) {
        if let Some(notify) = &mut self.notify {
            notify.made(account, change);
        }
    }
    /// The selected mailbox, if it is one of the user's own.
    pub(crate) fn own_selected(&self) -> Option<MailboxId> {
        self.selected.as_ref().filter(|selected| selected.access.id() == self.id).map(|selected| selected.id)
    }
    /// The account of the selected mailbox, or the user's own.
    pub(crate) fn access(&self) -> &Access {
        self.selected.as_ref().map_or(&self.own, |selected| &selected.access)
    }
    pub(crate) fn dialect(&self) -> Dialect {
        Dialect { utf8: self.enabled.rev2 || self.enabled.utf8, uid_only: self.enabled.uid_only }
    }

    /// Names the annotations that others changed (RFC 5464 §4.4.2): those of the user's own account.
    fn tell_annotations(&mut self, out: &mut Vec<u8>) {
        let dialect = self.dialect();
        let Some(told) = &mut self.annotations_told else { return };
        let state = self.own.state();
        if !Arc::ptr_eq(told, &state.annotations) {
            // With NOTIFY the client hears of them as it asked there, and not otherwise (RFC 5465 §5.6).
            if self.notify.is_none() {
                metadata::push_changes(told, &state, |_| true, &mut Writer::new(out, dialect));
            }
            *told = Arc::clone(&state.annotations);
        }
    }

    /// Tells the client what has changed, as far as permitted here and wanted. What is left to do: to fetch what it wants to
    /// know of new messages (RFC 5465 §5.2).
    #[must_use]
    pub(crate) async fn sync(&mut self, expunge: bool, known: &[Known], out: &mut Vec<u8>) -> Option<Job> {
        self.heard_at = (self.own.state().modseq, self.access().state().modseq);
        self.tell_annotations(out);
        let added = self.sync_selected(expunge, known, out).await;
        let job = self.fetch_new(&added);
        self.tell_others(out);
        job
    }

    /// A FETCH of new messages, if the client asked for one. Not of those it brought in itself.
    fn fetch_new(&self, added: &[Uid]) -> Option<Job> {
        let events = self.notify.as_ref()?.selected.as_ref()?;
        let selected = self.selected.as_ref()?;
        let notify = self.notify.as_ref()?;
        let foreign = added.iter().filter(|uid| !notify.brought(selected.access.id(), selected.id, **uid));
        let wanted = foreign.filter_map(|uid| selected.view.seq_of(*uid));
        let seqs = ranges(wanted);
        if events.items.is_empty() || seqs.is_empty() {
            return None;
        }
        let mut items = events.items.clone();
        if self.enabled.qresync && !self.enabled.uid_only && !items.contains(&Item::Uid) {
            items.insert(0, Item::Uid);
        }
        Some(Job::Fetch(Box::new(FetchJob::of_new(items, seqs))))
    }

    /// What NOTIFY asked to be told of the other mailboxes.
    fn tell_others(&mut self, out: &mut Vec<u8>) {
        let dialect = self.dialect();
        let selected = self.own_selected();
        let Some(notify) = &mut self.notify else { return };
        let now = self.own.state();
        let telling = Telling { account: self.id, selected, condstore: self.enabled.condstore };
        if !notify.tell(&now, telling, &mut Writer::new(out, dialect)) {
            // RFC 5465 §5.8: as if NOTIFY NONE had been said.
            **notify = Notify::none(now);
        }
    }

    /// Tells what changed in the selected mailbox. The messages that are new.
    async fn sync_selected(&mut self, expunge: bool, known: &[Known], out: &mut Vec<u8>) -> Vec<Uid> {
        let dialect = self.dialect();
        let Some(selected) = &mut self.selected else { return Vec::new() };
        let flags = match self.notify.as_ref().map(|notify| (notify, &notify.selected)) {
            None => true,
            Some((_, Some(events))) => events.flags,
            // Nothing of the selected mailbox is wanted. What this session has changed in it is told, since its own view of
            // the mailbox follows from it.
            Some((notify, None)) if notify.has_changed(selected.access.id(), selected.id) => true,
            Some(_) => return Vec::new(),
        };
        let state = selected.access.state();
        let nothing_new = state.modseq == self.looked_at && !(expunge && selected.view.has_ghosts());
        if nothing_new {
            return Vec::new();
        }
        let now = match state.mailboxes.get(&selected.id) {
            _ if selected.lost => Err(StoreError::NoMailbox),
            // Whoever may not read it any more has lost it.
            Some(mailbox) if !selected.access.rights(mailbox).has(Rights::READ) => Err(StoreError::NoMailbox),
            Some(mailbox) if mailbox.highest_modseq == selected.view.told().highest_modseq => {
                Ok(Arc::clone(selected.view.told()))
            }
            Some(_) => selected.access.open(selected.id).await,
            None => Err(StoreError::NoMailbox),
        };
        let now = match now {
            Ok(now) => now,
            // Deleted under the session's feet: to it, every message is gone.
            Err(StoreError::NoMailbox | StoreError::NoAccount) => {
                selected.lost = true;
                let told = selected.view.told();
                Arc::new(MailboxState {
                    pages: Some(Arc::from([])),
                    counts: Default::default(),
                    ..(**told).clone()
                })
            }
            // Not readable now; told at the next occasion.
            Err(_) => return Vec::new(),
        };
        let permits = Permits {
            expunge,
            flags,
            modseq: self.enabled.condstore,
            vanished: self.enabled.qresync || self.enabled.uid_only,
            recent: !self.enabled.rev2,
            known,
        };
        let added = selected.view.advance(now, permits, &mut Writer::new(out, dialect));
        self.looked_at = state.modseq;
        added
    }
}
