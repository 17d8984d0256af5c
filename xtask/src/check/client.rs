//! One client: it sends what was planned, takes what comes, and holds each response against the rules the moment it comes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::client::Rng;

use super::Shared;
use super::answer::{Answer, Code, Esearch, Fetched, parse};
use super::connection::Connection;
use super::flags::Flags;
use super::mail::Mail;
use super::plan::{Kind, Plan, Search, seed_of};
use super::truth::Mark;
use super::view::{Cache, View};

pub struct Client<'a> {
    pub number: usize,
    pub shared: &'a Shared,
    pub rng: Rng,
    pub connection: Option<Connection>,
    capabilities: String,
    pub condstore: bool,
    pub qresync: bool,
    pub view: Option<View>,
    /// What it kept of the mailboxes it left, by name.
    pub caches: BTreeMap<String, Cache>,
    pub private: Private,
    /// UIDs that the last SEARCH saved, when they are known exactly.
    pub saved: Option<BTreeSet<u32>>,
    /// Mailboxes of its own that come and go.
    pub names: BTreeSet<String>,
    /// The names above may be wrong: a violation came in between.
    names_lost: bool,
    tag: u64,
}

/// A mailbox that only this client touches: what is in it is known exactly.
#[derive(Default)]
pub struct Private {
    pub name: String,
    /// UIDs and flags; the flags of a copy are unknown at first.
    pub expected: BTreeMap<u32, Option<Flags>>,
    pub uid_validity: u32,
}

/// A command that was sent and not answered yet.
pub struct Sent {
    tag: String,
    pub kind: Kind,
    /// What was known when it was sent.
    pub marks: BTreeMap<u32, Mark>,
}

/// What has come in answer to the command whose turn it is.
#[derive(Default)]
pub struct Heard {
    /// UIDs of messages that FETCH told all that was wanted of.
    pub fetched: BTreeSet<u32>,
    /// Messages of which FETCH told flags.
    pub flags_told: BTreeSet<u32>,
    pub expunged: BTreeSet<u32>,
    /// A message of unknown UID was among them.
    pub unknown_expunged: bool,
    pub numbers: Option<Vec<u32>>,
    pub esearch: Option<Esearch>,
    pub status: Option<(String, BTreeMap<String, u64>)>,
    pub listed: BTreeSet<String>,
    pub copy_uid: Option<Code>,
    pub opening: Opening,
}

/// What SELECT has told so far.
#[derive(Default)]
pub struct Opening {
    pub closed: bool,
    pub exists: Option<u32>,
    pub flags: bool,
    pub uid_validity: Option<u32>,
    pub uid_next: Option<u64>,
    pub mod_seq: Option<u64>,
    pub vanished: Vec<u32>,
    pub fetched: Vec<(u32, Fetched)>,
}

impl<'a> Client<'a> {
    pub fn new(number: usize, shared: &'a Shared) -> Client<'a> {
        Client {
            number,
            shared,
            rng: seed_of(shared.seed, number),
            connection: None,
            capabilities: String::new(),
            condstore: false,
            qresync: false,
            view: None,
            caches: BTreeMap::new(),
            private: Private { name: format!("P{number}"), ..Private::default() },
            saved: None,
            names: BTreeSet::new(),
            names_lost: false,
            tag: 0,
        }
    }

    /// After a violation nothing is known of the private mailbox: the client takes another one.
    pub fn forget_private(&mut self) {
        let generation = self.tag;
        self.private = Private { name: format!("P{}-{generation}", self.number), ..Private::default() };
        self.names_lost = true;
    }

    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.split(' ').any(|word| word == capability)
    }

    /// Logs in; some clients know CONDSTORE, some QRESYNC, some IMAP4rev2.
    pub fn connect(&mut self) -> Result<()> {
        self.view = None;
        (self.condstore, self.qresync) = (false, false);
        self.connection = Some(Connection::open(self.shared.port)?);
        self.simple(&format!("LOGIN {} {}", self.shared.account, self.shared.password))?;
        for answer in self.simple("CAPABILITY")? {
            if let Answer::Capability(list) = answer {
                self.capabilities = list;
            }
        }
        let mut enable = Vec::new();
        match self.number % 4 {
            0 | 1 if self.has("QRESYNC") => {
                enable.push("QRESYNC");
                (self.condstore, self.qresync) = (true, true);
            }
            2 if self.has("CONDSTORE") => {
                enable.push("CONDSTORE");
                self.condstore = true;
            }
            _ => {}
        }
        if self.has("IMAP4rev2") && self.number % 3 == 1 {
            enable.push("IMAP4rev2");
        }
        if !enable.is_empty() {
            self.simple(&format!("ENABLE {}", enable.join(" ")))?;
        }
        if std::mem::take(&mut self.names_lost) {
            self.simple(&format!("CREATE {}", self.private.name))?;
            let there = self.simple(&format!("LIST \"\" T{}-*", self.number))?;
            self.names = there
                .into_iter()
                .filter_map(|answer| match answer {
                    Answer::List { mailbox, selectable: true } => Some(mailbox),
                    _ => None,
                })
                .collect();
        }
        Ok(())
    }

