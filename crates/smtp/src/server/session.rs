//! The session machine of the server: MX, submission and LMTP. RFC 5321, 2033, 2920, 3030, 3207, 4954, 6409.
//! Keeps the order of commands, counts what a client may do, and hands each command to its file in `command/`. Holds no more of a message
//! than the piece that is passing.

use std::{mem, sync::Arc};

use yubin_base::{
    Farewell, Next, Peer, Protocol, TlsInfo, UnixMs, event,
    sasl::{SaslContext, SaslExchange},
};

use crate::{
    codec::{
        line::{self, CommandLine, Front, LineFault, Verb},
        reply::{self, Reply},
    },
    events, limits,
    server::{
        command::{self, bdat::Chunk},
        options::{Listener, Login, Options},
        ports::{Reception, Refusal, Service, SessionFacts},
        shown,
        transaction::Transaction,
    },
};

/// One connection.
pub struct Session<R: Reception> {
    pub(super) listener: Arc<Listener<R>>,
    pub(super) facts: SessionFacts,
    pub(super) transaction: Option<Box<Transaction<R::Body>>>,
    pub(super) mode: Mode,
    pub(super) tally: Tally,
}

/// What the next input is.
pub(super) enum Mode {
    /// A command line.
    Commands,
    /// The rest of a line that was too long; how much of it was dropped.
    SkipLine(usize),
    /// The body after DATA.
    Data,
    /// The octets after BDAT.
    Chunk(Chunk),
    /// A response in an AUTH exchange.
    Login(Box<dyn SaslExchange>),
    /// Nothing any more: this is said to the next input, and the session ends.
    Doomed(Box<Reply>),
}

/// What the client did so far, where it is counted.
#[derive(Default)]
pub(super) struct Tally {
    pub errors: u32,
    pub idle_commands: u32,
    pub messages: u32,
    pub login_failures: u32,
    pub policy_refusals: u32,
}

impl<R: Reception> Session<R> {
    /// A session for a new connection. With TLS from the first octet, [`Protocol::tls_started`] comes before the greeting.
    pub fn new(listener: Arc<Listener<R>>, peer: Peer) -> Self {
        let facts = SessionFacts {
            service: listener.options.service,
            peer,
            helo: String::new(),
            extended: false,
            authenticated: None,
            now: UnixMs(0),
        };
        Self { listener, facts, transaction: None, mode: Mode::Commands, tally: Tally::default() }
    }

    pub(super) fn options(&self) -> &Options {
        &self.listener.options
    }

    async fn command_line(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Next) {
        let may_be_long = self.offers_login() && line::begins_auth(input);
        let octets_max = if may_be_long { limits::AUTH_LINE_OCTETS } else { limits::COMMAND_LINE_OCTETS };
        match line::front(input, octets_max) {
            Front::Incomplete => (0, Next::Read),
            Front::Foreign => {
                let start = String::from_utf8_lossy(input.get(..64).unwrap_or(input));
                event!(events::NOT_SMTP, peer = %self.facts.peer.remote, start = %shown(&start));
                reply::NOT_SMTP.write(out);
                (input.len(), Next::Close)
            }
            Front::TooLong => {
                self.mode = Mode::SkipLine(0);
                self.skip_line(0, input, out)
            }
            Front::Wrong(octets, fault) => {
                let reply = match fault {
                    LineFault::BareNewline => reply::BARE_NEWLINE_IN_COMMAND,
                    LineFault::BadOctets | LineFault::Empty => reply::SYNTAX_ERROR,
                };
                (octets, self.refuse(reply, out))
            }
            Front::Line(octets, line) => {
                let behind = input.len() > octets;
                (octets, self.dispatch(line, behind, out).await)
            }
        }
    }

    /// `behind` says whether more input stands behind the line: the client did not wait for the answer.
    async fn dispatch(&mut self, line: CommandLine<'_>, behind: bool, out: &mut Vec<u8>) -> Next {
        let CommandLine { verb, arguments } = line;
        if let Some(reply) = self.out_of_place(verb) {
            return self.refuse(reply, out);
        }
        match verb {
            Verb::Ehlo | Verb::Lhlo => command::ehlo::extended(self, arguments, behind, out),
            Verb::Helo => command::ehlo::plain(self, arguments, behind, out),
            Verb::Mail => command::mail::handle(self, arguments, out).await,
            Verb::Rcpt => command::rcpt::handle(self, arguments, out).await,
            Verb::Data => command::data::handle(self, arguments, behind, out).await,
            Verb::Bdat => command::bdat::handle(self, arguments, out).await,
            Verb::Rset => command::rset::handle(self, arguments, out),
            Verb::Noop => command::noop::handle(self, out),
            Verb::Vrfy => command::vrfy::handle(self, arguments, out),
            Verb::Expn => command::expn::handle(self, arguments, out),
            Verb::Help => command::help::handle(self, out),
            Verb::Quit => command::quit::handle(self, arguments, out),
            Verb::Auth => command::auth::handle(self, arguments, behind, out).await,
            Verb::StartTls => command::starttls::handle(self, arguments, out),
            Verb::Unknown => self.refuse(reply::UNKNOWN_COMMAND, out),
        }
    }

