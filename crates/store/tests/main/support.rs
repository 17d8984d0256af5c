//! A store to try things on.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use yubin_base::{AccountId, UnixMs, ports::Random};
use yubin_engine::{Engine, memory::MemoryEngine};
use yubin_store::{
    Account, Appended, Flags, MailboxId, MailboxState, NewMessage, Quota, Row, Staged, Store, StoreError,
    StoreOptions,
};

pub const NOW: UnixMs = UnixMs(1_700_000_000_000);
pub const ANN: AccountId = AccountId(1);

/// Randomness from a seed.
pub struct Seeded(Mutex<u64>);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

impl Random for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Runs a future to its end on this thread.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
    panic!("the future never ends");
}

pub type Task<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + 'a>>;

/// Runs several futures at once, polled in turn.
pub fn run_all<T>(futures: Vec<Task<'_, T>>) -> Vec<T> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut futures: Vec<_> = futures.into_iter().map(Some).collect();
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    for _ in 0..1_000_000 {
        for (slot, result) in futures.iter_mut().zip(&mut results) {
            if let Some(future) = slot
                && let Poll::Ready(value) = future.as_mut().poll(&mut cx)
            {
                *result = Some(value);
                *slot = None;
            }
        }
        if results.iter().all(Option::is_some) {
            return results.into_iter().flatten().collect();
        }
    }
    panic!("the futures never end");
}

pub fn options() -> StoreOptions {
    StoreOptions { message_octets_max: 1_000_000, cache_octets: 1 << 24, expunged_keep_s: 3600 }
}

pub fn store_on(engine: &MemoryEngine, seed: u64) -> Store {
    let engine: Arc<dyn Engine> = Arc::new(engine.clone());
    Store::new(engine, Arc::new(Seeded::new(seed)), options())
}

/// A store with ann's account.
pub struct World {
    pub engine: MemoryEngine,
    pub store: Store,
    pub ann: Arc<Account>,
}

pub fn world() -> World {
    let engine = MemoryEngine::new();
    let store = store_on(&engine, 1);
    run(store.create_account(ANN, NOW)).unwrap();
    let ann = run(store.account(ANN)).unwrap();
    World { engine, store, ann }
}

impl World {
    /// Kills the process and starts it again.
    pub fn restart(&mut self) {
        self.engine = self.engine.crash();
        self.store = store_on(&self.engine, 2);
        self.ann = run(self.store.account(ANN)).unwrap();
    }
    pub fn mailbox(&self, name: &str) -> MailboxId {
        self.ann.mailbox_named(name).unwrap_or_else(|| panic!("no {name}")).id
    }
    pub fn known(&self, name: &str) -> Arc<MailboxState> {
        self.ann.mailbox_named(name).unwrap_or_else(|| panic!("no {name}"))
    }
    pub fn opened(&self, name: &str) -> Arc<MailboxState> {
        run(self.ann.open(self.mailbox(name))).unwrap()
    }
    pub fn rows(&self, name: &str) -> Vec<Row> {
        rows(&self.opened(name))
    }
    pub fn stage(&self, text: &str) -> Staged {
        stage(&self.store, text)
    }
    pub fn append(&self, name: &str, text: &str) -> Appended {
        self.try_append(name, vec![message(self.stage(text))], Quota::default()).unwrap().remove(0)
    }
    pub fn append_many(&self, name: &str, count: usize) {
        for n in 0..count {
            self.append(name, &format!("Subject: {n}\r\n\r\nbody {n}\r\n"));
        }
    }
    pub fn try_append(
        &self,
        name: &str,
        messages: Vec<NewMessage>,
        quota: Quota,
    ) -> Result<Vec<Appended>, StoreError> {
        run(self.ann.append(self.mailbox(name), messages, quota, NOW))
    }
}

pub fn rows(mailbox: &MailboxState) -> Vec<Row> {
    mailbox.pages.as_ref().expect("pages are loaded").iter().flat_map(|page| page.rows.clone()).collect()
}

pub fn stage(store: &Store, text: &str) -> Staged {
    let mut stager = store.stager();
    stager.write(text.as_bytes()).unwrap();
    stager.finish().unwrap()
}

pub fn message(staged: Staged) -> NewMessage {
    NewMessage {
        staged: Arc::new(staged),
        prefix: Vec::new(),
        flags: Flags::default(),
        keywords: Vec::new(),
        internal_date: NOW,
        idem: None,
    }
}
