//! UIDBATCHES. RFC 10022: ranges of UIDs that cut the mailbox into batches of equally many messages, the newest first.
//! Costs as much as there are batches in the answer, not as there are messages.

use crate::{
    codec::Code,
    limits,
    session::{reply::Reply, user::Context},
};

pub(crate) fn run(
    cx: &mut Context<'_>,
    tag: &str,
    size: u32,
    batches: Option<(u32, u32)>,
) -> Result<Reply, Reply> {
    let selected = cx.selected_for_reading()?;
    if size < limits::UID_BATCH_MESSAGES_MIN {
        // RFC 10022 §3.1.3.2: small batches would be sequence numbers by another name.
        return Err(Reply::no(Code::TooFew, "a batch has at least 500 messages"));
    }
    let (first, last) = batches.unwrap_or((1, u32::MAX));
    if first > last {
        return Err(Reply::bad_code(Code::ClientBug, "the range of batches is the wrong way round"));
    }
    // A batch is never more than one command takes (RFC 9738).
    let size = size.min(cx.services.options.message_limit.unwrap_or(u32::MAX));
    let ranges = selected.view.batches(size, first - 1, last);
    if ranges.len() > limits::UID_BATCHES {
        return Err(Reply::no(Code::TooMany, "ask for fewer batches at once"));
    }
    let mut w = cx.w();
    w.raw("* UIDBATCHES (TAG ").string(tag.as_bytes()).raw(")");
    for (n, (high, low)) in ranges.into_iter().enumerate() {
        w.raw(if n > 0 { "," } else { " " }).number(high).raw(":").number(low);
    }
    w.raw("\r\n");
    Ok(Reply::ok("that is all"))
}
