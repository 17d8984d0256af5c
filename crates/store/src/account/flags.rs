//! Changing flags (RFC 9051 §6.4.6, RFC 7162 §3.1.3). One log record, however many messages.

use yubin_base::UnixMs;
use yubin_engine::CommitError;

use super::{
    Account, FlagChange, FlagOp, StoreFlags,
    append::{bit_of, bits_of},
    commit::{Outcome, Plan, Writer},
};
use crate::{
    Change, Flags, Keyword, KeywordBits, MailboxId, MailboxState, StoreError, Uid, UidSet,
    apply::{changed, rows_in},
    limits,
};

impl Account {
    /// Changes flags of the messages in `uids` that exist.
    pub async fn store_flags(
        &self,
        mailbox: MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        now: UnixMs,
    ) -> Result<StoreFlags, StoreError> {
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let state = self.opened(&mut writer, mailbox).await?;
            let (plan, mut done) = plan(&writer, &state, uids, change)?;
            if plan.changes.is_empty() {
                return Ok(done);
            }
            done.modseq = Some(plan.modseq());
            if let Outcome::Done(_) = self.commit(&mut writer, plan, now).await? {
                return Ok(done);
            }
        }
        Err(CommitError::Conflict(0).into())
    }
}

fn plan(
    writer: &Writer,
    mailbox: &MailboxState,
    uids: &UidSet,
    change: &FlagChange,
) -> Result<(Plan, StoreFlags), StoreError> {
    let (keywords, clear, set) = bits_of_change(mailbox, change)?;
    let mut done = StoreFlags::default();
    for row in rows_in(mailbox.pages.as_deref().unwrap_or_default(), uids) {
        if change.unchanged_since.is_some_and(|since| row.modseq > since) {
            done.modified.push(row.uid);
        } else if changed(row, clear, set) != (row.flags, row.keywords) {
            done.changed.push(row.uid);
        }
    }
    let mut plan = Plan::new(writer);
    if !done.changed.is_empty() {
        let uids = set_of(&done.changed, mailbox);
        plan.changes.push(Change::Flags { mailbox: mailbox.id, keywords, uids, clear, set });
    }
    Ok((plan, done))
}

/// Flags and keywords as bits of a mailbox.
pub(super) type Bits = (Flags, KeywordBits);

/// The keywords that are new to the mailbox, what is cleared first, and what is set then.
pub(super) fn bits_of_change(
    mailbox: &MailboxState,
    change: &FlagChange,
) -> Result<(Vec<Keyword>, Bits, Bits), StoreError> {
    let flags = Flags(change.flags.0 & Flags::ALL.0);
    let mut keywords = mailbox.keywords.to_vec();
    let bits = match change.op {
        // Taking away a keyword that nobody has needs no bit.
        FlagOp::Remove => bits_of(&keywords, &change.keywords),
        FlagOp::Add | FlagOp::Replace => {
            let bits: Result<Vec<u64>, StoreError> =
                change.keywords.iter().map(|k| bit_of(&mut keywords, k)).collect();
            KeywordBits(bits?.iter().fold(0, |all, bit| all | bit))
        }
    };
    let none = (Flags(0), KeywordBits(0));
    let (clear, set) = match change.op {
        FlagOp::Replace => ((Flags::ALL, KeywordBits(u64::MAX)), (flags, bits)),
        FlagOp::Add => (none, (flags, bits)),
        FlagOp::Remove => ((flags, bits), none),
    };
    Ok((keywords.split_off(mailbox.keywords.len()), clear, set))
}

/// The messages as a set, with as few ranges as the mailbox allows: UIDs that nobody has may lie within.
pub(super) fn set_of(uids: &[Uid], mailbox: &MailboxState) -> UidSet {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    let mut wanted = uids.iter().peekable();
    // Whether the row before is the end of the last range.
    let mut open = false;
    for page in mailbox.pages.iter().flat_map(|pages| pages.iter()) {
        let Some(next) = wanted.peek() else { break };
        if page.rows.last().is_none_or(|row| row.uid < **next) {
            open = false;
            continue;
        }
        for row in &page.rows {
            if wanted.peek() != Some(&&row.uid) {
                open = false;
                continue;
            }
            wanted.next();
            match ranges.last_mut() {
                Some(last) if open => last.1 = row.uid.0,
                _ => ranges.push((row.uid.0, row.uid.0)),
            }
            open = true;
        }
    }
    UidSet::from_ranges(ranges)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{DocId, ModSeq, Page, Row, ThreadId};

    proptest! {
        #[test]
        fn a_set_selects_the_wanted_messages_with_few_ranges(
            uids in prop::collection::btree_set(1u32..3000, 1..900), skip in 1u32..40, page in 1usize..256,
        ) {
            let row = |uid: u32| Row {
                uid: Uid(uid), doc: DocId(0), flags: Flags(0), keywords: KeywordBits(0), modseq: ModSeq(1),
                internal_date: UnixMs(0), save_date: UnixMs(0), size_octets: 1, thread: ThreadId(0),
            };
            let rows: Vec<Row> = uids.iter().map(|uid| row(*uid)).collect();
            let pages: Vec<Arc<Page>> = rows.chunks(page).map(|rows| Arc::new(Page { rows: rows.to_vec() })).collect();
            let mailbox = MailboxState { pages: Some(pages.clone().into()), ..MailboxState::default() };
            let wanted: Vec<Uid> = uids.iter().filter(|uid| *uid / skip % 3 == 0).map(|uid| Uid(*uid)).collect();
            let set = set_of(&wanted, &mailbox);
            prop_assert_eq!(rows_in(&pages, &set).map(|row| row.uid).collect::<Vec<_>>(), wanted.clone());
            // A range ends only where a message follows that is not wanted.
            let runs = rows.chunk_by(|a, b| wanted.contains(&a.uid) == wanted.contains(&b.uid));
            prop_assert_eq!(set.ranges().len(), runs.filter(|run| wanted.contains(&run[0].uid)).count());
        }
    }
}
