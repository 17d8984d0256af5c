//! CLOSE and UNSELECT. RFC 9051 §6.4.1, §6.4.2 (RFC 3691). CLOSE removes messages with `\Deleted` without a word about each.

use crate::{
    codec::Code,
    session::{reply::Reply, user::Context},
};

pub(crate) async fn run(cx: &mut Context<'_>, expunge: bool) -> Result<Reply, Reply> {
    let selected = cx.selected()?;
    let expunged = if expunge && !selected.read_only {
        // Only messages this session has been told of; another one may have set their `\Deleted` meanwhile.
        let uids = selected.view.uids(&[(1, selected.view.exists())]);
        cx.user.account.expunge(selected.id, Some(&uids), false, cx.now).await.map(|e| e.modseq)
    } else {
        Ok(None)
    };
    let modseq = match expunged {
        Ok(modseq) => modseq,
        Err(yubin_store::StoreError::NoMailbox) => None,
        // Nothing was removed, and the mailbox stays selected: the client may try again.
        Err(error) => return Err(Reply::from(error)),
    };
    cx.user.selected = None;
    // RFC 7162 §3.2.8: so that the client need not ask for what it has just done.
    Ok(match modseq {
        Some(modseq) if cx.user.enabled.condstore => Reply::ok_code(Code::HighestModSeq(modseq.0), "closed"),
        _ => Reply::ok("closed"),
    })
}
