//! CLOSE and UNSELECT. RFC 9051 §6.4.1, §6.4.2 (RFC 3691), RFC 7162 §3.2.8. CLOSE removes messages with `\Deleted` without a word about each.

use yubin_store::Rights;

use crate::session::{notify::OwnChange, reply::Reply, user::Context};

pub(crate) async fn run(cx: &mut Context<'_>, expunge: bool) -> Result<Reply, Reply> {
    let selected = cx.selected()?;
    let (account, mailbox) = (selected.access.id(), selected.id);
    // RFC 4314 §4: without `e` nothing is removed, and the mailbox is closed all the same.
    let expunged = if expunge && !selected.read_only && selected.rights().has(Rights::EXPUNGE) {
        // Only messages this session has been told of; another one may have set their `\Deleted` meanwhile.
        let uids = selected.view.uids(&[(1, selected.view.exists())]);
        selected.access.expunge(mailbox, Some(&uids), false, cx.now).await
    } else {
        Ok(yubin_store::Expunged::default())
    };
    match expunged {
        Ok(expunged) => {
            if let Some(modseq) = expunged.modseq {
                cx.user.made(account, OwnChange::left(modseq, mailbox, expunged.uids.len()));
            }
        }
        Err(yubin_store::StoreError::NoMailbox) => {}
        // Nothing was removed, and the mailbox stays selected: the client may try again.
        Err(error) => return Err(Reply::from(error)),
    }
    cx.user.selected = None;
    // RFC 7162 §3.2.8: no HIGHESTMODSEQ here, since the client is not told which messages went with it.
    Ok(Reply::ok("closed"))
}
