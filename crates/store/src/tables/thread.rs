//! Threads by the hash of a Message-ID. One row lists each thread that knows the id, with its subject's hash as guard:
//! a reply under another subject begins a new thread.

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};
use crate::ThreadId;

const V1: u8 = 1;

pub(crate) fn key(account: AccountId, hash: u64) -> Key {
    let mut key = super::table(account, b't');
    key.extend_from_slice(&hash.to_be_bytes());
    key
}

/// One thread that knows the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Hash of the thread's base subject.
    pub(crate) subject: u32,
    pub(crate) thread: ThreadId,
}

pub(crate) fn encode(known: &[Known]) -> Val {
    let mut w = Writer::version(V1);
    w.int(known.len() as u64);
    for k in known {
        w.u32(k.subject);
        w.int(k.thread.0);
    }
    w.sealed()
}

pub(crate) fn decode(value: &[u8]) -> Option<Vec<Known>> {
    let mut r = Reader::sealed_version(value, V1)?;
    let count = r.count()?;
    let known: Option<Vec<Known>> =
        (0..count).map(|_| Some(Known { subject: r.u32()?, thread: ThreadId(r.int()?) })).collect();
    r.end()?;
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let known = vec![Known { subject: 0x01020304, thread: ThreadId(9) }];
        let value = encode(&known);
        assert_eq!(value[..value.len() - 4], [1, 1, 1, 2, 3, 4, 9]);
        assert_eq!(decode(&value), Some(known));
    }
}
