//! QUIT (RFC 1939 §6): the UPDATE state. The only place where messages are deleted: all that are marked, in one transaction, or none.

use yubin_base::{Next, UnixMs, event};
use yubin_engine::CommitError;
use yubin_store::{FlagChange, FlagOp, Flags, StoreError};

use crate::{codec::reply::Reply, events, maildrop::Maildrop, session::Outcome};

pub(crate) async fn quit(
    maildrop: &mut Maildrop,
    sets_seen: bool,
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Outcome {
    let reply = delete_marked(maildrop, now).await;
    if sets_seen {
        set_seen(maildrop, now).await;
    }
    reply.write(out);
    Outcome::Next(Next::Close)
}

async fn delete_marked(maildrop: &Maildrop, now: UnixMs) -> Reply {
    let marked = maildrop.marked_uids();
    if marked.is_empty() {
        return Reply::BYE;
    }
    let account = maildrop.account();
    match account.expunge(maildrop.mailbox_id(), Some(&marked), true, now).await {
        Ok(expunged) => {
            event!(events::DELETED, account = %account.id(), messages = expunged.uids.len());
            Reply::BYE_DELETED
        }
        // Somebody deleted the account meanwhile: the messages are gone.
        Err(StoreError::NoMailbox | StoreError::NoAccount) => Reply::BYE_DELETED,
        Err(error) => {
            event!(events::DELETE_FAILED, account = %account.id(), messages = marked.len(), error = %error);
            let unknown = matches!(error, StoreError::Commit(CommitError::Unknown));
            if unknown { Reply::DELETE_UNKNOWN } else { Reply::NOT_DELETED }
        }
    }
}

/// Messages that were sent whole are seen. Once for all of them, and only a courtesy: a failure changes nothing for the client.
async fn set_seen(maildrop: &mut Maildrop, now: UnixMs) {
    let sent = maildrop.take_sent();
    if sent.is_empty() {
        return;
    }
    let change =
        FlagChange { op: FlagOp::Add, flags: Flags::SEEN, keywords: Vec::new(), unchanged_since: None };
    let account = maildrop.account();
    if let Err(error) = account.store_flags(maildrop.mailbox_id(), &sent, &change, now).await {
        event!(events::STORE_FAILED, account = %account.id(), error = %error);
    }
}
