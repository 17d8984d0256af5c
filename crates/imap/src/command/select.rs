//! SELECT and EXAMINE. RFC 9051 §6.3.2, §6.3.3; RFC 3501 §6.3.1; RFC 7162 §3.1.8, §3.2.5 (QRESYNC); RFC 8474 §4.2.

use yubin_store::{Rights, UidSet};

use crate::{
    codec::{Code, request::SelectParameters},
    session::{
        reply::Reply,
        user::{Context, Selected},
        view::{View, push_selected},
    },
};

use super::{Outcome, job::Job, list, resync};

/// Rights to change what others see as well; without any, a mailbox is READ-ONLY (RFC 4314 §5.2). `\Seen` is everybody's own.
const SHARED: Rights = Rights::INSERT.with(Rights::EXPUNGE).with(Rights::WRITE).with(Rights::DELETE_MESSAGES);

pub(crate) async fn run(
    cx: &mut Context<'_>,
    name: &str,
    examine: bool,
    parameters: &SelectParameters,
) -> Result<Outcome, Reply> {
    if parameters.qresync.is_some() && !cx.user.enabled.qresync {
        return Err(Reply::bad("enable QRESYNC first"));
    }
    // A failed SELECT leaves no mailbox selected either.
    if cx.user.selected.take().is_some() {
        cx.w().untagged_ok(&Code::Closed, "the mailbox selected before is closed");
    }
    cx.user.enabled.condstore |= parameters.condstore;
    let found = cx.reach(name, Rights::READ).await?.selectable()?;
    // What changes between these two lines is looked for again at the next command.
    let looked_at = found.access.state().modseq;
    let state = found.access.open(found.mailbox.id).await?;
    let rights = found.rights();
    let view = View::new(state).with_rights(rights);
    let rev2 = cx.user.enabled.rev2;
    push_selected(&view, examine, !rev2, &mut cx.w());
    if rev2 {
        list::push_one(cx, &found.name);
    }
    cx.user.looked_at = looked_at;
    let uid_validity = found.mailbox.uid_validity.0;
    cx.user.selected = Some(Selected {
        access: found.access,
        id: found.mailbox.id,
        view,
        read_only: examine,
        lost: false,
        saved: UidSet::default(),
    });
    let reply = if examine || !rights.has_any(SHARED) {
        Reply::ok_code(Code::ReadOnly, "opened to look")
    } else {
        Reply::ok_code(Code::ReadWrite, "opened")
    };
    match &parameters.qresync {
        // With another UIDVALIDITY the client knows nothing.
        Some(known) if known.uid_validity == uid_validity => {
            Ok(Outcome::Job(Job::Fetch(Box::new(resync::after_select(cx, known, reply).await?))))
        }
        _ => Ok(Outcome::Reply(reply)),
    }
}
