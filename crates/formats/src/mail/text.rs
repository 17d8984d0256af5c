//! The text of a part: transfer encoding and charset taken off as a stream, to a bounded size; previews. RFC 2045 §6.
//! Never interprets HTML beyond finding its text.

use super::{StructurePart, TransferDecoder, decode_header, fields, html_to_text};
use crate::{
    charset::{Charset, TextDecoder},
    limits::PREVIEW_CHARACTERS,
};

/// Decodes the body of one text part, in any chunking.
#[derive(Debug)]
pub struct TextReader {
    transfer: TransferDecoder,
    text: TextDecoder,
    octets: Vec<u8>,
    /// How many more octets of text may come out.
    left: usize,
}

impl TextReader {
    /// A reader for a part; no more than `octets_max` octets of UTF-8 come out, ending with a whole character.
    pub fn new(part: &StructurePart, octets_max: usize) -> Self {
        let declared = if part.charset.is_empty() { None } else { Charset::for_label(&part.charset) };
        Self {
            transfer: TransferDecoder::new(part.encoding),
            text: TextDecoder::new(declared),
            octets: Vec::new(),
            left: octets_max,
        }
    }
    /// A reader to which nothing is to be pushed.
    pub(super) fn ended() -> Self {
        Self {
            transfer: TransferDecoder::new(super::TransferEncoding::SevenBit),
            text: TextDecoder::new(None),
            octets: Vec::new(),
            left: 0,
        }
    }
    /// Takes the next octets of the body and adds their text. False: the bound is reached and the rest need not be read.
    pub fn push(&mut self, body: &[u8], out: &mut String) -> bool {
        for piece in body.chunks(16 * 1024) {
            if self.left == 0 {
                return false;
            }
            self.octets.clear();
            self.transfer.push(piece, &mut self.octets);
            let before = out.len();
            self.text.push(&self.octets, out);
            self.bound(before, out);
        }
        self.left > 0
    }
    /// The body has ended.
    pub fn finish(mut self, out: &mut String) {
        if self.left == 0 {
            return;
        }
        self.octets.clear();
        self.transfer.clone().finish(&mut self.octets);
        let before = out.len();
        self.text.push(&self.octets, out);
        self.bound(before, out);
        if self.left > 0 {
            let before = out.len();
            std::mem::replace(&mut self.text, TextDecoder::new(None)).finish(out);
            self.bound(before, out);
        }
    }
    fn bound(&mut self, before: usize, out: &mut String) {
        let added = out.len() - before;
        if added <= self.left {
            self.left -= added;
            return;
        }
        out.truncate(out.floor_char_boundary(before + self.left));
        self.left = 0;
    }
}

/// Decodes a body that is in memory already.
pub fn decode_text(part: &StructurePart, body: &[u8], octets_max: usize) -> String {
    let mut out = String::new();
    let mut reader = TextReader::new(part, octets_max);
    reader.push(body, &mut out);
    reader.finish(&mut out);
    out
}

/// The fields of a header block as text, one a line, decoded: what SEARCH TEXT looks at. At most about `octets_max` octets.
pub fn header_text(block: &[u8], octets_max: usize) -> String {
    let mut out = String::with_capacity(block.len().min(octets_max));
    for field in fields(block) {
        if out.len() >= octets_max {
            break;
        }
        out.extend(field.name.iter().map(|&c| char::from(c)));
        out.push_str(": ");
        out.push_str(&decode_header(field.value));
        out.push('\n');
    }
    out.truncate(out.floor_char_boundary(octets_max));
    out
}

/// The first words of a text, on one line; quoted lines of a plain text are passed over. At most [`PREVIEW_CHARACTERS`].
/// RFC 8970.
pub fn preview(text: &str, is_html: bool) -> String {
    let stripped = if is_html { html_to_text(text) } else { String::new() };
    let source = if is_html { stripped.as_str() } else { text };
    let shown = source.lines().filter(|line| is_html || !line.starts_with('>'));
    let words = shown.flat_map(str::split_whitespace);
    let mut out = String::new();
    let mut left = PREVIEW_CHARACTERS;
    for word in words {
        let space = usize::from(!out.is_empty());
        if left <= space {
            break;
        }
        out.extend(std::iter::repeat_n(' ', space));
        left -= space;
        for c in word.chars().filter(|c| !c.is_control()).take(left) {
            out.push(c);
            left -= 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_text() {
        let block = b"Subject: =?utf-8?b?44GC?=\r\n x\r\nTo: a@b\r\n\r\nbody";
        assert_eq!(header_text(block, 100), "Subject: \u{3042} x\nTo: a@b\n");
        assert_eq!(header_text(block, 10), "Subject: ");
    }

    #[test]
    fn previews_are_one_short_line() {
        assert_eq!(preview("> quoted\r\nHello  there\r\n\r\nyou", false), "Hello there you");
        assert_eq!(preview("<p>Hello</p><p>you &amp; me</p>", true), "Hello you & me");
        assert_eq!(preview(&"あいう ".repeat(100), false), "あいう ".repeat(50).trim_end());
        assert_eq!(preview(&"あ".repeat(1000), false), "あ".repeat(PREVIEW_CHARACTERS));
    }
}
