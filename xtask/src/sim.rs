//! `cargo x sim`: random commands over several sessions against the reference model, with faults.
//! A seed replays exactly.

use anyhow::{Result, bail};

use crate::workspace;

#[derive(clap::Args)]
pub struct Options {
    /// Runs this one seed and tells every step
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Runs this many seeds
    #[arg(long, default_value_t = 500)]
    seeds: u64,
}

/// The crate that holds the simulation.
const CRATE: &str = "yubin-sim";

pub fn run(options: &Options) -> Result<()> {
    match options.seed {
        Some(seed) => start(&["--seed", &seed.to_string()]),
        None => start(&["--seeds", &options.seeds.to_string()]),
    }
}

/// Whether the workspace has the simulation.
pub fn exists() -> bool {
    workspace::root().join("crates/sim/Cargo.toml").exists()
}

fn start(words: &[&str]) -> Result<()> {
    if !exists() {
        bail!("crates/sim does not exist");
    }
    let mut run = workspace::cargo();
    run.args(["run", "--locked", "--quiet", "--package", CRATE, "--"]).args(words);
    workspace::run(&mut run)
}
