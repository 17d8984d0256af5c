//! `cargo x dev`: builds the server and becomes it.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Result;

#[derive(clap::Args)]
pub struct Options {
    /// Builds with optimizations
    #[arg(long)]
    release: bool,
    /// What follows goes to `yubin dev`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub fn run(options: &Options) -> Result<()> {
    let binary = crate::workspace::build_server(options.release)?;
    let error = Command::new(&binary).arg("dev").args(&options.arguments).exec();
    Err(anyhow::Error::new(error).context(format!("run {}", binary.display())))
}
