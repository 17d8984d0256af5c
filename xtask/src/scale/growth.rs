//! One mailbox that grows: at a thousand messages, ten thousand and so on, what each operation takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Line, login, part};
use crate::bench::measure::{Subject, median};
use crate::bench::{account, yubin::Yubin};
use crate::client::imap::Imap;
use crate::client::smtp::{Dialect, Smtp, stuffed};
use crate::process::usage;

const NAME: &str = "Grown";
/// Different messages; the others are copies.
const DIFFERENT: u32 = 500;
/// Medians of so many tries.
const TRIES: usize = 9;

/// What an operation took at one size.
pub struct Point {
    pub operation: &'static str,
    pub messages: u32,
    pub ms: f64,
}

#[derive(Default)]
pub struct Grown {
    pub points: Vec<Point>,
    pub lines: Vec<Line>,
}

pub fn measure(server: &mut Yubin, most: u32) -> Result<Grown> {
    let mut grown = Grown::default();
    let mut imap = login(&server.subject(), 0)?;
    imap.run(&format!("CREATE {NAME}"))?;
    let mut there = 0;
    let mut next = 1_000;
    while next <= most {
        fill(&mut imap, &mut there, next)?;
        println!("scale: {there} messages");
        drop(imap);
        grown.points.extend(at_size(server, next)?);
        imap = login(&server.subject(), 0)?;
        next = if next == most { most + 1 } else { (next.saturating_mul(10)).min(most.max(next + 1)) };
    }
    drop(imap);
    grown.lines.extend(whole(&server.subject(), there)?);
    Ok(grown)
}

/// Appends a few, then copies until there are enough.
fn fill(imap: &mut Imap, there: &mut u32, wanted: u32) -> Result<()> {
    if *there == 0 {
        let messages: Vec<Vec<u8>> = (0..DIFFERENT).map(message).collect();
        for some in messages.chunks(50) {
            imap.append_many(NAME, some.iter().map(Vec::as_slice))?;
        }
        *there = DIFFERENT;
    }
    imap.select(NAME, "SELECT")?;
    while *there < wanted {
        let more = (*there).min(wanted - *there).min(100_000);
        imap.run(&format!("COPY 1:{more} {NAME}"))?;
        *there += more;
        imap.run("NOOP")?;
    }
    ensure!(imap.count(NAME)? == u64::from(wanted), "the mailbox has not {wanted} messages");
    Ok(())
}

fn message(number: u32) -> Vec<u8> {
    format!(
        "From: <a{number}@example.com>\r\nTo: <b@example.com>\r\nSubject: report {number}\r\nDate: Sat, 14 Nov 2026 10:00:00 +0000\r\n\
         Message-ID: <{number}@grown.example>\r\n\r\nA short message, number {number}.\r\n"
    )
    .into_bytes()
}

