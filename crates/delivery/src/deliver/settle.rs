//! Writes down what came of an attempt: new states, notes, and the report to the sender, in one transaction.
//! RFC 5321 §4.5.4.1 (retries), RFC 3461 §5 (who is told what).

use yubin_base::{TraceId, UnixMs, event};
use yubin_engine::CommitError;
use yubin_formats::report::Action;
use yubin_smtp::{client::Class, codec::reply::Enhanced};

use super::report::Told;
use crate::{
    Delivery, Entry, QueueError, Recipient, State, Target, events, limits,
    queue::Loaded,
    tables::note::{Note, What},
};

/// What came of one recipient.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// The recipient's number.
    pub number: usize,
    /// What it means.
    pub class: Class,
    /// Enhanced code; none when the other server said none.
    pub enhanced: Option<Enhanced>,
    /// The host that said it; empty when it is ours.
    pub host: String,
    /// Address and TLS of the connection, for the history.
    pub over: String,
    /// The reply or our words.
    pub words: String,
    /// Whether they are an SMTP reply.
    pub is_reply: bool,
    /// The message may have arrived all the same.
    pub in_doubt: bool,
    /// What NOTIFY asked was passed on: the next server makes the reports.
    pub passed_on: bool,
    /// Try again at once: nothing is held against the recipient.
    pub at_once: bool,
}

impl Delivery {
    /// Writes outcomes down, however often another change comes first.
    pub(super) async fn settle(
        &self,
        id: TraceId,
        outcomes: &[Outcome],
        now: UnixMs,
    ) -> Result<(), QueueError> {
        let mut tries = 0;
        loop {
            let mut loaded = match self.0.queue.load(id).await {
                Ok(loaded) => loaded,
                // Dropped by an administrator meanwhile.
                Err(QueueError::NoEntry) => return Ok(()),
                Err(error) => return Err(error),
            };
            match self.settle_once(&mut loaded, outcomes, now).await {
                Err(QueueError::Commit(CommitError::Conflict(_))) if tries < limits::CONFLICT_TRIES => {
                    tries += 1
                }
                other => return other,
            }
        }
    }

    async fn settle_once(
        &self,
        loaded: &mut Loaded,
        outcomes: &[Outcome],
        now: UnixMs,
    ) -> Result<(), QueueError> {
        let id = loaded.entry.id;
        let mut changed = Vec::new();
        let mut notes = Vec::new();
        let mut told = Vec::new();
        for outcome in outcomes {
            let Loaded { entry, recipients } = &mut *loaded;
            let Some(recipient) = recipients.get_mut(outcome.number) else { continue };
            if matches!(recipient.state, State::Delivered { .. } | State::Failed { .. }) {
                continue;
            }
            changed.push(outcome.number);
            notes.push(self.apply(entry, recipient, outcome, now));
            told.extend(self.due_to_tell(entry, recipient, outcome, now));
        }
        let report = self.report(&loaded.entry, &loaded.recipients, told, now).await?;
        if let Some(report) = &report {
            let sender = loaded.entry.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
            notes.push(Note::new(now, What::Reported, sender, format!("report {}", report.entry.id)));
        }
        let done = loaded.recipients.iter().all(Recipient::is_finished);
        self.0.queue.update(loaded, &changed, &notes, report.as_ref()).await?;
        for note in &notes {
            log(id, note);
        }
        if done {
            event!(events::DONE, trace = %id);
        }
        Ok(())
    }

    /// The new state of a recipient, and the note about it.
    fn apply(&self, entry: &Entry, recipient: &mut Recipient, outcome: &Outcome, now: UnixMs) -> Note {
        let address = recipient.target.address().to_string();
        let remote = matches!(recipient.target, Target::Remote { .. });
        recipient.told.host.clone_from(&outcome.host);
        let story = |words: &str| match outcome.host.is_empty() {
            true => words.to_owned(),
            false => format!("{}{}: {words}", outcome.host, outcome.over),
        };
        if outcome.at_once {
            recipient.state = State::Deferred { until: now, reason: outcome.words.clone() };
            return Note::new(now, What::Deferred, address, story(&outcome.words));
        }
        recipient.attempts += 1;
        let retry = self.retry_schedule();
        let dies = entry.accepted.plus_ms(retry.lifetime_s * 1_000);
        let (state, what) = match outcome.class {
            Class::Delivered if remote => (State::Delivered { at: now }, What::Sent),
            Class::Delivered => (State::Delivered { at: now }, What::Delivered),
            Class::Later if now < dies => {
                let until = if outcome.in_doubt {
                    now.plus_ms(limits::IN_DOUBT_PAUSE_S * 1_000)
                } else {
                    now.plus_ms(self.pause_ms(recipient.attempts, remote))
                };
                let what = if outcome.in_doubt { What::InDoubt } else { What::Deferred };
                (State::Deferred { until: until.min(dies), reason: outcome.words.clone() }, what)
            }
            Class::Later | Class::Never => {
                (State::Failed { at: now, reason: outcome.words.clone() }, What::Failed)
            }
        };
        recipient.state = state;
        Note::new(now, what, address, story(&outcome.words))
    }