    /// A command before anything is selected; what it was answered. OK is expected.
    pub fn simple(&mut self, command: &str) -> Result<Vec<Answer>> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.wire()?.send(format!("{tag} {command}\r\n").as_bytes())?;
        let mut answers = Vec::new();
        loop {
            match self.read()? {
                Answer::Tagged { tag: told, status, .. } => {
                    ensure!(told == tag && status == "OK", "{command}: {told} {status}");
                    return Ok(answers);
                }
                answer => answers.push(answer),
            }
        }
    }

    pub fn wire(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().context("not connected")
    }

    fn read(&mut self) -> Result<Answer> {
        let octets = self.wire()?.read()?;
        parse(&octets).with_context(|| {
            let head = octets.get(..octets.len().min(120)).unwrap_or_default();
            format!("NOT UNDERSTOOD: {:?}", String::from_utf8_lossy(head))
        })
    }

    /// Sends what was planned at once, and takes the answers in order.
    pub fn perform(&mut self, plans: Vec<Plan>) -> Result<()> {
        self.between_commands()?;
        let mut sent = VecDeque::new();
        let mut octets = Vec::new();
        for plan in plans {
            self.tag += 1;
            let tag = format!("t{}", self.tag);
            self.before(&plan.kind);
            octets.extend_from_slice(format!("{tag} ").as_bytes());
            octets.extend_from_slice(&plan.octets);
            octets.extend_from_slice(b"\r\n");
            self.shared.count(plan.kind.name());
            let marks = self.shared.truth().marks();
            sent.push_back(Sent { tag, kind: plan.kind, marks });
        }
        if sent.len() > 1 {
            self.shared.count("groups sent at once");
        }
        self.wire()?.send(&octets)?;
        while let Some(command) = sent.pop_front() {
            self.take(command)?;
        }
        Ok(())
    }

    /// What the server says unasked: EXPUNGE is not among it (RFC 9051 §7.5.1).
    fn between_commands(&mut self) -> Result<()> {
        while self.wire()?.ready(Duration::ZERO)? {
            let answer = self.read()?;
            if matches!(answer, Answer::Expunge(_) | Answer::Vanished { .. }) {
                bail!("EXPUNGE TIME: {answer:?} while no command is in progress");
            }
            self.untagged(answer, &Kind::Noop, &mut Heard::default())?;
        }
        Ok(())
    }

    /// Whoever may remove a message says so before it does.
    fn before(&mut self, kind: &Kind) {
        let Some(uid_validity) = self.view.as_ref().map(|view| view.uid_validity) else { return };
        match kind {
            Kind::Store(store) if store.sign != "-" && store.flags.has(Flags::DELETED) => {
                self.shared.truth().doom(uid_validity, store.targets.iter().copied());
            }
            Kind::Copy { moves: true, targets, .. } => {
                self.shared.truth().doom(uid_validity, targets.iter().copied());
            }
            _ => {}
        }
    }

    /// Sends a search and gives what came; the caller judges it.
    pub fn ask(&mut self, octets: &[u8], search: Search) -> Result<(Heard, Search)> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        let mut line = format!("{tag} ").into_bytes();
        line.extend_from_slice(octets);
        line.extend_from_slice(b"\r\n");
        self.wire()?.send(&line)?;
        let kind = Kind::Search(search);
        let mut heard = Heard::default();
        loop {
            match self.read()? {
                Answer::Tagged { tag: told, status, .. } => {
                    ensure!(told == tag && status == "OK", "{status} in answer to a search");
                    let Kind::Search(search) = kind else { bail!("no search") };
                    return Ok((heard, search));
                }
                answer => self.untagged(answer, &kind, &mut heard)?,
            }
        }
    }

    /// Takes the answer of one command.
    fn take(&mut self, command: Sent) -> Result<()> {
        let mut heard = Heard::default();
        let mut idling = matches!(command.kind, Kind::Idle);
        loop {
            let answer = self.read()?;
            match answer {
                Answer::Tagged { tag, status, code } => {
                    ensure!(tag == command.tag, "TAG: {tag} where {} was due", command.tag);
                    return self.done(command, &status, code, heard);
                }
                Answer::Continue if idling => {
                    idling = false;
                    self.idle(&command.kind, &mut heard)?;
                }
                Answer::Continue => bail!("a continuation that nobody asked for"),
                answer => self.untagged(answer, &command.kind, &mut heard)?,
            }
        }
    }

    fn idle(&mut self, kind: &Kind, heard: &mut Heard) -> Result<()> {
        let patience = Duration::from_millis(20 + self.rng.below(200));
        while self.wire()?.ready(patience)? {
            let answer = self.read()?;
            if matches!(answer, Answer::Tagged { .. } | Answer::Continue) {
                bail!("IDLE: {answer:?} before DONE");
            }
            self.untagged(answer, kind, heard)?;
            if self.rng.percent(10) {
                break;
            }
        }
        self.wire()?.send(b"DONE\r\n")
    }

    /// One untagged response, at the moment it comes.
    pub fn untagged(&mut self, answer: Answer, kind: &Kind, heard: &mut Heard) -> Result<()> {
        let opening = matches!(kind, Kind::Select { .. }) && (self.view.is_none() || heard.opening.closed);
        match answer {
            Answer::Exists(count) if opening => heard.opening.exists = Some(count),
            Answer::Exists(count) => self.seen()?.exists(count)?,
            Answer::Expunge(seq) => {
                self.may_expunge(kind, opening)?;
                ensure!(!self.qresync, "EXPUNGE: to a client that has enabled QRESYNC");
                let uid = self.seen()?.expunge(seq)?;
                heard.unknown_expunged |= uid.is_none();
                self.are_gone(uid.as_slice(), heard)?;
            }
            Answer::Vanished { earlier, uids } => {
                ensure!(self.qresync, "VANISHED: to a client that has not enabled QRESYNC");
                if !earlier {
                    self.may_expunge(kind, opening)?;
                    self.seen()?.vanished(&uids)?;
                    self.are_gone(&uids, heard)?;
                } else if opening {
                    heard.opening.vanished.extend(uids);
                } else {
                    ensure!(
                        matches!(kind, Kind::Fetch(_)),
                        "VANISHED: (EARLIER) in answer to {}",
                        kind.name()
                    );
                }
            }
            Answer::Fetch { seq, items } if opening => heard.opening.fetched.push((seq, items)),
            Answer::Fetch { seq, items } => self.fetched(seq, &items, kind, heard)?,
            Answer::Numbers { numbers, .. } => heard.numbers = Some(numbers),
            Answer::Esearch(found) => heard.esearch = Some(found),
            Answer::Status { mailbox, values } => heard.status = Some((mailbox, values)),
            Answer::List { mailbox, selectable } => {
                if selectable {
                    heard.listed.insert(mailbox);
                }
            }
            Answer::Flags if opening => heard.opening.flags = true,
            Answer::Untagged { status, code: Some(code) } if status == "OK" => {
                self.code(code, opening, heard)
            }
            Answer::Bye => bail!("BYE: that nobody asked for"),
            Answer::Thread(_) | Answer::Flags | Answer::Capability(_) | Answer::Other => {}
            Answer::Untagged { .. } | Answer::Tagged { .. } | Answer::Continue => {}
        }
        Ok(())
    }

    pub fn seen(&mut self) -> Result<&mut View> {
        self.view.as_mut().context("a response about messages while no mailbox is selected")
    }

    fn may_expunge(&self, kind: &Kind, opening: bool) -> Result<()> {
        ensure!(!kind.counts_messages(), "EXPUNGE TIME: in answer to {}", kind.name());
        ensure!(!opening, "EXPUNGE TIME: in answer to {}, after the old mailbox was closed", kind.name());
        Ok(())
    }

    fn are_gone(&mut self, uids: &[u32], heard: &mut Heard) -> Result<()> {
        heard.expunged.extend(uids);
        let uid_validity = self.seen()?.uid_validity;
        self.shared.truth().gone(uid_validity, uids.iter().copied())
    }

    fn code(&mut self, code: Code, opening: bool, heard: &mut Heard) {
        match code.name.as_str() {
            "CLOSED" => {
                self.leave();
                heard.opening.closed = true;
            }
            "COPYUID" => heard.copy_uid = Some(code),
            _ if !opening => {}
            "UIDVALIDITY" => heard.opening.uid_validity = code.number().and_then(|n| u32::try_from(n).ok()),
            "UIDNEXT" => heard.opening.uid_next = code.number(),
            "HIGHESTMODSEQ" => heard.opening.mod_seq = code.number(),
            _ => {}
        }
    }

    /// The selected mailbox is left; what is known of it is kept.
    pub fn leave(&mut self) {
        let Some(view) = self.view.take() else { return };
        match view.cache() {
            Some(cache) => self.caches.insert(view.name, cache),
            None => self.caches.remove(&view.name),
        };
    }

    fn fetched(&mut self, seq: u32, told: &Fetched, kind: &Kind, heard: &mut Heard) -> Result<()> {
        let condstore = self.condstore;
        let view = self.seen()?;
        view.fetch(seq, told)?;
        let uid_validity = view.uid_validity;
        let uid = view.at(seq).and_then(|message| message.uid);
        // RFC 9051 §6.4.9: what a UID command causes names the UID; news of others' flags may not (RFC 7162 §3.2.4: it must
        // once QRESYNC is enabled).
        let by_uid = matches!(kind, Kind::Fetch(fetch) if fetch.uid);
        let caused = told.body.is_some() || told.token.is_some() || told.size.is_some();
        ensure!(
            told.uid.is_some() || !(self.qresync || by_uid && caused),
            "FETCH: {seq} without UID in answer to {}",
            kind.name()
        );
        let asked = matches!(kind, Kind::Fetch(_) | Kind::Other);
        if condstore && !asked && told.flags.is_some() {
            ensure!(
                told.mod_seq.is_some(),
                "FETCH: {seq} with FLAGS and without MODSEQ after CONDSTORE was enabled"
            );
        }
        let Some(uid) = uid else { return Ok(()) };
        self.facts(uid_validity, uid, told)?;
        if told.flags.is_some() {
            heard.flags_told.insert(uid);
        }
        if let Kind::Fetch(fetch) = kind {
            let wants = fetch.wants;
            let complete = (!wants.flags || told.flags.is_some())
                && (!wants.size || told.size.is_some())
                && (!wants.date || told.internal_date.is_some())
                && (!wants.token || told.token.is_some())
                && (!wants.body || told.body.is_some())
                && (!wants.mod_seq || told.mod_seq.is_some());
            if complete {
                heard.fetched.insert(uid);
            }
        }
        Ok(())
    }

    /// What never changes of a message, and what is fixed by its modseq.
    pub fn facts(&mut self, uid_validity: u32, uid: u32, told: &Fetched) -> Result<()> {
        let mut truth = self.shared.truth();
        let mut token = told.token;
        if let Some(body) = &told.body {
            let head =
                String::from_utf8_lossy(body.get(..body.len().min(500)).unwrap_or_default()).into_owned();
            let named = super::answer::token_in(&head).context("BODY: a message without its token")?;
            ensure!(
                Mail::of(named).octets == *body,
                "BODY: message {named}, UID {uid}, is not what was appended"
            );
            token = Some(named);
        }
        if let Some(token) = token {
            truth.identify(uid_validity, uid, token)?;
        }
        if let (Some(flags), Some(mod_seq)) = (told.flags, told.mod_seq) {
            truth.flags_at(uid_validity, uid, mod_seq, flags)?;
        }
        if let Some(mod_seq) = told.mod_seq {
            truth.mod_seq_seen(uid_validity, mod_seq);
        }
        if let Some(mail) = truth.token(uid_validity, uid).map(Mail::of) {
            ensure!(told.size.is_none_or(|size| size == mail.size()), "SIZE: UID {uid} has {:?}", told.size);
            if let Some(date) = &told.internal_date {
                // One digit comes after a space or a zero (RFC 9051 §9, date-day-fixed).
                let digits = |date: &str| date.trim_start_matches([' ', '0']).to_owned();
                ensure!(digits(date) == digits(&mail.internal_date()), "INTERNALDATE: UID {uid} has {date}");
            }
        }
        Ok(())
    }
}
