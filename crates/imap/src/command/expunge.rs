//! EXPUNGE and UID EXPUNGE. RFC 9051 §6.4.3, §6.4.9 (RFC 4315). The EXPUNGE responses follow with everything else that changed.

use yubin_store::{Flags, Rights};

use crate::{
    codec::{Code, Set, set::ranges},
    session::{notify::OwnChange, reach::allowed, reply::Reply, user::Context, view::find_row},
};

use super::message_limit;

pub(crate) async fn run(cx: &mut Context<'_>, set: Option<&Set>) -> Result<Reply, Reply> {
    let selected = cx.selected_for_writing()?;
    // RFC 4314 §4: `e`.
    allowed(selected.rights(), Rights::EXPUNGE)?;
    let seqs = match set {
        Some(set) => selected.view.find(set, true, &selected.saved)?,
        None => Vec::new(),
    };
    // RFC 9738 §3.1: UID EXPUNGE is limited, EXPUNGE is not. Only messages with \Deleted count.
    let (seqs, limited) = match (set, cx.services.options.message_limit) {
        (Some(_), Some(_)) => {
            let state = selected.access.open(selected.id).await?;
            let deleted = |uid| find_row(&state, uid).is_some_and(|now| now.flags.has(Flags::DELETED));
            let rows = selected.view.rows(&seqs).filter(|(_, row, _)| deleted(row.uid));
            message_limit::newest(cx, ranges(rows.map(|(seq, ..)| seq)))
        }
        _ => (seqs, None),
    };
    let selected = cx.selected()?;
    // Messages the client has not been told of are not removed, even if another session set \Deleted.
    let uids = if set.is_some() { selected.view.uids(&seqs) } else { selected.view.up_to_last() };
    if !uids.is_empty() {
        let (account, mailbox) = (selected.access.id(), selected.id);
        let expunged = selected.access.expunge(mailbox, Some(&uids), false, cx.now).await?;
        if let Some(modseq) = expunged.modseq {
            cx.user.made(account, OwnChange::left(modseq, mailbox, expunged.uids.len()));
        }
        // RFC 7162 §3.2.7: so that the client need not ask for what it has just done.
        if let Some(modseq) = expunged.modseq.filter(|_| cx.user.enabled.condstore) {
            let reply = Reply::ok_code(Code::HighestModSeq(modseq.0), "expunged");
            return Ok(message_limit::tell(cx, reply, limited));
        }
    }
    Ok(message_limit::tell(cx, Reply::ok("expunged"), limited))
}
