//! UIDLs of a migrated server: an import keeps them, so that POP3 clients do not fetch everything again. RFC 1939 §7.

use std::{collections::BTreeMap, ops::RangeInclusive};

use yubin_base::UnixMs;
use yubin_engine::{CommitError, Op};

use super::{
    Account,
    commit::{Outcome, Plan},
    load::scan_all,
    selectable,
};
use crate::{
    MailboxId, StoreError, Uid, limits,
    tables::{self, codec::damaged, uidl},
};

impl Account {
    /// Keeps the UIDLs that messages had on the server they came from: 1 to 70 octets of printable ASCII without spaces, each for one
    /// message only. One transaction for every [`limits::UIDLS_AT_ONCE`]; giving the same again is fine.
    pub async fn keep_uidls(
        &self,
        mailbox: MailboxId,
        uidls: &[(Uid, String)],
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let is_uidl =
            |text: &str| (1..=70).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic());
        if !uidls.iter().all(|(_, uidl)| is_uidl(uidl)) {
            return Err(StoreError::Cannot("a UIDL is 1 to 70 printable octets"));
        }
        for some in uidls.chunks(limits::UIDLS_AT_ONCE) {
            self.keep_some_uidls(mailbox, some, now).await?;
        }
        Ok(())
    }

    async fn keep_some_uidls(
        &self,
        mailbox: MailboxId,
        uidls: &[(Uid, String)],
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            selectable(&self.state(), mailbox)?;
            let mut plan = Plan::new(&writer);
            let put =
                |(uid, text): &(Uid, String)| Op::Put(uidl::key(self.id, mailbox, *uid), uidl::encode(text));
            plan.ops.extend(uidls.iter().map(put));
            if let Outcome::Done(_) = self.commit(&mut writer, plan, now).await? {
                return Ok(());
            }
        }
        Err(CommitError::Conflict(0).into())
    }

    /// The UIDLs kept for messages of a mailbox, between two UIDs.
    pub async fn uidls(
        &self,
        mailbox: MailboxId,
        uids: RangeInclusive<Uid>,
    ) -> Result<BTreeMap<Uid, String>, StoreError> {
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let from = uidl::key(self.id, mailbox, *uids.start());
        let mut to = uidl::key(self.id, mailbox, *uids.end());
        to.push(0);
        let pairs = scan_all(&*view, from, &to).await?;
        pairs
            .iter()
            .map(|(key, value)| {
                uidl::uid_of(key).zip(uidl::decode(value)).ok_or_else(|| damaged("a UIDL", key))
            })
            .collect()
    }
}
