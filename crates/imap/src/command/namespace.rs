//! NAMESPACE. RFC 9051 §6.3.10 (RFC 2342). There is one: the user's own.

use crate::session::{reply::Reply, user::Context};

pub(crate) fn run(cx: &mut Context<'_>) -> Reply {
    cx.w().raw("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    Reply::ok("that is all")
}