/// Each operation at this size: cold once, the others as medians.
fn at_size(server: &mut Yubin, messages: u32) -> Result<Vec<Point>> {
    server.restart()?;
    let subject = server.subject();
    let mut points = Vec::new();
    let mut add = |operation: &'static str, ms: f64| {
        println!("scale: {messages:>8} messages: {operation:<22} {ms:>10.2} ms");
        points.push(Point { operation, messages, ms });
    };
    let mut imap = login(&subject, 0)?;
    let begun = Instant::now();
    let exists = imap.select(NAME, "SELECT")?.exists;
    add("SELECT, first", elapsed_ms(begun));
    ensure!(exists == u64::from(messages), "SELECT tells {exists} messages of {messages}");
    add("SELECT", tries(|_| imap.select(NAME, "SELECT").map(drop))?);
    let one_round = |imap: &mut Imap| -> Result<()> {
        let mut told = 0;
        imap.each("FETCH 1:* (FLAGS)", |response| {
            told += u32::from(response.number_before("FETCH").is_some())
        })?;
        ensure!(told == messages, "FETCH tells of {told} messages of {messages}");
        Ok(())
    };
    let begun = Instant::now();
    one_round(&mut imap)?;
    add("FETCH FLAGS of all", elapsed_ms(begun));
    let middle = messages / 2;
    let mut other = login(&subject, 0)?;
    other.select(NAME, "SELECT")?;
    add(
        "STORE one",
        tries(|n| {
            let sign = if n % 2 == 0 { "+" } else { "-" };
            imap.run(&format!("STORE {middle} {sign}FLAGS (\\Flagged)")).map(drop)
        })?,
    );
    add(
        "NOOP of another session after that",
        tries(|n| {
            let sign = if n % 2 == 0 { "+" } else { "-" };
            imap.run(&format!("STORE {middle} {sign}FLAGS (\\Answered)"))?;
            Ok(())
        })
        .and_then(|_| tries(|_| other.run("NOOP").map(drop)))?,
    );
    add(
        "EXPUNGE one",
        tries_with(
            &mut imap,
            |imap, _| imap.run(&format!("STORE {middle} +FLAGS.SILENT (\\Deleted)")).map(drop),
            |imap| imap.run("EXPUNGE").map(drop),
        )?,
    );
    add("SEARCH FLAGGED", tries(|_| imap.run("SEARCH RETURN (COUNT) FLAGGED").map(drop))?);
    add("SEARCH UID of one", tries(|_| imap.run(&format!("UID SEARCH UID {middle}")).map(drop))?);
    add("APPEND", tries(|n| imap.append(NAME, "", &message(n as u32)).map(drop))?);
    drop(imap);
    drop(other);
    add("delivery", delivery(&subject)?);
    // As many as before: what was expunged and appended is even.
    Ok(points)
}

/// SMTP to an account whose INBOX is small but whose other mailbox is not.
fn delivery(subject: &Subject) -> Result<f64> {
    let mut smtp = Smtp::connect("127.0.0.1", subject.smtp, Dialect::Smtp)?;
    let took = tries(|n| {
        smtp.begin("a@example.org", &[&account(0)])?;
        smtp.finish(1, &stuffed(&message(n as u32)))
    })?;
    smtp.quit()?;
    Ok(took)
}

fn tries(mut what: impl FnMut(usize) -> Result<()>) -> Result<f64> {
    let mut took = Vec::new();
    for number in 0..TRIES {
        let begun = Instant::now();
        what(number)?;
        took.push(elapsed_ms(begun));
    }
    Ok(median(took.into_iter()))
}

/// As [`tries`], with what must happen before each and is not measured.
fn tries_with(
    imap: &mut Imap,
    mut before: impl FnMut(&mut Imap, usize) -> Result<()>,
    mut what: impl FnMut(&mut Imap) -> Result<()>,
) -> Result<f64> {
    let mut took = Vec::new();
    for number in 0..TRIES {
        before(imap, number)?;
        let begun = Instant::now();
        what(imap)?;
        took.push(elapsed_ms(begun));
    }
    Ok(median(took.into_iter()))
}

fn elapsed_ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

