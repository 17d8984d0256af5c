//! `cargo x ci`: exactly what CI does, by the script that CI runs.

use std::process::Command;

use anyhow::Result;

use crate::workspace;

pub fn run() -> Result<()> {
    workspace::run(Command::new("bash").arg(".ci/run").current_dir(workspace::root()))
}
