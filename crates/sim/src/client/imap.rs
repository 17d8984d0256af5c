//! An IMAP client: remembers every untagged response, and compares what it believes with what is.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::Poll,
};

use yubin_base::Protocol as _;
use yubin_imap::Session;

use super::{
    Env, Numbers,
    drive::{Wire, peer},
    wire::{self, Fetched, Response},
};
use crate::{
    content,
    judge::{Act, Acts, Told},
    model::{FlagNames, How, Mailbox, Model, Op},
    rng::Rng,
};

/// What the client does.
#[derive(Debug)]
pub(crate) enum Plan {
    Connect {
        qresync: bool,
    },
    Select {
        name: String,
        examine: bool,
    },
    /// Asks for UIDs and flags it does not know.
    Learn {
        from: u32,
        to: u32,
    },
    Noop,
    Fetch {
        uid: u32,
        peek: bool,
        by_number: bool,
    },
    Store {
        uids: BTreeSet<u32>,
        how: How,
        flags: FlagNames,
        silent: bool,
        by_number: bool,
    },
    Append {
        to: String,
        flags: FlagNames,
        content: u64,
        synchronising: bool,
    },
    Copy {
        uids: BTreeSet<u32>,
        to: String,
        moves: bool,
        by_number: bool,
    },
    Expunge {
        only: Option<BTreeSet<u32>>,
    },
    Close,
    Unselect,
    Search(&'static str),
    Status(String),
    List,
    Create(String),
    Delete(String),
    Rename(String, String),
    Idle,
    /// Looks whether the server has something to say.
    Listen,
    Done,
    Logout,
    CutOff,
}

/// Mailboxes that clients make and delete.
const NAMES: [&str; 4] = ["box1", "box2", "box3", "box 4"];
/// Flags they set.
const FLAGS: [&str; 7] = ["\\seen", "\\answered", "\\flagged", "\\deleted", "\\draft", "$forwarded", "label"];
/// What they search for, with the flag that decides, and whether it must be set.
const KEYS: [(&str, &str, bool); 7] = [
    ("ALL", "", false),
    ("SEEN", "\\seen", true),
    ("UNSEEN", "\\seen", false),
    ("DELETED", "\\deleted", true),
    ("UNDELETED", "\\deleted", false),
    ("KEYWORD label", "label", true),
    ("UNKEYWORD label", "label", false),
];

/// The client.
#[derive(Default)]
pub(crate) struct ImapClient {
    open: Option<Connection>,
    memory: Memory,
}

/// What the client keeps over its connections.
#[derive(Default)]
struct Memory {
    /// What APPENDUID said, still to be compared: mailbox name, UIDVALIDITY, UID, content.
    claims: Vec<(String, u32, u32, u64)>,
    /// Mailboxes as they were, by name: what QRESYNC (RFC 7162) brings up to date.
    kept: BTreeMap<String, Kept>,
}

/// A mailbox as it was.
#[derive(Clone)]
struct Kept {
    uid_validity: u32,
    modseq: u64,
    messages: BTreeMap<u32, FlagNames>,
}

struct Connection {
    wire: Wire<Session>,
    tags: u32,
    view: Option<View>,
    idling: Option<String>,
    /// ENABLE QRESYNC was said: VANISHED comes instead of EXPUNGE.
    qresync: bool,
}

/// A selected mailbox as the client has been told about it.
#[derive(Debug, Default)]
struct View {
    mailbox: u32,
    read_only: bool,
    /// By sequence number.
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    uid: Option<u32>,
    flags: Option<FlagNames>,
}

/// What an exchange gave.
struct Answer {
    /// `OK`, `NO`, `BAD`; empty: the connection ended without.
    status: String,
    text: String,
    responses: Vec<Response>,
}

impl Answer {
    fn ok(&self) -> bool {
        self.status == "OK"
    }
    fn told(&self, env: &Env<'_>) -> Told {
        if self.ok() { Told::Done } else { env.refused() }
    }
}

impl ImapClient {
    pub(crate) fn disconnect(&mut self) {
        self.open = None;
    }

    pub(crate) fn plan(&mut self, rng: &mut Rng, model: &Model, numbers: &mut Numbers) -> Plan {
        let Some(open) = &self.open else { return Plan::Connect { qresync: rng.one_in(2) } };
        if open.idling.is_some() {
            return if rng.one_in(3) { Plan::Done } else { Plan::Listen };
        }
        let names: Vec<String> = model.mailboxes.keys().cloned().collect();
        let name = |rng: &mut Rng| {
            if rng.one_in(2) { "INBOX".to_owned() } else { rng.pick(&names).cloned().unwrap_or_default() }
        };
        let Some(view) = &open.view else {
            return match rng.below(10) {
                0 => Plan::List,
                1 => Plan::Status(name(rng)),
                _ => Plan::Select { name: name(rng), examine: rng.one_in(8) },
            };
        };
        if let Some((from, to)) = view.unknown()
            && !rng.one_in(4)
        {
            return Plan::Learn { from, to };
        }
        plan_selected(view, rng, &name, numbers)
    }

