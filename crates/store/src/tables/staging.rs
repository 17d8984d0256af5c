//! Says that parts of a log entry were written ahead of the commit that makes them count: an entry too large for one batch.
//! While it is there, what the log holds beyond the head's modseq is no part of the account.

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::Writer;

const V1: u8 = 1;

pub(crate) fn key(account: AccountId) -> Key {
    super::table(account, b'w')
}

/// Names the attempt that writes ahead, so that no other one's parts are taken for its own. Set with its first piece,
/// removed by the next commit that counts.
pub(crate) fn encode(tag: u64) -> Val {
    let mut w = Writer::version(V1);
    w.u64(tag);
    w.sealed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let value = encode(0x0102);
        assert_eq!(value[..value.len() - 4], [1, 0, 0, 0, 0, 0, 0, 1, 2]);
    }
}
