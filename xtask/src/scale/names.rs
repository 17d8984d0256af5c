//! One account of many mailboxes.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::{Line, login};
use crate::bench::measure::{Subject, median};
use crate::client::imap::Imap;

const ACCOUNT: usize = 2;

pub fn measure(subject: &Subject, count: usize) -> Result<Vec<Line>> {
    let mut imap = login(subject, ACCOUNT)?;
    let mut took = Vec::new();
    for number in 0..count {
        let begun = Instant::now();
        imap.run(&format!("CREATE Level{:02}/Box{number:05}", number % 50))?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let tenth = (count / 10).max(1);
    let early = median(took.iter().take(tenth).copied());
    let late = median(took.iter().rev().take(tenth).copied());
    let mut lines = vec![Line::goal(
        &format!("CREATE, the first tenth and the last tenth of {count} mailboxes"),
        format!("{early:.2} ms, {late:.2} ms"),
        late < early.mul_add(10.0, 1.0),
    )];
    let mut timed = |what: &str, imap: &mut Imap, command: &str, due: Option<usize>| -> Result<()> {
        let begun = Instant::now();
        let mut told = 0;
        imap.each(command, |response| told += usize::from(response.octets.starts_with(b"* LIST")))?;
        lines.push(Line::new(
            &format!("{what}, {count} mailboxes"),
            format!("{:.2} ms", begun.elapsed().as_secs_f64() * 1e3),
        ));
        ensure!(due.is_none_or(|due| told == due), "{command} told of {told} mailboxes");
        Ok(())
    };
    timed("LIST \"\" */Box*", &mut imap, "LIST \"\" */Box*", Some(count))?;
    timed("LIST \"\" %", &mut imap, "LIST \"\" %", None)?;
    let status = "LIST \"\" */Box* RETURN (STATUS (MESSAGES UNSEEN UIDNEXT))";
    timed("LIST with STATUS of all", &mut imap, status, Some(count))?;
    timed("SELECT of one", &mut imap, &format!("SELECT Level07/Box{:05}", 7), None)?;
    imap.append("INBOX", "", b"Subject: a\r\n\r\nb\r\n")?;
    imap.run("SELECT INBOX")?;
    timed("STORE in one of", &mut imap, "STORE 1 +FLAGS (\\Seen)", None)?;
    timed("RENAME of fifty levels' first", &mut imap, "RENAME Level00 Renamed", None)?;
    let mut fresh = login(subject, ACCOUNT)?;
    timed("first command of another session", &mut fresh, "NOOP", None)?;
    Ok(lines)
}
