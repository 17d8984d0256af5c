//! From a name to a mailbox, in whichever account it is, and whether the user may do with it what is asked. Every command that names
//! a mailbox comes through here. RFC 4314 §4, §6; RFC 9051 §6.3.10 (namespaces).
//!
//! Whoever lacks a right and may not look the mailbox up either is told what they would be told if it were not there.

use std::sync::Arc;

use yubin_store::{Access, MailboxState, OTHER_USERS, PUBLIC, Rights, StoreError, Viewer};

use crate::{
    ImapServices, Person,
    codec::Code,
    session::{
        reply::Reply,
        user::{Context, User},
    },
};

/// A mailbox that a name led to.
#[derive(Clone)]
pub(crate) struct Reached {
    /// Its account, as the user reaches it.
    pub(crate) access: Access,
    pub(crate) mailbox: Arc<MailboxState>,
    /// Its name, as the user sees it.
    pub(crate) name: String,
}

/// A name in an account, whether a mailbox has it or not.
pub(crate) struct Place {
    pub(crate) access: Access,
    /// The name in the account.
    pub(crate) name: String,
}

impl Reached {
    /// What the user may do with the mailbox.
    pub(crate) fn rights(&self) -> Rights {
        self.access.rights(&self.mailbox)
    }
    /// The mailbox, if it holds messages.
    pub(crate) fn selectable(self) -> Result<Self, Reply> {
        if self.mailbox.no_select {
            return Err(Reply::no(Code::Cannot, "this name only holds others"));
        }
        Ok(self)
    }
}

impl Context<'_> {
    /// The mailbox of that name, if the user may do all of this with it.
    pub(crate) async fn reach(&self, name: &str, needed: Rights) -> Result<Reached, Reply> {
        reach(self.services, self.user, name, needed).await
    }
    /// The mailbox of that name, to put messages into.
    pub(crate) async fn target(&self, name: &str) -> Result<Reached, Reply> {
        target(self.services, self.user, name).await
    }
    /// Where a mailbox of that name is or would be.
    pub(crate) async fn place(&self, name: &str) -> Result<Option<Place>, Reply> {
        place(self.services, self.user, name).await
    }
    /// The account of the selected mailbox, or the user's own.
    pub(crate) fn access(&self) -> &Access {
        self.user.selected.as_ref().map_or(&self.user.own, |selected| &selected.access)
    }
}

/// See [`Context::reach`].
pub(crate) async fn reach(
    services: &ImapServices,
    user: &User,
    name: &str,
    needed: Rights,
) -> Result<Reached, Reply> {
    let reached = find(services, user, name).await?.ok_or_else(no_such_mailbox)?;
    allowed(reached.rights(), needed)?;
    Ok(reached)
}

/// See [`Context::target`]. RFC 9051 §6.3.12, §6.4.7: TRYCREATE when the mailbox is missing and may be made.
pub(crate) async fn target(services: &ImapServices, user: &User, name: &str) -> Result<Reached, Reply> {
    let found = find(services, user, name).await?.filter(|found| !found.mailbox.no_select);
    match found {
        Some(found) if found.rights().has(Rights::INSERT) => Ok(found),
        Some(found) if found.rights().has(Rights::LOOKUP) => Err(not_permitted()),
        _ if may_create(services, user, name).await? => Err(Reply::try_create()),
        _ => Err(no_such_mailbox()),
    }
}

/// Whether the user may make a mailbox of that name, as far as rights go: `k` on the nearest level above (RFC 4314 §4).
pub(crate) async fn may_create(services: &ImapServices, user: &User, name: &str) -> Result<bool, Reply> {
    let Some(place) = place(services, user, name).await? else { return Ok(false) };
    Ok(place.access.is_owner() || place.rights_above().has(Rights::CREATE))
}

impl Place {
    /// What the user may do with the nearest mailbox above the name.
    pub(crate) fn rights_above(&self) -> Rights {
        let above = self.name.rmatch_indices('/').filter_map(|(at, _)| self.name.get(..at));
        let nearest = above.filter_map(|name| self.access.mailbox_named(name)).next();
        nearest.map_or(Rights::NONE, |mailbox| self.access.rights(&mailbox))
    }
}

/// Whether rights suffice; otherwise the answer, which is that of a missing mailbox for those who may not see it.
pub(crate) fn allowed(rights: Rights, needed: Rights) -> Result<(), Reply> {
    match rights {
        rights if rights.has(needed) => Ok(()),
        rights if rights.has(Rights::LOOKUP) => Err(not_permitted()),
        _ => Err(no_such_mailbox()),
    }
}

pub(crate) fn no_such_mailbox() -> Reply {
    Reply::no(Code::NonExistent, "there is no such mailbox")
}

pub(crate) fn not_permitted() -> Reply {
    Reply::no(Code::NoPerm, "the rights you have there do not allow that")
}

