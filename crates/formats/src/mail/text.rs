//! The text of a part: transfer encoding and charset taken off as a stream, to a bounded size; previews. RFC 2045 §6.
//! Never interprets HTML beyond finding its text.

use super::{StructurePart, TransferDecoder, decode_header, fields};
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

/// The text in HTML: tags, comments, styles and scripts left out, character references decoded. For search and previews,
/// never for showing.
pub fn html_to_text(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        rest = match found.starts_with('&') {
            true => push_reference(found, &mut out),
            false => skip_tag(found, &mut out),
        };
    }
    out.push_str(rest);
    out
}

/// Skips the tag, comment or raw text element at the front.
fn skip_tag<'a>(text: &'a str, out: &mut String) -> &'a str {
    let after = |end: &str| text.find(end).and_then(|at| text.get(at + end.len()..)).unwrap_or_default();
    if text.starts_with("<!--") {
        return after("-->");
    }
    let tag = text.get(1..).unwrap_or_default();
    let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric() && c != '/').unwrap_or(tag.len());
    let name = tag.get(..name_end.min(16)).unwrap_or_default().to_ascii_lowercase();
    if name.is_empty() && !text.starts_with("<!") && !text.starts_with("<?") {
        out.push('<');
        return text.get(1..).unwrap_or_default();
    }
    let rest = after(">");
    match name.as_str() {
        "script" | "style" | "title" => {
            let close = format!("</{name}");
            let bytes = rest.as_bytes();
            let at = memchr::memchr_iter(b'<', bytes).find(|&at| {
                bytes.get(at..at + close.len()).is_some_and(|b| b.eq_ignore_ascii_case(close.as_bytes()))
            });
            return at.and_then(|at| rest.get(at..)).unwrap_or_default();
        }
        // Inline elements do not part words.
        "a" | "/a" | "b" | "/b" | "i" | "/i" | "u" | "/u" | "em" | "/em" | "strong" | "/strong" | "span"
        | "/span" | "font" | "/font" | "wbr" | "sub" | "/sub" | "sup" | "/sup" | "mark" | "/mark" => {}
        _ => out.push(if matches!(name.as_str(), "td" | "/td" | "th" | "/th" | "img") { ' ' } else { '\n' }),
    }
    rest
}

/// Decodes the character reference at the front, or passes its `&` on.
fn push_reference<'a>(text: &'a str, out: &mut String) -> &'a str {
    let inner = text.get(1..).unwrap_or_default();
    let end = inner.as_bytes().iter().take(12).position(|&c| c == b';');
    let Some((name, rest)) = end.and_then(|end| Some((inner.get(..end)?, inner.get(end + 1..)?))) else {
        out.push('&');
        return inner;
    };
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        },
        None => NAMED.iter().find(|(known, _)| *known == name).map(|(_, c)| u32::from(*c)),
    };
    match number.and_then(char::from_u32) {
        Some(c) => {
            out.push(if c == '\0' { '\u{fffd}' } else { c });
            rest
        }
        None => {
            out.push('&');
            inner
        }
    }
}

/// The references mail really uses.
const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("yen", '¥'),
    ("euro", '€'),
    ("hellip", '…'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bull", '•'),
    ("middot", '·'),
    ("zwnj", '\u{200c}'),
    ("shy", '\u{ad}'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("eacute", 'é'),
    ("egrave", 'è'),
    ("agrave", 'à'),
    ("ccedil", 'ç'),
    ("ntilde", 'ñ'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_read_for_its_text() {
        for (html, text) in [
            ("a<b>b</b>c", "abc"),
            ("<p>a</p><p>b</p>", "\na\n\nb\n"),
            ("a &lt; b &amp;&nbsp;c &#12354;&#x3042; &bogus; &", "a < b & c ああ &bogus; &"),
            ("<style>p{}</style>x<script>if(a<b)</script>y", "\nx\ny"),
            ("a<!-- <b> -->b", "ab"),
            ("1 < 2", "1 < 2"),
            ("unclosed <p", "unclosed \n"),
        ] {
            assert_eq!(html_to_text(html).replace("\n\n\n", "\n\n"), text.to_owned(), "{html:?}");
        }
    }

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
