//! How many messages one command works on: MESSAGELIMIT and SAVELIMIT. RFC 9738. What is too much is cut to the newest
//! messages, and the client is told the lowest UID that the command came to; COPY and APPEND, all or nothing, are refused.

use crate::{
    codec::{
        Code,
        set::{ranges, total},
    },
    session::{reply::Reply, user::Context, view::View},
};

use super::search::partial_of;

const SOME: &str = "only the newest messages; go on below that UID";

/// The newest of some messages, as many as one command may work on; and the code that says so, if they were more.
pub(super) fn newest(cx: &Context<'_>, seqs: Vec<(u32, u32)>) -> (Vec<(u32, u32)>, Option<Code>) {
    let (Some(limit), Ok(selected)) = (cx.services.options.message_limit, cx.selected()) else {
        return (seqs, None);
    };
    match cut(limit, &seqs, &selected.view) {
        Some((seqs, lowest)) => (seqs, Some(Code::MessageLimit(limit, Some(lowest)))),
        None => (seqs, None),
    }
}

/// The newest messages and the lowest UID among them, if there are more than the limit.
pub(super) fn cut(limit: u32, seqs: &[(u32, u32)], view: &View) -> Option<(Vec<(u32, u32)>, u32)> {
    if total(seqs) <= u64::from(limit) {
        return None;
    }
    let seqs = partial_of(seqs, (-1, -i64::from(limit)));
    let lowest = seqs.first().and_then(|(seq, _)| view.at(*seq)).map_or(1, |(row, _)| row.uid.0);
    Some((seqs, lowest))
}

/// Messages among some that have changed since, so that only they count against the limit.
pub(super) fn changed(seqs: &[(u32, u32)], since: u64, view: &View) -> Vec<(u32, u32)> {
    ranges(view.rows(seqs).filter(|(_, row, _)| row.modseq.0 > since).map(|(seq, ..)| seq))
}

/// Adds the code to an answer; where it has one already, it goes untagged before it (RFC 9738 §3.1).
pub(super) fn tell(cx: &mut Context<'_>, reply: Reply, code: Option<Code>) -> Reply {
    match code {
        None => reply,
        Some(code) if reply.code.is_none() => Reply { code: Some(code), text: SOME.into(), ..reply },
        Some(code) => {
            cx.w().untagged_no(&code, SOME);
            reply
        }
    }
}

/// SORT and THREAD say something of all the messages they look at, or nothing (RFC 9738 §3.3).
pub(super) fn whole(limited: Option<Code>) -> Result<(), Reply> {
    match limited {
        Some(Code::MessageLimit(limit, _)) => {
            let why = "that is more than one command puts in order; narrow it with UIDBEFORE or UIDAFTER";
            Err(Reply::no(Code::MessageLimit(limit, None), why))
        }
        _ => Ok(()),
    }
}

/// Whether COPY may take so many messages. The lowest UID is that down to which it could.
pub(super) fn check_copy(cx: &Context<'_>, seqs: &[(u32, u32)]) -> Result<(), Reply> {
    let Some(limit) = save_limit(cx.services) else { return Ok(()) };
    match cut(limit, seqs, &cx.selected()?.view) {
        Some((_, lowest)) => Err(Reply::no(
            Code::MessageLimit(limit, Some(lowest)),
            "that is more than one command copies; nothing was copied",
        )),
        None => Ok(()),
    }
}

/// How many messages COPY and APPEND take.
pub(super) fn save_limit(services: &crate::ImapServices) -> Option<u32> {
    services.options.message_limit.or(services.options.save_limit)
}
