//! Sharing across accounts: changing a mailbox's list together with the hint that lets the other find it, and finding
//! whoever shares something. No transaction spans accounts: the hint is made first and taken away last.

use std::sync::Arc;

use yubin_base::{AccountId, UnixMs};
use yubin_engine::{Batch, CommitError, Durability, Op, Pre, Val};

use crate::{
    Account, Acl, AclChange, MailboxId, Rights, Store, StoreError, Viewer, Who, limits,
    tables::{self, codec::damaged, sharer},
};

impl Store {
    /// Changes one entry of a mailbox's list (RFC 4314 §3.1), and answers with the list as it is then. Durable when it answers.
    pub async fn set_acl(
        &self,
        owner: &Account,
        mailbox: MailboxId,
        (who, negative): (Who, bool),
        change: AclChange,
        now: UnixMs,
    ) -> Result<Acl, StoreError> {
        let given = match change {
            AclChange::Replace(rights) | AclChange::Add(rights) if !negative => rights,
            _ => Rights::NONE,
        };
        if given.is_empty() {
            return owner.change_acl(mailbox, who, negative, change, now).await;
        }
        self.put_hint(who, owner.id()).await?;
        let acl = owner.change_acl(mailbox, who, negative, change, now).await?;
        // Whoever found nothing shared just before may have taken the hint away.
        if self.hint(who, owner.id()).await?.is_none() {
            self.put_hint(who, owner.id()).await?;
        }
        Ok(acl)
    }

    /// The accounts that let somebody into at least one mailbox, by id.
    pub async fn sharers(&self, viewer: Viewer) -> Result<Vec<Arc<Account>>, StoreError> {
        let mut owners = self.hints(Who::Account(viewer.id)).await?;
        if viewer.neighbour {
            owners.extend(self.hints(Who::Anyone).await?);
        }
        owners.retain(|(owner, ..)| *owner != viewer.id);
        owners.sort_by_key(|(owner, ..)| *owner);
        let mut found: Vec<Arc<Account>> = Vec::new();
        for (owner, who, value) in owners {
            let account = match self.account(owner).await {
                Ok(account) => account,
                Err(StoreError::NoAccount) => {
                    self.drop_hint(who, owner, value).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let state = account.state();
            if !state.mailboxes.values().any(|mailbox| mailbox.acl.grantees().any(|g| g == who)) {
                self.drop_hint(who, owner, value).await?;
            } else if found.last().is_none_or(|last| last.id() != owner) {
                found.push(account);
            }
        }
        Ok(found)
    }

    async fn hints(&self, who: Who) -> Result<Vec<(AccountId, Who, Val)>, StoreError> {
        let holder = sharer::holder(who);
        let (mut from, to) = sharer::range(holder);
        let view = self.core.engine.view(tables::part(holder)).await?;
        let mut found = Vec::new();
        loop {
            let rows = view.scan(&from, &to, false, limits::SCAN_PAIRS).await?;
            let full = rows.len() >= limits::SCAN_PAIRS;
            for (key, value) in rows {
                let owner = sharer::owner_of(&key).filter(|_| sharer::is_whole(&value));
                found.push((owner.ok_or_else(|| damaged("a hint of sharing", &key))?, who, value));
                from = key;
            }
            if !full || found.len() >= limits::SHARERS {
                found.truncate(limits::SHARERS);
                return Ok(found);
            }
            from.push(0);
        }
    }

    async fn hint(&self, who: Who, owner: AccountId) -> Result<Option<Val>, StoreError> {
        let holder = sharer::holder(who);
        let view = self.core.engine.view(tables::part(holder)).await?;
        Ok(view.get(&sharer::key(holder, owner)).await?)
    }

    async fn put_hint(&self, who: Who, owner: AccountId) -> Result<(), StoreError> {
        let holder = sharer::holder(who);
        let batch = Batch {
            part: tables::part(holder),
            ops: vec![Op::Put(sharer::key(holder, owner), sharer::encode(self.core.random.u64()))],
            durability: Durability::Sync,
            ..Batch::default()
        };
        for _ in 0..limits::COMMIT_TRIES {
            match self.core.engine.commit(batch.clone()).await {
                Ok(_) => return Ok(()),
                // Written twice is as good as once.
                Err(CommitError::Conflict(_) | CommitError::Unknown) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommitError::Unknown.into())
    }

    /// Takes a hint away that leads to nothing, unless it was renewed. Losing this is no harm: the next look does it again.
    async fn drop_hint(&self, who: Who, owner: AccountId, value: Val) -> Result<(), StoreError> {
        let holder = sharer::holder(who);
        let key = sharer::key(holder, owner);
        let batch = Batch {
            part: tables::part(holder),
            pre: vec![Pre::Equals(key.clone(), value)],
            ops: vec![Op::Del(key)],
            durability: Durability::Lazy,
            ..Batch::default()
        };
        let _ = self.core.engine.commit(batch).await;
        Ok(())
    }
}
