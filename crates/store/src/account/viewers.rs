//! The account for those who are not its owner: each has a `\Seen` of their own (RFC 4314 §4). Their marks are durable with the
//! change itself, so that nothing has to be replayed.

use std::sync::Arc;

use yubin_base::{AccountId, UnixMs};
use yubin_engine::{CommitError, Op};

use super::{
    Account, FlagChange, FlagOp, StoreFlags,
    commit::{Outcome, Plan, Writer},
    flags::{bits_of_change, set_of},
    load::scan_all,
};
use crate::{
    AccountState, Change, Flags, KeywordBits, MailboxId, MailboxState, Rights, StoreError, UidSet, Viewer,
    apply::{changed, rows_in},
    limits,
    seen::{Seen, Seer, seen_by},
    tables::{self, codec::damaged, seen},
};

impl Account {
    /// The mailbox with its pages as a viewer sees it.
    pub(crate) async fn open_as(
        &self,
        viewer: AccountId,
        mailbox: MailboxId,
    ) -> Result<Arc<MailboxState>, StoreError> {
        let mut base = self.open(mailbox).await?;
        if base.readers.get(viewer).is_none() {
            let mut writer = self.writer.lock().await;
            match self.settle(&mut writer).await {
                Ok(()) | Err(StoreError::Commit(_)) => {}
                Err(error) => return Err(error),
            }
            base = self.opened_as(&mut writer, viewer, mailbox).await?.0;
        }
        let mut seers = self.seers.lock();
        seers.retain(|_, seer| seer.mine.strong_count() > 0);
        let before = seers.get(&(mailbox, viewer));
        if let Some(same) =
            before.filter(|seer| Arc::ptr_eq(&seer.base, &base)).and_then(|s| s.mine.upgrade())
        {
            return Ok(same);
        }
        let mine = seen_by(viewer, &base, before);
        seers.insert((mailbox, viewer), Seer { base, mine: Arc::downgrade(&mine) });
        Ok(mine)
    }

    /// The mailbox as it is, with its pages, and what the viewer marked; for a writer.
    pub(super) async fn opened_as(
        &self,
        writer: &mut Writer,
        viewer: AccountId,
        mailbox: MailboxId,
    ) -> Result<(Arc<MailboxState>, Seen), StoreError> {
        for _ in 0..limits::COMMIT_TRIES {
            let known = self.opened(writer, mailbox).await?;
            if let Some(seen) = known.readers.get(viewer) {
                return Ok((known.clone(), seen.clone()));
            }
            let view = self.core.engine.view(tables::part(self.id)).await?;
            if self.read_head(&*view).await? != Some(writer.head) {
                drop(view);
                self.reload(writer).await?;
                continue;
            }
            let (from, to) = seen::range(self.id, mailbox, viewer);
            let mut pieces = Vec::new();
            for (key, value) in scan_all(&*view, from, &to).await? {
                let piece = seen::piece_of(&key).zip(seen::decode(&value));
                pieces.push(piece.ok_or_else(|| damaged("marks of a reader", &key))?);
            }
            let seen = Seen::new(pieces);
            let mut loaded = MailboxState::clone(&known);
            loaded.readers.put(viewer, seen.clone());
            let loaded = Arc::new(loaded);
            let mut state = AccountState::clone(&self.state());
            state.mailboxes.insert(mailbox, loaded.clone());
            *self.state.write() = Arc::new(state);
            return Ok((loaded, seen));
        }
        Err(CommitError::Conflict(0).into())
    }

    /// Adds marks of a viewer to a plan.
    pub(super) fn plan_marks(
        &self,
        plan: &mut Plan,
        mailbox: MailboxId,
        (viewer, mut marks): (AccountId, Seen),
        (uids, seen): (UidSet, bool),
    ) {
        for piece in marks.mark(&uids, seen, plan.modseq()) {
            let key = seen::key(self.id, mailbox, viewer, piece);
            plan.ops.push(Op::Put(key, seen::encode(marks.piece(piece))));
        }
        plan.changes.push(Change::Seen { mailbox, viewer, uids, seen });
    }

    /// As [`Account::store_flags`], for a viewer: `\Seen` is their own, and flags that they may not change stay as they are
    /// (RFC 4314 §4).
    pub(crate) async fn store_flags_as(
        &self,
        viewer: Viewer,
        mailbox: MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        now: UnixMs,
    ) -> Result<StoreFlags, StoreError> {
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let (state, marks) = self.opened_as(&mut writer, viewer.id, mailbox).await?;
            let rights = state.acl.rights_of(viewer);
            if rights.flags() == Flags(0) {
                return Err(StoreError::NoPermission);
            }
            let (plan, mut done) = self.plan_as(&writer, &state, (viewer.id, marks), rights, uids, change)?;
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

    fn plan_as(
        &self,
        writer: &Writer,
        mailbox: &MailboxState,
        (viewer, marks): (AccountId, Seen),
        rights: Rights,
        uids: &UidSet,
        change: &FlagChange,
    ) -> Result<(Plan, StoreFlags), StoreError> {
        let may = rights.flags().without(Flags::SEEN);
        let mut allowed = FlagChange { flags: Flags(change.flags.0 & may.0), ..change.clone() };
        if !rights.has(Rights::WRITE) {
            allowed.keywords.clear();
        }
        let (keywords, clear, set) = bits_of_change(mailbox, &allowed)?;
        let keyword_mask = if rights.has(Rights::WRITE) { u64::MAX } else { 0 };
        let clear = (Flags(clear.0.0 & may.0), KeywordBits(clear.1.0 & keyword_mask));
        let asked = change.flags.has(Flags::SEEN);
        let seen = match change.op {
            _ if !rights.has(Rights::SEEN) => None,
            FlagOp::Replace => Some(asked),
            FlagOp::Add => asked.then_some(true),
            FlagOp::Remove => asked.then_some(false),
        };
        let (mut done, mut shared, mut own) = (StoreFlags::default(), Vec::new(), Vec::new());
        for row in rows_in(mailbox.pages.as_deref().unwrap_or_default(), uids) {
            if change.unchanged_since.is_some_and(|since| marks.row(row).modseq > since) {
                done.modified.push(row.uid);
                continue;
            }
            let for_all = changed(row, clear, set) != (row.flags, row.keywords);
            let for_me = seen.is_some_and(|seen| seen != marks.has(row.uid));
            if for_all {
                shared.push(row.uid);
            }
            if for_me {
                own.push(row.uid);
            }
            if for_all || for_me {
                done.changed.push(row.uid);
            }
        }
        let mut plan = Plan::new(writer);
        if !shared.is_empty() {
            let uids = set_of(&shared, mailbox);
            plan.changes.push(Change::Flags { mailbox: mailbox.id, keywords, uids, clear, set });
        }
        if let Some(seen) = seen.filter(|_| !own.is_empty()) {
            self.plan_marks(&mut plan, mailbox.id, (viewer, marks), (set_of(&own, mailbox), seen));
        }
        Ok((plan, done))
    }
}
