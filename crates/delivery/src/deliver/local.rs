//! Local delivery: a copy into INBOX, exactly once. The append carries a name made of the message's id and the account, and the store
//! answers a repeated name with the first append.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use yubin_base::{AccountId, Address, TraceId, UnixMs, event};
use yubin_engine::{Committed, Idem};
use yubin_store::{Account, Flags, MailboxState, NewMessage, SpecialUse, Staged, StoreError};

use crate::{Delivery, Findings, QueueError, State, Target, events, limits, receive::delivery_fields};

impl Delivery {
    /// Puts one copy into the account's INBOX, or into its mailbox for junk.
    pub(crate) async fn append_copy(
        &self,
        account: AccountId,
        recipient: &Address,
        sender: Option<&Address>,
        id: TraceId,
        staged: &Arc<Staged>,
        findings: &Findings,
    ) -> Result<Committed, StoreError> {
        let now = self.0.clock.now();
        let open = self.0.store.account(account).await?;
        let mailbox = destination(&open, findings.junk).ok_or(StoreError::NoAccount)?;
        let mut prefix = delivery_fields(sender, recipient);
        prefix.extend_from_slice(&findings.fields);
        let message = NewMessage {
            staged: staged.clone(),
            prefix,
            flags: Flags::default(),
            keywords: Vec::new(),
            internal_date: now,
            idem: Some(name_of(id, account)),
        };
        let appended = open.append(mailbox.id, vec![message], self.quota(account), now).await?;
        let appended = appended.first().ok_or(StoreError::Gone)?;
        event!(
            events::DELIVERED,
            trace = %id,
            account = %account,
            to = %recipient,
            mailbox = %mailbox.name,
            uid = %appended.uid,
        );
        Ok(appended.committed)
    }

    /// Delivers what of an entry is due, and writes down what came of it.
    pub(super) async fn deliver_entry(&self, id: TraceId, now: UnixMs) -> Result<(), QueueError> {
        let mut loaded = self.0.queue.load(id).await?;
        let staged = Arc::new(self.0.queue.staged(&loaded.entry).await?);
        let accepted = loaded.entry.accepted;
        let findings = &loaded.entry.findings.clone();
        let due: Vec<usize> = loaded
            .recipients
            .iter()
            .enumerate()
            .filter(|(_, r)| r.state.due(accepted).is_some_and(|due| due <= now))
            .map(|(number, _)| number)
            .collect();
        let sender = loaded.entry.reverse_path.clone();
        let attempts: Vec<_> = due
            .iter()
            .filter_map(|number| Some((*number, loaded.recipients.get(*number)?.target.clone())))
            .map(|(number, target)| self.attempt(number, target, sender.as_ref(), id, &staged, findings))
            .collect();
        let outcomes: Vec<(usize, Result<Committed, StoreError>)> =
            stream::iter(attempts).buffer_unordered(limits::ENTRIES_AT_ONCE).collect().await;
        for (number, outcome) in outcomes {
            let Some(recipient) = loaded.recipients.get_mut(number) else { continue };
            recipient.attempts += 1;
            recipient.state = after(outcome, recipient.attempts, now);
            match &recipient.state {
                State::Deferred { reason, .. } => {
                    event!(events::DEFERRED, trace = %id, to = %recipient.target.address(), reason = %reason);
                }
                State::Failed { reason, .. } => {
                    event!(events::FAILED, trace = %id, to = %recipient.target.address(), reason = %reason);
                }
                State::Pending | State::WaitingRemote | State::Delivered { .. } => {}
            }
        }
        let all_delivered = loaded.recipients.iter().all(|r| matches!(r.state, State::Delivered { .. }));
        self.0.queue.update(&mut loaded, &due).await?;
        if all_delivered {
            event!(events::DONE, trace = %id);
        }
        Ok(())
    }
}

impl Delivery {
    async fn attempt(
        &self,
        number: usize,
        target: Target,
        sender: Option<&Address>,
        id: TraceId,
        staged: &Arc<Staged>,
        findings: &Findings,
    ) -> (usize, Result<Committed, StoreError>) {
        let outcome = match target {
            Target::Local { account, address } => {
                self.append_copy(account, &address, sender, id, staged, findings).await
            }
            // Remote recipients are never due yet.
            Target::Remote { .. } => Err(StoreError::Gone),
        };
        (number, outcome)
    }
}

/// Where a copy goes: junk to the mailbox for it, when the account still has one; everything else to INBOX.
fn destination(account: &Account, junk: bool) -> Option<Arc<MailboxState>> {
    let for_junk = || {
        let state = account.state();
        let mut all = state.mailboxes.values();
        all.find(|mailbox| mailbox.special_use == Some(SpecialUse::Junk)).cloned()
    };
    junk.then(for_junk).flatten().or_else(|| account.mailbox_named("INBOX"))
}

/// The state after an attempt.
fn after(outcome: Result<Committed, StoreError>, attempts: u32, now: UnixMs) -> State {
    match outcome {
        Ok(_proof) => State::Delivered { at: now },
        Err(error @ StoreError::NoAccount) => State::Failed { at: now, reason: error.to_string() },
        Err(error) => {
            State::Deferred { until: now.plus_ms(pause_s(attempts) * 1_000), reason: error.to_string() }
        }
    }
}

/// The pause after so many attempts: doubles from the first to the last.
fn pause_s(attempts: u32) -> u64 {
    let doublings = attempts.saturating_sub(1).min(16);
    (limits::RETRY_FIRST_S << doublings).min(limits::RETRY_LAST_S)
}

/// What a delivery is called: 64 random bits of the message's id, and the account.
fn name_of(id: TraceId, account: AccountId) -> Idem {
    (u128::from(id.0 as u64) << 64 | u128::from(account.0)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        let pauses: Vec<u64> = [1, 2, 3, 7, 40].map(pause_s).to_vec();
        assert_eq!(pauses, [60, 120, 240, 3_600, 3_600]);
    }

    #[test]
    fn only_a_missing_account_is_final() {
        assert!(matches!(after(Err(StoreError::NoAccount), 1, UnixMs(0)), State::Failed { .. }));
        assert_eq!(
            after(Err(StoreError::OverQuota), 1, UnixMs(0)),
            State::Deferred { until: UnixMs(60_000), reason: "the account is over its quota".into() }
        );
    }

    #[test]
    fn names_differ_by_message_and_account() {
        let name = |id, account| name_of(TraceId(id), AccountId(account));
        assert_ne!(name(1, 1), name(1, 2));
        assert_ne!(name(1, 1), name(2, 1));
    }
}
