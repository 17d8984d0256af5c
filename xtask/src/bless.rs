//! `cargo x bless`: writes what is generated or expected anew. The review is the diff.

use anyhow::Result;

use crate::workspace;

#[derive(clap::Args)]
pub struct Options {
    /// Only the generated pages, not the transcripts
    #[arg(long)]
    pages: bool,
}

pub fn run(options: &Options) -> Result<()> {
    for path in crate::reference::write()? {
        println!("wrote {path}");
    }
    if !options.pages {
        let mut test = workspace::cargo();
        test.args(["test", "--locked", "--workspace"]).env("YUBIN_BLESS", "1");
        workspace::run(&mut test)?;
    }
    Ok(())
}
