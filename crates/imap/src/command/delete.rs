//! DELETE. RFC 9051 §6.3.5.

use crate::{
    codec::Code,
    session::{reply::Reply, user::Context},
};

pub(crate) async fn run(cx: &mut Context<'_>, name: &str) -> Result<Reply, Reply> {
    let Some(mailbox) = cx.user.account.mailbox_named(name) else {
        return Err(Reply::no(Code::NonExistent, "there is no such mailbox"));
    };
    cx.user.account.delete_mailbox(&mailbox, cx.now).await?;
    Ok(Reply::ok("deleted"))
}
