//! The simulation as a test: a few seeds, every time. `cargo x test` goes on with 500, and `cargo x sim --seeds N` with as many as you like.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails, panics

use yubin_sim::{Options, run};

/// Two threads share the seeds; each seed is deterministic for itself.
fn check(seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        if let Err(failure) = run(seed, &Options::default()) {
            panic!("{failure}\nagain: cargo x sim --seed {seed}");
        }
    }
}

#[test]
fn even_seeds() {
    check((0..60).step_by(2));
}

#[test]
fn odd_seeds() {
    check((1..60).step_by(2));
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [3, 4, 250] {
        let (first, second) =
            (run(seed, &Options::default()).unwrap(), run(seed, &Options::default()).unwrap());
        assert_eq!(first.trace, second.trace);
        assert!(first.commands > 100);
    }
}
