//! The directory itself: opened once, cloned freely. Reads answer from memory; changes go through the engine first,
//! under one version, and are planned anew when another came first.

use std::sync::Arc;

use async_lock::Mutex;
use futures_channel::oneshot;
use parking_lot::RwLock;
use yubin_base::{
    event,
    ports::{Offload, Random},
};
use yubin_engine::{Batch, CommitError, Durability, Engine, Op, Pre};

use crate::{
    DirectoryError, DirectoryOptions, events, limits, names, password,
    snapshot::{Change, Snapshot},
    tables::{self, meta},
    throttle::Throttle,
    verify::Recent,
};

/// Who: domains, accounts, aliases, credentials, SASL. Cheap to clone; all clones are the same directory.
#[derive(Clone)]
pub struct Directory(pub(crate) Arc<Inner>);

/// What the clones share.
pub(crate) struct Inner {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) options: DirectoryOptions,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) offload: Arc<dyn Offload>,
    /// Replaced or patched after each change; readers take the `Arc` and let go.
    snapshot: RwLock<Arc<Snapshot>>,
    /// One change at a time from this process, so that they do not collide with each other.
    changing: Mutex<()>,
    pub(crate) throttle: parking_lot::Mutex<Throttle>,
    pub(crate) recent: Recent,
}

impl Directory {
    /// Reads the directory; makes an empty one if there is none.
    pub async fn open(
        engine: Arc<dyn Engine>,
        mut options: DirectoryOptions,
        random: Arc<dyn Random>,
        offload: Arc<dyn Offload>,
    ) -> Result<Self, DirectoryError> {
        if !password::usable_cost(options.argon2) {
            return Err(DirectoryError::BadArgon2Cost);
        }
        if let Some(name) = &mut options.default_domain {
            *name = names::domain_a_label(name)?;
        }
        options.scram_iterations =
            options.scram_iterations.clamp(limits::SCRAM_ITERATIONS_MIN, limits::SCRAM_ITERATIONS_MAX);
        let recent = Recent::new(random.as_ref());
        let directory = Self(Arc::new(Inner {
            engine,
            options,
            random,
            offload,
            snapshot: RwLock::new(Arc::new(Snapshot::default())),
            changing: Mutex::new(()),
            throttle: parking_lot::Mutex::new(Throttle::default()),
            recent,
        }));
        directory.reload().await?;
        if directory.snapshot().secret.is_none() {
            let mut octets = [0; 32];
            directory.0.random.fill(&mut octets);
            directory
                .change("directory made", |now| {
                    Ok((if now.secret.is_none() { vec![Change::Secret(octets)] } else { vec![] }, ()))
                })
                .await?;
        }
        let now = directory.snapshot();
        event!(
            events::DIRECTORY_LOADED,
            version = now.version,
            domains = now.domains.len(),
            accounts = now.accounts.len()
        );
        Ok(directory)
    }

    /// The directory as it is now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.read().clone()
    }

    /// Grows with every change. Equal versions mean equal directories.
    pub fn version(&self) -> u64 {
        self.0.snapshot.read().version
    }

    /// Looks whether another process changed the directory, and reads it anew if so.
    pub async fn refresh(&self) -> Result<(), DirectoryError> {
        let view = self.0.engine.view(self.0.options.part).await?;
        let stored = view.get(meta::VERSION_KEY).await?;
        let stored =
            stored.as_deref().and_then(|value| value.first_chunk::<8>()).map(|v| u64::from_be_bytes(*v));
        if stored.unwrap_or(0) != self.version() {
            self.reload().await?;
        }
        Ok(())
    }

    /// Reads everything.
    async fn reload(&self) -> Result<(), DirectoryError> {
        let view = self.0.engine.view(self.0.options.part).await?;
        let mut read = Snapshot { next_account: 1, ..Snapshot::default() };
        let mut from = tables::FIRST.to_vec();
        loop {
            let pairs = view.scan(&from, tables::END, false, limits::SCAN_PAIRS).await?;
            for (key, value) in &pairs {
                read.load(key, value)?;
            }
            match pairs.last() {
                Some((key, _)) if pairs.len() >= limits::SCAN_PAIRS => {
                    from.clone_from(key);
                    from.push(0);
                }
                _ => break,
            }
        }
        read.finish();
        let mut current = self.0.snapshot.write();
        // Two reloads may overtake each other; the later version stays.
        if read.version >= current.version {
            *current = Arc::new(read);
        }
        Ok(())
    }

    /// Makes a change: `plan` looks at the directory as it is and says what to change; called again if another change came first.
    /// No changes, no commit.
    pub(crate) async fn change<T>(
        &self,
        what: &'static str,
        mut plan: impl FnMut(&Snapshot) -> Result<(Vec<Change>, T), DirectoryError> + Send,
    ) -> Result<T, DirectoryError> {
        let _one_at_a_time = self.0.changing.lock().await;
        for _ in 0..limits::CHANGE_ATTEMPTS {
            let now = self.snapshot();
            let (changes, result) = plan(&now)?;
            if changes.is_empty() {
                return Ok(result);
            }
            let version = now.version.saturating_add(1);
            let mut ops = now.ops(&changes)?;
            ops.push(Op::Put(meta::VERSION_KEY.to_vec(), version.to_be_bytes().to_vec()));
            let pre = if now.version == 0 {
                Pre::Absent(meta::VERSION_KEY.to_vec())
            } else {
                Pre::Version(meta::VERSION_KEY.to_vec(), now.version)
            };
            drop(now);
            let batch = Batch {
                part: self.0.options.part,
                pre: vec![pre],
                ops,
                blobs: Vec::new(),
                idem: Some(self.0.random.u128().to_be_bytes()),
                durability: Durability::Sync,
            };
            match self.commit(batch).await {
                Ok(()) => {
                    let mut current = self.0.snapshot.write();
                    // A reload may have seen this change already.
                    if current.version < version {
                        let snapshot = Arc::make_mut(&mut current);
                        snapshot.apply(changes);
                        snapshot.version = version;
                    }
                    drop(current);
                    event!(events::DIRECTORY_CHANGED, what, version);
                    return Ok(result);
                }
                Err(CommitError::Conflict(_)) => self.reload().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(DirectoryError::Busy)
    }

    /// Commits, and asks again when the outcome is unknown: the same `idem` finds the first attempt.
    async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        let mut outcome = self.0.engine.commit(batch.clone()).await;
        for _ in 0..limits::CHANGE_ATTEMPTS {
            if outcome != Err(CommitError::Unknown) {
                break;
            }
            outcome = self.0.engine.commit(batch.clone()).await;
        }
        outcome.map(|_| ())
    }

    /// Runs heavy computing on the offload port; nothing when the port gave it up.
    pub(crate) async fn offload<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.0.offload.run(Box::new(move || {
            // The one who asked may be gone; then nobody needs the answer.
            let _ = answer.send(job());
        }));
        answered.await.ok()
    }
}
