//! An account: key `ga` + id (u64, big-endian).

use serde::{Deserialize, Serialize};
use yubin_base::{AccountId, Address};

use super::Record;

/// The first octets of an account's key.
pub(crate) const PREFIX: &[u8] = b"ga";

/// Somebody with a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Set when added; never changes, never given to another.
    pub id: AccountId,
    /// The primary address, spelled as given; also the login name. Changes only when renamed.
    pub address: Address,
    /// As people call them. May be empty.
    pub display_name: String,
    /// A disabled account takes no mail and lets nobody log in; it keeps what it has.
    pub enabled: bool,
    /// The most octets it may store. None: no limit.
    pub quota_octets: Option<u64>,
    /// The most messages it may store. None: no limit.
    pub quota_messages: Option<u64>,
    /// The largest message it takes. None: the server's limit only.
    pub message_octets_max: Option<u64>,
    /// Whether what a POP3 client deletes goes to Trash.
    pub pop3_delete_to_trash: bool,
}

impl Record for Account {
    const VERSION: u8 = 2;

    fn migrate(version: u8, body: &[u8]) -> Option<Self> {
        let (old, rest): (v1::Account, _) = postcard::take_from_bytes(body).ok()?;
        (version == 1 && rest.is_empty()).then(|| old.into())
    }
}

/// Before POP3 knew of Trash.
mod v1 {
    use super::*;

    #[derive(Serialize, Deserialize)]
    pub(super) struct Account {
        id: AccountId,
        address: Address,
        display_name: String,
        enabled: bool,
        quota_octets: Option<u64>,
        quota_messages: Option<u64>,
        message_octets_max: Option<u64>,
    }

    impl From<Account> for super::Account {
        fn from(old: Account) -> Self {
            Self {
                id: old.id,
                address: old.address,
                display_name: old.display_name,
                enabled: old.enabled,
                quota_octets: old.quota_octets,
                quota_messages: old.quota_messages,
                message_octets_max: old.message_octets_max,
                pop3_delete_to_trash: false,
            }
        }
    }
}

/// The key of an account.
pub(crate) fn key(id: AccountId) -> Vec<u8> {
    [PREFIX, &id.0.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::{super::golden::check, *};

    #[test]
    fn golden() {
        let account = |pop3_delete_to_trash| Account {
            id: AccountId(1),
            address: Address::new("Ann", "a.test").unwrap(),
            display_name: "Ann".into(),
            enabled: true,
            quota_octets: Some(1 << 30),
            quota_messages: None,
            message_octets_max: Some(1 << 20),
            pop3_delete_to_trash,
        };
        check(&account(false), "010103416e6e06612e7465737403416e6e010180808080040001808040");
        check(&account(true), "020103416e6e06612e7465737403416e6e01018080808004000180804001");
        assert_eq!(key(AccountId(258)), b"ga\0\0\0\0\0\0\x01\x02");
    }
}
