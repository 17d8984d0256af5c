//! GETACL, SETACL, DELETEACL, LISTRIGHTS and MYRIGHTS: who may do what with a mailbox. RFC 4314 §3.
//! The owner has every right, always, and is shown with them; nobody can take them away.

use yubin_store::{AclChange, Rights, Who};

use crate::{
    codec::{Code, Writer, acl::AclCommand},
    session::{
        reach::{Reached, allowed, no_such_mailbox},
        reply::Reply,
        user::Context,
    },
};

/// Rights of which one is enough to learn one's own (RFC 4314 §4).
const ANY: Rights = Rights::LOOKUP
    .with(Rights::READ)
    .with(Rights::INSERT)
    .with(Rights::CREATE)
    .with(Rights::DELETE_MAILBOX)
    .with(Rights::ADMINISTER);

pub(crate) async fn run(cx: &mut Context<'_>, command: AclCommand) -> Result<Reply, Reply> {
    match command {
        AclCommand::Get { mailbox } => get(cx, &mailbox).await,
        AclCommand::Set { mailbox, identifier, change } => set(cx, &mailbox, &identifier, change).await,
        AclCommand::Delete { mailbox, identifier } => {
            let nothing = AclChange::Replace(Rights::NONE);
            set(cx, &mailbox, &identifier, nothing).await
        }
        AclCommand::ListRights { mailbox, identifier } => list_rights(cx, &mailbox, &identifier).await,
        AclCommand::MyRights { mailbox } => my_rights(cx, &mailbox).await,
    }
}

/// RFC 4314 §3.3.
async fn get(cx: &mut Context<'_>, mailbox: &str) -> Result<Reply, Reply> {
    let found = cx.reach(mailbox, Rights::ADMINISTER).await?;
    let people = &cx.services.people;
    let mut entries: Vec<(String, Rights)> = Vec::new();
    if let Some(owner) = people.person(found.access.id()) {
        entries.push((owner.address, Rights::ALL));
    }
    for entry in found.mailbox.acl.entries() {
        let name = match entry.who {
            Who::Anyone => Some("anyone".to_owned()),
            // Whoever is gone is not shown: ids are not given twice.
            Who::Account(id) => people.person(id).map(|person| person.address),
        };
        let sign = if entry.negative { "-" } else { "" };
        entries.extend(name.map(|name| (format!("{sign}{name}"), entry.rights)));
    }
    let mut w = cx.w();
    w.raw("* ACL ").mailbox(&found.name);
    for (identifier, rights) in entries {
        w.raw(" ").astring(identifier.as_bytes()).raw(" ").raw(&written(rights));
    }
    w.raw("\r\n");
    Ok(Reply::ok("that is all"))
}

/// RFC 4314 §3.1, §3.2.
async fn set(
    cx: &mut Context<'_>,
    mailbox: &str,
    identifier: &[u8],
    change: AclChange,
) -> Result<Reply, Reply> {
    let found = cx.reach(mailbox, Rights::ADMINISTER).await?;
    let (who, negative) = identified(cx, identifier)?;
    if who == Who::Account(found.access.id()) {
        // What an owner has anyway can be said again.
        return match change {
            AclChange::Add(_) | AclChange::Replace(Rights::ALL) if !negative => Ok(Reply::ok("set")),
            _ => Err(Reply::no(Code::Cannot, "the owner keeps every right")),
        };
    }
    cx.services.store.set_acl(&found.access, found.mailbox.id, (who, negative), change, cx.now).await?;
    Ok(Reply::ok("set"))
}

/// RFC 4314 §3.4: rights that somebody has always, then those that can be given, each for itself. `c` and `d` are no rights of their
/// own, but may be named.
async fn list_rights(cx: &mut Context<'_>, mailbox: &str, identifier: &[u8]) -> Result<Reply, Reply> {
    let found = cx.reach(mailbox, Rights::ADMINISTER).await?;
    let (who, negative) = identified(cx, identifier)?;
    let is_owner = who == Who::Account(found.access.id()) && !negative;
    let mut w = cx.w();
    w.raw("* LISTRIGHTS ").mailbox(&found.name).raw(" ").astring(identifier);
    if is_owner {
        w.raw(" ").raw(&written(Rights::ALL));
    } else {
        w.raw(" \"\"");
        for letter in Rights::LETTERS.iter().map(|(letter, _)| *letter).chain(['c', 'd']) {
            w.raw(" ").raw(letter.encode_utf8(&mut [0; 4]));
        }
    }
    w.raw("\r\n");
    Ok(Reply::ok("that is all"))
}

/// RFC 4314 §3.5.
async fn my_rights(cx: &mut Context<'_>, mailbox: &str) -> Result<Reply, Reply> {
    let found: Reached = cx.reach(mailbox, Rights::NONE).await?;
    let rights = found.rights();
    if !rights.has_any(ANY) {
        return Err(allowed(rights, ANY).err().unwrap_or_else(no_such_mailbox));
    }
    push_my_rights(&found.name, rights, &mut cx.w());
    Ok(Reply::ok("that is all"))
}

/// Whom an identifier means, and whether it takes rights away (RFC 4314 §2). The directory has no groups.
fn identified(cx: &Context<'_>, identifier: &[u8]) -> Result<(Who, bool), Reply> {
    let nobody = || Reply::no(Code::Cannot, "nobody has that identifier");
    let text = std::str::from_utf8(identifier).map_err(|_| nobody())?;
    let (negative, name) = match text.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, text),
    };
    if name == "anyone" {
        return Ok((Who::Anyone, negative));
    }
    let person = cx.services.people.find(name).ok_or_else(nobody)?;
    Ok((Who::Account(person.id), negative))
}

/// `* MYRIGHTS name rights` (RFC 4314 §3.8).
pub(crate) fn push_my_rights(name: &str, rights: Rights, w: &mut Writer<'_>) {
    w.raw("* MYRIGHTS ").mailbox(name).raw(" ").raw(&written(rights)).raw("\r\n");
}

/// Rights as clients read them: with those of RFC 2086 where a part of them is there (RFC 4314 §2.1.1).
fn written(rights: Rights) -> String {
    let mut text = rights.to_string();
    for letter in ['c', 'd'] {
        if Rights::of_letter(letter).is_some_and(|parts| rights.has_any(parts)) {
            text.push(letter);
        }
    }
    // A text of nothing is still a text.
    if text.is_empty() { "\"\"".to_owned() } else { text }
}
