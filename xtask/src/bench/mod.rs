//! `cargo x bench`: our server beside Postfix and Dovecot from Debian, in one run, on the same generated mail, every
//! answer checked. Prints ratios and writes `docs/benchmarks.md`. Wall-clock figures of durable work mean little on a
//! machine with neighbours: it says first whether the machine is quiet; time on the processor and ratios hold anyway.

mod corpus;
mod delivery;
mod mailbox;
mod many;
pub mod measure;
pub mod peers;
mod pop3;
pub mod quiet;
mod report;
mod session;
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
    /// How many messages the huge mailbox has
    #[arg(long, default_value_t = 100_000)]
    huge: usize,
    /// Only our server, for finding where time goes
    #[arg(long)]
    alone: bool,
    /// Measures this binary instead of building one
    #[arg(long)]
    binary: Option<std::path::PathBuf>,
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
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => workspace::build_server(true)?,
    };
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
    let mut servers = Servers { ours, theirs };
    let subjects = servers.subjects();
    let mut rows = Vec::new();
    if options.what != What::Imap {
        rows.extend(delivery::rows(&subjects, &corpus, options.runs)?);
    }
    if options.what != What::Delivery {
        rows.extend(mailbox::rows(&subjects, &corpus, options.runs, options.mailbox)?);
        rows.extend(many::rows(&subjects, options.runs, options.mailbox)?);
        rows.extend(pop3::rows(&subjects, &corpus, options.runs)?);
        rows.extend(many::huge_rows(&subjects, &corpus, options.runs, options.huge)?);
        rows.extend(session::rows(&mut servers, &corpus, options.runs, options.mailbox, options.huge)?);
    }
    drop(subjects);
    servers.ours.stop()?;
    if let Some(theirs) = servers.theirs {
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

/// Who is measured.
pub struct Servers {
    pub ours: yubin::Yubin,
    pub theirs: Option<peers::Peers>,
}

impl Servers {
    pub fn subjects(&self) -> Vec<measure::Subject> {
        let mut subjects = vec![self.ours.subject()];
        subjects.extend(self.theirs.iter().map(peers::Peers::subject));
        subjects
    }
}

/// The domain, the accounts and the password that both subjects are given.
const DOMAIN: &str = "lab.test";
const ACCOUNTS: usize = 20;
pub const PASSWORD: &str = "labpass1234";

pub fn account(number: usize) -> String {
    format!("u{:02}@{DOMAIN}", number % ACCOUNTS + 1)
}
