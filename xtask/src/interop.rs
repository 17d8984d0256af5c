//! `cargo x interop`: real mail clients against the built server. The cases are Python, in `tests/interop/`.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::test::Tally;
use crate::{clients, workspace};

#[derive(clap::Args)]
pub struct Options {
    /// Only cases whose name contains this
    only: Option<String>,
    /// Builds with optimizations
    #[arg(long)]
    release: bool,
    /// Keeps the scratch folder of each case
    #[arg(long)]
    keep: bool,
}

pub fn run(options: &Options) -> Result<()> {
    clients::ensure(false)?;
    let tally = play(options)?;
    if tally.failed > 0 {
        bail!("{} of {} cases failed", tally.failed, tally.failed + tally.passed);
    }
    Ok(())
}

/// All cases, for `cargo x test`.
pub fn play_all() -> Result<Tally> {
    play(&Options { only: None, release: false, keep: false })
}

fn play(options: &Options) -> Result<Tally> {
    let binary = workspace::build_server(options.release)?;
    let mut runner = Command::new(clients::python());
    runner
        .arg("-B")
        .arg(workspace::root().join("tests/interop/run.py"))
        .arg("--binary")
        .arg(binary)
        .arg("--scratch")
        .arg(workspace::scratch("interop")?)
        .stdin(Stdio::null())
        .current_dir(workspace::root());
    if options.keep {
        runner.arg("--keep");
    }
    if let Some(only) = &options.only {
        runner.args(["--only", only]);
    }
    let said = crate::test::echo(&mut runner)?;
    let last = said.lines.last().context("the interop runner said nothing")?;
    Tally::parse_closing(last).with_context(|| format!("the interop runner ended with {last:?}"))
}
