//! MOVE and UID MOVE. RFC 6851, RFC 9051 §6.4.8. All or nothing.

use yubin_store::Rights;

use crate::{
    codec::{Code, Set},
    session::{notify::OwnChange, reach::allowed, reply::Reply, user::Context},
};

use super::{copy::copy_uid, message_limit};

pub(crate) async fn run(cx: &mut Context<'_>, set: &Set, name: &str, uid: bool) -> Result<Reply, Reply> {
    let selected = cx.selected_for_writing()?;
    // RFC 4314 §4: what COPY, STORE +FLAGS (\Deleted) and EXPUNGE need together.
    let needed = Rights::READ.with(Rights::DELETE_MESSAGES).with(Rights::EXPUNGE);
    allowed(selected.rights(), needed)?;
    let (seqs, limited) = message_limit::newest(cx, selected.view.find(set, uid, &selected.saved)?);
    let selected = cx.selected()?;
    let uids = selected.view.uids(&seqs);
    let target = cx.target(name).await?;
    if uids.is_empty() {
        return Ok(Reply::ok("there was nothing to move"));
    }
    if target.mailbox.id == selected.id && target.access.id() == selected.access.id() {
        return Err(Reply::no(Code::Cannot, "the messages are there already"));
    }
    let quota = cx.services.quotas.quota(target.access.id()).await;
    let moved = selected
        .access
        .move_messages(selected.id, &uids, (&target.access, target.mailbox.id), quota, cx.now)
        .await?;
    if let (Some(modseq), Some((_, first))) = (moved.modseq, moved.uids.first()) {
        let (source, account) = (selected.id, selected.access.id());
        cx.user.made(account, OwnChange::arrived(modseq, target.mailbox.id, *first, moved.uids.len()));
        cx.user.made(account, OwnChange::left(modseq, source, moved.uids.len()));
    }
    // RFC 6851 §4.3: COPYUID comes untagged, before the EXPUNGE responses.
    if let Some(code) = copy_uid(&moved) {
        cx.w().untagged_ok(&code, "moved");
    }
    Ok(message_limit::tell(cx, Reply::ok("moved"), limited))
}
