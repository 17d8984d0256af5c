//! RENAME. RFC 9051 §6.3.6.

use yubin_store::Rights;

use crate::{
    codec::Code,
    session::{notify::OwnChange, reach::not_permitted, reply::Reply, user::Context},
};

pub(crate) async fn run(cx: &mut Context<'_>, from: &str, to: &str) -> Result<Reply, Reply> {
    // RFC 4314 §4: `x` on the mailbox, `k` above its new name.
    let from = cx.reach(from, Rights::DELETE_MAILBOX).await?;
    let to = cx.place(to.strip_suffix('/').unwrap_or(to)).await?.ok_or_else(not_permitted)?;
    if !to.access.is_owner() && !to.rights_above().has(Rights::CREATE) {
        return Err(not_permitted());
    }
    if to.access.id() != from.access.id() {
        return Err(Reply::no(Code::Cannot, "a mailbox stays in its account"));
    }
    let change = from.access.rename_mailbox(&from.mailbox, &to.name, cx.now).await?;
    cx.user.made(from.access.id(), OwnChange::of_names(change.modseq));
    Ok(Reply::ok("renamed"))
}
