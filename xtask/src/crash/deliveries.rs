//! The connections that deliver over SMTP and LMTP, and the ledger of what they were told.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

use super::World;
use super::message::{FIELD, message, tag_in};
use super::uids::{Uids, lock};
use crate::client::Rng;
use crate::client::imap::Selected;
use crate::client::smtp::{Dialect, Smtp, stuffed};
use crate::server::Account;

/// Where sessions move delivered messages to.
pub const MOVED_TO: &str = "Moved";

pub struct Deliveries {
    accounts: Vec<Account>,
    ledger: Mutex<BTreeMap<Entry, Record>>,
    /// Messages whose fate their clients do not know.
    in_doubt: Mutex<Vec<(String, Vec<String>)>>,
}

/// One message for one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    account: String,
    tag: String,
}

#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// How often the message itself was sent.
    sent: u32,
    /// How often that was acknowledged.
    acknowledged: u32,
    /// How often it was found at the last look.
    found: u32,
}

/// For the table at the end.
#[derive(Debug, Default)]
pub struct Figures {
    pub acknowledged: u64,
    pub in_doubt: u64,
    pub sent_again: u64,
    pub in_doubt_found: u64,
}

impl Deliveries {
    pub fn new(accounts: &[Account]) -> Deliveries {
        Deliveries { accounts: accounts.to_vec(), ledger: Mutex::default(), in_doubt: Mutex::default() }
    }

    /// Delivers until the server is gone.
    pub fn work(&self, world: &World, round: u32, number: usize, rng: &mut Rng, stop: &AtomicBool) {
        let mut count = 0_u32;
        while !stop.load(Ordering::Relaxed) {
            let dialect = if number.is_multiple_of(2) { Dialect::Smtp } else { Dialect::Lmtp };
            // A connection that breaks is what we came for: note the doubt, and go on with the next.
            if self
                .one_connection(world, dialect, &format!("d-{round}-{number}"), &mut count, rng, stop)
                .is_err()
            {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }

    fn one_connection(
        &self,
        world: &World,
        dialect: Dialect,
        prefix: &str,
        count: &mut u32,
        rng: &mut Rng,
        stop: &AtomicBool,
    ) -> Result<()> {
        let port = if dialect == Dialect::Smtp { world.ready.ports.smtp } else { world.ready.ports.lmtp };
        let mut smtp = Smtp::connect(&world.ready.host, port, dialect)?;
        for _ in 0..20 {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let (tag, accounts) = self.next(prefix, count, rng);
            let forward: Vec<&str> = accounts.iter().map(String::as_str).collect();
            let begun = smtp.begin("sender@example.org", &forward);
            if begun.is_err() {
                // Not sent, so not in doubt: it may be tried afresh.
                if lock(&self.ledger).contains_key(&Entry {
                    account: accounts.first().cloned().unwrap_or_default(),
                    tag: tag.clone(),
                }) {
                    lock(&self.in_doubt).push((tag, accounts.clone()));
                }
                return begun;
            }
            self.note(&tag, &accounts, |record| record.sent += 1);
            let answer = smtp.finish(accounts.len(), &stuffed(&message(&tag)));
            if answer.is_err() {
                lock(&self.in_doubt).push((tag, accounts.clone()));
                return answer;
            }
            self.note(&tag, &accounts, |record| record.acknowledged += 1);
        }
        smtp.quit()
    }

    /// A new message, or in some cases one whose fate is in doubt, sent again.
    fn next(&self, prefix: &str, count: &mut u32, rng: &mut Rng) -> (String, Vec<String>) {
        if rng.percent(20)
            && let Some(again) = lock(&self.in_doubt).pop()
        {
            return again;
        }
        *count += 1;
        let accounts = if rng.percent(10) {
            self.accounts.iter().map(|account| account.name.clone()).collect()
        } else {
            rng.pick(&self.accounts).map(|account| account.name.clone()).into_iter().collect()
        };
        (format!("{prefix}-{count}"), accounts)
    }

    fn note(&self, tag: &str, accounts: &[String], change: impl Fn(&mut Record)) {
        let mut ledger = lock(&self.ledger);
        for account in accounts {
            change(ledger.entry(Entry { account: account.clone(), tag: tag.to_owned() }).or_default());
        }
    }

    /// Every acknowledged message is there, and none more often than it was sent.
    pub fn check(&self, world: &World, uids: &mut Uids) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        let mut ledger = lock(&self.ledger);
        for record in ledger.values_mut() {
            record.found = 0;
        }
        for account in &self.accounts {
            let mut imap = world.login(account)?;
            for mailbox in ["INBOX", MOVED_TO] {
                let selected = imap.select(mailbox, "EXAMINE")?;
                let mut found = Vec::new();
                if selected.exists > 0 {
                    imap.each(
                        &format!("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS ({FIELD})])"),
                        |response| {
                            let tag = response.literals().next().and_then(tag_in);
                            if let (Some(uid), Some(tag)) = (response.number_after("UID"), tag) {
                                found.push((uid, tag, response.has("\\Seen")));
                            }
                        },
                    )?;
                }
                faults.extend(check_mailbox(&account.name, mailbox, &selected, &found, uids));
                let unseen = found.iter().filter(|(_, _, seen)| !seen).count() as u64;
                faults.extend(check_status(&mut imap, &account.name, mailbox, &selected, unseen)?);
                for (_, tag, _) in found {
                    match ledger.get_mut(&Entry { account: account.name.clone(), tag: tag.clone() }) {
                        Some(record) => record.found += 1,
                        None => faults.push(format!("{} {mailbox}: {tag} was never sent", account.name)),
                    }
                }
            }
        }
        for (entry, record) in ledger.iter() {
            if record.found < record.acknowledged.min(1) {
                faults.push(format!("LOST: {entry:?} {record:?}"));
            }
            if record.found < record.acknowledged {
                faults.push(format!("acknowledged more often than kept: {entry:?} {record:?}"));
            }
            if record.found > record.sent {
                faults.push(format!("DOUBLED: {entry:?} {record:?}"));
            }
        }
        Ok(faults)
    }

    /// Octet for octet, every message is what was sent.
    pub fn check_content(&self, world: &World) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        for account in &self.accounts {
            let mut imap = world.login(account)?;
            for mailbox in ["INBOX", MOVED_TO] {
                if imap.select(mailbox, "EXAMINE")?.exists == 0 {
                    continue;
                }
                imap.each("FETCH 1:* (BODY.PEEK[])", |response| {
                    for literal in response.literals() {
                        let right = tag_in(literal).is_some_and(|tag| literal.ends_with(&message(&tag)));
                        if !right {
                            faults.push(format!(
                                "{} {mailbox}: other content: {}",
                                account.name,
                                response.shown()
                            ));
                        }
                    }
                })?;
            }
        }
        Ok(faults)
    }

    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        for record in lock(&self.ledger).values() {
            figures.acknowledged += u64::from(record.acknowledged);
            if record.sent > record.acknowledged {
                figures.in_doubt += 1;
                figures.sent_again += u64::from(record.sent > 1);
                figures.in_doubt_found += u64::from(record.found > 0);
            }
        }
        figures
    }
}

