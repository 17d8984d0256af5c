//! The integration tests of the crate: transcripts, the smuggling matrix, and properties of arbitrary input.

mod properties;
mod smuggling;
mod world;

#[test]
fn transcripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    yubin_testkit::transcript::run_dir(folder, world::World::new);
}
