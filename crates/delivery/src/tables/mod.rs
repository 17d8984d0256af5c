//! The queue's tables: the only place that knows their key and value octets.
//!
//! | key | value |
//! |---|---|
//! | `q` shard `m` id | the entry: revision u64, version, envelope |
//! | `q` shard `s` id piece | the parsed message, in pieces |
//! | `q` shard `r` id number | one recipient and its state |
//! | `q` shard `d` due id | the index of what is due; empty |
//!
//! A shard is `id mod 64`, so that a later version can give shards to machines.

pub mod entry;
pub mod recipient;

use yubin_base::{TraceId, UnixMs};
use yubin_engine::{Key, Part};

/// The engine's parts of the queue begin here; account parts lie below.
const PART_BASE: u32 = 0x1_0000;
/// Shards of the queue.
pub const SHARDS: u16 = 64;

/// An entry's shard.
pub fn shard(id: TraceId) -> u16 {
    (id.0 % u128::from(SHARDS)) as u16
}

/// The engine's part of a shard.
pub fn part(shard: u16) -> Part {
    Part(PART_BASE + u32::from(shard))
}

fn key(shard: u16, kind: u8, rest: &[&[u8]]) -> Key {
    let mut key = vec![b'q'];
    key.extend_from_slice(&shard.to_be_bytes());
    key.push(kind);
    for piece in rest {
        key.extend_from_slice(piece);
    }
    key
}

/// The entry's own row.
pub fn entry_key(id: TraceId) -> Key {
    key(shard(id), b'm', &[&id.0.to_be_bytes()])
}

/// One piece of the parsed message.
pub fn staged_key(id: TraceId, piece: u16) -> Key {
    key(shard(id), b's', &[&id.0.to_be_bytes(), &piece.to_be_bytes()])
}

/// One recipient.
pub fn recipient_key(id: TraceId, number: u32) -> Key {
    key(shard(id), b'r', &[&id.0.to_be_bytes(), &number.to_be_bytes()])
}

/// The entry in the index of what is due.
pub fn due_key(due: UnixMs, id: TraceId) -> Key {
    key(shard(id), b'd', &[&due.0.to_be_bytes(), &id.0.to_be_bytes()])
}

/// The range of every row of one kind that belongs to an entry.
pub fn entry_range(id: TraceId, kind: u8) -> (Key, Key) {
    let from = key(shard(id), kind, &[&id.0.to_be_bytes()]);
    let to = key(shard(id), kind, &[&id.0.to_be_bytes(), &[0xff; 5]]);
    (from, to)
}

/// The range of every entry of a shard, after `after` if given.
pub fn entries_range(shard: u16, after: Option<TraceId>) -> (Key, Key) {
    let from = match after {
        Some(id) => key(shard, b'm', &[&id.0.to_be_bytes(), &[0]]),
        None => key(shard, b'm', &[]),
    };
    (from, key(shard, b'm' + 1, &[]))
}

/// The range of a shard's index of what is due, after `after` if given.
pub fn due_range(shard: u16, after: Option<(UnixMs, TraceId)>) -> (Key, Key) {
    let from = match after {
        Some((due, id)) => key(shard, b'd', &[&due.0.to_be_bytes(), &id.0.to_be_bytes(), &[0]]),
        None => key(shard, b'd', &[]),
    };
    (from, key(shard, b'd' + 1, &[]))
}

/// Reads a key of the index of what is due.
pub fn parse_due_key(key: &[u8]) -> Option<(UnixMs, TraceId)> {
    let rest = key.get(4..)?;
    let (due, id) = rest.split_first_chunk::<8>()?;
    Some((UnixMs(u64::from_be_bytes(*due)), TraceId(u128::from_be_bytes(id.try_into().ok()?))))
}

/// Reads the id of an entry's own key.
pub fn parse_entry_key(key: &[u8]) -> Option<TraceId> {
    Some(TraceId(u128::from_be_bytes(key.get(4..)?.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_and_sort_by_due_time() {
        let id = TraceId(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
        assert_eq!(parse_due_key(&due_key(UnixMs(77), id)), Some((UnixMs(77), id)));
        assert_eq!(parse_entry_key(&entry_key(id)), Some(id));
        assert!(due_key(UnixMs(77), id) < due_key(UnixMs(256), id));
        let (from, to) = entry_range(id, b'r');
        assert!(from < recipient_key(id, 0) && recipient_key(id, u32::MAX) < to);
        assert!(entry_range(TraceId(id.0 + 64), b'r').0 > to);
    }
}
