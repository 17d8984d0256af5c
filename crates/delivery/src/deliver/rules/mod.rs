//! A copy for one account, by the account's rules: its active Sieve script decides between acceptance and the mailbox (RFC 5228).
//! Without one, or when it fails, the copy is kept. Repeating it after a crash stores no second copy; an answer or a redirection
//! may go out twice when the process dies between it and the end of the step.

mod answer;
mod scene;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use yubin_base::{AccountId, Address, TraceId, UnixMs, event};
use yubin_directory::Resolution;
use yubin_engine::{Committed, Idem};
use yubin_sieve::{Deed, FileIntoDeed, Outcome};
use yubin_store::{Account, Flags, Keyword, MailboxState, NewMessage, SpecialUse, Staged, StoreError};

use super::local::{destination, name_of};
use crate::{
    Delivery, Entry, Findings, Note, Orders, QueueError, Recipient, State, Target, What, events, limits,
    receive::delivery_fields, tables::entry::DsnOfMessage,
};
use scene::Rules;

/// What came of a copy.
pub(crate) enum Copied {
    /// It stands in a mailbox.
    Stored {
        /// The proof that it is on disk.
        committed: Committed,
        /// Where, for the history.
        words: String,
    },
    /// The rules want no copy kept: it was discarded, or only sent on.
    Gone {
        /// What was done, for the history.
        words: String,
    },
    /// The rules refuse it.
    Refused {
        /// For the sender, in one line.
        reason: String,
    },
}

/// One copy on its way.
struct Copy<'a> {
    account: AccountId,
    open: Arc<Account>,
    recipient: &'a Address,
    entry: &'a Entry,
    now: UnixMs,
}

impl Delivery {
    /// Whether a script runs for the account. Such mail goes through the queue: what its rules do takes several steps.
    pub(crate) async fn has_rules(&self, account: AccountId) -> bool {
        match self.0.store.account(account).await {
            Ok(open) => open.state().active_script.is_some(),
            Err(_) => false,
        }
    }

    /// Why the account's rules would refuse a message, so that the other server is told before the message is ours (RFC 5429 §2.1).
    pub(crate) async fn refusal_by_rules(
        &self,
        account: AccountId,
        recipient: &Address,
        entry: &Entry,
        staged: &Staged,
    ) -> Result<Option<String>, StoreError> {
        let open = self.0.store.account(account).await?;
        let copy = Copy { account, open, recipient, entry, now: self.0.clock.now() };
        let Some(rules) = self.rules_of(&copy).await? else { return Ok(None) };
        let (outcome, _) = self.run_rules(&copy, &rules, staged).await?;
        Ok(outcome.deeds.iter().find_map(|deed| match deed {
            Deed::Reject { reason, .. } => Some(one_line(reason)),
            _ => None,
        }))
    }

    /// Delivers a copy as the account's rules say.
    pub(crate) async fn deliver_copy(
        &self,
        account: AccountId,
        recipient: &Address,
        entry: &Entry,
        staged: &Arc<Staged>,
    ) -> Result<Copied, StoreError> {
        let open = self.0.store.account(account).await?;
        let copy = Copy { account, open, recipient, entry, now: self.0.clock.now() };
        let Some(rules) = self.rules_of(&copy).await? else {
            let sender = entry.reverse_path.as_ref();
            let committed =
                self.append_copy(account, recipient, sender, entry.id, staged, &entry.findings).await?;
            return Ok(Copied::Stored { committed, words: "stands in the mailbox".into() });
        };
        let (outcome, header_octets) = self.run_rules(&copy, &rules, staged).await?;
        if let Some(error) = &outcome.error {
            event!(
                events::RULES_FAILED,
                trace = %entry.id,
                account = %account,
                script = %rules.name,
                line = error.line,
                why = %error.text,
            );
        }
        let edited = match &outcome.header {
            Some(header) => Arc::new(self.restage(staged, header_octets, header).await?),
            None => staged.clone(),
        };
        let copied = self.carry_out(&copy, &rules, &outcome, &edited).await?;
        let remembered: Vec<_> = outcome
            .tracked
            .iter()
            .map(|tracked| (hashed("duplicate", &tracked.id), copy.now.plus_ms(tracked.seconds * 1_000)))
            .collect();
        copy.open.remember(&remembered, copy.now).await?;
        Ok(copied)
    }

