//! Accounts that stand for nobody: their mailboxes are shown in the public namespace (RFC 9051 §6.3.10).
//! Key `gp` + id (u64, big-endian); a row is there or not.

use serde::{Deserialize, Serialize};
use yubin_base::AccountId;

use super::Record;

/// The first octets of a row's key.
pub(crate) const PREFIX: &[u8] = b"gp";

/// Says that the account of its key is public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Public {}

impl Record for Public {
    const VERSION: u8 = 1;
}

/// The key of an account's row.
pub(crate) fn key(id: AccountId) -> Vec<u8> {
    [PREFIX, &id.0.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::{super::golden::check, *};

    #[test]
    fn golden() {
        check(&Public {}, "01");
        assert_eq!(key(AccountId(258)), b"gp\0\0\0\0\0\0\x01\x02");
    }
}