    pub(crate) async fn act(&mut self, plan: Plan, env: &Env<'_>) -> Result<Acts, String> {
        self.check_claims(env)?;
        if let Plan::Connect { qresync } = plan {
            self.open = connect(qresync, env).await?;
            return Ok(Vec::new());
        }
        let Some(open) = &mut self.open else { return Ok(Vec::new()) };
        let acts = open.act(plan, env, &mut self.memory).await?;
        if !open.wire.open {
            self.open = None;
        }
        Ok(acts)
    }

    /// What APPENDUID said is where it said.
    fn check_claims(&mut self, env: &Env<'_>) -> Result<(), String> {
        for (name, uid_validity, uid, content) in std::mem::take(&mut self.memory.claims) {
            let Some(identity) = env.model.mailboxes.get(&name).and_then(|mailbox| mailbox.identity) else {
                continue;
            };
            if identity.uid_validity != uid_validity {
                continue;
            }
            // Another client may have taken it away in the same round: then nobody saw it there.
            if env.ever.get(&(identity.id, uid)).is_some_and(|is| *is != content) {
                return Err(format!("message {content} was said to be UID {uid} of {name:?}, but is not"));
            }
        }
        Ok(())
    }
}

fn plan_selected(
    view: &View,
    rng: &mut Rng,
    name: &dyn Fn(&mut Rng) -> String,
    numbers: &mut Numbers,
) -> Plan {
    let known: Vec<u32> = view.entries.iter().filter_map(|entry| entry.uid).collect();
    let by_number = rng.one_in(2);
    let uids = |rng: &mut Rng| rng.some(&known).into_iter().collect::<BTreeSet<u32>>();
    let flags = |rng: &mut Rng| rng.some(&FLAGS).into_iter().map(str::to_owned).collect::<FlagNames>();
    let of_ours = |rng: &mut Rng| rng.pick(&NAMES).copied().unwrap_or("box1").to_owned();
    let writable = !view.read_only && !known.is_empty();
    match rng.below(44) {
        0..=5 => Plan::Noop,
        6 => Plan::Select { name: name(rng), examine: rng.one_in(4) },
        7 => [Plan::CutOff, Plan::Logout, Plan::Unselect].into_iter().nth(rng.below(3)).unwrap_or(Plan::Noop),
        8..=10 => Plan::Idle,
        11 | 12 => Plan::Create(of_ours(rng)),
        13 => Plan::Delete(of_ours(rng)),
        14 => {
            let from = if rng.one_in(8) { "INBOX".to_owned() } else { of_ours(rng) };
            Plan::Rename(from, of_ours(rng))
        }
        15 => Plan::Status(name(rng)),
        16 => Plan::List,
        17 | 18 => Plan::Search(rng.pick(&KEYS).map_or("ALL", |key| key.0)),
        19..=22 => {
            let flags = if rng.one_in(2) { flags(rng) } else { FlagNames::new() };
            Plan::Append { to: name(rng), flags, content: numbers.appended(), synchronising: by_number }
        }
        23..=26 if !known.is_empty() => Plan::Fetch {
            uid: rng.pick(&known).copied().unwrap_or(1),
            peek: view.read_only || rng.one_in(2),
            by_number,
        },
        27..=33 if writable => {
            let how = [How::Add, How::Add, How::Remove, How::Replace]
                .get(rng.below(4))
                .copied()
                .unwrap_or(How::Add);
            Plan::Store { uids: uids(rng), how, flags: flags(rng), silent: rng.one_in(4), by_number }
        }
        34..=36 if !known.is_empty() => {
            Plan::Copy { uids: uids(rng), to: name(rng), moves: false, by_number }
        }
        37..=39 if writable => Plan::Copy { uids: uids(rng), to: name(rng), moves: true, by_number },
        40 | 41 if writable && view.unknown().is_none() => Plan::Expunge { only: None },
        42 if writable => Plan::Expunge { only: Some(uids(rng)) },
        43 if view.unknown().is_none() => Plan::Close,
        _ => Plan::Noop,
    }
}

async fn connect(qresync: bool, env: &Env<'_>) -> Result<Option<Connection>, String> {
    let session = Session::new(Arc::clone(&env.imap), peer());
    let (wire, greeting) = Wire::connect(session, env.now).await;
    if !greeting.starts_with(b"* OK") {
        return Err(format!("greeting: {:?}", String::from_utf8_lossy(&greeting)));
    }
    let mut open = Connection { wire, tags: 0, view: None, idling: None, qresync: false };
    let answer = open.ask("LOGIN ann secret", env).await?;
    if answer.ok() {
        open.qresync = qresync && open.ask("ENABLE QRESYNC", env).await?.ok();
        return Ok(Some(open));
    }
    if env.faulty { Ok(None) } else { Err(format!("LOGIN: {} {}", answer.status, answer.text)) }
}

impl Connection {
    async fn act(&mut self, plan: Plan, env: &Env<'_>, memory: &mut Memory) -> Result<Acts, String> {
        match plan {
            Plan::Connect { .. } => Ok(Vec::new()),
            Plan::Select { name, examine } => self.select(&name, examine, memory, env).await,
            Plan::Learn { from, to } => {
                self.ask(&format!("FETCH {from}:{to} (UID FLAGS)"), env).await.map(|_| Vec::new())
            }
            Plan::Noop => self.noop(env).await,
            Plan::Fetch { uid, peek, by_number } => self.fetch(uid, peek, by_number, env).await,
            Plan::Store { uids, how, flags, silent, by_number } => {
                self.store(uids, how, flags, silent, by_number, env).await
            }
            Plan::Append { to, flags, content, synchronising } => {
                let (acts, claim) = self.append(to, flags, content, synchronising, env).await?;
                memory.claims.extend(claim);
                Ok(acts)
            }
            Plan::Copy { uids, to, moves, by_number } => self.copy(uids, to, moves, by_number, env).await,
            Plan::Expunge { only } => self.expunge(only, env).await,
            Plan::Close => self.close(env).await,
            Plan::Unselect => {
                if self.ask("UNSELECT", env).await?.ok() {
                    self.view = None;
                }
                Ok(Vec::new())
            }
            Plan::Search(key) => self.search(key, env).await,
            Plan::Status(name) => self.status(&name, env).await,
            Plan::List => self.list(env).await,
            Plan::Create(name) => self.change(format!("CREATE \"{name}\""), Op::Create { name }, env).await,
            Plan::Delete(name) => {
                let id = id_of(env.model, &name);
                self.change(format!("DELETE \"{name}\""), Op::Delete { name, id }, env).await
            }
            Plan::Rename(from, to) => {
                let id = id_of(env.model, &from);
                self.change(format!("RENAME \"{from}\" \"{to}\""), Op::Rename { from, id, to }, env).await
            }
            Plan::Idle => self.idle(env).await,
            Plan::Listen => self.listen(env).await,
            Plan::Done => self.done(env).await,
            Plan::Logout => {
                self.ask("LOGOUT", env).await?;
                if self.wire.open { Err("open after LOGOUT".to_owned()) } else { Ok(Vec::new()) }
            }
            Plan::CutOff => {
                self.wire.hang_up().await;
                Ok(Vec::new())
            }
        }
    }

