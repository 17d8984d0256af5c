//! The text of a part: transfer encoding and charset taken off as a stream, to a bounded size; previews. RFC 2045 §6.
//! Never interprets HTML beyond finding its text.

use super::{StructurePart, TransferDecoder, decode_header, fields, html_to_text};
use crate::{
    charset::{Charset, TextDecoder},
    limits::{PREVIEW_CHARACTERS, PREVIEW_TEXT_OCTETS},
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

/// The preview of a message from the body of its [`super::Structure::preview_part`], or from as much of it as is at hand. RFC 8970.
pub fn preview_of(part: &StructurePart, body: &[u8]) -> String {
    preview(&decode_text(part, body, PREVIEW_TEXT_OCTETS), part.is("text", "html"))
}

/// The first words of a text, on one line; what it quotes, the line that introduces a quote and its signature are passed over, unless there
/// is nothing else. At most [`PREVIEW_CHARACTERS`]. Empty for what is encrypted. RFC 8970 §3.3.
pub fn preview(text: &str, is_html: bool) -> String {
    if text.trim_start().starts_with("-----BEGIN PGP MESSAGE-----") {
        return String::new();
    }
    if is_html {
        let own = first_words(own_lines(&html_to_text(&without_quotes(text))).into_iter());
        return if own.is_empty() { first_words(html_to_text(text).lines()) } else { own };
    }
    let own = first_words(own_lines(text).into_iter());
    if own.is_empty() { first_words(text.lines()) } else { own }
}

/// The lines of a plain text that its author wrote.
fn own_lines(text: &str) -> Vec<&str> {
    let mut own: Vec<&str> = Vec::new();
    for line in text.lines() {
        // RFC 3676 §4.3.
        if line == "-- " {
            break;
        }
        if !line.starts_with('>') {
            own.push(line);
            continue;
        }
        while own.last().is_some_and(|line| line.trim().is_empty()) {
            own.pop();
        }
        // `Ann wrote:`
        if own.last().is_some_and(|line| line.trim_end().ends_with(':')) {
            own.pop();
        }
    }
    own
}

fn first_words<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    let mut left = PREVIEW_CHARACTERS;
    for word in lines.flat_map(str::split_whitespace) {
        let mut shown = word.chars().filter(|c| !c.is_control() && !is_invisible(*c)).peekable();
        if shown.peek().is_none() {
            continue;
        }
        let space = usize::from(!out.is_empty());
        if left <= space {
            break;
        }
        out.extend(std::iter::repeat_n(' ', space));
        left -= space;
        for c in shown.take(left) {
            out.push(c);
            left -= 1;
        }
    }
    out
}

/// Characters that newsletters fill the space behind their preview with.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{fffd}')
}

/// HTML with a line `>` in the place of what it quotes.
fn without_quotes(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut depth = 0usize;
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (before, found) = rest.split_at(at);
        let (begins, ends) = (begins_tag(found, "<blockquote"), begins_tag(found, "</blockquote"));
        out.push_str(if depth == 0 { before } else { "" });
        if begins && depth == 0 {
            out.push_str("<br>&gt;<br>");
        }
        if !begins && !ends && depth == 0 {
            out.push('<');
        }
        depth = if begins { depth + 1 } else { depth.saturating_sub(usize::from(ends)) };
        let skipped = if begins || ends { found.find('>').map_or(found.len(), |end| end + 1) } else { 1 };
        rest = found.get(skipped..).unwrap_or_default();
    }
    out.push_str(if depth == 0 { rest } else { "" });
    out
}

fn begins_tag(text: &str, tag: &str) -> bool {
    let Some((front, rest)) = text.split_at_checked(tag.len()) else { return false };
    front.eq_ignore_ascii_case(tag) && !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
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

    #[test]
    fn previews_pass_over_quotes_and_signatures() {
        for (text, shown) in [
            ("Fine.\n\nOn Monday Ann wrote:\n\n> How?\n> are you\nBye\n-- \nBob\n", "Fine. Bye"),
            ("> only\n> quoted", "> only > quoted"),
            ("Two things:\none\n> x", "Two things: one"),
            ("-- \nBob", "-- Bob"),
            ("a\u{200c}\u{200c} \u{feff} b", "a b"),
            ("-----BEGIN PGP MESSAGE-----\nhQEM", ""),
            ("", ""),
        ] {
            assert_eq!(preview(text, false), shown, "{text:?}");
        }
        for (html, shown) in [
            (
                "<p>Fine.</p><div>Ann wrote:<br></div><BLOCKQUOTE type=cite>a<blockquote>b</blockquote>c</blockquote>x",
                "Fine. x",
            ),
            ("Fine.<blockquote>never closed", "Fine."),
            ("<blockquote>nothing else</blockquote>", "nothing else"),
            ("<blockquoted>no quote</blockquoted>", "no quote"),
            ("<style>a{}</style>&zwnj;&nbsp;&zwnj;Hi&shy;gh", "High"),
        ] {
            assert_eq!(preview(html, true), shown, "{html:?}");
        }
        assert!(html_to_text("a<blockquote>b</blockquote>").contains('b'));
    }
}
