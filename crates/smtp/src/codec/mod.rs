//! Wire syntax: commands, replies, bodies. Knows no session.

pub mod reply;
