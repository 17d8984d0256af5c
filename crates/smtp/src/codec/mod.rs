//! Wire syntax: commands, replies, bodies. Knows no session.

pub mod body;
pub mod line;
pub mod parameters;
pub mod path;
pub mod reply;
pub mod xtext;
