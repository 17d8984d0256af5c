//! Reads what the store really holds, through its own API, and recounts what it counts.

use std::collections::BTreeMap;

use yubin_base::AccountId;
use yubin_store::{Account, AccountState, Flags, MailboxState, Row, Store, StoreError};

use crate::{
    content,
    model::{FlagNames, Identity, Mailbox, Message, Model},
};

/// What the store holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) model: Model,
    /// The account's counter.
    pub(crate) modseq: u64,
    /// By mailbox id and UID.
    pub(crate) row_modseqs: BTreeMap<(u32, u32), u64>,
}

/// Which content each document of the account has, as far as it was read in this life of the store.
pub(crate) type Documents = BTreeMap<u64, u64>;

/// Reads the account. An error is a finding.
pub(crate) async fn observe(
    store: &Store,
    id: AccountId,
    documents: &mut Documents,
) -> Result<Observed, String> {
    let account = store.account(id).await.map_err(|e| format!("the account cannot be opened: {e}"))?;
    let state = account.state();
    let mut out = Observed { modseq: state.modseq.0, ..Observed::default() };
    let (mut octets, mut messages) = (0, 0);
    for (mailbox_id, mailbox) in &state.mailboxes {
        let open = match account.open(*mailbox_id).await {
            Ok(open) => open,
            Err(e) => return Err(format!("mailbox {:?} cannot be opened: {e}", mailbox.name)),
        };
        if open.name != mailbox.name {
            return Err(format!("mailbox {:?} opens as {:?}", mailbox.name, open.name));
        }
        let seen = read(&account, &open, documents, &mut out).await?;
        octets += open.counts.octets;
        messages += u64::from(open.counts.messages);
        if out.model.mailboxes.insert(open.name.clone(), seen).is_some() {
            return Err(format!("two mailboxes are called {:?}", open.name));
        }
    }
    check_usage(&state, octets, messages)?;
    Ok(out)
}

fn check_usage(state: &AccountState, octets: u64, messages: u64) -> Result<(), String> {
    if (state.usage.octets, state.usage.messages) != (octets, messages) {
        return Err(format!(
            "usage is {:?}, the mailboxes' sum {octets} octets, {messages} messages",
            state.usage
        ));
    }
    Ok(())
}

async fn read(
    account: &Account,
    open: &MailboxState,
    documents: &mut Documents,
    out: &mut Observed,
) -> Result<Mailbox, String> {
    let name = &open.name;
    let identity = Identity { id: open.id.0, uid_validity: open.uid_validity.0 };
    let mut mailbox = Mailbox { identity: Some(identity), uid_next: open.uid_next.0, messages: Vec::new() };
    let (mut unseen, mut deleted, mut octets, mut last) = (0, 0, 0, 0);
    for row in open.pages.iter().flat_map(|pages| pages.iter()).flat_map(|page| page.rows.iter()) {
        if row.uid.0 <= last || row.uid.0 >= open.uid_next.0 {
            return Err(format!("{name:?}: UID {} after {last}, UIDNEXT {}", row.uid, open.uid_next));
        }
        if row.modseq.0 == 0 || row.modseq > open.highest_modseq || open.highest_modseq.0 > out.modseq {
            return Err(format!(
                "{name:?}: UID {} has modseq {}, the mailbox {}, the account {}",
                row.uid, row.modseq, open.highest_modseq, out.modseq
            ));
        }
        last = row.uid.0;
        unseen += u32::from(!row.flags.has(Flags::SEEN));
        deleted += u32::from(row.flags.has(Flags::DELETED));
        octets += u64::from(row.size_octets);
        let number = content_of(account, row, documents)
            .await
            .map_err(|e| format!("{name:?} UID {}: {e}", row.uid))?;
        out.row_modseqs.insert((open.id.0, row.uid.0), row.modseq.0);
        mailbox.messages.push(Message { uid: row.uid.0, flags: names_of(row, open), content: number });
    }
    let counted = (mailbox.messages.len() as u64, unseen, deleted, octets);
    let kept = (u64::from(open.counts.messages), open.counts.unseen, open.counts.deleted, open.counts.octets);
    if counted != kept {
        return Err(format!(
            "{name:?}: counts are {kept:?}, a recount gives {counted:?} (messages, unseen, deleted, octets)"
        ));
    }
    Ok(mailbox)
}

async fn content_of(account: &Account, row: &Row, documents: &mut Documents) -> Result<u64, String> {
    if let Some(number) = documents.get(&row.doc.0) {
        return Ok(*number);
    }
    let record = account.record(row.doc).await.map_err(|e| format!("no record: {e}"))?;
    if record.size_octets() != u64::from(row.size_octets) {
        return Err(format!("the row says {} octets, the record {}", row.size_octets, record.size_octets()));
    }
    let octets = account
        .read(&record, 0..record.size_octets())
        .await
        .map_err(|e: StoreError| format!("no body: {e}"))?;
    let number = content::number_of(&octets)?;
    documents.insert(row.doc.0, number);
    Ok(number)
}

fn names_of(row: &Row, mailbox: &MailboxState) -> FlagNames {
    const SYSTEM: [(Flags, &str); 5] = [
        (Flags::SEEN, "\\seen"),
        (Flags::ANSWERED, "\\answered"),
        (Flags::FLAGGED, "\\flagged"),
        (Flags::DELETED, "\\deleted"),
        (Flags::DRAFT, "\\draft"),
    ];
    let system = SYSTEM.iter().filter(|(flag, _)| row.flags.has(*flag)).map(|(_, name)| (*name).to_owned());
    let keywords = mailbox.keywords.iter().enumerate().filter(|(bit, _)| row.keywords.0 >> bit & 1 == 1);
    system.chain(keywords.map(|(_, keyword)| keyword.as_str().to_ascii_lowercase())).collect()
}

/// What must hold between one state and a later one, whatever happened between: counters only grow, changed messages have newer modseqs.
pub(crate) fn check_progress(before: &Observed, after: &Observed) -> Result<(), String> {
    if after.modseq < before.modseq {
        return Err(format!("the account's modseq went back from {} to {}", before.modseq, after.modseq));
    }
    for (name, mailbox) in &after.model.mailboxes {
        let same = |other: &&Mailbox| other.identity == mailbox.identity;
        let Some(id) = mailbox.identity.map(|identity| identity.id) else { continue };
        let Some(earlier) = before.model.mailboxes.values().find(same) else { continue };
        if mailbox.uid_next < earlier.uid_next {
            return Err(format!(
                "{name:?}: UIDNEXT went back from {} to {}",
                earlier.uid_next, mailbox.uid_next
            ));
        }
        for message in &mailbox.messages {
            let Some(old) = earlier.messages.iter().find(|old| old.uid == message.uid) else {
                if message.uid < earlier.uid_next {
                    return Err(format!(
                        "{name:?}: UID {} appeared below UIDNEXT {}",
                        message.uid, earlier.uid_next
                    ));
                }
                continue;
            };
            if old.content != message.content {
                return Err(format!(
                    "{name:?}: UID {} was #{}, is #{}",
                    message.uid, old.content, message.content
                ));
            }
            let modseq = after.row_modseqs.get(&(id, message.uid)).copied().unwrap_or(0);
            if old.flags != message.flags && modseq <= before.modseq {
                return Err(format!(
                    "{name:?}: UID {} changed without a newer modseq ({modseq})",
                    message.uid
                ));
            }
        }
    }
    Ok(())
}
