//! VRFY: the same answer for everybody. RFC 5321 §3.5.3, §4.1.1.6 and §7.3.

use yubin_base::Next;

use crate::{
    codec::reply,
    server::{Session, ports::Reception},
};

/// RFC 5321 §4.1.1.6: 252 does not tell who exists.
pub(crate) fn handle<R: Reception>(session: &mut Session<R>, arguments: &str, out: &mut Vec<u8>) -> Next {
    if let Some(next) = session.count_idle_command(out) {
        return next;
    }
    if arguments.is_empty() {
        return session.refuse(reply::ARGUMENTS_WRONG, out);
    }
    reply::CANNOT_VERIFY.write(out);
    Next::Read
}
