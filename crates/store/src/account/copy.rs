//! Copying and moving messages (RFC 9051 §6.4.7 and §6.4.8). The content is shared, not copied.

use yubin_base::UnixMs;
use yubin_engine::{CommitError, Op};

use super::{
    Account, Copied, Moved,
    append::{bit_of, check_quota, put_docs},
    commit::{Outcome, Plan},
    flags::set_of,
    selectable,
};
use crate::{
    Change, DocId, Flags, Keyword, KeywordBits, MailboxId, MailboxState, ModSeq, Quota, Rights, Row,
    StoreError, Uid, UidSet, Usage, Viewer, apply::rows_in, limits, tables::shared,
};

impl Account {
    /// Copies messages, keeping flags, keywords and INTERNALDATE (RFC 9051 §6.4.7). All or nothing.
    pub async fn copy(
        &self,
        from: MailboxId,
        uids: &UidSet,
        to: MailboxId,
        quota: Quota,
        now: UnixMs,
    ) -> Result<Copied, StoreError> {
        self.transfer(None, (from, uids), to, Some(quota), now).await
    }

    /// Moves messages (RFC 6851). All or nothing.
    pub async fn move_messages(
        &self,
        from: MailboxId,
        uids: &UidSet,
        to: MailboxId,
        now: UnixMs,
    ) -> Result<Moved, StoreError> {
        self.transfer(None, (from, uids), to, None, now).await
    }

    /// A copy has a quota; a move has none, since it takes no room.
    pub(crate) async fn transfer(
        &self,
        viewer: Option<Viewer>,
        (from, uids): (MailboxId, &UidSet),
        to: MailboxId,
        quota: Option<Quota>,
        now: UnixMs,
    ) -> Result<Copied, StoreError> {
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let source = self.opened(&mut writer, from).await?;
            let marks = match viewer {
                Some(viewer) => Some((
                    self.opened_as(&mut writer, viewer.id, from).await?.1,
                    self.opened_as(&mut writer, viewer.id, to).await?.1,
                )),
                None => None,
            };
            let state = self.state();
            let target = selectable(&state, to)?;
            let mut plan = Plan::new(&writer);
            let rows: Vec<Row> =
                rows_in(source.pages.as_deref().unwrap_or_default(), uids).copied().collect();
            let rights = viewer.map_or(Rights::ALL, |viewer| target.acl.rights_of(viewer));
            let (arriving, appended) =
                arrive(&permitted(&rows, rights), &source, target, plan.modseq(), now)?;
            let pairs: Vec<(Uid, Uid)> =
                rows.iter().zip(&arriving).map(|(old, new)| (old.uid, new.uid)).collect();
            let uid_validity = target.uid_validity;
            if pairs.is_empty() {
                return Ok(Copied { uid_validity, uids: pairs, committed: None, modseq: None });
            }
            plan.changes.push(appended);
            let modseq = Some(plan.modseq());
            if let (Some(viewer), Some((there, here))) = (viewer, marks)
                && rights.has(Rights::SEEN)
            {
                // What the viewer has seen, they have seen in the copy.
                let seen =
                    UidSet::from_uids(pairs.iter().filter(|(old, _)| there.has(*old)).map(|pair| pair.1));
                if !seen.is_empty() {
                    self.plan_marks(&mut plan, to, (viewer.id, here), (seen, true));
                }
            }
            match quota {
                Some(quota) => {
                    let octets: u64 = rows.iter().map(|row| u64::from(row.size_octets)).sum();
                    let octets = state.usage.octets.saturating_add(octets);
                    let messages = state.usage.messages + rows.len() as u64;
                    check_quota(Usage { octets, messages }, quota)?;
                    self.share(&mut plan, rows.iter().map(|row| row.doc).collect());
                }
                None => {
                    let gone: Vec<Uid> = rows.iter().map(|row| row.uid).collect();
                    plan.changes.insert(0, Change::Expunged { mailbox: from, uids: set_of(&gone, &source) });
                }
            }
            if let Outcome::Done(committed) = self.commit(&mut writer, plan, now).await? {
                return Ok(Copied { uid_validity, uids: pairs, committed: Some(committed), modseq });
            }
        }
        Err(CommitError::Conflict(0).into())
    }

    /// Notes documents that have more than one place from now on. Noting one too many costs a look when it goes, and nothing else.
    fn share(&self, plan: &mut Plan, mut docs: Vec<DocId>) {
        docs.sort_unstable();
        docs.dedup();
        let modseq = plan.modseq().0;
        let put = |n, docs: &[DocId]| Op::Put(shared::key(self.id, modseq, n), shared::encode(docs));
        plan.ahead.extend(put_docs(&docs, put));
    }
}

/// The rows with the flags that somebody with these rights may set (RFC 4314 §4). `\Seen` of the owner stays the owner's.
fn permitted(rows: &[Row], rights: Rights) -> Vec<Row> {
    let may = rights.flags().with(Flags::SEEN).with(Flags::LINE_ENDS);
    let keywords = if rights.has(Rights::WRITE) { u64::MAX } else { 0 };
    let row = |row: &Row| Row {
        flags: Flags(row.flags.0 & may.0),
        keywords: KeywordBits(row.keywords.0 & keywords),
        ..*row
    };
    rows.iter().map(row).collect()
}

/// The rows as they come into another mailbox.
pub(super) fn arrive(
    rows: &[Row],
    source: &MailboxState,
    target: &MailboxState,
    modseq: ModSeq,
    now: UnixMs,
) -> Result<(Vec<Row>, Change), StoreError> {
    if u64::from(target.uid_next.0) + rows.len() as u64 >= u64::from(u32::MAX) {
        return Err(StoreError::Limit("the mailbox has given all its UIDs"));
    }
    let mut keywords = target.keywords.to_vec();
    let bits = translate(rows, source, &mut keywords)?;
    let arrived = |(n, row): (usize, &Row)| Row {
        uid: Uid(target.uid_next.0 + n as u32),
        keywords: map_bits(&bits, row.keywords),
        modseq,
        save_date: now,
        ..*row
    };
    let rows: Vec<Row> = rows.iter().enumerate().map(arrived).collect();
    let keywords = keywords.split_off(target.keywords.len());
    Ok((rows.clone(), Change::Appended { mailbox: target.id, keywords, rows }))
}

/// For each keyword that the rows have, its bit here and its bit there.
fn translate(
    rows: &[Row],
    source: &MailboxState,
    keywords: &mut Vec<Keyword>,
) -> Result<Vec<(u64, u64)>, StoreError> {
    let used = rows.iter().fold(0, |all, row| all | row.keywords.0);
    let here =
        source.keywords.iter().enumerate().map(|(n, k)| (1u64 << n, k)).filter(|(bit, _)| used & bit != 0);
    here.map(|(bit, keyword)| Ok((bit, bit_of(keywords, keyword)?))).collect()
}

fn map_bits(bits: &[(u64, u64)], from: KeywordBits) -> KeywordBits {
    let there = bits.iter().filter(|(here, _)| from.0 & here != 0).map(|(_, there)| there);
    KeywordBits(there.fold(0, |all, bit| all | bit))
}
