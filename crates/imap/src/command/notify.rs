//! NOTIFY. RFC 5465 §3.1. What happens then is told by `session/notify.rs` and, of the selected mailbox, `session/user.rs`.

use std::sync::Arc;

use crate::{
    codec::{
        Code, Writer,
        notify::{NotifyArguments, NotifySet},
    },
    session::{notify::Notify, reply::Reply, user::Context},
};

pub(crate) async fn run(cx: &mut Context<'_>, arguments: NotifyArguments) -> Result<Reply, Reply> {
    let set = match arguments {
        NotifyArguments::None => {
            cx.user.notify = Some(Box::new(Notify::none(cx.user.own.state())));
            return Ok(Reply::ok("nothing is told any more"));
        }
        NotifyArguments::Set(set) if set.unknown_event => {
            return Err(Reply::no(Code::BadEvent, "not all of these events are known"));
        }
        NotifyArguments::Set(set) => set,
    };
    let NotifySet { status, selected, groups, .. } = set;
    // What has gathered in the selected mailbox is told first, whatever is told from now on (RFC 5465 §3.1).
    cx.user.notify = None;
    // No new message is fetched: nobody has asked for any yet.
    let _ = cx.user.sync(true, &[], cx.out).await;
    let now = cx.user.own.state();
    let notify = Notify::new(selected, groups, Arc::clone(&now));
    if status {
        let dialect = cx.user.dialect();
        notify.tell_status(cx.user.own_selected(), &mut Writer::new(cx.out, dialect));
    }
    cx.user.notify = Some(Box::new(notify));
    Ok(Reply::ok("it is told from now on"))
}
