//! The moment a message becomes ours: checks on the whole message, then one transaction, then the answer.
//! RFC 5321 §4.2.5 (responsibility), §6.3 (loops); RFC 2033 §4.2 (one answer per LMTP recipient).

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt, stream};
use yubin_base::{AccountId, Address, TraceId, event};
use yubin_directory::Resolution;
use yubin_engine::{BlobError, CommitError, Committed};
use yubin_smtp::{
    codec::reply::Enhanced,
    envelope::{Envelope, RcptTo},
    server::{Accepted, Delivered, Refusal, Service, SessionFacts},
};
use yubin_store::{Staged, StoreError};

use crate::{
    Delivery, Entry, Findings, Needs, Note, Orders, Origin, QueueError, Recipient, Target, What,
    deliver::Copied,
    events, limits,
    receive::policy::{mailbox_full, refuse, unknown_user},
    tables::entry::{Body, DsnOfMessage},
};

/// Who gets a copy: each account and each outside address once, with the first recipient that led there.
#[derive(Default)]
struct Plan<'a> {
    local: BTreeMap<AccountId, (Address, &'a RcptTo)>,
    remote: BTreeMap<Address, &'a RcptTo>,
}

impl Delivery {
    /// Makes the message ours, or says why not. `Ok` means it is durable.
    pub(super) async fn accept(
        &self,
        session: &SessionFacts,
        envelope: &Envelope,
        id: TraceId,
        staged: Staged,
        findings: Findings,
        needs: Needs,
    ) -> Result<Accepted, Refusal> {
        let message_id = staged.message_id.clone();
        let entry = new_entry(session, envelope, id, &staged, findings, needs);
        let outcome = self.accept_checked(session, envelope, entry, staged, message_id).await;
        match &outcome {
            Ok(_) => event!(
                events::ACCEPTED,
                trace = %id,
                from = %sender_text(envelope),
                recipients = envelope.recipients.len(),
                remote = %session.peer.remote.ip(),
            ),
            Err(refusal) => event!(
                events::REFUSED,
                trace = %id,
                from = %sender_text(envelope),
                remote = %session.peer.remote.ip(),
                reply = refusal.reply().code,
                reason = %refusal.reply().text,
            ),
        }
        outcome
    }

    async fn accept_checked(
        &self,
        session: &SessionFacts,
        envelope: &Envelope,
        entry: Entry,
        staged: Staged,
        message_id: Option<String>,
    ) -> Result<Accepted, Refusal> {
        self.refuse_loops(envelope, &staged)?;
        let id = entry.id;
        let staged = Arc::new(staged);
        let mut notes = accepted_notes(&entry, envelope, message_id);
        if session.service == Service::Lmtp {
            let results = self.deliver_each(envelope, &entry, &staged).await;
            notes.extend(lmtp_notes(&entry, envelope, &results));
            self.0.queue.note(id, &notes);
            return Ok(Accepted { trace_id: id, delivered: Delivered::ToEach(results) });
        }
        let plan = self.plan(envelope)?;
        let only = (plan.local.iter().next(), plan.local.len(), plan.remote.is_empty());
        let by_rules = match only {
            (Some((account, (address, _))), 1, true) if self.has_rules(*account).await => {
                let refusal = self.refusal_by_rules(*account, address, &entry, &staged).await;
                if let Some(reason) = refusal.map_err(|e| store_refusal(&e))? {
                    return Err(refuse(550, Enhanced(5, 7, 1), &reason));
                }
                true
            }
            _ => false,
        };
        let committed = match only {
            // A success that is to be reported goes through the queue, which makes the report with it.
            (Some((account, (address, rcpt))), 1, true)
                if !by_rules && !rcpt.notify.is_some_and(|n| n.success) =>
            {
                let sender = envelope.mail.reverse_path.as_ref();
                let committed = self
                    .append_copy(*account, address, sender, id, &staged, &entry.findings)
                    .await
                    .map_err(|e| store_refusal(&e))?;
                notes.push(Note::new(entry.accepted, What::Delivered, address, "stands in the mailbox"));
                self.0.queue.note(id, &notes);
                committed
            }
            _ => {
                let recipients = plan.into_recipients();
                let queue = &self.0.queue;
                queue.enqueue(entry, &recipients, &staged, &notes).await.map_err(|e| queue_refusal(&e))?
            }
        };
        Ok(promise(committed, id))
    }

