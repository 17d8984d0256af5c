//! APPEND and REPLACE. RFC 9051 §6.3.12; RFC 3502 (several messages), RFC 4315 (APPENDUID), RFC 7889 (limit), RFC 3516 (literal8),
//! RFC 4469 (CATENATE), RFC 9755 §4 (header fields in UTF-8), RFC 8508 (REPLACE).
//! Messages stream to the store; none is ever held here. What can be refused is refused before the client is invited to send.

use std::sync::Arc;

use yubin_base::{Next, UnixMs};
use yubin_engine::CommitError;
use yubin_store::{Access, Appended, MailboxId, NewMessage, Quota, Rights, Stager, StoreError, Uid, Usage};

use crate::{
    ImapServices,
    codec::{
        Code, Writer,
        append::{Place, Replaces, Target, Then, Word, words},
        cursor::Cursor,
        frame::{LiteralHead, literal_head},
        request::AppendHead,
        set::{STAR, ranges},
    },
    limits,
    session::{
        Mode, Session,
        notify::OwnChange,
        reach,
        reply::Reply,
        user::{User, not_selected},
    },
};

use super::{catenate, message_limit::save_limit};

/// An APPEND or REPLACE under way.
pub(crate) struct Append {
    tag: String,
    access: Access,
    mailbox: MailboxId,
    replaces: Option<Replaced>,
    quota: Quota,
    done: Vec<NewMessage>,
    /// Octets of all its messages.
    octets: u64,
    /// Parts of all its messages.
    parts: usize,
    place: Place,
    building: Option<Building>,
    incoming: Option<Incoming>,
}

/// What it works with: the session's parts that can be shared between threads.
#[derive(Clone, Copy)]
pub(super) struct Desk<'a> {
    pub(super) services: &'a ImapServices,
    pub(super) user: &'a User,
}

/// The message that goes (RFC 8508).
#[derive(Clone, Copy)]
struct Replaced {
    mailbox: MailboxId,
    uid: Uid,
    size_octets: u64,
}

/// The message that is being made.
struct Building {
    stager: Stager,
    head: AppendHead,
    octets: u64,
    watch: Watch,
}

/// The literal that is coming in.
struct Incoming {
    left: u64,
    /// May hold NUL.
    binary: bool,
    into: Into,
}

enum Into {
    /// The message, which ends with it.
    Whole,
    /// The message, which goes on.
    Part,
    /// A URL.
    Url(Vec<u8>),
}

