//! NOOP (RFC 1939 §5). The maildrop is a snapshot: there is no news to tell.

use crate::{codec::reply::Reply, session::Outcome};

pub(crate) fn noop(out: &mut Vec<u8>) -> Outcome {
    Reply::NOTHING.write(out);
    Outcome::Done
}
