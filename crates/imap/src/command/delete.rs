//! DELETE. RFC 9051 §6.3.5.

use yubin_store::Rights;

use crate::session::{notify::OwnChange, reply::Reply, user::Context};

pub(crate) async fn run(cx: &mut Context<'_>, name: &str) -> Result<Reply, Reply> {
    // RFC 4314 §4: `x`.
    let found = cx.reach(name, Rights::DELETE_MAILBOX).await?;
    let change = found.access.delete_mailbox(&found.mailbox, cx.now).await?;
    cx.user.made(found.access.id(), OwnChange::of_names(change.modseq));
    Ok(Reply::ok("deleted"))
}