    async fn carry_out(
        &self,
        copy: &Copy<'_>,
        rules: &Rules,
        outcome: &Outcome,
        staged: &Arc<Staged>,
    ) -> Result<Copied, StoreError> {
        let mut stored: Option<Committed> = None;
        let mut said: Vec<String> = Vec::new();
        for (number, deed) in outcome.deeds.iter().enumerate() {
            match deed {
                Deed::Keep { flags, .. } => {
                    let mailbox =
                        destination(&copy.open, copy.entry.findings.junk).ok_or(StoreError::NoAccount)?;
                    said.push(format!("stands in {}", mailbox.name));
                    stored = Some(self.store_copy(copy, number, &mailbox, flags, staged).await?);
                }
                Deed::FileInto(file_into) => {
                    let mailbox = self.mailbox_for(copy, file_into).await?;
                    said.push(format!("stands in {}", mailbox.name));
                    stored = Some(self.store_copy(copy, number, &mailbox, &file_into.flags, staged).await?);
                }
                Deed::Redirect { address } => {
                    if self.redirect(copy, number, address, staged).await? {
                        said.push(format!("sent on to {address}"));
                    } else {
                        // Nowhere to send it, or it has been here before: kept rather than lost.
                        let mailbox =
                            destination(&copy.open, copy.entry.findings.junk).ok_or(StoreError::NoAccount)?;
                        said.push(format!("cannot be sent on to {address}; stands in {}", mailbox.name));
                        stored = Some(self.store_copy(copy, number, &mailbox, &[], staged).await?);
                    }
                }
                Deed::Vacation(vacation) => {
                    if self.answer_once(copy, number, rules, vacation, staged).await? {
                        said.push("answered".into());
                    }
                }
                Deed::Reject { reason, .. } => {
                    return Ok(Copied::Refused { reason: one_line(reason) });
                }
            }
        }
        let done = if said.is_empty() { "discarded".to_owned() } else { said.join(", ") };
        let words = format!("{done}, by the script {:?}", rules.name);
        Ok(match stored {
            Some(committed) => Copied::Stored { committed, words },
            None => Copied::Gone { words },
        })
    }

    async fn store_copy(
        &self,
        copy: &Copy<'_>,
        number: usize,
        mailbox: &MailboxState,
        flags: &[String],
        staged: &Arc<Staged>,
    ) -> Result<Committed, StoreError> {
        let Copy { account, open, recipient, entry, now } = copy;
        let mut prefix = delivery_fields(entry.reverse_path.as_ref(), recipient);
        prefix.extend_from_slice(&entry.findings.fields);
        let (flags, keywords) = sorted(flags);
        let message = NewMessage {
            staged: staged.clone(),
            prefix,
            flags,
            keywords,
            internal_date: *now,
            idem: Some(nth_name(entry.id, *account, number)),
        };
        let appended = open.append(mailbox.id, vec![message], self.quota(*account), *now).await?;
        let appended = appended.first().ok_or(StoreError::Gone)?;
        event!(
            events::DELIVERED,
            trace = %entry.id,
            account = %account,
            to = %recipient,
            mailbox = %mailbox.name,
            uid = %appended.uid,
        );
        Ok(appended.committed)
    }

    /// RFC 5228 §4.1, RFC 5490 §3.2, RFC 8579 §4, RFC 9042 §4: by id, by use, by name, made when that is asked for; else where mail goes anyway.
    async fn mailbox_for(
        &self,
        copy: &Copy<'_>,
        file_into: &FileIntoDeed,
    ) -> Result<Arc<MailboxState>, StoreError> {
        let open = &copy.open;
        let state = open.state();
        let takes = |mailbox: &&Arc<MailboxState>| !mailbox.no_select;
        if let Some(id) = &file_into.mailbox_id
            && let Some(found) = state.mailboxes.values().filter(takes).find(|m| scene::mailbox_id(m) == *id)
        {
            return Ok(found.clone());
        }
        if let Some(special_use) = &file_into.special_use
            && let Some(found) =
                state.mailboxes.values().filter(takes).find(|m| scene::has_use(m, special_use))
        {
            return Ok(found.clone());
        }
        if let Some(found) = open.mailbox_named(&file_into.mailbox).filter(|m| takes(&m)) {
            return Ok(found);
        }
        if file_into.create {
            let special_use = file_into.special_use.as_deref().and_then(special_use_named);
            match open.create_mailbox(&file_into.mailbox, special_use, copy.now).await {
                Ok(_) | Err(StoreError::MailboxExists) => {
                    if let Some(made) = open.mailbox_named(&file_into.mailbox).filter(|m| takes(&m)) {
                        return Ok(made);
                    }
                }
                Err(StoreError::BadName(_) | StoreError::Cannot(_) | StoreError::Limit(_)) => {}
                Err(error) => return Err(error),
            }
        }
        destination(open, copy.entry.findings.junk).ok_or(StoreError::NoAccount)
    }

