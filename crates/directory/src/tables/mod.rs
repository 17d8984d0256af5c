//! What is stored, one entity per file: struct, key, versions, migration. Only these modules know key bytes.
//!
//! Every key begins with `g`. A value is one version octet and the record in postcard form; `gv` alone is a bare number, since the
//! engine compares it.

pub(crate) mod account;
pub(crate) mod alias;
pub(crate) mod credential;
pub(crate) mod domain;
pub(crate) mod meta;
pub(crate) mod public;

use serde::{Serialize, de::DeserializeOwned};

/// A stored record.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// The version written today.
    const VERSION: u8;

    /// Reads a record of an earlier version. Nothing for versions that never were.
    fn migrate(version: u8, body: &[u8]) -> Option<Self> {
        let _ = (version, body);
        None
    }

    /// The stored form.
    fn encode(&self) -> Option<Vec<u8>> {
        postcard::to_extend(self, vec![Self::VERSION]).ok()
    }

    /// Reads the stored form; nothing when it is damaged or from a later program.
    fn decode(value: &[u8]) -> Option<Self> {
        let (version, body) = value.split_first()?;
        if *version == Self::VERSION {
            let (record, rest) = postcard::take_from_bytes(body).ok()?;
            rest.is_empty().then_some(record)
        } else {
            Self::migrate(*version, body)
        }
    }
}

/// The first key of the directory.
pub(crate) const FIRST: &[u8] = b"g";
/// The first key after it.
pub(crate) const END: &[u8] = b"h";

#[cfg(test)]
pub(crate) mod golden {
    //! Golden records: what each version looked like on disk. A change here without a new version loses data.
    use super::Record;

    /// Checks that `hex` still reads as `record`, and that today's version is written exactly so.
    pub(crate) fn check<R: Record + PartialEq + std::fmt::Debug>(record: &R, hex: &str) {
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        let written: String = record.encode().unwrap().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(R::decode(&bytes).as_ref(), Some(record), "written today as {written}");
        if bytes.first() == Some(&R::VERSION) {
            assert_eq!(written, hex);
        }
        for cut in 0..bytes.len() {
            assert_eq!(R::decode(&bytes[..cut]), None, "cut at {cut}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(R::decode(&longer), None);
        let mut newer = bytes;
        newer[0] = 200;
        assert_eq!(R::decode(&newer), None);
    }
}
