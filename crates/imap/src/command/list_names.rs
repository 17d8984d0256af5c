//! The names that LIST chooses from: the user's own mailboxes, names that are only subscribed to, and what others share with the user
//! (RFC 9051 §6.3.10). Others' mailboxes without `l` are not among them (RFC 4314 §4).

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use yubin_store::{Access, AccountState, MailboxState, OTHER_USERS, PUBLIC, Rights, SpecialUse, Viewer};

use crate::{
    codec::list::List,
    session::{
        reach::{Reached, prefix_of},
        reply::Reply,
        user::Context,
    },
};

use super::Pattern;

/// Accounts as they are now: the user's own, and those that share something, with what stands before their mailboxes' names.
pub(crate) struct Gathered {
    own: (Access, Arc<AccountState>),
    others: Vec<(String, Access, Arc<AccountState>)>,
}

impl Gathered {
    /// Looks at other accounts only if a pattern may match their names.
    pub(crate) async fn new(cx: &Context<'_>, patterns: &[Pattern]) -> Result<Self, Reply> {
        let own = (cx.user.own.clone(), cx.user.own.state());
        let reaches = |namespace| patterns.iter().any(|pattern| pattern.may_reach(namespace));
        let mut others = Vec::new();
        if reaches(OTHER_USERS) || reaches(PUBLIC) {
            let me = Viewer { id: cx.user.id, neighbour: true };
            for account in cx.services.store.sharers(me).await? {
                let owner = account.id();
                let Some(person) = cx.services.people.person(owner) else { continue };
                let neighbour = cx.services.people.neighbours(cx.user.id, owner);
                let access = Access::viewer(account, Viewer { neighbour, ..me });
                let state = access.state();
                others.push((prefix_of(&person), access, state));
            }
        }
        Ok(Self { own, others })
    }
}

/// Everything that has a name: mailboxes, levels above them that are none, and names that are only subscribed to.
pub(crate) struct Names<'a> {
    pub(crate) all: BTreeMap<Cow<'a, str>, Entry<'a>>,
}

/// What stands behind a name.
#[derive(Clone, Copy, Default)]
pub(crate) struct Entry<'a> {
    pub(crate) mailbox: Option<&'a Arc<MailboxState>>,
    /// The mailbox's account.
    access: Option<&'a Access>,
    /// A level above others' mailboxes that is no mailbox, or none that the user may see.
    pub(crate) level: bool,
    pub(crate) subscribed: bool,
}

impl<'a> Entry<'a> {
    /// Others' special uses are not the user's.
    pub(crate) fn special_use(&self) -> Option<SpecialUse> {
        self.access.filter(|access| access.is_owner()).and(self.mailbox)?.special_use
    }
    pub(crate) fn is_selected(&self, list: &List) -> bool {
        (!list.select.subscribed || self.subscribed)
            && (!list.select.special_use || self.special_use().is_some())
    }
    /// The mailbox, if it is one.
    pub(crate) fn reached(&self, name: &str) -> Option<Reached> {
        let (mailbox, access) = (self.mailbox?, self.access?);
        Some(Reached { access: access.clone(), mailbox: Arc::clone(mailbox), name: name.to_owned() })
    }
}

impl<'a> Names<'a> {
    pub(crate) fn new(gathered: &'a Gathered) -> Self {
        let mut all: BTreeMap<Cow<'a, str>, Entry<'a>> = BTreeMap::new();
        let (own, state) = &gathered.own;
        for mailbox in state.mailboxes.values() {
            let entry = all.entry(Cow::Borrowed(&mailbox.name)).or_default();
            (entry.mailbox, entry.access) = (Some(mailbox), Some(own));
        }
        for name in state.subscribed.iter() {
            all.entry(Cow::Borrowed(name)).or_default().subscribed = true;
        }
        for (prefix, access, state) in &gathered.others {
            for mailbox in state.mailboxes.values().filter(|m| access.rights(m).has(Rights::LOOKUP)) {
                let name = format!("{prefix}{}", mailbox.name);
                for (at, _) in name.match_indices('/') {
                    let above = name.get(..at).unwrap_or_default();
                    if !all.contains_key(above) {
                        all.insert(Cow::Owned(above.to_owned()), Entry { level: true, ..Entry::default() });
                    }
                }
                let entry = all.entry(Cow::Owned(name)).or_default();
                (entry.mailbox, entry.access, entry.level) = (Some(mailbox), Some(access), false);
            }
        }
        Self { all }
    }
    /// What lies below a name.
    pub(crate) fn below(&self, name: &str) -> impl Iterator<Item = (&Cow<'a, str>, &Entry<'a>)> {
        // Everything below begins with `name/`; the octet after `/` is `0`.
        let (from, to) = (format!("{name}/"), format!("{name}0"));
        self.all.range::<str, _>((
            std::ops::Bound::Included(from.as_str()),
            std::ops::Bound::Excluded(to.as_str()),
        ))
    }
}