    /// One command and its answer. Applies what was told to the view.
    async fn ask(&mut self, command: &str, env: &Env<'_>) -> Result<Answer, String> {
        self.ask_octets(command, None, env).await
    }

    /// With a literal that waits to be asked for (RFC 9051 §4.3), when there is one.
    async fn ask_octets(
        &mut self,
        command: &str,
        literal: Option<Vec<u8>>,
        env: &Env<'_>,
    ) -> Result<Answer, String> {
        self.tags += 1;
        let tag = format!("a{}", self.tags);
        let mut said = self.wire.say(format!("{tag} {command}\r\n").as_bytes(), env.now).await;
        if let Some(mut literal) = literal
            && said.octets.starts_with(b"+")
        {
            literal.extend(b"\r\n");
            let rest = self.wire.say(&literal, env.now).await;
            said.octets.extend(rest.octets);
            said.left = rest.left;
        }
        if self.wire.open && said.left > 0 {
            return Err(format!("{command:.80}: {} octets were not taken", said.left));
        }
        self.read(&said.octets, &tag, command.get(..80).unwrap_or(command))
    }

    fn read(&mut self, octets: &[u8], tag: &str, command: &str) -> Result<Answer, String> {
        let responses = wire::responses(octets, tag).map_err(|e| format!("{command}: {e}"))?;
        // RFC 9051 §7.5.1: no EXPUNGE while one of these runs.
        let numbered = ["FETCH ", "STORE ", "SEARCH "].iter().any(|verb| command.starts_with(verb));
        let mut answer = Answer { status: String::new(), text: String::new(), responses: Vec::new() };
        for response in responses {
            match &response {
                Response::Expunge(_) | Response::Vanished { .. } if numbered => {
                    return Err(format!("{command}: {response:?} meanwhile"));
                }
                Response::Expunge(n) if self.qresync => {
                    return Err(format!("{command}: EXPUNGE {n} with QRESYNC"));
                }
                Response::Vanished { .. } if !self.qresync => {
                    return Err(format!("{command}: {response:?} without QRESYNC"));
                }
                Response::Tagged(status, text) => {
                    answer.status.clone_from(status);
                    answer.text.clone_from(text);
                }
                other => {
                    if let Some(view) = &mut self.view {
                        view.told(other).map_err(|e| format!("{command}: {e}"))?;
                    }
                }
            }
            answer.responses.push(response);
        }
        if answer.status == "BAD" {
            return Err(format!("{command}: BAD {}", answer.text));
        }
        if answer.status.is_empty() && self.wire.open && !tag.is_empty() {
            return Err(format!("{command}: no answer in {:?}", String::from_utf8_lossy(octets)));
        }
        Ok(answer)
    }

