//! Carries queue entries on. Each step is named, so that repeating it after a crash finds what it did.
//!
//! [`Delivery::work`] looks at what is due: local copies are delivered there and then ([`local`]); what is for other hosts is handed to the destination's
//! own queue ([`destination`]), where its workers ([`remote`]) take it, so that a slow destination holds up only itself. What came of it is written by
//! [`settle`], with the report to the sender ([`report`]) in the same transaction.

mod destination;
mod local;
mod remote;
mod report;
mod rules;
mod settle;

pub(crate) use rules::Copied;

use std::future::Future;

use futures_util::{StreamExt, stream};
use yubin_base::{TraceId, UnixMs, event};

use crate::{Delivery, QueueError, State, Target, events, limits};

pub use destination::DestinationReadings;
pub(crate) use destination::Destinations;

impl Delivery {
    /// Works on everything that is due now. Tells when there is more to do; none means: only when something new comes.
    pub async fn work(&self, now: UnixMs) -> Option<UnixMs> {
        loop {
            let due = self.0.queue.due(now, limits::ENTRIES_PER_ROUND);
            if due.is_empty() {
                return self.0.queue.next_due();
            }
            let failed: Vec<bool> = stream::iter(due)
                .map(|id| self.work_on(id, now))
                .buffer_unordered(limits::ENTRIES_AT_ONCE)
                .collect()
                .await;
            if failed.iter().all(|failed| *failed) {
                // The store takes no writes: wait instead of spinning.
                return Some(now.plus_ms(limits::RETRY_FIRST_S * 1_000));
            }
        }
    }

    /// Resolves when something new may be due. Listen before [`Delivery::work`] looks, so that nothing is missed.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.queue.changed()
    }

    /// One entry. Tells whether its outcome could not be written.
    async fn work_on(&self, id: TraceId, now: UnixMs) -> bool {
        match self.take_up(id, now).await {
            Ok(()) => false,
            Err(QueueError::NoEntry) => {
                self.0.queue.set_aside(id, None);
                false
            }
            Err(QueueError::Read(_)) => {
                // Reported where it was found.
                self.0.queue.set_aside(id, None);
                false
            }
            Err(QueueError::Commit(error)) => {
                event!(events::QUEUE_UNAVAILABLE, trace = %id, error = %error);
                true
            }
        }
    }

    /// Delivers what is local, ends what is too old, and hands what is for other hosts to their destinations.
    async fn take_up(&self, id: TraceId, now: UnixMs) -> Result<(), QueueError> {
        let loaded = self.0.queue.load(id).await?;
        let (accepted, sends) = (loaded.entry.accepted, self.0.queue.sends());
        if loaded.entry.orders.held {
            self.0.queue.set_aside(id, None);
            return Ok(());
        }
        let due = |recipient: &crate::Recipient| recipient.due(accepted, sends).is_some_and(|due| due <= now);
        let numbers = |wanted: &dyn Fn(&crate::Recipient) -> bool| -> Vec<usize> {
            let all = loaded.recipients.iter().enumerate();
            all.filter(|(_, r)| due(r) && wanted(r)).map(|(number, _)| number).collect()
        };
        let old = numbers(&|r| matches!(r.state, State::Failed { .. }));
        if !old.is_empty() {
            return self.settle_old_failures(loaded.entry.id, now).await;
        }
        let local = numbers(&|r| matches!(r.target, Target::Local { .. }));
        if !local.is_empty() {
            return self.deliver_local(loaded, &local, now).await;
        }
        let ways: Vec<_> =
            loaded.recipients.iter().filter(|r| due(r)).filter_map(|r| self.way(&loaded.entry, r)).collect();
        // Looked at again when the first of those that wait elsewhere is due, or when a destination is done with it.
        let later =
            loaded.recipients.iter().filter_map(|r| r.due(accepted, sends)).filter(|due| *due > now).min();
        self.0.queue.set_aside(id, later);
        self.hand_over(id, ways, now);
        Ok(())
    }
}
