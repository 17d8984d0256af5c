//! IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051): codec, session, one file per command. No socket, clock, task or randomness.

pub mod codec;
mod command;
pub mod events;
pub mod limits;
mod options;
mod session;

pub use options::{ImapOptions, ImapServices, NoPeople, NoQuotas, People, Person, Quotas};
pub use session::Session;
