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
    /// How to reach whoever runs the server, as a URI (RFC 5464 §3.2.1.1, `/shared/admin`).
    pub administrator: Option<String>,
    /// What the operator has to say (RFC 5464 §3.2.1.1, `/shared/comment`).
    pub comment: Option<String>,
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
            administrator: None,
            comment: None,
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

/// Somebody with an account, as others name and see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their account.
    pub id: AccountId,
    /// Their primary address: the identifier of RFC 4314.
    pub address: String,
    /// Whether the account stands for nobody: its mailboxes are in the public namespace.
    pub public: bool,
}

/// Tells who there is, for mailboxes that are shared. The directory knows.
pub trait People: Send + Sync {
    /// The account that an identifier means: a primary address, or what one logs in with.
    fn find(&self, identifier: &str) -> Option<Person>;
    /// The account with an id.
    fn person(&self, id: AccountId) -> Option<Person>;
    /// Whether `anyone` in the lists of one includes the other: both have their addresses in one domain.
    fn neighbours(&self, one: AccountId, other: AccountId) -> bool;
}

/// Nobody knows anybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPeople;

impl People for NoPeople {
    fn find(&self, _identifier: &str) -> Option<Person> {
        None
    }
    fn person(&self, _id: AccountId) -> Option<Person> {
        None
    }
    fn neighbours(&self, _one: AccountId, _other: AccountId) -> bool {
        false
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
    /// Who there is.
    pub people: Arc<dyn People>,
    /// Switches.
    pub options: ImapOptions,
}
