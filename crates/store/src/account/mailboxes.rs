//! Making, deleting and renaming mailboxes (RFC 9051 §6.3.4 to §6.3.8). Names are unique because every change expects
//! the account's modseq.

use std::{collections::BTreeSet, sync::Arc};

use yubin_base::UnixMs;
use yubin_engine::CommitError;

use super::{
    Account, MailboxChange,
    commit::{Outcome, Plan, Writer},
    copy::arrive,
};
use crate::{
    AccountState, Change, DocId, MailboxId, MailboxState, ModSeq, SpecialUse, StoreError, UidSet,
    UidValidity,
    apply::rows_in,
    limits,
    names::{self, INBOX},
};

impl Account {
    /// Makes a mailbox and the levels above it that are missing (RFC 9051 §6.3.4).
    pub async fn create_mailbox(
        &self,
        name: &str,
        special_use: Option<SpecialUse>,
        now: UnixMs,
    ) -> Result<MailboxChange, StoreError> {
        // A separator at the end only tells that names will be made below (RFC 9051 §6.3.4).
        let name = names::checked_own(name.strip_suffix('/').unwrap_or(name))?;
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let state = self.state();
            let mut plan = Plan::new(&writer);
            match state.named(&name) {
                Some(found) if !found.no_select => return Err(StoreError::MailboxExists),
                // A name that only held others becomes a mailbox, with an id of its own.
                Some(found) => plan.changes.push(Change::Deleted { mailbox: found.id }),
                None => {}
            }
            if let Some(role) = special_use
                && state.mailboxes.values().any(|mailbox| mailbox.special_use == Some(role))
            {
                // RFC 6154 §3: [USEATTR]
                return Err(StoreError::Cannot("another mailbox has this special use"));
            }
            make_parents(&mut plan, &state, &name, now);
            let id = make(&mut plan, &name, special_use, false, now);
            inherit(&mut plan, &state, &name);
            check_count(&state, &plan)?;
            if let Some(change) = self.done(&mut writer, plan, id, now).await? {
                return Ok(change);
            }
        }
        Err(CommitError::Conflict(0).into())
    }

    /// Deletes a mailbox and its messages; keeps the name as `\NoSelect` while it has children (RFC 9051 §6.3.5).
    /// `mailbox` is what the caller found under the name it was asked to delete: one that has another name by now is
    /// not deleted, as if the change of name had come first.
    pub async fn delete_mailbox(
        &self,
        mailbox: &MailboxState,
        now: UnixMs,
    ) -> Result<MailboxChange, StoreError> {
        let (mailbox, name) = (mailbox.id, &mailbox.name);
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let state = self.state();
            let known = still_named(&state, mailbox, name)?;
            if known.name == INBOX {
                return Err(StoreError::Cannot("INBOX cannot be deleted"));
            }
            if known.no_select {
                return Err(StoreError::Cannot("the name holds other mailboxes"));
            }
            let opened = self.opened(&mut writer, mailbox).await?;
            let state = self.state();
            let docs: Vec<DocId> = rows_of(&opened, &everything()).map(|row| row.doc).collect();
            let mut plan = Plan::of(&writer, Change::Deleted { mailbox });
            if state.below(&opened.name).next().is_some() {
                make(&mut plan, &opened.name, None, true, now);
            } else {
                drop_empty_parents(&mut plan, &state, &BTreeSet::from([mailbox]), &opened.name, None);
            }
            self.let_go(&mut plan, docs, now);
            if let Some(change) = self.done(&mut writer, plan, mailbox, now).await? {
                return Ok(change);
            }
        }
        Err(CommitError::Conflict(0).into())
    }

    /// Renames a mailbox and those below it; INBOX: moves its messages into a new mailbox (RFC 9051 §6.3.6).
    /// `mailbox` is what the caller found under the old name: one that has another name by now is left alone.
    pub async fn rename_mailbox(
        &self,
        mailbox: &MailboxState,
        name: &str,
        now: UnixMs,
    ) -> Result<MailboxChange, StoreError> {
        let name = names::checked_own(name.strip_suffix('/').unwrap_or(name))?;
        let (mailbox, old_name) = (mailbox.id, &mailbox.name);
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let mut state = self.state();
            let known = still_named(&state, mailbox, old_name)?.clone();
            if state.named(&name).is_some() {
                return Err(StoreError::MailboxExists);
            }
            let is_inbox = known.name == INBOX;
            if is_inbox {
                self.opened(&mut writer, mailbox).await?;
                state = self.state();
            }
            let mut plan = Plan::new(&writer);
            let id = if is_inbox {
                make_parents(&mut plan, &state, &name, now);
                let id = move_inbox(&mut plan, &state, mailbox, &name, now)?;
                inherit(&mut plan, &state, &name);
                id
            } else {
                rename(&mut plan, &state, &known, &name, now)?;
                mailbox
            };
            check_count(&state, &plan)?;
            if let Some(change) = self.done(&mut writer, plan, id, now).await? {
                return Ok(change);
            }
        }
        Err(CommitError::Conflict(0).into())
    }

    /// Subscribes to a name or gives it up.
    pub async fn subscribe(&self, name: &str, subscribed: bool) -> Result<ModSeq, StoreError> {
        let name = match subscribed {
            true => names::checked(name.strip_suffix('/').unwrap_or(name))?,
            false => names::canonical(name),
        };
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let state = self.state();
            let has = state.subscribed.binary_search_by(|s| s.as_str().cmp(&name)).is_ok();
            if has == subscribed {
                return Ok(state.modseq);
            }
            if subscribed && state.subscribed.len() >= limits::SUBSCRIPTIONS_PER_ACCOUNT {
                return Err(StoreError::Limit("too many subscriptions"));
            }
            let plan = Plan::of(&writer, Change::Subscribed { name: name.clone(), subscribed });
            let modseq = plan.modseq();
            // A subscription has no time of its own: it counts as made with the last change before.
            let at = writer.last_at;
            if let Outcome::Done(_) = self.commit(&mut writer, plan, at).await? {
                return Ok(modseq);
            }
        }
        Err(CommitError::Conflict(0).into())
    }

    /// Commits; nothing when the plan must be made again.
    async fn done(
        &self,
        writer: &mut Writer,
        plan: Plan,
        id: MailboxId,
        now: UnixMs,
    ) -> Result<Option<MailboxChange>, StoreError> {
        let modseq = plan.modseq();
        match self.commit(writer, plan, now).await? {
            Outcome::Done(_) => Ok(Some(MailboxChange { id, modseq })),
            Outcome::Again => Ok(None),
        }
    }
}

