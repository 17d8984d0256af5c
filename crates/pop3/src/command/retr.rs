//! RETR (RFC 1939 §5): sends a message whole, piece by piece.

use std::sync::Arc;

use yubin_base::event;
use yubin_engine::ReadError;
use yubin_store::{Record, Row, StoreError};

use crate::{
    codec::reply::{self, Reply},
    events,
    maildrop::Maildrop,
    session::Outcome,
    transfer::Transfer,
};

pub(crate) async fn retr(number: u32, maildrop: &Maildrop, out: &mut Vec<u8>) -> Outcome {
    match find(number, maildrop).await {
        Ok((row, record)) => {
            reply::message_follows(maildrop.wire_octets(number, &row), out);
            Outcome::Send(Transfer::whole(record, row))
        }
        Err(reply) => reply.into(),
    }
}

/// The message of a number and its record. For TOP as well.
pub(super) async fn find(number: u32, maildrop: &Maildrop) -> Result<(Row, Arc<Record>), Reply> {
    let row = maildrop.message(number)?;
    match maildrop.account().record(row.doc).await {
        Ok(record) => Ok((row, record)),
        // Another session expunged it: the number stays, the message does not.
        Err(StoreError::Gone) => Err(Reply::MESSAGE_GONE),
        Err(error) => {
            event!(events::STORE_FAILED, account = %maildrop.account().id(), error = %error);
            let damaged = matches!(error, StoreError::Read(ReadError::Corrupt(_)));
            Err(if damaged { Reply::MESSAGE_DAMAGED } else { Reply::MESSAGE_UNAVAILABLE })
        }
    }
}
