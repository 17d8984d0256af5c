//! What a client does next: commands at random, of all that the server offers, alone or pipelined.

use crate::client::Rng;

use super::client::Client;
use super::flags::Flags;
use super::mail::Mail;
use super::search::Key;
use super::view::Cache;

/// A command that is to be sent, and what its answer is judged by.
pub struct Plan {
    pub octets: Vec<u8>,
    pub kind: Kind,
}

pub enum Kind {
    Noop,
    Idle,
    Select {
        name: String,
        examine: bool,
        cache: Option<Cache>,
    },
    Close {
        unselect: bool,
    },
    Fetch(Fetch),
    Store(Store),
    Search(Search),
    Copy {
        targets: Vec<u32>,
        to: String,
        moves: bool,
    },
    Expunge {
        only: Option<Vec<u32>>,
    },
    Append {
        to: String,
        mails: Vec<(u64, Flags)>,
    },
    Status {
        name: String,
    },
    /// CREATE, DELETE, RENAME, SUBSCRIBE: which of the client's own mailboxes there are after it.
    Names {
        may_fail: bool,
        after: Option<std::collections::BTreeSet<String>>,
    },
    List {
        pattern: String,
    },
    /// Its answer is of no interest.
    Other,
}

pub struct Fetch {
    pub uid: bool,
    /// UIDs that must be answered, or be gone.
    pub targets: Vec<u32>,
    pub wants: Wants,
    /// `\Seen` is set by it.
    pub sees: bool,
    /// `$`: what the last SEARCH saved.
    pub saved: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Wants {
    pub flags: bool,
    pub size: bool,
    pub date: bool,
    pub token: bool,
    pub body: bool,
    pub mod_seq: bool,
}

pub struct Store {
    pub uid: bool,
    pub targets: Vec<u32>,
    /// `+`, `-` or nothing.
    pub sign: &'static str,
    pub flags: Flags,
    pub silent: bool,
    pub unchanged_since: Option<u64>,
}

pub struct Search {
    pub uid: bool,
    pub key: Key,
    /// MIN, MAX, COUNT, ALL, SAVE, PARTIAL: none for a plain SEARCH.
    pub returns: Vec<&'static str>,
    /// SORT with these criteria.
    pub sort: Option<&'static str>,
}

impl Kind {
    /// No EXPUNGE while these are answered (RFC 9051 §7.5.1, RFC 5256 §3).
    pub fn counts_messages(&self) -> bool {
        match self {
            Kind::Fetch(Fetch { uid, .. })
            | Kind::Store(Store { uid, .. })
            | Kind::Search(Search { uid, .. }) => !uid,
            _ => false,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Kind::Noop => "NOOP",
            Kind::Idle => "IDLE",
            Kind::Select { cache: Some(_), .. } => "SELECT QRESYNC",
            Kind::Select { examine: false, .. } => "SELECT",
            Kind::Select { .. } => "EXAMINE",
            Kind::Close { unselect: false } => "CLOSE",
            Kind::Close { .. } => "UNSELECT",
            Kind::Fetch(Fetch { uid: false, .. }) => "FETCH",
            Kind::Fetch(_) => "UID FETCH",
            Kind::Store(Store { unchanged_since: Some(_), .. }) => "STORE UNCHANGEDSINCE",
            Kind::Store(Store { uid: false, .. }) => "STORE",
            Kind::Store(_) => "UID STORE",
            Kind::Search(Search { sort: Some(_), .. }) => "SORT",
            Kind::Search(Search { uid: false, .. }) => "SEARCH",
            Kind::Search(_) => "UID SEARCH",
            Kind::Copy { moves: false, .. } => "COPY",
            Kind::Copy { .. } => "MOVE",
            Kind::Expunge { only: None } => "EXPUNGE",
            Kind::Expunge { .. } => "UID EXPUNGE",
            Kind::Append { mails, .. } if mails.len() > 1 => "MULTIAPPEND",
            Kind::Append { .. } => "APPEND",
            Kind::Status { .. } => "STATUS",
            Kind::Names { .. } => "CREATE, DELETE, RENAME",
            Kind::List { .. } => "LIST",
            Kind::Other => "others",
        }
    }
}

/// Mailboxes that all clients use. The first is used most.
pub const SHARED: [&str; 4] = ["S0", "S1", "INBOX", "R0"];
/// What `R0` is renamed to, and back.
pub const RENAMED: &str = "R1";
/// Above this many messages, more are removed than added.
const CROWDED: u32 = 60;

impl Client<'_> {
    /// The next command, or a few to be sent at once.
    pub fn plan(&mut self) -> Vec<Plan> {
        if self.view.is_none() {
            return vec![if self.rng.percent(70) { self.select() } else { self.without_mailbox() }];
        }
        match self.rng.below(100) {
            0..25 if self.shared.pipelines => self.pipeline(),
            0..10 => vec![self.fetch(true)],
            10..25 => vec![self.store(true)],
            25..31 => vec![self.select()],
            31..34 => vec![self.close()],
            34..44 => vec![self.without_mailbox()],
            44..50 => vec![plain("NOOP", Kind::Noop)],
            50..54 => vec![plain("IDLE", Kind::Idle)],
            54..66 => vec![self.append()],
            66..74 => {
                let uid = self.rng.percent(50);
                vec![self.fetch(uid)]
            }
            74..82 => {
                let uid = self.rng.percent(50);
                vec![self.store(uid)]
            }
            82..87 => {
                let uid = self.rng.percent(50);
                vec![self.search(uid)]
            }
            87..92 => vec![self.copy()],
            _ => vec![self.expunge()],
        }
    }

