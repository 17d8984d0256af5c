//! Where bytes are kept: ordered keys with transactions, and blobs. Knows how many machines there are, and no mail words.
//!
//! Two implementations: [`memory`] (tests and simulation, with faults from a seed) and [`embedded`] (LMDB and segment files in one folder).
//! One conformance suite (`tests/conformance.rs`) runs against both.

mod batch;
mod blob;
pub mod embedded;
mod error;
pub mod events;
mod keyspace;
pub mod limits;
pub mod memory;
mod place;

pub use batch::{Batch, Committed, Durability, Idem, Key, Op, Part, Pre, Val};
pub use blob::{BlobRef, BlobWriter};
pub use error::{BlobError, CommitError, Health, ReadError};

use std::{ops::Range, sync::Arc};
use yubin_base::Pending;

/// An ordered key-value store with transactions, and a store of blobs beside it. Shaped like FoundationDB: read at a
/// snapshot, commit expectations and mutations together; a conflict is told, not waited out.
pub trait Engine: Send + Sync + 'static {
    /// A consistent snapshot of one part. Cheap. Hold it for at most 5 seconds, and for one piece of work.
    fn view(&self, part: Part) -> Pending<Result<Arc<dyn View>, ReadError>>;

    /// All or nothing, serialisable within the part. Giving up on the answer does not call the batch back. With [`Durability::Sync`] the answer comes after the batch, and every blob it
    /// names, is on disk.
    fn commit(&self, batch: Batch) -> Pending<Result<Committed, CommitError>>;

    /// Several batches in one flush; each succeeds or fails for itself.
    fn commit_many(&self, batches: Vec<Batch>) -> Pending<Vec<Result<Committed, CommitError>>>;

    /// Starts a blob. What was written and never committed is collected as garbage.
    fn blob_writer(&self) -> Box<dyn BlobWriter>;

    /// Reads octets `range` of the blob's content (clipped to its length), checking its checksums.
    fn blob_read(&self, blob: &BlobRef, range: Range<u64>) -> Pending<Result<Vec<u8>, ReadError>>;

    /// Whether the store takes writes, and why not.
    fn health(&self) -> Health;

    /// Tells whether `octets` more can be taken while the reserve stays free. Asked before a message is accepted.
    fn room_for(&self, octets: u64) -> Result<(), CommitError>;
}

/// Reads a whole blob, a frame at a time, and compares it with the hash in its reference: the end-to-end check behind `fsck`.
pub async fn check_blob(engine: &dyn Engine, blob: &BlobRef) -> Result<(), ReadError> {
    let mut hasher = blake3::Hasher::new();
    let mut at = 0;
    while at < blob.size_octets {
        let end = at.saturating_add(limits::BLOB_FRAME_OCTETS as u64).min(blob.size_octets);
        hasher.update(&engine.blob_read(blob, at..end).await?);
        at = end;
    }
    if blob::short_hash(&hasher) == blob.hash {
        Ok(())
    } else {
        Err(ReadError::Corrupt("a blob's content does not match the hash in its reference".into()))
    }
}

/// A snapshot.
pub trait View: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Pending<Result<Option<Val>, ReadError>>;

    /// The values of several keys, in their order.
    fn get_many(&self, keys: &[Key]) -> Pending<Result<Vec<Option<Val>>, ReadError>>;

    /// Up to `limit` pairs with `from <= key < to`, ascending, or descending with `reverse`.
    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        limit: usize,
    ) -> Pending<Result<Vec<(Key, Val)>, ReadError>>;
}
