//! NOOP: does nothing. RFC 5321 §4.1.1.9: an argument is ignored.

use yubin_base::Next;

use crate::{
    codec::reply,
    server::{Session, ports::Reception},
};

/// RFC 5321 §4.1.1.9.
pub(crate) fn handle<R: Reception>(session: &mut Session<R>, out: &mut Vec<u8>) -> Next {
    if let Some(next) = session.count_idle_command(out) {
        return next;
    }
    reply::OK.write(out);
    Next::Read
}
