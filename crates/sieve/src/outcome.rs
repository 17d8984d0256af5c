//! What a script wants done, and why.

/// The result of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What is to be done, in order; the implicit keep (RFC 5228 §2.10.2) is among them. None means: drop the message.
    pub deeds: Vec<Deed>,
    /// The header as the script changed it (RFC 5293), its empty line included.
    pub header: Option<Vec<u8>>,
    /// Ids to remember once the message has been delivered (RFC 7352 §3).
    pub tracked: Vec<Tracked>,
    /// Why the run was given up; the message is then kept, and nothing else is done (RFC 5228 §2.10.6).
    pub error: Option<RunError>,
    /// Each test and action that ran.
    pub explained: Vec<Explained>,
    /// Steps that were spent of [`crate::limits::STEPS`].
    pub steps: u64,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Into INBOX, or wherever mail goes without a script.
    Keep {
        /// System flags and keywords.
        flags: Vec<String>,
        /// Whether no action said so.
        implicit: bool,
    },
    /// Into a mailbox.
    FileInto(FileIntoDeed),
    /// On to another address.
    Redirect {
        /// Where.
        address: String,
    },
    /// Back to the sender.
    Reject {
        /// A text for a person.
        reason: String,
        /// RFC 5429 §2.1: refused in the protocol where that is possible, never with a message to a forged sender.
        extended: bool,
    },
    /// An answer to the sender.
    Vacation(VacationDeed),
}

/// Into which mailbox, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileIntoDeed {
    /// Its name. What has no mailbox of this name is kept instead.
    pub mailbox: String,
    /// The mailbox of this use goes first (RFC 8579).
    pub special_use: Option<String>,
    /// The mailbox of this id goes first (RFC 9042).
    pub mailbox_id: Option<String>,
    /// Whether to make it when there is none (RFC 5490 §3.2).
    pub create: bool,
    /// System flags and keywords.
    pub flags: Vec<String>,
}

/// An automatic answer. RFC 5230.
#[derive(Clone, Debug, PartialEq)]
pub struct VacationDeed {
    /// No second answer to the same sender for so long.
    pub seconds: u64,
    /// The subject; nothing means `Auto: ` and the message's.
    pub subject: Option<String>,
    /// The From of the answer.
    pub from: Option<String>,
    /// Further addresses of the recipient.
    pub addresses: Vec<String>,
    /// Whether `reason` is a MIME entity with its header.
    pub mime: bool,
    /// What tells answers apart (RFC 5230 §4.2).
    pub handle: String,
    /// The text.
    pub reason: String,
}

/// An id of RFC 7352.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// The id, with its handle.
    pub id: String,
    /// How long to remember it.
    pub seconds: u64,
}

/// Why a run was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError {
    /// The line of the script.
    pub line: u32,
    /// A sentence for its author.
    pub text: String,
}

/// One line of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The included script; nothing for the main one.
    pub script: Option<String>,
    /// The line.
    pub line: u32,
    /// What happened: `header: "Subject" matched "invoice": true`.
    pub text: String,
}
