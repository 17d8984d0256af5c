//! `cargo x bench`: our server beside Postfix and Dovecot from Debian, in one run, on the same generated mail, every
//! answer checked. Prints ratios and writes `docs/benchmarks.md`. Wall-clock figures of durable work mean little on a
//! machine with neighbours: it says first whether the machine is quiet; time on the processor and ratios hold anyway.

mod corpus;
mod delivery;
mod mailbox;
mod measure;
pub mod peers;
mod quiet;
mod report;
pub mod yubin;

use anyhow::{Result, bail};

use crate::{clients, workspace};

use corpus::Corpus;

#[derive(clap::Args)]
pub struct Options {
    /// What to measure
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// Medians of so many runs
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// How many messages the large mailbox has
    #[arg(long, default_value_t = 10_000)]
    mailbox: usize,
    /// Only our server, for finding where time goes
    #[arg(long)]
    alone: bool,
    /// Does not write docs/benchmarks.md
    #[arg(long)]
    dry: bool,
    /// Measures flushes in this folder and prints one number
    #[arg(long, hide = true)]
    probe: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// From SMTP until it is in the mailbox
    Delivery,
    /// Mailboxes over IMAP
    Imap,
    All,
}

pub fn run(options: &Options) -> Result<()> {
    if let Some(dir) = &options.probe {
        println!("{}", quiet::flushes_per_second(dir)?);
        return Ok(());
    }
    if options.runs == 0 {
        bail!("a median needs at least one run");
    }
    let binary = workspace::build_server(true)?;
    let dir = workspace::scratch("bench")?;
    let quiet = quiet::judge(&dir)?;
    println!("bench: {}", quiet.words);
    let corpus = Corpus::generate(1, 500);

    let ours = yubin::Yubin::start(&binary, &dir.join("yubin"))?;
    let theirs = if options.alone {
        None
    } else {
        clients::ensure(true)?;
        Some(peers::Peers::start(&dir.join("peers"))?)
    };
    let mut subjects = vec![ours.subject()];
    subjects.extend(theirs.iter().map(peers::Peers::subject));

    let mut rows = Vec::new();
    if options.what != What::Imap {
        rows.extend(delivery::rows(&subjects, &corpus, options.runs)?);
    }
    if options.what != What::Delivery {
        rows.extend(mailbox::rows(&subjects, &corpus, options.runs, options.mailbox)?);
    }
    drop(subjects);
    ours.stop()?;
    if let Some(theirs) = theirs {
        theirs.stop()?;
    }
    let page = report::page(&rows, &quiet, options)?;
    println!("{}", report::table(&rows));
    if !options.dry && !options.alone {
        let path = workspace::root().join("docs/benchmarks.md");
        std::fs::create_dir_all(workspace::root().join("docs"))?;
        std::fs::write(&path, page)?;
        println!("bench: wrote docs/benchmarks.md");
    }
    Ok(())
}

/// The domain, the accounts and the password that both subjects are given.
const DOMAIN: &str = "lab.test";
const ACCOUNTS: usize = 20;
pub const PASSWORD: &str = "labpass1234";

pub fn account(number: usize) -> String {
    format!("u{:02}@{DOMAIN}", number % ACCOUNTS + 1)
}