    /// Commands with sequence numbers first: after one that may expunge they would be ambiguous (RFC 9051 §5.5).
    fn pipeline(&mut self) -> Vec<Plan> {
        let mut plans = Vec::new();
        if self.has("SEARCHRES") && self.rng.percent(20) {
            plans.extend(self.search_and_fetch());
        }
        for _ in 0..self.rng.below(3) {
            plans.push(self.uid_or_not(false));
        }
        for _ in 0..1 + self.rng.below(4) {
            plans.push(match self.rng.below(10) {
                0..6 => self.uid_or_not(true),
                6 => plain("NOOP", Kind::Noop),
                7 => self.expunge(),
                _ => self.append(),
            });
        }
        plans
    }

    /// RFC 5182: what a search saved, fetched without naming it. No EXPUNGE may come in between.
    fn search_and_fetch(&mut self) -> [Plan; 2] {
        let uid_max = self.view.as_ref().and_then(|view| view.uids().last()).unwrap_or(1);
        let key = Key::random(&mut self.rng, uid_max, 1);
        let search = format!("SEARCH RETURN (SAVE) {}", key.text());
        let wants = Wants { flags: true, ..Wants::default() };
        [
            plain(&search, Kind::Search(Search { uid: false, key, returns: vec!["SAVE"], sort: None })),
            plain(
                "FETCH $ (UID FLAGS)",
                Kind::Fetch(Fetch { uid: false, targets: Vec::new(), wants, sees: false, saved: true }),
            ),
        ]
    }

    fn uid_or_not(&mut self, uid: bool) -> Plan {
        match self.rng.below(3) {
            0 => self.fetch(uid),
            1 => self.store(uid),
            _ => self.search(uid),
        }
    }

    pub fn without_mailbox(&mut self) -> Plan {
        match self.rng.below(10) {
            0..4 => self.append(),
            4..6 => self.status(),
            6 => self.list(),
            _ => self.names(),
        }
    }

    fn mailbox(&mut self) -> String {
        match self.rng.below(100) {
            0..45 => "S0".into(),
            45..58 => "S1".into(),
            58..66 => "INBOX".into(),
            66..74 => {
                if self.rng.percent(50) {
                    "R0".into()
                } else {
                    RENAMED.into()
                }
            }
            _ => self.private.name.clone(),
        }
    }

    fn select(&mut self) -> Plan {
        let name = self.mailbox();
        self.select_again(&name)
    }

