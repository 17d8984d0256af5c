//! One POP3 session: the states of RFC 1939 §3, who may say what when, errors counted. Has no socket, clock, task or randomness.

use std::sync::Arc;

use yubin_base::{
    AccountId, Farewell, Next, Peer, Protocol, TlsInfo, UnixMs, event,
    sasl::{Authenticator, SaslContext, SaslExchange},
};
use yubin_store::Store;

use crate::{
    codec::{
        command::{self, Command, SyntaxError},
        reply::{self, Reply},
        shown,
    },
    command as commands, events,
    limits::{
        AUTH_FAILURES, AUTH_LINE_OCTETS, COMMAND_LINE_OCTETS, DOOMED_PATIENCE_S, ERROR_DELAY_MS, HARD_ERRORS,
        IDLE_PATIENCE_S, SOFT_ERRORS, STRANGER_PATIENCE_S,
    },
    login_delay::LoginDelay,
    maildrop::Maildrop,
    options::Options,
    transfer::{Progress, Transfer},
};

/// What every session of a listener shares.
pub struct Pop3Services {
    /// Where the mail is.
    pub store: Store,
    /// Who decides about logins.
    pub authenticator: Arc<dyn Authenticator>,
    /// The operator's settings.
    pub options: Options,
    /// When accounts last logged in.
    pub login_delay: LoginDelay,
    /// What accounts want otherwise than others do.
    pub policies: Arc<dyn Policies>,
}

/// Tells what an account wants. The directory knows.
pub trait Policies: Send + Sync {
    /// Whether what DELE has marked goes to Trash, not away.
    fn delete_to_trash(&self, account: AccountId) -> bool;
}

/// Nobody wants anything.
struct NoPolicies;

impl Policies for NoPolicies {
    fn delete_to_trash(&self, _account: AccountId) -> bool {
        false
    }
}

impl Pop3Services {
    /// Over a store and a directory.
    pub fn new(store: Store, authenticator: Arc<dyn Authenticator>, options: Options) -> Self {
        Self {
            store,
            authenticator,
            options,
            login_delay: LoginDelay::default(),
            policies: Arc::new(NoPolicies),
        }
    }

    /// With what accounts want.
    pub fn with_policies(self, policies: Arc<dyn Policies>) -> Self {
        Self { policies, ..self }
    }
}

/// One session.
pub struct Session {
    services: Arc<Pop3Services>,
    peer: Peer,
    state: State,
    errors: u32,
    login_failures: u32,
    commands: u64,
}

/// RFC 1939 §3. The UPDATE state is the inside of QUIT.
enum State {
    /// AUTHORIZATION; with the name USER gave.
    Authorization { user: Option<String> },
    /// AUTHORIZATION, in the middle of AUTH.
    Exchange(Box<dyn SaslExchange>),
    /// TRANSACTION.
    Transaction(Box<Transaction>),
    /// Too many errors: whatever comes next ends the session.
    Doomed,
}

struct Transaction {
    maildrop: Maildrop,
    transfer: Option<Transfer>,
}

/// What a command came to.
pub(crate) enum Outcome {
    /// It was answered.
    Done,
    /// It was refused by this reply, and counts as an error.
    Refused(Reply),
    /// Its arguments are wrong; this is the right form. Counts as an error.
    Usage(&'static str),
    /// It was answered, and a long answer follows.
    Send(Transfer),
    /// A login ended.
    Login(commands::LoginEnd),
    /// The client is to answer a challenge.
    Exchange(Box<dyn SaslExchange>),
    /// USER gave a name.
    User(String),
    /// It was answered, and this is next.
    Next(Next),
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self::Refused(reply)
    }
}

impl Session {
    /// A session with this peer. [`Protocol::greet`] comes first.
    pub fn new(services: Arc<Pop3Services>, peer: Peer) -> Self {
        let state = State::Authorization { user: None };
        Self { services, peer, state, errors: 0, login_failures: 0, commands: 0 }
    }

    fn sasl_context(&self, now: UnixMs) -> SaslContext {
        SaslContext {
            service: "pop3",
            remote: self.peer.remote.ip(),
            tls: self.peer.tls.clone(),
            plaintext_allowed: self.services.options.plaintext_allowed,
            now,
        }
    }

    /// The input line that is complete, without its line end, and its length with it.
    fn line(input: &[u8]) -> Option<(&[u8], usize)> {
        let end = memchr::memchr(b'\n', input)?;
        let line = input.get(..end)?;
        Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
    }

    async fn answer(&mut self, line: &[u8], now: UnixMs, out: &mut Vec<u8>) -> Next {
        self.commands += 1;
        let state = std::mem::replace(&mut self.state, State::Doomed);
        match state {
            State::Exchange(exchange) => {
                self.state = State::Authorization { user: None };
                let outcome = commands::auth_response(exchange, line, now, out).await;
                self.conclude(outcome, line, now, out).await
            }
            State::Doomed => {
                Reply::TOO_MANY_ERRORS.write(out);
                Next::Close
            }
            state => {
                self.state = state;
                self.answer_command(line, now, out).await
            }
        }
    }

