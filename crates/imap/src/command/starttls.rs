//! STARTTLS. RFC 9051 §6.2.1. The connection loop drops whatever plaintext came behind the command.

use crate::session::{Session, reply::Reply};

pub(crate) fn run(session: &Session) -> Result<Reply, Reply> {
    if session.peer.tls.is_some() {
        return Err(Reply::bad("there is TLS already"));
    }
    if session.user.is_some() {
        return Err(Reply::bad("you have logged in already"));
    }
    if !session.services.options.starttls {
        return Err(Reply::bad("there is no TLS here"));
    }
    Ok(Reply::ok("begin TLS now"))
}