    /// SELECT or EXAMINE, with what was kept of the mailbox.
    pub fn select_again(&mut self, name: &str) -> Plan {
        let examine = self.rng.percent(12);
        let verb = if examine { "EXAMINE" } else { "SELECT" };
        let mut cache = if self.qresync { self.caches.get(name).cloned() } else { None };
        let mut text = format!("{verb} {name}");
        match &mut cache {
            Some(cache) => {
                text.push_str(&format!(" (QRESYNC ({} {}", cache.uid_validity, cache.mod_seq));
                let uids: Vec<u32> = cache.messages.keys().copied().collect();
                if self.rng.percent(50) && !uids.is_empty() {
                    cache.uids_told = true;
                    text.push_str(&format!(" {}", set(&uids)));
                    if self.rng.percent(50) {
                        text.push_str(&format!(" ({} {})", uids.len(), uids.last().copied().unwrap_or(1)));
                    }
                }
                text.push_str("))");
            }
            None if self.condstore && self.rng.percent(30) => text.push_str(" (CONDSTORE)"),
            None => {}
        }
        plain(&text, Kind::Select { name: name.to_owned(), examine, cache })
    }

    fn close(&mut self) -> Plan {
        // What CLOSE removes is known only when all flags are.
        let unselect = self.rng.percent(50) || self.private.expected.values().any(Option::is_none);
        plain(if unselect { "UNSELECT" } else { "CLOSE" }, Kind::Close { unselect })
    }

    /// Some of the messages of the view whose UIDs are known: as UIDs, and as text.
    fn targets(&mut self, uid: bool, most: u64) -> (Vec<u32>, String) {
        let known: Vec<(u32, u32)> = match &self.view {
            Some(view) => (1..).zip(&view.messages).filter_map(|(seq, m)| Some((seq, m.uid?))).collect(),
            None => Vec::new(),
        };
        if known.is_empty() {
            return (Vec::new(), "1:*".into());
        }
        let mut picked = std::collections::BTreeSet::new();
        let first = self.rng.below(known.len() as u64) as usize;
        if self.rng.percent(40) {
            // A range.
            picked.extend(known.iter().skip(first).take(1 + self.rng.below(most) as usize).copied());
        } else {
            for _ in 0..1 + self.rng.below(most.min(6)) {
                picked.extend(self.rng.pick(&known).copied());
            }
        }
        let uids: Vec<u32> = picked.iter().map(|(_, uid)| *uid).collect();
        let mut numbers: Vec<u32> =
            if uid { uids.clone() } else { picked.iter().map(|(seq, _)| *seq).collect() };
        if uid && self.rng.percent(10) {
            // UIDs that are not there are no error (RFC 9051 §6.4.9).
            numbers.push(4_000_000_000);
        }
        (uids, set(&numbers))
    }

    pub fn fetch(&mut self, uid: bool) -> Plan {
        let unknown = self.view.as_ref().is_some_and(|view| !view.knows_all_uids());
        let all = unknown || self.rng.percent(15);
        let (mut targets, mut text) = self.targets(uid, 30);
        if all {
            targets = self.view.iter().flat_map(super::view::View::uids).collect();
            text = "1:*".into();
        }
        let empty = self.view.as_ref().is_none_or(|view| view.messages.is_empty());
        if empty && !uid {
            return plain("NOOP", Kind::Noop);
        }
        let mut wants = Wants::default();
        let mut sees = false;
        let mut items = vec!["UID"];
        match if unknown { 0 } else { self.rng.below(10) } {
            0..4 => {
                wants.flags = true;
                items.push("FLAGS");
                if self.condstore && self.rng.percent(50) {
                    wants.mod_seq = true;
                    items.push("MODSEQ");
                }
            }
            4 => {
                (wants.flags, wants.size, wants.date) = (true, true, true);
                items.extend(["FLAGS", "RFC822.SIZE", "INTERNALDATE"]);
            }
            5..7 => {
                wants.token = true;
                items.push("BODY.PEEK[HEADER.FIELDS (X-CHECK)]");
            }
            7 => {
                wants.token = true;
                items.push("ENVELOPE");
            }
            8 => {
                wants.body = true;
                items.push("BODY.PEEK[]");
            }
            _ => {
                wants.body = true;
                sees = true;
                items.push("BODY[]");
            }
        }
        let verb = if uid { "UID FETCH" } else { "FETCH" };
        let mut command = format!("{verb} {text} ({})", items.join(" "));
        if self.condstore && wants.flags && self.rng.percent(15) {
            let mod_seq = self.view.as_ref().map_or(1, |view| view.mod_seq.max(1));
            targets.clear();
            let vanished = if uid && self.qresync && self.rng.percent(50) { " VANISHED" } else { "" };
            command.push_str(&format!(" (CHANGEDSINCE {mod_seq}{vanished})"));
        }
        plain(&command, Kind::Fetch(Fetch { uid, targets, wants, sees, saved: false }))
    }

