//! Names subscribed to: the key is all.

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};

const V1: u8 = 1;

pub(crate) fn key(account: AccountId, name: &str) -> Key {
    let mut key = super::table(account, b's');
    key.extend_from_slice(name.as_bytes());
    key
}

/// The bounds of the table.
pub(crate) fn range(account: AccountId) -> (Key, Key) {
    (super::table(account, b's'), super::table_end(account, b's'))
}

/// The value: nothing but its version.
pub(crate) fn value() -> Val {
    Writer::version(V1).sealed()
}

/// The name within a key.
pub(crate) fn decode<'a>(key: &'a [u8], value: &[u8]) -> Option<&'a str> {
    Reader::sealed_version(value, V1)?.end()?;
    std::str::from_utf8(key.get(super::PREFIX_OCTETS..)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let key = key(AccountId(1), "Größe");
        assert_eq!(value()[..1], [1]);
        assert_eq!(decode(&key, &value()), Some("Größe"));
    }
}
