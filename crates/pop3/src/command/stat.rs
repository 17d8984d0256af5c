//! STAT (RFC 1939 §5): how many messages are not marked, and their octets.

use crate::{codec::reply, maildrop::Maildrop, session::Outcome};

pub(crate) fn stat(maildrop: &Maildrop, out: &mut Vec<u8>) -> Outcome {
    reply::stat(maildrop.messages(), maildrop.octets(), out);
    Outcome::Done
}
