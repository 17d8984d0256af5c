//! Ports: what the crates below `server` ask of the world. `server` implements them for real, `testkit` for tests.

use crate::UnixMs;

/// Randomness. A simulated one makes runs repeatable.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);

    /// A random number.
    fn u128(&self) -> u128 {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        u128::from_le_bytes(bytes)
    }
    /// A random number.
    fn u64(&self) -> u64 {
        self.u128() as u64
    }
}

/// The wall clock, for the few places where time cannot be handed in: work that outlives its request.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UnixMs;
}

/// Runs heavy computing (password hashes) away from the sessions, a bounded number at a time.
pub trait Offload: Send + Sync {
    /// Runs the job soon, on a thread where waiting harms nobody.
    fn run(&self, job: Box<dyn FnOnce() + Send>);
}

/// Runs the job at once, in place. For tests and command-line tools.
#[derive(Clone, Copy, Debug, Default)]
pub struct InPlace;

impl Offload for InPlace {
    fn run(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }
}
