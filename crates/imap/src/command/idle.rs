//! IDLE. RFC 9051 §6.3.13 (RFC 2177), RFC 5465 §4. Tells what changes, until the client says DONE.

use yubin_base::Next;

use crate::{
    codec::write::Code,
    limits,
    session::{End, Mode, Running, Session, reply::Reply},
};

pub(crate) async fn run(session: &mut Session, tag: String, out: &mut Vec<u8>) -> Next {
    out.extend_from_slice(b"+ idling\r\n");
    let job = match &mut session.user {
        Some(user) => user.sync(true, &[], out).await,
        None => None,
    };
    match job {
        Some(job) => {
            session.mode = Mode::Job(Box::new(Running { job, end: End::Idle(tag) }));
            Next::More
        }
        None => {
            session.mode = Mode::Idle(tag);
            Next::Read
        }
    }
}

/// Takes the line that ends it.
pub(crate) async fn take(session: &mut Session, input: &[u8], out: &mut Vec<u8>) -> (usize, Next) {
    let Some(end) = memchr::memchr(b'\n', input) else {
        if input.len() > limits::COMMAND_OCTETS {
            return (input.len(), session.bye(Some(Code::TooBig), "the line is too long", out));
        }
        return (0, Next::Read);
    };
    let line = input.get(..end).unwrap_or_default().trim_ascii();
    let Mode::Idle(tag) = std::mem::replace(&mut session.mode, Mode::Commands) else {
        return (0, Next::Read);
    };
    let reply =
        if line.eq_ignore_ascii_case(b"DONE") { Reply::ok("idled") } else { Reply::bad("expected DONE") };
    (end + 1, session.finish(&tag, &reply, super::News::All, &[], out).await)
}
