//! CLOSE and UNSELECT. RFC 9051 §6.4.1, §6.4.2 (RFC 3691). CLOSE removes messages with `\Deleted` without a word about each.

use crate::session::{reply::Reply, user::Context};

pub(crate) async fn run(cx: &mut Context<'_>, expunge: bool) -> Result<Reply, Reply> {
    let selected = cx.selected()?;
    let expunged = if expunge && !selected.read_only && selected.view.told().counts.deleted > 0 {
        // Only what this session has seen deleted.
        let uids = selected.view.uids(&[(1, selected.view.exists())]);
        cx.user.account.expunge(selected.id, Some(&uids), false, cx.now).await.map(|_| ())
    } else {
        Ok(())
    };
    cx.user.selected = None;
    match expunged {
        Ok(()) | Err(yubin_store::StoreError::NoMailbox) => Ok(Reply::ok("closed")),
        Err(error) => Err(Reply::from(error)),
    }
}
