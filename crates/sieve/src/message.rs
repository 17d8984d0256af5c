//! What a script sees: the message, its envelope, and the answers of the world around it.

use std::sync::Arc;

use yubin_base::{Address, UnixMs};

use crate::program::{Location, Script};

/// One message at the moment of its delivery.
pub struct Scene<'a> {
    /// The header block, with or without its empty line.
    pub header: &'a [u8],
    /// The size of the whole message.
    pub octets: u64,
    /// The text of the message, when [`Script::reads_body`] of the script or of one it includes.
    pub body: &'a Body,
    /// MAIL FROM; nothing is the null reverse path.
    pub envelope_from: Option<&'a Address>,
    /// RCPT TO, as it was given.
    pub envelope_to: &'a Address,
    /// When the script runs.
    pub now: UnixMs,
    /// The server's zone, in minutes east of UTC.
    pub zone_minutes: i32,
    /// The items of RFC 5183, by lower-case name.
    pub environment: &'a [(&'a str, String)],
    /// How likely spam is, of a hundred; nothing when it was not judged.
    pub spam_percent: Option<u8>,
    /// RFC 5235 §3.2: 1 is clean, 5 is certainly infected; nothing when it was not looked at.
    pub virus: Option<u8>,
    /// The account and its scripts.
    pub world: &'a dyn World,
}

/// What a script may ask about the account.
pub trait World {
    /// Whether mail can be filed into this mailbox (RFC 5490 §3.1).
    fn mailbox_exists(&self, name: &str) -> bool;
    /// Whether a mailbox has this id (RFC 9042 §4).
    fn mailbox_id_exists(&self, id: &str) -> bool;
    /// Whether this mailbox, or any when none is named, has this use, as in `\Junk` (RFC 8579 §4).
    fn special_use_exists(&self, mailbox: Option<&str>, special_use: &str) -> bool;
    /// Whether this id was tracked before and still is (RFC 7352).
    fn seen_before(&self, id: &str) -> bool;
    /// A script to include (RFC 6609).
    fn script(&self, location: Location, name: &str) -> Option<Arc<Script>>;
}

/// The text of a message, decoded and cut to [`crate::limits::BODY_OCTETS`] by whoever reads it.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// The body as it came, undecoded.
    pub raw: String,
    /// The parts that hold text or anything else that was decoded, in order.
    pub parts: Vec<BodyPart>,
}

/// One decoded part.
#[derive(Clone, Debug, Default)]
pub struct BodyPart {
    /// `text/html`, lower case.
    pub content_type: String,
    /// Its text, transfer encoding and charset undone.
    pub text: String,
}
