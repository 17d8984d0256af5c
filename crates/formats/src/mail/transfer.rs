//! Content transfer encodings, decoded as a stream. Lenient: what cannot be decoded is passed over or passed on, never an error.
//! RFC 2045 §6; uuencode as POSIX has it.

use memchr::memchr2;

use super::lex::Lexer;
use crate::limits::QUOTED_PRINTABLE_SPACE_OCTETS;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferEncoding {
    /// Short lines of ASCII; also the default.
    SevenBit,
    /// Short lines of octets.
    EightBit,
    /// Octets.
    Binary,
    /// Base64.
    Base64,
    /// Quoted-printable.
    QuotedPrintable,
    /// Uuencode, under any of its names.
    Uuencode,
    /// None of the known; read as it is (RFC 2045 §6.4 makes such a part application/octet-stream).
    Unknown,
}

impl TransferEncoding {
    /// Reads a Content-Transfer-Encoding value. An empty one is 7bit.
    pub fn parse(value: &[u8]) -> Self {
        let mut lexer = Lexer::new(value);
        lexer.skip_cfws(None);
        let mut name = Vec::new();
        if lexer.peek() == Some(b'"') {
            lexer.quoted_string(&mut name);
        } else {
            lexer.atom(b"(;,", &mut name);
        }
        name.make_ascii_lowercase();
        match name.as_slice() {
            b"" | b"7bit" | b"7-bit" => Self::SevenBit,
            b"8bit" | b"8-bit" => Self::EightBit,
            b"binary" => Self::Binary,
            b"base64" | b"base-64" => Self::Base64,
            b"quoted-printable" => Self::QuotedPrintable,
            b"x-uuencode" | b"uuencode" | b"x-uue" | b"uue" => Self::Uuencode,
            _ => Self::Unknown,
        }
    }
    /// Whether the body stands there as it is.
    pub fn is_identity(self) -> bool {
        matches!(self, Self::SevenBit | Self::EightBit | Self::Binary)
    }
    /// The name as IMAP renders it; of an unknown encoding there is none.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::SevenBit => "7BIT",
            Self::EightBit => "8BIT",
            Self::Binary => "BINARY",
            Self::Base64 => "BASE64",
            Self::QuotedPrintable => "QUOTED-PRINTABLE",
            Self::Uuencode => "X-UUENCODE",
            Self::Unknown => return None,
        })
    }
}

/// Decodes one body, in any chunking.
#[derive(Clone, Debug)]
pub struct TransferDecoder(Decoder);

#[derive(Clone, Debug)]
enum Decoder {
    Identity,
    Base64(Base64),
    QuotedPrintable(QuotedPrintable),
    Uuencode(Uuencode),
}

impl TransferDecoder {
    /// A decoder at the start of a body.
    pub fn new(encoding: TransferEncoding) -> Self {
        Self(match encoding {
            TransferEncoding::Base64 => Decoder::Base64(Base64::default()),
            TransferEncoding::QuotedPrintable => Decoder::QuotedPrintable(QuotedPrintable::default()),
            TransferEncoding::Uuencode => Decoder::Uuencode(Uuencode::default()),
            _ => Decoder::Identity,
        })
    }
    /// Decodes the next octets of the body to the end of `out`. Adds at most as many as it takes, and what was held back.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            Decoder::Identity => out.extend_from_slice(octets),
            Decoder::Base64(base64) => base64.push(octets, out),
            Decoder::QuotedPrintable(quoted) => quoted.push(octets, out),
            Decoder::Uuencode(uu) => octets.iter().for_each(|&octet| uu.push(octet, out)),
        }
    }
    /// The body has ended.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        match &mut self.0 {
            Decoder::Identity => {}
            Decoder::Base64(base64) => base64.end_quantum(out),
            Decoder::QuotedPrintable(quoted) => quoted.finish(out),
            Decoder::Uuencode(uu) => uu.end_line(out),
        }
    }
}

