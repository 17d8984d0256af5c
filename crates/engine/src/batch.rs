//! What is committed: expectations and mutations.

use crate::BlobRef;

/// A key: 1 to 511 octets, compared as octets.
pub type Key = Vec<u8>;
/// A value: at most 64 KiB.
pub type Val = Vec<u8>;

/// The unit a transaction cannot cross: a shard of accounts, a shard of the queue, or the global part.
/// Keys say themselves which part they belong to: the same key never occurs in two parts, and one machine needs no wall between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Part(pub u32);

/// One mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sets a value.
    Put(Key, Val),
    /// Removes a key; absent is fine.
    Del(Key),
    /// Removes every key with `from <= key < to`.
    DelRange(Key, Key),
    /// Adds to an i64 counter (8 octets, big-endian; absent is zero). For statistics only.
    Add(Key, i64),
}

/// One expectation. The batch takes effect only if all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pre {
    /// The key does not exist.
    Absent(Key),
    /// The key has exactly this value.
    Equals(Key, Val),
    /// The first 8 octets of the key's value, big-endian, are this number.
    Version(Key, u64),
}

/// When `commit` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// After the flush. The only kind a promise to a peer may rest on.
    #[default]
    Sync,
    /// Ordered and atomic, but may be lost in a crash (as a suffix). Caches, statistics, rewritten index chunks.
    Lazy,
}

/// Names an attempt, so that a repeated attempt after [`CommitError::Unknown`](crate::CommitError::Unknown) finds the first.
/// Remembered at least until [`IDEMS_KEPT`](crate::limits::IDEMS_KEPT) newer ones came.
pub type Idem = [u8; 16];

/// One transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The part it belongs to.
    pub part: Part,
    /// What must hold.
    pub pre: Vec<Pre>,
    /// What changes, in this order.
    pub ops: Vec<Op>,
    /// The blobs that the values name. They are made durable first.
    pub blobs: Vec<BlobRef>,
    /// A batch whose `idem` was committed before has no effect and answers as the first did.
    pub idem: Option<Idem>,
    /// When to answer.
    pub durability: Durability,
}

impl Batch {
    /// Whether it stores less than it removes, as far as one can tell without looking: such batches are taken on a full disk,
    /// or nobody could ever make room.
    pub(crate) fn shrinks(&self) -> bool {
        let dels = self.ops.iter().filter(|op| matches!(op, Op::Del(_) | Op::DelRange(..))).count();
        let stored: usize =
            self.ops.iter().map(|op| if let Op::Put(k, v) = op { k.len() + v.len() } else { 0 }).sum();
        self.blobs.is_empty() && (dels > 0 || stored <= crate::limits::SMALL_BATCH_OCTETS)
    }
}

/// The proof that a batch is durable (for [`Durability::Sync`]). Only this crate can make one; replies that promise
/// durability take one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    pub(crate) version: u64,
    pub(crate) repeated: bool,
}

impl Committed {
    /// The store's version after the commit; grows with each.
    pub fn version(&self) -> u64 {
        self.version
    }
    /// Whether this very batch (by its `idem`) had been committed before, so that this time nothing changed.
    pub fn repeated(&self) -> bool {
        self.repeated
    }
}
