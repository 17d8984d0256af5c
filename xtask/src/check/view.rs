//! What one client must see: the mailbox as the server has told it so far (RFC 9051 §7.5, RFC 7162 §3.2.10).
//! Each method takes one thing the server said, and fails when it may not have said it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};

use super::answer::Fetched;
use super::flags::Flags;

/// One message of a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Unknown between EXISTS and the first FETCH of it.
    pub uid: Option<u32>,
    pub flags: Option<Flags>,
    /// Zero: not told.
    pub mod_seq: u64,
}

/// A selected mailbox, as its client sees it.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub name: String,
    pub uid_validity: u32,
    pub read_only: bool,
    pub messages: Vec<Message>,
    /// A HIGHESTMODSEQ from which a later QRESYNC may start. Zero: none.
    pub mod_seq: u64,
    /// Messages that an answer left out: they must be gone when the server next tells what is.
    pub owed: BTreeSet<u32>,
}

/// What a client keeps of a mailbox that it has left.
#[derive(Clone, Debug)]
pub struct Cache {
    pub uid_validity: u32,
    pub mod_seq: u64,
    pub messages: BTreeMap<u32, Message>,
    /// The client told the UIDs it knows: it hears of no others (RFC 7162 §3.2.5.1).
    pub uids_told: bool,
}

impl View {
    pub fn len(&self) -> u32 {
        u32::try_from(self.messages.len()).unwrap_or(u32::MAX)
    }

    pub fn seq_of(&self, uid: u32) -> Option<u32> {
        let at = self.messages.iter().position(|message| message.uid == Some(uid))?;
        u32::try_from(at + 1).ok()
    }

