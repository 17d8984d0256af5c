//! UTF8 (RFC 6856 §2): the client takes UTF-8 in messages. Everything is sent as it is stored, with UTF8 or without: a message whose header
//! holds raw octets, of which there are many in old encodings, must not keep a client from all that come after it.

use crate::{codec::reply::Reply, session::Outcome};

pub(crate) fn utf8(out: &mut Vec<u8>) -> Outcome {
    Reply::UTF8.write(out);
    Outcome::Done
}
