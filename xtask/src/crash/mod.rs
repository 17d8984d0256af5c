//! `cargo x crash`: kill -9 at random moments under load, again and again on the same data.
//! After each restart: no acknowledged message is lost, none doubled unless its client sent it again, no UID means
//! two messages, every acknowledged change of a session stands, counts equal a recount, `yubin fsck` finds nothing,
//! and the server was ready in time.

mod deliveries;
mod message;
mod sessions;
mod uids;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::client::Rng;
use crate::client::wire::Security;
use crate::server::{Account, Ready, Server};
use crate::test::Tally;
use crate::workspace;

use deliveries::Deliveries;
use sessions::Session;
use uids::Uids;

#[derive(clap::Args)]
pub struct Options {
    /// How often the server is killed
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Chooses the moments and the operations
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Builds with optimizations
    #[arg(long)]
    release: bool,
}

/// Connections that deliver at the same time.
const DELIVERERS: usize = 16;
/// IMAP sessions at the same time.
const SESSIONS: usize = 4;
/// The longest time between ready and the kill.
const LOAD_MAX_MS: u64 = 1_500;
/// The server is ready again within this time.
const READY_WITHIN: Duration = Duration::from_secs(2);
/// What was queued at the kill is delivered within this time.
const QUEUE_EMPTY_WITHIN: Duration = Duration::from_secs(10);

pub fn run(options: &Options) -> Result<()> {
    let faults = play(options)?;
    if !faults.is_empty() {
        bail!("{} faults", faults.len());
    }
    Ok(())
}

/// The form that `cargo x test` runs.
pub fn short() -> Result<Tally> {
    let kills = 10;
    let faults = play(&Options { kills, seed: 7, release: false })?;
    Ok(Tally { passed: u64::from(kills), failed: faults.len() as u64 })
}

fn play(options: &Options) -> Result<Vec<String>> {
    let binary = workspace::build_server(options.release)?;
    let dir = workspace::scratch("crash")?;
    let (data, log) = (dir.join("data"), dir.join("server.log"));
    let mut trial = Trial::begin(&binary, &data, &log, options.seed)?;
    for round in 1..=options.kills {
        trial
            .round(round)
            .with_context(|| format!("round {round}; the server's log is {}", log.display()))?;
        if trial.faults.len() > 20 {
            trial.faults.push("too many faults; stopped".into());
            break;
        }
    }
    trial.end()
}

/// The whole trial: the server and everything we know about what it acknowledged.
struct Trial<'a> {
    binary: &'a Path,
    data: &'a Path,
    log: &'a Path,
    server: Option<Server>,
    rng: Rng,
    deliveries: Deliveries,
    sessions: Vec<Session>,
    uids: Uids,
    ready_took: Vec<Duration>,
    kills: u32,
    faults: Vec<String>,
    begun: Instant,
}

