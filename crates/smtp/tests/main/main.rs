//! The integration tests of the crate: transcripts, the smuggling matrix, and properties of arbitrary input.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // tests, and their helpers, fail that way

mod client;
mod properties;
mod smuggling;
mod world;

#[test]
fn transcripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    yubin_testkit::transcript::run_dir(folder, world::World::new);
}

#[test]
fn transcripts_of_the_client() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client");
    yubin_testkit::transcript::run_dir(folder, client::ClientWorld::new);
}
