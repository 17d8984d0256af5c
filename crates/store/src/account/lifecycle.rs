//! Making and erasing an account.

use std::sync::Arc;

use yubin_base::{AccountId, UnixMs};
use yubin_engine::{Batch, CommitError, Op, Pre};

use super::{
    Account,
    commit::{Outcome, Plan},
    mailboxes::first_mailboxes,
};
use crate::{
    StoreError, limits,
    store::Core,
    tables::{self, head, head::Head},
};

impl Account {
    /// Makes the tables in two commits: an empty head in place of whatever an earlier account left, then the mailboxes.
    /// An account between the two is finished by the next call.
    pub(crate) async fn create(core: &Arc<Core>, id: AccountId, now: UnixMs) -> Result<(), StoreError> {
        let account = match Account::load(core.clone(), id).await? {
            Some(account) => account,
            None => {
                begin(core, id).await?;
                Account::load(core.clone(), id).await?.ok_or(StoreError::NoAccount)?
            }
        };
        let mut writer = account.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            if writer.head.modseq > 0 {
                // Seen as made; say so only when that is durable.
                return account.prove().await.map(|_| ());
            }
            let mut plan = Plan::new(&writer);
            first_mailboxes(&mut plan, now);
            if let Outcome::Done(_) = account.commit(&mut writer, plan, now).await? {
                return Ok(());
            }
        }
        Err(CommitError::Conflict(0).into())
    }

    /// Erases every row of the account.
    pub(crate) async fn erase(&self) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        for _ in 0..limits::COMMIT_TRIES {
            match self.settle(&mut writer).await {
                Err(StoreError::NoAccount) => return Ok(()),
                other => other?,
            }
            let (from, to) = tables::everything(self.id);
            let batch = Batch {
                part: tables::part(self.id),
                pre: vec![Pre::Version(head::key(self.id), writer.head.modseq)],
                ops: vec![Op::DelRange(from, to)],
                ..Batch::default()
            };
            writer.in_doubt = true;
            match self.core.engine.commit(batch).await {
                Ok(_) => {
                    self.forget(&mut writer);
                    return Ok(());
                }
                Err(CommitError::Conflict(_) | CommitError::Unknown) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommitError::Unknown.into())
    }
}

async fn begin(core: &Arc<Core>, id: AccountId) -> Result<(), StoreError> {
    let head = Head { epoch: 1, next_doc: 1, next_mailbox: 1, next_uid_validity: 1, ..Head::default() };
    let (from, to) = tables::everything(id);
    let batch = Batch {
        part: tables::part(id),
        pre: vec![Pre::Absent(head::key(id))],
        ops: vec![Op::DelRange(from, to), Op::Put(head::key(id), head.encode())],
        ..Batch::default()
    };
    core.engine.commit(batch).await?;
    Ok(())
}
