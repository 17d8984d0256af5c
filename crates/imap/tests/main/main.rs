//! IMAP from outside: transcripts over the real store on an engine in memory, and what transcripts cannot say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test that fails, panics

mod access;
mod search;
mod session;
mod views;
mod world;

#[test]
fn transcripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    yubin_testkit::transcript::run_dir(folder, world::World::new);
}