    /// RFC 5228 §4.2. Delivered-To on top tells where a message has been, so that accounts that send on to one another end the round here,
    /// and mail that comes back from outside ends when it is taken. Tells whether it goes.
    async fn redirect(
        &self,
        copy: &Copy<'_>,
        number: usize,
        address: &str,
        staged: &Staged,
    ) -> Result<bool, StoreError> {
        let Some(address) = Address::parse_plain(address) else { return Ok(false) };
        let recipient = copy.recipient.to_string();
        let been_here = staged.delivered_to.iter().any(|seen| seen.eq_ignore_ascii_case(&recipient));
        if been_here || staged.delivered_to.len() >= limits::REDIRECT_HOPS {
            return Ok(false);
        }
        let on_top = format!("Delivered-To: {}\r\n", copy.recipient);
        let staged = self.restage(staged, 0, on_top.as_bytes()).await?;
        let sender = copy.entry.reverse_path.clone();
        let goes = self.enqueue_child(copy, number, sender, &address, staged).await?;
        if goes {
            event!(events::REDIRECTED, trace = %copy.entry.id, account = %copy.account, to = %address);
        }
        Ok(goes)
    }

    /// Puts a message that a rule made into the queue. Its id follows from the message's, so that a repeated step finds it there.
    /// Tells whether the address leads anywhere.
    async fn enqueue_child(
        &self,
        copy: &Copy<'_>,
        number: usize,
        reverse_path: Option<Address>,
        to: &Address,
        staged: Staged,
    ) -> Result<bool, StoreError> {
        let id = TraceId(copy.entry.id.0 ^ u128::from(mixed(copy.account, number + 1)));
        let recipient = |target: Target| Recipient {
            state: match target {
                Target::Local { .. } => State::Pending,
                Target::Remote { .. } => State::WaitingRemote,
            },
            target,
            original: to.to_string(),
            notify: reverse_path.is_none().then_some(0),
            orcpt: None,
            attempts: 0,
            told: crate::Told::default(),
        };
        let recipients: Vec<Recipient> = match self.0.directory.resolve(to) {
            Resolution::Local { deliveries, remote } => deliveries
                .into_iter()
                .map(|local| Target::Local { account: local.account, address: local.address })
                .chain(remote.into_iter().map(|address| Target::Remote { address }))
                .map(recipient)
                .collect(),
            Resolution::NotOurs => vec![recipient(Target::Remote { address: to.clone() })],
            Resolution::UnknownUser | Resolution::Disabled | Resolution::TooManyTargets => return Ok(false),
        };
        let mut origin = copy.entry.origin.clone();
        origin.service = "rules".into();
        let parent = copy.entry;
        let entry = Entry {
            id,
            revision: 0,
            accepted: copy.now,
            due: None,
            reverse_path,
            origin,
            size_octets: staged.blob.size_octets,
            dsn: DsnOfMessage::default(),
            recipients: 0,
            staged_pieces: 0,
            findings: Findings::default(),
            orders: Orders::default(),
            body: parent.body,
            needs: parent.needs.clone(),
        };
        let sender = entry.reverse_path.as_ref().map(Address::to_string).unwrap_or_default();
        let mut first =
            Note::new(copy.now, What::Accepted, sender, format!("made by a rule from {}", parent.id));
        first.message_id.clone_from(&staged.message_id);
        let notes = [first, Note::new(copy.now, What::For, to, "")];
        match self.0.queue.enqueue(entry, &recipients, &staged, &notes).await {
            Ok(_) => Ok(true),
            // It stands there already.
            Err(QueueError::Commit(yubin_engine::CommitError::Conflict(_))) => Ok(true),
            Err(QueueError::Commit(error)) => Err(StoreError::Commit(error)),
            Err(QueueError::Read(error)) => Err(StoreError::Read(error)),
            Err(QueueError::NoEntry) => Err(StoreError::Gone),
        }
    }

