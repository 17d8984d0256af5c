//! NAMESPACE. RFC 9051 §6.3.10 (RFC 2342): the user's own mailboxes, other users' that they share, and public ones.

use yubin_store::{OTHER_USERS, PUBLIC};

use crate::session::{reply::Reply, user::Context};

pub(crate) fn run(cx: &mut Context<'_>) -> Reply {
    let mut w = cx.w();
    w.raw("* NAMESPACE ((\"\" \"/\"))");
    for namespace in [OTHER_USERS, PUBLIC] {
        w.raw(" ((\"").raw(namespace).raw("/\" \"/\"))");
    }
    w.raw("\r\n");
    Reply::ok("that is all")
}
