//! One note of a message's history: what happened when, in words for the operator. Written in the transaction of what it tells, never changed, removed
//! when it is old.

use serde::{Deserialize, Serialize};
use yubin_base::UnixMs;

const VERSION: u8 = 1;

/// One note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When it happened.
    pub at: UnixMs,
    /// What.
    pub what: What,
    /// Whom it concerns: the sender for what concerns all of the message, else the recipient. Empty for the null sender.
    pub address: String,
    /// `Message-ID`, in the note of the acceptance.
    pub message_id: Option<String>,
    /// The story: from where, to which host, in whose words.
    pub text: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// It was taken from a client or another server.
    Accepted,
    /// A recipient it is for.
    For,
    /// It stands in a mailbox.
    Delivered,
    /// Another server took it.
    Sent,
    /// It did not work for now.
    Deferred,
    /// It was sent and the answer is not known.
    InDoubt,
    /// It did not work, for good.
    Failed,
    /// A report about it was made; its id stands in the text.
    Reported,
    /// An administrator did something.
    Administered,
}

impl What {
    /// The word in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::For => "for",
            Self::Delivered => "delivered",
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::InDoubt => "in doubt",
            Self::Failed => "failed",
            Self::Reported => "reported",
            Self::Administered => "administered",
        }
    }
}

impl Note {
    /// A note about an address.
    pub fn new(at: UnixMs, what: What, address: impl ToString, text: impl Into<String>) -> Self {
        Self { at, what, address: address.to_string(), message_id: None, text: text.into() }
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        // These types always serialise; an empty tail would be read as damage.
        out.extend(postcard::to_stdvec(self).unwrap_or_default());
        out
    }

    /// Reads the stored form; nothing when it is damaged or of a later version.
    pub fn decode(value: &[u8]) -> Option<Self> {
        match value.split_first()? {
            (&VERSION, rest) => postcard::from_bytes(rest).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by version 1; must be readable for ever.
    #[test]
    fn version_1_stays_readable() {
        let golden = [1, 5, 3, 3, b'b', b'@', b'x', 0, 2, b'o', b'k'];
        let note = Note::new(UnixMs(5), What::Sent, "b@x", "ok");
        assert_eq!(Note::decode(&golden), Some(note.clone()));
        assert_eq!(note.encode(), golden);
        assert_eq!(Note::decode(&[9]), None);
    }
}
