//! Sessions: coming and going, opening a mailbox cold, many at work at once, many that wait.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::corpus::Corpus;
use super::mailbox::{LARGE, OWNER, append_all, nth, session};
use super::many::{HUGE, HUGE_OWNER};
use super::measure::{Figure, Goal, Row, Run, Subject, account_for, in_parallel, side_by_side};
use super::{PASSWORD, Servers, account};
use crate::client::Rng;
use crate::client::imap::Imap;
use crate::client::wire::Security;
use crate::process::usage;

/// Sessions that wait while their memory is counted.
const WAITING: usize = 500;
/// Connections of the mixed load, and for how long.
const MIXED: usize = 20;
const MIXED_FOR: Duration = Duration::from_secs(4);

pub fn rows(
    servers: &mut Servers,
    corpus: &Corpus,
    runs: usize,
    count: usize,
    huge: usize,
) -> Result<Vec<Row>> {
    let subjects = servers.subjects();
    let twice = Goal { rate: Some(2.0), ..Goal::default() };
    let mut rows =
        vec![side_by_side(&subjects, runs, "LOGIN, SELECT, LOGOUT", "sessions", twice, |subject| {
            come_and_go(subject, count)
        })?];
    rows.extend(mixed_load(&subjects, corpus)?);
    for tls in [false, true] {
        // Memory that was used before and is free again would hide what is used now.
        servers.ours.restart()?;
        rows.push(waiting(&servers.subjects(), tls)?);
    }
    rows.push(cold(servers, runs, huge)?);
    Ok(rows)
}

fn come_and_go(subject: &Subject, count: usize) -> Result<Run> {
    let times = 100;
    account_for(subject, || {
        let begun = Instant::now();
        for _ in 0..times {
            let mut imap = session(subject, OWNER)?;
            let exists = imap.select(LARGE, "SELECT")?.exists;
            if exists != count as u64 {
                bail!("SELECT told {exists} messages of {count}");
            }
            imap.run("LOGOUT")?;
        }
        Ok((f64::from(times), begun.elapsed().as_secs_f64()))
    })
}

/// Nothing of the mailbox is in memory: the page cache is empty, and our server has started anew. Theirs has a new process
/// for each session anyway.
fn cold(servers: &mut Servers, runs: usize, huge: usize) -> Result<Row> {
    let name = format!("SELECT of {huge}, cold");
    let goal = Goal { rate: Some(5.0), ..Goal::default() };
    let mut row: Option<Row> = None;
    for _ in 0..runs {
        servers.ours.restart()?;
        drop_page_cache()?;
        let subjects = servers.subjects();
        let one = side_by_side(&subjects, 1, &name, "SELECTs", goal, |subject| {
            let mut imap = session(subject, HUGE_OWNER)?;
            account_for(subject, || {
                let begun = Instant::now();
                let exists = imap.select(HUGE, "SELECT")?.exists;
                let took = begun.elapsed().as_secs_f64();
                if exists != huge as u64 {
                    bail!("SELECT told {exists} messages of {huge}");
                }
                Ok((1.0, took))
            })
        })?;
        match &mut row {
            None => row = Some(one),
            Some(row) => {
                for ((_, all), (_, more)) in row.runs.iter_mut().zip(one.runs) {
                    all.extend(more);
                }
            }
        }
    }
    row.ok_or_else(|| anyhow::anyhow!("no run"))
}

/// `proc_sys_vm(5)`. Without the right to do so, the rows are warm.
fn drop_page_cache() -> Result<()> {
    rustix::fs::sync();
    if let Err(error) = std::fs::write("/proc/sys/vm/drop_caches", "1") {
        println!("bench: the page cache stays as it is: {error}");
    }
    Ok(())
}

/// Twenty sessions of ten accounts that read, mark, append, search and look.
fn mixed_load(subjects: &[Subject], corpus: &Corpus) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut figures: Vec<(&'static str, [f64; 3])> = Vec::new();
    for subject in subjects {
        let taken = mixed(subject, corpus)?;
        println!(
            "bench: mixed load on {}: {:.2} ms p50, {:.2} ms p99, {:.0} commands/s",
            subject.name, taken[0], taken[1], taken[2]
        );
        figures.push((subject.name, taken));
    }
    let theirs = figures.get(1).map(|(_, [p50, ..])| 3.0 * p50);
    let column = |at: usize| {
        let values = figures.iter().map(|(name, taken)| (*name, taken.get(at).copied().unwrap_or(0.0)));
        values.collect::<Vec<_>>()
    };
    rows.push(Row::figure(
        "mixed load, 20 sessions, p50",
        Figure { unit: "ms", most: None, values: column(0) },
    ));
    rows.push(Row::figure(
        "mixed load, 20 sessions, p99 (goal: three times their p50)",
        Figure { unit: "ms", most: theirs, values: column(1) },
    ));
    rows.push(Row::figure(
        "mixed load, 20 sessions, commands/s",
        Figure { unit: "", most: None, values: column(2) },
    ));
    Ok(rows)
}

