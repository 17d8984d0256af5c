//! UIDL (RFC 1939 §7): ids that never change and are never reused: `UIDVALIDITY.UID`, at most 21 octets; for a message from a server
//! that was migrated, the one it had there.

use yubin_base::event;

use crate::{
    codec::reply::{self, Reply},
    events,
    maildrop::Maildrop,
    session::Outcome,
    transfer::{Listing, Transfer},
};

pub(crate) async fn uidl(message: Option<u32>, maildrop: &Maildrop, out: &mut Vec<u8>) -> Outcome {
    let Some(number) = message else {
        Reply::UNIQUE_IDS.write(out);
        return Outcome::Send(Transfer::listing(Listing::UniqueIds));
    };
    match maildrop.message(number) {
        Ok(row) => match maildrop.kept_uidls(number, number).await {
            Ok(kept) => {
                match kept.get(&row.uid) {
                    Some(uidl) => reply::kept_unique_id(number, uidl, out),
                    None => reply::unique_id(number, maildrop.uid_validity().0, row.uid.0, out),
                }
                Outcome::Done
            }
            Err(error) => {
                event!(events::STORE_FAILED, account = %maildrop.account().id(), error = %error);
                Reply::MAILDROP_UNAVAILABLE.into()
            }
        },
        Err(missing) => Outcome::Refused(missing.into()),
    }
}
