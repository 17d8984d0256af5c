//! STATUS. RFC 9051 §6.3.11; RFC 7162 §3.1.7 (HIGHESTMODSEQ), RFC 8438 (SIZE), RFC 7889 (APPENDLIMIT), RFC 8474 (MAILBOXID), RFC 9208 (DELETED-STORAGE).

use std::sync::Arc;

use yubin_store::{Flags, MailboxState, Rights};

use crate::{
    codec::{Writer, request::StatusItem},
    session::{reach::Reached, reply::Reply, user::Context},
};

pub(crate) async fn run(cx: &mut Context<'_>, name: &str, items: &[StatusItem]) -> Result<Reply, Reply> {
    let found = cx.reach(name, Rights::READ).await?.selectable()?;
    // RFC 7162 §3.1: asking for it enables CONDSTORE.
    cx.user.enabled.condstore |= items.contains(&StatusItem::HighestModSeq);
    let limit = cx.services.options.message_octets_max;
    let status = status_of(&found, items).await?;
    push_status(&status, items, limit, &mut cx.w());
    Ok(Reply::ok("that is all"))
}

/// What is told of a mailbox.
pub(crate) struct Told {
    name: String,
    mailbox: Arc<MailboxState>,
    deleted_octets: u64,
}

impl Told {
    /// Of a mailbox of the user's own, by what is counted.
    pub(crate) fn counted(mailbox: &Arc<MailboxState>) -> Self {
        Self { name: mailbox.name.clone(), mailbox: Arc::clone(mailbox), deleted_octets: 0 }
    }
}

/// Looks up what is asked. Counts are kept; a mailbox is opened only for DELETED-STORAGE (RFC 9208 §4.1.4), which is added up, and
/// for UNSEEN of those who have a `\Seen` of their own.
pub(crate) async fn status_of(found: &Reached, items: &[StatusItem]) -> Result<Told, Reply> {
    let mut mailbox = Arc::clone(&found.mailbox);
    let own_seen = !found.access.is_owner() && items.contains(&StatusItem::Unseen);
    let deleted = items.contains(&StatusItem::DeletedStorage) && mailbox.counts.deleted > 0;
    if own_seen || deleted {
        mailbox = found.access.open(mailbox.id).await?;
    }
    let rows = mailbox.pages.iter().flat_map(|pages| pages.iter()).flat_map(|page| &page.rows);
    let gone = rows.filter(|row| deleted && row.flags.has(Flags::DELETED));
    let deleted_octets = gone.map(|row| u64::from(row.size_octets)).sum();
    Ok(Told { name: found.name.clone(), mailbox, deleted_octets })
}

/// `* STATUS name (...)`
pub(crate) fn push_status(told: &Told, items: &[StatusItem], append_limit: u64, w: &mut Writer<'_>) {
    let Told { name, mailbox, deleted_octets } = told;
    let counts = &mailbox.counts;
    w.raw("* STATUS ").mailbox(name).raw(" (");
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
            StatusItem::DeletedStorage => w.raw("DELETED-STORAGE ").number(*deleted_octets),
            StatusItem::HighestModSeq => w.raw("HIGHESTMODSEQ ").number(mailbox.highest_modseq.0.max(1)),
            StatusItem::AppendLimit => w.raw("APPENDLIMIT ").number(append_limit),
            StatusItem::MailboxId => w.raw("MAILBOXID (M").number(mailbox.id.0).raw(")"),
        };
    }
    w.raw(")\r\n");
}
