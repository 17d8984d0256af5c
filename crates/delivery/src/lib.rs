//! From accepted to delivered: who may send to whom, taking bodies in, the durable queue, local delivery.
//! Never speaks a protocol and never opens a socket. RFC 5321 §4.4 (trace), §6.3 (loops), RFC 2033 (LMTP), RFC 3461 (DSN parameters are kept).
//!
//! One message: [`receive`] judges sender and recipients and streams the body into the store. Mail for one local account goes straight
//! into its mailbox, in one transaction; anything else becomes an entry of the [`queue`], and `250` rests on that. [`deliver`]
//! then carries the entry on, one idempotent step per recipient.

mod deliver;
pub mod events;
pub mod limits;
mod queue;
mod receive;
mod tables;

use std::sync::Arc;

use yubin_base::ports::{Clock, Random};
use yubin_directory::Directory;
use yubin_engine::Engine;
use yubin_store::Store;

pub use queue::{Queue, QueueError, QueueStatus, QueuedMessage};
pub use receive::Spool;
pub use tables::{
    entry::{Entry, Findings, Origin},
    recipient::{Recipient, State, Target},
};

/// Settings. Arrive as values.
#[derive(Clone, Debug)]
pub struct DeliveryOptions {
    /// Our name in Received fields.
    pub hostname: String,
}

/// The whole of it. Cheap to clone.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    store: Store,
    directory: Directory,
    queue: Queue,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    options: DeliveryOptions,
}

impl Delivery {
    /// Over a store and a directory; the queue is kept in `engine`. Reads the queue's index; its length decides how long that takes.
    pub async fn open(
        engine: Arc<dyn Engine>,
        store: Store,
        directory: Directory,
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
        options: DeliveryOptions,
    ) -> Result<Self, QueueError> {
        let queue = Queue::open(engine).await?;
        Ok(Self(Arc::new(Inner { store, directory, queue, random, clock, options })))
    }

    /// The queue, for those who look at it.
    pub fn queue(&self) -> &Queue {
        &self.0.queue
    }
}