    async fn select(
        &mut self,
        name: &str,
        examine: bool,
        memory: &mut Memory,
        env: &Env<'_>,
    ) -> Result<Acts, String> {
        // RFC 9051 §6.3.2: whatever the answer, the mailbox selected before is not any more.
        self.view = None;
        let verb = if examine { "EXAMINE" } else { "SELECT" };
        let kept = memory.kept.get(name).filter(|_| self.qresync).cloned();
        let parameter = match &kept {
            Some(kept) => format!(" (QRESYNC ({} {}))", kept.uid_validity, kept.modseq),
            None => String::new(),
        };
        let answer = self.ask(&format!("{verb} \"{name}\"{parameter}"), env).await?;
        if !answer.ok() {
            let there = env.model.mailboxes.contains_key(name);
            let excused = !there || env.faulty || !env.alone;
            return if excused { Ok(Vec::new()) } else { Err(format!("{verb} {name}: {}", answer.text)) };
        }
        let mut told = View { read_only: examine, ..View::default() };
        for response in &answer.responses {
            told.told(response).map_err(|e| format!("{verb} {name}: {e}"))?;
        }
        // With others at work the name may stand for another mailbox by now: then the client looks again later.
        let identity = env.model.mailboxes.get(name).and_then(|mailbox| mailbox.identity);
        let said = |uid_validity| answer.responses.contains(&Response::UidValidity(uid_validity));
        let identity = match identity {
            Some(identity) if said(identity.uid_validity) => identity,
            _ if env.alone => return Err(format!("{verb} {name}: no or a wrong UIDVALIDITY")),
            _ => {
                self.ask("UNSELECT", env).await?;
                return Ok(Vec::new());
            }
        };
        told.mailbox = identity.id;
        let Some(mailbox) = env.model.mailboxes.get(name).filter(|_| env.alone) else {
            return self.learn_all(told, env).await;
        };
        if told.entries.len() != mailbox.messages.len() {
            return Err(format!("{verb} {name}: {} EXIST", told.entries.len()));
        }
        if let Some(kept) = kept.filter(|kept| kept.uid_validity == identity.uid_validity) {
            kept.brought_up_to_date(&answer, mailbox)
                .map_err(|e| format!("{verb} {name}{parameter}: {e}"))?;
        }
        self.learn_all(told, env).await?;
        if let (Some(modseq), Some(view)) = (answer.highest_modseq(), &self.view)
            && view.unknown().is_none()
        {
            let known = |entry: &Entry| Some((entry.uid?, entry.flags.clone()?));
            let messages = view.entries.iter().filter_map(known).collect();
            memory
                .kept
                .insert(name.to_owned(), Kept { uid_validity: identity.uid_validity, modseq, messages });
        }
        Ok(Vec::new())
    }

    async fn learn_all(&mut self, told: View, env: &Env<'_>) -> Result<Acts, String> {
        let count = told.entries.len();
        self.view = Some(told);
        if count > 0 {
            self.ask(&format!("FETCH 1:{count} (UID FLAGS)"), env).await?;
        }
        Ok(Vec::new())
    }

    async fn noop(&mut self, env: &Env<'_>) -> Result<Acts, String> {
        let answer = self.ask("NOOP", env).await?;
        if answer.ok() && env.alone {
            self.compare("NOOP", env)?;
        }
        Ok(Vec::new())
    }

    /// What the client believes is what is.
    fn compare(&self, when: &str, env: &Env<'_>) -> Result<(), String> {
        let Some(view) = &self.view else { return Ok(()) };
        let Some(mailbox) = by_id(env.model, view.mailbox) else { return Ok(()) };
        view.compare(mailbox).map_err(|e| format!("after {when}: {e}"))
    }

