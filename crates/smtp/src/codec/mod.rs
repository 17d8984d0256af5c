//! Wire syntax: commands, replies, bodies. Knows no session.

pub mod body;
pub mod encoder;
pub mod extensions;
pub mod line;
pub mod parameters;
pub mod path;
pub mod reply;
pub mod response;
pub mod xtext;
