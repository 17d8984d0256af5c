//! Random numbers from a seed (SplitMix64). Good for choosing, not for secrets.

/// A stream of numbers that follows from its seed.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; zero when `end` is.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = end as u64;
        if end == 0 { 0 } else { (self.next() % end) as usize }
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// Some of these, in their order; at least one when there is one.
    pub(crate) fn some<T: Clone>(&mut self, from: &[T]) -> Vec<T> {
        let chance = 1 + self.below(4);
        let mut out: Vec<T> = from.iter().filter(|_| self.one_in(chance)).cloned().collect();
        if out.is_empty() {
            out.extend(self.pick(from).cloned());
        }
        out
    }
}
