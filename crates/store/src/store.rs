//! The store: opens accounts and keeps the hot ones in memory.

use std::{collections::BTreeSet, sync::Arc};

use event_listener::Event;
use parking_lot::Mutex;
use yubin_base::{AccountId, UnixMs, ports::Random};
use yubin_engine::{BlobRef, CommitError, Engine, Key};

use crate::{
    Account, Recount, Report, Stager, StoreError,
    account::visit_blobs,
    cache::Cache,
    digest::DigestCache,
    limits,
    tables::{self, codec::damaged, message},
};

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

/// What every account of a store shares.
pub(crate) struct Core {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) options: StoreOptions,
    pub(crate) digests: Mutex<DigestCache>,
    /// Accounts whose search index is behind.
    pub(crate) wanted: Wanted,
}

/// Accounts whose search index may have something to do.
#[derive(Default)]
pub(crate) struct Wanted {
    accounts: Mutex<BTreeSet<AccountId>>,
    added: Event,
}

impl Wanted {
    pub(crate) fn add(&self, id: AccountId) {
        if self.accounts.lock().insert(id) {
            self.added.notify(1);
        }
    }
}

/// How much of the store is in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadedAccounts {
    /// Accounts.
    pub accounts: u64,
    /// Octets they take, roughly, as of their last use.
    pub octets: u64,
}

/// Every account's mail on one engine. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) core: Arc<Core>,
    cache: Arc<Mutex<Cache>>,
}

impl Store {
    /// Over an engine.
    pub fn new(engine: Arc<dyn Engine>, random: Arc<dyn Random>, options: StoreOptions) -> Self {
        let core = Core { engine, random, options, digests: Mutex::default(), wanted: Wanted::default() };
        Self { core: Arc::new(core), cache: Arc::default() }
    }

    /// Makes the account's tables: INBOX, Drafts, Sent, Junk, Trash, Archive. Finding them made already is fine.
    pub async fn create_account(&self, id: AccountId, now: UnixMs) -> Result<(), StoreError> {
        for _ in 0..limits::COMMIT_TRIES {
            match Account::create(&self.core, id, now).await {
                // Either was made now by someone else, or perhaps by us: look again.
                Err(StoreError::Commit(CommitError::Conflict(_) | CommitError::Unknown)) => {}
                other => return other,
            }
        }
        Err(CommitError::Unknown.into())
    }

    /// Erases everything of an account. Its sessions find every mailbox gone.
    pub async fn remove_account(&self, id: AccountId) -> Result<(), StoreError> {
        let account = match self.account(id).await {
            Ok(account) => account,
            Err(StoreError::NoAccount) => return Ok(()),
            Err(error) => return Err(error),
        };
        account.erase().await?;
        self.cache.lock().remove(id);
        self.core.digests.lock().forget(id);
        Ok(())
    }

    /// The account, from memory or loaded.
    pub async fn account(&self, id: AccountId) -> Result<Arc<Account>, StoreError> {
        let slot = self.cache.lock().slot(id);
        let load = || async {
            Account::load(self.core.clone(), id).await?.map(Arc::new).ok_or(StoreError::NoAccount)
        };
        match slot.get_or_try_init(load).await {
            Ok(account) => {
                let account = account.clone();
                drop(slot);
                let octets = account.octets();
                let budget = usize::try_from(self.core.options.cache_octets).unwrap_or(usize::MAX);
                self.cache.lock().weigh(id, octets, budget);
                Ok(account)
            }
            Err(error) => {
                self.cache.lock().remove_empty(id, slot);
                Err(error)
            }
        }
    }

    /// Starts to take a message in.
    pub fn stager(&self) -> Stager {
        Stager::new(self.core.engine.blob_writer(), self.core.options.message_octets_max)
    }

    /// Tells whether the disk has room for a message of this size.
    pub fn room_for(&self, octets: u64) -> Result<(), StoreError> {
        self.core.engine.room_for(octets).map_err(StoreError::from)
    }

    /// The settings.
    pub fn options(&self) -> &StoreOptions {
        &self.core.options
    }

    /// fsck, level 1: checks that an account's tables agree; puts right what follows from the rest when `repair`.
    pub async fn verify_account(&self, id: AccountId, repair: bool) -> Result<Report, StoreError> {
        self.account(id).await?.verify(repair).await
    }

    /// Counts an account's messages one by one, without looking at the counts that are kept.
    pub async fn recount(&self, id: AccountId) -> Result<Recount, StoreError> {
        self.account(id).await?.recount().await
    }

    /// Every account that has tables, in no order that means anything.
    pub async fn accounts(&self) -> Result<Vec<AccountId>, StoreError> {
        let mut found = Vec::new();
        for (part, mut from) in tables::parts() {
            let view = self.core.engine.view(part).await?;
            let to = after(&from);
            while let Some((key, _)) = view.scan(&from, &to, false, 1).await?.first() {
                let Some(id) = tables::account_of(key) else { break };
                // What is kept for everybody is kept under an account that nobody has.
                found.extend((id != tables::NOBODY).then_some(id));
                (_, from) = tables::everything(id);
            }
        }
        Ok(found)
    }

    /// Names every blob that an account still needs, for the engine's collection of garbage.
    pub async fn live_blobs(&self, visit: &mut (dyn FnMut(&BlobRef) + Send)) -> Result<(), StoreError> {
        for id in self.accounts().await? {
            let (mut from, to) = message::range(id);
            loop {
                // A snapshot a piece: records never change, and what comes in meanwhile is too young to be collected.
                let view = self.core.engine.view(tables::part(id)).await?;
                let rows = view.scan(&from, &to, false, limits::SCAN_PAIRS).await?;
                for (key, value) in &rows {
                    // One damaged row must stop the collection: what it names is not known.
                    if !visit_blobs(key, value, visit) {
                        return Err(damaged("a message", key));
                    }
                }
                let Some((last, _)) = rows.last().filter(|_| rows.len() >= limits::SCAN_PAIRS) else { break };
                from.clone_from(last);
                from.push(0);
            }
        }
        Ok(())
    }

    /// Waits for an account whose search index has something to do, and takes it off the list. Call [`Account::index_step`] until
    /// there is no more.
    pub async fn next_to_index(&self) -> AccountId {
        loop {
            // First listen, then look: one that comes in between is not missed.
            let listener = self.core.wanted.added.listen();
            if let Some(id) = self.core.wanted.accounts.lock().pop_first() {
                return id;
            }
            listener.await;
        }
    }

    /// Puts an account on that list, as every append does.
    pub fn want_index(&self, id: AccountId) {
        self.core.wanted.add(id);
    }

    /// How much of the store is in memory.
    pub fn loaded(&self) -> LoadedAccounts {
        let (accounts, octets) = self.cache.lock().loaded();
        LoadedAccounts { accounts: accounts as u64, octets: octets as u64 }
    }
}

/// The first key after all that begin with this one.
fn after(prefix: &[u8]) -> Key {
    let mut key = prefix.to_vec();
    while let Some(last) = key.pop() {
        if let Some(next) = last.checked_add(1) {
            key.push(next);
            break;
        }
    }
    key
}