    async fn fetch(&mut self, uid: u32, peek: bool, by_number: bool, env: &Env<'_>) -> Result<Acts, String> {
        let Some(view) = &self.view else { return Ok(Vec::new()) };
        let mailbox = view.mailbox;
        // To this session it may be seen already, though another one took the flag away a moment ago: then there is nothing to set.
        let seen = view.entries.iter().any(|entry| {
            entry.uid == Some(uid) && entry.flags.as_ref().is_none_or(|flags| flags.contains("\\seen"))
        });
        let item = if peek { "BODY.PEEK[]" } else { "BODY[]" };
        let answer = match view.numbers(&BTreeSet::from([uid])) {
            Some(number) if by_number => {
                self.ask(&format!("FETCH {number} (UID {item} RFC822.SIZE)"), env).await?
            }
            _ => self.ask(&format!("UID FETCH {uid} ({item} RFC822.SIZE)"), env).await?,
        };
        let mut sent = false;
        for response in &answer.responses {
            if let Response::Fetch(_, Fetched { uid: Some(of), body: Some(body), size, .. }) = response {
                let number = content::number_of(body)?;
                let expected = env.ever.get(&(mailbox, uid));
                if *of != uid || expected.is_some_and(|expected| *expected != number) {
                    return Err(format!(
                        "UID {uid} gave UID {of} with message {number}, expected {expected:?}"
                    ));
                }
                if *size != Some(body.len() as u64) {
                    return Err(format!("UID {uid}: RFC822.SIZE {size:?}, sent {}", body.len()));
                }
                sent = true;
            }
        }
        let there = by_id(env.model, mailbox).is_some_and(|m| m.messages.iter().any(|m| m.uid == uid));
        if answer.ok() && env.alone && there && !sent {
            return Err(format!("FETCH of UID {uid} sent no body"));
        }
        if peek || self.view.as_ref().is_none_or(|view| view.read_only) {
            return Ok(Vec::new());
        }
        let told = if answer.ok() && sent && !env.faulty && !seen { Told::Done } else { Told::Doubtful };
        let flags = FlagNames::from(["\\seen".to_owned()]);
        let op = Op::SetFlags { mailbox, uids: BTreeSet::from([uid]), how: How::Add, flags };
        Ok(vec![Act { op, told }])
    }

    async fn store(
        &mut self,
        uids: BTreeSet<u32>,
        how: How,
        flags: FlagNames,
        silent: bool,
        by_number: bool,
        env: &Env<'_>,
    ) -> Result<Acts, String> {
        let Some(view) = &mut self.view else { return Ok(Vec::new()) };
        let mailbox = view.mailbox;
        let sign = match how {
            How::Replace => "",
            How::Add => "+",
            How::Remove => "-",
        };
        let list: Vec<&str> = flags.iter().map(String::as_str).collect();
        let item = format!("{sign}FLAGS{} ({})", if silent { ".SILENT" } else { "" }, list.join(" "));
        let numbers = view.numbers(&uids).filter(|_| by_number);
        if silent {
            view.forget_flags(&uids);
        }
        let command = match numbers {
            Some(numbers) => format!("STORE {numbers} {item}"),
            None => format!("UID STORE {} {item}", set(&uids)),
        };
        let answer = self.ask(&command, env).await?;
        // RFC 9051 §6.4.6: NO may also mean that some of the messages are gone, and the others changed.
        let told = match answer.told(env) {
            Told::Refused => Told::Doubtful,
            told => told,
        };
        Ok(vec![Act { op: Op::SetFlags { mailbox, uids, how, flags }, told }])
    }

    #[allow(clippy::type_complexity)]
    async fn append(
        &mut self,
        to: String,
        flags: FlagNames,
        number: u64,
        synchronising: bool,
        env: &Env<'_>,
    ) -> Result<(Acts, Option<(String, u32, u32, u64)>), String> {
        let body = content::body(number);
        let list: Vec<&str> = flags.iter().map(String::as_str).collect();
        let command = format!("APPEND \"{to}\" ({}) {{{}", list.join(" "), body.len());
        let answer = if synchronising {
            self.ask_octets(&format!("{command}}}"), Some(body), env).await?
        } else {
            let text = String::from_utf8_lossy(&body);
            self.ask_octets(&format!("{command}+}}\r\n{text}"), None, env).await?
        };
        let there = env.model.mailboxes.contains_key(&to);
        if !answer.ok() && there && env.alone && !env.faulty {
            return Err(format!("APPEND {to}: {} {}", answer.status, answer.text));
        }
        let code = code(&answer.text, "APPENDUID");
        let claim = match code.as_slice() {
            [uid_validity, uid] => {
                Some((to.clone(), uid_validity.parse().unwrap_or(0), uid.parse().unwrap_or(0), number))
            }
            _ => None,
        };
        if answer.ok() && claim.is_none() {
            return Err(format!("APPEND {to}: OK without APPENDUID: {}", answer.text));
        }
        let told = answer.told(env);
        Ok((vec![Act { op: Op::Append { to, messages: vec![(flags, number)], once: false }, told }], claim))
    }

