//! Annotations (RFC 5464): short values with names that clients keep with a mailbox, or with the account as a whole. Kept whole in memory, since there
//! are few; a bound for the account keeps it so.

use std::{collections::BTreeMap, sync::Arc};

use yubin_base::UnixMs;
use yubin_engine::{CommitError, Op};

use super::{
    Account,
    commit::{Outcome, Plan},
};
use crate::{
    Change, LogEntry, MailboxId, ModSeq, StoreError, limits, state::Annotations, tables::annotation,
};

impl Account {
    /// Sets annotations of a mailbox, or with none of the account: all of them or none. Without a value, an entry goes. Names are compared
    /// without case. [`StoreError::Limit`] when there would be too many.
    pub async fn annotate(
        &self,
        mailbox: Option<MailboxId>,
        entries: &[(String, Option<Vec<u8>>)],
        now: UnixMs,
    ) -> Result<ModSeq, StoreError> {
        let mut wanted: BTreeMap<String, Option<Arc<[u8]>>> = BTreeMap::new();
        for (name, value) in entries {
            if name.is_empty() || name.len() > limits::ANNOTATION_NAME_OCTETS {
                return Err(StoreError::Limit("the name of an annotation is too long"));
            }
            if value.as_ref().is_some_and(|value| value.len() > limits::ANNOTATION_OCTETS) {
                return Err(StoreError::Limit("an annotation is too large"));
            }
            wanted.insert(name.to_ascii_lowercase(), value.as_deref().map(Arc::from));
        }
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let state = self.state();
            if mailbox.is_some_and(|id| !state.mailboxes.contains_key(&id)) {
                return Err(StoreError::NoMailbox);
            }
            let known = state.annotations.get(&mailbox);
            let differs =
                |name: &str, value: &Option<Arc<[u8]>>| known.and_then(|k| k.get(name)) != value.as_ref();
            let entries: Vec<(String, Option<Arc<[u8]>>)> = wanted
                .iter()
                .filter(|(name, value)| differs(name, value))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect();
            if entries.is_empty() {
                return Ok(state.modseq);
            }
            let mut after = Annotations::clone(&state.annotations);
            set(&mut after, mailbox, &entries);
            // Whoever is above a bound that was lowered may still take away.
            if entries.iter().any(|(_, value)| value.is_some()) {
                check(&after, mailbox)?;
            }
            let plan = Plan::of(&writer, Change::Annotated { mailbox, entries });
            let modseq = plan.modseq();
            if let Outcome::Done(_) = self.commit(&mut writer, plan, now).await? {
                return Ok(modseq);
            }
        }
        Err(CommitError::Conflict(0).into())
    }

    /// The rows of annotations that a commit changes.
    pub(super) fn put_annotations(&self, entry: &LogEntry, ops: &mut Vec<Op>) {
        for change in &entry.changes {
            match change {
                Change::Annotated { mailbox, entries } => ops.extend(entries.iter().map(|(name, value)| {
                    let key = annotation::key(self.id(), *mailbox, name);
                    match value {
                        Some(value) => Op::Put(key, annotation::encode(value)),
                        None => Op::Del(key),
                    }
                })),
                Change::Deleted { mailbox } => {
                    let (from, to) = annotation::range_of(self.id(), *mailbox);
                    ops.push(Op::DelRange(from, to));
                }
                _ => {}
            }
        }
    }
}

/// Sets and takes away.
pub(crate) fn set(
    annotations: &mut Annotations,
    mailbox: Option<MailboxId>,
    entries: &[(String, Option<Arc<[u8]>>)],
) {
    let of_mailbox = annotations.entry(mailbox).or_default();
    for (name, value) in entries {
        match value {
            Some(value) => of_mailbox.insert(name.clone(), value.clone()),
            None => of_mailbox.remove(name),
        };
    }
    if of_mailbox.is_empty() {
        annotations.remove(&mailbox);
    }
}

fn check(annotations: &Annotations, mailbox: Option<MailboxId>) -> Result<(), StoreError> {
    let octets: usize = annotations
        .values()
        .flatten()
        .map(|(name, value)| name.len() + value.len() + ANNOTATION_ROW_OCTETS)
        .sum();
    let count = annotations.get(&mailbox).map_or(0, BTreeMap::len);
    if count > limits::ANNOTATIONS_PER_MAILBOX || octets > limits::ANNOTATIONS_PER_ACCOUNT_OCTETS {
        return Err(StoreError::Limit("too many annotations"));
    }
    Ok(())
}

/// What a row takes beside its name and value.
const ANNOTATION_ROW_OCTETS: usize = 32;
