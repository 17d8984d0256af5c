//! Every UID ever seen, and the message it named: it never names another.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub struct Uids {
    seen: Mutex<BTreeMap<Place, String>>,
    /// The UIDVALIDITY of each account's mailboxes.
    validity: Mutex<BTreeMap<(String, String), u64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    account: String,
    mailbox: String,
    uid_validity: u64,
    uid: u64,
}

impl Uids {
    /// Notes that a UID names a message; a fault when it named another before.
    pub fn note(
        &self,
        account: &str,
        mailbox: &str,
        uid_validity: u64,
        uid: u64,
        tag: &str,
    ) -> Option<String> {
        let place = Place { account: account.into(), mailbox: mailbox.into(), uid_validity, uid };
        let mut seen = lock(&self.seen);
        let before = seen.entry(place.clone()).or_insert_with(|| tag.to_owned());
        (before != tag).then(|| format!("{place:?} was {before} and is {tag}"))
    }

    /// Notes a mailbox's UIDVALIDITY; a fault when it has changed.
    pub fn note_validity(&self, account: &str, mailbox: &str, uid_validity: u64) -> Option<String> {
        let mut validity = lock(&self.validity);
        let before = *validity.entry((account.into(), mailbox.into())).or_insert(uid_validity);
        (before != uid_validity)
            .then(|| format!("UIDVALIDITY of {account} {mailbox} was {before} and is {uid_validity}"))
    }

    /// The highest UID seen in a mailbox.
    pub fn highest(&self, account: &str, mailbox: &str) -> u64 {
        let seen = lock(&self.seen);
        let here = seen.keys().filter(|place| place.account == account && place.mailbox == mailbox);
        here.map(|place| place.uid).max().unwrap_or(0)
    }

    pub fn len(&self) -> usize {
        lock(&self.seen).len()
    }
}

/// A lock that a panicking thread held is still ours to read.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_with_two_meanings_is_a_fault() {
        let uids = Uids::default();
        assert_eq!(uids.note("ann", "INBOX", 1, 7, "a"), None);
        assert_eq!(uids.note("ann", "INBOX", 1, 7, "a"), None);
        assert_eq!(uids.note("ann", "INBOX", 2, 7, "b"), None);
        assert!(uids.note("ann", "INBOX", 1, 7, "b").is_some());
        assert_eq!(uids.note_validity("ann", "INBOX", 1), None);
        assert!(uids.note_validity("ann", "INBOX", 2).is_some());
        assert_eq!(uids.highest("ann", "INBOX"), 7);
    }
}
