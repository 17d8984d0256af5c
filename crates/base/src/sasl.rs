//! The SASL port: protocol sessions carry the exchange, `directory` decides it.

use std::net::IpAddr;

use crate::{AccountId, BoxFuture, TlsInfo, UnixMs};

/// What the mechanisms may depend on.
#[derive(Clone, Debug)]
pub struct SaslContext {
    /// `imap`, `pop3`, `smtp`: for logs and per-protocol switches.
    pub service: &'static str,
    /// The peer's address: failures slow down by address.
    pub remote: IpAddr,
    /// The TLS session; plain-text mechanisms are refused without.
    pub tls: Option<TlsInfo>,
    /// Whether plain-text mechanisms are allowed without TLS on this listener (loopback in `yubin dev`).
    pub plaintext_allowed: bool,
    /// Now.
    pub now: UnixMs,
}

/// Who logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The account.
    pub account: AccountId,
    /// Its primary address as text, for logs and Received.
    pub name: String,
}

/// Why not. The client is told only the class; the operator finds the reason in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthFailure {
    /// Wrong password, unknown user, disabled user: the same text and time for each. Wait `delay_ms` before answering.
    Refused {
        /// How long to wait before the answer is sent.
        delay_ms: u32,
    },
    /// Too many failures from this address or on this account; try later. Nothing was checked.
    Throttled {
        /// How long to wait before the answer is sent.
        delay_ms: u32,
    },
    /// The client's message broke the mechanism's syntax.
    Malformed,
    /// The client gave up (`*`).
    Cancelled,
    /// The mechanism needs TLS first.
    TlsRequired,
    /// No such mechanism.
    UnknownMechanism,
    /// Our side cannot say now.
    Unavailable,
}

/// One step of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaslStep {
    /// Send this challenge (not yet base64) and wait for the response.
    Challenge(Vec<u8>),
    /// Done. SCRAM's server-final goes out as a last challenge before this, or as additional data where the protocol can.
    Done(Result<Authenticated, AuthFailure>),
}

/// An exchange under way.
pub trait SaslExchange: Send {
    /// Takes the client's response, decoded from base64 (at most 12,288 octets), and says what is next.
    fn step<'a>(&'a mut self, response: &'a [u8], now: UnixMs) -> BoxFuture<'a, SaslStep>;
}

/// Who decides. `directory` implements it.
pub trait Authenticator: Send + Sync {
    /// The mechanisms on offer in this context, strongest first: what EHLO, CAPABILITY and CAPA list.
    fn mechanisms(&self, context: &SaslContext) -> Vec<&'static str>;
    /// Starts an exchange. The first `step` takes the initial response; when the client sent none, the session first
    /// sends an empty challenge, unless the mechanism speaks first (LOGIN), which `server_first` tells.
    fn start(&self, mechanism: &str, context: SaslContext) -> Result<Box<dyn SaslExchange>, AuthFailure>;
    /// Whether the mechanism's first message is the server's.
    fn server_first(&self, mechanism: &str) -> bool;
    /// IMAP LOGIN and POP3 USER/PASS: the same checks as PLAIN.
    fn login<'a>(
        &'a self,
        user: &'a str,
        password: &'a [u8],
        context: SaslContext,
    ) -> BoxFuture<'a, Result<Authenticated, AuthFailure>>;
}
