//! One ManageSieve session: its states, the errors it forgives, and what the loop does next. Has no socket, clock or task.

use std::sync::Arc;

use yubin_base::{
    AccountId, Farewell, Next, Peer, Protocol, TlsInfo, UnixMs,
    sasl::{Authenticator, SaslContext, SaslExchange},
};

use super::{
    Scripts,
    codec::{self, Parsed, Status, answer},
    commands,
};
use crate::limits;

/// What an operator may set.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether STARTTLS can be offered.
    pub tls_available: bool,
    /// Whether passwords may be sent without TLS (loopback in `yubin dev`).
    pub plaintext_allowed: bool,
}

/// What every session of a listener shares.
pub struct ManageSieveServices {
    /// Who decides about logins.
    pub authenticator: Arc<dyn Authenticator>,
    /// Where the scripts are.
    pub scripts: Arc<dyn Scripts>,
    /// The operator's settings.
    pub options: Options,
}

/// One session.
pub struct Session {
    pub(super) services: Arc<ManageSieveServices>,
    pub(super) peer: Peer,
    pub(super) state: State,
    pub(super) login_failures: u32,
    errors: u32,
    /// Octets of a literal that are not taken.
    skip: u64,
    /// RFC 5804 §2.2: the capabilities are said again when TLS has begun.
    greets_again: bool,
}

pub(super) enum State {
    Stranger,
    Exchange(Box<dyn SaslExchange>),
    User {
        account: AccountId,
        name: String,
    },
    /// Too many errors: whatever comes next ends the session.
    Doomed,
}

impl Session {
    /// A session with this peer. [`Protocol::greet`] comes first.
    pub fn new(services: Arc<ManageSieveServices>, peer: Peer) -> Self {
        Self {
            services,
            peer,
            state: State::Stranger,
            login_failures: 0,
            errors: 0,
            skip: 0,
            greets_again: false,
        }
    }

    pub(super) fn sasl_context(&self, now: UnixMs) -> SaslContext {
        SaslContext {
            service: "sieve",
            remote: self.peer.remote.ip(),
            tls: self.peer.tls.clone(),
            plaintext_allowed: self.services.options.plaintext_allowed,
            now,
        }
    }

    /// A literal as long as a script may be, once somebody has logged in; RFC 5804 §1.6 needs far less before.
    fn literal_octets_max(&self) -> usize {
        match self.state {
            State::User { .. } => limits::MANAGED_SCRIPT_OCTETS,
            _ => limits::STRANGER_LITERAL_OCTETS,
        }
    }

    /// Refuses a command, and after many of them the session.
    fn wrong(&mut self, why: &str, out: &mut Vec<u8>) -> Next {
        self.errors += 1;
        if self.errors >= limits::MANAGE_ERRORS {
            answer(Status::Bye, None, "too many errors", out);
            return Next::Close;
        }
        answer(Status::No, None, why, out);
        Next::Read
    }
}

impl Protocol for Session {
    async fn greet(&mut self, now: UnixMs, out: &mut Vec<u8>) -> Next {
        commands::capability(self, now, out);
        answer(Status::Ok, None, "Yubin is ready", out);
        Next::Read
    }

    async fn command(&mut self, input: &[u8], now: UnixMs, out: &mut Vec<u8>) -> (usize, Next) {
        if self.skip > 0 {
            let used = input.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            self.skip -= used as u64;
            return (used, Next::Read);
        }
        if let State::Doomed = self.state {
            answer(Status::Bye, None, "too many failed logins", out);
            return (input.len(), Next::Close);
        }
        match codec::parse(input, self.literal_octets_max()) {
            Parsed::Incomplete => (0, Next::Read),
            Parsed::Malformed { why, used } => {
                let next = self.wrong(why, out);
                (used, next)
            }
            Parsed::TooLong { used, literal_octets } => {
                if literal_octets > limits::SKIPPED_LITERAL_OCTETS {
                    answer(Status::Bye, None, "this literal is far too long", out);
                    return (used, Next::Close);
                }
                self.skip = literal_octets;
                answer(Status::No, Some("QUOTA/MAXSIZE"), "this literal is too long", out);
                (used, Next::Read)
            }
            Parsed::Command { word, arguments, used } => {
                let state = std::mem::replace(&mut self.state, State::Stranger);
                let next = match state {
                    State::Exchange(exchange) => {
                        commands::respond(self, exchange, &word, &arguments, now, out).await
                    }
                    // The rest of a line whose literal was not taken.
                    state if word.is_empty() && arguments.is_empty() => {
                        self.state = state;
                        Next::Read
                    }
                    state => {
                        self.state = state;
                        match commands::run(self, &word, &arguments, now, out).await {
                            Ok(next) => next,
                            Err(why) => self.wrong(why, out),
                        }
                    }
                };
                (used, next)
            }
        }
    }

    async fn wake(&mut self) {
        if !self.greets_again {
            std::future::pending::<()>().await;
        }
    }

    async fn woken(&mut self, now: UnixMs, out: &mut Vec<u8>) -> Next {
        self.greets_again = false;
        self.greet(now, out).await
    }

    fn tls_started(&mut self, tls: TlsInfo) {
        self.peer.tls = Some(tls);
        self.greets_again = true;
    }

    fn patience_s(&self) -> u32 {
        match self.state {
            // RFC 5804 §1.2: at least 30 minutes once logged in.
            State::User { .. } => limits::MANAGE_PATIENCE_S,
            State::Doomed => limits::DOOMED_PATIENCE_S,
            State::Stranger | State::Exchange(_) => limits::STRANGER_PATIENCE_S,
        }
    }

    fn input_octets_max(&self) -> usize {
        self.literal_octets_max() + limits::MANAGE_LINE_OCTETS
    }

    fn farewell(&mut self, why: Farewell, out: &mut Vec<u8>) {
        let (code, text) = match why {
            Farewell::Timeout => (None, "you have been silent for too long"),
            Farewell::Shutdown => (Some("TRYLATER"), "the server stops"),
            Farewell::InputTooLong => (None, "this line is too long"),
            Farewell::TooBusy => (Some("TRYLATER"), "too many connections"),
            // ManageSieve has no compression of its own.
            Farewell::Inflate | Farewell::Internal => (None, "something is wrong with the server"),
        };
        answer(Status::Bye, code, text, out);
    }
}
