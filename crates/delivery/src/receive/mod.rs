//! Taking mail in: who may send to whom, and where the body goes.

mod accept;
mod identity;
mod policy;
mod spool;
mod trace;

pub use spool::Spool;
pub(crate) use trace::delivery_fields;
