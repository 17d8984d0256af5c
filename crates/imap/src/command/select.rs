//! SELECT and EXAMINE. RFC 9051 §6.3.2, §6.3.3; RFC 3501 §6.3.1; RFC 7162 §3.1.8, §3.2.5 (QRESYNC); RFC 8474 §4.2.

use yubin_store::UidSet;

use crate::{
    codec::{Code, request::SelectParameters},
    session::{
        reply::Reply,
        user::{Context, Selected},
        view::{View, push_selected},
    },
};

use super::{Outcome, job::Job, list, resync};

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
    let Some(mailbox) = cx.user.account.mailbox_named(name) else {
        return Err(Reply::no(Code::NonExistent, "there is no such mailbox"));
    };
    if mailbox.no_select {
        return Err(Reply::no(Code::Cannot, "this name only holds others"));
    }
    // What changes between these two lines is looked for again at the next command.
    let looked_at = cx.user.account.state().modseq;
    let state = cx.user.account.open(mailbox.id).await?;
    let view = View::new(state);
    let rev2 = cx.user.enabled.rev2;
    push_selected(&view, examine, !rev2, &mut cx.w());
    if rev2 {
        list::push_one(cx, &mailbox);
    }
    cx.user.looked_at = looked_at;
    cx.user.selected = Some(Selected { id: mailbox.id, view, read_only: examine, saved: UidSet::default() });
    let reply = if examine {
        Reply::ok_code(Code::ReadOnly, "opened to look")
    } else {
        Reply::ok_code(Code::ReadWrite, "opened")
    };
    match &parameters.qresync {
        // With another UIDVALIDITY the client knows nothing.
        Some(known) if known.uid_validity == mailbox.uid_validity.0 => {
            Ok(Outcome::Job(Job::Fetch(Box::new(resync::after_select(cx, known, reply).await?))))
        }
        _ => Ok(Outcome::Reply(reply)),
    }
}
