//! Which thread a message belongs to: the one that knows its Message-ID or one of its references, under the same base
//! subject. Pure. A thread is never changed once set.

use crate::{Staged, limits, tables::thread::Known};

/// A fixed hash of a Message-ID: FNV-1a with a finaliser. A collision puts two messages of one subject into one thread,
/// which References could do as well.
pub(crate) fn hash(id: &str) -> u64 {
    let mut z = 0xcbf2_9ce4_8422_2325u64;
    for octet in id.as_bytes() {
        z = (z ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
    }
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What a message says about its thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clues {
    /// Its own id and those it refers to: its own first, then the nearest.
    pub(crate) ids: Vec<u64>,
    /// Its base subject.
    pub(crate) subject: u32,
}

impl Clues {
    /// From what was read of a message. Of many references the nearest and the first count.
    pub(crate) fn of(staged: &Staged) -> Self {
        let mut ids: Vec<u64> = Vec::new();
        let near = staged.references.iter().rev().take(limits::THREAD_REFERENCES - 2);
        for id in staged.message_id.iter().chain(near).chain(staged.references.first()) {
            let id = hash(id);
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let subject = staged.base_subject.to_lowercase();
        Self { ids, subject: crc32c::crc32c(subject.as_bytes()) }
    }
}

/// The oldest thread among those known under this subject.
pub(crate) fn find<'a>(clues: &Clues, known: impl Iterator<Item = &'a Known>) -> Option<crate::ThreadId> {
    known.filter(|k| k.subject == clues.subject).map(|k| k.thread).min()
}

/// Adds the thread to what is known of an id; false when nothing changes. When full, the oldest gives way.
pub(crate) fn learn(known: &mut Vec<Known>, new: Known) -> bool {
    if known.iter().any(|k| k.subject == new.subject) {
        return false;
    }
    if known.len() >= limits::THREADS_PER_MESSAGE_ID {
        known.remove(0);
    }
    known.push(new);
    true
}
