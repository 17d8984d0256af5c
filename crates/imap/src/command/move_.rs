//! MOVE and UID MOVE. RFC 6851, RFC 9051 §6.4.8. All or nothing.

use crate::{
    codec::{Code, Set},
    session::{reply::Reply, user::Context},
};

use super::{copy::copy_uid, message_limit};

pub(crate) async fn run(cx: &mut Context<'_>, set: &Set, name: &str, uid: bool) -> Result<Reply, Reply> {
    let selected = cx.selected_for_writing()?;
    let (seqs, limited) = message_limit::newest(cx, selected.view.find(set, uid, &selected.saved)?);
    let selected = cx.selected()?;
    let uids = selected.view.uids(&seqs);
    let target = cx.mailbox(name).ok_or_else(Reply::try_create)?;
    if uids.is_empty() {
        return Ok(Reply::ok("there was nothing to move"));
    }
    if target.id == selected.id {
        return Err(Reply::no(Code::Cannot, "the messages are there already"));
    }
    let moved = cx.user.account.move_messages(selected.id, &uids, target.id, cx.now).await?;
    // RFC 6851 §4.3: COPYUID comes untagged, before the EXPUNGE responses.
    if let Some(code) = copy_uid(&moved) {
        cx.w().untagged_ok(&code, "moved");
    }
    Ok(message_limit::tell(cx, Reply::ok("moved"), limited))
}
