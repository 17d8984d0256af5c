//! Judgement: who really sent a message. SPF (RFC 7208), DKIM (RFC 6376, RFC 8301, RFC 8463), DMARC (RFC 9989), ARC (RFC 8617), iprev and
//! the Authentication-Results field (RFC 8601); and the DKIM signatures of what our own users send.
//! Never opens a socket, reads a clock, delivers or answers: octets, time and a [`Resolver`](yubin_base::dns::Resolver) come in, findings go out.
//!
//! A message passes in pieces and is never whole in memory: its header section is kept (bounded), its body is hashed on the way.

pub mod arc;
pub mod author;
pub mod dkim;
pub mod dmarc;
mod domain;
mod header;
mod identity;
pub mod iprev;
pub mod limits;
mod outcome;
mod results;
pub mod spf;
mod tags;

pub use header::{HeaderSplit, HeaderTooLong};
pub use identity::{Arrival, Identity, IdentityCheck};
pub use outcome::Outcome;
pub use results::without_forged;
