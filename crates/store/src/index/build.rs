//! Gathers the terms of messages into a new segment, in bounded memory.

use std::{
    collections::HashMap,
    hash::{BuildHasher, DefaultHasher, Hasher},
};

use yubin_formats::mail::SearchField;

use super::{
    segment::{Place, SegmentWriter, pack, space, unpack},
    terms::Cutter,
};
use crate::{
    TextPlace, TextSink, limits,
    tables::{codec::Writer, index::Segment},
};

/// A hash that mail cannot foresee.
#[derive(Clone, Copy)]
struct Seeded(u64);

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;
    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

/// The documents of one term so far: packed as differences.
#[derive(Default)]
struct Postings {
    next: u64,
    packed: Vec<u8>,
}

/// A segment being gathered.
pub(crate) struct Builder {
    from: u64,
    /// The number of the next document, counted from `from`.
    next: u64,
    docs: u64,
    terms: HashMap<Vec<u8>, Postings, Seeded>,
    octets: usize,
    unread: Vec<u64>,
    scratch: Vec<u8>,
}

impl Builder {
    /// Of documents from `from` on. The seed is any random number.
    pub(crate) fn new(from: u64, seed: u64) -> Self {
        Self {
            from,
            next: 0,
            docs: 0,
            terms: HashMap::with_hasher(Seeded(seed)),
            octets: 0,
            unread: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes the next document in. Everything that the sink is given is its text.
    pub(crate) fn document(&mut self, doc: u64) -> DocTerms<'_> {
        self.next = doc.saturating_sub(self.from);
        self.docs += 1;
        let most = self.octets + limits::INDEX_MESSAGE_OCTETS;
        DocTerms { builder: self, cutters: Default::default(), most }
    }

    /// A document of which not everything is known: it may hold anything.
    pub(crate) fn unread(&mut self, doc: u64) {
        if self.unread.last() != Some(&doc) {
            self.unread.push(doc);
        }
    }

    pub(crate) fn docs(&self) -> u64 {
        self.docs
    }

    /// Whether it has as much as it may.
    pub(crate) fn is_full(&self) -> bool {
        self.octets >= limits::INDEX_BUILD_OCTETS || self.unread.len() >= limits::INDEX_UNREAD
    }

    fn add(&mut self, space: u8, term: &str) {
        self.scratch.clear();
        self.scratch.push(space);
        self.scratch.extend_from_slice(term.as_bytes());
        let known = self.terms.get_mut(self.scratch.as_slice());
        let postings = match known {
            Some(postings) => postings,
            None => {
                self.octets += self.scratch.len() + limits::INDEX_TERM_OVERHEAD;
                self.terms.entry(self.scratch.clone()).or_default()
            }
        };
        if postings.next <= self.next {
            let mut w = Writer::default();
            w.int(self.next - postings.next);
            let gap = w.bare();
            self.octets += gap.len();
            postings.packed.extend_from_slice(&gap);
            postings.next = self.next + 1;
        }
    }

    /// Writes the segment: its row, and the operations that store it, each list for a commit of its own.
    pub(crate) fn finish(
        self,
        account: yubin_base::AccountId,
        id: u64,
        to: u64,
    ) -> (Segment, Vec<Vec<yubin_engine::Op>>) {
        let span = to.saturating_sub(self.from);
        let mut terms: Vec<(Vec<u8>, Postings)> = self.terms.into_iter().collect();
        terms.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let (mut writer, mut commits) = (SegmentWriter::new(account, id), Vec::new());
        for (key, postings) in &terms {
            let Some((space, term)) = key.split_first() else { continue };
            if postings.packed.len() as u64 <= span.div_ceil(8) {
                writer.term(*space, term, &postings.packed, false);
            } else {
                let (packed, bits) = pack(unpack(&postings.packed, false).into_iter(), span);
                writer.term(*space, term, &packed, bits);
            }
            commits.extend(writer.full());
        }
        let (last, octets, postings) = writer.finish();
        commits.push(last);
        let segment =
            Segment { id, from: self.from, to, docs: self.docs, octets, postings, unread: self.unread };
        (segment, commits)
    }
}

/// Takes the texts of one document.
pub(crate) struct DocTerms<'a> {
    builder: &'a mut Builder,
    /// One for each place of [`TextPlace`].
    cutters: [Cutter; 3],
    /// The octets of the builder at which the document is too much.
    most: usize,
}

impl DocTerms<'_> {
    /// The header of the message.
    pub(crate) fn header(&mut self, header: &[SearchField]) {
        for field in header {
            self.whole(Place::Header, &field.name);
            let place = Place::of_field(&field.name);
            self.whole(place, &field.value);
            if let Some(unquoted) = &field.unquoted {
                self.whole(place, unquoted);
            }
        }
    }

    fn whole(&mut self, place: Place, text: &str) {
        let mut cutter = Cutter::default();
        let builder = &mut *self.builder;
        let mut term = |kind, term: &str| builder.add(space(place, kind), term);
        cutter.push(text, &mut term);
        cutter.end(&mut term);
    }

    /// Whether it was too much, so that not all of it is known.
    pub(crate) fn too_much(&self) -> bool {
        self.builder.octets > self.most
    }
}

impl TextSink for DocTerms<'_> {
    fn text(&mut self, place: TextPlace, piece: &str, last: bool) {
        let (at, place) = match place {
            TextPlace::Body => (0, Place::Body),
            TextPlace::Shown => (1, Place::Body),
            TextPlace::PartHeader => (2, Place::PartHeader),
        };
        let builder = &mut *self.builder;
        let mut term = |kind, term: &str| builder.add(space(place, kind), term);
        if let Some(cutter) = self.cutters.get_mut(at) {
            cutter.push(piece, &mut term);
            if last {
                cutter.end(&mut term);
            }
        }
    }
    fn is_done(&self) -> bool {
        self.too_much()
    }
}
