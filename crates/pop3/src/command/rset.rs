//! RSET (RFC 1939 §5): unmarks every message.

use crate::{codec::reply, maildrop::Maildrop, session::Outcome};

pub(crate) fn rset(maildrop: &mut Maildrop, out: &mut Vec<u8>) -> Outcome {
    maildrop.unmark_all();
    reply::reset(maildrop.messages(), maildrop.octets(), out);
    Outcome::Done
}