    /// RFC 5321 §6.3. Delivered-To tells of the loops that Received fields would find only after fifty rounds.
    fn refuse_loops(&self, envelope: &Envelope, staged: &Staged) -> Result<(), Refusal> {
        if staged.received_fields > limits::RECEIVED_FIELDS {
            return Err(refuse(
                554,
                Enhanced(5, 4, 6),
                "Too many Received fields: the message goes in circles",
            ));
        }
        let been_at = |address: &Address| {
            let text = address.to_string();
            staged.delivered_to.iter().any(|seen| seen.trim().eq_ignore_ascii_case(&text))
        };
        for recipient in &envelope.recipients {
            let reached = match self.resolve(&recipient.forward_path) {
                Resolution::Local { deliveries, .. } => deliveries,
                _ => Vec::new(),
            };
            let named = recipient.forward_path.mailbox();
            if named.is_some_and(been_at) || reached.iter().any(|local| been_at(&local.address)) {
                return Err(refuse(
                    554,
                    Enhanced(5, 4, 6),
                    "The message was delivered to this recipient before: it goes in circles",
                ));
            }
        }
        Ok(())
    }

    fn plan<'a>(&self, envelope: &'a Envelope) -> Result<Plan<'a>, Refusal> {
        let mut plan = Plan::default();
        for rcpt in &envelope.recipients {
            match self.resolve(&rcpt.forward_path) {
                Resolution::Local { deliveries, remote } => {
                    for local in deliveries {
                        plan.local.entry(local.account).or_insert((local.address, rcpt));
                    }
                    for address in remote {
                        plan.remote.entry(address).or_insert(rcpt);
                    }
                }
                Resolution::NotOurs => {
                    if let Some(address) = rcpt.forward_path.mailbox() {
                        plan.remote.entry(address.clone()).or_insert(rcpt);
                    }
                }
                // Removed or disabled since RCPT. The sender repeats the message and is told there.
                Resolution::UnknownUser | Resolution::Disabled | Resolution::TooManyTargets => {
                    return Err(refuse(
                        451,
                        Enhanced(4, 3, 0),
                        "A recipient went away meanwhile; please send the message again",
                    ));
                }
            }
        }
        if plan.local.len() + plan.remote.len() > limits::RECIPIENTS_PER_ENTRY {
            return Err(refuse(452, Enhanced(4, 5, 3), "Too many recipients in one message"));
        }
        Ok(plan)
    }

    /// LMTP: every recipient's copy is stored, or refused, before its answer. Outside targets of aliases go through the queue.
    async fn deliver_each(
        &self,
        envelope: &Envelope,
        entry: &Entry,
        staged: &Arc<Staged>,
    ) -> Vec<Result<(), Refusal>> {
        // Collected first: a closure over borrowed items would not do for a future that moves between threads.
        let deliveries: Vec<_> =
            envelope.recipients.iter().map(|rcpt| self.deliver_one(envelope, rcpt, entry, staged)).collect();
        stream::iter(deliveries).buffered(limits::ENTRIES_AT_ONCE).collect().await
    }

    async fn deliver_one(
        &self,
        envelope: &Envelope,
        rcpt: &RcptTo,
        entry: &Entry,
        staged: &Arc<Staged>,
    ) -> Result<(), Refusal> {
        let Resolution::Local { deliveries, remote } = self.resolve(&rcpt.forward_path) else {
            return Err(unknown_user());
        };
        for local in deliveries {
            let copied = self.deliver_copy(local.account, &local.address, entry, staged).await;
            if let Copied::Refused { reason } = copied.map_err(|e| store_refusal(&e))? {
                return Err(refuse(550, Enhanced(5, 7, 1), &reason));
            }
        }
        if remote.is_empty() {
            return Ok(());
        }
        // One entry for each recipient of the transaction: each has its own id, so that each has its own answer.
        let now = self.0.clock.now();
        let id = TraceId::new(now, self.0.random.u128());
        let recipients: Vec<Recipient> =
            remote.into_iter().map(|address| Recipient::new(Target::Remote { address }, rcpt)).collect();
        let entry = Entry { id, accepted: now, ..entry.clone() };
        let notes = accepted_notes(&entry, envelope, staged.message_id.clone());
        let queued = self.0.queue.enqueue(entry, &recipients, staged, &notes).await;
        queued.map(|_| ()).map_err(|e| queue_refusal(&e))
    }
}

