//! COMPRESS. RFC 4978. Only says yes or no; the connection loop compresses. TLS never compresses here (TLS 1.3 cannot, and our TLS 1.2 does
//! not), so nothing is ever compressed twice.

use crate::{
    codec::Code,
    session::{Session, reply::Reply},
};

/// Whether compression begins behind the answer.
pub(crate) fn run(session: &mut Session, algorithm: &str) -> Result<Reply, Reply> {
    // Not before login: a stranger is not worth the memory, and a password is not to be compressed beside guesses at it.
    if session.user.is_none() {
        return Err(Reply::bad("log in first"));
    }
    if algorithm != "DEFLATE" {
        return Err(Reply::bad("there is no such algorithm"));
    }
    if std::mem::replace(&mut session.compressed, true) {
        // RFC 4978 §3.
        return Err(Reply::no(Code::CompressionActive, "compressed already"));
    }
    Ok(Reply::ok("compressed from here on"))
}
