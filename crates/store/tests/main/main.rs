//! The store as its callers see it, over the memory engine.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

mod annotations;
mod append;
mod embedded;
mod flags;
mod index;
mod large;
mod mailboxes;
mod model;
mod read;
mod scripts;
mod sharing;
mod simulation;
