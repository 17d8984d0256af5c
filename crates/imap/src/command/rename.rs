//! RENAME. RFC 9051 §6.3.6.

use crate::{
    codec::Code,
    session::{reply::Reply, user::Context},
};

pub(crate) async fn run(cx: &mut Context<'_>, from: &str, to: &str) -> Result<Reply, Reply> {
    let Some(mailbox) = cx.user.account.mailbox_named(from) else {
        return Err(Reply::no(Code::NonExistent, "there is no such mailbox"));
    };
    let to = to.strip_suffix('/').unwrap_or(to);
    cx.user.account.rename_mailbox(&mailbox, to, cx.now).await?;
    Ok(Reply::ok("renamed"))
}
