//! Local delivery: a copy into INBOX, exactly once. The append carries a name made of the message's id and the account, and the store
//! answers a repeated name with the first append.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use yubin_base::{AccountId, Address, TraceId, UnixMs, event};
use yubin_engine::{Committed, Idem};
use yubin_smtp::{client::Class, codec::reply::Enhanced};
use yubin_store::{Account, Flags, MailboxState, NewMessage, SpecialUse, Staged, StoreError};

use super::{rules::Copied, settle::Outcome};
use crate::{
    Delivery, Entry, Findings, QueueError, Target, events, limits, queue::Loaded, receive::delivery_fields,
};

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

    /// Delivers an entry to these of its recipients, and writes down what came of it.
    pub(super) async fn deliver_local(
        &self,
        loaded: Loaded,
        numbers: &[usize],
        now: UnixMs,
    ) -> Result<(), QueueError> {
        let id = loaded.entry.id;
        let staged = Arc::new(self.0.queue.staged(&loaded.entry).await?);
        let entry = &loaded.entry;
        let attempts: Vec<_> = numbers
            .iter()
            .filter_map(|number| Some((*number, loaded.recipients.get(*number)?.target.clone())))
            .map(|(number, target)| self.attempt(number, target, entry, &staged))
            .collect();
        let results: Vec<(usize, Result<Copied, StoreError>)> =
            stream::iter(attempts).buffer_unordered(limits::ENTRIES_AT_ONCE).collect().await;
        let outcomes: Vec<Outcome> =
            results.into_iter().map(|(number, result)| outcome(number, result)).collect();
        self.settle(id, &outcomes, now).await
    }
}

impl Delivery {
    async fn attempt(
        &self,
        number: usize,
        target: Target,
        entry: &Entry,
        staged: &Arc<Staged>,
    ) -> (usize, Result<Copied, StoreError>) {
        let outcome = match target {
            Target::Local { account, address } => {
                let copied = self.deliver_copy(account, &address, entry, staged).await;
                copied.map(|copied| self.unless_forged(entry, copied))
            }
            // Those go through their destination.
            Target::Remote { .. } => Err(StoreError::Gone),
        };
        (number, outcome)
    }
}

impl Delivery {
    /// RFC 5429 §2.1.2: a refusal is not sent to an address that may be forged; there the message ends.
    fn unless_forged(&self, entry: &Entry, copied: Copied) -> Copied {
        match copied {
            Copied::Refused { reason } if !self.may_tell(entry) => {
                Copied::Gone { words: format!("refused by a script, and the sender is not told: {reason}") }
            }
            copied => copied,
        }
    }
}

/// Where a copy goes: junk to the mailbox for it, when the account still has one; everything else to INBOX.
pub(super) fn destination(account: &Account, junk: bool) -> Option<Arc<MailboxState>> {
    let for_junk = || {
        let state = account.state();
        let mut all = state.mailboxes.values();
        all.find(|mailbox| mailbox.special_use == Some(SpecialUse::Junk)).cloned()
    };
    junk.then(for_junk).flatten().or_else(|| account.mailbox_named("INBOX"))
}

/// What an append means for the recipient.
fn outcome(number: usize, result: Result<Copied, StoreError>) -> Outcome {
    let (class, enhanced, words) = match result {
        Ok(Copied::Stored { committed: _proof, words }) => (Class::Delivered, Enhanced(2, 0, 0), words),
        Ok(Copied::Gone { words }) => (Class::Delivered, Enhanced(2, 0, 0), words),
        Ok(Copied::Refused { reason }) => (Class::Never, Enhanced(5, 7, 1), reason),
        Err(error @ StoreError::NoAccount) => (Class::Never, Enhanced(5, 1, 1), error.to_string()),
        Err(error @ StoreError::OverQuota) => (Class::Later, Enhanced(4, 2, 2), error.to_string()),
        Err(error) => (Class::Later, Enhanced(4, 3, 0), error.to_string()),
    };
    Outcome {
        number,
        class,
        enhanced: Some(enhanced),
        host: String::new(),
        over: String::new(),
        words,
        is_reply: false,
        in_doubt: false,
        passed_on: false,
        at_once: false,
    }
}

/// The pause after so many attempts: doubles from the first to the last.
pub(super) fn pause_s(attempts: u32) -> u64 {
    let doublings = attempts.saturating_sub(1).min(16);
    (limits::RETRY_FIRST_S << doublings).min(limits::RETRY_LAST_S)
}

/// What a delivery is called: 64 random bits of the message's id, and the account.
pub(super) fn name_of(id: TraceId, account: AccountId) -> Idem {
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
        let class = |error| outcome(0, Err(error)).class;
        assert_eq!(class(StoreError::NoAccount), Class::Never);
        assert_eq!(class(StoreError::OverQuota), Class::Later);
        assert_eq!(class(StoreError::Gone), Class::Later);
    }

    #[test]
    fn names_differ_by_message_and_account() {
        let name = |id, account| name_of(TraceId(id), AccountId(account));
        assert_ne!(name(1, 1), name(1, 2));
        assert_ne!(name(1, 1), name(2, 1));
    }
}
