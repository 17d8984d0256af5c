//! A message on its way in, and what is kept of it.

use std::sync::Arc;

use yubin_base::UnixMs;
use yubin_engine::{BlobRef, Committed, Idem};

use crate::{DocId, Flags, Keyword, ModSeq, ThreadId, Uid, UidValidity};

/// A message whose octets have been taken in and parsed, ready to be appended any number of times. Made by [`crate::Stager`].
/// Has a byte form ([`Staged::encode`]) so that a queue entry can hold it.
#[derive(Clone, Debug, PartialEq)]
pub struct Staged {
    /// The octets as they were streamed (for received mail: beginning with our Received field).
    pub blob: BlobRef,
    /// `Message-ID`, without the angle brackets' surroundings, as found first.
    pub message_id: Option<String>,
    /// Ids of `In-Reply-To` and `References`, oldest first; bounded.
    pub references: Vec<String>,
    /// The base subject (RFC 5256 §2.1), for threads.
    pub base_subject: String,
    /// `Date`, as unix milliseconds.
    pub sent_date: Option<UnixMs>,
    /// ENVELOPE as FETCH sends it, parentheses included.
    pub envelope: Vec<u8>,
    /// BODYSTRUCTURE (extended) as FETCH sends it.
    pub body_structure: Vec<u8>,
    /// BODY (not extended) as FETCH sends it.
    pub body: Vec<u8>,
    /// `yubin_formats::mail::Structure`, encoded: offsets of every part relative to the blob's start.
    pub structure: Vec<u8>,
    /// How many `Received` fields and which `Delivered-To` values it came with (loop detection); bounded.
    pub received_fields: u32,
    /// `Delivered-To` values as found, bounded.
    pub delivered_to: Vec<String>,
    /// Whether a line end is not CRLF, or the last line has none: then the message has more octets where CRLF is a must (POP3).
    pub line_ends: bool,
    /// The first words of its text (RFC 8970). Set on staging; none when the text lies too far behind, or an older build staged it.
    pub preview: Option<String>,
}

/// One message to append.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The content.
    pub staged: Arc<Staged>,
    /// Trace fields of this one copy, put before the content: `Return-Path`, `Delivered-To`; each line ends in CRLF. May be empty. At most [`limits::PREFIX_OCTETS`](crate::limits::PREFIX_OCTETS).
    pub prefix: Vec<u8>,
    /// System flags.
    pub flags: Flags,
    /// Keywords.
    pub keywords: Vec<Keyword>,
    /// INTERNALDATE.
    pub internal_date: UnixMs,
    /// Names the delivery (queue id and recipient), so that a repeated one finds the first.
    pub idem: Option<Idem>,
}

/// Where an appended message went.
#[derive(Clone, Copy, Debug)]
pub struct Appended {
    /// The mailbox's.
    pub uid_validity: UidValidity,
    /// Its UID.
    pub uid: Uid,
    /// The modseq it came with.
    pub modseq: ModSeq,
    /// Its content's id.
    pub doc: DocId,
    /// The proof that it is on disk.
    pub committed: Committed,
}

/// What is kept of a message beside its rows.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its content's id.
    pub doc: DocId,
    /// Its thread.
    pub thread: ThreadId,
    /// Trace fields before the blob. The raw message is `prefix` followed by the blob's content.
    pub prefix: Vec<u8>,
    /// What was read from it at delivery.
    pub staged: Staged,
}

impl Record {
    /// Octets of the raw message.
    pub fn size_octets(&self) -> u64 {
        self.prefix.len() as u64 + self.staged.blob.size_octets
    }
}
