//! What a client asked to hear of unasked, and what of it has happened: NOTIFY (RFC 5465). Compares the account as it was told last with
//! the account as it is: however much has happened between the two, each mailbox is told of once. Never reads the store.
//!
//! Events of the selected mailbox are `user.rs`'s; this module tells of the others, and of names and subscriptions.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use yubin_base::AccountId;
use yubin_store::{AccountState, MailboxId, MailboxState, ModSeq, Uid};

use crate::{
    codec::{
        Code, Writer,
        notify::{Events, Filter, Group, SelectedEvents},
        request::{StatusItem, special_use_attribute},
    },
    command::{Told, metadata, push_status},
    limits,
};

/// What a client wants to hear of.
pub(crate) struct Notify {
    /// Of the selected mailbox; none: nothing.
    pub(crate) selected: Option<SelectedEvents>,
    groups: Vec<Group>,
    /// The account as it was told last.
    told: Arc<AccountState>,
    /// Changes that this session made since: of those it is not told (RFC 5465 §5).
    own: Vec<(AccountId, OwnChange)>,
}

/// A change that this session made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnChange {
    modseq: ModSeq,
    /// The mailbox whose messages it changed.
    mailbox: Option<MailboxId>,
    /// The UIDs that came: the first, and how many.
    arrived: (u32, u32),
    /// How many messages went.
    left: u32,
}

impl OwnChange {
    /// To a mailbox's name, or to a subscription.
    pub(crate) fn of_names(modseq: ModSeq) -> Self {
        Self { modseq, mailbox: None, arrived: (0, 0), left: 0 }
    }
    /// To flags.
    pub(crate) fn of_flags(modseq: ModSeq, mailbox: MailboxId) -> Self {
        Self { mailbox: Some(mailbox), ..Self::of_names(modseq) }
    }
    /// Messages came, with UIDs that follow on each other.
    pub(crate) fn arrived(modseq: ModSeq, mailbox: MailboxId, first: Uid, count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Self { arrived: (first.0, count), ..Self::of_flags(modseq, mailbox) }
    }
    /// Messages went.
    pub(crate) fn left(modseq: ModSeq, mailbox: MailboxId, count: usize) -> Self {
        Self { left: u32::try_from(count).unwrap_or(u32::MAX), ..Self::of_flags(modseq, mailbox) }
    }
}

/// What is told besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Telling {
    /// The account: the user's own. Mailboxes of others are told of while they are selected, and not otherwise.
    pub(crate) account: AccountId,
    /// The selected mailbox, if it is one of the account: its messages are told of elsewhere.
    pub(crate) selected: Option<MailboxId>,
    pub(crate) condstore: bool,
}

impl Notify {
    /// Nothing at all (NOTIFY NONE).
    pub(crate) fn none(now: Arc<AccountState>) -> Self {
        Self { selected: None, groups: Vec::new(), told: now, own: Vec::new() }
    }
    /// These events from now on. Names are spelled as the store spells them.
    pub(crate) fn new(selected: Option<SelectedEvents>, groups: Vec<Group>, now: Arc<AccountState>) -> Self {
        let canonical =
            |names: BTreeSet<String>| names.iter().map(|n| yubin_store::canonical_name(n)).collect();
        let groups = groups.into_iter().map(|group| Group {
            filter: match group.filter {
                Filter::Subtree(names) => Filter::Subtree(canonical(names)),
                Filter::Mailboxes(names) => Filter::Mailboxes(canonical(names)),
                other => other,
            },
            ..group
        });
        Self { selected, groups: groups.collect(), told: now, own: Vec::new() }
    }
    /// Whether anything is to be told between commands.
    pub(crate) fn listens(&self) -> bool {
        self.selected.is_some() || !self.groups.is_empty()
    }
    /// Remembers a change of this session's own.
    pub(crate) fn made(&mut self, account: AccountId, change: OwnChange) {
        // A session that makes this many between two answers is told of some of its own.
        if self.own.len() < limits::NOTIFY_OWN_CHANGES {
            self.own.push((account, change));
        }
    }
    /// Whether this session changed messages of the mailbox since it was told last.
    pub(crate) fn has_changed(&self, account: AccountId, mailbox: MailboxId) -> bool {
        self.own.iter().any(|(of, own)| *of == account && own.mailbox == Some(mailbox))
    }

    /// Whether this session brought the message into the mailbox.
    pub(crate) fn brought(&self, account: AccountId, mailbox: MailboxId, uid: Uid) -> bool {
        let is_it = |&(first, count): &(u32, u32)| uid.0 >= first && uid.0 - first < count;
        self.own.iter().any(|(of, own)| *of == account && own.mailbox == Some(mailbox) && is_it(&own.arrived))
    }

