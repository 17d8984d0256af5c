//! Now and then all clients fall silent. Then each must see what a new session sees, and nothing acknowledged is missing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};

use crate::client::Rng;

use super::Shared;
use super::answer::{Answer, Fetched};
use super::client::Client;
use super::plan::{Kind, plain};
use super::view::Message;

/// What a new session sees.
#[derive(Default)]
pub struct Snapshot {
    /// By UIDVALIDITY.
    mailboxes: BTreeMap<u32, Audit>,
}

struct Audit {
    name: String,
    messages: Vec<Message>,
}

/// How many searches each client does while all are silent.
const SEARCHES: usize = 4;

impl Snapshot {
    /// Looks at every mailbox with a session of its own, and compares with what is known for sure.
    pub fn take(shared: &Shared, wrong: &mut Vec<String>) -> Result<Snapshot> {
        let mut auditor = Client::new(usize::MAX, shared);
        auditor.connect()?;
        let mut names = BTreeSet::new();
        for answer in auditor.simple("LIST \"\" *")? {
            if let Answer::List { mailbox, selectable: true } = answer {
                ensure!(names.insert(mailbox.clone()), "LIST: {mailbox} twice");
            }
        }
        let mut snapshot = Snapshot::default();
        for name in names {
            let mut opened = Opened::default();
            for answer in auditor.simple(&format!("EXAMINE {name}"))? {
                opened.hear(answer);
            }
            let uid_validity = opened.uid_validity.context("EXAMINE: no UIDVALIDITY")?;
            let messages =
                if opened.exists == 0 { Vec::new() } else { fetch_all(&mut auditor, uid_validity)? };
            if messages.len() != opened.exists as usize {
                wrong.push(format!(
                    "EXISTS: {} in {name}, and FETCH tells {}",
                    opened.exists,
                    messages.len()
                ));
            }
            let there: BTreeSet<u32> = messages.iter().filter_map(|message| message.uid).collect();
            let uid_next = opened.uid_next.context("EXAMINE: no UIDNEXT")?;
            wrong.extend(shared.truth().compare(uid_validity, &there, uid_next, opened.mod_seq));
            if let Some(other) =
                snapshot.mailboxes.insert(uid_validity, Audit { name: name.clone(), messages })
            {
                wrong.push(format!("UIDVALIDITY: {uid_validity} is that of {name} and of {}", other.name));
            }
        }
        Ok(snapshot)
    }
}

#[derive(Default)]
struct Opened {
    exists: u32,
    uid_validity: Option<u32>,
    uid_next: Option<u64>,
    mod_seq: u64,
}

impl Opened {
    fn hear(&mut self, answer: Answer) {
        match answer {
            Answer::Exists(count) => self.exists = count,
            Answer::Untagged { code: Some(code), .. } => match (code.name.as_str(), code.number()) {
                ("UIDVALIDITY", Some(number)) => self.uid_validity = u32::try_from(number).ok(),
                ("UIDNEXT", number) => self.uid_next = number,
                ("HIGHESTMODSEQ", Some(number)) => self.mod_seq = number,
                _ => {}
            },
            _ => {}
        }
    }
}

fn fetch_all(auditor: &mut Client<'_>, uid_validity: u32) -> Result<Vec<Message>> {
    let mod_seq = if auditor.has("CONDSTORE") { " MODSEQ" } else { "" };
    let mut messages = Vec::new();
    for answer in auditor.simple(&format!(
        "FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE{mod_seq} BODY.PEEK[HEADER.FIELDS (X-CHECK)])"
    ))? {
        let Answer::Fetch { seq, items } = answer else { continue };
        let expected = u32::try_from(messages.len() + 1).unwrap_or(u32::MAX);
        ensure!(seq == expected, "FETCH 1:*: {seq} where {expected} was due");
        let Fetched { uid: Some(uid), flags: Some(flags), mod_seq, .. } = items else {
            bail!("FETCH 1:*: message {seq} without UID or FLAGS");
        };
        auditor.facts(uid_validity, uid, &items)?;
        messages.push(Message { uid: Some(uid), flags: Some(flags), mod_seq: mod_seq.unwrap_or(0) });
    }
    ensure!(messages.is_sorted_by_key(|message| message.uid), "FETCH 1:*: UIDs do not grow");
    Ok(messages)
}

impl Client<'_> {
    /// The client hears what it has not heard yet.
    pub fn catch_up(&mut self) -> Result<()> {
        if self.view.is_some() { self.perform(vec![plain("NOOP", Kind::Noop)]) } else { Ok(()) }
    }

    /// While all are silent: the view against the snapshot, then reading commands whose answers are known exactly.
    pub fn compare(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.compare_view(snapshot)?;
        if self.view.is_none() {
            // Whoever comes back must arrive at the same.
            let name = self.rng.pick(&["S0", "S1", "INBOX"]).copied().unwrap_or("S0");
            let plan = self.select_again(name);
            self.perform(vec![plan])?;
            self.compare_view(snapshot)?;
        }
        if self.view.as_ref().is_some_and(|view| view.messages.is_empty()) {
            return Ok(());
        }
        let plan = plain("FETCH 1:* (UID FLAGS)", Kind::Other);
        self.perform(vec![plan])?;
        self.compare_view(snapshot)?;
        for _ in 0..SEARCHES {
            let uid = self.rng.percent(50);
            let plan = self.search(uid);
            let Kind::Search(search) = plan.kind else { continue };
            let (heard, search) = self.ask(&plan.octets, search)?;
            self.shared.count("searches compared exactly");
            self.search_done(&search, &heard, true)?;
        }
        Ok(())
    }

    fn compare_view(&mut self, snapshot: &Snapshot) -> Result<()> {
        let Some(view) = &self.view else { return Ok(()) };
        let audit = snapshot.mailboxes.get(&view.uid_validity).context("the selected mailbox is nowhere")?;
        let same_length = view.messages.len() == audit.messages.len();
        ensure!(
            same_length,
            "DIVERGED: {} messages in {}, a new session sees {}",
            view.messages.len(),
            view.name,
            audit.messages.len()
        );
        for (seq, (seen, there)) in (1..).zip(view.messages.iter().zip(&audit.messages)) {
            let uid = there.uid.unwrap_or(0);
            ensure!(
                seen.uid.is_none_or(|seen| seen == uid),
                "DIVERGED: message {seq} is UID {:?}; a new session sees {uid}",
                seen.uid
            );
            if let (Some(seen), Some(there)) = (seen.flags, there.flags) {
                ensure!(seen == there, "DIVERGED: UID {uid} has {seen} here; a new session sees {there}");
            }
            ensure!(
                there.mod_seq == 0 || seen.mod_seq <= there.mod_seq,
                "DIVERGED: UID {uid} is at modseq {} here; a new session sees {}",
                seen.mod_seq,
                there.mod_seq
            );
        }
        self.shared.count("views compared");
        Ok(())
    }
}

/// A pause in the play: chosen so that much happens in between, and that many pauses come.
pub fn pause_after(rng: &mut Rng) -> std::time::Duration {
    std::time::Duration::from_millis(1_000 + rng.below(3_000))
}
