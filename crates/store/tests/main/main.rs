//! The store as its callers see it, over the memory engine.

mod support;

mod append;
mod flags;
mod mailboxes;
mod model;
mod read;
mod simulation;
