//! UIDL (RFC 1939 §7): ids that never change and are never reused: `UIDVALIDITY.UID`, at most 21 octets.

use crate::{
    codec::reply::{self, Reply},
    maildrop::Maildrop,
    session::Outcome,
    transfer::{Listing, Transfer},
};

pub(crate) fn uidl(message: Option<u32>, maildrop: &Maildrop, out: &mut Vec<u8>) -> Outcome {
    let Some(number) = message else {
        Reply::UNIQUE_IDS.write(out);
        return Outcome::Send(Transfer::listing(Listing::UniqueIds));
    };
    match maildrop.message(number) {
        Ok(row) => {
            reply::unique_id(number, maildrop.uid_validity().0, row.uid.0, out);
            Outcome::Done
        }
        Err(missing) => Outcome::Refused(missing.into()),
    }
}
