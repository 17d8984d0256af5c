//! GETQUOTA, GETQUOTAROOT and SETQUOTA. RFC 9208. One root an account; operators set its limits, clients do not.

use std::sync::Arc;

use yubin_store::{MailboxState, Quota, Rights, Usage};

use crate::{
    codec::{Code, Writer},
    session::{reach::prefix_of, reply::Reply, user::Context},
};

/// The name of the root of the user's own account. Another account's root has the name under which its mailboxes are seen.
const ROOT: &str = "";

/// RFC 9208 §4.1.2. RFC 4314 §4: `r`.
pub(crate) async fn get_root(cx: &mut Context<'_>, mailbox: &str) -> Result<Reply, Reply> {
    let found = cx.reach(mailbox, Rights::READ).await?;
    let owner = found.access.id();
    let root = match cx.services.people.person(owner) {
        Some(person) if owner != cx.user.id => prefix_of(&person).trim_end_matches('/').to_owned(),
        _ => ROOT.to_owned(),
    };
    let quota = cx.services.quotas.quota(owner).await;
    let usage = found.access.state().usage;
    let mut w = cx.w();
    w.raw("* QUOTAROOT ").mailbox(&found.name).raw(" ").astring(root.as_bytes()).raw("\r\n");
    push_quota(&root, quota, usage, &mut w);
    Ok(Reply::ok("that is all"))
}

/// RFC 9208 §4.1.1. The root of another account is there for those who may read one of its mailboxes.
pub(crate) async fn get(cx: &mut Context<'_>, root: &[u8]) -> Result<Reply, Reply> {
    let no_root = || Reply::no(Code::NonExistent, "there is no such quota root");
    let root = std::str::from_utf8(root).map_err(|_| no_root())?;
    let access = if root == ROOT {
        cx.user.own.clone()
    } else {
        let place = cx.place(&format!("{root}/INBOX")).await?.ok_or_else(no_root)?;
        let state = place.access.state();
        let readable = |m: &Arc<MailboxState>| place.access.rights(m).has(Rights::READ);
        if place.access.id() == cx.user.id || !state.mailboxes.values().any(readable) {
            return Err(no_root());
        }
        place.access
    };
    let quota = cx.services.quotas.quota(access.id()).await;
    push_quota(root, quota, access.state().usage, &mut cx.w());
    Ok(Reply::ok("that is all"))
}

/// RFC 9208 §4.1.3.
pub(crate) fn set() -> Result<Reply, Reply> {
    Err(Reply::no(Code::NoPerm, "limits are set by the operator"))
}

/// `* QUOTA "" (STORAGE 10 512 MESSAGE 3 1000)`: STORAGE in units of 1,024 octets. What has no limit is not named.
fn push_quota(root: &str, quota: Quota, usage: Usage, w: &mut Writer<'_>) {
    let storage = quota.octets.map(|limit| ("STORAGE", usage.octets.div_ceil(1024), limit / 1024));
    let messages = quota.messages.map(|limit| ("MESSAGE", usage.messages, limit));
    w.raw("* QUOTA ").astring(root.as_bytes()).raw(" (");
    for (n, (resource, used, limit)) in storage.into_iter().chain(messages).enumerate() {
        w.raw(if n > 0 { " " } else { "" }).raw(resource).raw(" ").number(used).raw(" ").number(limit);
    }
    w.raw(")\r\n");
}
