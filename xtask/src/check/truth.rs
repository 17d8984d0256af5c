//! What all clients together know for sure: which message a UID means, which were acknowledged, which must be gone.
//! A UID never means two messages, a modseq never two sets of flags, and nothing acknowledged is lost (RFC 9051 §2.3.1.1).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};

use super::flags::Flags;

/// Facts by UIDVALIDITY.
#[derive(Default)]
pub struct Truth {
    mailboxes: BTreeMap<u32, Facts>,
}

/// What is known of one mailbox.
#[derive(Default)]
pub struct Facts {
    /// The message that each UID means.
    tokens: BTreeMap<u32, u64>,
    /// Acknowledged by APPENDUID or COPYUID.
    acknowledged: BTreeSet<u32>,
    /// Somebody may have removed these.
    doomed: BTreeSet<u32>,
    /// Somebody was told that these are gone.
    gone: BTreeSet<u32>,
    uid_max: u32,
    mod_seq_max: u64,
    /// The flags that a message had at a modseq.
    flags: BTreeMap<(u32, u64), Flags>,
}

/// What was known when a command was sent: its answer must not be behind that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    pub uid_max: u32,
    pub mod_seq_max: u64,
}

impl Truth {
    fn of(&mut self, uid_validity: u32) -> &mut Facts {
        self.mailboxes.entry(uid_validity).or_default()
    }

    /// What is known now, by UIDVALIDITY.
    pub fn marks(&self) -> BTreeMap<u32, Mark> {
        let mark = |facts: &Facts| Mark { uid_max: facts.uid_max, mod_seq_max: facts.mod_seq_max };
        self.mailboxes.iter().map(|(uid_validity, facts)| (*uid_validity, mark(facts))).collect()
    }

    pub fn is_doomed(&self, uid_validity: u32, uid: u32) -> bool {
        self.mailboxes.get(&uid_validity).is_some_and(|facts| facts.doomed.contains(&uid))
    }

    pub fn token(&self, uid_validity: u32, uid: u32) -> Option<u64> {
        self.mailboxes.get(&uid_validity)?.tokens.get(&uid).copied()
    }

    /// This UID means this message.
    pub fn identify(&mut self, uid_validity: u32, uid: u32, token: u64) -> Result<()> {
        let facts = self.of(uid_validity);
        let known = *facts.tokens.entry(uid).or_insert(token);
        ensure!(known == token, "IDENTITY: UID {uid} of {uid_validity} was message {known} and is {token}");
        Ok(())
    }

    /// The server acknowledged a new message; its UID must be above every UID acknowledged before the command was sent.
    pub fn acknowledge(&mut self, uid_validity: u32, uid: u32, token: Option<u64>, mark: Mark) -> Result<()> {
        ensure!(
            uid > mark.uid_max,
            "UID ORDER: a new message of {uid_validity} has UID {uid}; {} was given before",
            mark.uid_max
        );
        let facts = self.of(uid_validity);
        facts.uid_max = facts.uid_max.max(uid);
        ensure!(facts.acknowledged.insert(uid), "UID TWICE: UID {uid} of {uid_validity} was given before");
        if let Some(token) = token {
            self.identify(uid_validity, uid, token)?;
        }
        Ok(())
    }

    pub fn flags_at(&mut self, uid_validity: u32, uid: u32, mod_seq: u64, flags: Flags) -> Result<()> {
        let facts = self.of(uid_validity);
        let known = *facts.flags.entry((uid, mod_seq)).or_insert(flags);
        ensure!(
            known == flags,
            "MODSEQ: UID {uid} of {uid_validity} at modseq {mod_seq} had {known} and has {flags}"
        );
        Ok(())
    }

    pub fn mod_seq_seen(&mut self, uid_validity: u32, mod_seq: u64) {
        let facts = self.of(uid_validity);
        facts.mod_seq_max = facts.mod_seq_max.max(mod_seq);
    }

    /// Somebody is about to do what may remove these.
    pub fn doom(&mut self, uid_validity: u32, uids: impl IntoIterator<Item = u32>) {
        self.of(uid_validity).doomed.extend(uids);
    }

    pub fn gone(&mut self, uid_validity: u32, uids: impl IntoIterator<Item = u32>) -> Result<()> {
        let facts = self.of(uid_validity);
        for uid in uids {
            ensure!(
                facts.doomed.contains(&uid) || !facts.acknowledged.contains(&uid),
                "LOST: UID {uid} of {uid_validity} is told to be gone and nobody removed it"
            );
            facts.gone.insert(uid);
        }
        Ok(())
    }

    /// Compares with what a new session sees while all others are silent.
    pub fn compare(
        &mut self,
        uid_validity: u32,
        there: &BTreeSet<u32>,
        uid_next: u64,
        mod_seq: u64,
    ) -> Vec<String> {
        let facts = self.of(uid_validity);
        let mut wrong = Vec::new();
        if let Some(uid) =
            facts.acknowledged.iter().find(|uid| !there.contains(uid) && !facts.doomed.contains(uid))
        {
            wrong.push(format!(
                "LOST: UID {uid} of {uid_validity} was acknowledged, not removed, and is not there"
            ));
        }
        if let Some(uid) = facts.gone.intersection(there).next() {
            wrong.push(format!("RETURNED: UID {uid} of {uid_validity} was told to be gone and is there"));
        }
        if let Some(uid) = there.iter().last().filter(|uid| u64::from(**uid) >= uid_next) {
            wrong.push(format!("UIDNEXT: UID {uid} is there and UIDNEXT is {uid_next}"));
        }
        if u64::from(facts.uid_max) >= uid_next {
            wrong.push(format!("UIDNEXT: UID {} was given and UIDNEXT is {uid_next}", facts.uid_max));
        }
        if mod_seq > 0 && facts.mod_seq_max > mod_seq {
            wrong.push(format!("HIGHESTMODSEQ: {mod_seq} after {}", facts.mod_seq_max));
        }
        // What is behind us is not needed any more.
        facts.flags.clear();
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_a_fact_is_found() {
        let mut truth = Truth::default();
        let nothing_before = Mark::default();
        assert!(truth.acknowledge(1, 5, Some(50), nothing_before).is_ok());
        assert!(truth.acknowledge(1, 6, Some(60), nothing_before).is_ok());
        assert!(truth.identify(1, 5, 51).is_err());
        let after_six = truth.marks().get(&1).copied().unwrap_or_default();
        assert!(truth.acknowledge(1, 6, None, after_six).is_err());
        assert!(truth.flags_at(1, 5, 9, Flags::SEEN).is_ok());
        assert!(truth.flags_at(1, 5, 9, Flags::DELETED).is_err());
        assert!(truth.gone(1, [6]).is_err(), "nobody removed it");
        truth.doom(1, [6]);
        assert!(truth.gone(1, [6]).is_ok());
        assert_eq!(truth.compare(1, &BTreeSet::from([5]), 7, 0), Vec::<String>::new());
        assert_eq!(truth.compare(1, &BTreeSet::from([5, 6]), 7, 0).len(), 1, "it came back");
        assert_eq!(truth.compare(1, &BTreeSet::new(), 7, 0).len(), 1, "it is lost");
        assert_eq!(truth.compare(1, &BTreeSet::from([5]), 6, 0).len(), 1, "UIDNEXT is too small");
    }
}
