//! Carries queue entries on. Each step is named, so that repeating it after a crash finds what it did.

mod local;

use std::future::Future;

use futures_util::{StreamExt, stream};
use yubin_base::{TraceId, UnixMs, event};

use crate::{Delivery, QueueError, events, limits};

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
        match self.deliver_entry(id, now).await {
            Ok(()) | Err(QueueError::NoEntry) => false,
            Err(QueueError::Read(_)) => {
                // Reported where it was found.
                self.0.queue.set_aside(id);
                false
            }
            Err(QueueError::Commit(error)) => {
                event!(events::QUEUE_UNAVAILABLE, trace = %id, error = %error);
                true
            }
        }
    }
}
