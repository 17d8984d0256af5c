//! Sieve from outside: scripts on messages, and ManageSieve over scripts in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test that fails, panics

mod manage;
mod scripts;

#[test]
fn transcripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    yubin_testkit::transcript::run_dir(folder, manage::World::default);
}
