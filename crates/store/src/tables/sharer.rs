//! Who shares something with an account: one row for each owner, in the account's own keys. A hint: a row may outlive what it
//! speaks of, and is never missing while something is shared. What everybody is let into stands under account 0, which nobody has.

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};
use crate::Who;

const V1: u8 = 1;

/// The account in whose keys the rows of a grantee are.
pub(crate) fn holder(who: Who) -> AccountId {
    match who {
        Who::Anyone => super::NOBODY,
        Who::Account(id) => id,
    }
}

pub(crate) fn key(holder: AccountId, owner: AccountId) -> Key {
    let mut key = super::table(holder, b'y');
    key.extend_from_slice(&owner.0.to_be_bytes());
    key
}

/// The bounds of the table.
pub(crate) fn range(holder: AccountId) -> (Key, Key) {
    (super::table(holder, b'y'), super::table_end(holder, b'y'))
}

/// The owner of a key of this table.
pub(crate) fn owner_of(key: &[u8]) -> Option<AccountId> {
    let id = key.get(super::PREFIX_OCTETS..)?.try_into().ok()?;
    Some(AccountId(u64::from_be_bytes(id)))
}

/// The value: another one each time it is written, so that a row that was renewed is not taken away.
pub(crate) fn encode(nonce: u64) -> Val {
    let mut w = Writer::version(V1);
    w.u64(nonce);
    w.sealed()
}

/// Whether a value is whole.
pub(crate) fn is_whole(value: &[u8]) -> bool {
    let read = |value| {
        let mut r = Reader::sealed_version(value, V1)?;
        r.u64()?;
        r.end()
    };
    read(value).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let value = encode(258);
        assert_eq!(value[..value.len() - 4], [1, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert!(is_whole(&value) && !is_whole(&value[1..]));
        let key = key(AccountId(7), AccountId(300));
        assert_eq!(owner_of(&key), Some(AccountId(300)));
        assert_eq!(holder(Who::Anyone), AccountId(0));
    }
}
