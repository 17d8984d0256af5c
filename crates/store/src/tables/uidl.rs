//! UIDLs (RFC 1939 §7) that messages had on the server they came from. Set once, when they are imported; a message without a row
//! has none. Rows of messages that are gone stay until the account is erased: a UID is never given again.

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};
use crate::{MailboxId, Uid};

const V1: u8 = 1;

pub(crate) fn key(account: AccountId, mailbox: MailboxId, uid: Uid) -> Key {
    let mut key = super::table(account, b'u');
    key.extend_from_slice(&mailbox.0.to_be_bytes());
    key.extend_from_slice(&uid.0.to_be_bytes());
    key
}

/// The UID of a key of this table.
pub(crate) fn uid_of(key: &[u8]) -> Option<Uid> {
    let uid = key.get(super::PREFIX_OCTETS + 4..)?.try_into().ok()?;
    Some(Uid(u32::from_be_bytes(uid)))
}

pub(crate) fn encode(uidl: &str) -> Val {
    let mut w = Writer::version(V1);
    w.octets(uidl.as_bytes());
    w.sealed()
}

pub(crate) fn decode(value: &[u8]) -> Option<String> {
    let mut r = Reader::sealed_version(value, V1)?;
    let uidl = r.text()?.to_owned();
    r.end().map(|()| uidl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let value = encode("0a1b.42");
        assert_eq!(value[..value.len() - 4], *b"\x01\x070a1b.42");
        assert_eq!(decode(&value).as_deref(), Some("0a1b.42"));
        let key = key(AccountId(1), MailboxId(2), Uid(0x0304));
        assert_eq!(key[super::super::PREFIX_OCTETS..], [0, 0, 0, 2, 0, 0, 3, 4]);
        assert_eq!(uid_of(&key), Some(Uid(0x0304)));
    }
}
