//! Who: domains, accounts, aliases, credentials, SASL.
//!
//! Small data, kept in the engine's global part and cached whole in memory, so that every look-up is synchronous.
//! Never touches message content, sockets, clocks or files.
//! RFC 5321 §4.5.1 (postmaster), RFC 5233 (subaddresses), RFC 5890 (domain names), RFC 4422 (SASL).

mod admin;
mod aging;
mod directory;
mod error;
pub mod events;
pub mod limits;
mod names;
mod options;
mod password;
mod resolve;
mod sasl;
mod snapshot;
mod tables;
mod text;
mod throttle;
mod verify;

pub use admin::{
    account::{NewAccount, NewPassword, Removed},
    domain::NewDomain,
};
pub use directory::Directory;
pub use error::DirectoryError;
pub use options::{AliasSenders, Argon2Cost, DirectoryOptions};
pub use resolve::{LocalRecipient, Resolution};
pub use tables::{
    account::Account,
    alias::Alias,
    domain::{Domain, DomainKind},
};
