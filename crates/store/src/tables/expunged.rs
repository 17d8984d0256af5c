//! Documents that lost a place: their content goes after a while, unless another place still holds them.

use yubin_base::{AccountId, UnixMs};
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};
use crate::DocId;

const V1: u8 = 1;

/// Documents in one row: at most 10 octets each.
pub(crate) const DOCS_PER_ROW: usize = 6_000;

/// When the documents lost their place, and which. Set by expunge and delete; never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expunged {
    pub(crate) at: UnixMs,
    pub(crate) docs: Vec<DocId>,
}

pub(crate) fn key(account: AccountId, modseq: u64, part: u16) -> Key {
    let mut key = super::table(account, b'x');
    key.extend_from_slice(&modseq.to_be_bytes());
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// The bounds of the table.
pub(crate) fn range(account: AccountId) -> (Key, Key) {
    (super::table(account, b'x'), super::table_end(account, b'x'))
}

pub(crate) fn encode(at: UnixMs, docs: &[DocId]) -> Val {
    let mut w = Writer::version(V1);
    w.u64(at.0);
    write_docs(&mut w, docs);
    w.sealed()
}

pub(crate) fn decode(value: &[u8]) -> Option<Expunged> {
    let mut r = Reader::sealed_version(value, V1)?;
    let expunged = Expunged { at: UnixMs(r.u64()?), docs: read_docs(&mut r)? };
    r.end().map(|()| expunged)
}

/// Documents as differences.
pub(super) fn write_docs(w: &mut Writer, docs: &[DocId]) {
    w.int(docs.len() as u64);
    let mut last = 0;
    for doc in docs {
        w.delta(last, doc.0);
        last = doc.0;
    }
}

/// Reads what [`write_docs`] wrote.
pub(super) fn read_docs(r: &mut Reader<'_>) -> Option<Vec<DocId>> {
    let count = r.count()?;
    let mut last = 0;
    (0..count)
        .map(|_| {
            last = r.delta(last)?;
            Some(DocId(last))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let value = encode(UnixMs(7), &[DocId(5), DocId(4), DocId(300)]);
        assert_eq!(value[..value.len() - 4], [1, 0, 0, 0, 0, 0, 0, 0, 7, 3, 10, 1, 0xd0, 4]);
        assert_eq!(
            decode(&value),
            Some(Expunged { at: UnixMs(7), docs: vec![DocId(5), DocId(4), DocId(300)] })
        );
    }
}
