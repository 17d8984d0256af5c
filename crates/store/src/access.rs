//! An account as one of its users reaches it: as its owner, or as somebody whom the owner lets in. The owner may do everything;
//! others may do what each mailbox's list says (RFC 4314). Decides nothing about names.

use std::{ops::Deref, sync::Arc};

use yubin_base::UnixMs;
use yubin_engine::CommitError;

use crate::{
    Account, Appended, Copied, FlagChange, Flags, MailboxId, MailboxState, Moved, NewMessage, Quota, Rights,
    Row, StoreError, StoreFlags, Uid, UidSet, Viewer, apply::rows_in, limits,
};

/// An account, and who looks at it. What depends on who looks is here; everything else is the account's.
#[derive(Clone)]
pub struct Access {
    account: Arc<Account>,
    /// None: the owner.
    viewer: Option<Viewer>,
}

impl Deref for Access {
    type Target = Account;
    fn deref(&self) -> &Account {
        &self.account
    }
}

impl Access {
    /// As its owner.
    pub fn owner(account: Arc<Account>) -> Self {
        Self { account, viewer: None }
    }
    /// As somebody else; the owner stays the owner.
    pub fn viewer(account: Arc<Account>, viewer: Viewer) -> Self {
        let viewer = (viewer.id != account.id()).then_some(viewer);
        Self { account, viewer }
    }
    /// The account itself.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }
    /// Whether the owner looks.
    pub fn is_owner(&self) -> bool {
        self.viewer.is_none()
    }
    /// What may be done with a mailbox.
    pub fn rights(&self, mailbox: &MailboxState) -> Rights {
        self.viewer.map_or(Rights::ALL, |viewer| mailbox.acl.rights_of(viewer))
    }
    /// What may be done now with a mailbox, by its id. Nothing when it is gone.
    pub fn rights_now(&self, mailbox: MailboxId) -> Rights {
        self.account.state().mailboxes.get(&mailbox).map_or(Rights::NONE, |mailbox| self.rights(mailbox))
    }

    /// The mailbox with its pages loaded, with `\Seen`, counts and modseqs as this user has them.
    pub async fn open(&self, mailbox: MailboxId) -> Result<Arc<MailboxState>, StoreError> {
        match self.viewer {
            Some(viewer) => self.account.open_as(viewer.id, mailbox).await,
            None => self.account.open(mailbox).await,
        }
    }
    /// As [`Account::store_flags`]. Flags that the user may not change stay as they are (RFC 4314 §4).
    pub async fn store_flags(
        &self,
        mailbox: MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        now: UnixMs,
    ) -> Result<StoreFlags, StoreError> {
        match self.viewer {
            Some(viewer) => self.account.store_flags_as(viewer, mailbox, uids, change, now).await,
            None => self.account.store_flags(mailbox, uids, change, now).await,
        }
    }
    /// Copies messages to a mailbox of the same or another account (RFC 9051 §6.4.7). All or nothing. The content is shared.
    pub async fn copy(
        &self,
        from: MailboxId,
        uids: &UidSet,
        (target, to): (&Access, MailboxId),
        quota: Quota,
        now: UnixMs,
    ) -> Result<Copied, StoreError> {
        if target.id() == self.id() {
            return self.account.transfer(self.viewer, (from, uids), to, Some(quota), now).await;
        }
        self.copy_across(from, uids, (target, to), quota, now).await
    }
    /// Moves messages to a mailbox of the same or another account (RFC 6851). Across accounts they are there before they are gone
    /// here: a failure in between leaves both.
    pub async fn move_messages(
        &self,
        from: MailboxId,
        uids: &UidSet,
        (target, to): (&Access, MailboxId),
        quota: Quota,
        now: UnixMs,
    ) -> Result<Moved, StoreError> {
        if target.id() == self.id() {
            return self.account.transfer(self.viewer, (from, uids), to, None, now).await;
        }
        let mut copied = self.copy_across(from, uids, (target, to), quota, now).await?;
        let gone = UidSet::from_uids(copied.uids.iter().map(|(old, _)| *old));
        if !gone.is_empty() {
            copied.modseq = self.account.expunge(from, Some(&gone), true, now).await?.modseq;
        }
        Ok(copied)
    }
    /// The messages as new ones in another account: same content, same flags and dates.
    async fn copy_across(
        &self,
        from: MailboxId,
        uids: &UidSet,
        (target, to): (&Access, MailboxId),
        quota: Quota,
        now: UnixMs,
    ) -> Result<Copied, StoreError> {
        let source = self.open(from).await?;
        let rows: Vec<Row> = rows_in(source.pages.as_deref().unwrap_or_default(), uids).copied().collect();
        if rows.len() > limits::COPY_ACROSS {
            return Err(StoreError::Commit(CommitError::TooLarge));
        }
        let uid_validity = target.open(to).await?.uid_validity;
        let docs: Vec<_> = rows.iter().map(|row| row.doc).collect();
        let records = self.account.records(&docs).await?;
        let mut messages = Vec::with_capacity(rows.len());
        for (row, record) in rows.iter().zip(records) {
            let record = record.ok_or(StoreError::Gone)?;
            let used = source.keywords.iter().enumerate().filter(|(n, _)| row.keywords.0 >> n & 1 == 1);
            messages.push(NewMessage {
                staged: Arc::new(record.staged.clone()),
                prefix: record.prefix.clone(),
                flags: row.flags,
                keywords: used.map(|(_, keyword)| keyword.clone()).collect(),
                internal_date: row.internal_date,
                idem: None,
            });
        }
        let appended = target.append(to, messages, quota, now).await?;
        let committed = appended.first().map(|first| first.committed);
        let uids = rows.iter().zip(&appended).map(|(old, new)| (old.uid, new.uid)).collect();
        let modseq = appended.first().map(|first| first.modseq);
        Ok(Copied { uid_validity, uids, committed, modseq })
    }
    /// As [`Account::append`]. Flags that the user may not set are not set (RFC 4314 §4).
    pub async fn append(
        &self,
        mailbox: MailboxId,
        mut messages: Vec<NewMessage>,
        quota: Quota,
        now: UnixMs,
    ) -> Result<Vec<Appended>, StoreError> {
        self.permit(mailbox, &mut messages);
        let viewer = self.viewer.map(|viewer| viewer.id);
        self.account.append_all(viewer, mailbox, None, messages, quota, now).await
    }
    /// As [`Account::replace`], with the flags of [`Access::append`].
    pub async fn replace(
        &self,
        old: (MailboxId, Uid),
        mailbox: MailboxId,
        message: NewMessage,
        quota: Quota,
        now: UnixMs,
    ) -> Result<Appended, StoreError> {
        let mut messages = vec![message];
        self.permit(mailbox, &mut messages);
        let viewer = self.viewer.map(|viewer| viewer.id);
        let appended = self.account.append_all(viewer, mailbox, Some(old), messages, quota, now).await?;
        appended.into_iter().next().ok_or(StoreError::Gone)
    }
    /// Takes the flags away that the user may not set there.
    fn permit(&self, mailbox: MailboxId, messages: &mut [NewMessage]) {
        let rights = self.rights_now(mailbox);
        for message in messages.iter_mut().filter(|_| !self.is_owner()) {
            message.flags = Flags(message.flags.0 & rights.flags().0);
            if !rights.has(Rights::WRITE) {
                message.keywords.clear();
            }
        }
    }
}