    async fn answer_command(&mut self, line: &[u8], now: UnixMs, out: &mut Vec<u8>) -> Next {
        let auth = line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        let parsed = if line.len() > COMMAND_LINE_OCTETS && !auth {
            Err(Reply::LINE_TOO_LONG.into())
        } else {
            command::parse(line).map_err(|error| match error {
                SyntaxError::UnknownCommand => Reply::UNKNOWN_COMMAND.into(),
                SyntaxError::NoSuchNumber => Reply::NO_SUCH_MESSAGE.into(),
                SyntaxError::Characters => Reply::CHARACTERS.into(),
                SyntaxError::Arguments(right_form) => Outcome::Usage(right_form),
                SyntaxError::NotPop3 => Reply::NOT_POP3.into(),
            })
        };
        let outcome = match parsed {
            Ok(command) => self.dispatch(command, now, out).await,
            Err(outcome) => outcome,
        };
        self.conclude(outcome, line, now, out).await
    }

    /// Gives a command to its handler, if the state allows it.
    async fn dispatch(&mut self, command: Command<'_>, now: UnixMs, out: &mut Vec<u8>) -> Outcome {
        let context = self.sasl_context(now);
        let services = &*self.services;
        match (command, &mut self.state) {
            (Command::Capa, state) => {
                let logged_in = matches!(state, State::Transaction(_));
                commands::capa(services, &context, logged_in, out)
            }
            (Command::Lang(range), _) => commands::lang(range, out),
            (Command::Quit, State::Transaction(open)) => {
                let to_trash = services.policies.delete_to_trash(open.maildrop.account().id());
                let update = commands::Update { to_trash, sets_seen: services.options.retr_sets_seen };
                commands::quit(&mut open.maildrop, update, now, out).await
            }
            (Command::Quit, _) => {
                Reply::BYE.write(out);
                Outcome::Next(Next::Close)
            }

            (Command::User(name), State::Authorization { .. }) => commands::user(name, &context, out),
            (Command::Pass(password), State::Authorization { user }) => {
                commands::pass(user.take(), password, services, context).await
            }
            (Command::Auth(arguments), State::Authorization { .. }) => {
                commands::auth(arguments, services, context, out).await
            }
            (Command::Apop, State::Authorization { .. }) => commands::apop(),
            // RFC 6856 §2: before login only.
            (Command::Utf8, State::Authorization { .. }) => commands::utf8(out),
            (Command::Stls, State::Authorization { .. }) => commands::stls(services, &context, out),
            (
                Command::User(_)
                | Command::Pass(_)
                | Command::Auth(_)
                | Command::Apop
                | Command::Stls
                | Command::Utf8,
                _,
            ) => Reply::LOGGED_IN_ALREADY.into(),

            (command, State::Transaction(open)) => transaction(command, &mut open.maildrop, out).await,
            (_, _) => Reply::LOGIN_FIRST.into(),
        }
    }

    /// Turns what a command came to into what the loop does next.
    async fn conclude(&mut self, outcome: Outcome, line: &[u8], now: UnixMs, out: &mut Vec<u8>) -> Next {
        match outcome {
            Outcome::Done => Next::Read,
            Outcome::Next(next) => next,
            Outcome::User(name) => {
                self.state = State::Authorization { user: Some(name) };
                Next::Read
            }
            Outcome::Exchange(exchange) => {
                self.state = State::Exchange(exchange);
                Next::Read
            }
            Outcome::Send(transfer) => self.send(transfer, out).await,
            Outcome::Login(end) => self.login(end, now, out).await,
            Outcome::Usage(right_form) => {
                reply::usage(right_form, out);
                self.count_error(line, out)
            }
            Outcome::Refused(Reply::NOT_POP3) => {
                event!(events::NOT_POP3, peer = %self.peer.remote, line = shown(line));
                Reply::NOT_POP3.write(out);
                Next::Close
            }
            Outcome::Refused(reply) => {
                reply.write(out);
                self.count_error(line, out)
            }
        }
    }

    /// Too many errors: late answers first, then the end.
    fn count_error(&mut self, line: &[u8], out: &mut Vec<u8>) -> Next {
        // Passwords do not belong in a log: of the line only its first word is shown.
        let verb = line.split(|c| *c == b' ').next().unwrap_or_default();
        event!(events::COMMAND_REFUSED, peer = %self.peer.remote, command = shown(verb));
        self.errors += 1;
        if self.errors >= HARD_ERRORS {
            event!(events::TOO_MANY_ERRORS, peer = %self.peer.remote, errors = self.errors);
            Reply::TOO_MANY_ERRORS.write(out);
            return Next::Close;
        }
        if self.errors > SOFT_ERRORS { Next::Delay(ERROR_DELAY_MS) } else { Next::Read }
    }

