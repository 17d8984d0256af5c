//! COPY and UID COPY. RFC 9051 §6.4.7, §6.4.9; COPYUID of RFC 4315. All or nothing.

use yubin_store::{Copied, Uid};

use crate::{
    codec::{Code, Set, set::ranges},
    session::{notify::OwnChange, reply::Reply, user::Context},
};

use super::message_limit;

pub(crate) async fn run(cx: &mut Context<'_>, set: &Set, name: &str, uid: bool) -> Result<Reply, Reply> {
    // RFC 4314 §4: `r` here, `i` there.
    let selected = cx.selected_to_copy_from()?;
    let seqs = selected.view.find(set, uid, &selected.saved)?;
    let uids = selected.view.uids(&seqs);
    message_limit::check_copy(cx, &seqs)?;
    let target = cx.target(name).await?;
    if uids.is_empty() {
        return Ok(Reply::ok("there was nothing to copy"));
    }
    let quota = cx.services.quotas.quota(target.access.id()).await;
    let copied =
        selected.access.copy(selected.id, &uids, (&target.access, target.mailbox.id), quota, cx.now).await?;
    if let (Some(modseq), Some((_, first))) = (copied.modseq, copied.uids.first()) {
        let change = OwnChange::arrived(modseq, target.mailbox.id, *first, copied.uids.len());
        cx.user.made(target.access.id(), change);
    }
    Ok(match copy_uid(&copied) {
        Some(code) => Reply::ok_code(code, "copied"),
        None => Reply::ok("there was nothing to copy"),
    })
}

/// COPYUID, unless nothing was copied. Both lists are in the same order.
pub(crate) fn copy_uid(copied: &Copied) -> Option<Code> {
    let list = |pick: fn(&(Uid, Uid)) -> u32| ranges(copied.uids.iter().map(pick));
    let (from, to) = (list(|pair| pair.0.0), list(|pair| pair.1.0));
    (!from.is_empty()).then_some(Code::CopyUid(copied.uid_validity.0, from, to))
}
