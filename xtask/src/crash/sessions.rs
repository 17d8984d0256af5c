//! The IMAP sessions: each works in two mailboxes of its own and knows exactly what they must hold.
//! The one operation under way when the server dies may have happened or not; nothing else is in doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

use super::World;
use super::deliveries::{MOVED_TO, check_mailbox, check_status};
use super::message::{FIELD, message, tag_in};
use super::uids::Uids;
use crate::client::Rng;
use crate::client::imap::{Imap, response_code};
use crate::server::Account;

/// One message as the session knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    /// 0: the mailbox of new messages; 1: the one they are moved to.
    mailbox: usize,
    uid: u64,
    flags: BTreeSet<&'static str>,
}

pub struct Session {
    account: Account,
    mailboxes: [String; 2],
    number: usize,
    /// What must be there.
    kept: BTreeMap<String, Kept>,
    /// What must never be there again.
    gone: BTreeSet<String>,
    /// The message that the last operation was about, with what it may have become; `None` there: gone.
    under_way: Option<(String, Vec<Option<Kept>>)>,
    figures: Figures,
    faults: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub appends: u64,
    pub flags: u64,
    pub moves: u64,
    pub expunges: u64,
}

/// All sessions together.
pub fn figures(sessions: &[Session]) -> Figures {
    sessions.iter().fold(Figures::default(), |sum, session| Figures {
        appends: sum.appends + session.figures.appends,
        flags: sum.flags + session.figures.flags,
        moves: sum.moves + session.figures.moves,
        expunges: sum.expunges + session.figures.expunges,
    })
}

/// The flags that sessions set and clear; `\Deleted` only on the way to an expunge.
const FLAGS: [&str; 4] = ["\\Seen", "\\Flagged", "\\Answered", "$Crash"];
const DELETED: &str = "\\Deleted";

impl Session {
    pub fn new(number: usize, account: &Account) -> Session {
        Session {
            account: account.clone(),
            mailboxes: [format!("New{number}"), format!("Done{number}")],
            number,
            kept: BTreeMap::new(),
            gone: BTreeSet::new(),
            under_way: None,
            figures: Figures::default(),
            faults: Vec::new(),
        }
    }

    pub fn prepare(&self, world: &World) -> Result<()> {
        let mut imap = world.login(&self.account)?;
        for mailbox in &self.mailboxes {
            imap.run(&format!("CREATE \"{mailbox}\""))?;
        }
        Ok(())
    }

