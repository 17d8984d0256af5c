//! What a session is given: the store, who decides about logins, quotas and switches. Reads no configuration itself.

use std::sync::Arc;

use yubin_base::{AccountId, BoxFuture, sasl::Authenticator};
use yubin_store::{Quota, Store};

/// Switches. Arrive as values.
#[derive(Clone, Debug)]
pub struct ImapOptions {
    /// Whether STARTTLS is on offer when the connection has no TLS yet.
    pub starttls: bool,
    /// Whether LOGIN and plain-text mechanisms are allowed without TLS (loopback in `yubin dev`).
    pub plaintext_allowed: bool,
    /// The most octets of one message: APPENDLIMIT (RFC 7889).
    pub message_octets_max: u64,
    /// The most messages that one command works on: MESSAGELIMIT (RFC 9738). None: as many as there are.
    pub message_limit: Option<u32>,
    /// The most messages that one COPY or APPEND takes: SAVELIMIT (RFC 9738), where `message_limit` says nothing.
    pub save_limit: Option<u32>,
    /// What ID tells about us (RFC 2971): name and version.
    pub product: (String, String),
}

impl Default for ImapOptions {
    fn default() -> Self {
        Self {
            starttls: true,
            plaintext_allowed: false,
            message_octets_max: 50 * 1024 * 1024,
            message_limit: None,
            save_limit: None,
            product: ("Yubin".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        }
    }
}

/// Tells what an account may use. The directory knows.
pub trait Quotas: Send + Sync {
    /// The quota of the account.
    fn quota(&self, account: AccountId) -> BoxFuture<'_, Quota>;
}

/// No quota for anybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoQuotas;

impl Quotas for NoQuotas {
    fn quota(&self, _account: AccountId) -> BoxFuture<'_, Quota> {
        Box::pin(std::future::ready(Quota::default()))
    }
}

/// What every session of a listener shares.
#[derive(Clone)]
pub struct ImapServices {
    /// The mail.
    pub store: Store,
    /// Who decides about logins.
    pub authenticator: Arc<dyn Authenticator>,
    /// What accounts may use.
    pub quotas: Arc<dyn Quotas>,
    /// Switches.
    pub options: ImapOptions,
}