/// Base64. Octets outside the alphabet are passed over. Padding ends a quantum; more may follow, at once or on the next line,
/// as from mailers that pad each line. Anything else after padding, a list's footer mostly, is left out.
#[derive(Clone, Debug, Default)]
struct Base64 {
    bits: u32,
    digits: u8,
    padding: Padding,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Padding {
    #[default]
    None,
    Seen,
    SeenAndLineEnd,
    Ended,
}

/// Above 63: no digit.
static BASE64_DIGITS: [u8; 256] = base64_digits();

#[allow(clippy::indexing_slicing)] // evaluated by the compiler; an index out of range is a compile error
const fn base64_digits() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [0xff; 256];
    let mut index = 0;
    while index < 64 {
        table[alphabet[index] as usize] = index as u8;
        index += 1;
    }
    table
}

fn base64_digit(octet: u8) -> u8 {
    BASE64_DIGITS.get(usize::from(octet)).copied().unwrap_or(0xff)
}

impl Base64 {
    fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        out.reserve(octets.len() / 4 * 3 + 3);
        let mut rest = octets;
        loop {
            // Whole quanta, as long as nothing is under way and every octet is a digit.
            while self.digits == 0
                && self.padding == Padding::None
                && let Some((&[a, b, c, d], after)) = rest.split_first_chunk::<4>()
            {
                let (a, b, c, d) = (base64_digit(a), base64_digit(b), base64_digit(c), base64_digit(d));
                if (a | b | c | d) > 63 {
                    break;
                }
                out.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
                rest = after;
            }
            let Some((&octet, after)) = rest.split_first() else { return };
            rest = after;
            self.push_one(octet, out);
        }
    }
    fn push_one(&mut self, octet: u8, out: &mut Vec<u8>) {
        match (self.padding, octet) {
            (Padding::Ended, _) => return,
            (Padding::None, b'=') if self.digits < 2 => return,
            (Padding::None, b'=') => {
                self.end_quantum(out);
                self.padding = Padding::Seen;
                return;
            }
            (Padding::None, _) => {}
            (_, b'=' | b'\r' | b' ' | b'\t') => return,
            (Padding::Seen, b'\n') => {
                self.padding = Padding::SeenAndLineEnd;
                return;
            }
            _ if base64_digit(octet) > 63 => {
                self.padding = Padding::Ended;
                return;
            }
            _ => self.padding = Padding::None,
        }
        let digit = base64_digit(octet);
        if digit > 63 {
            return;
        }
        self.bits = self.bits << 6 | u32::from(digit);
        self.digits += 1;
        if self.digits == 4 {
            out.extend_from_slice(&[(self.bits >> 16) as u8, (self.bits >> 8) as u8, self.bits as u8]);
            *self = Self::default();
        }
    }
    fn end_quantum(&mut self, out: &mut Vec<u8>) {
        match self.digits {
            2 => out.push((self.bits >> 4) as u8),
            3 => out.extend_from_slice(&[(self.bits >> 10) as u8, (self.bits >> 2) as u8]),
            _ => {}
        }
        *self = Self::default();
    }
}

/// Quoted-printable. A `=` that begins nothing stands for itself; white space before a line end is dropped (RFC 2045 §6.7).
#[derive(Clone, Debug, Default)]
struct QuotedPrintable {
    /// White space, or a `=` and what follows it, that is not decided yet.
    held: Vec<u8>,
}

