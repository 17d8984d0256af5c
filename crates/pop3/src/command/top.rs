//! TOP (RFC 1939 §7): the header, the empty line, and some lines of the body. Reads no further than that, and sets no `\Seen`.

use super::retr::find;
use crate::{codec::reply::Reply, maildrop::Maildrop, session::Outcome, transfer::Transfer};

pub(crate) async fn top(number: u32, lines: u32, maildrop: &Maildrop, out: &mut Vec<u8>) -> Outcome {
    match find(number, maildrop).await {
        Ok((row, record)) => {
            Reply::TOP_FOLLOWS.write(out);
            Outcome::Send(Transfer::top(record, row, lines))
        }
        Err(reply) => reply.into(),
    }
}
