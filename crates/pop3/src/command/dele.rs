//! DELE (RFC 1939 §5): marks a message. It stays until QUIT.

use crate::{codec::reply::Reply, maildrop::Maildrop, session::Outcome};

pub(crate) fn dele(number: u32, maildrop: &mut Maildrop, out: &mut Vec<u8>) -> Outcome {
    match maildrop.mark(number) {
        Ok(()) => {
            Reply::MARKED.write(out);
            Outcome::Done
        }
        Err(missing) => Outcome::Refused(missing.into()),
    }
}
