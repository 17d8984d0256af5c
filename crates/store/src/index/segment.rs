//! Segments: terms in order, and for each the documents that have it. Written once, front to back; read by term.
//! Knows no message.

use std::sync::Arc;

use memchr::memmem::Finder;
use yubin_base::AccountId;
use yubin_engine::{Key, Op, View};

use super::{bits::Bits, terms::Kind};
use crate::{
    StoreError,
    account::breathe,
    limits,
    tables::{
        codec::{Reader, Writer, damaged},
        index::{self, Block, Segment},
    },
};

/// Where in a message a term stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Body = 0,
    PartHeader = 1,
    Subject = 2,
    From = 3,
    To = 4,
    Cc = 5,
    /// Other fields of the header, and the names of all of them.
    Header = 6,
}

impl Place {
    pub(crate) const ALL: [Self; 7] =
        [Self::Body, Self::PartHeader, Self::Subject, Self::From, Self::To, Self::Cc, Self::Header];

    /// Of the values of a field.
    pub(crate) fn of_field(name: &str) -> Self {
        match name {
            "subject" => Self::Subject,
            "from" => Self::From,
            "to" => Self::To,
            "cc" => Self::Cc,
            _ => Self::Header,
        }
    }
}

/// Terms of one kind in one place.
pub(crate) fn space(place: Place, kind: Kind) -> u8 {
    place as u8 * 3 + kind as u8
}

/// The postings of a term within a segment: numbers from the segment's first document on.
/// Ascending differences, or bits where those are shorter. The flag tells which.
pub(crate) fn pack(numbers: impl Iterator<Item = u64>, span: u64) -> (Vec<u8>, bool) {
    let (mut w, mut next) = (Writer::default(), 0);
    for n in numbers {
        w.int(n.saturating_sub(next));
        next = n + 1;
    }
    let packed = w.bare();
    if packed.len() as u64 <= span.div_ceil(8) {
        return (packed, false);
    }
    let mut bits = vec![0u8; usize::try_from(span.div_ceil(8)).unwrap_or(0)];
    for n in unpack(&packed, false) {
        if let Some(octet) = bits.get_mut((n / 8) as usize) {
            *octet |= 1 << (n % 8);
        }
    }
    (bits, true)
}

/// The numbers of packed postings.
pub(crate) fn unpack(packed: &[u8], bits: bool) -> Vec<u64> {
    let mut numbers = Vec::new();
    if bits {
        for (at, octet) in (0..).zip(packed) {
            numbers.extend((0..8u64).filter(|bit| octet >> bit & 1 == 1).map(|bit| at * 8 + bit));
        }
        return numbers;
    }
    let (mut r, mut next) = (Reader::bare(packed), 0u64);
    while let Some(gap) = r.int() {
        let n = next.saturating_add(gap);
        numbers.push(n);
        next = n.saturating_add(1);
    }
    numbers
}

/// Writes a segment.
pub(crate) struct SegmentWriter {
    account: AccountId,
    segment: u64,
    space: u8,
    first: Vec<u8>,
    block: Block,
    chunk: Vec<u8>,
    chunks: u32,
    /// Octets of postings so far.
    postings: u64,
    octets: u64,
    ops: Vec<Op>,
    ops_octets: usize,
}

impl SegmentWriter {
    pub(crate) fn new(account: AccountId, segment: u64) -> Self {
        Self {
            account,
            segment,
            space: 0,
            first: Vec::new(),
            block: Block::default(),
            chunk: Vec::new(),
            chunks: 0,
            postings: 0,
            octets: 0,
            ops: Vec::new(),
            ops_octets: 0,
        }
    }

    /// The next term; they ascend by space and term.
    pub(crate) fn term(&mut self, space: u8, term: &[u8], packed: &[u8], bits: bool) {
        if space != self.space || self.block.text.len() >= limits::INDEX_BLOCK_OCTETS {
            self.end_block();
            self.space = space;
        }
        if self.block.lengths.is_empty() {
            self.first = term.to_vec();
            self.block.postings = self.postings;
            self.block.text.push(b'\n');
        }
        self.block.text.extend_from_slice(term);
        self.block.text.push(b'\n');
        self.block.lengths.push((packed.len() as u64) << 1 | u64::from(bits));
        self.postings += packed.len() as u64;
        self.chunk.extend_from_slice(packed);
        while self.chunk.len() >= limits::INDEX_CHUNK_OCTETS {
            let rest = self.chunk.split_off(limits::INDEX_CHUNK_OCTETS);
            self.end_chunk();
            self.chunk = rest;
        }
    }

    fn put(&mut self, key: Key, value: Vec<u8>) {
        self.octets += value.len() as u64;
        self.ops_octets += key.len() + value.len();
        self.ops.push(Op::Put(key, value));
    }

