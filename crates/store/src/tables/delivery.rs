//! Deliveries by their idem, so that a repeated one finds where the first went. Kept for a while ([`crate::limits::IDEM_KEPT_S`]).

use yubin_base::{AccountId, UnixMs};
use yubin_engine::{Idem, Key, Val};

use super::codec::{Reader, Writer};
use crate::{DocId, ModSeq, Uid, UidValidity};

const V1: u8 = 1;

/// Where a delivery went. Set by append; never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) at: UnixMs,
    pub(crate) uid_validity: UidValidity,
    pub(crate) uid: Uid,
    pub(crate) modseq: ModSeq,
    pub(crate) doc: DocId,
}

pub(crate) fn key(account: AccountId, idem: &Idem) -> Key {
    let mut key = super::table(account, b'z');
    key.extend_from_slice(idem);
    key
}

/// The bounds of the table.
pub(crate) fn range(account: AccountId) -> (Key, Key) {
    (super::table(account, b'z'), super::table_end(account, b'z'))
}

impl Delivery {
    pub(crate) fn encode(&self) -> Val {
        let mut w = Writer::version(V1);
        w.u64(self.at.0);
        w.u32(self.uid_validity.0);
        w.u32(self.uid.0);
        w.int(self.modseq.0);
        w.int(self.doc.0);
        w.sealed()
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut r = Reader::sealed_version(value, V1)?;
        let delivery = Self {
            at: UnixMs(r.u64()?),
            uid_validity: UidValidity(r.u32()?),
            uid: Uid(r.u32()?),
            modseq: ModSeq(r.int()?),
            doc: DocId(r.int()?),
        };
        r.end().map(|()| delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let delivery = Delivery {
            at: UnixMs(1),
            uid_validity: UidValidity(2),
            uid: Uid(3),
            modseq: ModSeq(4),
            doc: DocId(500),
        };
        let value = delivery.encode();
        assert_eq!(value[..value.len() - 4], [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 4, 0xf4, 3]);
        assert_eq!(Delivery::decode(&value), Some(delivery));
    }
}