    /// Opens the maildrop, or says why not.
    async fn login(&mut self, end: commands::LoginEnd, now: UnixMs, out: &mut Vec<u8>) -> Next {
        match commands::finish_login(end, &self.services, &self.peer, now, out).await {
            Ok(maildrop) => {
                self.state = State::Transaction(Box::new(Transaction { maildrop, transfer: None }));
                Next::Read
            }
            Err(refusal) => {
                self.login_failures += u32::from(refusal.counts);
                if self.login_failures >= AUTH_FAILURES {
                    // The answer comes late; what the client says after it ends the session.
                    event!(events::TOO_MANY_ERRORS, peer = %self.peer.remote, login_failures = self.login_failures);
                    self.state = State::Doomed;
                }
                if refusal.delay_ms > 0 { Next::Delay(refusal.delay_ms) } else { Next::Read }
            }
        }
    }

    async fn send(&mut self, transfer: Transfer, out: &mut Vec<u8>) -> Next {
        if let State::Transaction(open) = &mut self.state {
            open.transfer = Some(transfer);
        }
        self.advance(out).await
    }

    /// Writes the next piece of the long answer under way.
    async fn advance(&mut self, out: &mut Vec<u8>) -> Next {
        let State::Transaction(open) = &mut self.state else { return Next::Read };
        let Transaction { maildrop, transfer } = &mut **open;
        let Some(under_way) = transfer else { return Next::Read };
        match under_way.advance(maildrop, out).await {
            Ok(Progress::More) => Next::More,
            Ok(Progress::Done) => {
                *transfer = None;
                Next::Read
            }
            Err(error) => {
                event!(events::STORE_FAILED, account = %maildrop.account().id(), error = %error);
                Next::Close
            }
        }
    }
}

/// The commands of the TRANSACTION state that neither end it nor look beyond the maildrop.
async fn transaction(command: Command<'_>, maildrop: &mut Maildrop, out: &mut Vec<u8>) -> Outcome {
    match command {
        Command::Stat => commands::stat(maildrop, out),
        Command::List(message) => commands::list(message, maildrop, out),
        Command::Uidl(message) => commands::uidl(message, maildrop, out).await,
        Command::Retr(message) => commands::retr(message, maildrop, out).await,
        Command::Top { message, lines } => commands::top(message, lines, maildrop, out).await,
        Command::Dele(message) => commands::dele(message, maildrop, out),
        Command::Rset => commands::rset(maildrop, out),
        Command::Noop => commands::noop(out),
        _ => Reply::UNKNOWN_COMMAND.into(),
    }
}

impl Protocol for Session {
    async fn greet(&mut self, _now: UnixMs, out: &mut Vec<u8>) -> Next {
        reply::greeting(&self.services.options.host_name, out);
        Next::Read
    }

    async fn command(&mut self, input: &[u8], now: UnixMs, out: &mut Vec<u8>) -> (usize, Next) {
        let Some((line, used)) = Self::line(input) else { return (0, Next::Read) };
        (used, self.answer(line, now, out).await)
    }

    async fn more(&mut self, _now: UnixMs, out: &mut Vec<u8>) -> Next {
        self.advance(out).await
    }

    /// RFC 2595 §4: the session begins anew; what was said before TLS is forgotten.
    fn tls_started(&mut self, tls: TlsInfo) {
        self.peer.tls = Some(tls);
        self.state = State::Authorization { user: None };
    }

    fn patience_s(&self) -> u32 {
        match self.state {
            State::Authorization { .. } | State::Exchange(_) => STRANGER_PATIENCE_S,
            State::Transaction(_) => IDLE_PATIENCE_S,
            State::Doomed => DOOMED_PATIENCE_S,
        }
    }

    fn input_octets_max(&self) -> usize {
        match self.state {
            State::Authorization { .. } | State::Exchange(_) => AUTH_LINE_OCTETS,
            State::Transaction(_) | State::Doomed => COMMAND_LINE_OCTETS,
        }
    }

    fn farewell(&mut self, why: Farewell, out: &mut Vec<u8>) {
        match why {
            // RFC 1939 §3: the connection is closed without a response.
            Farewell::Timeout => {}
            Farewell::Shutdown => Reply::SHUTDOWN.write(out),
            Farewell::InputTooLong => Reply::LINE_TOO_LONG.write(out),
            Farewell::TooBusy => Reply::TOO_BUSY.write(out),
            // POP3 has no compression of its own.
            Farewell::Inflate | Farewell::Internal => Reply::INTERNAL.write(out),
        }
    }

    /// RFC 1939 §6: without QUIT nothing is deleted.
    async fn closed(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Doomed);
        event!(events::SESSION_ENDED, peer = %self.peer.remote, commands = self.commands, errors = self.errors);
        drop(state);
    }
}
