//! A small world: an engine, a directory over it, hashing that is counted.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use yubin_base::{
    TlsInfo, UnixMs,
    ports::{Offload, Random},
    sasl::SaslContext,
};
use yubin_directory::{Directory, DirectoryOptions, NewAccount, NewDomain, NewPassword};
use yubin_engine::memory::MemoryEngine;

/// Polls until the answer is there. Nothing here waits for the outside world.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("the answer never came");
}

/// Counts up; good enough to be different each time.
pub struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for octet in buffer {
            let n = self.0.fetch_add(1, Ordering::Relaxed);
            *octet = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        }
    }
}

/// Runs jobs at once and counts them; drops them when it is told to stop.
#[derive(Default)]
pub struct CountedJobs {
    pub jobs: AtomicUsize,
    pub stopped: AtomicUsize,
}

impl Offload for CountedJobs {
    fn run(&self, job: Box<dyn FnOnce() + Send>) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        if self.stopped.load(Ordering::Relaxed) == 0 {
            job();
        }
    }
}

pub struct World {
    pub engine: MemoryEngine,
    pub jobs: Arc<CountedJobs>,
    pub directory: Directory,
}

impl World {
    /// Nothing in it.
    pub fn empty() -> Self {
        Self::with(DirectoryOptions::dev())
    }

    pub fn with(options: DirectoryOptions) -> Self {
        let engine = MemoryEngine::new();
        let jobs = Arc::new(CountedJobs::default());
        let directory = open(&engine, options, &jobs, 0);
        Self { engine, jobs, directory }
    }

    /// example.test with ann (id 1, password "pencil") and bob (id 2, "Bleistift").
    pub fn small() -> Self {
        Self::small_with(DirectoryOptions::dev())
    }

    pub fn small_with(options: DirectoryOptions) -> Self {
        let world = Self::with(options);
        now(world.directory.add_domain(NewDomain::named("example.test"))).unwrap();
        world.add("ann@example.test", "pencil");
        world.add("bob@example.test", "Bleistift");
        world
    }

    pub fn add(&self, address: &str, password: &str) {
        let password = NewPassword::Plain(password.into());
        let new = NewAccount { address: address.into(), password, ..NewAccount::default() };
        now(self.directory.add_account(new)).unwrap();
    }

    /// How many jobs the work took.
    pub fn jobs_of<T>(&self, work: impl FnOnce() -> T) -> usize {
        let before = self.jobs.jobs.load(Ordering::Relaxed);
        work();
        self.jobs.jobs.load(Ordering::Relaxed) - before
    }

    /// A second handle over the same engine, as another process has it.
    pub fn another(&self) -> Directory {
        open(&self.engine, DirectoryOptions::dev(), &self.jobs, 1_000_000)
    }
}

fn open(engine: &MemoryEngine, options: DirectoryOptions, jobs: &Arc<CountedJobs>, seed: u64) -> Directory {
    let random = Arc::new(Counting(AtomicU64::new(seed)));
    now(Directory::open(Arc::new(engine.clone()), options, random, jobs.clone())).unwrap()
}

/// Over TLS, with channel binding.
pub fn tls() -> SaslContext {
    let info = TlsInfo { version: "TLSv1.3".into(), exporter: vec![9; 32], ..TlsInfo::default() };
    SaslContext { tls: Some(info), ..plain() }
}

/// Over TLS without channel binding.
pub fn old_tls() -> SaslContext {
    SaslContext { tls: Some(TlsInfo::default()), ..plain() }
}

/// Without TLS.
pub fn plain() -> SaslContext {
    SaslContext {
        service: "imap",
        remote: "192.0.2.1".parse().unwrap(),
        tls: None,
        plaintext_allowed: false,
        now: UnixMs(1_000_000),
    }
}

/// From another place, later.
pub fn at(mut context: SaslContext, remote: &str, ms: u64) -> SaslContext {
    context.remote = remote.parse().unwrap();
    context.now = context.now.plus_ms(ms);
    context
}