    pub fn at(&self, seq: u32) -> Option<&Message> {
        self.messages.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    pub fn by_uid(&mut self, uid: u32) -> Option<&mut Message> {
        self.messages.iter_mut().find(|message| message.uid == Some(uid))
    }

    pub fn uids(&self) -> impl Iterator<Item = u32> {
        self.messages.iter().filter_map(|message| message.uid)
    }

    pub fn knows_all_uids(&self) -> bool {
        self.messages.iter().all(|message| message.uid.is_some())
    }

    /// `* n EXISTS`: only EXPUNGE and VANISHED make it smaller (RFC 9051 §7.4.1).
    pub fn exists(&mut self, count: u32) -> Result<()> {
        ensure!(count >= self.len(), "EXISTS: {count} after {} without EXPUNGE", self.len());
        self.messages.resize(count as usize, Message::default());
        Ok(())
    }

    /// `* n EXPUNGE`; the UID of what is gone, when it was known.
    pub fn expunge(&mut self, seq: u32) -> Result<Option<u32>> {
        ensure!(self.at(seq).is_some(), "EXPUNGE: {seq} of {} messages", self.len());
        Ok(self.messages.remove(seq as usize - 1).uid)
    }

    /// `* VANISHED uids`: each must be one of the view.
    pub fn vanished(&mut self, uids: &[u32]) -> Result<()> {
        for uid in uids {
            let at = match self.messages.iter().position(|message| message.uid == Some(*uid)) {
                Some(at) => at,
                None => self.unknown_for(*uid).ok_or_else(|| {
                    anyhow::anyhow!("VANISHED: UID {uid} is no message that the client was told of")
                })?,
            };
            self.messages.remove(at);
        }
        Ok(())
    }

    /// A message of unknown UID that may be this one.
    fn unknown_for(&self, uid: u32) -> Option<usize> {
        let after = |message: &&Message| message.uid.is_some_and(|known| known > uid);
        let end = self.messages.iter().position(|message| after(&message)).unwrap_or(self.messages.len());
        let before = self.messages.get(..end)?;
        (before.last()?.uid.is_none()).then(|| end - 1)
    }

    /// `* n FETCH (…)`
    pub fn fetch(&mut self, seq: u32, told: &Fetched) -> Result<()> {
        let count = self.len();
        let Some(message) = self.at(seq).copied() else { bail!("FETCH: {seq} of {count} messages") };
        if let Some(uid) = told.uid {
            ensure!(
                message.uid.is_none_or(|known| known == uid),
                "FETCH: message {seq} was UID {:?} and is UID {uid}",
                message.uid
            );
            let (before, after) = self.messages.split_at(seq as usize - 1);
            let below = before.iter().rev().find_map(|message| message.uid);
            let above = after.iter().skip(1).find_map(|message| message.uid);
            ensure!(
                below.is_none_or(|below| below < uid) && above.is_none_or(|above| uid < above),
                "FETCH: UID {uid} of message {seq} stands between {below:?} and {above:?}"
            );
        }
        if let Some(mod_seq) = told.mod_seq {
            ensure!(
                mod_seq >= message.mod_seq,
                "FETCH: MODSEQ of message {seq} went from {} to {mod_seq}",
                message.mod_seq
            );
        }
        if let Some(message) = self.messages.get_mut(seq as usize - 1) {
            message.uid = told.uid.or(message.uid);
            message.flags = told.flags.or(message.flags);
            message.mod_seq = told.mod_seq.unwrap_or(message.mod_seq);
        }
        Ok(())
    }

    /// An answer left this message out: fair only if it is gone.
    pub fn owe(&mut self, uid: u32) {
        self.owed.insert(uid);
    }

    /// The server has told everything.
    pub fn everything_told(&mut self) -> Result<()> {
        let owed = std::mem::take(&mut self.owed);
        if let Some(uid) = self.uids().find(|uid| owed.contains(uid)) {
            bail!("LEFT OUT: UID {uid} was left out of an answer and is still there");
        }
        Ok(())
    }

    /// What the client may keep, when it knows every message.
    pub fn cache(&self) -> Option<Cache> {
        if !self.knows_all_uids() || self.mod_seq == 0 {
            return None;
        }
        let messages = self.messages.iter().filter_map(|message| Some((message.uid?, *message))).collect();
        Some(Cache { uid_validity: self.uid_validity, mod_seq: self.mod_seq, messages, uids_told: false })
    }
}

impl Cache {
    /// The view after SELECT with QRESYNC: what was kept, less what vanished, with what was fetched (RFC 7162 §3.2.5).
    pub fn resume(
        mut self,
        vanished: &[u32],
        fetched: &[(u32, Fetched)],
        exists: u32,
    ) -> Result<Vec<Message>> {
        for uid in vanished {
            self.messages.remove(uid);
        }
        for (seq, told) in fetched {
            let Some(uid) = told.uid else { bail!("QRESYNC: FETCH {seq} without UID") };
            ensure!(told.mod_seq.is_some(), "QRESYNC: FETCH of UID {uid} without MODSEQ");
            let message = self.messages.entry(uid).or_default();
            message.uid = Some(uid);
            message.flags = told.flags.or(message.flags);
            message.mod_seq = told.mod_seq.unwrap_or(message.mod_seq);
        }
        let mut messages: Vec<Message> = self.messages.into_values().collect();
        if self.uids_told && messages.len() < exists as usize {
            messages.resize(exists as usize, Message::default());
        }
        ensure!(
            messages.len() == exists as usize,
            "QRESYNC: after the changes the client has {} messages and the server says {exists} EXISTS",
            messages.len()
        );
        for (seq, told) in fetched {
            let there = messages.get((*seq as usize).wrapping_sub(1)).and_then(|message| message.uid);
            ensure!(there == told.uid, "QRESYNC: FETCH {seq} tells UID {:?}; there is {there:?}", told.uid);
        }
        Ok(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(uids: &[Option<u32>]) -> View {
        let messages = uids.iter().map(|uid| Message { uid: *uid, ..Message::default() });
        View { messages: messages.collect(), ..View::default() }
    }

    fn told(uid: u32, mod_seq: u64) -> Fetched {
        Fetched { uid: Some(uid), mod_seq: Some(mod_seq), ..Fetched::default() }
    }

    #[test]
    fn what_may_not_be_told_is_found() {
        assert!(view(&[Some(1), Some(2)]).exists(1).is_err());
        assert!(view(&[Some(1)]).expunge(2).is_err());
        assert!(view(&[Some(1)]).expunge(0).is_err());
        assert!(view(&[Some(1), Some(5)]).vanished(&[3]).is_err());
        assert!(view(&[Some(1), Some(5)]).fetch(2, &told(4, 1)).is_err());
        assert!(view(&[Some(3), None, Some(5)]).fetch(2, &told(6, 1)).is_err());
        assert!(view(&[Some(3), None, Some(5)]).fetch(2, &told(4, 1)).is_ok());
        let mut earlier = view(&[Some(1)]);
        assert!(earlier.fetch(1, &told(1, 9)).is_ok());
        assert!(earlier.fetch(1, &told(1, 8)).is_err());
    }

    #[test]
    fn a_message_of_unknown_uid_may_vanish() {
        let mut some = view(&[Some(1), None, None, Some(9)]);
        assert!(some.vanished(&[4]).is_ok());
        assert_eq!(some.len(), 3);
        assert!(some.vanished(&[10]).is_err());
    }

    #[test]
    fn what_an_answer_left_out_must_be_gone() {
        let mut some = view(&[Some(1), Some(2)]);
        some.owe(2);
        assert!(some.clone().everything_told().is_err());
        assert_eq!(some.expunge(2).ok(), Some(Some(2)));
        assert!(some.everything_told().is_ok());
    }

    #[test]
    fn a_client_that_comes_back_has_what_the_server_has() {
        let kept = || {
            let mut some = view(&[Some(1), Some(2), Some(4)]);
            some.mod_seq = 7;
            some.cache().unwrap_or_else(|| panic!("every UID is known"))
        };
        assert!(kept().resume(&[2, 3], &[(3, told(6, 9))], 3).is_ok());
        assert!(kept().resume(&[2], &[], 3).is_err(), "one message too few");
        assert!(kept().resume(&[2], &[(2, told(6, 9))], 3).is_err(), "it stands elsewhere");
    }
}
