//! What is wrong with a message. Never an error: the message is read all the same.

/// One thing that is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Defect {
    /// What is wrong.
    pub kind: DefectKind,
    /// Where in the message it was noticed, in octets.
    pub offset: u64,
}

/// What can be wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DefectKind {
    /// The header is not ended by an empty line; the body begins at the first line that is no field.
    NoBlankLine,
    /// A header line ends in a bare LF.
    BareLf,
    /// A header line has a CR that is not part of CRLF.
    BareCr,
    /// A header has a NUL.
    Nul,
    /// A header has a first line that continues nothing, or a `From ` line of a mailbox file.
    StrayLine,
    /// A header block is over a limit; what is beyond was skipped.
    HeaderTooLong,
    /// The message's header blocks together are over a limit; this one was not kept.
    HeaderNotKept,
    /// Content-Type cannot be read; text/plain is assumed (RFC 2045 §5.2).
    BadContentType,
    /// A multipart has no boundary parameter, or one that is empty or too long; it is read as text/plain.
    NoBoundary,
    /// A multipart has no delimiter line; it is read as text/plain.
    NoParts,
    /// A multipart is not closed by its last delimiter.
    NotClosed,
    /// A multipart or message has a transfer encoding other than 7bit, 8bit, binary; the encoding of a multipart is ignored.
    EncodedComposite,
    /// Deeper than the limit; this part is opaque.
    TooDeep,
    /// More parts than the limit; this part is opaque and runs to the end.
    TooManyParts,
    /// The Content-Transfer-Encoding is not one of the known.
    UnknownEncoding,
}
