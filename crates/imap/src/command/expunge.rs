//! EXPUNGE and UID EXPUNGE. RFC 9051 §6.4.3, §6.4.9 (RFC 4315). The EXPUNGE responses follow with everything else that changed.

use crate::{
    codec::{Code, Set},
    session::{reply::Reply, user::Context},
};

pub(crate) async fn run(cx: &mut Context<'_>, set: Option<&Set>) -> Result<Reply, Reply> {
    let selected = cx.selected_for_writing()?;
    let seqs = match set {
        Some(set) => selected.view.find(set, true, &selected.saved)?,
        None => vec![(1, selected.view.exists())],
    };
    // Messages the client has not been told of are not removed, even if another session set \Deleted.
    let uids = selected.view.uids(&seqs);
    if !uids.is_empty() {
        let expunged = cx.user.account.expunge(selected.id, Some(&uids), false, cx.now).await?;
        // RFC 7162 §3.2.7: so that the client need not ask for what it has just done.
        if let Some(modseq) = expunged.modseq.filter(|_| cx.user.enabled.condstore) {
            return Ok(Reply::ok_code(Code::HighestModSeq(modseq.0), "expunged"));
        }
    }
    Ok(Reply::ok("expunged"))
}
