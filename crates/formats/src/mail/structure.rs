//! The stored form of a message's structure: what sections, BINARY, search and previews need, and nothing else.
//! Never holds text of the message but types, charset labels and file names. The format is ours and versioned.

use super::{Mail, Part, PartKind, TransferEncoding};
use crate::limits::{FILE_NAME_OCTETS, PART_DEPTH, PARTS};
use std::ops::Range;

/// The version this code writes.
const VERSION: u8 = 1;

/// The structure of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// The message itself.
    pub root: StructurePart,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructurePart {
    /// What stands below.
    pub kind: PartKind,
    /// The type, lower case: `text`.
    pub main: String,
    /// The subtype, lower case: `plain`.
    pub sub: String,
    /// The charset label as written; empty when none is.
    pub charset: String,
    /// The transfer encoding.
    pub encoding: TransferEncoding,
    /// Whether the part is to be saved rather than shown.
    pub attachment: bool,
    /// The decoded file name; empty when there is none.
    pub file_name: String,
    /// Where the header begins in the message.
    pub header_start: u64,
    /// Where the body begins in the message.
    pub body_start: u64,
    /// Where the body ends in the message.
    pub body_end: u64,
    /// The line ends of the body.
    pub lines: u64,
    /// The parts below.
    pub children: Vec<StructurePart>,
}

impl From<&Mail> for Structure {
    fn from(mail: &Mail) -> Self {
        Self { root: StructurePart::from(&mail.root) }
    }
}

impl From<&Part> for StructurePart {
    fn from(part: &Part) -> Self {
        let content_type = &part.content_type;
        let mut file_name = part.file_name().unwrap_or_default();
        let cut = file_name.floor_char_boundary(FILE_NAME_OCTETS);
        file_name.truncate(cut);
        Self {
            kind: part.kind,
            main: content_type.main.to_ascii_lowercase(),
            sub: content_type.sub.to_ascii_lowercase(),
            charset: content_type.charset().filter(|label| label.len() <= 64).unwrap_or_default().to_owned(),
            encoding: part.encoding,
            attachment: part.disposition().is_some_and(|d| d.is_attachment()),
            file_name,
            header_start: part.header_start,
            body_start: part.body_start,
            body_end: part.body_end,
            lines: part.lines,
            children: part.children.iter().map(Self::from).collect(),
        }
    }
}

impl StructurePart {
    /// The octets of the header, empty line included.
    pub fn header_range(&self) -> Range<u64> {
        self.header_start..self.body_start
    }
    /// The octets of the body.
    pub fn body_range(&self) -> Range<u64> {
        self.body_start..self.body_end
    }
    /// Whether it is this type and subtype (lower case).
    pub fn is(&self, main: &str, sub: &str) -> bool {
        self.main == main && self.sub == sub
    }
    /// Whether the body is text to read and search.
    pub fn is_text(&self) -> bool {
        self.kind == PartKind::Leaf && self.main == "text"
    }
    /// Whether SEARCH looks at the body: text, reports, what was too deep or too much to be taken apart, and what is written as text
    /// under another name.
    pub fn is_searched(&self) -> bool {
        let written = |sub: &str| {
            matches!(sub, "xml" | "json" | "javascript" | "x-javascript" | "ics" | "x-sh" | "sql" | "yaml")
                || sub.ends_with("+xml")
                || sub.ends_with("+json")
        };
        self.kind == PartKind::Leaf
            && (matches!(self.main.as_str(), "text" | "message" | "multipart")
                || (self.main == "application" && written(&self.sub)))
    }
    /// Whether the body is HTML.
    pub fn is_html(&self) -> bool {
        self.is("text", "html") || self.is("application", "xhtml+xml")
    }
    /// Adds all leaves in order.
    fn collect_leaves<'a>(&'a self, out: &mut Vec<&'a StructurePart>) {
        if self.kind == PartKind::Leaf {
            out.push(self);
        }
        self.children.iter().for_each(|child| child.collect_leaves(out));
    }
}

impl Structure {
    /// All leaves in the order of the message.
    pub fn leaves(&self) -> Vec<&StructurePart> {
        let mut out = Vec::new();
        self.root.collect_leaves(&mut out);
        out
    }
    /// The text parts in the order of the message, attached ones and those of messages inside included.
    pub fn text_parts(&self) -> impl Iterator<Item = &StructurePart> {
        self.leaves().into_iter().filter(|part| part.is_text())
    }
    /// The part a preview is made from: the first plain text that is not attached, else the first text.
    pub fn preview_part(&self) -> Option<&StructurePart> {
        let leaves = self.leaves();
        let shown = || leaves.iter().copied().filter(|part| part.is_text() && !part.attachment);
        shown()
            .find(|part| part.is("text", "plain") && part.body_start < part.body_end)
            .or_else(|| shown().next())
    }
    /// Whether the message has something to save: a leaf that is attached, or has a file name and is no text.
    pub fn has_attachment(&self) -> bool {
        let saved =
            |part: &&StructurePart| part.attachment || (!part.file_name.is_empty() && part.main != "text");
        fn any(part: &StructurePart, test: &dyn Fn(&&StructurePart) -> bool) -> bool {
            (part.kind != PartKind::Multipart && test(&part))
                || part.children.iter().any(|child| any(child, test))
        }
        any(&self.root, &saved)
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.push(VERSION);
        encode_part(&self.root, 0, &mut out);
        out
    }
    /// Reads the stored form. Nothing when it is damaged, or of a version this code does not know.
    pub fn decode(stored: &[u8]) -> Option<Self> {
        let mut reader = Reader { rest: stored, parts_left: PARTS * 2 };
        if reader.octet()? != VERSION {
            return None;
        }
        let root = reader.part(0, 0)?;
        reader.rest.is_empty().then_some(Self { root })
    }
}

