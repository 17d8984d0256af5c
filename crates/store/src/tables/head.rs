//! The head: one row an account. Its first 8 octets are the account's modseq, which every commit expects unchanged.

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};
use crate::Usage;

/// The account's counters. Set by every commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The modseq of the last commit.
    pub(crate) modseq: u64,
    /// Changes when the account is restored from a backup, so that old sync states are refused.
    pub(crate) epoch: u32,
    /// The next document. Never goes back.
    pub(crate) next_doc: u64,
    /// The next mailbox. Never goes back.
    pub(crate) next_mailbox: u32,
    /// The least UIDVALIDITY for the next mailbox. Never goes back.
    pub(crate) next_uid_validity: u32,
    /// The newest log entry that was trimmed; what changed since a modseq of at least this can be told.
    pub(crate) log_floor: u64,
    /// The index chunks hold every change up to here; later ones are replayed from the log.
    pub(crate) base: u64,
    /// What counts against the quota.
    pub(crate) usage: Usage,
}

const V1: u8 = 1;

pub(crate) fn key(account: AccountId) -> Key {
    super::table(account, b'h')
}

impl Head {
    pub(crate) fn encode(&self) -> Val {
        let mut w = Writer::with_capacity(64);
        w.u64(self.modseq);
        w.u8(V1);
        w.u32(self.epoch);
        w.int(self.next_doc);
        w.int(u64::from(self.next_mailbox));
        w.u32(self.next_uid_validity);
        w.int(self.log_floor);
        w.int(self.base);
        w.int(self.usage.octets);
        w.int(self.usage.messages);
        w.sealed()
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut r = Reader::sealed(value)?;
        let modseq = r.u64()?;
        if r.u8()? != V1 {
            return None;
        }
        let head = Self {
            modseq,
            epoch: r.u32()?,
            next_doc: r.int()?,
            next_mailbox: r.int32()?,
            next_uid_validity: r.u32()?,
            log_floor: r.int()?,
            base: r.int()?,
            usage: Usage { octets: r.int()?, messages: r.int()? },
        };
        r.end().map(|()| head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let head = Head {
            modseq: 0x102,
            epoch: 1,
            next_doc: 300,
            next_mailbox: 7,
            next_uid_validity: 0x6500_0000,
            log_floor: 0,
            base: 256,
            usage: Usage { octets: 1000, messages: 3 },
        };
        let golden = "00000000000001020100000001ac020765000000008002e80703";
        let value = head.encode();
        let hex: String = value[..value.len() - 4].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, golden);
        assert_eq!(Head::decode(&value), Some(head));
    }
}
