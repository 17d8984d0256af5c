//! Mailboxes over IMAP: appending, and reading a large one.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::corpus::Corpus;
use super::measure::{Figure, Goal, Row, Run, Subject, account_for, in_parallel, side_by_side};
use super::{ACCOUNTS, PASSWORD, account};
use crate::client::imap::Imap;
use crate::client::wire::Security;

/// The account that has the large mailbox.
pub const OWNER: usize = ACCOUNTS - 1;
pub const LARGE: &str = "Large";

pub fn rows(subjects: &[Subject], corpus: &Corpus, runs: usize, count: usize) -> Result<Vec<Row>> {
    let goal = |rate| Goal { rate: Some(rate), ..Goal::default() };
    let mut rows = Vec::new();
    for (connections, rate) in [(1, 1.0), (10, 3.0), (50, 3.0)] {
        let name =
            format!("APPEND, {connections} {}", if connections == 1 { "connection" } else { "connections" });
        let total = if connections == 1 { 500 } else { 2_000 };
        rows.push(side_by_side(subjects, runs, &name, "messages", goal(rate), |subject| {
            append(subject, corpus, connections, total / connections)
        })?);
    }
    let mut disk = Figure { unit: "octets", most: None, values: Vec::new() };
    for subject in subjects {
        disk.values.push((subject.name, fill(subject, corpus, count)?));
    }
    for (name, unit, items, rounds, runs, rate) in [
        ("FETCH FLAGS of all", "messages", "UID FLAGS", 20, runs, 2.0),
        ("FETCH ENVELOPE BODYSTRUCTURE of all, first", "messages", "ENVELOPE BODYSTRUCTURE", 1, 1, 2.0),
        ("FETCH ENVELOPE BODYSTRUCTURE of all, again", "messages", "ENVELOPE BODYSTRUCTURE", 5, runs, 2.0),
        ("FETCH bodies of all, MB", "MB", "BODY.PEEK[]", 3, runs, 1.5),
    ] {
        rows.push(side_by_side(subjects, runs, name, unit, goal(rate), |subject| {
            fetch(subject, corpus, items, rounds, count)
        })?);
    }
    rows.push(Row::figure(&format!("disk space of a message, {count} of them"), disk));
    Ok(rows)
}

pub fn session(subject: &Subject, number: usize) -> Result<Imap> {
    Imap::login("127.0.0.1", subject.imap, &Security::Plain, &account(number), PASSWORD)
}

/// Each connection appends to a mailbox of its own.
fn append(subject: &Subject, corpus: &Corpus, connections: usize, each: usize) -> Result<Run> {
    let mut sessions = Vec::new();
    for number in 0..connections {
        let mut imap = session(subject, number)?;
        let mailbox = format!("Append{number}");
        let _ = imap.run(&format!("DELETE \"{mailbox}\"")); // there is none at first
        imap.run(&format!("CREATE \"{mailbox}\""))?;
        sessions.push(std::sync::Mutex::new((imap, mailbox)));
    }
    let run = account_for(subject, || {
        let begun = Instant::now();
        in_parallel(connections, |number| {
            let Some(session) = sessions.get(number) else { return Ok(()) };
            let mut session = session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let (imap, mailbox) = &mut *session;
            (0..each)
                .try_for_each(|count| imap.append(mailbox, "", nth(corpus, number * each + count)).map(drop))
        })?;
        Ok(((connections * each) as f64, begun.elapsed().as_secs_f64()))
    })?;
    for session in &sessions {
        let mut session = session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (imap, mailbox) = &mut *session;
        let there = imap.count(mailbox)?;
        if there != each as u64 {
            bail!("{mailbox} has {there} messages of {each}");
        }
        imap.run(&format!("DELETE \"{mailbox}\""))?;
    }
    Ok(run)
}

pub fn nth(corpus: &Corpus, number: usize) -> &[u8] {
    corpus.mixed.get(number % corpus.mixed.len().max(1)).map(Vec::as_slice).unwrap_or_default()
}

/// Messages of a command that fills a mailbox.
const AT_ONCE: usize = 50;

/// Appends the first messages of the corpus, many with each command.
pub fn append_all(imap: &mut Imap, mailbox: &str, corpus: &Corpus, count: usize) -> Result<()> {
    for from in (0..count).step_by(AT_ONCE) {
        imap.append_many(mailbox, (from..count.min(from + AT_ONCE)).map(|number| nth(corpus, number)))?;
    }
    Ok(())
}

/// Fills the large mailbox; the octets that each message takes on disk.
fn fill(subject: &Subject, corpus: &Corpus, count: usize) -> Result<f64> {
    let mut imap = session(subject, OWNER)?;
    imap.run(&format!("CREATE \"{LARGE}\""))?;
    flush_all();
    let before = allocated(subject);
    println!("bench: filling a mailbox of {count} messages on {}", subject.name);
    append_all(&mut imap, LARGE, corpus, count)?;
    std::thread::sleep(Duration::from_secs(2));
    flush_all();
    Ok((allocated(subject).saturating_sub(before)) as f64 / count as f64)
}

/// All messages, `rounds` times: processor time is told in ticks of 10 ms, too coarse for one round.
fn fetch(subject: &Subject, corpus: &Corpus, items: &str, rounds: usize, count: usize) -> Result<Run> {
    let mut imap = session(subject, OWNER)?;
    let exists = imap.select(LARGE, "EXAMINE")?.exists;
    if exists != count as u64 {
        bail!("the mailbox has {exists} messages of {count}");
    }
    let bodies = items.starts_with("BODY.PEEK");
    let due: usize = (0..count).map(|number| nth(corpus, number).len()).sum();
    account_for(subject, || {
        let begun = Instant::now();
        for _ in 0..rounds {
            let (mut seen, mut octets, mut marked) = (0, 0, 0);
            imap.each(&format!("FETCH 1:* ({items})"), |response| {
                if response.number_before("FETCH").is_some() {
                    seen += 1;
                }
                octets += response.literals().map(<[u8]>::len).sum::<usize>();
                marked += usize::from(!bodies && response.has("@mid.lab.test>"));
            })?;
            if seen != count || bodies && octets != due || items.starts_with("ENVELOPE") && marked != count {
                bail!("FETCH ({items}) gave {seen} responses of {count} and {octets} octets of {due}");
            }
        }
        let amount = if bodies { due as f64 / 1e6 } else { count as f64 };
        Ok((rounds as f64 * amount, begun.elapsed().as_secs_f64()))
    })
}

/// What the files take on disk, in whole blocks.
fn allocated(subject: &Subject) -> u64 {
    fn below(path: &Path) -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        let Ok(metadata) = path.symlink_metadata() else { return 0 };
        let mut octets = metadata.blocks() * 512;
        if metadata.is_dir() {
            octets += std::fs::read_dir(path)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| below(&entry.path()))
                .sum::<u64>();
        }
        octets
    }
    subject.data.iter().map(|path| below(path)).sum()
}

fn flush_all() {
    rustix::fs::sync();
}