/// At the literal of its first message, or, when it has none, at the end of the command. `fragment` is what stands between the mailbox's
/// name and there.
pub(crate) async fn start(
    session: &mut Session,
    tag: String,
    target: Target,
    fragment: &[u8],
    literal: Option<&LiteralHead>,
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Next {
    let Some(user) = &session.user else {
        return refuse(session, tag, Reply::bad("log in first"), literal, out).await;
    };
    if literal.is_none() && fragment.trim_ascii().is_empty() {
        return refuse(session, tag, Reply::bad("expected a message as a literal"), literal, out).await;
    }
    match open(Desk { services: &session.services, user }, tag.clone(), &target).await {
        Ok(append) => go_on(session, append, fragment, literal, now, out).await,
        Err(reply) => refuse(session, tag, reply, literal, out).await,
    }
}

/// Looks for the mailbox, and for the message that goes.
async fn open(desk: Desk<'_>, tag: String, target: &Target) -> Result<Append, Reply> {
    let Desk { services, user } = desk;
    let replaces = match target.replaces {
        Some(replaces) => Some(replaced(user, replaces)?),
        None => None,
    };
    // RFC 9051 §6.3.12: TRYCREATE, and nothing is created.
    let target = reach::target(services, user, &target.mailbox).await?;
    if replaces.is_some_and(|_| user.access().id() != target.access.id()) {
        // It would not be one transaction.
        return Err(Reply::no(Code::Cannot, "a message is not replaced by one in another account"));
    }
    let quota = services.quotas.quota(target.access.id()).await;
    Ok(Append {
        tag,
        mailbox: target.mailbox.id,
        access: target.access,
        replaces,
        quota,
        done: Vec::new(),
        octets: 0,
        parts: 0,
        place: Place::Message,
        building: None,
        incoming: None,
    })
}

/// RFC 8508 §3.5: only in the selected state; the message must be one that the client knows.
fn replaced(user: &User, replaces: Replaces) -> Result<Replaced, Reply> {
    let selected = user.selected.as_ref().ok_or_else(not_selected)?;
    if selected.read_only {
        return Err(Reply::no(Code::ReadOnly, "the mailbox was opened read-only"));
    }
    // RFC 8508 §4.1: what STORE and EXPUNGE need.
    reach::allowed(selected.rights(), REMOVE)?;
    if user.enabled.uid_only && !replaces.uid {
        // RFC 9586 §3: the client promised to use no sequence numbers.
        return Err(Reply::bad_code(Code::UidRequired, "messages have no sequence numbers any more"));
    }
    let view = &selected.view;
    let seq = match replaces {
        Replaces { number: STAR, .. } => Some(view.exists()).filter(|seq| *seq > 0),
        Replaces { number, uid: true } => view.seq_of(Uid(number)),
        Replaces { number, uid: false } => Some(number),
    };
    match seq.and_then(|seq| view.at(seq)) {
        Some((row, false)) => {
            Ok(Replaced { mailbox: selected.id, uid: row.uid, size_octets: u64::from(row.size_octets) })
        }
        Some((_, true)) => Err(StoreError::Gone.into()),
        None if replaces.uid => Err(Reply::no(Code::NonExistent, "there is no such message")),
        None => Err(Reply::bad("there are fewer messages than that")),
    }
}

/// Takes the words up to the next literal or the end of the command.
async fn go_on(
    session: &mut Session,
    mut append: Append,
    fragment: &[u8],
    literal: Option<&LiteralHead>,
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Next {
    let Some(user) = &session.user else { return Next::Read };
    let desk = Desk { services: &session.services, user };
    match take_words(desk, &mut append, fragment, literal, now).await {
        Ok(Then::Done) => {
            let (tag, reply) = store(session, append, now, out).await;
            finish(session, &tag, &reply, out).await
        }
        Ok(_) => {
            if literal.is_some_and(|literal| literal.waits) {
                out.extend_from_slice(b"+ go on\r\n");
            }
            session.mode = Mode::Append(Box::new(append));
            Next::Read
        }
        Err(reply) => refuse(session, append.tag, reply, literal, out).await,
    }
}

async fn refuse(
    session: &mut Session,
    tag: String,
    reply: Reply,
    literal: Option<&LiteralHead>,
    out: &mut Vec<u8>,
) -> Next {
    match literal {
        Some(literal) => session.refuse(tag, reply, literal, out),
        None => finish(session, &tag, &reply, out).await,
    }
}

async fn finish(session: &mut Session, tag: &str, reply: &Reply, out: &mut Vec<u8>) -> Next {
    session.finish(tag, reply, super::News::All, &[], out).await
}

async fn take_words(
    desk: Desk<'_>,
    append: &mut Append,
    fragment: &[u8],
    literal: Option<&LiteralHead>,
    now: UnixMs,
) -> Result<Then, Reply> {
    let mut cursor = Cursor::new(fragment);
    let (words, then) =
        words(&mut cursor, &mut append.place, literal.is_some()).map_err(|error| Reply::bad(error.what))?;
    for word in words {
        match word {
            Word::Begin(head) => append.begin(desk, head)?,
            Word::Url(url) => {
                append.count_part()?;
                catenate::copy(desk, append, &url).await?;
            }
            Word::End => append.end_message(desk, now)?,
        }
    }
    if let Some(literal) = literal {
        append.expect(desk, then, literal)?;
    } else if append.done.is_empty() {
        return Err(Reply::bad("expected a message as a literal"));
    }
    Ok(then)
}

impl Append {
    /// A message begins.
    fn begin(&mut self, desk: Desk<'_>, head: AppendHead) -> Result<(), Reply> {
        // RFC 8508 §4.7: no REPLACE of or by several messages.
        if self.replaces.is_some() && !self.done.is_empty() {
            return Err(Reply::bad("REPLACE takes one message"));
        }
        if let Some(limit) = save_limit(desk.services)
            && self.done.len() as u64 >= u64::from(limit)
        {
            // RFC 9738 §3.1: APPEND is all or nothing.
            let code = Code::MessageLimit(limit, None);
            return Err(Reply::no(code, "that is more than one command appends; nothing was appended"));
        }
        if self.done.len() >= limits::APPEND_MESSAGES {
            return Err(Reply::no(Code::Limit, "too many messages in one APPEND"));
        }
        let stager = desk.services.store.stager();
        self.building = Some(Building { stager, head, octets: 0, watch: Watch::default() });
        Ok(())
    }

    fn count_part(&mut self) -> Result<(), Reply> {
        self.parts += 1;
        if self.parts > limits::APPEND_PARTS {
            return Err(Reply::no(Code::Limit, "too many parts in one APPEND"));
        }
        Ok(())
    }

    /// A literal is about to come in.
    fn expect(&mut self, desk: Desk<'_>, then: Then, literal: &LiteralHead) -> Result<(), Reply> {
        let into = match then {
            Then::Whole => Into::Whole,
            Then::Url if literal.octets > limits::URL_OCTETS as u64 => {
                return Err(Reply::no(Code::Limit, "the URL is too long"));
            }
            Then::Url => Into::Url(Vec::new()),
            Then::Part | Then::Done => Into::Part,
        };
        if !matches!(into, Into::Url(_)) {
            self.charge(desk, literal.octets)?;
        }
        self.count_part()?;
        if matches!(into, Into::Whole) && literal.octets == 0 {
            // RFC 3502 §6.3.11: a message of nothing gives the APPEND up.
            return Err(empty());
        }
        self.incoming = Some(Incoming { left: literal.octets, binary: literal.binary, into });
        Ok(())
    }

    /// Whether there is room for so many octets more.
    pub(super) fn charge(&mut self, desk: Desk<'_>, octets: u64) -> Result<(), Reply> {
        let services = desk.services;
        let Some(building) = &mut self.building else { return Ok(()) };
        building.octets = building.octets.saturating_add(octets);
        if building.octets
            > services.options.message_octets_max.min(services.store.options().message_octets_max)
        {
            return Err(Reply::no(Code::TooBig, "the message is larger than this server takes"));
        }
        self.octets = self.octets.saturating_add(octets);
        if self.is_over(self.access.state().usage) {
            return Err(Reply::from(StoreError::OverQuota));
        }
        services.store.room_for(self.octets)?;
        Ok(())
    }

    /// RFC 8508 §3.4: what is replaced counts no more.
    fn is_over(&self, usage: Usage) -> bool {
        let (gone, one) = self.replaces.map_or((0, 0), |r| (r.size_octets, 1));
        if self.replaces.is_some() && self.octets <= gone {
            return false;
        }
        let octets = usage.octets.saturating_add(self.octets).saturating_sub(gone);
        let messages = usage.messages.saturating_add(self.done.len() as u64 + 1).saturating_sub(one);
        self.quota.octets.is_some_and(|most| octets > most)
            || self.quota.messages.is_some_and(|most| messages > most)
    }

    /// Octets of the message that is being made.
    pub(super) fn write(&mut self, octets: &[u8], binary: bool) -> Result<(), Reply> {
        let Some(building) = &mut self.building else { return Ok(()) };
        building.watch.look(octets);
        if !binary && memchr::memchr(0, octets).is_some() {
            // RFC 9051 §9: CHAR8 leaves NUL out.
            return Err(Reply::bad("only a literal8 can hold NUL"));
        }
        Ok(building.stager.write(octets)?)
    }

    fn end_message(&mut self, desk: Desk<'_>, now: UnixMs) -> Result<(), Reply> {
        let Some(building) = self.building.take() else { return Ok(()) };
        if building.octets == 0 {
            return Err(empty());
        }
        if building.watch.has_8bit && !desk.user.dialect().utf8 {
            // RFC 9755 §4: a client that did not say it knows UTF-8 in header fields sends none.
            return Err(Reply::no(
                Code::Cannot,
                "header fields with 8-bit characters need ENABLE UTF8=ACCEPT",
            ));
        }
        self.done.push(NewMessage {
            staged: Arc::new(building.stager.finish()?),
            prefix: Vec::new(),
            flags: building.head.flags.flags,
            internal_date: building.head.internal_date(now),
            keywords: building.head.flags.keywords,
            idem: None,
        });
        Ok(())
    }
}

fn empty() -> Reply {
    Reply::no(Code::Cannot, "the message is empty")
}

/// Takes a piece of a literal, or the words behind it.
pub(crate) async fn take(
    session: &mut Session,
    input: &[u8],
    now: UnixMs,
    out: &mut Vec<u8>,
) -> (usize, Next) {
    let Mode::Append(append) = &mut session.mode else { return (0, Next::Read) };
    let Some(incoming) = append.incoming.as_mut() else {
        return take_line(session, input, now, out).await;
    };
    let octets = usize::try_from(incoming.left).unwrap_or(usize::MAX).min(input.len());
    let piece = input.get(..octets).unwrap_or_default();
    incoming.left -= octets as u64;
    let (left, binary) = (incoming.left, incoming.binary);
    let written = match &mut incoming.into {
        Into::Url(url) => {
            url.extend_from_slice(piece);
            Ok(())
        }
        Into::Whole | Into::Part => append.write(piece, binary),
    };
    if let Err(reply) = written {
        return (octets, give_up(session, reply, left, out));
    }
    if left > 0 {
        return (octets, Next::Read);
    }
    (octets, end_literal(session, now, out).await)
}

/// A literal is complete.
async fn end_literal(session: &mut Session, now: UnixMs, out: &mut Vec<u8>) -> Next {
    let Mode::Append(mut append) = std::mem::replace(&mut session.mode, Mode::Commands) else {
        return Next::Read;
    };
    let Some(user) = &session.user else { return Next::Read };
    let desk = Desk { services: &session.services, user };
    let ended = match append.incoming.take().map(|incoming| incoming.into) {
        Some(Into::Whole) => append.end_message(desk, now),
        Some(Into::Url(url)) => catenate::copy(desk, &mut append, &url).await,
        Some(Into::Part) | None => Ok(()),
    };
    session.mode = Mode::Append(append);
    match ended {
        Ok(()) => Next::Read,
        Err(reply) => give_up(session, reply, 0, out),
    }
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

/// The words behind a literal, up to the next one or the end of the command.
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
    let literal = literal_head(line).map(|(start, octets, waits, binary)| LiteralHead {
        start,
        end: end + 1,
        octets,
        waits,
        binary,
    });
    let fragment = match &literal {
        Some(literal) => line.get(..literal.start).unwrap_or_default(),
        None => line,
    };
    (end + 1, go_on(session, *append, fragment, literal.as_ref(), now, out).await)
}

/// All messages in one transaction.
async fn store(session: &mut Session, append: Append, now: UnixMs, out: &mut Vec<u8>) -> (String, Reply) {
    let Append { tag, access, mailbox, replaces, quota, done, .. } = append;
    // Rights may be gone by now, since a message takes its time to come in.
    let rights = reach::allowed(access.rights_now(mailbox), Rights::INSERT);
    let removal = replaces.map_or(Ok(()), |old| reach::allowed(access.rights_now(old.mailbox), REMOVE));
    if let Err(reply) = rights.and(removal) {
        return (tag, reply);
    }
    let stored = match replaces {
        Some(old) => replace(&access, old, mailbox, done, quota, now).await,
        None => access.append(mailbox, done, quota, now).await,
    };
    let reply = match stored {
        Ok(appended) => told(session, &access, mailbox, replaces, &appended, out),
        Err(StoreError::NoMailbox) => Reply::try_create(),
        Err(StoreError::Commit(CommitError::TooLarge)) => {
            Reply::no(Code::Limit, "too many messages in one APPEND")
        }
        Err(error) => Reply::from(error),
    };
    (tag, reply)
}

/// What removing a message needs (RFC 4314 §4).
const REMOVE: Rights = Rights::DELETE_MESSAGES.with(Rights::EXPUNGE);

async fn replace(
    access: &Access,
    old: Replaced,
    mailbox: MailboxId,
    mut messages: Vec<NewMessage>,
    quota: Quota,
    now: UnixMs,
) -> Result<Vec<Appended>, StoreError> {
    match messages.pop() {
        Some(new) => {
            access.replace((old.mailbox, old.uid), mailbox, new, quota, now).await.map(|done| vec![done])
        }
        None => Ok(Vec::new()),
    }
}

/// Tells the new UIDs. Each `Appended` holds the proof that lets us say OK.
fn told(
    session: &mut Session,
    access: &Access,
    mailbox: MailboxId,
    replaces: Option<Replaced>,
    appended: &[Appended],
    out: &mut Vec<u8>,
) -> Reply {
    let Some(first) = appended.first() else { return Reply::bad("there was no message") };
    if let Some(user) = &mut session.user {
        user.made(access.id(), OwnChange::arrived(first.modseq, mailbox, first.uid, appended.len()));
        if let Some(old) = replaces {
            user.made(access.id(), OwnChange::left(first.modseq, old.mailbox, 1));
        }
    }
    let code = Code::AppendUid(first.uid_validity.0, ranges(appended.iter().map(|a| a.uid.0)));
    if replaces.is_none() {
        return Reply::ok_code(code, "appended");
    }
    // RFC 8508 §4.3: the new UID is told before the old message is told to be gone.
    Writer::new(out, session.dialect()).untagged_ok(&code, "the new message");
    Reply::ok("replaced")
}

/// Looks for 8-bit characters in the header section, however the message is cut.
#[derive(Default)]
struct Watch {
    has_8bit: bool,
    /// The header section is over.
    in_body: bool,
    /// Octets of an empty line seen so far: the LF before it, and perhaps its CR. A message may begin with one.
    line_is_empty: Option<bool>,
}

impl Watch {
    fn look(&mut self, octets: &[u8]) {
        if self.in_body || self.has_8bit {
            return;
        }
        for octet in octets {
            let empty = self.line_is_empty.unwrap_or(true);
            match octet {
                b'\n' if empty => {
                    self.in_body = true;
                    return;
                }
                b'\n' => self.line_is_empty = Some(true),
                b'\r' => {}
                octet => {
                    self.line_is_empty = Some(false);
                    self.has_8bit |= !octet.is_ascii();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_header_section_is_watched_however_it_is_cut() {
        for (text, has_8bit) in [
            ("Subject: é\r\n\r\nx", true),
            ("Subject: e\r\n\r\né", false),
            ("a: b\n\né", false),
            ("\r\né", false),
            ("é", true),
            ("a: b\r\n c é\r\n", true),
            ("", false),
        ] {
            for cut in 0..=text.len() {
                let mut watch = Watch::default();
                watch.look(&text.as_bytes()[..cut]);
                watch.look(&text.as_bytes()[cut..]);
                assert_eq!(watch.has_8bit, has_8bit, "{text:?} {cut}");
            }
        }
    }
}
