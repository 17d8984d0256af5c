//! HELP: where to read on. RFC 5321 §4.1.1.8.

use yubin_base::Next;

use crate::{
    codec::reply,
    server::{Session, ports::Reception},
};

/// RFC 5321 §4.1.1.8. Says nothing about the software or its version.
pub(crate) fn handle<R: Reception>(session: &mut Session<R>, out: &mut Vec<u8>) -> Next {
    if let Some(next) = session.count_idle_command(out) {
        return next;
    }
    reply::HELP.write(out);
    Next::Read
}