impl QuotedPrintable {
    fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while let Some((&octet, after)) = rest.split_first() {
            if !self.held.is_empty() {
                if self.take_held(octet, out) {
                    rest = after;
                }
                continue;
            }
            let stop = memchr2(b'=', b'\n', rest);
            let (text, after) = rest.split_at_checked(stop.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            let (kept, space, cr) = split_trailing_space(text);
            match after.split_first() {
                Some((b'\n', after)) => {
                    out.extend_from_slice(kept);
                    out.extend_from_slice(cr);
                    out.push(b'\n');
                    rest = after;
                }
                Some((_, after)) => {
                    out.extend_from_slice(text);
                    self.held.push(b'=');
                    rest = after;
                }
                None => {
                    out.extend_from_slice(kept);
                    self.held.extend_from_slice(space);
                    (if space.is_empty() { out } else { &mut self.held }).extend_from_slice(cr);
                    return;
                }
            }
        }
    }
    /// Decides about what is held, now that the next octet is known. Tells whether that octet is used up.
    fn take_held(&mut self, next: u8, out: &mut Vec<u8>) -> bool {
        if self.held.first() == Some(&b'=') {
            return self.take_escape(next, out);
        }
        let after_cr = self.held.ends_with(b"\r");
        match next {
            b' ' | b'\t' if !after_cr && self.held.len() < QUOTED_PRINTABLE_SPACE_OCTETS => {
                self.held.push(next);
                true
            }
            b'\r' if !after_cr => {
                self.held.push(next);
                true
            }
            b'\n' => {
                out.extend_from_slice(if after_cr { b"\r\n" } else { b"\n" });
                self.held.clear();
                true
            }
            // `word =` at a line's end: the space before a soft line break stays.
            _ => {
                out.append(&mut self.held);
                false
            }
        }
    }
    fn take_escape(&mut self, next: u8, out: &mut Vec<u8>) -> bool {
        let digit = |c: u8| char::from(c).to_digit(16);
        match (self.held.get(1).copied(), next) {
            (None, b'\n') => {
                self.held.clear();
                true
            }
            (None, b'\r' | b' ' | b'\t') => {
                self.held.push(next);
                true
            }
            (None, c) if digit(c).is_some() => {
                self.held.push(next);
                true
            }
            // `=` with white space behind it, which a gateway added: a soft line break if the line ends there.
            (Some(b'\r' | b' ' | b'\t'), b'\n') => {
                self.held.clear();
                true
            }
            (Some(b' ' | b'\t'), b' ' | b'\t' | b'\r') if self.held.len() < QUOTED_PRINTABLE_SPACE_OCTETS => {
                self.held.push(next);
                true
            }
            (Some(high), low) => {
                if let (Some(high), Some(low)) = (digit(high), digit(low)) {
                    out.push((high * 16 + low) as u8);
                    self.held.clear();
                    return true;
                }
                out.append(&mut self.held);
                false
            }
            (None, _) => {
                out.append(&mut self.held);
                false
            }
        }
    }
    fn finish(&mut self, out: &mut Vec<u8>) {
        // A soft line break at the very end, and white space there, are nothing.
        let soft = self.held.first() == Some(&b'=') && self.held.get(1).is_none_or(u8::is_ascii_whitespace);
        if !soft && self.held.first() == Some(&b'=') {
            out.append(&mut self.held);
        }
    }
}

/// Splits a line, or its start, into what stays, the white space that goes if the line ends there, and a CR behind that.
fn split_trailing_space(text: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (line, cr) = match text.strip_suffix(b"\r") {
        Some(line) => (line, b"\r".as_slice()),
        None => (text, b"".as_slice()),
    };
    let run = line.iter().rev().take_while(|c| matches!(c, b' ' | b'\t')).count();
    // Of a run over the limit the start is text, as when it comes octet by octet.
    let space = run.checked_sub(1).map_or(0, |run| run % QUOTED_PRINTABLE_SPACE_OCTETS + 1);
    let (kept, space) = line.split_at_checked(line.len() - space).unwrap_or((line, &[]));
    (kept, space, cr)
}

/// Uuencode between its `begin` and `end` lines; what is outside is passed over.
#[derive(Clone, Debug, Default)]
struct Uuencode {
    line: Vec<u8>,
    inside: bool,
    ended: bool,
}

