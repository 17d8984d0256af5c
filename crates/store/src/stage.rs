//! Takes a message in: streams its octets into a blob and through the MIME parser at once. Never holds the message.

use yubin_base::UnixMs;
use yubin_engine::{BlobError, BlobRef, BlobWriter};
use yubin_formats::mail::{self, Mail, Parser, Structure};

use crate::{Staged, StoreError, limits};

/// A message being taken in. Dropping it gives it up.
pub struct Stager {
    blob: Box<dyn BlobWriter>,
    parser: Parser,
    line_ends: LineEnds,
    /// The first octets, for the preview.
    front: Vec<u8>,
    octets: u64,
    octets_max: u64,
    /// A message that failed once is not finished.
    failed: Option<StoreError>,
}

impl Stager {
    pub(crate) fn new(blob: Box<dyn BlobWriter>, octets_max: u64) -> Self {
        let parser = Parser::new();
        Self {
            blob,
            parser,
            line_ends: LineEnds::default(),
            front: Vec::new(),
            octets: 0,
            octets_max,
            failed: None,
        }
    }

    /// Takes the next octets.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let taken = self.take(octets);
        if let Err(error) = &taken {
            self.failed = Some(error.clone());
        }
        taken
    }

    fn take(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        self.octets = self.octets.saturating_add(octets.len() as u64);
        if self.octets > self.octets_max {
            return Err(StoreError::Limit("the message is too large"));
        }
        self.blob.write(octets).map_err(|error: BlobError| StoreError::from(error))?;
        self.parser.push(octets);
        let room = limits::PREVIEW_FRONT_OCTETS.saturating_sub(self.front.len()).min(octets.len());
        self.front.extend_from_slice(octets.get(..room).unwrap_or_default());
        self.line_ends.push(octets);
        Ok(())
    }

    /// Octets taken so far.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Ends the message.
    pub fn finish(self) -> Result<Staged, StoreError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let blob = self.blob.finish()?;
        Ok(staged(blob, &self.parser.finish(), self.line_ends.odd(), &self.front))
    }
}

/// What is kept of a message that was read.
fn staged(blob: BlobRef, mail: &Mail, line_ends: bool, front: &[u8]) -> Staged {
    let header = mail.header();
    let structure = Structure::from(mail);
    let blob_octets = blob.size_octets;
    let mut staged = Staged {
        blob,
        message_id: mail::message_id(header).and_then(id_text),
        references: references(header),
        base_subject: mail::conversation_subject(&mail.subject()).text,
        sent_date: mail::first_field(header, b"Date")
            .and_then(mail::parse_date)
            .and_then(|date| unix(date.unix_seconds)),
        envelope: mail::render_envelope(&mail.root),
        body_structure: mail::render_bodystructure(&mail.root, true),
        body: mail::render_bodystructure(&mail.root, false),
        structure: structure.encode(),
        received_fields: 0,
        delivered_to: Vec::new(),
        line_ends,
        preview: preview(&structure, blob_octets, front),
    };
    for field in mail::fields(header) {
        if field.is(b"Received") {
            staged.received_fields = staged.received_fields.saturating_add(1);
        } else if field.is(b"Delivered-To") && staged.delivered_to.len() < limits::DELIVERED_TO {
            let value = mail::unfold(field.value);
            let short = value.get(..limits::MESSAGE_ID_OCTETS).unwrap_or(&value);
            staged.delivered_to.push(String::from_utf8_lossy(short).trim().to_owned());
        }
    }
    staged
}

/// The preview, if enough of the text is at hand to make it as it would be made from all of it.
fn preview(structure: &Structure, octets: u64, front: &[u8]) -> Option<String> {
    let Some(part) = structure.preview_part() else { return Some(String::new()) };
    let body = part.body_range();
    let index = |at: u64| usize::try_from(at.min(octets)).unwrap_or(usize::MAX).min(front.len());
    let text = mail::preview_of(part, front.get(index(body.start)..index(body.end)).unwrap_or_default());
    let is_whole = body.end <= front.len() as u64;
    let is_full = text.chars().count() >= yubin_formats::limits::PREVIEW_CHARACTERS;
    (is_whole || is_full).then_some(text)
}

/// An id as text; one too long to be an id is none.
fn id_text(id: Vec<u8>) -> Option<String> {
    (id.len() <= limits::MESSAGE_ID_OCTETS).then(|| String::from_utf8_lossy(&id).into_owned())
}

/// References, then In-Reply-To (RFC 5322 §3.6.4): the first and the nearest.
fn references(header: &[u8]) -> Vec<String> {
    let mut ids: Vec<String> = mail::references(header).into_iter().filter_map(id_text).collect();
    for id in mail::in_reply_to(header).into_iter().take(limits::THREAD_REFERENCES).filter_map(id_text) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.len() > limits::THREAD_REFERENCES {
        ids.drain(1..=ids.len() - limits::THREAD_REFERENCES);
    }
    ids
}

fn unix(seconds: i64) -> Option<UnixMs> {
    u64::try_from(seconds).ok()?.checked_mul(1000).map(UnixMs)
}

/// Whether every line ends with CRLF, the last one too.
#[derive(Clone, Copy, Debug, Default)]
struct LineEnds {
    odd: bool,
    last: u8,
}

impl LineEnds {
    fn push(&mut self, octets: &[u8]) {
        let Some(last) = octets.last() else { return };
        if !self.odd {
            self.odd = self.has_odd(octets);
        }
        self.last = *last;
    }

    fn has_odd(&self, octets: &[u8]) -> bool {
        // A CR at the end of the piece before wants its LF now.
        if self.last == b'\r' && octets.first() != Some(&b'\n') {
            return true;
        }
        memchr::memchr2_iter(b'\r', b'\n', octets).any(|at| {
            let before = at.checked_sub(1).and_then(|at| octets.get(at)).unwrap_or(&self.last);
            match octets.get(at) {
                Some(b'\n') => *before != b'\r',
                _ => octets.get(at + 1).is_some_and(|next| *next != b'\n'),
            }
        })
    }

    fn odd(self) -> bool {
        self.odd || self.last != b'\n'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_that_are_not_crlf_are_seen_however_the_message_is_cut() {
        for (text, odd) in [
            ("", true),
            ("\r\n", false),
            ("a\r\nb\r\n", false),
            ("a\r\nb", true),
            ("a\nb\r\n", true),
            ("a\rb\r\n", true),
            ("a\r\r\n", true),
            ("\n", true),
            ("a\r\n\n", true),
            ("a\r", true),
        ] {
            for cut in 0..=text.len() {
                for second in cut..=text.len() {
                    let mut ends = LineEnds::default();
                    ends.push(&text.as_bytes()[..cut]);
                    ends.push(&text.as_bytes()[cut..second]);
                    ends.push(&text.as_bytes()[second..]);
                    assert_eq!(ends.odd(), odd, "{text:?} {cut} {second}");
                }
            }
        }
    }
}