impl Plan<'_> {
    fn into_recipients(self) -> Vec<Recipient> {
        let local = self
            .local
            .into_iter()
            .map(|(account, (address, rcpt))| Recipient::new(Target::Local { account, address }, rcpt));
        let remote =
            self.remote.into_iter().map(|(address, rcpt)| Recipient::new(Target::Remote { address }, rcpt));
        local.chain(remote).collect()
    }
}

fn new_entry(
    session: &SessionFacts,
    envelope: &Envelope,
    id: TraceId,
    staged: &Staged,
    findings: Findings,
    needs: Needs,
) -> Entry {
    Entry {
        id,
        revision: 0,
        accepted: session.now,
        due: None,
        reverse_path: envelope.mail.reverse_path.clone(),
        origin: origin(session),
        size_octets: staged.blob.size_octets,
        body: Body::of(envelope),
        dsn: DsnOfMessage::of(envelope),
        recipients: 0,
        staged_pieces: 0,
        findings,
        needs,
        orders: Orders::default(),
    }
}

/// The first notes of a message's history: from whom and where, and for whom.
fn accepted_notes(entry: &Entry, envelope: &Envelope, message_id: Option<String>) -> Vec<Note> {
    let Origin { service, remote, helo, name, .. } = &entry.origin;
    let sender = entry.reverse_path.as_ref().map(Address::to_string).unwrap_or_default();
    let who = name.as_ref().map(|name| format!(", logged in as {name}")).unwrap_or_default();
    let text = format!("by {service} from {remote} ({helo}){who}, {} octets", entry.size_octets);
    let mut first = Note::new(entry.accepted, What::Accepted, sender, text);
    first.message_id = message_id;
    let recipients = envelope.recipients.iter().take(limits::RECIPIENTS_NOTED);
    let named = recipients.map(|rcpt| Note::new(entry.accepted, What::For, &rcpt.original, ""));
    std::iter::once(first).chain(named).collect()
}

fn lmtp_notes(entry: &Entry, envelope: &Envelope, results: &[Result<(), Refusal>]) -> Vec<Note> {
    let pairs = envelope.recipients.iter().zip(results).take(limits::RECIPIENTS_NOTED);
    pairs
        .map(|(rcpt, result)| match result {
            Ok(()) => Note::new(entry.accepted, What::Delivered, &rcpt.original, "taken"),
            Err(refusal) => {
                Note::new(entry.accepted, What::Failed, &rcpt.original, refusal.reply().text.clone())
            }
        })
        .collect()
}

/// The promise of a 250. Takes the proof that there is something to promise.
fn promise(_proof: Committed, id: TraceId) -> Accepted {
    Accepted { trace_id: id, delivered: Delivered::ToAll }
}

fn origin(session: &SessionFacts) -> Origin {
    let service = match session.service {
        Service::Mx => "smtp",
        Service::Submission => "submission",
        Service::Lmtp => "lmtp",
    };
    Origin {
        service: service.to_owned(),
        remote: session.peer.remote.ip().to_string(),
        helo: session.helo.clone(),
        account: session.authenticated.as_ref().map(|who| who.account.0),
        name: session.authenticated.as_ref().map(|who| who.name.clone()),
    }
}

fn sender_text(envelope: &Envelope) -> String {
    format!("<{}>", envelope.mail.reverse_path.as_ref().map(Address::to_string).unwrap_or_default())
}

/// What the peer is told when the store says no.
pub(super) fn store_refusal(error: &StoreError) -> Refusal {
    match error {
        StoreError::NoAccount => unknown_user(),
        StoreError::OverQuota => mailbox_full(),
        StoreError::Commit(CommitError::Full) | StoreError::Blob(BlobError::Full) => disk_full(),
        StoreError::Limit(_) => refuse(552, Enhanced(5, 3, 4), "The message is larger than we accept"),
        StoreError::Commit(CommitError::ReadOnly) | StoreError::Blob(BlobError::ReadOnly) => {
            refuse(451, Enhanced(4, 3, 0), "Our store takes no mail now; try again later")
        }
        _ => refuse(451, Enhanced(4, 3, 0), "Something failed on our side; try again later"),
    }
}

fn queue_refusal(error: &QueueError) -> Refusal {
    match error {
        QueueError::Commit(CommitError::Full) => disk_full(),
        _ => refuse(451, Enhanced(4, 3, 0), "Something failed on our side; try again later"),
    }
}

fn disk_full() -> Refusal {
    refuse(452, Enhanced(4, 3, 1), "Not enough disk space now; try again later")
}
