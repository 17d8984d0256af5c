//! Tests of reading mail as its users see it: tables of cases, hostile mail, and the differences to other readers.

// The lints are about mail from outside; here a panic is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod bodystructure;
mod hostile;
mod oracles;
mod python;
mod sections;
mod streams;
mod structure;