    /// The events that a mailbox's name, in a state of the account, is watched for.
    fn events(&self, name: &str, state: &AccountState) -> Events {
        let mut sum = Events::default();
        for Group { filter, events } in &self.groups {
            let matches = match filter {
                Filter::Personal => true,
                // Where Sieve and plus-addresses deliver to is not known beforehand, so all of them are (RFC 5465 §6.3).
                Filter::Inboxes => true,
                Filter::Subscribed => is_subscribed(state, name),
                Filter::Mailboxes(names) => names.contains(name),
                Filter::Subtree(names) => {
                    names.contains(name) || parents(name).any(|parent| names.contains(parent))
                }
            };
            if matches {
                sum.messages |= events.messages;
                sum.flags |= events.flags;
                sum.names |= events.names;
                sum.subscriptions |= events.subscriptions;
                sum.annotations |= events.annotations;
            }
            sum.server_annotations |= events.server_annotations;
        }
        sum
    }

    /// How things are now, for NOTIFY SET STATUS (RFC 5465 §3.1): one STATUS for each mailbox whose messages are watched.
    pub(crate) fn tell_status(&self, selected: Option<MailboxId>, w: &mut Writer<'_>) {
        use StatusItem::{HighestModSeq, Messages, UidNext, UidValidity};
        for mailbox in self.told.by_name().filter(|m| !m.no_select && Some(m.id) != selected) {
            let events = self.events(&mailbox.name, &self.told);
            if events.messages {
                let items = [Messages, UidNext, UidValidity, HighestModSeq];
                let items = if events.flags { &items[..] } else { items.get(..3).unwrap_or_default() };
                push_status(&Told::counted(mailbox), items, 0, w);
            }
        }
    }

    /// Tells what has happened since the client was told last. False: it is more than is told at once; the client hears
    /// that, and nothing more (RFC 5465 §5.8).
    #[must_use]
    pub(crate) fn tell(&mut self, now: &Arc<AccountState>, telling: Telling, w: &mut Writer<'_>) -> bool {
        let told = std::mem::replace(&mut self.told, Arc::clone(now));
        let own = std::mem::take(&mut self.own).into_iter().filter(|(of, _)| *of == telling.account);
        let own: Vec<OwnChange> = own.map(|(_, own)| own).collect();
        if self.groups.is_empty() || Arc::ptr_eq(&told, now) {
            return true;
        }
        let change =
            Difference { told: &told, now, only_own: covers(&own, told.modseq, now.modseq), own: &own };
        let names = change.names(|name, state| self.events(name, state));
        let start = w.out.len();
        let mut responses = names.len();
        for (name, old) in names {
            push_list(&name, old.as_deref(), now, w);
        }
        if !change.only_own {
            let wanted = |name: Option<&str>| {
                let events = self.events(name.unwrap_or_default(), now);
                if name.is_some() { events.annotations } else { events.server_annotations }
            };
            metadata::push_changes(&told.annotations, now, wanted, w);
        }
        for mailbox in now.mailboxes.values().filter(|m| !m.no_select && Some(m.id) != telling.selected) {
            let Some(before) = change.before(mailbox) else { continue };
            let events = self.events(&mailbox.name, now);
            let items = change.status(mailbox, &before, events, telling.condstore);
            if !items.is_empty() {
                responses += 1;
                if responses <= limits::NOTIFY_RESPONSES {
                    push_status(&Told::counted(mailbox), &items, 0, w);
                }
            }
        }
        if responses <= limits::NOTIFY_RESPONSES {
            return true;
        }
        w.out.truncate(start);
        w.untagged_ok(&Code::NotificationOverflow, "too much has happened; nothing more is told");
        false
    }
}

/// Two states of the account.
struct Difference<'a> {
    told: &'a AccountState,
    now: &'a AccountState,
    /// Nobody but this session made commits between the two. Deliveries can share one with an APPEND, though.
    only_own: bool,
    own: &'a [OwnChange],
}

