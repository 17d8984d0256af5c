//! From the first connection until every message is in its mailbox, seen over IMAP.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::corpus::Corpus;
use super::measure::{Goal, Row, Run, Subject, account_for, in_parallel, side_by_side};
use super::{PASSWORD, account};
use crate::client::imap::Imap;
use crate::client::smtp::{Dialect, Smtp, stuffed};
use crate::client::wire::Security;

/// Accounts that receive; the others keep what the mailbox rows need.
const RECEIVERS: usize = 15;
/// Messages over one connection, before a new one is opened.
const PER_CONNECTION: usize = 20;

pub fn rows(subjects: &[Subject], corpus: &Corpus, runs: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (size, messages, total) in [("4 KiB", &corpus.small, 2_000), ("64 KiB", &corpus.large, 800)] {
        let data: Vec<Vec<u8>> = messages.iter().map(|message| stuffed(message)).collect();
        for (connections, rate) in [(1, Some(2.0)), (10, None), (50, Some(10.0))] {
            let total = if connections == 1 { total / 5 } else { total };
            let name = format!(
                "delivered, {size}, {connections} {}",
                if connections == 1 { "connection" } else { "connections" }
            );
            let goal = Goal { rate, cpu: Some(0.1), memory: Some(0.1) };
            rows.push(side_by_side(subjects, runs, &name, "messages", goal, |subject| {
                deliver(subject, messages, &data, connections, total)
            })?);
        }
    }
    Ok(rows)
}

fn deliver(
    subject: &Subject,
    messages: &[Vec<u8>],
    data: &[Vec<u8>],
    connections: usize,
    total: usize,
) -> Result<Run> {
    let mut inboxes = (0..RECEIVERS)
        .map(|number| Imap::login("127.0.0.1", subject.imap, &Security::Plain, &account(number), PASSWORD))
        .collect::<Result<Vec<_>>>()?;
    for inbox in &mut inboxes {
        inbox.empty("INBOX")?;
    }
    let next = AtomicUsize::new(0);
    let run = account_for(subject, || {
        let begun = Instant::now();
        in_parallel(connections, |_| {
            let mut open: Option<(Smtp, usize)> = None;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(octets) = (number < total).then(|| data.get(number % data.len())).flatten() else {
                    return open.map_or(Ok(()), |(smtp, _)| smtp.quit());
                };
                let (mut smtp, used) = match open.take() {
                    Some(open) => open,
                    None => (Smtp::connect("127.0.0.1", subject.smtp, Dialect::Smtp)?, 0),
                };
                smtp.begin(&format!("s{}@example.org", number % 97), &[&account(number % RECEIVERS)])?;
                smtp.finish(1, octets)?;
                if used + 1 >= PER_CONNECTION {
                    smtp.quit()?;
                } else {
                    open = Some((smtp, used + 1));
                }
            }
        })?;
        wait_until_delivered(&mut inboxes, total)?;
        Ok((total as f64, begun.elapsed().as_secs_f64()))
    })?;
    check(&mut inboxes, messages, total)?;
    Ok(run)
}

fn wait_until_delivered(inboxes: &mut [Imap], total: usize) -> Result<()> {
    let patience = Instant::now() + Duration::from_secs(180);
    loop {
        let there = inboxes.iter_mut().map(|inbox| inbox.count("INBOX")).sum::<Result<u64>>()?;
        if there == total as u64 {
            return Ok(());
        }
        if Instant::now() > patience || there > total as u64 {
            bail!("{there} of {total} messages were delivered");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A wrong answer never gives a number: the first account holds exactly what was sent to it.
fn check(inboxes: &mut [Imap], messages: &[Vec<u8>], total: usize) -> Result<()> {
    let Some(inbox) = inboxes.first_mut() else { return Ok(()) };
    let due = (0..total).step_by(RECEIVERS).count();
    inbox.select("INBOX", "EXAMINE")?;
    let (mut right, mut wrong) = (0, 0);
    inbox.each("FETCH 1:* (BODY.PEEK[])", |response| {
        for literal in response.literals() {
            if messages.iter().any(|message| literal.ends_with(message)) {
                right += 1;
            } else {
                wrong += 1;
            }
        }
    })?;
    if right != due || wrong > 0 {
        bail!("the first account has {right} messages as sent, {wrong} others, and {due} were sent to it");
    }
    Ok(())
}
