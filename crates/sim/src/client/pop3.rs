//! A POP3 client: logs in, looks, fetches, marks, and quits or is cut off.

use std::{collections::BTreeSet, sync::Arc};

use yubin_pop3::Session;

use super::{
    Env,
    drive::{Wire, peer},
};
use crate::{
    content,
    judge::{Act, Acts, Told},
    model::{FlagNames, How, Op},
    rng::Rng,
};

/// What the client does.
#[derive(Debug)]
pub(crate) enum Plan {
    Login,
    List,
    Retrieve(usize),
    Top(usize, usize),
    Delete(usize),
    Reset,
    Quit,
    CutOff,
}

/// The client. Numbers are indexes here, counted from 0.
#[derive(Default)]
pub(crate) struct Pop3Client {
    open: Option<Connection>,
}

struct Connection {
    wire: Wire<Session>,
    mailbox: u32,
    /// UIDs and sizes of the snapshot, by number.
    messages: Vec<(u32, u64)>,
    marked: BTreeSet<usize>,
    fetched: BTreeSet<u32>,
}

impl Pop3Client {
    pub(crate) fn disconnect(&mut self) {
        self.open = None;
    }

    pub(crate) fn plan(&mut self, rng: &mut Rng) -> Plan {
        let Some(open) = &self.open else { return Plan::Login };
        let count = open.messages.len();
        match rng.below(12) {
            0 => Plan::List,
            1..=4 if count > 0 => Plan::Retrieve(rng.below(count)),
            5 if count > 0 => Plan::Top(rng.below(count), rng.below(4)),
            6..=8 if count > 0 => Plan::Delete(rng.below(count)),
            9 => Plan::Reset,
            10 => Plan::CutOff,
            _ => Plan::Quit,
        }
    }

    pub(crate) async fn act(&mut self, plan: Plan, env: &Env<'_>) -> Result<Acts, String> {
        if matches!(plan, Plan::Login) {
            self.open = login(env).await?;
            return Ok(Vec::new());
        }
        let Some(open) = &mut self.open else { return Ok(Vec::new()) };
        let acts = match plan {
            Plan::Login => Vec::new(),
            Plan::List => open.list(env).await.map(|()| Vec::new())?,
            Plan::Retrieve(n) => open.retrieve(n, None, env).await.map(|()| Vec::new())?,
            Plan::Top(n, lines) => open.retrieve(n, Some(lines), env).await.map(|()| Vec::new())?,
            Plan::Delete(n) => open.delete(n, env).await.map(|()| Vec::new())?,
            Plan::Reset => open.reset(env).await.map(|()| Vec::new())?,
            Plan::Quit => open.quit(env).await?,
            Plan::CutOff => {
                open.wire.hang_up().await;
                Vec::new()
            }
        };
        if !open.wire.open {
            self.open = None;
        }
        Ok(acts)
    }
}

/// Logs in and takes the listing. None when the server cannot now.
async fn login(env: &Env<'_>) -> Result<Option<Connection>, String> {
    let (wire, _) = Wire::connect(Session::new(Arc::clone(&env.pop3), peer()), env.now).await;
    let mailbox =
        env.model.mailboxes.get("INBOX").and_then(|inbox| inbox.identity).map_or(0, |identity| identity.id);
    let mut open =
        Connection { wire, mailbox, messages: Vec::new(), marked: BTreeSet::new(), fetched: BTreeSet::new() };
    open.line("USER ann", env).await?;
    let answer = open.line("PASS secret", env).await?;
    if !answer.starts_with("+OK") {
        return if env.faulty { Ok(None) } else { Err(format!("PASS: {answer}")) };
    }
    let Some(sizes) = open.listing("LIST", env).await? else { return Ok(None) };
    let Some(ids) = open.listing("UIDL", env).await? else { return Ok(None) };
    for (number, size) in &sizes {
        let id = ids.iter().find(|(other, _)| other == number).map(|(_, id)| id.as_str()).unwrap_or_default();
        let uid = id.split('.').nth(1).and_then(|uid| uid.parse().ok());
        let (Some(uid), Ok(size)) = (uid, size.parse()) else {
            return Err(format!("LIST {size:?}, UIDL {id:?}"));
        };
        open.messages.push((uid, size));
    }
    if env.alone {
        open.check_snapshot(env)?;
    }
    Ok(Some(open))
}

impl Connection {
    fn check_snapshot(&self, env: &Env<'_>) -> Result<(), String> {
        let Some(inbox) = env.model.mailboxes.get("INBOX") else { return Ok(()) };
        let wire_octets = |number: u64| content::on_the_wire(number).len() as u64;
        let expected: Vec<(u32, u64)> =
            inbox.messages.iter().map(|m| (m.uid, wire_octets(m.content))).collect();
        if expected == self.messages {
            return Ok(());
        }
        Err(format!("POP3 lists {:?}, INBOX has {expected:?}", self.messages))
    }

    async fn line(&mut self, command: &str, env: &Env<'_>) -> Result<String, String> {
        let said = self.wire.say(format!("{command}\r\n").as_bytes(), env.now).await;
        String::from_utf8(said.octets).map_err(|_| format!("{command}: the answer is not UTF-8"))
    }

