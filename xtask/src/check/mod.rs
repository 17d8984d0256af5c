//! `cargo x check-imap`: many clients on one account, random commands, alone and pipelined, and for each client a model of
//! what it must see (RFC 9051 §7, RFC 7162). Each response is held against the rules the moment it comes; now and then all
//! fall silent, and every view must equal that of a new session. Plays against Dovecot as well: a rule that Dovecot breaks
//! is either a bug of Dovecot or a misreading of ours. Never knows how a server works inside.

mod answer;
mod client;
mod connection;
mod done;
mod flags;
mod mail;
mod plan;
mod search;
mod settle;
mod truth;
mod view;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::bench::{peers, yubin};
use crate::test::Tally;
use crate::{clients, workspace};

use client::Client;
use settle::Snapshot;
use truth::Truth;

#[derive(clap::Args)]
pub struct Options {
    /// How long
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// How many clients at the same time
    #[arg(long, default_value_t = 20)]
    clients: usize,
    /// Whom to check
    #[arg(long, value_enum, default_value_t = Whom::Yubin)]
    subject: Whom,
    /// Chooses the commands; how they meet, the machine chooses
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Builds with optimizations
    #[arg(long)]
    release: bool,
    /// Checks this binary instead of building one
    #[arg(long)]
    binary: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Whom {
    Yubin,
    Dovecot,
}

/// Trails that are printed for each kind of violation.
const TRAILS_PRINTED: u64 = 2;
/// The run ends when there are so many.
const VIOLATIONS_MAX: u64 = 400;

pub fn run(options: &Options) -> Result<()> {
    let violations = play(options)?;
    if violations > 0 {
        bail!("{violations} violations");
    }
    Ok(())
}

/// The form that `cargo x test` runs.
pub fn short() -> Result<Tally> {
    let options = Options {
        minutes: 10.0 / 60.0,
        clients: 6,
        subject: Whom::Yubin,
        seed: 3,
        release: false,
        binary: None,
    };
    let failed = play(&options)?;
    Ok(Tally { passed: u64::from(failed == 0), failed })
}

fn play(options: &Options) -> Result<u64> {
    let dir = workspace::scratch("check-imap")?;
    match options.subject {
        Whom::Yubin => {
            let binary = match &options.binary {
                Some(binary) => binary.clone(),
                None => workspace::build_server(options.release)?,
            };
            let server = yubin::Yubin::start(&binary, &dir.join("yubin"))?;
            let violations = check(options, server.subject().imap)?;
            server.stop()?;
            Ok(violations)
        }
        Whom::Dovecot => {
            clients::ensure(true)?;
            let server = peers::Dovecot::start(peers::MailFormat::Sdbox)?;
            check(options, server.imap)
        }
    }
}

/// What all clients share.
pub struct Shared {
    port: u16,
    account: String,
    password: &'static str,
    seed: u64,
    /// Commands are sent without waiting for the answers of those before.
    pipelines: bool,
    tokens: AtomicU64,
    truth: Mutex<Truth>,
    /// `None`: it could not be taken.
    snapshot: Mutex<Option<Arc<Snapshot>>>,
    violations: Mutex<BTreeMap<String, u64>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    over: AtomicBool,
}

impl Shared {
    pub fn truth(&self) -> MutexGuard<'_, Truth> {
        lock(&self.truth)
    }

    pub fn next_token(&self) -> u64 {
        self.tokens.fetch_add(1, Ordering::Relaxed)
    }

    pub fn count(&self, what: &'static str) {
        *lock(&self.counts).entry(what).or_default() += 1;
    }

    /// Counts a violation, and prints what led to it when it is one of the first of its kind.
    fn violation(&self, who: &str, what: &str, trail: &str) {
        let kind = what.split(':').next().unwrap_or(what);
        let mut violations = lock(&self.violations);
        let number = violations.entry(kind.to_owned()).or_default();
        *number += 1;
        if *number <= TRAILS_PRINTED {
            println!("check-imap: {who}: {what}\n{trail}");
        } else {
            println!("check-imap: {who}: {what}");
        }
    }

