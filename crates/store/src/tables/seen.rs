//! What those who are not the owner have marked `\Seen`: one row for each mailbox, viewer and piece of UIDs.

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};
use crate::{MailboxId, ModSeq, seen::Run};

const V1: u8 = 1;

pub(crate) fn key(account: AccountId, mailbox: MailboxId, viewer: AccountId, piece: u32) -> Key {
    let mut key = super::table(account, b'e');
    key.extend_from_slice(&mailbox.0.to_be_bytes());
    key.extend_from_slice(&viewer.0.to_be_bytes());
    key.extend_from_slice(&piece.to_be_bytes());
    key
}

/// The bounds of a viewer's rows for a mailbox.
pub(crate) fn range(account: AccountId, mailbox: MailboxId, viewer: AccountId) -> (Key, Key) {
    let mut to = key(account, mailbox, viewer, u32::MAX);
    to.push(0);
    (key(account, mailbox, viewer, 0), to)
}

/// The bounds of everybody's rows for a mailbox.
pub(crate) fn mailbox_range(account: AccountId, mailbox: MailboxId) -> (Key, Key) {
    let mut to = key(account, mailbox, AccountId(u64::MAX), u32::MAX);
    to.push(0);
    (key(account, mailbox, AccountId(0), 0), to)
}

/// The piece of a key of this table.
pub(crate) fn piece_of(key: &[u8]) -> Option<u32> {
    key.last_chunk::<4>().map(|piece| u32::from_be_bytes(*piece))
}

pub(crate) fn encode(runs: &[Run]) -> Val {
    let mut w = Writer::version(V1);
    w.int(runs.len() as u64);
    let (mut uid, mut modseq) = (0, 0);
    for run in runs {
        w.int(u64::from(run.from.wrapping_sub(uid)));
        // The length and whether it is seen, in one number.
        w.int(u64::from(run.to.wrapping_sub(run.from)) << 1 | u64::from(run.seen));
        w.delta(modseq, run.modseq.0);
        (uid, modseq) = (run.to, run.modseq.0);
    }
    w.sealed()
}

pub(crate) fn decode(value: &[u8]) -> Option<Vec<Run>> {
    let mut r = Reader::sealed_version(value, V1)?;
    let count = r.count()?;
    let (mut uid, mut modseq) = (0u32, 0);
    let mut runs = Vec::with_capacity(count);
    for _ in 0..count {
        let from = uid.checked_add(r.int32()?)?;
        let length = r.int()?;
        let to = from.checked_add(u32::try_from(length >> 1).ok()?)?;
        modseq = r.delta(modseq)?;
        uid = to;
        runs.push(Run { from, to, seen: length & 1 == 1, modseq: ModSeq(modseq) });
    }
    r.end().map(|()| runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let runs = [
            Run { from: 1, to: 4, seen: true, modseq: ModSeq(9) },
            Run { from: 300, to: 300, seen: false, modseq: ModSeq(7) },
        ];
        let value = encode(&runs);
        assert_eq!(value[..value.len() - 4], [1, 2, 1, 7, 18, 0xa8, 2, 0, 3]);
        assert_eq!(decode(&value).as_deref(), Some(&runs[..]));
        assert_eq!(piece_of(&key(AccountId(1), MailboxId(2), AccountId(3), 258)), Some(258));
    }

    #[test]
    fn the_longest_row_fits_into_a_value() {
        let run = |n: u32| Run {
            from: n,
            to: n,
            seen: n.is_multiple_of(2),
            modseq: ModSeq(u64::from(n % 7) << 40),
        };
        let runs: Vec<Run> = (u32::MAX - 4095..=u32::MAX).map(run).collect();
        assert!(encode(&runs).len() < 65_536);
        assert_eq!(decode(&encode(&runs)), Some(runs));
    }
}