    /// The pause after so many attempts. Remote ones differ a little, so that what failed together is not tried together.
    fn pause_ms(&self, attempts: u32, remote: bool) -> u64 {
        if !remote {
            return super::local::pause_s(attempts) * 1_000;
        }
        let pause = self.retry_schedule().pause_s(attempts) * 1_000;
        pause + self.0.random.u64() % (pause / 8).max(1)
    }

    /// Whether the sender is to be told, and what. Settles the recipient when there is nothing more to tell.
    fn due_to_tell(
        &self,
        entry: &Entry,
        recipient: &mut Recipient,
        outcome: &Outcome,
        now: UnixMs,
    ) -> Option<Told> {
        let notify = recipient.notify();
        let action = match &recipient.state {
            State::Delivered { .. } => {
                let wanted = notify.is_some_and(|notify| notify.success) && !outcome.passed_on;
                let remote = matches!(recipient.target, Target::Remote { .. });
                (wanted && self.may_tell(entry)).then_some(if remote {
                    Action::Relayed
                } else {
                    Action::Delivered
                })
            }
            State::Failed { .. } => {
                if entry.reverse_path.is_none() || notify.is_some_and(|notify| !notify.failure) {
                    // RFC 5321 §6.1: never a report about a report. RFC 3461 §4.1: NEVER is never.
                    recipient.told.settled = true;
                    event!(events::NOT_REPORTED, trace = %entry.id, to = %recipient.target.address(), reason = %outcome.words);
                    None
                } else if self.may_tell(entry) {
                    recipient.told.settled = true;
                    Some(Action::Failed)
                } else {
                    // The sender may be forged: it stays in the queue for the operator to see.
                    None
                }
            }
            State::Deferred { .. } => {
                let warn = self
                    .retry_schedule()
                    .warn_after_s
                    .is_some_and(|after| now.since(entry.accepted) >= after * 1_000);
                let wanted = notify.is_none_or(|notify| notify.delay);
                let due = warn && wanted && !recipient.told.delay && self.may_tell(entry);
                recipient.told.delay |= due;
                due.then_some(Action::Delayed)
            }
            State::Pending | State::WaitingRemote | State::Sending { .. } => None,
        }?;
        Some(Told { outcome: outcome.clone(), action })
    }

    /// Reports go to our own users. A stranger's address may be forged, and a report would be spam to its owner.
    pub(super) fn may_tell(&self, entry: &Entry) -> bool {
        let strangers = self.0.options.sending.as_ref().is_some_and(|s| s.options.report_to_strangers);
        entry.reverse_path.is_some() && (entry.origin.account.is_some() || strangers)
    }

    /// Failures that are nobody's to hear of have been kept long enough.
    pub(super) async fn settle_old_failures(&self, id: TraceId, now: UnixMs) -> Result<(), QueueError> {
        let mut loaded = self.0.queue.load(id).await?;
        let mut changed = Vec::new();
        for (number, recipient) in loaded.recipients.iter_mut().enumerate() {
            let due = recipient.due(loaded.entry.accepted, true).is_some_and(|due| due <= now);
            if due && matches!(recipient.state, State::Failed { .. }) {
                recipient.told.settled = true;
                changed.push(number);
                event!(events::NOT_REPORTED, trace = %id, to = %recipient.target.address(), reason = "kept long enough");
            }
        }
        self.0.queue.update(&mut loaded, &changed, &[], None).await.map(|_| ())
    }

    pub(super) fn retry_schedule(&self) -> crate::remote::RetrySchedule {
        self.0.options.sending.as_ref().map(|sending| sending.options.retry.clone()).unwrap_or_default()
    }
}

fn log(id: TraceId, note: &Note) {
    let (to, said) = (&note.address, &note.text);
    match note.what {
        What::Sent => event!(events::SENT, trace = %id, to = %to, said = %said),
        What::Deferred => event!(events::DEFERRED, trace = %id, to = %to, reason = %said),
        What::InDoubt => event!(events::IN_DOUBT, trace = %id, to = %to, reason = %said),
        What::Failed => event!(events::FAILED, trace = %id, to = %to, reason = %said),
        What::Reported => event!(events::REPORTED, trace = %id, to = %to, report = %said),
        What::Accepted | What::For | What::Delivered | What::Administered => {}
    }
}