    fn violations(&self) -> u64 {
        lock(&self.violations).values().sum()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check(options: &Options, port: u16) -> Result<u64> {
    let shared = Shared {
        port,
        account: crate::bench::account(0),
        password: crate::bench::PASSWORD,
        seed: options.seed,
        // Dovecot answers them in another order, as RFC 9051 §5.5 allows: whose an answer is can then not be told.
        pipelines: options.subject == Whom::Yubin,
        tokens: AtomicU64::new(1),
        truth: Mutex::default(),
        snapshot: Mutex::default(),
        violations: Mutex::default(),
        counts: Mutex::default(),
        over: AtomicBool::new(false),
    };
    prepare(&shared, options.clients)?;
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(options.minutes * 60.0);
    let barrier = Barrier::new(options.clients);
    std::thread::scope(|scope| {
        for number in 0..options.clients {
            let (shared, barrier) = (&shared, &barrier);
            scope.spawn(move || Player { client: Client::new(number, shared), barrier, end }.play());
        }
    });
    report(&shared, options, begun.elapsed());
    Ok(shared.violations())
}

/// Makes the mailboxes.
fn prepare(shared: &Shared, clients: usize) -> Result<()> {
    let mut first = Client::new(0, shared);
    first.connect()?;
    let own = (0..clients).map(|number| format!("P{number}"));
    for name in plan::SHARED.iter().map(|name| (*name).to_owned()).chain(own) {
        if name != "INBOX" {
            first.simple(&format!("CREATE {name}"))?;
        }
    }
    Ok(())
}

/// One client through all rounds.
struct Player<'a> {
    client: Client<'a>,
    barrier: &'a Barrier,
    end: Instant,
}

impl Player<'_> {
    fn play(mut self) {
        let shared = self.client.shared;
        let mut pauses = plan::seed_of(shared.seed, usize::MAX);
        loop {
            let pause = Instant::now() + settle::pause_after(&mut pauses);
            while Instant::now() < pause.min(self.end) && shared.violations() < VIOLATIONS_MAX {
                self.attempt(|client| {
                    let plans = client.plan();
                    client.perform(plans)
                });
            }
            // Nobody sends commands from here on.
            self.barrier.wait();
            self.attempt(|client| client.catch_up());
            if self.barrier.wait().is_leader() {
                self.audit();
            }
            self.barrier.wait();
            let snapshot = lock(&shared.snapshot).clone();
            if let Some(snapshot) = snapshot {
                self.attempt(|client| client.compare(&snapshot));
            }
            self.barrier.wait();
            if shared.over.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Does one thing. After a violation the client forgets all and comes back.
    fn attempt(&mut self, thing: impl FnOnce(&mut Client<'_>) -> Result<()>) {
        let outcome = match self.client.connection {
            Some(_) => Ok(()),
            None => self.client.connect().context("CONNECT"),
        };
        if let Err(error) = outcome.and_then(|()| thing(&mut self.client)) {
            let who = format!("client {}", self.client.number);
            let trail = self.client.connection.as_ref().map_or(String::new(), connection::Connection::trail);
            self.client.shared.violation(&who, &format!("{error:#}"), &trail);
            self.client.connection = None;
            self.client.view = None;
            self.client.caches.clear();
            self.client.forget_private();
        }
    }

    fn audit(&self) {
        let shared = self.client.shared;
        let mut wrong = Vec::new();
        let taken = Snapshot::take(shared, &mut wrong);
        let snapshot = taken.map_err(|error| wrong.push(format!("{error:#}")));
        *lock(&shared.snapshot) = snapshot.ok().map(Arc::new);
        for what in &wrong {
            shared.violation("a new session", what, "");
        }
        shared.count("pauses in which all was compared");
        let over = Instant::now() >= self.end || shared.violations() >= VIOLATIONS_MAX;
        shared.over.store(over, Ordering::Relaxed);
    }
}

fn report(shared: &Shared, options: &Options, took: Duration) {
    for (what, count) in lock(&shared.counts).iter() {
        println!("check-imap: {what:<36} {count:>9}");
    }
    for (what, count) in lock(&shared.violations).iter() {
        println!("check-imap: VIOLATED {what:<27} {count:>9}");
    }
    println!(
        "check-imap: {:?}, {} clients, {:.0} s, seed {}: {} violations",
        options.subject,
        options.clients,
        took.as_secs_f64(),
        options.seed,
        shared.violations()
    );
}
