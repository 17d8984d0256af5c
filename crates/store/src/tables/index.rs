//! The search index (`crate::index`): its head, blocks of terms, chunks of postings, and documents that are gone. Derived: may be
//! missing as a whole. What a block or chunk holds is written once and never changed.
//!
//! | key after `w` | value |
//! |---|---|
//! | `h` | the head: segments, and how far they reach |
//! | `d` segment space term | a block of terms of one space, this one first |
//! | `p` segment number | a chunk of the segment's postings |
//! | `g` document | a document whose content is gone, not yet taken out |

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};

const V1: u8 = 1;

fn start(account: AccountId, kind: u8) -> Key {
    let mut key = super::table(account, b'w');
    key.push(kind);
    key
}

/// The whole table.
pub(crate) fn range(account: AccountId) -> (Key, Key) {
    (super::table(account, b'w'), super::table_end(account, b'w'))
}

pub(crate) fn head_key(account: AccountId) -> Key {
    start(account, b'h')
}

/// All blocks of a segment, and all its chunks.
pub(crate) fn segment_ranges(account: AccountId, segment: u64) -> [(Key, Key); 2] {
    [b'd', b'p'].map(|kind| {
        let bound = |segment: u64| [&start(account, kind)[..], &segment.to_be_bytes()].concat();
        (bound(segment), bound(segment.saturating_add(1)))
    })
}

pub(crate) fn block_key(account: AccountId, segment: u64, space: u8, first: &[u8]) -> Key {
    [&start(account, b'd')[..], &segment.to_be_bytes(), &[space], first].concat()
}

/// The blocks of one space.
pub(crate) fn blocks(account: AccountId, segment: u64, space: u8) -> (Key, Key) {
    (block_key(account, segment, space, b""), block_key(account, segment, space.saturating_add(1), b""))
}

pub(crate) fn space_of(key: &[u8]) -> Option<u8> {
    key.get(super::PREFIX_OCTETS + 9).copied()
}

pub(crate) fn chunk_key(account: AccountId, segment: u64, number: u32) -> Key {
    [&start(account, b'p')[..], &segment.to_be_bytes(), &number.to_be_bytes()].concat()
}

pub(crate) fn gone_key(account: AccountId, doc: u64) -> Key {
    [&start(account, b'g')[..], &doc.to_be_bytes()].concat()
}

pub(crate) fn gone_doc(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(super::PREFIX_OCTETS + 1..)?.try_into().ok()?))
}

pub(crate) fn gone_value() -> Val {
    Writer::version(V1).sealed()
}

/// One segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) id: u64,
    /// Documents from here on, up to but without `to`.
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// How many of them it holds.
    pub(crate) docs: u64,
    /// Octets of its values.
    pub(crate) octets: u64,
    /// Octets of its postings: where the last chunk ends.
    pub(crate) postings: u64,
    /// Documents that it does not know well enough: they may hold anything.
    pub(crate) unread: Vec<u64>,
}

/// The head of the index. Set by each commit of the index; the segments ascend and have no gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexHead {
    /// Never goes back.
    pub(crate) next_segment: u64,
    /// Documents below this are in the segments, or gone.
    pub(crate) until: u64,
    pub(crate) segments: Vec<Segment>,
}

impl IndexHead {
    pub(crate) fn encode(&self) -> Val {
        let mut w = Writer::version(V1);
        w.int(self.next_segment);
        w.int(self.until);
        w.int(self.segments.len() as u64);
        for s in &self.segments {
            for n in [s.id, s.from, s.to, s.docs, s.octets, s.postings, s.unread.len() as u64] {
                w.int(n);
            }
            s.unread.iter().for_each(|doc| w.int(doc.saturating_sub(s.from)));
        }
        w.sealed()
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut r = Reader::sealed_version(value, V1)?;
        let (next_segment, until) = (r.int()?, r.int()?);
        let count = r.count()?;
        let mut segments = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, from, to) = (r.int()?, r.int()?, r.int()?);
            let (docs, octets, postings) = (r.int()?, r.int()?, r.int()?);
            let unread = r.count()?;
            let unread: Option<Vec<u64>> = (0..unread).map(|_| from.checked_add(r.int()?)).collect();
            segments.push(Segment { id, from, to, docs, octets, postings, unread: unread? });
        }
        r.end()?;
        let ordered = segments.iter().zip(segments.iter().skip(1)).all(|(a, b)| a.to <= b.from);
        let whole = segments.iter().all(|s| s.from < s.to && s.id < next_segment && s.to <= until);
        (ordered && whole).then_some(Self { next_segment, until, segments })
    }
}

/// A block of terms: `text` is the terms, each between line ends; `lengths` say how long the postings of each are, and of which
/// form; the first of them begin at `postings`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) postings: u64,
    pub(crate) text: Vec<u8>,
    pub(crate) lengths: Vec<u64>,
}

impl Block {
    pub(crate) fn encode(&self) -> Val {
        let mut w = Writer::with_capacity(self.text.len() + self.lengths.len() * 2 + 32);
        w.u8(V1);
        w.int(self.postings);
        w.octets(&self.text);
        w.int(self.lengths.len() as u64);
        self.lengths.iter().for_each(|n| w.int(*n));
        w.sealed()
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut r = Reader::sealed_version(value, V1)?;
        let (postings, text) = (r.int()?, r.octets()?.to_vec());
        let count = r.count()?;
        let lengths: Option<Vec<u64>> = (0..count).map(|_| r.int()).collect();
        r.end()?;
        let terms = memchr::memchr_iter(b'\n', &text).count();
        (terms == count + 1).then_some(Self { postings, text, lengths: lengths? })
    }
}

/// A chunk of postings.
pub(crate) fn chunk_value(octets: &[u8]) -> Val {
    let mut w = Writer::with_capacity(octets.len() + 8);
    w.u8(V1);
    w.raw(octets);
    w.sealed()
}

pub(crate) fn chunk_octets(value: &[u8]) -> Option<&[u8]> {
    Reader::sealed_version(value, V1).map(Reader::rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(value: &[u8]) -> String {
        value[..value.len() - 4].iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn version_1_stays_readable() {
        let segment =
            Segment { id: 3, from: 10, to: 300, docs: 280, octets: 70_000, postings: 9, unread: vec![12] };
        let head = IndexHead { next_segment: 4, until: 300, segments: vec![segment] };
        assert_eq!(hex(&head.encode()), "0104ac0201030aac029802f0a20409".to_owned() + "0102");
        assert_eq!(IndexHead::decode(&head.encode()), Some(head));
        let block = Block { postings: 300, text: b"\na\nbc\n".to_vec(), lengths: vec![2, 301] };
        assert_eq!(hex(&block.encode()), "01ac02060a610a62630a0202ad02");
        assert_eq!(Block::decode(&block.encode()), Some(block));
        assert_eq!(chunk_octets(&chunk_value(b"abc")), Some(&b"abc"[..]));
        assert_eq!(hex(&gone_value()), "01");
    }

    #[test]
    fn segments_that_overlap_are_damage() {
        let segment = |id, from, to| Segment { id, from, to, ..Segment::default() };
        let head = |segments| IndexHead { next_segment: 9, until: 20, segments };
        let read = |head: IndexHead| IndexHead::decode(&head.encode()).is_some();
        assert!(read(head(vec![segment(1, 1, 5), segment(2, 5, 20)])));
        assert!(!read(head(vec![segment(1, 1, 6), segment(2, 5, 20)])));
        assert!(!read(head(vec![segment(1, 1, 21)])));
        assert!(!read(head(vec![segment(9, 1, 5)])));
    }
}
