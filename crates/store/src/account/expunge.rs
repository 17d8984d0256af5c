//! Removing messages (RFC 9051 §6.4.3, RFC 4315 §2.1). Rows go at once, content later (`purge.rs`).

use yubin_base::UnixMs;
use yubin_engine::{CommitError, Op};

use super::{
    Account, Expunged,
    append::put_docs,
    commit::{Outcome, Plan, Writer},
    flags::set_of,
};
use crate::{
    Change, DocId, Flags, MailboxId, Row, StoreError, UidSet, apply::rows_in, limits, tables::expunged,
};

impl Account {
    /// Removes messages: those with `\Deleted`, within `uids` when given (UID EXPUNGE); with `any_flags`, whatever their flags (POP3).
    pub async fn expunge(
        &self,
        mailbox: MailboxId,
        uids: Option<&UidSet>,
        any_flags: bool,
        now: UnixMs,
    ) -> Result<Expunged, StoreError> {
        let all = UidSet::from_ranges([(1, u32::MAX)]);
        let uids = uids.unwrap_or(&all);
        let mut writer = self.write().await?;
        let mut done = Expunged::default();
        // RFC 9051 §6.4.3: message by message, so that very many may go in several commits.
        loop {
            let piece = self.expunge_some(&mut writer, mailbox, uids, any_flags, now).await?;
            let is_last = piece.uids.len() < limits::EXPUNGED_AT_ONCE;
            done.modseq = piece.modseq.or(done.modseq);
            done.uids.extend(piece.uids);
            if is_last {
                return Ok(done);
            }
        }
    }

    async fn expunge_some(
        &self,
        writer: &mut Writer,
        mailbox: MailboxId,
        uids: &UidSet,
        any_flags: bool,
        now: UnixMs,
    ) -> Result<Expunged, StoreError> {
        for _ in 0..limits::COMMIT_TRIES {
            let state = self.opened(writer, mailbox).await?;
            let goes = |row: &&Row| any_flags || row.flags.has(Flags::DELETED);
            // Once all that are marked are found, the others need no look.
            let most = if any_flags { usize::MAX } else { state.counts.deleted as usize };
            let most = most.min(limits::EXPUNGED_AT_ONCE);
            let rows = rows_in(state.pages.as_deref().unwrap_or_default(), uids).filter(goes).take(most);
            let (gone, docs): (Vec<_>, Vec<DocId>) = rows.map(|row| (row.uid, row.doc)).unzip();
            if gone.is_empty() {
                return Ok(Expunged::default());
            }
            let mut plan = Plan::of(writer, Change::Expunged { mailbox, uids: set_of(&gone, &state) });
            self.let_go(&mut plan, docs, now);
            let modseq = plan.modseq();
            if let Outcome::Done(_) = self.commit(writer, plan, now).await? {
                return Ok(Expunged { uids: gone, modseq: Some(modseq) });
            }
        }
        Err(CommitError::Conflict(0).into())
    }

    /// Notes documents that lose a place.
    pub(super) fn let_go(&self, plan: &mut Plan, mut docs: Vec<DocId>, now: UnixMs) {
        docs.sort_unstable();
        let modseq = plan.modseq().0;
        let put = |n, docs: &[DocId]| Op::Put(expunged::key(self.id, modseq, n), expunged::encode(now, docs));
        plan.ops.extend(put_docs(&docs, put));
    }
}
