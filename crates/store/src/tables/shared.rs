//! Documents that were copied at least once: before their content goes, other mailboxes must be asked for them.
//! All others have one place only, so that expunging them needs no count of places.

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};
use super::expunged::{read_docs, write_docs};
use crate::DocId;

const V1: u8 = 1;

pub(crate) fn key(account: AccountId, modseq: u64, part: u16) -> Key {
    let mut key = super::table(account, b'p');
    key.extend_from_slice(&modseq.to_be_bytes());
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// The bounds of the table.
pub(crate) fn range(account: AccountId) -> (Key, Key) {
    (super::table(account, b'p'), super::table_end(account, b'p'))
}

pub(crate) fn encode(docs: &[DocId]) -> Val {
    let mut w = Writer::version(V1);
    write_docs(&mut w, docs);
    w.sealed()
}

pub(crate) fn decode(value: &[u8]) -> Option<Vec<DocId>> {
    let mut r = Reader::sealed_version(value, V1)?;
    let docs = read_docs(&mut r)?;
    r.end().map(|()| docs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let value = encode(&[DocId(1), DocId(2)]);
        assert_eq!(value[..value.len() - 4], [1, 2, 2, 2]);
        assert_eq!(decode(&value), Some(vec![DocId(1), DocId(2)]));
    }
}
