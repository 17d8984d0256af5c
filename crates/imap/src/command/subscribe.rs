//! SUBSCRIBE and UNSUBSCRIBE. RFC 9051 §6.3.7, §6.3.8.

use yubin_store::Rights;

use crate::session::{notify::OwnChange, reply::Reply, user::Context};

pub(crate) async fn run(cx: &mut Context<'_>, name: &str, subscribe: bool) -> Result<Reply, Reply> {
    let name = name.strip_suffix('/').unwrap_or(name);
    let modseq = if subscribe {
        // RFC 4314 §4: `l`. Subscriptions are the user's own, wherever the mailbox is.
        let found = cx.reach(name, Rights::LOOKUP).await?;
        cx.user.own.subscribe(&found.name, true).await?
    } else {
        cx.user.own.subscribe(name, false).await?
    };
    cx.user.made(cx.user.id, OwnChange::of_names(modseq));
    Ok(Reply::ok(if subscribe { "subscribed" } else { "no longer subscribed" }))
}
