//! What a batch may hold, and the engine's own corner of the key space. No storage here.

use crate::{Batch, CommitError, Idem, Key, Op, Pre, limits};

/// Keys that begin with this octet are the engine's own. Callers never see them, and batches that touch them are refused.
pub(crate) const RESERVED: u8 = 0xff;

/// Refuses what breaks a limit.
pub(crate) fn check(batch: &Batch) -> Result<(), CommitError> {
    let key =
        |key: &Key| !key.is_empty() && key.len() <= limits::KEY_OCTETS && key.first() != Some(&RESERVED);
    let mut octets = 0usize;
    for pre in &batch.pre {
        octets += match pre {
            Pre::Absent(k) | Pre::Version(k, _) if key(k) => k.len(),
            Pre::Equals(k, v) if key(k) && v.len() <= limits::VALUE_OCTETS => k.len() + v.len(),
            _ => return Err(CommitError::TooLarge),
        };
    }
    for op in &batch.ops {
        octets += match op {
            Op::Put(k, v) if key(k) && v.len() <= limits::VALUE_OCTETS => k.len() + v.len(),
            Op::Del(k) | Op::Add(k, _) if key(k) => k.len(),
            Op::DelRange(from, to) if from.len() <= limits::KEY_OCTETS && to.len() <= limits::KEY_OCTETS => {
                from.len() + to.len()
            }
            _ => return Err(CommitError::TooLarge),
        };
    }
    let short = batch.ops.len() <= limits::BATCH_OPS && batch.pre.len() <= limits::BATCH_OPS;
    if short && octets <= limits::BATCH_OCTETS { Ok(()) } else { Err(CommitError::TooLarge) }
}

/// A range without the engine's own keys.
pub(crate) fn clip<'a>(from: &'a [u8], to: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    (from, to.min(&[RESERVED]))
}

/// Whether the first 8 octets are this number.
pub(crate) fn has_version(value: &[u8], version: u64) -> bool {
    value.first_chunk::<8>().is_some_and(|b| u64::from_be_bytes(*b) == version)
}

/// A counter after adding to it. What is no counter counts as zero; it stops at the ends of its range.
pub(crate) fn added(old: Option<&[u8]>, by: i64) -> [u8; 8] {
    let old = old.and_then(|v| v.try_into().ok()).map_or(0, i64::from_be_bytes);
    old.saturating_add(by).to_be_bytes()
}

/// Where a batch's `idem` is kept: its value is the version the batch got.
pub(crate) fn idem_key(idem: &Idem) -> Key {
    [&[RESERVED, b'i'], &idem[..]].concat()
}

/// Where the `idem` of the batch with this version is kept, so that the oldest can be forgotten first.
pub(crate) fn idem_order_key(version: u64) -> Key {
    [&[RESERVED, b'q'], &version.to_be_bytes()[..]].concat()
}

/// All of [`idem_order_key`].
pub(crate) const IDEM_ORDER: (&[u8], &[u8]) = (&[RESERVED, b'q'], &[RESERVED, b'r']);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_and_stop_at_their_ends() {
        assert_eq!(added(None, 5), 5i64.to_be_bytes());
        assert_eq!(added(Some(&5i64.to_be_bytes()), -7), (-2i64).to_be_bytes());
        assert_eq!(added(Some(b"text"), 1), 1i64.to_be_bytes());
        assert_eq!(added(Some(&i64::MAX.to_be_bytes()), 1), i64::MAX.to_be_bytes());
    }

    #[test]
    fn ranges_leave_out_the_engines_own_keys() {
        assert_eq!(clip(b"a", &[0xff, 0xff]), (&b"a"[..], &[0xff][..]));
        assert_eq!(clip(b"a", b"b"), (&b"a"[..], &b"b"[..]));
    }
}
