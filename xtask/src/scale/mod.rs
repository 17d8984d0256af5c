//! `cargo x scale`: the real binary with mailboxes as large as they come: how cost grows from a thousand messages to a
//! million (drawn as `docs/growth.svg`, told in `docs/growth.md`), an account of ten thousand mailboxes, and ten thousand
//! sessions that wait. What another session feels meanwhile is measured along. Answers are checked while they are measured.

mod growth;
mod idle;
mod names;
mod page;
mod plot;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::bench::measure::Subject;
use crate::bench::{PASSWORD, account, quiet, yubin::Yubin};
use crate::client::imap::Imap;
use crate::client::wire::Security;
use crate::workspace;

#[derive(clap::Args)]
pub struct Options {
    /// What to measure
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// Messages of the largest mailbox
    #[arg(long, default_value_t = 1_000_000)]
    messages: u32,
    /// Mailboxes of one account
    #[arg(long, default_value_t = 10_000)]
    mailboxes: usize,
    /// Sessions that wait, under TLS
    #[arg(long, default_value_t = 10_000)]
    sessions: usize,
    /// Measures this binary instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Does not write docs/growth.md and docs/growth.svg
    #[arg(long)]
    dry: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// One mailbox that grows
    Growth,
    /// One account of many mailboxes
    Names,
    /// Many sessions that wait
    Idle,
    All,
}

pub fn run(options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => workspace::build_server(true)?,
    };
    let dir = workspace::scratch("scale")?;
    // Before the server starts: it has as many as we have.
    let sessions = options.sessions.min(idle::sessions_allowed());
    let quiet = quiet::judge(&dir)?;
    println!("scale: {}", quiet.words);
    let wanted = |what| options.what == what || options.what == What::All;
    let mut lines = Vec::new();
    let mut points = Vec::new();
    if wanted(What::Idle) {
        let server = Yubin::start(&binary, &dir.join("idle"))?;
        lines.extend(idle::measure(&server.subject(), sessions)?);
        server.stop()?;
    }
    if wanted(What::Names) {
        let server = Yubin::start(&binary, &dir.join("names"))?;
        lines.extend(names::measure(&server.subject(), options.mailboxes)?);
        server.stop()?;
    }
    if wanted(What::Growth) {
        let mut server = Yubin::start(&binary, &dir.join("growth"))?;
        let grown = growth::measure(&mut server, options.messages)?;
        points = grown.points;
        lines.extend(grown.lines);
        server.stop()?;
    }
    for line in &lines {
        println!("scale: {}: {}", line.what, line.value);
    }
    if !options.dry && options.what == What::All {
        page::write(&points, &lines, &quiet.words)?;
        println!("scale: wrote docs/growth.md and docs/growth.svg");
    }
    let wrong: Vec<_> = lines.iter().filter(|line| line.missed).map(|line| line.what.as_str()).collect();
    if !wrong.is_empty() {
        bail!("short of what is wanted: {}", wrong.join("; "));
    }
    Ok(())
}

/// One figure of the page.
pub struct Line {
    pub what: String,
    pub value: String,
    /// It is not what was wanted.
    pub missed: bool,
}

impl Line {
    pub fn new(what: &str, value: String) -> Line {
        Line { what: what.to_owned(), value, missed: false }
    }

    /// A figure that has a goal.
    pub fn goal(what: &str, value: String, reached: bool) -> Line {
        Line { what: what.to_owned(), value, missed: !reached }
    }
}

/// A session of the first accounts.
pub fn login(subject: &Subject, number: usize) -> Result<Imap> {
    Imap::login("127.0.0.1", subject.imap, &Security::Plain, &account(number), PASSWORD)
}

/// The value below which so large a part of the sorted ones lies.
pub fn part(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}
