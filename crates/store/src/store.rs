//! The store: opens accounts and keeps the hot ones in memory.

use std::sync::Arc;

use yubin_base::{AccountId, UnixMs, ports::Random};
use yubin_engine::Engine;

use crate::{Account, Stager, StoreError};

/// Settings. Arrive as values.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The most octets of one message.
    pub message_octets_max: u64,
    /// Memory for accounts without sessions, in octets.
    pub cache_octets: u64,
    /// How long the content of expunged messages is kept for sessions that have not heard of it, in seconds.
    pub expunged_keep_s: u64,
}

/// What an account may use. Comes from the directory, as a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Octets; none is unlimited.
    pub octets: Option<u64>,
    /// Messages; none is unlimited.
    pub messages: Option<u64>,
}

/// Every account's mail on one engine. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    // filled in by its owner
}

#[allow(unused_variables, clippy::todo)]
impl Store {
    /// Over an engine.
    pub fn new(engine: Arc<dyn Engine>, random: Arc<dyn Random>, options: StoreOptions) -> Self {
        todo!()
    }
    /// Makes the account's tables: INBOX, Drafts, Sent, Junk, Trash, Archive. Finding them made already is fine.
    pub async fn create_account(&self, id: AccountId, now: UnixMs) -> Result<(), StoreError> {
        todo!()
    }
    /// Erases everything of an account. Its sessions find every mailbox gone.
    pub async fn remove_account(&self, id: AccountId) -> Result<(), StoreError> {
        todo!()
    }
    /// The account, from memory or loaded.
    pub async fn account(&self, id: AccountId) -> Result<Arc<Account>, StoreError> {
        todo!()
    }
    /// Starts to take a message in.
    pub fn stager(&self) -> Stager {
        todo!()
    }
    /// Tells whether the disk has room for a message of this size.
    pub fn room_for(&self, octets: u64) -> Result<(), StoreError> {
        todo!()
    }
    /// The settings.
    pub fn options(&self) -> &StoreOptions {
        todo!()
    }
}
