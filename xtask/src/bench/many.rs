//! Commands on many messages: flags, copying, moving, removing; searching, sorting and threading a huge mailbox.

use std::cell::Cell;
use std::time::Instant;

use anyhow::{Result, bail};

use super::ACCOUNTS;
use super::corpus::Corpus;
use super::mailbox::{LARGE, OWNER, append_all, session};
use super::measure::{Goal, Row, Run, Subject, account_for, side_by_side};
use crate::client::imap::Imap;

/// The account with the huge mailbox.
pub const HUGE_OWNER: usize = ACCOUNTS - 2;
pub const HUGE: &str = "Huge";
/// Different messages in the huge mailbox; the others are copies.
const DIFFERENT: usize = 1_000;

/// Rows about the large mailbox, which the rows before have filled.
pub fn rows(subjects: &[Subject], runs: usize, count: usize) -> Result<Vec<Row>> {
    let five = Goal { rate: Some(5.0), ..Goal::default() };
    let two = Goal { rate: Some(2.0), ..Goal::default() };
    let mut rows =
        vec![side_by_side(subjects, runs, "STORE 1:*", "messages", five, |subject| store(subject, count))?];
    for part in [Part::Copy, Part::Move, Part::Expunge] {
        let name = format!("{part:?} of {count}");
        rows.push(side_by_side(subjects, runs, &name, "messages", five, |subject| {
            copy_move_expunge(subject, count, part)
        })?);
    }
    for (name, key) in [("SEARCH SUBJECT", "SUBJECT \"invoice\""), ("SEARCH BODY", "BODY \"please invoice\"")]
    {
        let found = Cell::new(None);
        rows.push(side_by_side(subjects, runs, name, "messages", two, |subject| {
            search(subject, key, count, &found)
        })?);
    }
    Ok(rows)
}

/// Rows about the huge mailbox.
pub fn huge_rows(subjects: &[Subject], corpus: &Corpus, runs: usize, count: usize) -> Result<Vec<Row>> {
    for subject in subjects {
        fill(subject, corpus, count)?;
    }
    let goal = |rate| Goal { rate: Some(rate), ..Goal::default() };
    let name = format!("FETCH FLAGS of {count}");
    let mut rows =
        vec![side_by_side(subjects, runs, &name, "messages", goal(2.0), |subject| flags(subject, count))?];
    let found = Cell::new(None);
    let name = format!("SEARCH BODY of a rare word, {count} messages");
    rows.push(side_by_side(subjects, 1, &name, "messages", goal(20.0), |subject| {
        search_in(subject, HUGE_OWNER, HUGE, "BODY \"rarely7\"", count, &found)
    })?);
    for (capability, name, command) in [
        ("SORT", format!("SORT by date of {count}"), "UID SORT (DATE) UTF-8 ALL"),
        ("SORT", format!("SORT by subject of {count}"), "UID SORT (SUBJECT) UTF-8 ALL"),
        ("THREAD=REFERENCES", format!("THREAD of {count}"), "UID THREAD REFERENCES UTF-8 ALL"),
    ] {
        if !subjects
            .iter()
            .map(|subject| session(subject, HUGE_OWNER))
            .all(|s| s.is_ok_and(|s| s.has(capability)))
        {
            println!("bench: no {capability} here; its row is left out");
            continue;
        }
        rows.push(side_by_side(subjects, runs, &name, "messages", goal(3.0), |subject| {
            order(subject, command, count)
        })?);
    }
    Ok(rows)
}

fn store(subject: &Subject, count: usize) -> Result<Run> {
    let mut imap = session(subject, OWNER)?;
    imap.select(LARGE, "SELECT")?;
    let run = account_for(subject, || {
        let begun = Instant::now();
        for sign in ["+", "-"] {
            let mut told = 0;
            imap.each(&format!("STORE 1:* {sign}FLAGS (\\Flagged)"), |response| {
                told += usize::from(response.number_before("FETCH").is_some());
            })?;
            if told != count {
                bail!("STORE told of {told} messages of {count}");
            }
        }
        Ok((2.0 * count as f64, begun.elapsed().as_secs_f64()))
    })?;
    expect_found(&mut imap, "FLAGGED", 0)?;
    Ok(run)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Copy,
    Move,
    Expunge,
}

/// Copies the large mailbox, moves the copies, removes them; one of the three is measured.
fn copy_move_expunge(subject: &Subject, count: usize, part: Part) -> Result<Run> {
    let mut imap = session(subject, OWNER)?;
    for name in ["Copies", "Moved"] {
        let _ = imap.run(&format!("DELETE {name}")); // there is none at first
        imap.run(&format!("CREATE {name}"))?;
    }
    imap.select(LARGE, "SELECT")?;
    let timed = |imap: &mut Imap, command: &str, word: &str, due: usize| -> Result<(f64, f64)> {
        let begun = Instant::now();
        let mut told = 0;
        imap.each(command, |response| told += usize::from(response.number_before(word).is_some()))?;
        if told != due {
            bail!("{command} told of {told} messages of {due}");
        }
        Ok((count as f64, begun.elapsed().as_secs_f64()))
    };
    if part == Part::Copy {
        let run = account_for(subject, || timed(&mut imap, "COPY 1:* Copies", "EXPUNGE", 0))?;
        expect_count(&mut imap, "Copies", count)?;
        return Ok(run);
    }
    imap.run("COPY 1:* Copies")?;
    imap.select("Copies", "SELECT")?;
    if part == Part::Move {
        let run = account_for(subject, || timed(&mut imap, "MOVE 1:* Moved", "EXPUNGE", count))?;
        expect_count(&mut imap, "Copies", 0)?;
        expect_count(&mut imap, "Moved", count)?;
        return Ok(run);
    }
    imap.run("STORE 1:* +FLAGS.SILENT (\\Deleted)")?;
    let run = account_for(subject, || timed(&mut imap, "EXPUNGE", "EXPUNGE", count))?;
    expect_count(&mut imap, "Copies", 0)?;
    Ok(run)
}