/// p50 and p99 in milliseconds, and commands a second.
fn mixed(subject: &Subject, corpus: &Corpus) -> Result<[f64; 3]> {
    let accounts = MIXED / 2;
    for number in 0..accounts {
        let mut imap = session(subject, number)?;
        let _ = imap.run("DELETE Mixed"); // there is none at first
        imap.run("CREATE Mixed")?;
        append_all(&mut imap, "Mixed", corpus, 200)?;
    }
    let took = Mutex::new(Vec::new());
    in_parallel(MIXED, |number| {
        let mut imap = session(subject, number % accounts)?;
        let mut exists = imap.select("Mixed", "SELECT")?.exists;
        let mut rng = Rng::new(number as u64 + 7);
        let mut mine = Vec::new();
        let end = Instant::now() + MIXED_FOR;
        while Instant::now() < end {
            let at = 1 + rng.below(exists.max(1));
            let begun = Instant::now();
            let mut see = |response: &crate::client::imap::Response| {
                exists = response.number_before("EXISTS").unwrap_or(exists);
            };
            match rng.below(10) {
                0..3 => imap.each(&format!("FETCH {at} (UID FLAGS BODY.PEEK[])"), &mut see)?,
                3..5 => imap.each(&format!("FETCH {at} (ENVELOPE BODYSTRUCTURE)"), &mut see)?,
                5..7 => imap.each(&format!("STORE {at} +FLAGS (\\Seen)"), &mut see)?,
                7 => imap.append("Mixed", "", nth(corpus, number))?,
                8 => imap.each("UID SEARCH UNSEEN SMALLER 4000", &mut see)?,
                _ => imap.each("NOOP", &mut see)?,
            };
            mine.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        took.lock().unwrap_or_else(std::sync::PoisonError::into_inner).append(&mut mine);
        Ok(())
    })?;
    let mut took = took.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    took.sort_by(f64::total_cmp);
    let at = |part: f64| took.get((took.len() as f64 * part) as usize).copied().unwrap_or(0.0);
    Ok([at(0.5), at(0.99), took.len() as f64 / MIXED_FOR.as_secs_f64()])
}

/// What a session costs that has selected a mailbox and waits in IDLE.
fn waiting(subjects: &[Subject], tls: bool) -> Result<Row> {
    let mut values = Vec::new();
    for subject in subjects {
        let (port, security) = match (&subject.imaps, tls) {
            (_, false) => (subject.imap, Security::Plain),
            (Some((port, certificate)), true) => (*port, Security::pinned(certificate)?),
            (None, true) => continue,
        };
        let open = |number: usize| -> Result<Imap> {
            let mut imap = Imap::login("127.0.0.1", port, &security, &account(number), PASSWORD)?;
            imap.select("INBOX", "SELECT")?;
            imap.idle()?;
            Ok(imap)
        };
        // What is made once, for the first of each account, is not counted.
        let first = (0..super::ACCOUNTS).map(open).collect::<Result<Vec<_>>>()?;
        let before = usage(&subject.pids, true).own_octets;
        let waiting = (0..WAITING).map(open).collect::<Result<Vec<_>>>()?;
        std::thread::sleep(Duration::from_millis(1_500));
        let after = usage(&subject.pids, true).own_octets;
        let each = after.saturating_sub(before) as f64 / WAITING as f64 / 1024.0;
        println!(
            "bench: {} waiting sessions, TLS {tls}, on {}: {each:.1} KiB each",
            waiting.len(),
            subject.name
        );
        drop((first, waiting));
        values.push((subject.name, each));
    }
    let name = if tls { "memory of a waiting session, TLS" } else { "memory of a waiting session" };
    let most = Some(if tls { 40.0 } else { 20.0 });
    Ok(Row::figure(name, Figure { unit: "KiB", most, values }))
}