    /// Appends, flags, moves and expunges until the server is gone.
    pub fn work(&mut self, world: &World, round: u32, rng: &mut Rng, uids: &Uids, stop: &AtomicBool) {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            let Err(error) = self.one_connection(world, round, &mut count, rng, uids, stop) else { continue };
            if self.under_way.is_some() || stop.load(Ordering::Relaxed) {
                return; // the server is gone in the middle of something: settled after the restart
            }
            if format!("{error:#}").contains("answered with") {
                self.faults.push(format!("session {}: {error:#}", self.number));
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn one_connection(
        &mut self,
        world: &World,
        round: u32,
        count: &mut u32,
        rng: &mut Rng,
        uids: &Uids,
        stop: &AtomicBool,
    ) -> Result<()> {
        let mut imap = world.login(&self.account)?;
        while !stop.load(Ordering::Relaxed) {
            match rng.below(10) {
                0..4 => {
                    *count += 1;
                    self.append(&mut imap, &format!("i-{round}-{}-{count}", self.number), uids)?;
                }
                4..6 => self.change_flags(&mut imap, rng)?,
                6..8 => self.move_one(&mut imap, rng, uids)?,
                8 => self.expunge_one(&mut imap, rng)?,
                _ => move_delivered(&mut imap)?,
            }
        }
        Ok(())
    }

    fn append(&mut self, imap: &mut Imap, tag: &str, uids: &Uids) -> Result<()> {
        let kept = Kept { mailbox: 0, uid: 0, flags: BTreeSet::from(["\\Seen"]) };
        self.under_way = Some((tag.to_owned(), vec![None, Some(kept.clone())]));
        let [new, _] = &self.mailboxes;
        let line = imap.append(new, "\\Seen", &message(tag))?;
        let (validity, uid) = appended(&line).with_context(|| format!("no APPENDUID in {line:?}"))?;
        self.faults.extend(uids.note(&self.account.name, new, validity, uid, tag));
        self.settle(tag, Some(Kept { uid, ..kept }));
        self.figures.appends += 1;
        Ok(())
    }

    fn change_flags(&mut self, imap: &mut Imap, rng: &mut Rng) -> Result<()> {
        let Some((tag, before)) = self.choose(rng, None) else { return Ok(()) };
        let Some(flag) = rng.pick(&FLAGS) else { return Ok(()) };
        self.open(imap, before.mailbox)?;
        let mut after = before.clone();
        let sign = if after.flags.remove(flag) {
            "-"
        } else {
            after.flags.insert(flag);
            "+"
        };
        self.under_way = Some((tag.clone(), vec![Some(before.clone()), Some(after.clone())]));
        imap.run(&format!("UID STORE {} {sign}FLAGS.SILENT ({flag})", before.uid))?;
        self.settle(&tag, Some(after));
        self.figures.flags += 1;
        Ok(())
    }

    fn move_one(&mut self, imap: &mut Imap, rng: &mut Rng, uids: &Uids) -> Result<()> {
        let Some((tag, before)) = self.choose(rng, Some(0)) else { return Ok(()) };
        self.open(imap, before.mailbox)?;
        let after = Kept { mailbox: 1, uid: 0, flags: before.flags.clone() };
        self.under_way = Some((tag.clone(), vec![Some(before.clone()), Some(after.clone())]));
        let [_, done] = &self.mailboxes;
        let mut copied = None;
        // RFC 6851 §4.3: COPYUID comes in an untagged OK before the message vanishes.
        let line = imap.each(&format!("UID MOVE {} \"{done}\"", before.uid), |response| {
            copied = copied.or_else(|| copied_to(&String::from_utf8_lossy(&response.octets)));
        })?;
        let (validity, uid) =
            copied.or_else(|| copied_to(&line)).with_context(|| format!("no COPYUID before {line:?}"))?;
        self.faults.extend(uids.note(&self.account.name, done, validity, uid, &tag));
        self.settle(&tag, Some(Kept { uid, ..after }));
        self.figures.moves += 1;
        Ok(())
    }

    fn expunge_one(&mut self, imap: &mut Imap, rng: &mut Rng) -> Result<()> {
        let Some((tag, before)) = self.choose(rng, None) else { return Ok(()) };
        self.open(imap, before.mailbox)?;
        let mut marked = before.clone();
        marked.flags.insert(DELETED);
        self.under_way = Some((tag.clone(), vec![Some(before.clone()), Some(marked.clone())]));
        imap.run(&format!("UID STORE {} +FLAGS.SILENT ({DELETED})", before.uid))?;
        self.under_way = Some((tag.clone(), vec![Some(marked), None]));
        imap.run(&format!("UID EXPUNGE {}", before.uid))?;
        self.settle(&tag, None);
        self.figures.expunges += 1;
        Ok(())
    }

    fn open(&self, imap: &mut Imap, mailbox: usize) -> Result<()> {
        let name = self.mailboxes.get(mailbox).context("two mailboxes")?;
        imap.select(name, "SELECT").map(drop)
    }

    fn choose(&self, rng: &mut Rng, mailbox: Option<usize>) -> Option<(String, Kept)> {
        let fitting: Vec<(&String, &Kept)> = self
            .kept
            .iter()
            .filter(|(_, kept)| mailbox.is_none_or(|mailbox| kept.mailbox == mailbox))
            .collect();
        rng.pick(&fitting).map(|(tag, kept)| ((*tag).clone(), (*kept).clone()))
    }

    /// The operation was acknowledged: the message is this and nothing else.
    fn settle(&mut self, tag: &str, now: Option<Kept>) {
        self.under_way = None;
        match now {
            Some(kept) => {
                self.kept.insert(tag.to_owned(), kept);
            }
            None => {
                self.kept.remove(tag);
                self.gone.insert(tag.to_owned());
            }
        }
    }

    /// Both mailboxes hold exactly what was acknowledged.
    pub fn check(&mut self, world: &World, uids: &mut Uids) -> Result<Vec<String>> {
        let mut faults = std::mem::take(&mut self.faults);
        let mut there: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
        let mut imap = world.login(&self.account)?;
        for (mailbox, name) in self.mailboxes.iter().enumerate() {
            let selected = imap.select(name, "EXAMINE")?;
            let mut found = Vec::new();
            if selected.exists > 0 {
                imap.each(
                    &format!("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS ({FIELD})])"),
                    |response| {
                        let tag = response.literals().next().and_then(tag_in);
                        let (Some(uid), Some(tag)) = (response.number_after("UID"), tag) else { return };
                        let flags = FLAGS
                            .iter()
                            .chain([&DELETED])
                            .copied()
                            .filter(|flag| response.has(flag))
                            .collect();
                        there.entry(tag.clone()).or_default().push(Kept { mailbox, uid, flags });
                        found.push((uid, tag, response.has("\\Seen")));
                    },
                )?;
            }
            faults.extend(check_mailbox(&self.account.name, name, &selected, &found, uids));
            let unseen = found.iter().filter(|(_, _, seen)| !seen).count() as u64;
            faults.extend(check_status(&mut imap, &self.account.name, name, &selected, unseen)?);
        }
        self.compare(&mut there, &mut faults);
        Ok(faults)
    }

    fn compare(&mut self, there: &mut BTreeMap<String, Vec<Kept>>, faults: &mut Vec<String>) {
        let mut lost: BTreeSet<String> =
            self.kept.keys().filter(|tag| !there.contains_key(*tag)).cloned().collect();
        if let Some((tag, may_be)) = self.under_way.take() {
            lost.remove(&tag);
            let found = there.remove(&tag).unwrap_or_default();
            let is = found.first().cloned();
            if found.len() > 1 || !may_be.iter().any(|possible| same(possible.as_ref(), is.as_ref())) {
                faults.push(format!("{tag} may be {may_be:?} and is {found:?}"));
            }
            match is {
                Some(_) => self.settle(&tag, is),
                None if self.kept.contains_key(&tag) => self.settle(&tag, None),
                None => {}
            }
        }
        for (tag, found) in there.iter() {
            match self.kept.get(tag) {
                Some(kept) if found.len() == 1 && found.first() == Some(kept) => {}
                Some(kept) => {
                    faults.push(format!("{tag} is {kept:?} by what was acknowledged, and {found:?}"))
                }
                None if self.gone.contains(tag) => {
                    faults.push(format!("{tag} came back from the dead: {found:?}"))
                }
                None => faults.push(format!("{tag} is there and was never appended: {found:?}")),
            }
        }
        for tag in lost {
            faults.push(format!("LOST: {tag}, acknowledged as {:?}", self.kept.get(&tag)));
        }
    }
}

/// Whether a message became what it may be; a UID of 0 is not known yet.
fn same(possible: Option<&Kept>, is: Option<&Kept>) -> bool {
    match (possible, is) {
        (None, None) => true,
        (Some(possible), Some(is)) => {
            possible.mailbox == is.mailbox
                && possible.flags == is.flags
                && (possible.uid == 0 || possible.uid == is.uid)
        }
        _ => false,
    }
}

/// Moves the first delivered message on; another session may have been faster.
fn move_delivered(imap: &mut Imap) -> Result<()> {
    if imap.select("INBOX", "SELECT")?.exists > 0 {
        let moved = imap.run(&format!("MOVE 1 \"{MOVED_TO}\""));
        // RFC 2180 §4: what another session expunged meanwhile may be answered with NO.
        if let Err(error) = moved
            && !format!("{error:#}").contains(" NO ")
        {
            return Err(error);
        }
    }
    Ok(())
}

fn appended(line: &str) -> Option<(u64, u64)> {
    let words = response_code(line, "APPENDUID")?;
    Some((words.first()?.parse().ok()?, words.get(1)?.parse().ok()?))
}

fn copied_to(line: &str) -> Option<(u64, u64)> {
    let words = response_code(line, "COPYUID")?;
    Some((words.first()?.parse().ok()?, words.get(2)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(mailbox: usize, uid: u64) -> Kept {
        Kept { mailbox, uid, flags: BTreeSet::new() }
    }

    fn session() -> Session {
        Session::new(0, &Account { name: "ann".into(), password: String::new() })
    }

    fn faults(session: &mut Session, there: &[(&str, Kept)]) -> usize {
        let mut map: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
        for (tag, kept) in there {
            map.entry(tag.to_string()).or_default().push(kept.clone());
        }
        let mut faults = Vec::new();
        session.compare(&mut map, &mut faults);
        faults.len()
    }

    #[test]
    fn what_was_acknowledged_must_stand() {
        let mut session = session();
        session.settle("a", Some(kept(0, 1)));
        assert_eq!(faults(&mut session, &[("a", kept(0, 1))]), 0);
        assert_eq!(faults(&mut session, &[]), 1, "lost");
        assert_eq!(faults(&mut session, &[("a", kept(0, 2))]), 1, "another UID");
        assert_eq!(faults(&mut session, &[("a", kept(0, 1)), ("a", kept(1, 1))]), 1, "doubled");
        assert_eq!(faults(&mut session, &[("a", kept(0, 1)), ("b", kept(0, 2))]), 1, "from nowhere");
        session.settle("a", None);
        assert_eq!(faults(&mut session, &[("a", kept(0, 1))]), 1, "back from the dead");
    }

    #[test]
    fn what_was_under_way_may_have_happened_or_not() {
        for (is, expected) in [(vec![("a", kept(0, 1))], 0), (vec![("a", kept(1, 9))], 0), (vec![], 1)] {
            let mut session = session();
            session.settle("a", Some(kept(0, 1)));
            session.under_way = Some(("a".into(), vec![Some(kept(0, 1)), Some(kept(1, 0))]));
            assert_eq!(faults(&mut session, &is), expected, "{is:?}");
        }
    }
}