/// Every mailbox that the user may read, by name: its own, and others' too if they are asked for.
pub(crate) async fn all_readable(cx: &Context<'_>, others: bool) -> Result<Vec<Reached>, Reply> {
    let mut accounts = vec![(String::new(), cx.user.own.clone())];
    if others {
        let me = Viewer { id: cx.user.id, neighbour: true };
        for account in cx.services.store.sharers(me).await? {
            let owner = account.id();
            let Some(person) = cx.services.people.person(owner) else { continue };
            let neighbour = cx.services.people.neighbours(cx.user.id, owner);
            accounts.push((prefix_of(&person), Access::viewer(account, Viewer { neighbour, ..me })));
        }
    }
    let mut all = Vec::new();
    for (prefix, access) in accounts {
        let state = access.state();
        for mailbox in state.mailboxes.values().filter(|mailbox| !mailbox.no_select) {
            let name = format!("{prefix}{}", mailbox.name);
            let reached = Reached { access: access.clone(), mailbox: Arc::clone(mailbox), name };
            if reached.rights().has(Rights::READ) {
                all.push(reached);
            }
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The mailbox of that name, whatever the user may do with it.
pub(crate) async fn find(services: &ImapServices, user: &User, name: &str) -> Result<Option<Reached>, Reply> {
    let Some(place) = place(services, user, name).await? else { return Ok(None) };
    let Some(mailbox) = place.access.mailbox_named(&place.name) else { return Ok(None) };
    // In another's namespace the name is what the client wrote; its own names have one spelling.
    let name = if place.access.id() == user.id {
        mailbox.name.clone()
    } else {
        let above = name.get(..name.len().saturating_sub(place.name.len())).unwrap_or_default();
        format!("{above}{}", mailbox.name)
    };
    Ok(Some(Reached { access: place.access, mailbox, name }))
}

/// See [`Context::place`].
pub(crate) async fn place(services: &ImapServices, user: &User, name: &str) -> Result<Option<Place>, Reply> {
    let own = || Place { access: user.own.clone(), name: name.to_owned() };
    let Some((public, rest)) = namespace_of(name) else { return Ok(Some(own())) };
    let Some((level, below)) = rest.split_once('/') else { return Ok(None) };
    let Some(owner) = decode_owner(level).and_then(|owner| services.people.find(&owner)) else {
        return Ok(None);
    };
    // One name for one mailbox: the primary address as it is written, in the one namespace where it belongs.
    if owner.public != public || encode_owner(&owner.address) != level || below.is_empty() {
        return Ok(None);
    }
    let access = match services.store.account(owner.id).await {
        Ok(account) => Access::viewer(account, viewer(services, user, owner.id)),
        Err(StoreError::NoAccount) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(Some(Place { access, name: below.to_owned() }))
}

/// The user, as somebody who looks at another account.
pub(crate) fn viewer(services: &ImapServices, user: &User, owner: yubin_base::AccountId) -> Viewer {
    Viewer { id: user.id, neighbour: services.people.neighbours(user.id, owner) }
}

/// Whether a name is in a namespace of other accounts: whether in the public one, and what follows.
fn namespace_of(name: &str) -> Option<(bool, &str)> {
    let below = |namespace: &str| name.strip_prefix(namespace)?.strip_prefix('/');
    below(OTHER_USERS).map(|rest| (false, rest)).or_else(|| below(PUBLIC).map(|rest| (true, rest)))
}

/// What stands before the names of an account's mailboxes, for others than its owner: `Other Users/bob@example.test/`.
pub(crate) fn prefix_of(owner: &Person) -> String {
    let namespace = if owner.public { PUBLIC } else { OTHER_USERS };
    format!("{namespace}/{}/", encode_owner(&owner.address))
}

/// An address as one level of a name: the separator cannot stand in it.
fn encode_owner(address: &str) -> String {
    address.replace('=', "=3D").replace('/', "=2F")
}

fn decode_owner(level: &str) -> Option<String> {
    let address = level.replace("=2F", "/").replace("=3D", "=");
    // One spelling only.
    (encode_owner(&address) == level).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_one_level() {
        for (address, level) in [
            ("ann@example.test", "ann@example.test"),
            ("a/b@example.test", "a=2Fb@example.test"),
            ("a=2Fb@example.test", "a=3D2Fb@example.test"),
        ] {
            assert_eq!(encode_owner(address), level);
            assert_eq!(decode_owner(level).as_deref(), Some(address));
        }
        assert_eq!(decode_owner("a=b@example.test"), None);
    }

    #[test]
    fn namespaces_end_at_a_level() {
        assert_eq!(namespace_of("Other Users/a/b"), Some((false, "a/b")));
        assert_eq!(namespace_of("Public Mailboxes/a"), Some((true, "a")));
        for own in ["Other Users", "Other Users 2/a", "other users/a", "INBOX"] {
            assert_eq!(namespace_of(own), None, "{own}");
        }
    }
}
