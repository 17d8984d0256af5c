//! What an administrator can ask for: one request, one answer, the same over the socket and without a server.

mod access;
mod mail;
mod people;
mod rules;
pub mod socket;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{app::App, events};

/// A request. On the socket it is one line of JSON: `{"do":"account-add","address":"ann@example.com",…}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// Whether the server is there, and its version.
    Ping,
    /// Adds a domain.
    DomainAdd {
        /// Its name.
        name: String,
        /// The domain it is an alias of.
        alias_of: Option<String>,
    },
    /// Changes a domain.
    DomainSet {
        /// Its name.
        name: String,
        /// Where mail to unknown local parts goes; empty: nowhere.
        catch_all: Option<String>,
        /// The subaddress separators.
        separators: Option<String>,
    },
    /// Removes a domain.
    DomainRemove {
        /// Its name.
        name: String,
        /// With its accounts, their mail, and its aliases.
        force: bool,
    },
    /// Every domain.
    DomainList,
    /// One domain.
    DomainShow {
        /// Its name.
        name: String,
    },
    /// Makes a key that signs a domain's mail.
    DkimAdd {
        /// The domain.
        name: String,
        /// The selector.
        selector: String,
        /// `rsa` or `ed25519`.
        kind: DkimKind,
    },
    /// A domain's keys, with what belongs into DNS.
    DkimList {
        /// The domain.
        name: String,
    },
    /// Removes a key.
    DkimRemove {
        /// The domain.
        name: String,
        /// The selector.
        selector: String,
    },
    /// Adds an account with its mailboxes.
    AccountAdd {
        /// Its address.
        address: String,
        /// Its password.
        password: Option<String>,
        /// Its password as a hash of another system.
        password_hash: Option<String>,
        /// The name people call them.
        display_name: Option<String>,
        /// The most octets it may store.
        quota_octets: Option<u64>,
        /// The most messages it may store.
        quota_messages: Option<u64>,
    },
    /// Changes an account.
    AccountSet {
        /// Its name.
        name: String,
        /// Whether it takes mail and lets anybody log in.
        enabled: Option<bool>,
        /// The name people call them.
        display_name: Option<String>,
        /// The quota, both values at once.
        quota: Option<QuotaSetting>,
        /// The largest message it takes; 0: the server's limit only.
        message_octets_max: Option<u64>,
        /// Whether what POP3 clients delete goes to Trash.
        #[serde(default)]
        pop3_delete_to_trash: Option<bool>,
    },
    /// Sets the password.
    AccountPassword {
        /// The account's name.
        name: String,
        /// The password; none takes it away.
        password: Option<String>,
        /// The password as a hash of another system.
        password_hash: Option<String>,
    },
    /// Gives an account another address.
    AccountRename {
        /// Its name.
        name: String,
        /// Its new address.
        address: String,
        /// Whether the old address leads to it from now on.
        keep_alias: bool,
    },
    /// Makes an account stand for nobody, its mailboxes shown as public ones; or an ordinary one again.
    AccountPublic {
        /// Its name.
        name: String,
        /// Which.
        public: bool,
    },
    /// Removes an account and its mail.
    AccountRemove {
        /// Its name.
        name: String,
    },
    /// Every account.
    AccountList,
    /// One account.
    AccountShow {
        /// Its name.
        name: String,
    },
    /// Adds an alias.
    AliasAdd {
        /// Its address.
        address: String,
        /// Where it leads.
        targets: Vec<String>,
    },
    /// Removes an alias.
    AliasRemove {
        /// Its address.
        address: String,
    },
    /// Every alias.
    AliasList,
    /// What is in the queue.
    QueueList {
        /// At most so many.
        limit: Option<usize>,
        /// Which.
        #[serde(flatten)]
        filter: QueueFilter,
    },
    /// One message of the queue.
    QueueShow {
        /// Its id.
        id: String,
    },
    /// Orders for messages of the queue.
    QueueOrder {
        /// What to do with them.
        order: QueueOrder,
        /// Their ids; none for all that fit.
        ids: Vec<String>,
        /// Which, when no ids are given.
        #[serde(flatten)]
        filter: QueueFilter,
        /// For `route`: the host; none for what DNS says.
        host: Option<String>,
    },
    /// The lives of messages.
    Trace {
        /// A trace id, a Message-ID or an address.
        what: String,
    },
    /// An account's mailboxes.
    MailboxList {
        /// The account's name.
        account: String,
    },
    /// Makes a mailbox.
    MailboxAdd {
        /// The account's name.
        account: String,
        /// The mailbox's name.
        mailbox: String,
    },
    /// Removes a mailbox with its messages.
    MailboxRemove {
        /// The account's name.
        account: String,
        /// The mailbox's name.
        mailbox: String,
    },
    /// Builds an account's search index anew, in the background.
    MailboxReindex {
        /// The account's name.
        account: String,
    },
    /// Who may do what with a mailbox.
    MailboxAcl {
        /// The account's name.
        account: String,
        /// The mailbox's name.
        mailbox: String,
    },
    /// Gives or takes rights.
    MailboxAclSet {
        /// The account's name.
        account: String,
        /// The mailbox's name.
        mailbox: String,
        /// Whose: an account's name, `anyone`, or one of these behind `-`.
        identifier: String,
        /// Which: letters of RFC 4314, behind `+` or `-` or neither.
        rights: String,
    },
    /// The Sieve scripts of an account.
    SieveList {
        /// The account's name.
        account: String,
    },
    /// One script.
    SieveShow {
        /// The account's name.
        account: String,
        /// The script's name.
        name: String,
    },
    /// Writes a script.
    SievePut {
        /// The account's name.
        account: String,
        /// The script's name.
        name: String,
        /// The script.
        text: String,
        /// Whether it runs from now on.
        activate: bool,
    },
    /// Chooses the script that runs.
    SieveActivate {
        /// The account's name.
        account: String,
        /// The script's name; none: no script runs.
        name: Option<String>,
    },
    /// Deletes a script.
    SieveRemove {
        /// The account's name.
        account: String,
        /// The script's name.
        name: String,
    },
    /// Checks everything that is stored.
    Fsck {
        /// One account only.
        account: Option<String>,
        /// Repair what can be derived.
        repair: bool,
        /// Read every body, too.
        bodies: bool,
    },
    /// Gives space back that nothing needs.
    CollectGarbage,
}