    pub fn store(&mut self, uid: bool) -> Plan {
        let (targets, text) = self.targets(uid, 12);
        if targets.is_empty() || self.view.as_ref().is_none_or(|view| view.read_only) {
            return self.fetch(uid);
        }
        let sign = self.rng.pick(&["+", "+", "-", ""]).copied().unwrap_or("+");
        let crowd = self.view.as_ref().map_or(0, super::view::View::len);
        let mut flags = Flags::from_bits(self.rng.next() & self.rng.next() & self.rng.next());
        if crowd > CROWDED && self.rng.percent(70) {
            flags = flags.with(Flags::DELETED);
        }
        let silent = self.rng.percent(35);
        let unchanged_since = (self.condstore && self.rng.percent(25)).then(|| self.some_mod_seq(&targets));
        let verb = if uid { "UID STORE" } else { "STORE" };
        let condition =
            unchanged_since.map_or(String::new(), |mod_seq| format!(" (UNCHANGEDSINCE {mod_seq})"));
        let silently = if silent { ".SILENT" } else { "" };
        let command = format!("{verb} {text}{condition} {sign}FLAGS{silently} {flags}");
        plain(&command, Kind::Store(Store { uid, targets, sign, flags, silent, unchanged_since }))
    }

    fn some_mod_seq(&mut self, targets: &[u32]) -> u64 {
        let uid = self.rng.pick(targets).copied().unwrap_or(1);
        let known = self.view.as_mut().and_then(|view| view.by_uid(uid)).map_or(0, |message| message.mod_seq);
        known.saturating_sub(self.rng.below(2)).max(1)
    }

    pub fn search(&mut self, uid: bool) -> Plan {
        let uid_max = self.view.as_ref().and_then(|view| view.uids().last()).unwrap_or(1);
        let key = Key::random(&mut self.rng, uid_max, 2);
        let extended = self.has("ESEARCH") && self.rng.percent(50);
        let mut returns: Vec<&'static str> = Vec::new();
        if extended {
            let kinds = ["MIN", "MAX", "COUNT", "ALL"];
            returns = kinds.into_iter().filter(|_| self.rng.percent(50)).collect();
            if self.has("PARTIAL") && !returns.contains(&"ALL") && self.rng.percent(20) {
                returns.push("PARTIAL 1:10");
            }
            if returns.is_empty() {
                returns.push("ALL");
            }
        }
        let verb = if uid { "UID SEARCH" } else { "SEARCH" };
        let options =
            if returns.is_empty() { String::new() } else { format!(" RETURN ({})", returns.join(" ")) };
        let sort = (self.has("SORT") && !extended && self.rng.percent(30))
            .then(|| self.rng.pick(&["ARRIVAL", "DATE", "SIZE", "SUBJECT", "REVERSE SIZE", "FROM"]).copied())
            .flatten();
        let command = match sort {
            Some(criteria) => {
                format!("{} ({criteria}) UTF-8 {}", verb.replace("SEARCH", "SORT"), key.text())
            }
            None => format!("{verb}{options} {}", key.text()),
        };
        plain(&command, Kind::Search(Search { uid, key, returns, sort }))
    }

    fn copy(&mut self) -> Plan {
        let uid = self.rng.percent(60);
        let (targets, text) = self.targets(uid, 10);
        if targets.is_empty() {
            return self.append();
        }
        let crowded = self.view.as_ref().is_some_and(|view| view.len() > CROWDED);
        let read_only = self.view.as_ref().is_some_and(|view| view.read_only);
        let moves = !read_only && self.has("MOVE") && (crowded || self.rng.percent(50));
        let to = self.destination();
        let verb = if moves { "MOVE" } else { "COPY" };
        let command = format!("{}{verb} {text} {to}", if uid { "UID " } else { "" });
        plain(&command, Kind::Copy { targets, to, moves })
    }

