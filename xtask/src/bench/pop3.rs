//! A maildrop read over POP3.

use std::time::Instant;

use anyhow::{Result, bail};

use super::corpus::Corpus;
use super::mailbox::{append_all, nth, session};
use super::measure::{Goal, Row, Run, Subject, account_for, side_by_side};
use super::{PASSWORD, account};
use crate::client::pop3::Pop3;

/// The account whose INBOX is read.
const READER: usize = super::ACCOUNTS - 3;
const MESSAGES: usize = 2_000;

pub fn rows(subjects: &[Subject], corpus: &Corpus, runs: usize) -> Result<Vec<Row>> {
    for subject in subjects {
        let mut imap = session(subject, READER)?;
        imap.empty("INBOX")?;
        append_all(&mut imap, "INBOX", corpus, MESSAGES)?;
    }
    let goal = Goal { rate: Some(1.5), ..Goal::default() };
    let row = side_by_side(subjects, runs, "POP3 RETR, MB", "MB", goal, |subject| retrieve(subject, corpus))?;
    Ok(vec![row])
}

fn retrieve(subject: &Subject, corpus: &Corpus) -> Result<Run> {
    let mut pop3 = Pop3::login("127.0.0.1", subject.pop3, &account(READER), PASSWORD)?;
    let run = account_for(subject, || {
        let begun = Instant::now();
        let mut octets = 0;
        for number in 0..MESSAGES {
            let got = pop3.retrieve(number + 1)?;
            let sent = nth(corpus, number);
            // Trace fields may stand before it; nothing may be missing.
            if !got.ends_with(sent) {
                bail!("message {} is not what was appended", number + 1);
            }
            octets += got.len();
        }
        Ok((octets as f64 / 1e6, begun.elapsed().as_secs_f64()))
    })?;
    pop3.quit()?;
    Ok(run)
}
