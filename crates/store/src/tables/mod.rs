//! The account's tables: keys and values as octets. The only modules that know them; they read and write nothing themselves.
//!
//! Every key begins with `a`, the shard (u16), the account (u64) and one octet for the table. Every value begins with the
//! version of its form (the head: after its modseq) and ends with a CRC-32C, since the engine's pages carry no checksums.
//!
//! | table | key | value |
//! |---|---|---|
//! | [`head`] | `h` | counters, usage, what the chunks cover |
//! | [`mailbox`] | `b` mailbox | name, UIDs, counts, keywords |
//! | [`chunk`] | `i` mailbox uid | up to 256 rows |
//! | [`log`] | `l` modseq part | the changes of one commit |
//! | [`message`] | `m` doc | what is kept of a message |
//! | [`annotation`] | `n` mailbox name | what a client keeps with a mailbox |
//! | [`shared`] | `p` modseq part | documents that were copied once |
//! | [`subscription`] | `s` name | nothing |
//! | [`remembered`] | `r` hash | until when rules remember it |
//! | [`script`] | `v` name | a Sieve script; of no name: which one runs |
//! | [`thread`] | `t` hash | threads that know this Message-ID |
//! | [`uidl`] | `u` mailbox uid | the UIDL of the server it came from |
//! | [`expunged`] | `x` modseq part | documents whose content can go later |
//! | [`index`] | `w` ... | the search index: derived, may be missing |
//! | [`seen`] | `e` mailbox viewer piece | what a viewer marked `\Seen` |
//! | [`sharer`] | `y` owner | nothing |
//! | [`staging`] | `w` | an entry of the log is being written ahead |
//! | [`delivery`] | `z` idem | where a delivery went |

pub(crate) mod annotation;
pub(crate) mod chunk;
pub(crate) mod codec;
pub(crate) mod delivery;
pub(crate) mod expunged;
pub(crate) mod head;
pub(crate) mod index;
pub(crate) mod log;
pub(crate) mod mailbox;
pub(crate) mod message;
pub(crate) mod remembered;
pub(crate) mod script;
pub(crate) mod seen;
pub(crate) mod shared;
pub(crate) mod sharer;
pub(crate) mod staging;
pub(crate) mod subscription;
pub(crate) mod thread;
pub(crate) mod uidl;

use yubin_base::AccountId;
use yubin_engine::{Key, Part};

/// How many shards the accounts are spread over. Fixed: it is part of every key.
const SHARDS_BITS: u32 = 12;

/// An id that no account has: what is kept for everybody stands under it.
pub(crate) const NOBODY: AccountId = AccountId(0);

/// The account's shard: the high bits of a fixed mixing of its id.
fn shard(account: AccountId) -> u16 {
    // The finaliser of splitmix64.
    let mut z = account.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> (64 - SHARDS_BITS)) as u16
}

/// The part that holds the account.
pub(crate) fn part(account: AccountId) -> Part {
    Part(u32::from(shard(account)))
}

/// The beginning of every key of a table of the account.
pub(crate) fn table(account: AccountId, kind: u8) -> Key {
    let mut key = Vec::with_capacity(32);
    key.push(b'a');
    key.extend_from_slice(&shard(account).to_be_bytes());
    key.extend_from_slice(&account.0.to_be_bytes());
    key.push(kind);
    key
}

/// Where the keys of a table end: the first key that is greater than all of them.
pub(crate) fn table_end(account: AccountId, kind: u8) -> Key {
    table(account, kind + 1)
}

/// All keys of the account, as `from <= key < to`.
pub(crate) fn everything(account: AccountId) -> (Key, Key) {
    (table(account, 0), table(account, 0xff))
}

/// Every part that may hold accounts, with the beginning of its accounts' keys.
pub(crate) fn parts() -> impl Iterator<Item = (Part, Key)> {
    (0..1u16 << SHARDS_BITS).map(|shard| {
        let [high, low] = shard.to_be_bytes();
        (Part(u32::from(shard)), vec![b'a', high, low])
    })
}

/// The account of a key.
pub(crate) fn account_of(key: &[u8]) -> Option<AccountId> {
    let id = key.get(3..11)?.try_into().ok()?;
    Some(AccountId(u64::from_be_bytes(id)))
}

/// Octets before a table's own part of a key.
pub(crate) const PREFIX_OCTETS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_as_they_are() {
        assert_eq!(table(AccountId(1), b'h'), [b'a', 9, 16, 0, 0, 0, 0, 0, 0, 0, 1, b'h']);
        assert_eq!(part(AccountId(1)), Part(0x910));
        assert_eq!(table(AccountId(7), b'h').len(), PREFIX_OCTETS);
        assert!((0..5000).all(|n| shard(AccountId(n)) < 4096));
    }
}
