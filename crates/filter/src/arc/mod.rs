//! ARC: what servers on the way found and sealed. Verified here; believed only of sealers that the operator trusts. RFC 8617.

mod chain;
mod verify;

pub use verify::{ArcResult, ArcVerifier};