    fn end_block(&mut self) {
        if !self.block.lengths.is_empty() {
            let key = index::block_key(self.account, self.segment, self.space, &self.first);
            let value = std::mem::take(&mut self.block).encode();
            self.put(key, value);
        }
    }

    fn end_chunk(&mut self) {
        if !self.chunk.is_empty() {
            let value = index::chunk_value(&self.chunk);
            self.put(index::chunk_key(self.account, self.segment, self.chunks), value);
            self.chunks += 1;
            self.chunk.clear();
        }
    }

    /// What is to be committed, once it is enough for a commit.
    pub(crate) fn full(&mut self) -> Option<Vec<Op>> {
        (self.ops_octets >= limits::INDEX_COMMIT_OCTETS).then(|| {
            self.ops_octets = 0;
            std::mem::take(&mut self.ops)
        })
    }

    /// The last operations, and the octets of all values and of the postings.
    pub(crate) fn finish(mut self) -> (Vec<Op>, u64, u64) {
        self.end_block();
        self.end_chunk();
        (self.ops, self.octets, self.postings)
    }
}

/// Where the postings of a term are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) at: u64,
    pub(crate) octets: u64,
    pub(crate) bits: bool,
}

impl Entry {
    fn new(at: u64, length: u64) -> Self {
        Self { at, octets: length >> 1, bits: length & 1 == 1 }
    }
}

/// A term to look for.
pub(crate) struct Pattern {
    finder: Finder<'static>,
    /// It begins with the line end before the term.
    begins: bool,
}

impl Pattern {
    /// A part of a term; with `begins` its beginning, with `ends` its end.
    pub(crate) fn new(text: &str, begins: bool, ends: bool) -> Self {
        let mark = |is: bool| if is { "\n" } else { "" };
        let pattern = [mark(begins), text, mark(ends)].concat();
        Self { finder: Finder::new(pattern.as_bytes()).into_owned(), begins }
    }
}

impl Block {
    /// The terms that match.
    fn find(&self, pattern: &Pattern, found: &mut Vec<Entry>) {
        let (mut lengths, mut at) = (self.lengths.iter(), self.postings);
        // The next term has not been passed yet; `seen` octets of the text have.
        let (mut passed, mut terms, mut seen) = (0usize, 0usize, 0usize);
        for hit in pattern.finder.find_iter(&self.text) {
            let within = hit + usize::from(pattern.begins);
            let skipped = self.text.get(seen..within).unwrap_or_default();
            terms += memchr::memchr_iter(b'\n', skipped).count();
            seen = within;
            // `terms` line ends stand before the hit: it is in the term of that number, counted from 1.
            while passed < terms {
                let Some(length) = lengths.next() else { return };
                passed += 1;
                let entry = Entry::new(at, *length);
                at += entry.octets;
                if passed == terms {
                    found.push(entry);
                }
            }
        }
    }

    /// Every term, in order.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (&[u8], Entry)> {
        let mut at = self.postings;
        let text = self.text.get(1..self.text.len().max(2) - 1).unwrap_or_default();
        text.split(|octet| *octet == b'\n').zip(&self.lengths).map(move |(term, length)| {
            let entry = Entry::new(at, *length);
            at += entry.octets;
            (term, entry)
        })
    }
}

/// Reads one segment.
pub(crate) struct SegmentReader<'a> {
    view: Arc<dyn View>,
    account: AccountId,
    pub(crate) segment: &'a Segment,
    chunk: Option<(u32, Vec<u8>)>,
}

impl<'a> SegmentReader<'a> {
    pub(crate) fn new(view: &Arc<dyn View>, account: AccountId, segment: &'a Segment) -> Self {
        Self { view: view.clone(), account, segment, chunk: None }
    }

    /// Goes on with a later view: a segment never changes.
    pub(crate) fn renew(&mut self, view: &Arc<dyn View>) {
        self.view = view.clone();
    }

    /// The first block from `from` on.
    pub(crate) async fn block(&self, from: &[u8], to: &[u8]) -> Result<Option<(Key, Block)>, StoreError> {
        let Some((key, value)) = self.view.scan(from, to, false, 1).await?.pop() else { return Ok(None) };
        let block = Block::decode(&value).ok_or_else(|| damaged("a block of the index", &key))?;
        Ok(Some((key, block)))
    }

    pub(crate) fn span(&self) -> u64 {
        self.segment.to - self.segment.from
    }

    /// All terms of a space that match.
    pub(crate) async fn find(&self, space: u8, pattern: &Pattern) -> Result<Vec<Entry>, StoreError> {
        let (mut from, to) = index::blocks(self.account, self.segment.id, space);
        let mut found = Vec::new();
        loop {
            let pairs = self.view.scan(&from, &to, false, limits::INDEX_BLOCKS_AT_ONCE).await?;
            for (key, value) in &pairs {
                let block = Block::decode(value).ok_or_else(|| damaged("a block of the index", key))?;
                block.find(pattern, &mut found);
            }
            let Some((last, _)) = pairs.last().filter(|_| pairs.len() >= limits::INDEX_BLOCKS_AT_ONCE) else {
                return Ok(found);
            };
            from.clone_from(last);
            from.push(0);
            breathe().await;
        }
    }