    /// A message again, with `front` in the place of its first `skip` octets.
    async fn restage(&self, staged: &Staged, skip: u64, front: &[u8]) -> Result<Staged, StoreError> {
        let mut stager = self.0.store.stager();
        stager.write(front)?;
        let mut at = skip;
        while at < staged.blob.size_octets {
            let piece = self.read_blob(staged, at..at + limits::BODY_PIECE_OCTETS).await?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            stager.write(&piece)?;
        }
        stager.finish()
    }

    async fn read_blob(&self, staged: &Staged, range: std::ops::Range<u64>) -> Result<Vec<u8>, StoreError> {
        self.0.queue.read(&staged.blob, range).await.map_err(|error| match error {
            QueueError::Read(error) => StoreError::Read(error),
            QueueError::Commit(error) => StoreError::Commit(error),
            QueueError::NoEntry => StoreError::Gone,
        })
    }
}

/// System flags and keywords, told apart. What is neither was left out by the interpreter.
fn sorted(flags: &[String]) -> (Flags, Vec<Keyword>) {
    let mut system = Flags::default();
    let mut keywords = Vec::new();
    for flag in flags {
        match flag.to_ascii_lowercase().as_str() {
            "\\seen" => system = system.with(Flags::SEEN),
            "\\answered" => system = system.with(Flags::ANSWERED),
            "\\flagged" => system = system.with(Flags::FLAGGED),
            "\\deleted" => system = system.with(Flags::DELETED),
            "\\draft" => system = system.with(Flags::DRAFT),
            _ => keywords.extend(Keyword::new(flag)),
        }
    }
    (system, keywords)
}

fn special_use_named(name: &str) -> Option<SpecialUse> {
    let all =
        [SpecialUse::Archive, SpecialUse::Drafts, SpecialUse::Junk, SpecialUse::Sent, SpecialUse::Trash];
    all.into_iter().find(|special_use| scene::use_name(*special_use).eq_ignore_ascii_case(name))
}

/// The name of the n-th copy; the first has the name that a copy without rules has.
fn nth_name(id: TraceId, account: AccountId, number: usize) -> Idem {
    let name = u128::from_be_bytes(name_of(id, account));
    let nth = if number == 0 { 0 } else { mixed(account, number) };
    (name ^ u128::from(nth) << 64).to_be_bytes()
}

/// 64 bits that are others for each account and number.
fn mixed(account: AccountId, number: usize) -> u64 {
    let digest = Sha256::digest([account.0.to_be_bytes(), (number as u64).to_be_bytes()].concat());
    digest.first_chunk::<8>().map_or(0, |octets| u64::from_be_bytes(*octets))
}

/// What the store remembers an id by.
fn hashed(kind: &str, id: &str) -> [u8; 16] {
    let digest = Sha256::new().chain_update(kind).chain_update([0]).chain_update(id).finalize();
    digest.first_chunk::<16>().copied().unwrap_or_default()
}

/// A text for a reply: one line, not too long.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let printable: String = line.chars().filter(|c| !c.is_control()).collect();
    let cut = printable.floor_char_boundary(limits::REJECT_REASON_OCTETS);
    printable.get(..cut).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_have_names_of_their_own() {
        let names: std::collections::BTreeSet<Idem> =
            (0..5).flat_map(|n| [1, 2].map(|a| nth_name(TraceId(7), AccountId(a), n))).collect();
        assert_eq!(names.len(), 10);
        assert_eq!(nth_name(TraceId(7), AccountId(1), 0), name_of(TraceId(7), AccountId(1)));
    }

    #[test]
    fn reasons_are_one_line() {
        assert_eq!(one_line("no\r\n250 room\0!"), "no 250 room!");
        assert_eq!(one_line(&"日".repeat(1_000)).len(), limits::REJECT_REASON_OCTETS / 3 * 3);
    }
}
