//! What rules remember for a while: ids of messages seen (RFC 7352), senders answered (RFC 5230). The key is a hash, the value its end.

use yubin_base::{AccountId, UnixMs};
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};

const V1: u8 = 1;

pub(crate) fn key(account: AccountId, id: &[u8; 16]) -> Key {
    let mut key = super::table(account, b'r');
    key.extend_from_slice(id);
    key
}

/// The bounds of the table.
pub(crate) fn range(account: AccountId) -> (Key, Key) {
    (super::table(account, b'r'), super::table_end(account, b'r'))
}

pub(crate) fn value(until: UnixMs) -> Val {
    let mut w = Writer::version(V1);
    w.u64(until.0);
    w.sealed()
}

pub(crate) fn decode(value: &[u8]) -> Option<UnixMs> {
    let mut r = Reader::sealed_version(value, V1)?;
    let until = UnixMs(r.u64()?);
    r.end()?;
    Some(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        assert_eq!(value(UnixMs(258))[..9], [1, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(decode(&value(UnixMs(258))), Some(UnixMs(258)));
    }
}
