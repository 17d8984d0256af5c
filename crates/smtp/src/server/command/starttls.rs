//! STARTTLS. RFC 3207 §4.
//! What was said before the handshake is forgotten twice: the loop drops the input, the session drops its state.

use yubin_base::Next;

use crate::{
    codec::reply,
    server::{Session, ports::Reception},
};

/// RFC 3207 §4.
pub(crate) fn handle<R: Reception>(session: &mut Session<R>, arguments: &str, out: &mut Vec<u8>) -> Next {
    if !arguments.is_empty() {
        return session.refuse(reply::NO_ARGUMENTS, out);
    }
    if session.facts.peer.tls.is_some() {
        return session.refuse(reply::TLS_ALREADY, out);
    }
    if !session.options().starttls {
        return session.refuse(reply::NOT_OFFERED, out);
    }
    session.transaction = None;
    reply::READY_FOR_TLS.write(out);
    Next::StartTls
}