    /// One whole term.
    pub(crate) async fn term(&self, space: u8, term: &str) -> Result<Option<Entry>, StoreError> {
        let (from, _) = index::blocks(self.account, self.segment.id, space);
        // The last block that begins with this term or one before it.
        let mut to = index::block_key(self.account, self.segment.id, space, term.as_bytes());
        to.push(0);
        let Some((key, value)) = self.view.scan(&from, &to, true, 1).await?.pop() else { return Ok(None) };
        let block = Block::decode(&value).ok_or_else(|| damaged("a block of the index", &key))?;
        let mut found = Vec::new();
        block.find(&Pattern::new(term, true, true), &mut found);
        Ok(found.first().copied())
    }

    /// Adds the documents of postings to a set. Ascending entries read each chunk once.
    pub(crate) async fn add(&mut self, entries: &[Entry], set: &mut Bits) -> Result<(), StoreError> {
        for entry in entries {
            for n in unpack(&self.postings(*entry).await?, entry.bits) {
                set.set(n);
            }
        }
        Ok(())
    }

    /// The packed postings of an entry.
    pub(crate) async fn postings(&mut self, entry: Entry) -> Result<Vec<u8>, StoreError> {
        const CHUNK: u64 = limits::INDEX_CHUNK_OCTETS as u64;
        let mut packed = Vec::with_capacity(usize::try_from(entry.octets.min(CHUNK)).unwrap_or(0));
        let end = entry.at.saturating_add(entry.octets);
        let mut at = entry.at;
        while at < end {
            let number = u32::try_from(at / CHUNK).unwrap_or(u32::MAX);
            if self.chunk.as_ref().is_none_or(|(held, _)| *held != number) {
                let key = index::chunk_key(self.account, self.segment.id, number);
                let damage = || damaged("a chunk of the index", &key);
                let value = self.view.get(&key).await?.ok_or_else(damage)?;
                self.chunk = Some((number, index::chunk_octets(&value).ok_or_else(damage)?.to_vec()));
                breathe().await;
            }
            let held = self.chunk.as_ref().map(|(_, octets)| octets.as_slice()).unwrap_or_default();
            let start = usize::try_from(at % CHUNK).unwrap_or(0);
            let stop = held.len().min(start.saturating_add(usize::try_from(end - at).unwrap_or(usize::MAX)));
            match held.get(start..stop) {
                Some(piece) if !piece.is_empty() => {
                    packed.extend_from_slice(piece);
                    at += piece.len() as u64;
                }
                _ => {
                    let key = index::chunk_key(self.account, self.segment.id, number);
                    return Err(damaged("a chunk of the index is short", &key));
                }
            }
        }
        Ok(packed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postings_are_read_back_as_packed() {
        for (numbers, span) in [
            (vec![], 10),
            (vec![0], 1),
            (vec![5, 6, 900], 1_000),
            ((0..1_000).collect::<Vec<u64>>(), 1_000),
            ((0..100_000).step_by(3).collect(), 100_000),
            (vec![99_999], 100_000),
        ] {
            let (packed, bits) = pack(numbers.iter().copied(), span);
            assert!(packed.len() as u64 <= span.div_ceil(8).max(3));
            assert_eq!(unpack(&packed, bits), numbers);
        }
    }

    #[test]
    fn terms_are_found_by_any_part() {
        let mut writer = SegmentWriter::new(AccountId(1), 1);
        for term in ["bar", "barn", "foo", "foobar"] {
            writer.term(0, term.as_bytes(), term.as_bytes(), false);
        }
        let (ops, _, postings) = writer.finish();
        assert_eq!(postings, 16);
        let Some(Op::Put(_, value)) = ops.iter().find(|op| matches!(op, Op::Put(..))) else { panic!() };
        let block = Block::decode(value).unwrap();
        let check = |text, begins, ends, expected: &[u64]| {
            let mut found = Vec::new();
            block.find(&Pattern::new(text, begins, ends), &mut found);
            assert_eq!(found.iter().map(|e| e.at).collect::<Vec<_>>(), expected, "{text}");
        };
        check("ba", false, false, &[0, 3, 10]);
        check("bar", true, false, &[0, 3]);
        check("bar", false, true, &[0, 10]);
        check("bar", true, true, &[0]);
        check("o", false, false, &[7, 10]);
        check("x", false, false, &[]);
        let terms: Vec<_> = block.terms().map(|(t, e)| (t.to_vec(), e.octets)).collect();
        assert_eq!(terms.len(), 4);
        assert_eq!(terms[3], (b"foobar".to_vec(), 6));
    }
}
