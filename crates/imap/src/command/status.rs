//! STATUS. RFC 9051 §6.3.11; RFC 7162 §3.1.7 (HIGHESTMODSEQ), RFC 8438 (SIZE), RFC 7889 (APPENDLIMIT), RFC 8474 (MAILBOXID), RFC 9208 (DELETED-STORAGE).
//! Counts are kept; only DELETED-STORAGE opens a mailbox.

use yubin_store::{Flags, MailboxState};

use crate::{
    codec::{Code, Writer, request::StatusItem},
    session::{reply::Reply, user::Context},
};

pub(crate) async fn run(cx: &mut Context<'_>, name: &str, items: &[StatusItem]) -> Result<Reply, Reply> {
    let Some(mailbox) = cx.user.account.mailbox_named(name) else {
        return Err(Reply::no(Code::NonExistent, "there is no such mailbox"));
    };
    if mailbox.no_select {
        return Err(Reply::no(Code::Cannot, "this name only holds others"));
    }
    // RFC 7162 §3.1: asking for it enables CONDSTORE.
    cx.user.enabled.condstore |= items.contains(&StatusItem::HighestModSeq);
    let limit = cx.services.options.message_octets_max;
    let deleted_octets = deleted_octets(cx, &mailbox, items).await?;
    push_status(&mailbox, items, deleted_octets, limit, &mut cx.w());
    Ok(Reply::ok("that is all"))
}

/// DELETED-STORAGE (RFC 9208 §4.1.4): the one item that is not counted but added up. Opens the mailbox only if it must.
pub(crate) async fn deleted_octets(
    cx: &Context<'_>,
    mailbox: &MailboxState,
    items: &[StatusItem],
) -> Result<u64, Reply> {
    if !items.contains(&StatusItem::DeletedStorage) || mailbox.counts.deleted == 0 {
        return Ok(0);
    }
    let opened = cx.user.account.open(mailbox.id).await?;
    let rows = opened.pages.iter().flat_map(|pages| pages.iter()).flat_map(|page| &page.rows);
    Ok(rows.filter(|row| row.flags.has(Flags::DELETED)).map(|row| u64::from(row.size_octets)).sum())
}

/// `* STATUS name (...)`
pub(crate) fn push_status(
    mailbox: &MailboxState,
    items: &[StatusItem],
    deleted_octets: u64,
    append_limit: u64,
    w: &mut Writer<'_>,
) {
    let counts = &mailbox.counts;
    w.raw("* STATUS ").mailbox(&mailbox.name).raw(" (");
    for (n, item) in items.iter().enumerate() {
        w.raw(if n > 0 { " " } else { "" });
        match item {
            StatusItem::Messages => w.raw("MESSAGES ").number(counts.messages),
            StatusItem::Recent => w.raw("RECENT 0"),
            StatusItem::UidNext => w.raw("UIDNEXT ").number(mailbox.uid_next.0),
            StatusItem::UidValidity => w.raw("UIDVALIDITY ").number(mailbox.uid_validity.0),
            StatusItem::Unseen => w.raw("UNSEEN ").number(counts.unseen),
            StatusItem::Size => w.raw("SIZE ").number(counts.octets),
            StatusItem::Deleted => w.raw("DELETED ").number(counts.deleted),
            StatusItem::DeletedStorage => w.raw("DELETED-STORAGE ").number(deleted_octets),
            StatusItem::HighestModSeq => w.raw("HIGHESTMODSEQ ").number(mailbox.highest_modseq.0.max(1)),
            StatusItem::AppendLimit => w.raw("APPENDLIMIT ").number(append_limit),
            StatusItem::MailboxId => w.raw("MAILBOXID (M").number(mailbox.id.0).raw(")"),
        };
    }
    w.raw(")\r\n");
}