/// Commands on all of the largest mailbox, and what another account's session feels meanwhile.
fn whole(subject: &Subject, messages: u32) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut imap = login(subject, 0)?;
    imap.run("ENABLE QRESYNC")?;
    let selected = imap.select(NAME, "SELECT")?;
    let since = highest_mod_seq(&mut imap)?;
    let before = usage(&[*subject.pids.first().unwrap_or(&0)], true).own_octets;
    let mut tell = |what: &str, ms: f64, felt: &[f64]| {
        println!(
            "scale: {what}: {ms:.0} ms; another session meanwhile: p99 {:.1} ms, most {:.1} ms",
            part(felt, 0.99),
            part(felt, 1.0)
        );
        lines.push(Line::new(
            &format!("{what}, {messages} messages"),
            format!(
                "{ms:.0} ms; another session meanwhile: p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms",
                part(felt, 0.5),
                part(felt, 0.99),
                part(felt, 1.0)
            ),
        ));
    };
    for (what, command) in [
        ("STORE 1:* +FLAGS", "STORE 1:* +FLAGS (\\Seen)"),
        ("STORE 1:* +FLAGS.SILENT of every second one's neighbour", "STORE 1:* +FLAGS.SILENT (check)"),
        ("SEARCH SUBJECT", "SEARCH RETURN (COUNT) SUBJECT \"report 77\""),
        ("SEARCH BODY", "SEARCH RETURN (COUNT) BODY \"number 77.\""),
        ("SORT by subject", "UID SORT RETURN (COUNT) (SUBJECT) UTF-8 ALL"),
        ("THREAD", "UID THREAD REFERENCES UTF-8 ALL"),
    ] {
        if what.starts_with("SORT") && !imap.has("SORT")
            || what.starts_with("THREAD") && !imap.has("THREAD=REFERENCES")
        {
            continue;
        }
        let (ms, felt) = with_another(subject, || imap.run(command).map(drop))?;
        tell(what.split(" of every").next().unwrap_or(what), ms, &felt);
    }
    let half = messages / 2;
    imap.run(&format!("STORE 1:{half} +FLAGS.SILENT (\\Deleted)"))?;
    let (ms, felt) = with_another(subject, || imap.run("EXPUNGE").map(drop))?;
    tell("EXPUNGE of half", ms, &felt);
    ensure!(imap.count(NAME)? == u64::from(messages - half), "EXPUNGE left another number than half");
    drop(imap);
    let mut back = login(subject, 0)?;
    back.run("ENABLE QRESYNC")?;
    let (ms, felt) = with_another(subject, || {
        let mut vanished = false;
        let mut changed = 0;
        back.each(&format!("SELECT {NAME} (QRESYNC ({} {since}))", selected.uid_validity), |response| {
            vanished |= response.has("VANISHED (EARLIER)");
            changed += u32::from(response.number_before("FETCH").is_some());
        })?;
        ensure!(vanished && changed >= messages - half, "QRESYNC told of {changed} changes");
        Ok(())
    })?;
    tell("SELECT with QRESYNC after all of that", ms, &felt);
    let after = usage(&[*subject.pids.first().unwrap_or(&0)], true).own_octets;
    lines.push(Line::new(
        "memory of the server, before and after these",
        format!("{} MB, {} MB", before / 1_000_000, after / 1_000_000),
    ));
    let first = usage(&subject.pids, true).own_octets;
    let sessions = (0..20)
        .map(|_| {
            let mut imap = login(subject, 0)?;
            imap.select(NAME, "SELECT")?;
            Ok(imap)
        })
        .collect::<Result<Vec<_>>>()?;
    let each = usage(&subject.pids, true).own_octets.saturating_sub(first) / sessions.len() as u64 / 1024;
    lines.push(Line::goal(
        "memory of one more session with that mailbox selected",
        format!("{each} KiB"),
        each <= 256,
    ));
    Ok(lines)
}

fn highest_mod_seq(imap: &mut Imap) -> Result<u64> {
    let mut value = None;
    imap.each(&format!("STATUS {NAME} (HIGHESTMODSEQ)"), |response| {
        value = response.number_after("HIGHESTMODSEQ").or(value)
    })?;
    value.ok_or_else(|| anyhow::anyhow!("STATUS told no HIGHESTMODSEQ"))
}

/// Runs something long, while a session of another account fetches and stores: how long the one took, and each of the others.
fn with_another(subject: &Subject, long: impl FnOnce() -> Result<()>) -> Result<(f64, Vec<f64>)> {
    let mut other = login(subject, 1)?;
    other.append("INBOX", "", &message(1))?;
    other.select("INBOX", "SELECT")?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let felt = scope.spawn(|| -> Result<Vec<f64>> {
            let mut felt = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let sign = if felt.len() % 2 == 0 { "+" } else { "-" };
                other.run(&format!("STORE 1 {sign}FLAGS (\\Flagged)"))?;
                felt.push(elapsed_ms(begun));
                std::thread::sleep(Duration::from_millis(2));
            }
            Ok(felt)
        });
        let begun = Instant::now();
        let done = long();
        let ms = elapsed_ms(begun);
        over.store(true, Ordering::Relaxed);
        let mut felt = felt.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the other session panicked")))?;
        felt.sort_by(f64::total_cmp);
        done.map(|()| (ms, felt))
    })
}
