//! DMARC: what the author's domain asks of receivers, and whether the message is its own. RFC 9989, which has a walk up the tree of DNS where
//! RFC 7489 had a list of public suffixes; records written for RFC 7489 are read as RFC 9989 reads them.
//! Never decides what happens to a message: it says what was asked for.

mod discover;
mod evaluate;
mod record;

pub use evaluate::{DmarcResult, Identifiers, evaluate};
pub use record::{DmarcRecord, Policy, Psd};
