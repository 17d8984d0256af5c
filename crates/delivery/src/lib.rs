//! From accepted to delivered: who may send to whom, taking bodies in, the durable queue, delivery here and to other hosts, reports.
//! Never opens a socket. RFC 5321 §4.4 (trace), §5 (where mail goes), §6.3 (loops), RFC 2033 (LMTP), RFC 3461 and RFC 3464 (reports).
//!
//! One message: [`receive`] judges sender and recipients and streams the body into the store. Mail for one local account goes straight
//! into its mailbox, in one transaction; anything else becomes an entry of the [`queue`], and `250` rests on that. [`deliver`]
//! then carries the entry on, one idempotent step per recipient.

mod deliver;
pub mod events;
pub mod limits;
mod queue;
mod receive;
pub mod remote;
mod tables;

use std::sync::Arc;

use yubin_base::ports::{Clock, Random};
use yubin_directory::Directory;
use yubin_engine::Engine;
use yubin_store::Store;

use remote::{Sending, attempt::Courier};

pub use deliver::DestinationReadings;
pub use queue::{Filter, History, Queue, QueueError, QueueStatus, QueuedMessage, Sought};
pub use receive::{DmarcAction, Judging, SigningKeys, Spool};
pub use tables::{
    entry::{Entry, Findings, Needs, Orders, Origin},
    note::{Note, What},
    recipient::{Recipient, State, Target, Told},
};

/// Settings. Arrive as values.
#[derive(Clone)]
pub struct DeliveryOptions {
    /// Our name in Received fields, greetings and reports.
    pub hostname: String,
    /// What sending to other hosts needs. Without it their mail waits in the queue.
    pub sending: Option<Sending>,
    /// What judging the senders of mail needs. Without it nobody is judged.
    pub judging: Option<Judging>,
    /// Who has the keys that sign what our users send. Without it nothing is signed.
    pub signing: Option<Arc<dyn SigningKeys>>,
}

impl DeliveryOptions {
    /// Mail for other hosts waits, nobody is judged, and nothing is signed.
    pub fn new(hostname: impl Into<String>) -> Self {
        Self { hostname: hostname.into(), sending: None, judging: None, signing: None }
    }
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
    destinations: deliver::Destinations,
    courier: Option<Courier>,
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
        let queue = Queue::open(engine, options.sending.is_some()).await?;
        let courier = options.sending.clone().map(|sending| Courier {
            sending,
            random: random.clone(),
            policies: Arc::default(),
            hostname: options.hostname.clone(),
        });
        let destinations = deliver::Destinations::default();
        let inner = Inner { store, directory, queue, random, clock, options, destinations, courier };
        Ok(Self(Arc::new(inner)))
    }

    /// Destinations and connections of the moment.
    pub fn destinations(&self) -> DestinationReadings {
        self.0.destinations.readings(self.0.clock.now())
    }

    /// Tries destinations again that could not be reached: somebody knows that they can be now.
    pub fn forget_pauses(&self) {
        self.0.destinations.forget_pauses();
    }

    /// The queue, for those who look at it.
    pub fn queue(&self) -> &Queue {
        &self.0.queue
    }
}
