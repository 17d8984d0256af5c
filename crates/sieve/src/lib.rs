//! Sieve: the language that sorts mail (RFC 5228 and its extensions). A script and a message in, actions out: [`compile`] and [`run`] are
//! pure; what a script asks of the world stands behind [`World`], and what it wants done comes back as an [`Outcome`].
//! Never delivers, stores or sends anything.
//!
//! Text to tokens to a tree: `syntax/`. Names and arguments checked, tree to a flat list of steps: `compile/`. Running the steps within a
//! budget: `run/`. Which extensions run: [`CAPABILITIES`].

mod capability;
mod compare;
mod compile;
mod error;
pub mod limits;
pub mod manage;
mod message;
mod outcome;
mod program;
mod run;
mod syntax;

pub use capability::CAPABILITIES;
pub use compile::compile;
pub use error::{CompileError, Position};
pub use message::{Body, BodyPart, Scene, World};
pub use outcome::{Deed, Explained, FileIntoDeed, Outcome, RunError, Tracked, VacationDeed};
pub use program::{Include, Location, Script};
pub use run::run;
