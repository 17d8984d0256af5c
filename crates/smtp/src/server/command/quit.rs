//! QUIT: ends the session. RFC 5321 §4.1.1.10.

use yubin_base::Next;

use crate::{
    codec::reply,
    server::{Session, ports::Reception},
};

/// RFC 5321 §4.1.1.10. A transaction under way is forgotten.
pub(crate) fn handle<R: Reception>(session: &mut Session<R>, arguments: &str, out: &mut Vec<u8>) -> Next {
    if !arguments.is_empty() {
        return session.refuse(reply::NO_ARGUMENTS, out);
    }
    session.transaction = None;
    reply::BYE.write(out);
    Next::Close
}
