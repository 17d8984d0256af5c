//! The world's clock and randomness: the one place that reads them.
#![allow(clippy::disallowed_methods)]

use std::time::{SystemTime, UNIX_EPOCH};

use yubin_base::{
    UnixMs,
    ports::{Clock, Random},
};

/// Now.
pub fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(since.as_millis() as u64)
}

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMs {
        now()
    }
}

/// The system's randomness.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        if let Err(error) = getrandom::fill(buffer) {
            // A machine without randomness cannot do TLS or passwords; nothing sensible is left to do.
            eprintln!("yubin: the system gives no randomness: {error}");
            std::process::abort();
        }
    }
}
