//! One IMAP session: the machine that the connection loop drives. Finds commands in the input, has them carried out, and keeps what
//! the session knows between them. Has no socket, clock or task. RFC 9051 §3 (states), §5.

mod frames;
pub(crate) mod notify;
pub(crate) mod reach;
pub(crate) mod reply;
pub(crate) mod user;
pub(crate) mod view;

use std::sync::Arc;

use yubin_base::{Farewell, Next, Peer, Protocol, TlsInfo, UnixMs};

use crate::{
    ImapServices,
    codec::{
        Dialect, Writer,
        frame::Frame,
        write::{Code, Status},
    },
    command::{News, append::Append, authenticate::Exchange, capability, job::Job},
    events, limits,
};

use reply::Reply;
use user::User;

/// One session. Small until somebody logs in.
pub struct Session {
    pub(crate) services: Arc<ImapServices>,
    pub(crate) peer: Peer,
    frame: Frame,
    pub(crate) mode: Mode,
    pub(crate) user: Option<Box<User>>,
    /// Commands in a row that nobody understands.
    bad: u32,
    /// Failed logins.
    pub(crate) failures: u32,
    /// COMPRESS is active.
    pub(crate) compressed: bool,
}

/// What the next octets are.
pub(crate) enum Mode {
    /// A command.
    Commands,
    /// A message of APPEND.
    Append(Box<Append>),
    /// What is left of a command that was refused.
    Skip(Box<Skip>),
    /// An answer to a challenge.
    Authenticate(Box<Exchange>),
    /// `DONE`, for the IDLE with this tag.
    Idle(String),
    /// Nothing: an answer is under way.
    Job(Box<Running>),
    /// Nothing any more.
    Over,
}

/// The rest of a refused command.
pub(crate) struct Skip {
    pub(crate) tag: String,
    pub(crate) reply: Reply,
    /// Octets of the literal that are still to come.
    pub(crate) left: u64,
    /// Octets skipped in all.
    pub(crate) skipped: u64,
}

/// A long answer.
pub(crate) struct Running {
    pub(crate) job: Job,
    pub(crate) end: End,
}

/// What follows a long answer.
pub(crate) enum End {
    /// What has changed meanwhile, and the tagged answer that the job gives. The client last heard at this time how far it is.
    Answer { tag: String, news: News, told_at: UnixMs },
    /// This tagged answer: the job told of new messages before it (RFC 5465 §5.2).
    Told { tag: String, reply: Reply },
    /// IDLE goes on.
    Idle(String),
    /// The next command.
    Nothing,
}

impl Running {
    /// `* OK [INPROGRESS ("tag" 175 1000)]`, now and then (RFC 9585 §4).
    pub(crate) fn tell_progress(&mut self, now: UnixMs, out: &mut Vec<u8>) {
        let End::Answer { tag, told_at, .. } = &mut self.end else { return };
        if now.since(*told_at) < limits::PROGRESS_EVERY_MS || self.job.in_literal() {
            return;
        }
        let Some((done, goal)) = self.job.progress() else { return };
        *told_at = now;
        // A bracket in the tag could be taken for the end of the code (RFC 9585 §4).
        let tag = (!tag.contains(']')).then(|| tag.clone());
        let code = Code::InProgress(tag, done.min(goal), goal);
        Writer::new(out, Dialect::default()).untagged_ok(&code, "still at work");
    }
}

impl Session {
    /// A session with a peer that has just connected.
    pub fn new(services: Arc<ImapServices>, peer: Peer) -> Self {
        Self {
            services,
            peer,
            frame: Frame::default(),
            mode: Mode::Commands,
            user: None,
            bad: 0,
            failures: 0,
            compressed: false,
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.user.as_ref().map(|u| u.dialect()).unwrap_or_default()
    }
    /// Writes a tagged answer.
    pub(crate) fn answer(&self, tag: &str, reply: &Reply, out: &mut Vec<u8>) {
        Writer::new(out, self.dialect()).tagged(tag, reply.status, reply.code.as_ref(), &reply.text);
    }
    /// Says `BYE` and ends.
    pub(crate) fn bye(&mut self, code: Option<Code>, text: &str, out: &mut Vec<u8>) -> Next {
        let mut w = Writer::new(out, Dialect::default());
        w.raw("* BYE ");
        if let Some(code) = code {
            w.code(&code).raw(" ");
        }
        w.text(text).raw("\r\n");
        self.mode = Mode::Over;
        Next::Close
    }
    /// Keeps count of commands that were not understood; slows down and ends sessions of those who go on.
    pub(crate) fn judge(&mut self, status: Status, out: &mut Vec<u8>) -> Next {
        if status != Status::Bad {
            // Before login, good commands in between do not buy more bad ones.
            self.bad = if self.user.is_some() { 0 } else { self.bad };
            return Next::Read;
        }
        self.bad += 1;
        let max = if self.user.is_some() { limits::BAD_COMMANDS_MAX } else { limits::BAD_COMMANDS };
        if self.bad >= max {
            yubin_base::event!(events::TOO_MANY_ERRORS, peer = %self.peer.remote.ip(), bad = self.bad);
            return self.bye(None, "too many commands that are not understood", out);
        }
        if self.bad >= limits::BAD_COMMANDS { Next::Delay(limits::BAD_DELAY_MS) } else { Next::Read }
    }
    /// What one command may hold in the buffer, messages of APPEND apart.
    pub(crate) fn command_octets_max(&self) -> usize {
        if self.user.is_some() { limits::COMMAND_OCTETS } else { limits::STRANGER_COMMAND_OCTETS }
    }
}

impl Protocol for Session {
    async fn greet(&mut self, _now: UnixMs, out: &mut Vec<u8>) -> Next {
        // RFC 9051 §7.1.4: capabilities in the greeting save the client a round trip.
        let list = capability::list(self);
        Writer::new(out, Dialect::default()).untagged_ok(&Code::Capability(list), "Yubin is ready");
        Next::Read
    }

