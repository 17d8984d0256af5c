//! Taking mail in: who may send to whom, and where the body goes.

mod accept;
mod completion;
mod identity;
mod judge;
mod policy;
mod sign;
mod spool;
mod trace;

pub use judge::{DmarcAction, Judging};
pub use sign::SigningKeys;
pub use spool::Spool;
pub(crate) use trace::{date, delivery_fields};
