//! APPEND. RFC 9051 §6.3.12; RFC 3502 (several messages), RFC 4315 (APPENDUID), RFC 7889 (limit), RFC 3516 (literal8).
//! Messages stream to the store; none is ever held here. What can be refused is refused before the client is invited to send.

use std::sync::Arc;

use yubin_base::{Next, UnixMs};
use yubin_engine::CommitError;
use yubin_store::{Access, MailboxId, NewMessage, Quota, Rights, Stager, StoreError};

use crate::{
    codec::{
        Code,
        cursor::Cursor,
        frame::{LiteralHead, literal_head},
        parse::append_head,
        request::AppendHead,
        set::ranges,
    },
    limits,
    session::{Mode, Session, notify::OwnChange, reach, reply::Reply},
};

use super::message_limit::save_limit;

/// An APPEND under way.
pub(crate) struct Append {
    tag: String,
    access: Access,
    mailbox: MailboxId,
    quota: Quota,
    done: Vec<NewMessage>,
    /// Octets of all its messages.
    octets: u64,
    current: Option<Incoming>,
}

/// The message that is coming in.
struct Incoming {
    stager: Stager,
    left: u64,
    head: AppendHead,
}

/// At the literal of its first message.
pub(crate) async fn start(
    session: &mut Session,
    tag: String,
    mailbox: &str,
    head: AppendHead,
    literal: &LiteralHead,
    out: &mut Vec<u8>,
) -> Next {
    let Some(user) = &session.user else { return Next::Read };
    // RFC 9051 §6.3.12: TRYCREATE, and nothing is created.
    let target = match reach::target(&session.services, user, mailbox).await {
        Ok(target) => target,
        Err(reply) => return session.refuse(tag, reply, literal, out),
    };
    let quota = session.services.quotas.quota(target.access.id()).await;
    let (access, mailbox) = (target.access, target.mailbox.id);
    let mut append = Append { tag, access, mailbox, quota, done: Vec::new(), octets: 0, current: None };
    match begin(session, &mut append, head, literal, out) {
        Ok(begun) => begun.then_append(session, append),
        Err(reply) => session.refuse(append.tag, reply, literal, out),
    }
}

/// Lets a message come in, or says why not.
fn begin(
    session: &Session,
    append: &mut Append,
    head: AppendHead,
    literal: &LiteralHead,
    out: &mut Vec<u8>,
) -> Result<Begun, Reply> {
    if literal.octets == 0 {
        // RFC 3502 §6.3.11: a message of nothing gives the APPEND up.
        return Err(Reply::no(Code::Cannot, "the message is empty"));
    }
    if let Some(limit) = save_limit(&session.services)
        && append.done.len() as u64 >= u64::from(limit)
    {
        // RFC 9738 §3.1: APPEND is all or nothing.
        let code = Code::MessageLimit(limit, None);
        return Err(Reply::no(code, "that is more than one command appends; nothing was appended"));
    }
    if append.done.len() >= limits::APPEND_MESSAGES {
        return Err(Reply::no(Code::Limit, "too many messages in one APPEND"));
    }
    let max =
        session.services.options.message_octets_max.min(session.services.store.options().message_octets_max);
    if literal.octets > max {
        return Err(Reply::no(Code::TooBig, "the message is larger than this server takes"));
    }
    let octets = append.octets.saturating_add(literal.octets);
    let usage = append.access.state().usage;
    let messages = usage.messages.saturating_add(append.done.len() as u64 + 1);
    let over = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used > limit);
    if over(append.quota.octets, usage.octets.saturating_add(octets)) || over(append.quota.messages, messages)
    {
        return Err(Reply::from(StoreError::OverQuota));
    }
    session.services.store.room_for(octets)?;
    append.octets = octets;
    append.current = Some(Incoming { stager: session.services.store.stager(), left: literal.octets, head });
    if literal.waits {
        out.extend_from_slice(b"+ go on\r\n");
    }
    Ok(Begun)
}

/// Proof that a message may come in.
struct Begun;

/// Takes a piece of a message, or the line behind it.
pub(crate) async fn take(
    session: &mut Session,
    input: &[u8],
    now: UnixMs,
    out: &mut Vec<u8>,
) -> (usize, Next) {
    let Mode::Append(append) = &mut session.mode else { return (0, Next::Read) };
    let Some(incoming) = append.current.as_mut() else {
        return take_line(session, input, now, out).await;
    };
    let octets = usize::try_from(incoming.left).unwrap_or(usize::MAX).min(input.len());
    let piece = input.get(..octets).unwrap_or_default();
    incoming.left -= octets as u64;
    let left = incoming.left;
    if let Err(error) = incoming.stager.write(piece) {
        return (octets, give_up(session, Reply::from(error), left, out));
    }
    if left > 0 {
        return (octets, Next::Read);
    }
    match finish_message(append, now) {
        Ok(()) => (octets, Next::Read),
        Err(reply) => (octets, give_up(session, reply, 0, out)),
    }
}