impl<'a> Trial<'a> {
    fn begin(binary: &'a Path, data: &'a Path, log: &'a Path, seed: u64) -> Result<Trial<'a>> {
        let server = Server::start(binary, data, log)?;
        let accounts = server.ready.accounts.clone();
        let sessions =
            (0..SESSIONS).zip(accounts.iter().cycle()).map(|(number, account)| Session::new(number, account));
        let mut trial = Trial {
            binary,
            data,
            log,
            rng: Rng::new(seed),
            deliveries: Deliveries::new(&accounts),
            sessions: sessions.collect(),
            uids: Uids::default(),
            ready_took: Vec::new(),
            kills: 0,
            faults: Vec::new(),
            begun: Instant::now(),
            server: Some(server),
        };
        trial.prepare()?;
        Ok(trial)
    }

    /// Empties the inboxes of their examples and makes the mailboxes that the sessions use.
    fn prepare(&mut self) -> Result<()> {
        let world = self.world()?;
        for account in &world.ready.accounts {
            let mut imap = world.login(account)?;
            imap.empty("INBOX")?;
            imap.run(&format!("CREATE \"{}\"", deliveries::MOVED_TO))?;
        }
        for session in &self.sessions {
            session.prepare(&world)?;
        }
        Ok(())
    }

    /// Load, a kill, a restart, a look at everything.
    fn round(&mut self, round: u32) -> Result<()> {
        self.load_and_kill(round)?;
        self.restart()?;
        let world = self.world()?;
        let before = self.faults.len();
        self.faults.extend(wait_for_queue(self.server()?)?);
        self.faults.extend(self.deliveries.check(&world, &mut self.uids)?);
        for session in &mut self.sessions {
            self.faults.extend(session.check(&world, &mut self.uids)?);
        }
        self.faults.extend(fsck(self.server()?)?);
        for fault in self.faults.get(before..).unwrap_or_default() {
            println!("crash: round {round}: {fault}");
        }
        if round.is_multiple_of(10) {
            println!(
                "crash: {round} kills, {} faults, {:.0} s",
                self.faults.len(),
                self.begun.elapsed().as_secs_f64()
            );
        }
        Ok(())
    }

    fn load_and_kill(&mut self, round: u32) -> Result<()> {
        let world = self.world()?;
        let stop = AtomicBool::new(false);
        let load_for = Duration::from_millis(30 + self.rng.below(LOAD_MAX_MS));
        let seeds: Vec<u64> = (0..DELIVERERS + SESSIONS).map(|_| self.rng.next()).collect();
        let server = self.server.as_mut().context("no server runs")?;
        std::thread::scope(|scope| {
            let (world, stop, deliveries, uids) = (&world, &stop, &self.deliveries, &self.uids);
            let mut seeds = seeds.into_iter();
            for (number, seed) in (0..DELIVERERS).zip(&mut seeds) {
                scope.spawn(move || deliveries.work(world, round, number, &mut Rng::new(seed), stop));
            }
            for (session, seed) in self.sessions.iter_mut().zip(&mut seeds) {
                scope.spawn(move || session.work(world, round, &mut Rng::new(seed), uids, stop));
            }
            std::thread::sleep(load_for);
            // The order matters: clients that lose the server while it lives would hide what the kill does.
            let killed = server.kill();
            stop.store(true, Ordering::Relaxed);
            killed
        })?;
        self.kills += 1;
        Ok(())
    }

    /// Starts the server again, in one of ten cases after another kill while it is still starting.
    fn restart(&mut self) -> Result<()> {
        self.server = None;
        if self.rng.percent(10) {
            let patience = Duration::from_millis(self.rng.below(40));
            kill_while_starting(self.binary, self.data, self.log, patience)?;
            self.kills += 1;
        }
        let server = Server::start(self.binary, self.data, self.log)?;
        if server.start_took > READY_WITHIN {
            self.faults.push(format!("ready only after {:.2} s", server.start_took.as_secs_f64()));
        }
        self.ready_took.push(server.start_took);
        self.server = Some(server);
        Ok(())
    }

    fn end(mut self) -> Result<Vec<String>> {
        let world = self.world()?;
        self.faults.extend(self.deliveries.check_content(&world)?);
        if let Some(server) = self.server.as_mut() {
            server.stop()?;
        }
        self.table();
        Ok(self.faults)
    }

    fn table(&mut self) {
        self.ready_took.sort();
        let took = |at: usize| self.ready_took.get(at).map_or(0.0, |took| took.as_secs_f64() * 1000.0);
        let (delivered, imap) = (self.deliveries.figures(), sessions::figures(&self.sessions));
        let rows: Vec<(&str, String)> = vec![
            ("kills", self.kills.to_string()),
            ("deliveries acknowledged", delivered.acknowledged.to_string()),
            ("deliveries in doubt at a kill", delivered.in_doubt.to_string()),
            ("of these sent again", delivered.sent_again.to_string()),
            ("of these in the mailbox", delivered.in_doubt_found.to_string()),
            ("IMAP appends acknowledged", imap.appends.to_string()),
            ("IMAP flag changes acknowledged", imap.flags.to_string()),
            ("IMAP moves acknowledged", imap.moves.to_string()),
            ("IMAP expunges acknowledged", imap.expunges.to_string()),
            ("UIDs seen", self.uids.len().to_string()),
            ("ready again, median", format!("{:.0} ms", took(self.ready_took.len() / 2))),
            ("ready again, longest", format!("{:.0} ms", took(self.ready_took.len().saturating_sub(1)))),
            ("time in all", format!("{:.0} s", self.begun.elapsed().as_secs_f64())),
            ("faults", self.faults.len().to_string()),
        ];
        for (name, value) in rows {
            println!("crash: {name:<32} {value:>10}");
        }
    }

    fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("no server runs")
    }

    fn world(&self) -> Result<World> {
        let ready = self.server()?.ready.clone();
        let security = Security::pinned(&ready.certificate)?;
        Ok(World { ready: Arc::new(ready), security })
    }
}

/// How the clients reach the server of this round.
#[derive(Clone)]
pub struct World {
    ready: Arc<Ready>,
    security: Security,
}

impl World {
    fn login(&self, account: &Account) -> Result<crate::client::imap::Imap> {
        let (host, port) = (&self.ready.host, self.ready.ports.imaps);
        crate::client::imap::Imap::login(host, port, &self.security, &account.name, &account.password)
    }
}

fn kill_while_starting(binary: &Path, data: &Path, log: &Path, patience: Duration) -> Result<()> {
    let log = std::fs::OpenOptions::new().append(true).create(true).open(log)?;
    let mut child = std::process::Command::new(binary)
        .args(["dev", "--json", "--ephemeral", "--data"])
        .arg(data)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(log)
        .spawn()?;
    std::thread::sleep(patience);
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// Mail for several accounts rests in the queue when it is acknowledged; a server that has just started carries it on. What is still
/// there after this time is a fault.
fn wait_for_queue(server: &Server) -> Result<Option<String>> {
    let begun = Instant::now();
    loop {
        let listed = server.admin(&["queue", "list"])?;
        let left =
            listed.get("total").and_then(serde_json::Value::as_u64).context("the queue tells no total")?;
        if left == 0 {
            return Ok(None);
        }
        if begun.elapsed() > QUEUE_EMPTY_WITHIN {
            return Ok(Some(format!("{left} messages still in the queue")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The server's own recount: counts, quota, records and bodies.
fn fsck(server: &Server) -> Result<Vec<String>> {
    let report = match server.admin(&["fsck"]) {
        Ok(report) => report,
        Err(error) => return Ok(vec![format!("fsck: {error:#}")]),
    };
    let found =
        report.get("problems").or_else(|| report.get("findings")).and_then(serde_json::Value::as_array);
    let found = found.with_context(|| format!("fsck --json tells no list of problems: {report}"))?;
    Ok(found.iter().map(|problem| format!("fsck: {problem}")).collect())
}
