//! The queue's tables: the only place that knows their key and value octets.
//!
//! | key | value |
//! |---|---|
//! | `q` shard `m` id | the entry: revision u64, version, envelope |
//! | `q` shard `s` id piece | the parsed message, in pieces |
//! | `q` shard `r` id number | one recipient and its state |
//! | `q` shard `d` due id | the index of what is due; empty |
//! | `q` shard `h` id time revision n | one note of a message's history; stays when the entry goes |
//!
//! A shard is `id mod 64`, so that a later version can give shards to machines.

pub mod entry;
pub mod note;
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

/// One note of a message's history.
pub fn note_key(id: TraceId, at: UnixMs, revision: u64, n: u16) -> Key {
    let rest = [&id.0.to_be_bytes()[..], &at.0.to_be_bytes(), &revision.to_be_bytes(), &n.to_be_bytes()];
    key(shard(id), b'h', &rest)
}

/// The range of a message's history.
pub fn notes_range(id: TraceId) -> (Key, Key) {
    let end = key(shard(id), b'h', &[&id.0.to_be_bytes(), &[0xff; 19]]);
    (key(shard(id), b'h', &[&id.0.to_be_bytes()]), end)
}

/// The range of the history of every message of a shard whose id lies in between. Ids sort by the time they were made.
pub fn notes_between(shard: u16, from: u128, to: u128) -> (Key, Key) {
    (key(shard, b'h', &[&from.to_be_bytes()]), key(shard, b'h', &[&to.to_be_bytes()]))
}

/// Reads the id of a note's key.
pub fn parse_note_key(key: &[u8]) -> Option<TraceId> {
    let (id, _) = key.get(4..)?.split_first_chunk::<16>()?;
    Some(TraceId(u128::from_be_bytes(*id)))
}

/// Reads a key of the index of what is due.
#[cfg(test)]
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
