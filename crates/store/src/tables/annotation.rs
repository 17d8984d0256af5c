//! Annotations of mailboxes, and of the account as a whole (RFC 5464): one row an entry.

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};
use crate::MailboxId;

const V1: u8 = 1;

/// The account's own annotations stand under a mailbox that is none: ids begin with 1.
const NO_MAILBOX: u32 = 0;

/// `name` is in lower case.
pub(crate) fn key(account: AccountId, mailbox: Option<MailboxId>, name: &str) -> Key {
    let mut key = super::table(account, b'n');
    key.extend_from_slice(&mailbox.map_or(NO_MAILBOX, |id| id.0).to_be_bytes());
    key.extend_from_slice(name.as_bytes());
    key
}

/// The bounds of the table.
pub(crate) fn range(account: AccountId) -> (Key, Key) {
    (super::table(account, b'n'), super::table_end(account, b'n'))
}

/// The bounds of one mailbox's rows.
pub(crate) fn range_of(account: AccountId, mailbox: MailboxId) -> (Key, Key) {
    let mut end = super::table(account, b'n');
    end.extend_from_slice(&mailbox.0.saturating_add(1).to_be_bytes());
    (key(account, Some(mailbox), ""), end)
}

pub(crate) fn encode(value: &[u8]) -> Val {
    let mut w = Writer::version(V1);
    w.raw(value);
    w.sealed()
}

/// The mailbox, the entry's name and its value.
pub(crate) fn decode<'a>(key: &'a [u8], value: &'a [u8]) -> Option<(Option<MailboxId>, &'a str, &'a [u8])> {
    let (mailbox, name) = key.get(super::PREFIX_OCTETS..)?.split_first_chunk::<4>()?;
    let mailbox = u32::from_be_bytes(*mailbox);
    let value = Reader::sealed_version(value, V1)?.rest();
    Some(((mailbox != NO_MAILBOX).then_some(MailboxId(mailbox)), std::str::from_utf8(name).ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let key = key(AccountId(1), Some(MailboxId(3)), "/shared/comment");
        assert_eq!(key[super::super::PREFIX_OCTETS..][..5], [0, 0, 0, 3, b'/']);
        let value = encode(b"a\0b");
        assert_eq!(value[..value.len() - 4], *b"\x01a\0b");
        assert_eq!(decode(&key, &value), Some((Some(MailboxId(3)), "/shared/comment", &b"a\0b"[..])));
        let (from, to) = range_of(AccountId(1), MailboxId(3));
        assert!(from <= key && key < to);
    }
}
