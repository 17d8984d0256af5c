//! Mailboxes over IMAP: appending, and reading a large one.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::corpus::Corpus;
use super::measure::{Goal, Row, Run, Subject, account_for, in_parallel, side_by_side};
use super::{ACCOUNTS, PASSWORD, account};
use crate::client::imap::Imap;
use crate::client::wire::Security;

/// The account that has the large mailbox.
const OWNER: usize = ACCOUNTS - 1;
const LARGE: &str = "Large";

pub fn rows(subjects: &[Subject], corpus: &Corpus, runs: usize, count: usize) -> Result<Vec<Row>> {
    let goal = Goal { rate: Some(1.0), ..Goal::default() };
    let mut rows = Vec::new();
    for connections in [1, 10, 50] {
        let name =
            format!("APPEND, {connections} {}", if connections == 1 { "connection" } else { "connections" });
        let total = if connections == 1 { 500 } else { 2_000 };
        rows.push(side_by_side(subjects, runs, &name, "messages", goal, |subject| {
            append(subject, corpus, connections, total / connections)
        })?);
    }
    let mut disk = Row {
        name: format!("octets on disk for a message, {count} of them"),
        goal: Goal::default(),
        runs: Vec::new(),
        octets_each: Vec::new(),
    };
    for subject in subjects {
        disk.octets_each.push((subject.name, fill(subject, corpus, count)?));
    }
    for (name, items, rounds, runs) in [
        ("FETCH FLAGS of all", "UID FLAGS", 20, runs),
        ("FETCH ENVELOPE BODYSTRUCTURE of all, first", "ENVELOPE BODYSTRUCTURE", 1, 1),
        ("FETCH ENVELOPE BODYSTRUCTURE of all, again", "ENVELOPE BODYSTRUCTURE", 5, runs),
        ("FETCH bodies of all", "BODY.PEEK[]", 3, runs),
    ] {
        rows.push(side_by_side(subjects, runs, name, "messages", goal, |subject| {
            fetch(subject, corpus, items, rounds, count)
        })?);
    }
    rows.push(disk);
    Ok(rows)
}

fn session(subject: &Subject, number: usize) -> Result<Imap> {
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

fn nth(corpus: &Corpus, number: usize) -> &[u8] {
    corpus.mixed.get(number % corpus.mixed.len().max(1)).map(Vec::as_slice).unwrap_or_default()
}

/// Fills the large mailbox; the octets that each message takes on disk.
fn fill(subject: &Subject, corpus: &Corpus, count: usize) -> Result<f64> {
    let mut imap = session(subject, OWNER)?;
    imap.run(&format!("CREATE \"{LARGE}\""))?;
    flush_all();
    let before = allocated(subject);
    println!("bench: filling a mailbox of {count} messages on {}", subject.name);
    for number in 0..count {
        imap.append(LARGE, "", nth(corpus, number))?;
    }
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
        Ok(((rounds * count) as f64, begun.elapsed().as_secs_f64()))
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