    async fn copy(
        &mut self,
        uids: BTreeSet<u32>,
        to: String,
        moves: bool,
        by_number: bool,
        env: &Env<'_>,
    ) -> Result<Acts, String> {
        let Some(view) = &self.view else { return Ok(Vec::new()) };
        let from = view.mailbox;
        let verb = if moves { "MOVE" } else { "COPY" };
        let command = match view.numbers(&uids) {
            Some(numbers) if by_number => format!("{verb} {numbers} \"{to}\""),
            _ => format!("UID {verb} {} \"{to}\"", set(&uids)),
        };
        let answer = self.ask(&command, env).await?;
        let told = answer.told(env);
        Ok(vec![Act { op: Op::Copy { from, uids, to, moves }, told }])
    }

    async fn expunge(&mut self, only: Option<BTreeSet<u32>>, env: &Env<'_>) -> Result<Acts, String> {
        let Some(view) = &self.view else { return Ok(Vec::new()) };
        let (mailbox, visible) = (view.mailbox, view.uids());
        let command = match &only {
            Some(uids) => format!("UID EXPUNGE {}", set(uids)),
            None => "EXPUNGE".to_owned(),
        };
        let answer = self.ask(&command, env).await?;
        let told = answer.told(env);
        Ok(vec![Act { op: Op::Expunge { mailbox, only, any_flags: false, visible }, told }])
    }

    async fn close(&mut self, env: &Env<'_>) -> Result<Acts, String> {
        let Some(view) = &self.view else { return Ok(Vec::new()) };
        let (mailbox, visible, read_only) = (view.mailbox, view.uids(), view.read_only);
        let answer = self.ask("CLOSE", env).await?;
        if answer.ok() {
            self.view = None;
        }
        let told = answer.told(env);
        if read_only {
            return Ok(Vec::new());
        }
        Ok(vec![Act { op: Op::Expunge { mailbox, only: None, any_flags: false, visible }, told }])
    }

    async fn search(&mut self, key: &'static str, env: &Env<'_>) -> Result<Acts, String> {
        let of_view =
            |view: &Option<View>| view.as_ref().map(|v| (v.sure(), v.matching(key))).unwrap_or_default();
        let (sure_before, before) = of_view(&self.view);
        let answer = self.ask(&format!("UID SEARCH {key}"), env).await?;
        if !answer.ok() || self.view.is_none() {
            return Ok(Vec::new());
        }
        let (sure_after, after) = of_view(&self.view);
        let found = answer.responses.iter().find_map(|response| match response {
            Response::Search(found) => Some(found),
            _ => None,
        });
        let Some(found) = found else { return Err(format!("SEARCH {key}: no SEARCH response")) };
        // The answer is by the flags the client knew, or by those it is told now; of messages it did not know, it can say nothing.
        let sure = |uids: &[u32]| -> BTreeSet<u32> {
            uids.iter().copied().filter(|uid| sure_before.contains(uid) && sure_after.contains(uid)).collect()
        };
        if env.alone && sure(found) != sure(&after) && sure(found) != sure(&before) {
            return Err(format!(
                "SEARCH {key} found {found:?}; by what was told it was {before:?} and is {after:?}"
            ));
        }
        Ok(Vec::new())
    }

    async fn status(&mut self, name: &str, env: &Env<'_>) -> Result<Acts, String> {
        let answer =
            self.ask(&format!("STATUS \"{name}\" (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)"), env).await?;
        let Some(mailbox) = env.model.mailboxes.get(name) else { return Ok(Vec::new()) };
        if !answer.ok() || !env.alone {
            return Ok(Vec::new());
        }
        let told: BTreeMap<String, u64> = answer
            .responses
            .iter()
            .find_map(|response| match response {
                Response::Status(items) => Some(items.iter().cloned().collect()),
                _ => None,
            })
            .unwrap_or_default();
        let unseen = mailbox.messages.iter().filter(|m| !m.flags.contains("\\seen")).count() as u64;
        let expected = BTreeMap::from([
            ("MESSAGES".to_owned(), mailbox.messages.len() as u64),
            ("UNSEEN".to_owned(), unseen),
            ("UIDNEXT".to_owned(), u64::from(mailbox.uid_next)),
            (
                "UIDVALIDITY".to_owned(),
                mailbox.identity.map_or(0, |identity| u64::from(identity.uid_validity)),
            ),
        ]);
        if told == expected {
            Ok(Vec::new())
        } else {
            Err(format!("STATUS {name}: {told:?}, is {expected:?}"))
        }
    }

