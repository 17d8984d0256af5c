//! SUBSCRIBE and UNSUBSCRIBE. RFC 9051 §6.3.7, §6.3.8.

use crate::{
    codec::Code,
    session::{reply::Reply, user::Context},
};

pub(crate) async fn run(cx: &mut Context<'_>, name: &str, subscribe: bool) -> Result<Reply, Reply> {
    let name = name.strip_suffix('/').unwrap_or(name);
    if subscribe && cx.user.account.mailbox_named(name).is_none() {
        return Err(Reply::no(Code::NonExistent, "there is no such mailbox"));
    }
    cx.user.account.subscribe(name, subscribe).await?;
    Ok(Reply::ok(if subscribe { "subscribed" } else { "no longer subscribed" }))
}