    /// Where messages go: never a mailbox that is renamed meanwhile.
    fn destination(&mut self) -> String {
        match self.rng.below(10) {
            0..4 => "S0".into(),
            4..6 => "S1".into(),
            6 => "INBOX".into(),
            _ => self.private.name.clone(),
        }
    }

    fn expunge(&mut self) -> Plan {
        if self.view.as_ref().is_none_or(|view| view.read_only) {
            return plain("NOOP", Kind::Noop);
        }
        if self.in_private() && self.private.expected.values().any(Option::is_none) {
            // What would be removed is not known yet.
            return self.fetch(true);
        }
        let (targets, text) = self.targets(true, 40);
        if self.rng.percent(40) && !targets.is_empty() {
            return plain(&format!("UID EXPUNGE {text}"), Kind::Expunge { only: Some(targets) });
        }
        plain("EXPUNGE", Kind::Expunge { only: None })
    }

    fn append(&mut self) -> Plan {
        let to = self.destination();
        let crowded = self.view.as_ref().is_some_and(|view| view.name == to && view.len() > CROWDED);
        let several = self.has("MULTIAPPEND") && self.rng.percent(20) && !crowded;
        let count = if several { 2 + self.rng.below(3) } else { 1 };
        let mut octets = format!("APPEND {to}").into_bytes();
        let mut mails = Vec::new();
        for _ in 0..count {
            let mail = Mail::of(self.shared.next_token());
            let flags =
                Flags::from_bits(self.rng.next() & self.rng.next() & self.rng.next() & self.rng.next());
            octets.extend_from_slice(
                format!(" {flags} \"{}\" {{{}+}}\r\n", mail.internal_date(), mail.octets.len()).as_bytes(),
            );
            octets.extend_from_slice(&mail.octets);
            mails.push((mail.token, flags));
        }
        Plan { octets, kind: Kind::Append { to, mails } }
    }

    fn status(&mut self) -> Plan {
        let name = if self.rng.percent(50) { self.private.name.clone() } else { "S0".into() };
        let mod_seq = if self.condstore { " HIGHESTMODSEQ" } else { "" };
        let command = format!("STATUS {name} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN{mod_seq})");
        plain(&command, Kind::Status { name })
    }

    fn list(&mut self) -> Plan {
        let pattern = format!("T{}-*", self.number);
        plain(&format!("LIST \"\" {pattern}"), Kind::List { pattern })
    }

    /// Mailboxes come and go: the client's own, and a shared one that others have selected meanwhile.
    fn names(&mut self) -> Plan {
        if self.rng.percent(15) {
            let (from, to) = if self.rng.percent(50) { (SHARED[3], RENAMED) } else { (RENAMED, SHARED[3]) };
            return plain(&format!("RENAME {from} {to}"), Kind::Names { may_fail: true, after: None });
        }
        let mut after = self.names.clone();
        let name = format!("T{}-{}", self.number, self.rng.below(6));
        if !after.contains(&name) {
            after.insert(name.clone());
            return plain(&format!("CREATE {name}"), Kind::Names { may_fail: false, after: Some(after) });
        }
        after.remove(&name);
        let other = format!("T{}-{}", self.number, self.rng.below(6));
        if self.rng.percent(40) && !self.names.contains(&other) {
            after.insert(other.clone());
            return plain(
                &format!("RENAME {name} {other}"),
                Kind::Names { may_fail: false, after: Some(after) },
            );
        }
        plain(&format!("DELETE {name}"), Kind::Names { may_fail: false, after: Some(after) })
    }
}

pub fn plain(command: &str, kind: Kind) -> Plan {
    Plan { octets: command.as_bytes().to_vec(), kind }
}

/// Numbers as a set, ranges where they follow one another.
pub fn set(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 == *number => *to = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let words: Vec<String> = ranges
        .iter()
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}:{to}") })
        .collect();
    words.join(",")
}

/// Never the same for two clients of one run.
pub fn seed_of(seed: u64, number: usize) -> Rng {
    Rng::new(seed.wrapping_mul(1_000_003).wrapping_add(number as u64))
}
