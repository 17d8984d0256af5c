//! The simulation: random valid commands of several IMAP and POP3 sessions and deliveries, through the real machines over the real
//! store, on an engine that fails; and after each round a reference model that says whether what happened may happen.
//!
//! Everything follows from one seed: no clock, no thread, no iteration in random order. A seed that fails, fails again.

mod client;
mod content;
mod judge;
mod model;
mod observe;
mod rng;
mod world;

use std::fmt;

pub use world::{Options, Report};

/// What went wrong, where, and how it came to that.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The round, counted from 0.
    pub round: u32,
    /// What must not be.
    pub what: String,
    /// Every step so far, oldest first.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = self.trace.len().saturating_sub(40);
        if from > 0 {
            writeln!(f, "… {from} earlier steps")?;
        }
        for step in self.trace.iter().skip(from) {
            writeln!(f, "{step}")?;
        }
        writeln!(f, "seed {} failed in round {}: {}", self.seed, self.round, self.what)
    }
}

/// Runs one seed.
pub fn run(seed: u64, options: &Options) -> Result<Report, Failure> {
    world::run(seed, options)
}