impl Uuencode {
    fn push(&mut self, octet: u8, out: &mut Vec<u8>) {
        if octet == b'\n' {
            self.end_line(out);
        } else if self.line.len() < 128 {
            self.line.push(octet);
        }
    }
    fn end_line(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        let text = line.strip_suffix(b"\r").unwrap_or(&line);
        if !self.inside {
            self.inside = !self.ended && text.starts_with(b"begin ");
        } else if text == b"end" {
            self.inside = false;
            self.ended = true;
        } else if let Some((&length, digits)) = text.split_first() {
            let value = |c: Option<&u8>| c.map_or(0, |c| c.wrapping_sub(b' ') & 63);
            let wanted = out.len() + usize::from(length.wrapping_sub(b' ') & 63);
            for group in digits.chunks(4) {
                let (a, b, c, d) =
                    (value(group.first()), value(group.get(1)), value(group.get(2)), value(group.get(3)));
                out.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
            }
            out.truncate(wanted);
        }
        self.line = line;
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(encoding: TransferEncoding, body: &str, decoded: &[u8]) {
        for chunk in [1, 2, 3, 7, 1000] {
            let (mut decoder, mut out) = (TransferDecoder::new(encoding), Vec::new());
            body.as_bytes().chunks(chunk).for_each(|octets| decoder.push(octets, &mut out));
            decoder.finish(&mut out);
            assert_eq!(
                out.escape_ascii().to_string(),
                decoded.escape_ascii().to_string(),
                "{body:?} by {chunk}"
            );
        }
    }

    #[test]
    fn base64_is_lenient() {
        let b64 = TransferEncoding::Base64;
        check(b64, "", b"");
        check(b64, "aGVsbG8=", b"hello");
        check(b64, "aGVs\r\nbG8=\r\n", b"hello");
        check(b64, "aGVsbG8", b"hello");
        check(b64, "a*G V!s\tbG8=", b"hello");
        check(b64, "aGVsbG8=aGVsbG8=", b"hellohello");
        check(b64, "a", b"");
        check(b64, "====", b"");
        check(b64, "aGVsbG8=\r\naGVsbG8=\r\n", b"hellohello");
        check(b64, "aGVsbG8=\r\n____\r\nlist", b"hello");
        check(b64, "aGVsbG8=\r\n\r\nlist", b"hello");
    }

    #[test]
    fn quoted_printable_is_lenient() {
        let qp = TransferEncoding::QuotedPrintable;
        check(qp, "a=3Db", b"a=b");
        check(qp, "a=e3=81=82", b"a\xe3\x81\x82");
        check(qp, "soft=\r\nline", b"softline");
        check(qp, "soft=\nline", b"softline");
        check(qp, "soft= \t\r\nline", b"softline");
        check(qp, "word =\r\nword", b"word word");
        check(qp, "trail  \r\nnext\t\n", b"trail\r\nnext\n");
        check(qp, "trail \r mid", b"trail \r mid");
        check(qp, "trail \r\r\n", b"trail \r\r\n");
        check(qp, &format!("{}\r\n", " ".repeat(2_500)), &[[b' '; 2_000].as_slice(), b"\r\n"].concat());
        check(qp, &format!("{}x", " ".repeat(2_500)), &[[b' '; 2_500].as_slice(), b"x"].concat());
        check(qp, "a = b", b"a = b");
        check(qp, "a=zb =4", b"a=zb =4");
        check(qp, "==3D", b"==");
        check(qp, "end=", b"end");
        check(qp, "end  ", b"end");
        check(qp, "é=\r\n", "é".as_bytes());
    }

    #[test]
    fn uuencode_is_read_between_begin_and_end() {
        let uu = TransferEncoding::Uuencode;
        check(uu, "text\r\nbegin 644 a\r\n%:&5L;&\\\r\n`\r\nend\r\nmore\r\n", b"hello");
    }

    #[test]
    fn encodings_are_named_leniently() {
        for (value, encoding) in [
            (" 7bit", TransferEncoding::SevenBit),
            ("BASE64 (comment)", TransferEncoding::Base64),
            ("\"base64\"", TransferEncoding::Base64),
            (" Quoted-Printable;", TransferEncoding::QuotedPrintable),
            ("", TransferEncoding::SevenBit),
            ("x-what", TransferEncoding::Unknown),
        ] {
            assert_eq!(TransferEncoding::parse(value.as_bytes()), encoding, "{value:?}");
        }
    }
}
