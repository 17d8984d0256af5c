//! The end of a command: what its answer must have said, and what follows for the client's view.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};

use super::answer::Code;
use super::client::{Client, Heard, Sent};
use super::flags::Flags;
use super::mail::Mail;
use super::plan::{Fetch, Kind, Search, Store};
use super::search::Known;
use super::view::{Message, View};

impl Client<'_> {
    pub fn done(&mut self, sent: Sent, status: &str, code: Option<Code>, heard: Heard) -> Result<()> {
        let name = sent.kind.name();
        ensure!(status != "BAD", "BAD in answer to {name}");
        if status == "NO" && !self.may_refuse(&sent.kind, code.as_ref()) {
            bail!("NO in answer to {name}");
        }
        let ok = status == "OK";
        match &sent.kind {
            Kind::Noop if ok => self.everything_told()?,
            Kind::Select { .. } => self.selected(&sent, ok, &heard)?,
            Kind::Close { unselect } if ok => self.closed(*unselect),
            Kind::Fetch(fetch) if ok => self.fetch_done(fetch, &heard)?,
            Kind::Store(store) => self.store_done(store, ok, code.as_ref(), &heard)?,
            Kind::Search(search) if ok => self.search_done(search, &heard, false)?,
            Kind::Copy { .. } if ok => self.copy_done(&sent, code, &heard)?,
            Kind::Expunge { only } if ok => self.expunge_done(only.as_deref(), &heard)?,
            Kind::Append { .. } if ok => self.append_done(&sent, code)?,
            Kind::Status { name } if ok => self.status_done(name, &sent, &heard)?,
            Kind::Names { after: Some(after), .. } if ok => self.names.clone_from(after),
            Kind::List { pattern } if ok => {
                ensure!(
                    heard.listed == self.names,
                    "LIST: {pattern}: {:?}, and there are {:?}",
                    heard.listed,
                    self.names
                );
            }
            _ => {}
        }
        self.check_private(name)
    }

    /// NO is fair when others may have removed what the command names.
    fn may_refuse(&self, kind: &Kind, code: Option<&Code>) -> bool {
        let modified = code.is_some_and(|code| code.name == "MODIFIED");
        match kind {
            // To where they are already.
            Kind::Copy { moves: true, to, .. } if self.view.as_ref().is_some_and(|view| view.name == *to) => {
                true
            }
            Kind::Fetch(_) | Kind::Store(_) | Kind::Copy { .. } => modified || !self.in_private(),
            Kind::Names { may_fail, .. } => *may_fail,
            Kind::Select { name, .. } => name.starts_with('R'),
            _ => false,
        }
    }

    pub fn in_private(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.name == self.private.name)
    }

    fn everything_told(&mut self) -> Result<()> {
        if let Some(view) = &mut self.view {
            view.everything_told()?;
            if view.name == self.private.name {
                ensure!(
                    view.messages.len() == self.private.expected.len(),
                    "PRIVATE: {} messages after NOOP, and {} are there",
                    view.messages.len(),
                    self.private.expected.len()
                );
            }
        }
        Ok(())
    }

    /// In its own mailbox the client knows every UID and flag.
    fn check_private(&mut self, after: &str) -> Result<()> {
        let Some(view) = self.view.as_ref().filter(|view| view.name == self.private.name) else {
            return Ok(());
        };
        for message in &view.messages {
            let Some(uid) = message.uid else { continue };
            let Some(expected) = self.private.expected.get_mut(&uid) else {
                bail!("PRIVATE: UID {uid} is there after {after}, and nobody put it there");
            };
            match (message.flags, &expected) {
                (Some(flags), Some(known)) => {
                    ensure!(
                        flags == *known,
                        "PRIVATE: after {after}, UID {uid} has {flags}, and {known} was set"
                    );
                }
                (Some(flags), None) => *expected = Some(flags),
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn selected(&mut self, sent: &Sent, ok: bool, heard: &Heard) -> Result<()> {
        let Kind::Select { name, examine, cache } = &sent.kind else { return Ok(()) };
        // A server that does not say CLOSED has closed the old mailbox nevertheless (RFC 9051 §6.3.2).
        let had_view = self.view.is_some();
        self.leave();
        if !ok {
            return Ok(());
        }
        ensure!(!had_view, "SELECT: no CLOSED for the mailbox that was selected before");
        let opening = &heard.opening;
        let exists = opening.exists.context("SELECT: no EXISTS")?;
        let uid_validity = opening.uid_validity.context("SELECT: no UIDVALIDITY")?;
        let uid_next = opening.uid_next.context("SELECT: no UIDNEXT")?;
        ensure!(opening.flags, "SELECT: no FLAGS");
        let mod_seq = opening.mod_seq.unwrap_or(0);
        ensure!(mod_seq > 0 || !self.condstore, "SELECT: no HIGHESTMODSEQ");
        if let Some(mark) = sent.marks.get(&uid_validity) {
            ensure!(
                uid_next > u64::from(mark.uid_max),
                "UIDNEXT: {uid_next} after UID {} was given",
                mark.uid_max
            );
            ensure!(
                mod_seq == 0 || mod_seq >= mark.mod_seq_max,
                "HIGHESTMODSEQ: {mod_seq} after {} was seen",
                mark.mod_seq_max
            );
        }
        if *name == self.private.name {
            ensure!(
                self.private.uid_validity == 0 || self.private.uid_validity == uid_validity,
                "UIDVALIDITY: {} became {uid_validity}",
                self.private.uid_validity
            );
            self.private.uid_validity = uid_validity;
        }
        let messages = match cache.clone().filter(|cache| cache.uid_validity == uid_validity) {
            Some(cache) => {
                self.shared.count("came back with QRESYNC");
                cache.resume(&opening.vanished, &opening.fetched, exists)?
            }
            None => {
                // What was selected is another mailbox than the one whose cache was told, or none was.
                vec![Message::default(); exists as usize]
            }
        };
        for (_, told) in &opening.fetched {
            if let Some(uid) = told.uid {
                self.facts(uid_validity, uid, told)?;
            }
        }
        self.view = Some(View {
            name: name.clone(),
            uid_validity,
            read_only: *examine,
            messages,
            mod_seq,
            ..View::default()
        });
        Ok(())
    }

    fn closed(&mut self, unselect: bool) {
        let Some(view) = &self.view else { return };
        if !unselect && !view.read_only && self.in_private() {
            // RFC 9051 §6.4.1: CLOSE removes what is marked.
            self.private.expected.retain(|_, flags| flags.is_some_and(|flags| !flags.has(Flags::DELETED)));
            self.caches.remove(&self.private.name);
            self.view = None;
            return;
        }
        self.leave();
    }

    fn fetch_done(&mut self, fetch: &Fetch, heard: &Heard) -> Result<()> {
        let private = self.in_private();
        let Some(view) = &mut self.view else { return Ok(()) };
        for uid in fetch.targets.iter().filter(|uid| !heard.fetched.contains(uid)) {
            if view.seq_of(*uid).is_some() {
                ensure!(!private, "LEFT OUT: FETCH did not tell what it was asked of UID {uid}");
                view.owe(*uid);
            }
        }
        if fetch.saved
            && let Some(saved) = &self.saved
        {
            let fetched = &heard.fetched;
            ensure!(fetched == saved, "SEARCHRES: $ was {fetched:?}, and {saved:?} matched");
        }
        if private && fetch.sees && !view.read_only {
            for uid in &heard.fetched {
                if let Some(Some(flags)) = self.private.expected.get_mut(uid) {
                    *flags = flags.with(Flags::SEEN);
                }
            }
        }
        Ok(())
    }

    fn store_done(&mut self, store: &Store, ok: bool, code: Option<&Code>, heard: &Heard) -> Result<()> {
        let private = self.in_private();
        let Some(view) = &mut self.view else { return Ok(()) };
        let failed =
            code.filter(|code| code.name == "MODIFIED").map(|code| code.set(0).context("MODIFIED: no set"));
        let failed: BTreeSet<u32> = match failed.transpose()? {
            Some(uids) if store.uid => uids.into_iter().collect(),
            Some(seqs) => seqs.iter().filter_map(|seq| view.at(*seq)?.uid).collect(),
            None => BTreeSet::new(),
        };
        ensure!(failed.is_empty() || store.unchanged_since.is_some(), "MODIFIED without UNCHANGEDSINCE");
        for uid in &store.targets {
            let Some(message) = view.by_uid(*uid) else { continue };
            let done = ok && !failed.contains(uid) || !failed.is_empty() && !failed.contains(uid);
            if private
                && let Some(limit) = store.unchanged_since
                && message.mod_seq > 0
                && !store.silent
            {
                // After the answer its modseq is above the limit either way; only a failed one had it before.
                ensure!(
                    done || message.mod_seq > limit,
                    "MODIFIED: UID {uid} at modseq {} failed UNCHANGEDSINCE {limit}",
                    message.mod_seq
                );
            }
            let change = |flags: Flags| match store.sign {
                "+" => flags.with(store.flags),
                "-" => flags.without(store.flags),
                _ => store.flags,
            };
            if private
                && done
                && let Some(expected) = self.private.expected.get_mut(uid)
            {
                *expected = expected.map(change).or((store.sign.is_empty()).then_some(store.flags));
            }
            if store.silent && done {
                let told = heard.flags_told.contains(uid);
                message.flags = match (told, private) {
                    (false, _) => message.flags.map(change),
                    (true, true) => message.flags,
                    // Told in the middle of it: before or after the change, nobody can say.
                    (true, false) => None,
                };
            } else if !store.silent && done && !heard.flags_told.contains(uid) {
                // What is as it was need not be told (RFC 9051 §6.4.6: "normally").
                let as_before = message.flags.is_some_and(|flags| change(flags) == flags);
                if !as_before {
                    ensure!(!private, "STORE: no FETCH for UID {uid}");
                    view.owe(*uid);
                }
            }
            if !ok && failed.is_empty() {
                // Which of them were changed, it does not say.
                if let Some(message) = view.by_uid(*uid) {
                    message.flags = None;
                }
            }
        }
        Ok(())
    }

    /// The messages that SEARCH found against those that it should find.
    pub fn search_done(&mut self, search: &Search, heard: &Heard, settled: bool) -> Result<()> {
        let private = self.in_private();
        let Some(view) = &mut self.view else { return Ok(()) };
        let found: Option<Vec<u32>> = match (&heard.numbers, &heard.esearch) {
            (Some(numbers), _) => Some(numbers.clone()),
            (None, Some(esearch)) if search.returns.is_empty() => {
                Some(esearch.all.clone().unwrap_or_default())
            }
            (None, Some(esearch)) if search.returns.contains(&"ALL") => {
                Some(esearch.all.clone().unwrap_or_default())
            }
            (None, _) if search.returns == ["SAVE"] => None,
            (None, Some(_)) => None,
            (None, None) => bail!("SEARCH: no answer"),
        };
        let truth = self.shared.truth();
        // What is sure to match, and what may.
        let (mut sure, mut possible) = (Vec::new(), Vec::new());
        for (seq, message) in (1..).zip(&view.messages) {
            let number = if search.uid { message.uid } else { Some(seq) };
            let (Some(uid), Some(number)) = (message.uid, number) else {
                possible.extend(if search.uid { None } else { Some((seq, None)) });
                continue;
            };
            let mail = truth.token(view.uid_validity, uid).map(Mail::of);
            let flags = if private {
                self.private.expected.get(&uid).copied().flatten()
            } else if settled {
                message.flags
            } else {
                None
            };
            match search.key.matches(&Known { uid, mail: mail.as_ref(), flags }) {
                Some(true) => {
                    sure.push((number, uid));
                    possible.push((number, Some(uid)));
                }
                None => possible.push((number, Some(uid))),
                Some(false) => {}
            }
        }
        drop(truth);
        let unknown_uids = !view.knows_all_uids();
        if search.returns == ["SAVE"] {
            let known = private && !unknown_uids && sure.len() == possible.len();
            self.saved = known.then(|| sure.iter().map(|(_, uid)| *uid).collect());
            return Ok(());
        }
        let exact = private || settled;
        if let Some(found) = &found {
            let numbers: BTreeSet<u32> = found.iter().copied().collect();
            ensure!(numbers.len() == found.len(), "SEARCH: a number twice in {found:?}");
            for number in &numbers {
                let fair = possible.iter().any(|(possible, _)| possible == number)
                    // Or it was found and then told to be gone, perhaps before its UID was known.
                    || search.uid
                        && (unknown_uids || heard.unknown_expunged || heard.expunged.contains(number));
                ensure!(fair, "SEARCH: {}: {number} does not match", search.key.text());
            }
            for (number, uid) in sure.iter().filter(|(number, _)| !numbers.contains(number)) {
                ensure!(!exact, "SEARCH: {}: {number} (UID {uid}) was not found", search.key.text());
                view.owe(*uid);
            }
            if let Some(criteria) = search.sort {
                self.check_sort(criteria, found, search.uid)?;
            }
        }
        let Some(esearch) = &heard.esearch else { return Ok(()) };
        ensure!(esearch.uid == search.uid, "ESEARCH: UID is {} in it", esearch.uid);
        if let Some(all) = found.as_ref().filter(|_| search.returns.contains(&"ALL")) {
            let told = |name| search.returns.contains(&name);
            ensure!(
                !told("MIN") || esearch.min == all.iter().min().copied(),
                "ESEARCH: MIN {:?} of {all:?}",
                esearch.min
            );
            ensure!(
                !told("MAX") || esearch.max == all.iter().max().copied(),
                "ESEARCH: MAX {:?} of {all:?}",
                esearch.max
            );
            ensure!(
                !told("COUNT") || esearch.count == Some(all.len() as u64),
                "ESEARCH: COUNT {:?} of {all:?}",
                esearch.count
            );
        }
        if exact && !unknown_uids && sure.len() == possible.len() {
            let numbers: Vec<u32> = sure.iter().map(|(number, _)| *number).collect();
            let text = search.key.text();
            for name in &search.returns {
                let right = match *name {
                    "MIN" => esearch.min == numbers.first().copied(),
                    "MAX" => esearch.max == numbers.last().copied(),
                    "COUNT" => esearch.count == Some(numbers.len() as u64),
                    "ALL" => true,
                    _ => esearch.partial.as_ref().is_some_and(|(range, set)| {
                        range == "1:10" && set.iter().eq(numbers.iter().take(10))
                    }),
                };
                ensure!(right, "ESEARCH: {text}: {name} is wrong in {esearch:?}; {numbers:?} match");
            }
        }
        Ok(())
    }

    /// RFC 5256 §3: ties in the order of the mailbox.
    fn check_sort(&mut self, criteria: &str, found: &[u32], uid: bool) -> Result<()> {
        let Some(view) = &self.view else { return Ok(()) };
        let truth = self.shared.truth();
        let mut keys = Vec::new();
        for number in found {
            let message_uid =
                if uid { Some(*number) } else { view.at(*number).and_then(|message| message.uid) };
            let mail = message_uid.and_then(|uid| truth.token(view.uid_validity, uid)).map(Mail::of);
            let Some(mail) = mail else { return Ok(()) };
            keys.push((
                match criteria {
                    "ARRIVAL" => format!("{:02}", mail.internal_day),
                    "DATE" => format!("{:02}", mail.sent_day),
                    "SUBJECT" => mail.subject.to_ascii_uppercase(),
                    "FROM" => mail.from.split('@').next().unwrap_or_default().to_ascii_uppercase(),
                    "REVERSE SIZE" => format!("{:012}", 1_000_000_000 - mail.size()),
                    _ => format!("{:012}", mail.size()),
                },
                *number,
            ));
        }
        ensure!(keys.is_sorted(), "SORT: {criteria}: out of order: {keys:?}");
        Ok(())
    }

    fn copy_done(&mut self, sent: &Sent, code: Option<Code>, heard: &Heard) -> Result<()> {
        let Kind::Copy { targets, to, moves, .. } = &sent.kind else { return Ok(()) };
        let private = self.in_private();
        let Some(view) = &mut self.view else { return Ok(()) };
        let code = code.filter(|code| code.name == "COPYUID").or_else(|| heard.copy_uid.clone());
        let Some(code) = code else {
            ensure!(!private, "COPYUID: none for messages that are there");
            targets.iter().for_each(|uid| view.owe(*uid));
            return Ok(());
        };
        let uid_validity = u32::try_from(code.number().context("COPYUID: no UIDVALIDITY")?)?;
        let (from, into) = (code.set(1).context("COPYUID: no set")?, code.set(2).context("COPYUID: no set")?);
        ensure!(from.len() == into.len(), "COPYUID: {} messages became {}", from.len(), into.len());
        let mut mark = sent.marks.get(&uid_validity).copied().unwrap_or_default();
        for (old, new) in from.iter().zip(&into) {
            ensure!(targets.contains(old), "COPYUID: UID {old} was not to be copied");
            let mut truth = self.shared.truth();
            if truth.is_doomed(view.uid_validity, *old) {
                truth.doom(uid_validity, [*new]);
            }
            let token = truth.token(view.uid_validity, *old);
            truth.acknowledge(uid_validity, *new, token, mark)?;
            mark.uid_max = *new;
            drop(truth);
            if *to == self.private.name {
                let flags = if private { self.private.expected.get(old).copied().flatten() } else { None };
                self.private.expected.insert(*new, flags);
            }
        }
        for uid in targets.iter().filter(|uid| !from.contains(uid)) {
            ensure!(!private, "COPYUID: UID {uid} is missing");
            view.owe(*uid);
        }
        if *moves {
            if let Some(uid) = from.iter().find(|uid| view.seq_of(**uid).is_some()) {
                bail!("MOVE: UID {uid} was moved away and is still there");
            }
            if private {
                self.private.expected.retain(|uid, _| !from.contains(uid));
            }
        }
        Ok(())
    }

    fn expunge_done(&mut self, only: Option<&[u32]>, heard: &Heard) -> Result<()> {
        if !self.in_private() {
            return Ok(());
        }
        let due: BTreeSet<u32> = self
            .private
            .expected
            .iter()
            .filter(|(uid, _)| only.is_none_or(|only| only.contains(uid)))
            .filter(|(_, flags)| flags.is_some_and(|flags| flags.has(Flags::DELETED)))
            .map(|(uid, _)| *uid)
            .collect();
        let unsure = self.private.expected.values().any(Option::is_none);
        if !unsure && !heard.unknown_expunged {
            ensure!(heard.expunged == due, "EXPUNGE: removed {:?}, and {due:?} were marked", heard.expunged);
        }
        let gone = &heard.expunged;
        self.private.expected.retain(|uid, _| !gone.contains(uid) && !due.contains(uid));
        Ok(())
    }

    fn append_done(&mut self, sent: &Sent, code: Option<Code>) -> Result<()> {
        let Kind::Append { to, mails } = &sent.kind else { return Ok(()) };
        let code = code.filter(|code| code.name == "APPENDUID").context("APPENDUID: none")?;
        let uid_validity = u32::try_from(code.number().context("APPENDUID: no UIDVALIDITY")?)?;
        let uids = code.set(1).context("APPENDUID: no UIDs")?;
        ensure!(uids.len() == mails.len(), "APPENDUID: {} UIDs for {} messages", uids.len(), mails.len());
        let mut mark = sent.marks.get(&uid_validity).copied().unwrap_or_default();
        for (uid, (token, flags)) in uids.iter().zip(mails) {
            let mut truth = self.shared.truth();
            if flags.has(Flags::DELETED) {
                truth.doom(uid_validity, [*uid]);
            }
            truth.acknowledge(uid_validity, *uid, Some(*token), mark)?;
            mark.uid_max = *uid;
            drop(truth);
            if *to == self.private.name {
                self.private.expected.insert(*uid, Some(*flags));
            }
        }
        Ok(())
    }

    fn status_done(&mut self, name: &str, sent: &Sent, heard: &Heard) -> Result<()> {
        let (told, values) = heard.status.as_ref().context("STATUS: no answer")?;
        ensure!(told == name, "STATUS: of {told}, asked of {name}");
        let value = |key: &str| values.get(key).copied();
        let uid_validity = u32::try_from(value("UIDVALIDITY").context("STATUS: no UIDVALIDITY")?)?;
        let mark = sent.marks.get(&uid_validity).copied().unwrap_or_default();
        let uid_next = value("UIDNEXT").context("STATUS: no UIDNEXT")?;
        ensure!(
            uid_next > u64::from(mark.uid_max),
            "UIDNEXT: STATUS says {uid_next} after UID {}",
            mark.uid_max
        );
        let mod_seq = value("HIGHESTMODSEQ").unwrap_or(0);
        ensure!(
            mod_seq == 0 || mod_seq >= mark.mod_seq_max,
            "HIGHESTMODSEQ: STATUS says {mod_seq} after {}",
            mark.mod_seq_max
        );
        if name == self.private.name {
            let expected = &self.private.expected;
            ensure!(
                value("MESSAGES") == Some(expected.len() as u64),
                "STATUS: {values:?}, and {} are there",
                expected.len()
            );
            if expected.values().all(Option::is_some) {
                let unseen = expected.values().flatten().filter(|flags| !flags.has(Flags::SEEN)).count();
                ensure!(
                    value("UNSEEN") == Some(unseen as u64),
                    "STATUS: {values:?}, and {unseen} are unseen"
                );
            }
        }
        Ok(())
    }
}
