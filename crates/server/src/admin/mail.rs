//! The queue, mailboxes, and the care of what is stored.

use serde_json::{Value, json};
use yubin_base::{TraceId, UnixMs};
use yubin_delivery::{Filter, History, QueueError, QueuedMessage, Sought, State};
use yubin_engine::embedded::Level;
use yubin_store::{MailboxState, SpecialUse};

use super::{AdminError, AdminErrorClass, QueueFilter, QueueOrder, Reply, Request, people::find_account};
use crate::{app::App, clock};

/// Messages that a listing shows unless asked for more.
const QUEUE_LISTED: usize = 1_000;

impl From<QueueError> for AdminError {
    fn from(error: QueueError) -> Self {
        let class = match &error {
            QueueError::NoEntry => AdminErrorClass::NotFound,
            QueueError::Commit(_) | QueueError::Read(_) => AdminErrorClass::Failed,
        };
        Self::new(class, error)
    }
}

pub(super) async fn execute(app: &App, request: Request) -> Reply {
    let queue = app.delivery.queue();
    match request {
        Request::QueueList { limit, filter } => {
            let messages = queue.list(&wanted(filter), limit.unwrap_or(QUEUE_LISTED)).await?;
            let shown: Vec<Value> = messages.iter().map(|m| queued(m, false)).collect();
            Ok(json!({ "total": queue.len(), "messages": shown }))
        }
        Request::QueueShow { id } => Ok(queued(&queue.show(trace_id(&id)?).await?, true)),
        Request::QueueOrder { order, ids, filter, host } => order_all(app, order, ids, filter, host).await,
        Request::Trace { what } => {
            let found = queue.history(&Sought::read(&what)).await?;
            if found.is_empty() {
                let words = "No message is remembered by that name; a Message-ID stands in angle brackets, an address is written whole.";
                return Err(AdminError::new(AdminErrorClass::NotFound, words));
            }
            Ok(found.iter().map(history).collect())
        }
        Request::MailboxList { account } => {
            let account = app.store.account(find_account(app, &account)?.id).await?;
            Ok(account.state().mailboxes.values().map(|m| mailbox(m)).collect())
        }
        Request::MailboxAdd { account, mailbox: name } => {
            let account = app.store.account(find_account(app, &account)?.id).await?;
            account.create_mailbox(&name, None, clock::now()).await?;
            account.subscribe(&name, true).await?;
            Ok(json!({ "added": name }))
        }
        Request::MailboxRemove { account, mailbox: name } => {
            let account = app.store.account(find_account(app, &account)?.id).await?;
            let found = account.mailbox_named(&name).ok_or(yubin_store::StoreError::NoMailbox)?;
            account.delete_mailbox(&found, clock::now()).await?;
            Ok(json!({ "removed": name }))
        }
        Request::MailboxReindex { account } => {
            let account = app.store.account(find_account(app, &account)?.id).await?;
            let before = account.index_stats().await?;
            account.drop_index().await?;
            let messages = account.index_stats().await?.waiting;
            Ok(json!({ "messages": messages, "freed_octets": before.octets }))
        }
        Request::Fsck { account, repair, bodies } => fsck(app, account, repair, bodies).await,
        Request::CollectGarbage => {
            let report = crate::garbage::collect(app)
                .await
                .map_err(|e| AdminError::new(AdminErrorClass::Failed, e))?;
            Ok(json!({
                "segments_deleted": report.deleted.len(),
                "segments_to_be_deleted_next": report.condemned.len(),
                "freed_octets": report.freed_octets,
            }))
        }
        _ => Err(AdminError::new(AdminErrorClass::Failed, "this request belongs elsewhere")),
    }
}

fn wanted(filter: QueueFilter) -> Filter {
    let QueueFilter { from, to, state, held } = filter;
    Filter { from, to, state, held }
}

