//! The only place that knows POP3's wire syntax: command lines, replies, multi-line answers.

pub mod command;
pub mod multiline;
pub mod reply;

use crate::limits::LOGGED_TEXT_OCTETS;

/// A text of the client's as a log line shows it: bounded, control characters escaped.
pub fn shown(text: &[u8]) -> String {
    let cut = text.get(..LOGGED_TEXT_OCTETS).unwrap_or(text);
    String::from_utf8_lossy(cut).escape_debug().to_string()
}
