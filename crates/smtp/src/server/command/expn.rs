//! EXPN: refused. RFC 5321 §4.1.1.7 and §7.3.

use yubin_base::Next;

use crate::{
    codec::reply,
    server::{Session, ports::Reception},
};

/// RFC 5321 §7.3: a site may refuse to show its lists.
pub(crate) fn handle<R: Reception>(session: &mut Session<R>, arguments: &str, out: &mut Vec<u8>) -> Next {
    let reply = if arguments.is_empty() { reply::ARGUMENTS_WRONG } else { reply::NO_EXPANSION };
    session.refuse(reply, out)
}
