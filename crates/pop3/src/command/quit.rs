//! QUIT (RFC 1939 §6): the UPDATE state. The only place where messages are deleted: all that are marked, in one transaction, or none.

use yubin_base::{Next, UnixMs, event};
use yubin_engine::CommitError;
use yubin_store::{FlagChange, FlagOp, Flags, SpecialUse, StoreError, UidSet};

use crate::{codec::reply::Reply, events, maildrop::Maildrop, session::Outcome};

/// What QUIT does beside deleting.
pub(crate) struct Update {
    /// What is marked goes to Trash, as the account wants it.
    pub(crate) to_trash: bool,
    /// What was sent whole is seen.
    pub(crate) sets_seen: bool,
}

pub(crate) async fn quit(maildrop: &mut Maildrop, update: Update, now: UnixMs, out: &mut Vec<u8>) -> Outcome {
    if update.sets_seen {
        set_seen(maildrop, now).await;
    }
    let reply = delete_marked(maildrop, update.to_trash, now).await;
    reply.write(out);
    Outcome::Next(Next::Close)
}

async fn delete_marked(maildrop: &Maildrop, to_trash: bool, now: UnixMs) -> Reply {
    let marked = maildrop.marked_uids();
    if marked.is_empty() {
        return Reply::BYE;
    }
    let account = maildrop.account();
    let gone = match to_trash {
        true => move_to_trash(maildrop, &marked, now).await,
        false => {
            let expunged = account.expunge(maildrop.mailbox_id(), Some(&marked), true, now).await;
            expunged.map(|expunged| expunged.uids.len())
        }
    };
    match gone {
        Ok(messages) => {
            event!(events::DELETED, account = %account.id(), messages, to_trash);
            if to_trash { Reply::BYE_TRASHED } else { Reply::BYE_DELETED }
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

/// Moves messages to the account's Trash, which is made if there is none.
async fn move_to_trash(maildrop: &Maildrop, marked: &UidSet, now: UnixMs) -> Result<usize, StoreError> {
    let account = maildrop.account();
    let state = account.state();
    let by_use = state.mailboxes.values().find(|m| m.special_use == Some(SpecialUse::Trash) && !m.no_select);
    let trash = match by_use.cloned().or_else(|| account.mailbox_named("Trash")) {
        Some(trash) => trash.id,
        None => account.create_mailbox("Trash", Some(SpecialUse::Trash), now).await?.id,
    };
    let moved = account.move_messages(maildrop.mailbox_id(), marked, trash, now).await?;
    Ok(moved.uids.len())
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