/// The mailboxes every account is made with, all subscribed.
pub(crate) const FIRST: [(&str, Option<SpecialUse>); 6] = [
    (INBOX, None),
    ("Drafts", Some(SpecialUse::Drafts)),
    ("Sent", Some(SpecialUse::Sent)),
    ("Junk", Some(SpecialUse::Junk)),
    ("Trash", Some(SpecialUse::Trash)),
    ("Archive", Some(SpecialUse::Archive)),
];

/// The plan of a new account.
pub(super) fn first_mailboxes(plan: &mut Plan, now: UnixMs) {
    for (name, role) in FIRST {
        make(plan, name, role, false, now);
    }
    for (name, _) in FIRST {
        plan.changes.push(Change::Subscribed { name: name.to_owned(), subscribed: true });
    }
}

/// The mailbox, if it has the name under which it was found.
fn still_named<'a>(
    state: &'a AccountState,
    mailbox: MailboxId,
    name: &str,
) -> Result<&'a Arc<MailboxState>, StoreError> {
    state.mailboxes.get(&mailbox).filter(|known| known.name == name).ok_or(StoreError::NoMailbox)
}

fn everything() -> UidSet {
    UidSet::from_ranges([(1, u32::MAX)])
}

fn rows_of<'a>(mailbox: &'a MailboxState, uids: &'a UidSet) -> impl Iterator<Item = &'a crate::Row> {
    rows_in(mailbox.pages.as_deref().unwrap_or_default(), uids)
}

/// A new mailbox. Its UIDVALIDITY is the time, or more where that was given already.
fn make(
    plan: &mut Plan,
    name: &str,
    special_use: Option<SpecialUse>,
    no_select: bool,
    now: UnixMs,
) -> MailboxId {
    let mailbox = MailboxId(plan.head.next_mailbox);
    plan.head.next_mailbox += 1;
    let seconds = u32::try_from(now.seconds()).unwrap_or(u32::MAX - limits::MAILBOXES_PER_ACCOUNT as u32);
    let uid_validity = UidValidity(plan.head.next_uid_validity.max(seconds).max(1));
    plan.head.next_uid_validity = uid_validity.0.saturating_add(1);
    plan.changes.push(Change::Created {
        mailbox,
        name: name.to_owned(),
        uid_validity,
        special_use,
        no_select,
    });
    mailbox
}