/// Kinds of DKIM keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DkimKind {
    /// RSA of 2048 bits: everybody can verify it.
    Rsa,
    /// Ed25519 (RFC 8463): short, and not yet verified by all.
    Ed25519,
}

/// Which messages of the queue. What is none fits all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueFilter {
    /// Part of the sender's address.
    pub from: Option<String>,
    /// Part of a recipient's address.
    pub to: Option<String>,
    /// Part of the name of a recipient's state.
    pub state: Option<String>,
    /// Held ones only, or others only.
    pub held: Option<bool>,
}

/// What is done with messages of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueOrder {
    /// Tried again now.
    Retry,
    /// Left alone.
    Hold,
    /// Let go on.
    Release,
    /// Dropped.
    Drop,
    /// Sent to another host.
    Route,
}

/// A quota as set by an administrator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaSetting {
    /// Octets; none is unlimited.
    pub octets: Option<u64>,
    /// Messages; none is unlimited.
    pub messages: Option<u64>,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminError {
    /// The class, which decides the exit code.
    pub class: AdminErrorClass,
    /// What is wrong and what to do, for the administrator.
    pub message: String,
}

/// Classes of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdminErrorClass {
    /// There is no such thing.
    NotFound,
    /// The request makes no sense, or meets something that exists.
    Refused,
    /// Our side failed.
    Failed,
    /// No server answers, or the data folder is in use.
    Unreachable,
}

impl AdminError {
    /// An error of this class.
    pub fn new(class: AdminErrorClass, message: impl ToString) -> Self {
        Self { class, message: message.to_string() }
    }
}

/// What a request gives.
pub type Reply = Result<Value, AdminError>;

/// Carries a request out.
pub async fn execute(app: &App, request: Request) -> Reply {
    let name = name_of(&request);
    let reply = match request {
        Request::Ping => Ok(serde_json::json!({
            "name": "yubin",
            "version": env!("CARGO_PKG_VERSION"),
            "hostname": app.config.server.hostname,
            "pid": std::process::id(),
        })),
        Request::DomainAdd { .. }
        | Request::DomainSet { .. }
        | Request::DomainRemove { .. }
        | Request::DomainList
        | Request::DomainShow { .. }
        | Request::DkimAdd { .. }
        | Request::DkimList { .. }
        | Request::DkimRemove { .. }
        | Request::AccountAdd { .. }
        | Request::AccountSet { .. }
        | Request::AccountPassword { .. }
        | Request::AccountRename { .. }
        | Request::AccountRemove { .. }
        | Request::AccountList
        | Request::AccountShow { .. }
        | Request::AliasAdd { .. }
        | Request::AliasRemove { .. }
        | Request::AliasList => people::execute(app, request).await,
        Request::AccountPublic { .. } | Request::MailboxAcl { .. } | Request::MailboxAclSet { .. } => {
            access::execute(app, request).await
        }
        Request::QueueList { .. }
        | Request::QueueShow { .. }
        | Request::QueueOrder { .. }
        | Request::Trace { .. }
        | Request::MailboxList { .. }
        | Request::MailboxAdd { .. }
        | Request::MailboxRemove { .. }
        | Request::MailboxReindex { .. }
        | Request::Fsck { .. }
        | Request::CollectGarbage => mail::execute(app, request).await,
        Request::SieveList { .. }
        | Request::SieveShow { .. }
        | Request::SievePut { .. }
        | Request::SieveActivate { .. }
        | Request::SieveRemove { .. } => rules::execute(app, request).await,
    };
    match &reply {
        Ok(_) => yubin_base::event!(events::ADMIN, request = %name, outcome = "done"),
        Err(error) => yubin_base::event!(events::ADMIN, request = %name, outcome = %error.message),
    }
    reply
}

/// The request's name alone: its values may hold passwords.
fn name_of(request: &Request) -> String {
    match serde_json::to_value(request) {
        Ok(Value::Object(fields)) => fields.get("do").and_then(Value::as_str).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}
