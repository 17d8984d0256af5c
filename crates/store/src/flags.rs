//! System flags and keywords (RFC 9051 §2.3.2).

use std::sync::Arc;

/// The system flags of one message in one mailbox, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u16);

impl Flags {
    /// `\Seen`
    pub const SEEN: Self = Self(1);
    /// `\Answered`
    pub const ANSWERED: Self = Self(2);
    /// `\Flagged`
    pub const FLAGGED: Self = Self(4);
    /// `\Deleted`
    pub const DELETED: Self = Self(8);
    /// `\Draft`
    pub const DRAFT: Self = Self(16);
    /// Every system flag.
    pub const ALL: Self = Self(31);
    /// No flag of any protocol, and nothing a client can change: set by append on messages whose line ends are not all CRLF,
    /// or that do not end with one, so that POP3 knows whose size on the wire differs from the stored one.
    pub const LINE_ENDS: Self = Self(1 << 15);

    /// Whether all of `other` are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Both.
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// This without `other`.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A keyword as the client spelled it first. Compared without case (RFC 9051 §2.3.2). A valid IMAP atom, at most 64 octets.
#[derive(Clone, Debug)]
pub struct Keyword(Arc<str>);

impl Keyword {
    /// Checks the spelling: an atom that does not begin with a backslash, 1 to 64 octets.
    pub fn new(text: &str) -> Option<Self> {
        let atom = |c: char| c.is_ascii_graphic() && !"(){%*\"\\]".contains(c);
        (!text.is_empty() && text.len() <= 64 && text.chars().all(atom)).then(|| Self(text.into()))
    }
    /// The keyword as spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
impl Eq for Keyword {}

/// Keywords of one message, as bits into its mailbox's keyword table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeywordBits(pub u64);