impl Difference<'_> {
    /// The mailbox as it was told, if something has changed that others did. A new one was empty.
    fn before(&self, mailbox: &Arc<MailboxState>) -> Option<Arc<MailboxState>> {
        let Some(before) = self.told.mailboxes.get(&mailbox.id) else {
            // One that came under a name that another had is told of even when it is empty: its UIDVALIDITY is new.
            let uid_next = if self.told.named(&mailbox.name).is_some() { Uid(0) } else { Uid(1) };
            return (!self.only_own).then(|| Arc::new(MailboxState { uid_next, ..MailboxState::default() }));
        };
        let same = Arc::ptr_eq(before, mailbox) || before.highest_modseq == mailbox.highest_modseq;
        if same || self.is_own(before, mailbox) {
            return None;
        }
        Some(Arc::clone(before))
    }

    fn is_own(&self, before: &MailboxState, now: &MailboxState) -> bool {
        let own = self.own.iter().filter(|own| own.mailbox == Some(now.id));
        let (arrived, left) =
            own.fold((0, 0), |(a, l), own| (a + u64::from(own.arrived.1), l + u64::from(own.left)));
        self.only_own
            && u64::from(now.uid_next.0) == u64::from(before.uid_next.0) + arrived
            && u64::from(now.counts.messages) + left == u64::from(before.counts.messages) + arrived
    }

    /// What STATUS says of a mailbox: nothing when what has changed is not watched (RFC 5465 §5.1 to §5.3).
    fn status(
        &self,
        now: &MailboxState,
        before: &MailboxState,
        events: Events,
        condstore: bool,
    ) -> Vec<StatusItem> {
        use StatusItem::{HighestModSeq, Messages, UidNext, UidValidity, Unseen};
        let moved = now.uid_next != before.uid_next || now.counts.messages != before.counts.messages;
        let unseen = now.counts.unseen != before.counts.unseen;
        let mut items = Vec::new();
        if moved && events.messages {
            items.extend([Messages, UidNext, UidValidity]);
        } else if events.flags && (condstore || unseen) && !moved {
            items.push(UidValidity);
        }
        if !items.is_empty() {
            items.extend(Some(HighestModSeq).filter(|_| condstore));
            items.extend(Some(Unseen).filter(|_| events.flags && unseen));
        }
        items
    }

    /// The names to be told of, each with the one it had before if it was renamed (RFC 5465 §5.4, §5.5).
    fn names(&self, events: impl Fn(&str, &AccountState) -> Events) -> BTreeMap<String, Option<String>> {
        let mut out = BTreeMap::new();
        if self.only_own {
            return out;
        }
        let watched = |name: &str| events(name, self.now).names || events(name, self.told).names;
        if !self.told.has_the_names_of(self.now) {
            let gone = self.told.mailboxes.values().filter(|m| !self.now.mailboxes.contains_key(&m.id));
            let made = self.now.mailboxes.values().filter(|m| !self.told.mailboxes.contains_key(&m.id));
            for mailbox in gone.chain(made) {
                // RFC 5465 §5.4: the level above is affected too.
                let above = mailbox.name.rsplit_once('/').map(|(above, _)| above);
                for name in [Some(mailbox.name.as_str()), above].into_iter().flatten().filter(|n| watched(n))
                {
                    out.entry(name.to_owned()).or_default();
                }
            }
            for mailbox in self.now.mailboxes.values() {
                let old = self.told.mailboxes.get(&mailbox.id).filter(|old| old.name != mailbox.name);
                if let Some(old) = old.filter(|old| !self.went_along(&old.name, &mailbox.name))
                    && (watched(&mailbox.name) || watched(&old.name))
                {
                    out.insert(mailbox.name.clone(), Some(old.name.clone()));
                }
            }
        }
        let (before, after) = (&self.told.subscribed, &self.now.subscribed);
        if !Arc::ptr_eq(before, after) {
            let before: BTreeSet<&String> = before.iter().collect();
            let after: BTreeSet<&String> = after.iter().collect();
            let told =
                |name: &str| events(name, self.now).subscriptions || events(name, self.told).subscriptions;
            for name in before.symmetric_difference(&after).filter(|name| told(name)) {
                out.entry((*name).clone()).or_default();
            }
        }
        out
    }

    /// Whether a mailbox has another name only because the one above it has.
    fn went_along(&self, old: &str, new: &str) -> bool {
        let (Some((old_above, old_leaf)), Some((new_above, new_leaf))) =
            (old.rsplit_once('/'), new.rsplit_once('/'))
        else {
            return false;
        };
        let above = self.told.named(old_above).and_then(|above| self.now.mailboxes.get(&above.id));
        old_leaf == new_leaf && above.is_some_and(|above| above.name == new_above)
    }
}

/// Whether all commits between two were this session's own.
fn covers(own: &[OwnChange], told: ModSeq, now: ModSeq) -> bool {
    let own: BTreeSet<u64> =
        own.iter().map(|own| own.modseq.0).filter(|n| (told.0 + 1..=now.0).contains(n)).collect();
    own.len() as u64 == now.0.saturating_sub(told.0)
}

fn is_subscribed(state: &AccountState, name: &str) -> bool {
    state.subscribed.binary_search_by(|s| s.as_str().cmp(name)).is_ok()
}

/// The levels above a name.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

/// `* LIST (\Subscribed) "/" new ("OLDNAME" ("old"))`
fn push_list(name: &str, old: Option<&str>, now: &AccountState, w: &mut Writer<'_>) {
    let mailbox = now.named(name);
    let mut attributes = Vec::new();
    match mailbox {
        None => attributes.push("\\NonExistent"),
        Some(mailbox) if mailbox.no_select => attributes.push("\\Noselect"),
        Some(_) => {}
    }
    let has_children = now.below(name).next().is_some();
    attributes.push(if has_children { "\\HasChildren" } else { "\\HasNoChildren" });
    attributes.extend(is_subscribed(now, name).then_some("\\Subscribed"));
    attributes.extend(mailbox.and_then(|m| m.special_use).map(special_use_attribute));
    w.raw("* LIST (").raw(&attributes.join(" ")).raw(") \"/\" ").mailbox(name);
    if let Some(old) = old {
        w.raw(" (\"OLDNAME\" (").mailbox(old).raw("))");
    }
    w.raw("\r\n");
}