/// The types nearly all parts have; the number is stored. Only ever add at the end.
const COMMON_TYPES: &[(&str, &str)] = &[
    ("", ""), // 0: written out
    ("text", "plain"),
    ("text", "html"),
    ("multipart", "mixed"),
    ("multipart", "alternative"),
    ("multipart", "related"),
    ("multipart", "report"),
    ("multipart", "signed"),
    ("multipart", "digest"),
    ("message", "rfc822"),
    ("message", "delivery-status"),
    ("application", "octet-stream"),
    ("application", "pdf"),
    ("application", "zip"),
    ("image", "png"),
    ("image", "jpeg"),
    ("image", "gif"),
    ("text", "calendar"),
    ("application", "pgp-signature"),
    ("application", "pkcs7-signature"),
];

/// part = octet kind | encoding << 2 | attachment << 5
///        octet type, and for 0 two strings
///        string charset, string file name
///        number header_start - start of the part around it (its header's start)
///        number header length, number body length, number lines
///        for kinds with children: number of children, children
fn encode_part(part: &StructurePart, base: u64, out: &mut Vec<u8>) {
    let kind = match part.kind {
        PartKind::Leaf => 0,
        PartKind::Multipart => 1,
        PartKind::Message => 2,
    };
    out.push(kind | encoding_number(part.encoding) << 2 | u8::from(part.attachment) << 5);
    let common = COMMON_TYPES.iter().skip(1).position(|(main, sub)| part.is(main, sub));
    match common {
        Some(index) => out.push((index + 1) as u8),
        None => {
            out.push(0);
            encode_text(&part.main, out);
            encode_text(&part.sub, out);
        }
    }
    encode_text(&part.charset, out);
    encode_text(&part.file_name, out);
    encode_number(part.header_start.saturating_sub(base), out);
    encode_number(part.body_start.saturating_sub(part.header_start), out);
    encode_number(part.body_end.saturating_sub(part.body_start), out);
    encode_number(part.lines, out);
    if part.kind != PartKind::Leaf {
        encode_number(part.children.len() as u64, out);
        for child in &part.children {
            encode_part(child, part.header_start, out);
        }
    }
}

fn encoding_number(encoding: TransferEncoding) -> u8 {
    match encoding {
        TransferEncoding::SevenBit => 0,
        TransferEncoding::EightBit => 1,
        TransferEncoding::Binary => 2,
        TransferEncoding::Base64 => 3,
        TransferEncoding::QuotedPrintable => 4,
        TransferEncoding::Uuencode => 5,
        TransferEncoding::Unknown => 6,
    }
}

/// Seven bits an octet, the low ones first; the high bit says that more follow.
fn encode_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    encode_number(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

struct Reader<'a> {
    rest: &'a [u8],
    parts_left: usize,
}

impl Reader<'_> {
    fn octet(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }
    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            number |= u64::from(octet & 0x7f).checked_shl(shift)?;
            if octet < 0x80 {
                return Some(number);
            }
        }
        None
    }
    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        std::str::from_utf8(text).ok().map(str::to_owned)
    }
    fn part(&mut self, base: u64, depth: usize) -> Option<StructurePart> {
        self.parts_left = self.parts_left.checked_sub(1)?;
        if depth > PART_DEPTH {
            return None;
        }
        let head = self.octet()?;
        let kind = match head & 3 {
            0 => PartKind::Leaf,
            1 => PartKind::Multipart,
            2 => PartKind::Message,
            _ => return None,
        };
        let encoding = match head >> 2 & 7 {
            0 => TransferEncoding::SevenBit,
            1 => TransferEncoding::EightBit,
            2 => TransferEncoding::Binary,
            3 => TransferEncoding::Base64,
            4 => TransferEncoding::QuotedPrintable,
            5 => TransferEncoding::Uuencode,
            6 => TransferEncoding::Unknown,
            _ => return None,
        };
        let (main, sub) = match self.octet()? {
            0 => (self.text()?, self.text()?),
            number => COMMON_TYPES
                .get(usize::from(number))
                .map(|(main, sub)| ((*main).to_owned(), (*sub).to_owned()))?,
        };
        let (charset, file_name) = (self.text()?, self.text()?);
        let header_start = base.checked_add(self.number()?)?;
        let body_start = header_start.checked_add(self.number()?)?;
        let body_end = body_start.checked_add(self.number()?)?;
        let lines = self.number()?;
        let mut children = Vec::new();
        if kind != PartKind::Leaf {
            for _ in 0..self.number()? {
                children.push(self.part(header_start, depth + 1)?);
            }
        }
        if (kind == PartKind::Message && children.len() != 1)
            || (kind == PartKind::Multipart && children.is_empty())
        {
            return None;
        }
        let attachment = head & 0x20 != 0;
        Some(StructurePart {
            kind,
            main,
            sub,
            charset,
            encoding,
            attachment,
            file_name,
            header_start,
            body_start,
            body_end,
            lines,
            children,
        })
    }
}