    async fn list(&mut self, env: &Env<'_>) -> Result<Acts, String> {
        let answer = self.ask("LIST \"\" \"*\"", env).await?;
        let names: BTreeSet<&str> = answer
            .responses
            .iter()
            .filter_map(|response| match response {
                Response::List(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let expected: BTreeSet<&str> = env.model.mailboxes.keys().map(String::as_str).collect();
        if answer.ok() && env.alone && names != expected {
            return Err(format!("LIST: {names:?}, is {expected:?}"));
        }
        Ok(Vec::new())
    }

    async fn change(&mut self, command: String, op: Op, env: &Env<'_>) -> Result<Acts, String> {
        let answer = self.ask(&command, env).await?;
        if !answer.ok() && env.alone && !env.faulty && !env.model.after(&op).is_empty() {
            return Err(format!("{command}: {} {}", answer.status, answer.text));
        }
        let told = answer.told(env);
        Ok(vec![Act { op, told }])
    }

    async fn idle(&mut self, env: &Env<'_>) -> Result<Acts, String> {
        self.tags += 1;
        let tag = format!("a{}", self.tags);
        let said = self.wire.say(format!("{tag} IDLE\r\n").as_bytes(), env.now).await;
        let answer = self.read(&said.octets, "", "IDLE")?;
        if answer.responses.contains(&Response::Continue) {
            self.idling = Some(tag);
        }
        Ok(Vec::new())
    }

    async fn listen(&mut self, env: &Env<'_>) -> Result<Acts, String> {
        for _ in 0..10 {
            if !self.wire.open || !self.is_awake().await {
                break;
            }
            let octets = self.wire.woken(env.now).await;
            self.read(&octets, "", "IDLE")?;
        }
        if env.alone && self.wire.open && !env.faulty {
            self.compare("IDLE", env)?;
        }
        Ok(Vec::new())
    }

    /// Whether the session has something to say unasked.
    async fn is_awake(&mut self) -> bool {
        let mut wake = pin!(self.wire.session.wake());
        poll_fn(|context| Poll::Ready(wake.as_mut().poll(context).is_ready())).await
    }

    async fn done(&mut self, env: &Env<'_>) -> Result<Acts, String> {
        let tag = self.idling.take().unwrap_or_default();
        let said = self.wire.say(b"DONE\r\n", env.now).await;
        self.read(&said.octets, &tag, "DONE")?;
        Ok(Vec::new())
    }
}

impl Answer {
    fn highest_modseq(&self) -> Option<u64> {
        self.responses.iter().find_map(|response| match response {
            Response::HighestModSeq(modseq) => Some(*modseq),
            _ => None,
        })
    }
}

impl Kept {
    /// RFC 7162 §3.2.5: what was kept, less what vanished, with what was fetched, is the mailbox.
    fn brought_up_to_date(mut self, answer: &Answer, mailbox: &Mailbox) -> Result<(), String> {
        for response in &answer.responses {
            match response {
                Response::Vanished { uids, .. } => self.messages.retain(|uid, _| !uids.contains(uid)),
                Response::Fetch(_, Fetched { uid: Some(uid), flags: Some(flags), .. }) => {
                    self.messages.insert(*uid, flags.clone());
                }
                _ => {}
            }
        }
        let is: BTreeMap<u32, FlagNames> =
            mailbox.messages.iter().map(|m| (m.uid, m.flags.clone())).collect();
        if self.messages == is {
            return Ok(());
        }
        Err(format!("the client ends up with {:?}, there is {is:?}", self.messages))
    }
}

impl View {
    /// Takes an untagged response.
    fn told(&mut self, response: &Response) -> Result<(), String> {
        match response {
            Response::Exists(n) => {
                let n = *n as usize;
                if n < self.entries.len() {
                    return Err(format!("EXISTS {n}, but there were {}", self.entries.len()));
                }
                self.entries.resize(n, Entry::default());
            }
            Response::Expunge(n) => {
                let at = (*n as usize).checked_sub(1).filter(|at| *at < self.entries.len());
                self.entries.remove(at.ok_or_else(|| format!("EXPUNGE {n} of {}", self.entries.len()))?);
            }
            Response::Vanished { earlier: false, uids } => {
                uids.iter().try_for_each(|uid| self.vanish(*uid))?;
            }
            Response::Fetch(n, fetched) => {
                let count = self.entries.len();
                let entry = (*n as usize).checked_sub(1).and_then(|at| self.entries.get_mut(at));
                let entry = entry.ok_or_else(|| format!("FETCH {n} of {count}"))?;
                if let (Some(old), Some(new)) = (entry.uid, fetched.uid)
                    && old != new
                {
                    return Err(format!("message {n} was UID {old}, is UID {new}"));
                }
                entry.uid = fetched.uid.or(entry.uid);
                if fetched.flags.is_some() {
                    entry.flags.clone_from(&fetched.flags);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Removes a message by its UID; one whose UID is not known is that in the gap where the UID belongs.
    fn vanish(&mut self, uid: u32) -> Result<(), String> {
        let exact = self.entries.iter().position(|entry| entry.uid == Some(uid));
        let after = self
            .entries
            .iter()
            .rposition(|entry| entry.uid.is_some_and(|known| known < uid))
            .map_or(0, |at| at + 1);
        let in_gap = || self.entries.get(after).filter(|entry| entry.uid.is_none()).map(|_| after);
        match exact.or_else(in_gap) {
            Some(at) => {
                self.entries.remove(at);
                Ok(())
            }
            None => Err(format!("VANISHED {uid}, which was never there")),
        }
    }

    fn compare(&self, mailbox: &Mailbox) -> Result<(), String> {
        if self.entries.len() != mailbox.messages.len() {
            let uids: Vec<u32> = mailbox.messages.iter().map(|m| m.uid).collect();
            let told: Vec<Option<u32>> = self.entries.iter().map(|entry| entry.uid).collect();
            return Err(format!("the client was told of {told:?}, there are {uids:?}"));
        }
        for (n, (entry, message)) in self.entries.iter().zip(&mailbox.messages).enumerate() {
            if entry.uid.is_some_and(|uid| uid != message.uid) {
                return Err(format!(
                    "message {} is UID {:?} to the client, and really {}",
                    n + 1,
                    entry.uid,
                    message.uid
                ));
            }
            if entry.flags.as_ref().is_some_and(|flags| *flags != message.flags) {
                let (told, is) = (&entry.flags, &message.flags);
                return Err(format!("UID {} has {told:?} to the client, and really {is:?}", message.uid));
            }
        }
        Ok(())
    }

    fn uids(&self) -> BTreeSet<u32> {
        self.entries.iter().filter_map(|entry| entry.uid).collect()
    }

    /// Messages whose UID and flags are known.
    fn sure(&self) -> BTreeSet<u32> {
        self.entries.iter().filter(|entry| entry.flags.is_some()).filter_map(|entry| entry.uid).collect()
    }

    /// The span of messages that something is not known about.
    fn unknown(&self) -> Option<(u32, u32)> {
        let unknown = |entry: &Entry| entry.uid.is_none() || entry.flags.is_none();
        let first = self.entries.iter().position(unknown)?;
        let last = self.entries.iter().rposition(unknown)?;
        Some((first as u32 + 1, last as u32 + 1))
    }

    /// These UIDs as a set of sequence numbers; none if one is not known.
    fn numbers(&self, uids: &BTreeSet<u32>) -> Option<String> {
        let number =
            |uid: &u32| self.entries.iter().position(|entry| entry.uid == Some(*uid)).map(|at| at as u32 + 1);
        let numbers: Option<BTreeSet<u32>> = uids.iter().map(number).collect();
        numbers.map(|numbers| set(&numbers))
    }

    fn forget_flags(&mut self, uids: &BTreeSet<u32>) {
        for entry in &mut self.entries {
            if entry.uid.is_some_and(|uid| uids.contains(&uid)) {
                entry.flags = None;
            }
        }
    }

    fn matching(&self, key: &str) -> Vec<u32> {
        let Some((_, flag, set)) = KEYS.iter().find(|(name, ..)| *name == key) else { return Vec::new() };
        let fits = |entry: &&Entry| {
            flag.is_empty() || entry.flags.as_ref().is_some_and(|f| f.contains(*flag) == *set)
        };
        self.entries.iter().filter(fits).filter_map(|entry| entry.uid).collect()
    }
}

fn id_of(model: &Model, name: &str) -> Option<u32> {
    model.mailboxes.get(name).and_then(|mailbox| mailbox.identity).map(|identity| identity.id)
}

fn by_id(model: &Model, id: u32) -> Option<&Mailbox> {
    model.mailboxes.values().find(|mailbox| mailbox.identity.is_some_and(|identity| identity.id == id))
}

/// A set in wire form: ranges where numbers follow each other.
fn set(numbers: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 == *number => *to = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let shown = |(from, to): &(u32, u32)| if from == to { from.to_string() } else { format!("{from}:{to}") };
    ranges.iter().map(shown).collect::<Vec<String>>().join(",")
}

/// The words of a response code.
fn code(text: &str, name: &str) -> Vec<String> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or_default();
    let mut words = inner.split(' ');
    if words.next() != Some(name) {
        return Vec::new();
    }
    words.map(str::to_owned).collect()
}
