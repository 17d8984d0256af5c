//! GETMETADATA and SETMETADATA. RFC 5464; the METADATA responses of LIST (RFC 9590) and those unasked (RFC 5464 §4.4.2).
//! Annotations are the account's own. Those of the server that are shared are the operator's; clients cannot set them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use yubin_store::{AccountState, Annotations, MailboxId, Rights, StoreError};

use crate::{
    codec::{
        Code, Writer,
        metadata::{Depth, GetMetadata, SetMetadata, Wanted},
    },
    session::{
        notify::OwnChange,
        reach::{Reached, not_permitted},
        reply::Reply,
        user::Context,
    },
};

/// RFC 5464 §4.2.
pub(crate) async fn get(cx: &mut Context<'_>, get: &GetMetadata) -> Result<Reply, Reply> {
    let too_long = if get.mailbox.is_empty() {
        let entries = of_server(cx);
        push(&get.mailbox, &entries, &get.wanted, &mut cx.w())
    } else {
        let found = reach_for(cx, &get.mailbox).await?;
        push(&found.name, &of_mailbox(&found), &get.wanted, &mut cx.w())
    };
    Ok(match too_long {
        Some(octets) => Reply::ok_code(Code::MetadataLongEntries(octets), "some are longer"),
        None => Reply::ok("that is all"),
    })
}

/// RFC 5464 §4.3. All or nothing.
pub(crate) async fn set(cx: &mut Context<'_>, set: &SetMetadata) -> Result<Reply, Reply> {
    let begins = |prefix: &str| set.entries.iter().any(|(name, _)| name.starts_with(prefix));
    let (access, mailbox) = if set.mailbox.is_empty() {
        if begins("/shared/") {
            return Err(Reply::no(Code::NoPerm, "what is shared by all users is set by the operator"));
        }
        (cx.user.own.clone(), None)
    } else {
        let found = reach_for(cx, &set.mailbox).await?;
        if !found.access.is_owner() && begins("/private/") {
            return Err(Reply::no(Code::MetadataNoPrivate, "others' mailboxes keep nothing private"));
        }
        (found.access, Some(found.mailbox.id))
    };
    let most = yubin_store::limits::ANNOTATION_OCTETS;
    if set.entries.iter().any(|(_, value)| value.as_ref().is_some_and(|v| v.len() > most)) {
        return Err(Reply::no(Code::MetadataMaxSize(most as u64), "the value is too large"));
    }
    if set.entries.iter().any(|(name, _)| name.len() > yubin_store::limits::ANNOTATION_NAME_OCTETS) {
        return Err(Reply::no(Code::Limit, "the entry's name is too long"));
    }
    match access.annotate(mailbox, &set.entries, cx.now).await {
        Ok(modseq) => cx.user.made(access.id(), OwnChange::of_names(modseq)),
        Err(StoreError::Limit(why)) => return Err(Reply::no(Code::MetadataTooMany, why)),
        Err(error) => return Err(error.into()),
    }
    if let Some(told) = &mut cx.user.annotations_told
        && access.is_owner()
    {
        // RFC 5464 §4.3: who sets them is not told.
        set_told(Arc::make_mut(told), mailbox, &set.entries);
    }
    Ok(Reply::ok("set"))
}

async fn reach_for(cx: &Context<'_>, name: &str) -> Result<Reached, Reply> {
    let found = cx.reach(name, Rights::LOOKUP).await?;
    if may_see(found.rights()) { Ok(found) } else { Err(not_permitted()) }
}

/// RFC 5464 §3.3: `l`, and any one of `r`, `s`, `w`, `i` or `p`.
pub(crate) fn may_see(rights: Rights) -> bool {
    let any = [Rights::READ, Rights::SEEN, Rights::WRITE, Rights::INSERT, Rights::POST];
    rights.has(Rights::LOOKUP) && any.into_iter().any(|right| rights.has(right))
}

fn set_told(told: &mut Annotations, mailbox: Option<MailboxId>, entries: &[(String, Option<Vec<u8>>)]) {
    let own = told.entry(mailbox).or_default();
    for (name, value) in entries {
        match value {
            Some(value) => own.insert(name.clone(), value.as_slice().into()),
            None => own.remove(name),
        };
    }
}

