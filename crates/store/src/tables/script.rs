//! Sieve scripts: the text by name, and under the empty name, which no script has, the name of the one that runs.

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};

const V1: u8 = 1;

pub(crate) fn key(account: AccountId, name: &str) -> Key {
    let mut key = super::table(account, b'v');
    key.extend_from_slice(name.as_bytes());
    key
}

/// The bounds of the table.
pub(crate) fn range(account: AccountId) -> (Key, Key) {
    (super::table(account, b'v'), super::table_end(account, b'v'))
}

/// The value of a script, or of the empty name.
pub(crate) fn value(text: &str) -> Val {
    let mut w = Writer::version(V1);
    w.octets(text.as_bytes());
    w.sealed()
}

/// Name and text.
pub(crate) fn decode<'a>(key: &'a [u8], value: &[u8]) -> Option<(&'a str, String)> {
    let mut r = Reader::sealed_version(value, V1)?;
    let text = r.text()?.to_owned();
    r.end()?;
    Some((std::str::from_utf8(key.get(super::PREFIX_OCTETS..)?).ok()?, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let key = key(AccountId(1), "Urlaub");
        assert_eq!(value("keep;")[..6], [1, 5, b'k', b'e', b'e', b'p']);
        assert_eq!(decode(&key, &value("keep;")), Some(("Urlaub", "keep;".to_owned())));
    }
}
