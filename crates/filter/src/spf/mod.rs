//! SPF: whether a host may use a domain in HELO or MAIL. RFC 7208, with all its limits. Never asks more of DNS than they allow.

mod evaluate;
mod macros;
mod record;

pub use evaluate::{SpfIdentity, SpfQuery, SpfResult, check_host};
pub use record::{Directive, DualCidr, Mechanism, Record, SyntaxError};
