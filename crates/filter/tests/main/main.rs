//! Vectors of the RFCs and of other implementations, and whole messages through signer and verifier.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod dkim;
mod identity;
mod oracles;
mod spf;
mod zone;