fn finish_message(append: &mut Append, now: UnixMs) -> Result<(), Reply> {
    let Some(incoming) = append.current.take() else { return Ok(()) };
    let staged = Arc::new(incoming.stager.finish()?);
    append.done.push(NewMessage {
        staged,
        prefix: Vec::new(),
        flags: incoming.head.flags.flags,
        internal_date: incoming.head.internal_date(now),
        keywords: incoming.head.flags.keywords,
        idem: None,
    });
    Ok(())
}

/// The rest of the command is read and forgotten; then the answer is given.
fn give_up(session: &mut Session, reply: Reply, left: u64, out: &mut Vec<u8>) -> Next {
    let Mode::Append(append) = std::mem::replace(&mut session.mode, Mode::Commands) else {
        return Next::Read;
    };
    // The client sends this literal whatever we say now.
    let literal = LiteralHead { start: 0, end: 0, octets: left, waits: false, binary: false };
    session.refuse(append.tag, reply, &literal, out)
}

/// ` (flags) "date" {octets}` of a further message, or the end of the command.
async fn take_line(session: &mut Session, input: &[u8], now: UnixMs, out: &mut Vec<u8>) -> (usize, Next) {
    let Some(end) = memchr::memchr(b'\n', input) else {
        if input.len() > limits::COMMAND_OCTETS {
            return (input.len(), session.bye(Some(Code::TooBig), "the command is too long", out));
        }
        return (0, Next::Read);
    };
    let line = input.get(..=end).unwrap_or_default();
    let Mode::Append(append) = std::mem::replace(&mut session.mode, Mode::Commands) else {
        return (0, Next::Read);
    };
    let Some((start, octets, waits, binary)) = literal_head(line) else {
        let reply = if line.trim_ascii().is_empty() {
            store(session, *append, now).await
        } else {
            return (
                end + 1,
                finish(session, &append.tag, &Reply::bad("expected the end of the command"), out).await,
            );
        };
        let (tag, reply) = reply;
        return (end + 1, finish(session, &tag, &reply, out).await);
    };
    let literal = LiteralHead { start, end: end + 1, octets, waits, binary };
    let mut append = *append;
    let mut cursor = Cursor::new(line.get(..start).unwrap_or_default());
    let begun = append_head(&mut cursor)
        .map_err(|error| Reply::bad(error.what))
        .and_then(|head| begin(session, &mut append, head, &literal, out));
    let next = match begun {
        Ok(begun) => begun.then_append(session, append),
        Err(reply) => session.refuse(append.tag, reply, &literal, out),
    };
    (end + 1, next)
}

async fn finish(session: &mut Session, tag: &str, reply: &Reply, out: &mut Vec<u8>) -> Next {
    session.finish(tag, reply, true, &[], out).await
}

/// All messages in one transaction.
async fn store(session: &mut Session, append: Append, now: UnixMs) -> (String, Reply) {
    // The right may be gone by now, since a message takes its time to come in.
    if let Err(reply) = reach::allowed(append.access.rights_now(append.mailbox), Rights::INSERT) {
        return (append.tag, reply);
    }
    let reply = match append.access.append(append.mailbox, append.done, append.quota, now).await {
        Ok(appended) => match appended.first() {
            // `committed` is the proof that lets us say OK.
            Some(first) => {
                if let Some(user) = &mut session.user {
                    let change = OwnChange::arrived(first.modseq, append.mailbox, first.uid, appended.len());
                    user.made(append.access.id(), change);
                }
                Reply::ok_code(
                    Code::AppendUid(first.uid_validity.0, ranges(appended.iter().map(|a| a.uid.0))),
                    "appended",
                )
            }
            None => Reply::bad("there was no message"),
        },
        Err(StoreError::NoMailbox) => Reply::try_create(),
        Err(StoreError::Commit(CommitError::TooLarge)) => {
            Reply::no(Code::Limit, "too many messages in one APPEND")
        }
        Err(error) => Reply::from(error),
    };
    (append.tag, reply)
}

impl Begun {
    fn then_append(self, session: &mut Session, append: Append) -> Next {
        session.mode = Mode::Append(Box::new(append));
        Next::Read
    }
}