    /// What a command is answered that does not belong here, whatever its arguments.
    pub(super) fn out_of_place(&self, verb: Verb) -> Option<Reply> {
        let lmtp = self.facts.service == Service::Lmtp;
        match verb {
            // RFC 2033 §4.1: LHLO in the place of HELO and EHLO, and only there.
            Verb::Ehlo | Verb::Helo if lmtp => return Some(reply::USE_LHLO),
            Verb::Lhlo if !lmtp => return Some(reply::USE_EHLO),
            _ => {}
        }
        // RFC 3207 §4: without TLS only these.
        let works_without_tls =
            matches!(verb, Verb::Ehlo | Verb::Helo | Verb::Lhlo | Verb::Noop | Verb::Quit | Verb::StartTls);
        // BDAT is refused by its own file, which knows how to pass over the chunk.
        let waits = verb == Verb::Bdat;
        if self.options().require_tls && !waits && self.facts.peer.tls.is_none() && !works_without_tls {
            return Some(reply::TLS_FIRST);
        }
        let needs_greeting = matches!(verb, Verb::Mail | Verb::Rcpt | Verb::Data | Verb::Auth);
        if needs_greeting && self.facts.helo.is_empty() {
            return Some(reply::GREET_FIRST);
        }
        None
    }

    fn skip_line(&mut self, skipped: usize, input: &[u8], out: &mut Vec<u8>) -> (usize, Next) {
        if let Some(lf) = memchr::memchr(b'\n', input) {
            self.mode = Mode::Commands;
            return (lf + 1, self.refuse(reply::LINE_TOO_LONG, out));
        }
        let skipped = skipped.saturating_add(input.len());
        if skipped > limits::SKIPPED_LINE_OCTETS {
            reply::INPUT_TOO_LONG.write(out);
            return (input.len(), Next::Close);
        }
        self.mode = Mode::SkipLine(skipped);
        (input.len(), Next::Read)
    }

    /// Answers an error of the client. The more there are, the later the answer; in the end the session closes.
    pub(super) fn refuse(&mut self, reply: Reply, out: &mut Vec<u8>) -> Next {
        event!(events::COMMAND_REFUSED, peer = %self.facts.peer.remote, code = reply.code, text = %reply.text);
        self.tally.errors = self.tally.errors.saturating_add(1);
        if self.tally.errors >= limits::HARD_ERRORS {
            return self.end(reply::TOO_MANY_ERRORS, out);
        }
        reply.write(out);
        if self.tally.errors >= limits::SOFT_ERRORS {
            Next::Delay(limits::ERROR_DELAY_MS)
        } else {
            Next::Read
        }
    }

    /// Answers a sender or a recipient that policy does not want. A mailing list may have many; a harvester has more.
    pub(super) fn refuse_by_policy(&mut self, refusal: &Refusal, out: &mut Vec<u8>) -> Next {
        self.tally.policy_refusals = self.tally.policy_refusals.saturating_add(1);
        if self.tally.policy_refusals >= limits::POLICY_REFUSALS {
            return self.end(reply::TOO_MANY_ERRORS, out);
        }
        refusal.reply().write(out);
        // RFC 5321 §3.8: a server that says 421 closes.
        if refusal.reply().code == 421 { Next::Close } else { Next::Read }
    }

    /// Says the last word.
    pub(super) fn end(&mut self, reply: Reply, out: &mut Vec<u8>) -> Next {
        event!(events::TOO_MANY_ERRORS, peer = %self.facts.peer.remote, text = %reply.text);
        self.transaction = None;
        reply.write(out);
        Next::Close
    }

    /// Counts a command that leads nowhere. Something to return when there were too many.
    pub(super) fn count_idle_command(&mut self, out: &mut Vec<u8>) -> Option<Next> {
        self.tally.idle_commands = self.tally.idle_commands.saturating_add(1);
        (self.tally.idle_commands > limits::IDLE_COMMANDS_PER_SESSION)
            .then(|| self.end(reply::TOO_MANY_COMMANDS, out))
    }

