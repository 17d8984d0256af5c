//! The directory as its users see it: over an engine in memory, with time and randomness as values.

// Helpers beside the #[test] functions are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod admin;
mod change;
mod login;
mod resolve;
mod sasl;
mod world;
