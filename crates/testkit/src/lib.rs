//! For tests: transcripts, a simulated world, a model mailbox, a corpus.
//!
//! - [`transcript`] plays `C:`/`S:` files against any [`yubin_base::Protocol`] machine.
//! - [`SimRandom`] and [`SimClock`] are the ports of a world that repeats itself.
//! - [`block_on`] runs a future without a runtime.

mod executor;
mod sim;
pub mod transcript;

pub use executor::{block_on, poll_once};
pub use sim::{SimClock, SimRandom};
