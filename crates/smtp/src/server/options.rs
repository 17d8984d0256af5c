//! How one listener behaves. The server fills it from its configuration; nothing here reads any.

use std::sync::Arc;

use yubin_base::sasl::Authenticator;

use crate::{
    codec::body::BareNewlines,
    limits,
    server::ports::{Reception, Service},
};

/// What all sessions of one listener share.
pub struct Listener<R> {
    /// How it behaves.
    pub options: Options,
    /// Who receives the mail.
    pub reception: Arc<R>,
    /// Who decides about logins; nothing: AUTH is not offered.
    pub authenticator: Option<Arc<dyn Authenticator>>,
}

impl<R: Reception> Listener<R> {
    /// Puts a listener together.
    pub fn new(options: Options, reception: Arc<R>, authenticator: Option<Arc<dyn Authenticator>>) -> Self {
        Self { options, reception, authenticator }
    }
}

/// How a listener behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the listener is for.
    pub service: Service,
    /// Our name in the greeting and in EHLO: a host name, US-ASCII.
    pub hostname: String,
    /// Whether and when a client must log in.
    pub login: Login,
    /// Whether plain-text mechanisms are allowed without TLS. For loopback in `yubin dev` only.
    pub plaintext_login: bool,
    /// Whether STARTTLS is offered while there is no TLS.
    pub starttls: bool,
    /// Whether nothing but STARTTLS works without TLS. Never on a public MX (RFC 3207 §4).
    pub require_tls: bool,
    /// What a body with bare CR or LF meets.
    pub bare_newlines: BareNewlinePolicy,
    /// The largest message, announced in SIZE.
    pub message_octets_max: u64,
    /// The most recipients of one message; at least 100 (RFC 5321 §4.5.3.1.8).
    pub recipients_max: usize,
    /// The most messages of one session.
    pub messages_max: u32,
}

impl Options {
    /// The defaults for a service.
    pub fn new(service: Service, hostname: impl Into<String>) -> Self {
        Self {
            service,
            hostname: hostname.into(),
            login: if service == Service::Submission { Login::Required } else { Login::NotOffered },
            plaintext_login: false,
            starttls: true,
            require_tls: false,
            bare_newlines: BareNewlinePolicy::Refuse,
            message_octets_max: limits::MESSAGE_OCTETS,
            recipients_max: limits::RECIPIENTS_PER_MESSAGE,
            messages_max: limits::MESSAGES_PER_SESSION,
        }
    }
}

/// Whether and when a client must log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// AUTH is unknown here: MX.
    NotOffered,
    /// A client may.
    Offered,
    /// MAIL needs it: submission (RFC 6409 §4.3).
    Required,
}

/// What a body with bare CR or LF meets. Whatever it is, they never end a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BareNewlinePolicy {
    /// It is read to its real end and refused, and the session ends.
    Refuse,
    /// Each becomes CRLF: for submission by devices that know no better.
    Normalise,
}

impl BareNewlinePolicy {
    /// What the decoder does under this policy.
    pub(crate) fn decoding(self) -> BareNewlines {
        match self {
            Self::Refuse => BareNewlines::Keep,
            Self::Normalise => BareNewlines::Normalise,
        }
    }
}
