//! GETQUOTA, GETQUOTAROOT and SETQUOTA. RFC 9208. One root, the account's; operators set its limits, clients do not.

use yubin_store::{Quota, Usage};

use crate::{
    codec::{Code, Writer},
    session::{reply::Reply, user::Context},
};

/// The name of the account's root.
const ROOT: &str = "";

/// RFC 9208 §4.1.2.
pub(crate) async fn get_root(cx: &mut Context<'_>, mailbox: &str) -> Result<Reply, Reply> {
    let Some(mailbox) = cx.user.account.mailbox_named(mailbox) else {
        return Err(Reply::no(Code::NonExistent, "there is no such mailbox"));
    };
    let quota = cx.services.quotas.quota(cx.user.id).await;
    let usage = cx.user.account.state().usage;
    let mut w = cx.w();
    w.raw("* QUOTAROOT ").mailbox(&mailbox.name).raw(" ").astring(ROOT.as_bytes()).raw("\r\n");
    push_quota(quota, usage, &mut w);
    Ok(Reply::ok("that is all"))
}

/// RFC 9208 §4.1.1.
pub(crate) async fn get(cx: &mut Context<'_>, root: &[u8]) -> Result<Reply, Reply> {
    if root != ROOT.as_bytes() {
        return Err(Reply::no(Code::NonExistent, "there is no such quota root"));
    }
    let quota = cx.services.quotas.quota(cx.user.id).await;
    let usage = cx.user.account.state().usage;
    push_quota(quota, usage, &mut cx.w());
    Ok(Reply::ok("that is all"))
}

/// RFC 9208 §4.1.3.
pub(crate) fn set() -> Result<Reply, Reply> {
    Err(Reply::no(Code::NoPerm, "limits are set by the operator"))
}

/// `* QUOTA "" (STORAGE 10 512 MESSAGE 3 1000)`: STORAGE in units of 1,024 octets. What has no limit is not named.
fn push_quota(quota: Quota, usage: Usage, w: &mut Writer<'_>) {
    let storage = quota.octets.map(|limit| ("STORAGE", usage.octets.div_ceil(1024), limit / 1024));
    let messages = quota.messages.map(|limit| ("MESSAGE", usage.messages, limit));
    w.raw("* QUOTA ").astring(ROOT.as_bytes()).raw(" (");
    for (n, (resource, used, limit)) in storage.into_iter().chain(messages).enumerate() {
        w.raw(if n > 0 { " " } else { "" }).raw(resource).raw(" ").number(used).raw(" ").number(limit);
    }
    w.raw(")\r\n");
}
