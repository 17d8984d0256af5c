//! An engine of either kind, and how to wait for it.

use std::{
    future::Future,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
};

use tempfile::TempDir;
use yubin_engine::{
    Batch, BlobRef, CommitError, Committed, Engine, Key, Op, Part, Pre, Val, View,
    embedded::{EmbeddedEngine, EmbeddedOptions},
    memory::MemoryEngine,
};

/// A store that can be closed and opened again.
pub enum World {
    Memory(MemoryEngine),
    Embedded(TempDir, EmbeddedEngine),
}

/// Options for tests: small segments, so that they roll over, and no reserve.
pub fn small() -> EmbeddedOptions {
    EmbeddedOptions { segment_octets: 4 << 20, reserve_octets: Some(0), ..EmbeddedOptions::default() }
}

impl World {
    pub fn memory() -> Self {
        Self::Memory(MemoryEngine::new())
    }

    pub fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = EmbeddedEngine::open(folder.path(), small()).unwrap();
        Self::Embedded(folder, engine)
    }

    pub fn engine(&self) -> &dyn Engine {
        match self {
            Self::Memory(engine) => engine,
            Self::Embedded(_, engine) => engine,
        }
    }

    pub fn reopen(self) -> Self {
        match self {
            Self::Memory(engine) => Self::Memory(engine.crash()),
            Self::Embedded(folder, engine) => {
                engine.close();
                drop(engine);
                let engine = EmbeddedEngine::open(folder.path(), small()).unwrap();
                Self::Embedded(folder, engine)
            }
        }
    }
}

/// Waits for a future on this thread.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

pub fn commit(engine: &dyn Engine, batch: Batch) -> Result<Committed, CommitError> {
    wait(engine.commit(batch))
}

pub fn ops(ops: Vec<Op>) -> Batch {
    Batch { ops, ..Batch::default() }
}

pub fn pre(pre: Pre, op: Op) -> Batch {
    Batch { pre: vec![pre], ops: vec![op], ..Batch::default() }
}

pub fn put(key: &str, value: &str) -> Op {
    Op::Put(key.into(), value.into())
}

pub fn view(engine: &dyn Engine) -> Arc<dyn View> {
    wait(engine.view(Part(0))).unwrap()
}

pub fn get(engine: &dyn Engine, key: &str) -> Option<Val> {
    wait(view(engine).get(key.as_bytes())).unwrap()
}

pub fn scan(engine: &dyn Engine, from: &[u8], to: &[u8], reverse: bool, limit: usize) -> Vec<(Key, Val)> {
    wait(view(engine).scan(from, to, reverse, limit)).unwrap()
}

/// The keys of everything, in one string.
pub fn keys(engine: &dyn Engine) -> String {
    scan(engine, b"", b"\xff", false, usize::MAX)
        .iter()
        .map(|(k, _)| String::from_utf8_lossy(k).into_owned())
        .collect()
}

/// Octets that do not compress, and that tell where they are from.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// Octets that compress well.
pub fn text(seed: u64, len: usize) -> Vec<u8> {
    let line = format!("Received: from mx{seed}.example by mail.example with ESMTPS; line {seed}\r\n");
    line.bytes().cycle().take(len).collect()
}

pub fn blob(engine: &dyn Engine, content: &[u8]) -> BlobRef {
    let mut writer = engine.blob_writer();
    for chunk in content.chunks(10_007) {
        writer.write(chunk).unwrap();
    }
    writer.finish().unwrap()
}