type Entries = BTreeMap<String, Arc<[u8]>>;

/// The entries of a mailbox. What its owner keeps private is nobody else's.
pub(crate) fn of_mailbox(found: &Reached) -> Entries {
    let mut entries = entries_of(&found.access.state(), Some(found.mailbox.id));
    if !found.access.is_owner() {
        entries.retain(|name, _| !name.starts_with("/private/"));
    }
    entries
}

fn entries_of(state: &AccountState, mailbox: Option<MailboxId>) -> Entries {
    state.annotations.get(&mailbox).cloned().unwrap_or_default()
}

/// RFC 5464 §3.2.1.1: what the operator says, and what the account keeps for itself.
fn of_server(cx: &Context<'_>) -> Entries {
    let mut entries = entries_of(&cx.user.own.state(), None);
    let options = &cx.services.options;
    for (name, value) in [("/shared/admin", &options.administrator), ("/shared/comment", &options.comment)] {
        if let Some(value) = value {
            entries.insert(name.to_owned(), value.as_bytes().into());
        }
    }
    entries
}

/// `* METADATA mailbox (entry value ...)`. Tells how large the largest entry is that was left out for its size.
pub(crate) fn push(mailbox: &str, entries: &Entries, wanted: &Wanted, w: &mut Writer<'_>) -> Option<u64> {
    let mut found: BTreeMap<&str, Option<&[u8]>> = BTreeMap::new();
    let mut too_long = None;
    for base in &wanted.entries {
        let mut any = false;
        for (name, value) in entries.iter().filter(|(name, _)| is_wanted(name, base, wanted.depth)) {
            any = true;
            let octets = value.len() as u64;
            if wanted.octets_max.is_some_and(|most| octets > most) {
                too_long = too_long.max(Some(octets));
            } else {
                found.insert(name, Some(value));
            }
        }
        if !any && wanted.depth == Depth::Zero {
            found.entry(base).or_insert(None);
        }
    }
    if found.is_empty() {
        return too_long;
    }
    w.raw("* METADATA ").mailbox_or_none(mailbox).raw(" (");
    for (n, (name, value)) in found.into_iter().enumerate() {
        w.raw(if n > 0 { " " } else { "" }).astring(name.as_bytes()).raw(" ");
        match value {
            Some(value) => w.string8(value),
            None => w.raw("NIL"),
        };
    }
    w.raw(")\r\n");
    too_long
}

/// RFC 5464 §4.2.2.
fn is_wanted(name: &str, base: &str, depth: Depth) -> bool {
    match (name.strip_prefix(base), depth) {
        (Some(""), _) => true,
        (Some(rest), Depth::One) => rest.strip_prefix('/').is_some_and(|rest| !rest.contains('/')),
        (Some(rest), Depth::Infinity) => rest.starts_with('/'),
        _ => false,
    }
}

/// `* METADATA mailbox entry ...` for what changed between what a session was told of and a state (RFC 5464 §4.4.2).
/// Of those mailboxes that are wanted; of none: of the server as a whole.
pub(crate) fn push_changes(
    told: &Annotations,
    state: &AccountState,
    wanted: impl Fn(Option<&str>) -> bool,
    w: &mut Writer<'_>,
) {
    let mailboxes: BTreeSet<_> = told.keys().chain(state.annotations.keys()).collect();
    for id in mailboxes {
        let name = match id {
            None => "",
            Some(id) => match state.mailboxes.get(id) {
                Some(mailbox) => mailbox.name.as_str(),
                // Gone with its mailbox.
                None => continue,
            },
        };
        if !wanted(id.map(|_| name)) {
            continue;
        }
        let none = BTreeMap::new();
        let (before, now) = (told.get(id).unwrap_or(&none), state.annotations.get(id).unwrap_or(&none));
        let gone = before.keys().filter(|name| !now.contains_key(*name));
        let new = now.iter().filter(|(name, value)| before.get(*name) != Some(*value)).map(|(name, _)| name);
        let changed: Vec<&String> = gone.chain(new).collect();
        if !changed.is_empty() {
            w.raw("* METADATA ").mailbox_or_none(name);
            for name in changed {
                w.raw(" ").astring(name.as_bytes());
            }
            w.raw("\r\n");
        }
    }
}
