//! Many sessions that wait in IDLE under TLS: what one costs, and how soon it hears of mail.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::{Line, part};
use crate::bench::measure::Subject;
use crate::bench::{PASSWORD, account};
use crate::client::imap::Imap;
use crate::client::smtp::{Dialect, Smtp, stuffed};
use crate::client::wire::Security;
use crate::process::usage;

/// Ports of one address run out; the server answers on each of these.
const PER_ADDRESS: usize = 4_000;
/// Files that one process may have open here: both ends of a connection are on this machine, in two processes.
const FILES_SPARE: usize = 500;
/// Accounts that the sessions belong to.
const ACCOUNTS: usize = 10;
const DELIVERIES: usize = 50;

pub fn measure(subject: &Subject, sessions: usize) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for tls in [false, true] {
        lines.extend(waiting(subject, sessions, tls)?);
    }
    Ok(lines)
}

fn waiting(subject: &Subject, sessions: usize, tls: bool) -> Result<Vec<Line>> {
    let (port, security) = if tls {
        let (port, certificate) = subject.imaps.as_ref().context("no port with TLS")?;
        (*port, Security::pinned(certificate)?)
    } else {
        (subject.imap, Security::Plain)
    };
    let open = |number: usize| -> Result<Imap> {
        let from = format!("127.0.0.{}", 1 + number / PER_ADDRESS);
        let name = account(number % ACCOUNTS);
        let mut imap = Imap::login_from(&from, "127.0.0.1", port, &security, &name, PASSWORD)?;
        imap.select("INBOX", "SELECT")?;
        imap.idle()?;
        Ok(imap)
    };
    let first = (0..ACCOUNTS * 10).map(open).collect::<Result<Vec<_>>>()?;
    std::thread::sleep(Duration::from_millis(500));
    let before = usage(&subject.pids, true).own_octets;
    let begun = Instant::now();
    let mut waiting = (0..sessions).map(open).collect::<Result<Vec<_>>>()?;
    let took = begun.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_secs(2));
    let each = usage(&subject.pids, true).own_octets.saturating_sub(before) as f64 / sessions as f64 / 1024.0;
    drop(first);
    let kind = if tls { "TLS" } else { "plain" };
    println!("scale: {sessions} waiting sessions, {kind}: {each:.1} KiB each, opened in {took:.0} s");
    let most = if tls { 40.0 } else { 20.0 };
    let mut lines = vec![Line::goal(
        &format!("memory of a waiting session, {sessions} of them, {kind}"),
        format!("{each:.1} KiB (at most {most})"),
        each <= most,
    )];
    let mut after = deliver(subject, waiting.get_mut(0).context("no session")?)?;
    after.sort_by(f64::total_cmp);
    lines.push(Line::new(
        &format!("from the end of a message to EXISTS at a waiting client, {sessions} sessions, {kind}"),
        format!(
            "p50 {:.1} ms, p99 {:.1} ms; {} sessions are told of each",
            part(&after, 0.5),
            part(&after, 0.99),
            sessions / ACCOUNTS
        ),
    ));
    Ok(lines)
}

/// Milliseconds from the dot that ends the message to EXISTS. The session belongs to the first account.
fn deliver(subject: &Subject, waiting: &mut Imap) -> Result<Vec<f64>> {
    let mut smtp = Smtp::connect("127.0.0.1", subject.smtp, Dialect::Smtp)?;
    let message = stuffed(b"Subject: news\r\n\r\nfor those who wait\r\n");
    let mut after = Vec::new();
    for _ in 0..DELIVERIES {
        smtp.begin("a@example.org", &[&account(0)])?;
        let begun = Instant::now();
        smtp.finish(1, &message)?;
        ensure!(waiting.hears("EXISTS")?, "a waiting session hears of something else");
        after.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    smtp.quit()?;
    Ok(after)
}

/// How many sessions the limit of open files permits; it is raised as far as it may be.
pub fn sessions_allowed() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let now = getrlimit(Resource::Nofile).current;
    now.map_or(usize::MAX, |now| usize::try_from(now).unwrap_or(usize::MAX)).saturating_sub(FILES_SPARE)
}
