//! LIST (RFC 1939 §5): sizes of one message, or of all that are not marked.

use crate::{
    codec::reply,
    maildrop::Maildrop,
    session::Outcome,
    transfer::{Listing, Transfer},
};

pub(crate) fn list(message: Option<u32>, maildrop: &Maildrop, out: &mut Vec<u8>) -> Outcome {
    let Some(number) = message else {
        reply::maildrop(maildrop.messages(), maildrop.octets(), out);
        return Outcome::Send(Transfer::listing(Listing::Sizes));
    };
    match maildrop.message(number) {
        Ok(row) => {
            reply::scan(number, maildrop.wire_octets(number, &row), out);
            Outcome::Done
        }
        Err(missing) => Outcome::Refused(missing.into()),
    }
}
