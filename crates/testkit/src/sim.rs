//! A clock and a randomness that repeat themselves. Never reads the real ones.

use std::sync::atomic::{AtomicU64, Ordering};

use yubin_base::{
    UnixMs,
    ports::{Clock, Random},
};

/// Randomness from a seed (splitmix64). The same seed gives the same numbers.
#[derive(Debug)]
pub struct SimRandom(AtomicU64);

impl SimRandom {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; zero when the bound is zero.
    pub fn below(&self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }
}

impl Random for SimRandom {
    fn fill(&self, buffer: &mut [u8]) {
        for piece in buffer.chunks_mut(8) {
            let octets = self.next().to_le_bytes();
            for (to, from) in piece.iter_mut().zip(octets) {
                *to = from;
            }
        }
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct SimClock(AtomicU64);

impl SimClock {
    /// Stands at this moment.
    pub fn new(now: UnixMs) -> Self {
        Self(AtomicU64::new(now.0))
    }
    /// Moves to this moment, also back.
    pub fn set(&self, now: UnixMs) {
        self.0.store(now.0, Ordering::Relaxed);
    }
    /// Moves on.
    pub fn advance_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now(&self) -> UnixMs {
        UnixMs(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (a, b, c) = (SimRandom::new(1), SimRandom::new(1), SimRandom::new(2));
        assert_eq!(a.u128(), b.u128());
        assert_ne!(a.u128(), c.u128());
        assert!(a.below(10) < 10);
        assert_eq!(a.below(0), 0);
    }

    #[test]
    fn the_clock_moves_when_told() {
        let clock = SimClock::new(UnixMs(5));
        clock.advance_ms(3);
        assert_eq!(clock.now(), UnixMs(8));
        clock.set(UnixMs(1));
        assert_eq!(clock.now(), UnixMs(1));
    }
}
