//! Changing who may do what with a mailbox (RFC 4314 §3). A change like any other: in the log, and for sessions to see.

use yubin_base::UnixMs;
use yubin_engine::CommitError;

use super::{
    Account,
    commit::{Outcome, Plan},
};
use crate::{Acl, AclChange, Change, MailboxId, StoreError, Who, limits};

impl Account {
    /// Changes one entry of a mailbox's list, and answers with the list as it is then.
    pub(crate) async fn change_acl(
        &self,
        mailbox: MailboxId,
        who: Who,
        negative: bool,
        change: AclChange,
        now: UnixMs,
    ) -> Result<Acl, StoreError> {
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let state = self.state();
            let known = state.mailboxes.get(&mailbox).ok_or(StoreError::NoMailbox)?;
            let acl = known.acl.changed(who, negative, change);
            if acl == known.acl {
                return Ok(acl);
            }
            if acl.entries().len() > limits::ACL_ENTRIES {
                return Err(StoreError::Limit("the list of rights is too long"));
            }
            let plan = Plan::of(&writer, Change::Acl { mailbox, acl: acl.clone() });
            if let Outcome::Done(_) = self.commit(&mut writer, plan, now).await? {
                return Ok(acl);
            }
        }
        Err(CommitError::Conflict(0).into())
    }
}