fn expect_count(imap: &mut Imap, mailbox: &str, count: usize) -> Result<()> {
    let there = imap.count(mailbox)?;
    if there != count as u64 {
        bail!("{mailbox} has {there} messages, and {count} are due");
    }
    Ok(())
}

fn expect_found(imap: &mut Imap, key: &str, count: usize) -> Result<()> {
    let found = searched(imap, key)?;
    if found != count {
        bail!("SEARCH {key} found {found} messages of {count}");
    }
    Ok(())
}

fn searched(imap: &mut Imap, key: &str) -> Result<usize> {
    let mut found = 0;
    imap.each(&format!("SEARCH {key}"), |response| found += numbers(response, b"* SEARCH"))?;
    Ok(found)
}

/// How many numbers follow the word.
fn numbers(response: &crate::client::imap::Response, word: &[u8]) -> usize {
    response.octets.strip_prefix(word).map_or(0, |rest| rest.iter().filter(|octet| **octet == b' ').count())
}

fn search(subject: &Subject, key: &str, count: usize, known: &Cell<Option<usize>>) -> Result<Run> {
    search_in(subject, OWNER, LARGE, key, count, known)
}

/// All subjects must find the same number of messages.
fn search_in(
    subject: &Subject,
    owner: usize,
    mailbox: &str,
    key: &str,
    count: usize,
    known: &Cell<Option<usize>>,
) -> Result<Run> {
    let mut imap = session(subject, owner)?;
    imap.select(mailbox, "EXAMINE")?;
    account_for(subject, || {
        let begun = Instant::now();
        let found = searched(&mut imap, key)?;
        let took = begun.elapsed().as_secs_f64();
        let due = known.get().unwrap_or(found);
        known.set(Some(due));
        if found != due || found == 0 || found == count {
            bail!("SEARCH {key} found {found} messages; the first subject found {due}");
        }
        Ok((count as f64, took))
    })
}

fn flags(subject: &Subject, count: usize) -> Result<Run> {
    let mut imap = session(subject, HUGE_OWNER)?;
    imap.select(HUGE, "EXAMINE")?;
    let rounds = 3;
    account_for(subject, || {
        let begun = Instant::now();
        for _ in 0..rounds {
            let mut told = 0;
            imap.each("FETCH 1:* (UID FLAGS)", |response| {
                told += usize::from(response.number_before("FETCH").is_some());
            })?;
            if told != count {
                bail!("FETCH told of {told} messages of {count}");
            }
        }
        Ok(((rounds * count) as f64, begun.elapsed().as_secs_f64()))
    })
}

/// SORT or THREAD: every message once.
fn order(subject: &Subject, command: &str, count: usize) -> Result<Run> {
    let mut imap = session(subject, HUGE_OWNER)?;
    imap.select(HUGE, "EXAMINE")?;
    account_for(subject, || {
        let begun = Instant::now();
        let mut told = Vec::new();
        imap.each(command, |response| {
            if response.octets.starts_with(b"* SORT") || response.octets.starts_with(b"* THREAD") {
                let words = response.octets.split(|octet| !octet.is_ascii_digit());
                told.extend(words.filter_map(|word| std::str::from_utf8(word).ok()?.parse::<u32>().ok()));
            }
        })?;
        let took = begun.elapsed().as_secs_f64();
        told.sort_unstable();
        told.dedup();
        if told.len() != count {
            bail!("{command} named {} messages of {count}", told.len());
        }
        Ok((count as f64, took))
    })
}

/// Some messages appended, then copied until there are enough.
fn fill(subject: &Subject, corpus: &Corpus, count: usize) -> Result<()> {
    println!("bench: filling a mailbox of {count} messages on {}", subject.name);
    let mut imap = session(subject, HUGE_OWNER)?;
    imap.run(&format!("CREATE {HUGE}"))?;
    let rare = b"From: a@example.com\r\nSubject: one of few\r\nMessage-ID: <rare@mid.lab.test>\r\n\r\nthe word rarely7 stands here\r\n";
    imap.append_many(HUGE, std::iter::once(rare.as_slice()))?;
    append_all(&mut imap, HUGE, corpus, DIFFERENT.min(count) - 1)?;
    imap.select(HUGE, "SELECT")?;
    let mut there = DIFFERENT.min(count);
    while there < count {
        let more = there.min(count - there);
        imap.run(&format!("COPY 1:{more} {HUGE}"))?;
        there += more;
        imap.run("NOOP")?;
    }
    expect_count(&mut imap, HUGE, count)
}