/// What SELECT says agrees with what is there, and each UID still means what it meant.
pub fn check_mailbox(
    account: &str,
    mailbox: &str,
    selected: &Selected,
    found: &[(u64, String, bool)],
    uids: &Uids,
) -> Vec<String> {
    let mut faults = Vec::new();
    if selected.exists != found.len() as u64 {
        faults.push(format!("{account} {mailbox}: EXISTS {} but {} fetched", selected.exists, found.len()));
    }
    faults.extend(uids.note_validity(account, mailbox, selected.uid_validity));
    for (uid, tag, _) in found {
        faults.extend(uids.note(account, mailbox, selected.uid_validity, *uid, tag));
    }
    if selected.uid_next <= uids.highest(account, mailbox) {
        faults.push(format!(
            "{account} {mailbox}: UIDNEXT {} but {} was given out",
            selected.uid_next,
            uids.highest(account, mailbox)
        ));
    }
    faults
}

/// STATUS agrees with a recount.
pub fn check_status(
    imap: &mut crate::client::imap::Imap,
    account: &str,
    mailbox: &str,
    selected: &Selected,
    unseen: u64,
) -> Result<Vec<String>> {
    let mut told = (None, None);
    imap.each(&format!("STATUS \"{mailbox}\" (MESSAGES UNSEEN)"), |response| {
        told = (response.number_after("MESSAGES"), response.number_after("UNSEEN"));
    })
    .context("STATUS of the selected mailbox")?;
    Ok(if told == (Some(selected.exists), Some(unseen)) {
        Vec::new()
    } else {
        vec![format!(
            "{account} {mailbox}: STATUS tells {told:?}, a recount {} and {unseen}",
            selected.exists
        )]
    })
}