    async fn command(&mut self, input: &[u8], now: UnixMs, out: &mut Vec<u8>) -> (usize, Next) {
        if self.failures >= limits::AUTH_FAILURES && self.user.is_none() {
            yubin_base::event!(events::TOO_MANY_ERRORS, peer = %self.peer.remote.ip(), failures = self.failures);
            return (input.len(), self.bye(None, "too many failed logins", out));
        }
        self.take(input, now, out).await
    }

    async fn more(&mut self, now: UnixMs, out: &mut Vec<u8>) -> Next {
        match &self.mode {
            Mode::Job(_) => Box::pin(self.go_on(now, out)).await,
            _ => Next::Read,
        }
    }

    async fn wake(&mut self) {
        match (&self.mode, &self.user) {
            (Mode::Idle(_), Some(user)) if user.listens_in_idle() => user.changed().await,
            // RFC 5465 §3.1: events are told even when no command is in progress.
            (Mode::Commands, Some(user)) if user.listens() => user.changed().await,
            _ => std::future::pending().await,
        }
    }

    async fn woken(&mut self, _now: UnixMs, out: &mut Vec<u8>) -> Next {
        let is_idle = matches!(self.mode, Mode::Idle(_));
        let (Mode::Idle(_) | Mode::Commands, Some(user)) = (&self.mode, &mut self.user) else {
            return Next::Read;
        };
        // RFC 5465 §6.1.2: within IDLE even delayed events may be told.
        let expunge = is_idle || !user.delays_expunge();
        let Some(job) = user.sync(expunge, &[], out).await else { return Next::Read };
        let end = match std::mem::replace(&mut self.mode, Mode::Commands) {
            Mode::Idle(tag) => End::Idle(tag),
            _ => End::Nothing,
        };
        self.mode = Mode::Job(Box::new(Running { job, end }));
        Next::More
    }

    fn tls_started(&mut self, tls: TlsInfo) {
        self.peer.tls = Some(tls);
        // RFC 9051 §6.2.1: nothing of what was said before counts.
        self.frame = Frame::default();
    }

    fn patience_s(&self) -> u32 {
        match (&self.mode, &self.user) {
            (_, None) => limits::STRANGER_PATIENCE_S,
            (Mode::Append(_) | Mode::Skip(_), _) => limits::APPEND_PATIENCE_S,
            _ => limits::PATIENCE_S,
        }
    }

    fn input_octets_max(&self) -> usize {
        // One more than is taken: so it is the session that says that it is too much.
        match &self.mode {
            Mode::Authenticate(_) => limits::AUTH_LINE_OCTETS + 1,
            _ => self.command_octets_max() + 1,
        }
    }

    fn farewell(&mut self, why: Farewell, out: &mut Vec<u8>) {
        // Within a literal of ours there is no room for words.
        if matches!(&self.mode, Mode::Job(running) if running.job.in_literal())
            || matches!(self.mode, Mode::Over)
        {
            return;
        }
        let (code, text) = match why {
            Farewell::Timeout => (None, "nothing was said for too long"),
            Farewell::Shutdown => (Some(Code::Unavailable), "the server stops; try again later"),
            Farewell::InputTooLong => (Some(Code::TooBig), "the command is too long"),
            Farewell::TooBusy => (Some(Code::Unavailable), "too many connections; try again later"),
            Farewell::Inflate => (Some(Code::ClientBug), "what was sent cannot be decompressed"),
            Farewell::Internal => (Some(Code::ServerBug), "the server made a mistake"),
        };
        self.bye(code, text, out);
    }
}
