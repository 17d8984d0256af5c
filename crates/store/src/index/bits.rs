//! Sets of documents, as bits.

/// A set of numbers below a bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn new(bound: u64) -> Self {
        Self(vec![0; usize::try_from(bound.div_ceil(64)).unwrap_or(0)])
    }
    pub(crate) fn set(&mut self, n: u64) {
        if let Some(word) = self.0.get_mut((n / 64) as usize) {
            *word |= 1 << (n % 64);
        }
    }
    pub(crate) fn has(&self, n: u64) -> bool {
        self.0.get((n / 64) as usize).is_some_and(|word| word >> (n % 64) & 1 == 1)
    }
    pub(crate) fn or(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }
    pub(crate) fn and(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
    }
    pub(crate) fn without(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= !b);
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

/// A set of documents, segment by segment, ascending: where each begins, and its bits from there.
#[derive(Clone, Debug, Default)]
pub(crate) struct DocSet(Vec<(u64, Bits)>);

impl DocSet {
    /// Adds the bits of the next segment.
    pub(crate) fn push(&mut self, from: u64, bits: Bits) {
        if !bits.is_empty() {
            self.0.push((from, bits));
        }
    }
    pub(crate) fn has(&self, doc: u64) -> bool {
        let at = self.0.partition_point(|(from, _)| *from <= doc);
        at.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(from, bits)| bits.has(doc - from))
    }
    pub(crate) fn octets(&self) -> usize {
        self.0.iter().map(|(_, bits)| bits.0.len() * 8).sum()
    }
}
