//! UNAUTHENTICATE. RFC 8437. Forgets everything of the user, TLS and the client's ID apart.

use yubin_base::Next;

use crate::{
    codec::Code,
    session::{Session, reply::Reply},
};

use super::capability;

/// RFC 8437 §3. Never answers NO.
pub(crate) fn run(session: &mut Session, tag: &str, out: &mut Vec<u8>) -> Next {
    if session.user.is_none() {
        session.answer(tag, &Reply::bad("nobody has logged in"), out);
        return session.judge(crate::codec::write::Status::Bad, out);
    }
    // What was enabled, selected and saved goes with the user.
    session.user = None;
    let compressed = std::mem::take(&mut session.compressed);
    let reply = Reply::ok_code(Code::Capability(capability::list(session)), "nobody is logged in");
    session.answer(tag, &reply, out);
    // RFC 8437 §4.1: compression ends behind the answer.
    if compressed { Next::Uncompress } else { Next::Read }
}
