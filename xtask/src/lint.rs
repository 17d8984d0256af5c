//! `cargo x lint`: formatting, and clippy without a warning.

use anyhow::{Context as _, Result};

use crate::workspace;

pub fn run() -> Result<()> {
    workspace::run(workspace::cargo().args(["fmt", "--all", "--check"]))
        .context("formatting differs; `cargo fmt --all` writes it (rustup component add rustfmt)")?;
    let mut clippy = workspace::cargo();
    clippy.args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    workspace::run(&mut clippy).context("clippy has something to say (rustup component add clippy)")
}
