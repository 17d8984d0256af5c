//! RSET: forgets the transaction. RFC 5321 §4.1.1.5.

use yubin_base::Next;

use crate::{
    codec::reply,
    server::{Session, ports::Reception},
};

/// RFC 5321 §4.1.1.5; between chunks as well (RFC 3030 §2).
pub(crate) fn handle<R: Reception>(session: &mut Session<R>, arguments: &str, out: &mut Vec<u8>) -> Next {
    if !arguments.is_empty() {
        return session.refuse(reply::NO_ARGUMENTS, out);
    }
    // Clients send RSET between messages: only one that forgets nothing leads nowhere.
    if session.transaction.is_none()
        && let Some(next) = session.count_idle_command(out)
    {
        return next;
    }
    session.transaction = None;
    reply::RESET_OK.write(out);
    Next::Read
}