/// The levels above that are missing, as mailboxes.
fn make_parents(plan: &mut Plan, state: &AccountState, name: &str, now: UnixMs) {
    for parent in names::parents(name) {
        if state.named(parent).is_none() {
            make(plan, parent, None, false, now);
        }
    }
}

/// RFC 4314 §4: what is made gets the rights of the nearest level above that was there.
fn inherit(plan: &mut Plan, state: &AccountState, name: &str) {
    let Some(above) = names::parents(name).filter_map(|parent| state.named(parent)).last() else { return };
    if above.acl.is_empty() {
        return;
    }
    let made = plan.changes.iter().filter_map(|change| match change {
        Change::Created { mailbox, .. } => Some(*mailbox),
        _ => None,
    });
    let acls: Vec<Change> = made.map(|mailbox| Change::Acl { mailbox, acl: above.acl.clone() }).collect();
    plan.changes.extend(acls);
}

fn check_count(state: &AccountState, plan: &Plan) -> Result<(), StoreError> {
    let made = plan.changes.iter().filter(|c| matches!(c, Change::Created { .. })).count();
    if made > 0 && state.mailboxes.len() + made > limits::MAILBOXES_PER_ACCOUNT {
        return Err(StoreError::Limit("too many mailboxes"));
    }
    Ok(())
}

/// Names that only held others go with the last of those. `new` is a name that comes with the same change.
fn drop_empty_parents(
    plan: &mut Plan,
    state: &AccountState,
    gone: &BTreeSet<MailboxId>,
    name: &str,
    new: Option<&str>,
) {
    let mut gone = gone.clone();
    let parents: Vec<&str> = names::parents(name).collect();
    for parent in parents.into_iter().rev() {
        let Some(found) = state.named(parent) else { continue };
        let needed = new.is_some_and(|new| names::is_below(new, parent))
            || state.below(parent).any(|other| !gone.contains(&other.id));
        if !found.no_select || needed {
            return;
        }
        gone.insert(found.id);
        plan.changes.push(Change::Deleted { mailbox: found.id });
    }
}

/// A mailbox and those below it get new names.
fn rename(
    plan: &mut Plan,
    state: &AccountState,
    mailbox: &MailboxState,
    name: &str,
    now: UnixMs,
) -> Result<(), StoreError> {
    if names::is_below(name, &mailbox.name) {
        return Err(StoreError::Cannot("a mailbox cannot be moved below itself"));
    }
    // New names go before the new parents in the log, so that no two mailboxes ever have one name.
    let mut moved = BTreeSet::new();
    let itself = state.mailboxes.get(&mailbox.id);
    for other in itself.into_iter().chain(state.below(&mailbox.name)) {
        let rest = other.name.strip_prefix(mailbox.name.as_str()).unwrap_or_default();
        let new =
            if rest.is_empty() { name.to_owned() } else { names::checked_own(&format!("{name}{rest}"))? };
        if state.named(&new).is_some() {
            return Err(StoreError::MailboxExists);
        }
        moved.insert(other.id);
        plan.changes.push(Change::Renamed { mailbox: other.id, name: new });
    }
    make_parents(plan, state, name, now);
    inherit(plan, state, name);
    drop_empty_parents(plan, state, &moved, &mailbox.name, Some(name));
    Ok(())
}

/// RFC 9051 §6.3.6: renaming INBOX moves its messages into a new mailbox and leaves INBOX empty; those below it stay.
fn move_inbox(
    plan: &mut Plan,
    state: &AccountState,
    inbox: MailboxId,
    name: &str,
    now: UnixMs,
) -> Result<MailboxId, StoreError> {
    let id = make(plan, name, None, false, now);
    if let Some(entries) = state.annotations.get(&Some(inbox)) {
        // RFC 5464 §4.1: INBOX keeps its annotations, and the new mailbox has them as well.
        let entries = entries.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
        plan.changes.push(Change::Annotated { mailbox: Some(id), entries });
    }
    let inbox = state.mailboxes.get(&inbox).ok_or(StoreError::NoMailbox)?;
    let uids = everything();
    let rows: Vec<_> = rows_of(inbox, &uids).copied().collect();
    if !rows.is_empty() {
        let target = MailboxState { id, uid_next: crate::Uid(1), ..MailboxState::default() };
        let (_, appended) = arrive(&rows, inbox, &target, plan.modseq(), now)?;
        let gone = UidSet::from_ranges([(1, inbox.uid_next.0.saturating_sub(1).max(1))]);
        plan.changes.push(Change::Expunged { mailbox: inbox.id, uids: gone });
        plan.changes.push(appended);
    }
    Ok(id)
}