    /// None when the server could not read on and closed the connection, which is all it can say by then.
    async fn listing(
        &mut self,
        command: &str,
        env: &Env<'_>,
    ) -> Result<Option<Vec<(String, String)>>, String> {
        let answer = self.line(command, env).await?;
        let Some(body) = answer.strip_suffix("\r\n.\r\n") else {
            let excused = env.faulty && !self.wire.open;
            return if excused { Ok(None) } else { Err(format!("{command}: no end in {answer:?}")) };
        };
        let pairs = body.split("\r\n").skip(1).filter_map(|l| l.split_once(' '));
        Ok(Some(pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).collect()))
    }

    async fn list(&mut self, env: &Env<'_>) -> Result<(), String> {
        let Some(sizes) = self.listing("LIST", env).await? else { return Ok(()) };
        let expected: Vec<(String, String)> = self
            .messages
            .iter()
            .enumerate()
            .filter(|(n, _)| !self.marked.contains(n))
            .map(|(n, (_, size))| ((n + 1).to_string(), size.to_string()))
            .collect();
        if sizes == expected {
            Ok(())
        } else {
            Err(format!("LIST changed within a session: {sizes:?}, was {expected:?}"))
        }
    }

    /// RETR, or TOP with a number of lines.
    async fn retrieve(&mut self, n: usize, lines: Option<usize>, env: &Env<'_>) -> Result<(), String> {
        let Some((uid, size)) = self.messages.get(n).copied() else { return Ok(()) };
        let command = match lines {
            None => format!("RETR {}\r\n", n + 1),
            Some(lines) => format!("TOP {} {lines}\r\n", n + 1),
        };
        let answer = self.wire.say(command.as_bytes(), env.now).await.octets;
        if answer.starts_with(b"-ERR") {
            // Marked, or expunged by somebody else and its content collected.
            let gone = !env
                .model
                .mailboxes
                .get("INBOX")
                .is_some_and(|inbox| inbox.messages.iter().any(|m| m.uid == uid));
            let excused = self.marked.contains(&n) || gone || env.faulty || !env.alone;
            return if excused {
                Ok(())
            } else {
                Err(format!("{command:?}: {:?}", String::from_utf8_lossy(&answer)))
            };
        }
        if !self.wire.open && env.faulty {
            return Ok(());
        }
        if self.marked.contains(&n) {
            return Err(format!("{command:?} sends a marked message"));
        }
        let octets = unstuffed(&answer).ok_or_else(|| format!("{command:?}: no end"))?;
        let number = env.ever.get(&(self.mailbox, uid)).copied().ok_or("a message nobody knows")?;
        let expected = match lines {
            None => content::on_the_wire(number),
            Some(lines) => top(&content::on_the_wire(number), lines),
        };
        if octets != expected {
            return Err(format!("{command:?}: UID {uid} is not message {number}"));
        }
        if lines.is_none() {
            self.fetched.insert(uid);
            if octets.len() as u64 != size {
                return Err(format!("{command:?}: {} octets, LIST said {size}", octets.len()));
            }
        }
        Ok(())
    }

    async fn delete(&mut self, n: usize, env: &Env<'_>) -> Result<(), String> {
        let answer = self.line(&format!("DELE {}", n + 1), env).await?;
        if answer.starts_with("+OK") == self.marked.insert(n) {
            Ok(())
        } else {
            Err(format!("DELE {}: {answer}", n + 1))
        }
    }

    async fn reset(&mut self, env: &Env<'_>) -> Result<(), String> {
        let answer = self.line("RSET", env).await?;
        self.marked.clear();
        if answer.starts_with("+OK") { Ok(()) } else { Err(format!("RSET: {answer}")) }
    }

    async fn quit(&mut self, env: &Env<'_>) -> Result<Acts, String> {
        let answer = self.line("QUIT", env).await?;
        let uids = |numbers: &BTreeSet<usize>| -> BTreeSet<u32> {
            numbers.iter().filter_map(|n| self.messages.get(*n)).map(|(uid, _)| *uid).collect()
        };
        let told = if answer.starts_with("+OK") { Told::Done } else { env.refused() };
        let marked = uids(&self.marked);
        let mut acts = Vec::new();
        if !marked.is_empty() {
            let op = Op::Expunge {
                mailbox: self.mailbox,
                only: Some(marked.clone()),
                any_flags: true,
                visible: marked,
            };
            acts.push(Act { op, told });
        }
        // Setting \Seen is a courtesy: the answer says nothing about it.
        let flags = FlagNames::from(["\\seen".to_owned()]);
        let op = Op::SetFlags { mailbox: self.mailbox, uids: self.fetched.clone(), how: How::Add, flags };
        acts.push(Act { op, told: Told::Doubtful });
        Ok(acts)
    }
}

/// The body of a multi-line answer, as a client takes it.
fn unstuffed(answer: &[u8]) -> Option<Vec<u8>> {
    let start = answer.windows(2).position(|w| w == b"\r\n")? + 2;
    let body = answer.get(start..)?;
    let mut out = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|c| *c == b'\n') {
        match line {
            b".\r\n" => return Some(out),
            line => out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line)),
        }
    }
    None
}

/// The header, the empty line, and so many lines of the body.
fn top(message: &[u8], lines: usize) -> Vec<u8> {
    let head = message.windows(4).position(|w| w == b"\r\n\r\n").map_or(message.len(), |at| at + 4);
    let (header, body) = message.split_at_checked(head).unwrap_or((message, &[]));
    let mut out = header.to_vec();
    body.split_inclusive(|c| *c == b'\n').take(lines).for_each(|line| out.extend_from_slice(line));
    out
}
