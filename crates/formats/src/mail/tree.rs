//! The tree of parts a message is read into. Holds header blocks, never bodies.

use std::ops::Range;

use super::{ContentType, Defect, Disposition, TransferEncoding, decode_header, first_field, unfold};

/// A message that was read: its parts, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The message itself; its header is the message's header.
    pub root: Part,
    /// The length of the message.
    pub octets: u64,
    /// What is wrong with it, in the order it was noticed; at most [`crate::limits::DEFECTS`].
    pub defects: Vec<Defect>,
}

/// What stands below a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// Nothing: the body is content.
    Leaf,
    /// The parts of a multipart; at least one.
    Multipart,
    /// Exactly one child: the message inside a message/rfc822 or message/global.
    Message,
}

/// One part. All offsets count octets from the start of the whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What stands below.
    pub kind: PartKind,
    /// Where the header begins.
    pub header_start: u64,
    /// Where the header ends, after its empty line, and the body begins.
    pub body_start: u64,
    /// Where the body ends; the line break before a delimiter line belongs to the delimiter.
    pub body_end: u64,
    /// How many line ends the body has.
    pub lines: u64,
    /// The type as it is to be treated; the default where the header names none, or an impossible one.
    pub content_type: ContentType,
    /// The transfer encoding.
    pub encoding: TransferEncoding,
    /// The raw Content-Transfer-Encoding when it is none of the known.
    pub unknown_encoding: Option<Box<[u8]>>,
    /// The raw header block, empty line included; empty when it was not kept.
    pub header: Vec<u8>,
    /// The parts below.
    pub children: Vec<Part>,
}

impl Mail {
    /// The raw header block of the message.
    pub fn header(&self) -> &[u8] {
        &self.root.header
    }
    /// The decoded Subject; empty when there is none.
    pub fn subject(&self) -> String {
        first_field(&self.root.header, b"Subject").map(decode_header).unwrap_or_default()
    }
}

impl Part {
    /// A part that begins at `offset` and of which nothing is known yet.
    pub(super) fn at(offset: u64) -> Self {
        Self {
            kind: PartKind::Leaf,
            header_start: offset,
            body_start: offset,
            body_end: offset,
            lines: 0,
            content_type: ContentType::new("", ""),
            encoding: TransferEncoding::SevenBit,
            unknown_encoding: None,
            header: Vec::new(),
            children: Vec::new(),
        }
    }
    /// The octets of the header, empty line included.
    pub fn header_range(&self) -> Range<u64> {
        self.header_start..self.body_start
    }
    /// The octets of the body.
    pub fn body_range(&self) -> Range<u64> {
        self.body_start..self.body_end
    }
    /// The number of octets of the body, still encoded.
    pub fn body_octets(&self) -> u64 {
        self.body_end.saturating_sub(self.body_start)
    }
    /// The unfolded, undecoded value of the first field of this name.
    pub fn field(&self, name: &[u8]) -> Option<Vec<u8>> {
        first_field(&self.header, name).map(|value| unfold(value).into_owned())
    }
    /// The Content-Disposition, if there is one that can be read.
    pub fn disposition(&self) -> Option<Disposition> {
        first_field(&self.header, b"Content-Disposition").and_then(Disposition::parse)
    }
    /// The decoded file name: `filename` of the disposition, else `name` of the type. Not made safe for a file system.
    pub fn file_name(&self) -> Option<String> {
        self.disposition()
            .and_then(|d| d.parameters.decoded(b"filename"))
            .or_else(|| self.content_type.parameters.decoded(b"name"))
            .filter(|name| !name.is_empty())
    }
    /// This part and all below, parents before children.
    pub fn walk(&self) -> Walk<'_> {
        Walk { stack: vec![self] }
    }
}

/// Iterates over a part and all below.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    stack: Vec<&'a Part>,
}

impl<'a> Iterator for Walk<'a> {
    type Item = &'a Part;
    fn next(&mut self) -> Option<&'a Part> {
        let part = self.stack.pop()?;
        self.stack.extend(part.children.iter().rev());
        Some(part)
    }
}