/// Carries an order out for each message. One that is gone meanwhile is passed over when a filter chose it.
async fn order_all(
    app: &App,
    order: QueueOrder,
    ids: Vec<String>,
    filter: QueueFilter,
    host: Option<String>,
) -> Reply {
    let queue = app.delivery.queue();
    let chosen = ids.is_empty();
    let ids: Vec<TraceId> = if chosen {
        let found = queue.list(&wanted(filter), usize::MAX).await?;
        found.into_iter().map(|message| message.entry.id).collect()
    } else {
        ids.iter().map(|id| trace_id(id)).collect::<Result<_, _>>()?
    };
    if order == QueueOrder::Retry {
        app.delivery.forget_pauses();
    }
    let mut done = Vec::new();
    for id in ids {
        let now = clock::now();
        let result = match order {
            QueueOrder::Retry => queue.retry(id, now).await,
            QueueOrder::Hold => queue.hold(id, now).await,
            QueueOrder::Release => queue.release(id, now).await,
            QueueOrder::Drop => queue.drop_message(id, now).await,
            QueueOrder::Route => queue.route(id, host.clone(), now).await,
        };
        match result {
            Ok(()) => done.push(id.to_string()),
            Err(QueueError::NoEntry) if chosen => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(json!({ "done": done }))
}

fn history(history: &History) -> Value {
    let notes: Vec<Value> = history
        .notes
        .iter()
        .map(|note| {
            json!({
                "time": time(note.at),
                "what": note.what.name(),
                "address": note.address,
                "message_id": note.message_id,
                "text": note.text,
            })
        })
        .collect();
    json!({ "id": history.id.to_string(), "notes": notes })
}

fn trace_id(text: &str) -> Result<TraceId, AdminError> {
    let wrong = "An id has 26 letters and digits; `yubin queue list` shows those there are.";
    TraceId::parse(text).ok_or_else(|| AdminError::new(AdminErrorClass::Refused, wrong))
}

fn queued(message: &QueuedMessage, whole: bool) -> Value {
    let entry = &message.entry;
    let recipients: Vec<Value> = message
        .recipients
        .iter()
        .map(|r| {
            let (until, reason) = match &r.state {
                State::Deferred { until, reason } => (Some(time(*until)), Some(reason.clone())),
                State::Failed { at, reason } => (Some(time(*at)), Some(reason.clone())),
                State::Delivered { at } => (Some(time(*at)), None),
                State::Sending { since } => (Some(time(*since)), None),
                State::Pending | State::WaitingRemote => (None, None),
            };
            json!({
                "address": r.target.address().to_string(),
                "state": r.state.name(),
                "time": until,
                "reason": reason,
                "attempts": r.attempts,
                "original": whole.then(|| r.original.clone()),
                "notify": if whole { r.notify } else { None },
                "orcpt": if whole { r.orcpt.clone() } else { None },
            })
        })
        .collect();
    json!({
        "id": entry.id.to_string(),
        "accepted": time(entry.accepted),
        "next_attempt": entry.due.map(time),
        "from": entry.reverse_path.as_ref().map(|a| a.to_string()).unwrap_or_default(),
        "octets": entry.size_octets,
        "held": entry.orders.held,
        "route": entry.orders.route,
        "recipients": recipients,
        "origin": whole.then(|| json!({
            "service": entry.origin.service,
            "remote": entry.origin.remote,
            "helo": entry.origin.helo,
            "account": entry.origin.name,
        })),
        "envid": if whole { entry.dsn.envid.clone() } else { None },
    })
}

fn time(at: UnixMs) -> String {
    jiff::Timestamp::from_millisecond(at.0 as i64).map(|t| format!("{t:.0}")).unwrap_or_default()
}

fn mailbox(mailbox: &MailboxState) -> Value {
    let special_use = mailbox.special_use.map(|role| match role {
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    });
    json!({
        "name": mailbox.name,
        "special_use": special_use,
        "messages": mailbox.counts.messages,
        "unseen": mailbox.counts.unseen,
        "octets": mailbox.counts.octets,
        "uid_validity": mailbox.uid_validity.0,
        "uid_next": mailbox.uid_next.0,
        "highest_modseq": mailbox.highest_modseq.0,
    })
}

async fn fsck(app: &App, account: Option<String>, repair: bool, bodies: bool) -> Reply {
    let accounts = match &account {
        Some(name) => vec![find_account(app, name)?],
        None => app.directory.accounts(),
    };
    let mut problems: Vec<String> = Vec::new();
    let mut repaired = 0;
    let mut messages = 0;
    for found in &accounts {
        let report = app.store.verify_account(found.id, repair).await?;
        messages += report.messages;
        repaired += report.repaired;
        problems.extend(report.problems.iter().map(|p| format!("{}: {p}", found.address)));
    }
    let mut values = 0;
    let mut records = 0;
    if account.is_none() {
        let engine = app.engine.clone();
        let level = if bodies { Level::Everything } else { Level::Metadata };
        let report = tokio::task::spawn_blocking(move || engine.verify(level))
            .await
            .map_err(|e| AdminError::new(AdminErrorClass::Failed, e))?
            .map_err(|e| AdminError::new(AdminErrorClass::Failed, e))?;
        values = report.values;
        records = report.records;
        problems.extend(report.listed);
    }
    Ok(json!({
        "clean": problems.is_empty(),
        "accounts": accounts.len(),
        "messages": messages,
        "values": values,
        "records": records,
        "repaired": repaired,
        "problems": problems,
    }))
}