    /// Ends the session when a client did not wait for the answer to a command that RFC 2920 §3.1 wants last in a group: what stands behind
    /// was written for another conversation.
    pub(super) fn refuse_early_talk(&mut self, behind: bool, out: &mut Vec<u8>) -> Option<Next> {
        behind.then(|| {
            event!(events::SPOKE_EARLY, peer = %self.facts.peer.remote);
            self.transaction = None;
            reply::PIPELINED_WRONGLY.write(out);
            Next::Close
        })
    }

    /// Whether AUTH exists on this listener.
    pub(super) fn offers_login(&self) -> bool {
        self.options().login != Login::NotOffered && self.listener.authenticator.is_some()
    }

    pub(super) fn sasl_context(&self) -> SaslContext {
        SaslContext {
            service: "smtp",
            remote: self.facts.peer.remote.ip(),
            tls: self.facts.peer.tls.clone(),
            plaintext_allowed: self.options().plaintext_login,
            now: self.facts.now,
        }
    }

    /// Forgets everything that the client said: before TLS it may have been said by somebody else (RFC 3207 §4.2).
    fn forget(&mut self) {
        self.transaction = None;
        self.mode = Mode::Commands;
        self.facts.helo = String::new();
        self.facts.extended = false;
        self.facts.authenticated = None;
    }
}

impl<R: Reception> Protocol for Session<R> {
    async fn greet(&mut self, now: UnixMs, out: &mut Vec<u8>) -> Next {
        self.facts.now = now;
        let protocol = if self.facts.service == Service::Lmtp { "LMTP" } else { "ESMTP" };
        reply::GREETING.with_text(format!("{} {protocol} Yubin", self.options().hostname)).write(out);
        Next::Read
    }

    fn spoke_early(&mut self, out: &mut Vec<u8>) -> bool {
        // RFC 5321 §3.1: the client waits. A robot that does not would only be slowed down on ports that need a login.
        let strange = self.facts.service == Service::Mx && self.facts.peer.tls.is_none();
        if strange {
            event!(events::SPOKE_EARLY, peer = %self.facts.peer.remote);
            reply::SPOKE_EARLY.write(out);
        }
        strange
    }

    async fn command(&mut self, input: &[u8], now: UnixMs, out: &mut Vec<u8>) -> (usize, Next) {
        self.facts.now = now;
        if input.is_empty() {
            return (0, Next::Read);
        }
        match &self.mode {
            Mode::Commands => self.command_line(input, out).await,
            Mode::SkipLine(skipped) => self.skip_line(*skipped, input, out),
            Mode::Data => command::data::take(self, input, out).await,
            Mode::Chunk(_) => command::bdat::take(self, input, out).await,
            Mode::Login(_) => command::auth::respond(self, input, out).await,
            Mode::Doomed(reply) => {
                reply.write(out);
                (input.len(), Next::Close)
            }
        }
    }

    fn tls_started(&mut self, tls: TlsInfo) {
        self.forget();
        self.facts.peer.tls = Some(tls);
    }

    fn patience_s(&self) -> u32 {
        match self.mode {
            Mode::Data | Mode::Chunk(_) => limits::BODY_PATIENCE_S,
            _ => limits::COMMAND_PATIENCE_S,
        }
    }

    fn input_octets_max(&self) -> usize {
        match self.mode {
            Mode::Data | Mode::Chunk(_) => limits::BODY_STEP_OCTETS,
            // One octet more than a line may have, so that the session sees it is too long and can say so.
            _ if self.offers_login() => limits::AUTH_LINE_OCTETS + 1,
            _ => limits::COMMAND_LINE_OCTETS + 1,
        }
    }

    fn farewell(&mut self, why: Farewell, out: &mut Vec<u8>) {
        let reply = match why {
            Farewell::Timeout => reply::TIMED_OUT,
            Farewell::Shutdown => reply::SHUTTING_DOWN,
            Farewell::InputTooLong => reply::INPUT_TOO_LONG,
            Farewell::TooBusy => reply::TOO_BUSY,
            // SMTP has no compression of its own.
            Farewell::Inflate | Farewell::Internal => reply::SESSION_BROKEN,
        };
        reply.write(out);
    }

    async fn closed(&mut self) {
        let tally = mem::take(&mut self.tally);
        event!(events::SESSION_ENDED, peer = %self.facts.peer.remote, helo = %shown(&self.facts.helo), messages = tally.messages,
            errors = tally.errors, refusals = tally.policy_refusals);
        self.forget();
    }
}
