//! IMAP sections: from `1.2.HEADER` to a range of octets in the message. RFC 9051 §6.4.5.1. Never reads the message.

use std::ops::Range;

use super::{PartKind, Structure, StructurePart};

/// A section specification without HEADER.FIELDS' names: for those, resolve [`SectionText::Header`] and
/// [`super::select_fields`] on what it gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The part numbers; none is the message itself.
    pub part: Vec<u32>,
    /// What of the part.
    pub text: SectionText,
}

/// What of a part a section names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SectionText {
    /// The whole body of the part; without part numbers the whole message.
    #[default]
    Whole,
    /// The header of the message, or of the message inside a message/rfc822 part.
    Header,
    /// The text of the message, or of the message inside a message/rfc822 part.
    Text,
    /// The MIME header of the part.
    Mime,
}

impl Section {
    /// Reads `1.2.HEADER`, `TEXT`, `3`, or nothing. For tests and tools; the IMAP codec has its own.
    pub fn parse(text: &str) -> Option<Self> {
        let mut section = Self::default();
        if text.is_empty() {
            return Some(section);
        }
        let mut words = text.split('.').peekable();
        while let Some(word) = words.next() {
            if let Ok(number) = word.parse::<u32>() {
                section.part.push(number);
                continue;
            }
            section.text = match word.to_ascii_uppercase().as_str() {
                "HEADER" => SectionText::Header,
                "TEXT" => SectionText::Text,
                "MIME" if !section.part.is_empty() => SectionText::Mime,
                _ => return None,
            };
            return words.peek().is_none().then_some(section);
        }
        Some(section)
    }
}

impl Structure {
    /// The octets of a section in the message; nothing when the message has no such section.
    pub fn resolve(&self, section: &Section) -> Option<Range<u64>> {
        if section.part.is_empty() {
            let root = &self.root;
            return match section.text {
                SectionText::Whole => Some(root.header_start..root.body_end),
                SectionText::Header => Some(root.header_range()),
                SectionText::Text => Some(root.body_range()),
                SectionText::Mime => None,
            };
        }
        let part = self.part(&section.part)?;
        // HEADER and TEXT are only of messages: RFC 9051 §6.4.5.1.
        let message = || part.children.first().filter(|_| part.kind == PartKind::Message);
        match section.text {
            SectionText::Whole => Some(part.body_range()),
            SectionText::Mime => Some(part.header_range()),
            SectionText::Header => message().map(StructurePart::header_range),
            SectionText::Text => message().map(StructurePart::body_range),
        }
    }

    /// The part with these numbers. No numbers: the message itself. Part 1 of a message that is no multipart is its body.
    pub fn part(&self, numbers: &[u32]) -> Option<&StructurePart> {
        let mut part = &self.root;
        // Whether `part` stands for a message, the body of which is what the next number counts in.
        let mut is_message = true;
        for &number in numbers {
            if !is_message && part.kind == PartKind::Message {
                part = part.children.first()?;
                is_message = true;
            }
            let index = usize::try_from(number.checked_sub(1)?).ok()?;
            match part.kind {
                PartKind::Multipart => part = part.children.get(index)?,
                _ if is_message && index == 0 => {}
                _ => return None,
            }
            is_message = false;
        }
        Some(part)
    }
}
