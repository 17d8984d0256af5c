//! The clients of the crash test and the benchmark: they check every answer, and know what was acknowledged.

pub mod imap;
pub mod pop3;
mod rng;
pub mod smtp;
pub mod wire;

pub use rng::Rng;
