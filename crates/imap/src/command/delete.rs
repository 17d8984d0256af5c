//! DELETE. RFC 9051 §6.3.5.

use yubin_store::Rights;

use crate::session::{reply::Reply, user::Context};

pub(crate) async fn run(cx: &mut Context<'_>, name: &str) -> Result<Reply, Reply> {
    // RFC 4314 §4: `x`.
    let found = cx.reach(name, Rights::DELETE_MAILBOX).await?;
    found.access.delete_mailbox(&found.mailbox, cx.now).await?;
    Ok(Reply::ok("deleted"))
}
