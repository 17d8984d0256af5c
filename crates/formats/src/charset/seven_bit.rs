//! The charsets that switch with escapes, turned into the 8-bit charsets encoding_rs has tables for: ISO-2022-JP into EUC-JP,
//! ISO-2022-KR into EUC-KR, HZ into GBK. Lenient where encoding_rs, which follows browsers, is strict. Any chunking.
//!
//! ISO-2022-JP as RFC 1468 has it, with the habits of Microsoft's CP50220 and CP50221: half-width kana by `ESC ( I`, by SO
//! and SI, and as raw 8-bit octets; rows 13 and 89 to 92; a designation followed by another at once; lines that end without
//! a return to ASCII.

/// Turns one stream into another.
#[derive(Clone, Debug)]
pub(super) struct Normaliser {
    scheme: Scheme,
    set: Set,
    /// Whether SO is in force.
    shifted: bool,
    /// An escape or the first half of a character, whose rest is not here yet.
    held: Vec<u8>,
}

/// Which charset is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Iso2022Jp,
    Iso2022Kr,
    Hz,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Ascii,
    /// JIS X 0201 kana.
    Kana,
    /// Two octets a character: JIS X 0208, KS X 1001 or GB 2312.
    Double,
    /// JIS X 0212.
    Supplement,
}

const ESC: u8 = 0x1b;
const SHIFT_OUT: u8 = 0x0e;
const SHIFT_IN: u8 = 0x0f;
/// EUC-JP's prefixes for half-width kana and JIS X 0212.
const SINGLE_SHIFT_2: u8 = 0x8e;
const SINGLE_SHIFT_3: u8 = 0x8f;
/// No octet of any of the target charsets by itself: becomes U+FFFD.
const BROKEN: u8 = 0xff;

/// The escapes of ISO-2022-JP, without ESC. Longer ones first.
const ESCAPES: &[(&[u8], Set)] = &[
    (b"$(D", Set::Supplement),
    (b"$(@", Set::Double),
    (b"$(B", Set::Double),
    // JIS X 0213, plane 1: the same but for its additions
    (b"$(O", Set::Double),
    (b"$(Q", Set::Double),
    (b"$@", Set::Double),
    (b"$B", Set::Double),
    (b"(B", Set::Ascii),
    (b"(J", Set::Ascii),
    (b"(H", Set::Ascii),
    (b"(I", Set::Kana),
    // "update" of JIS X 0208-1990, before ESC $ B
    (b"&@", Set::Ascii),
];

impl Normaliser {
    pub(super) fn new(scheme: Scheme) -> Self {
        Self { scheme, set: Set::Ascii, shifted: false, held: Vec::new() }
    }
    pub(super) fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for &octet in octets {
            match self.scheme {
                Scheme::Iso2022Jp => self.push_jp(octet, out),
                Scheme::Iso2022Kr => self.push_kr(octet, out),
                Scheme::Hz => self.push_hz(octet, out),
            }
        }
    }
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self.held.first() {
            Some(&ESC) => out.append(&mut self.held),
            Some(b'~') => out.push(b'~'),
            Some(_) => out.push(BROKEN),
            None => {}
        }
        self.held.clear();
    }

    fn push_jp(&mut self, octet: u8, out: &mut Vec<u8>) {
        if self.held.first() == Some(&ESC) {
            return self.push_escape(octet, out);
        }
        match octet {
            ESC | SHIFT_OUT | SHIFT_IN | b'\n' | b'\r' => {
                if !self.held.is_empty() {
                    self.held.clear();
                    out.push(BROKEN);
                }
                match octet {
                    ESC => self.held.push(ESC),
                    SHIFT_OUT => self.shifted = true,
                    SHIFT_IN => self.shifted = false,
                    // The state is kept: some mailers fold inside Japanese text.
                    _ => out.push(octet),
                }
            }
            _ => self.push_jp_text(octet, out),
        }
    }
    fn push_jp_text(&mut self, octet: u8, out: &mut Vec<u8>) {
        let double = matches!(self.set, Set::Double | Set::Supplement) && !self.shifted;
        if let Some(first) = self.held.pop() {
            if !(0x21..=0x7e).contains(&(octet & 0x7f)) {
                out.push(BROKEN);
                return self.push_jp_text(octet, out);
            }
            if self.set == Set::Supplement {
                out.push(SINGLE_SHIFT_3);
            }
            out.extend_from_slice(&[first | 0x80, octet | 0x80]);
        } else if double && (0x21..=0x7e).contains(&octet) {
            self.held.push(octet);
        } else if (self.shifted || self.set == Set::Kana) && (0x21..=0x5f).contains(&octet) {
            out.extend_from_slice(&[SINGLE_SHIFT_2, octet | 0x80]);
        } else if (0xa1..=0xdf).contains(&octet) {
            out.extend_from_slice(&[SINGLE_SHIFT_2, octet]);
        } else {
            out.push(if octet < 0x80 { octet } else { BROKEN });
        }
    }
    /// Goes on with an escape that has begun. One that is unknown is text, as it would be without this charset.
    fn push_escape(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.held.push(octet);
        let so_far = self.held.get(1..).unwrap_or_default();
        if let Some((_, set)) = ESCAPES.iter().find(|(escape, _)| *escape == so_far) {
            self.set = *set;
            self.shifted = false;
            self.held.clear();
        } else if !ESCAPES.iter().any(|(escape, _)| escape.starts_with(so_far)) {
            self.held.pop();
            out.append(&mut self.held);
            self.push_jp(octet, out);
        }
    }

    /// RFC 1557: `ESC $ ) C` once, SO to Korean, SI to ASCII.
    fn push_kr(&mut self, octet: u8, out: &mut Vec<u8>) {
        if self.held.first() == Some(&ESC) {
            self.held.push(octet);
            let header = b"\x1b$)C";
            if self.held == header {
                self.held.clear();
            } else if !header.starts_with(&self.held) {
                self.held.pop();
                out.append(&mut self.held);
                self.push_kr(octet, out);
            }
            return;
        }
        match octet {
            ESC => self.held.push(ESC),
            SHIFT_OUT => self.shifted = true,
            SHIFT_IN => self.shifted = false,
            b'\n' => {
                self.shifted = false;
                out.push(octet);
            }
            0x21..=0x7e if self.shifted => out.push(octet | 0x80),
            _ => out.push(octet),
        }
    }

    /// RFC 1843: `~{` to Chinese, `~}` to ASCII, `~~` is a tilde, `~` at a line's end continues it.
    fn push_hz(&mut self, octet: u8, out: &mut Vec<u8>) {
        if self.held.pop().is_some() {
            match octet {
                b'{' => self.set = Set::Double,
                b'}' => self.set = Set::Ascii,
                b'~' => out.push(b'~'),
                b'\n' => {}
                _ => {
                    out.push(b'~');
                    self.push_hz(octet, out);
                }
            }
            return;
        }
        match octet {
            b'~' => self.held.push(b'~'),
            b'\n' => {
                self.set = Set::Ascii;
                out.push(octet);
            }
            0x21..=0x7e if self.set == Set::Double => out.push(octet | 0x80),
            _ => out.push(octet),
        }
    }
}

/// Whether ISO-2022-JP speaks at the front: an escape no other text has. Nothing when the octets do not suffice to tell.
pub(super) fn begins_with_jis_escape(text: &[u8]) -> Option<bool> {
    let rest = text.strip_prefix(&[ESC])?;
    let known = |escape: &[u8]| rest.starts_with(escape);
    if ESCAPES.iter().any(|(escape, _)| known(escape)) {
        return Some(true);
    }
    let open = ESCAPES.iter().any(|(escape, _)| escape.starts_with(rest));
    if open { None } else { Some(false) }
}

#[cfg(test)]
mod tests {
    use crate::charset::Charset;

    fn check(label: &str, octets: &[u8], text: &str) {
        let charset = Charset::for_label(label).unwrap();
        assert_eq!(charset.decode(octets), text, "{label} {}", octets.escape_ascii());
    }

    #[test]
    fn iso_2022_jp_is_read_as_japan_writes_it() {
        let check = |octets: &[u8], text| check("ISO-2022-JP", octets, text);
        check(b"plain", "plain");
        check(b"\x1b$B;3ED\x1b(B", "山田");
        check(b"\x1b$@;3ED\x1b(J!", "山田!");
        check(b"\x1b$B;3\x1b(B\x1b$BED\x1b(B", "山田");
        check(b"\x1b(B\x1b$B;3ED", "山田");
        check(b"\x1b(I6@6E\x1b(B", "ｶﾀｶﾅ");
        check(b"\x0e6@6E\x0f.", "ｶﾀｶﾅ.");
        check(b"\x1b(B\xb6\xc0\xb6\xc5\x1b(B", "ｶﾀｶﾅ");
        check(b"\x1b$B-!-j\x1b(B", "①㈱");
        check(b"\x1b$By!\x1b(B", "纊");
        check(b"\x1b$B;3\r\nED\x1b(B", "山\r\n田");
        check(b"\x1b$(D0!\x1b(B", "丂");
        check(b"\x1b(J\\~\x1b(B", "\\~");
        check(b"\x1b[1m\x1b$B;3\x1b(B", "\x1b[1m山");
        check(b"\x1b$B;", "\u{fffd}");
        check(b"\x1b", "\x1b");
        check(b"\x1b$B!A\x1b(B", "～");
    }

    #[test]
    fn korean_and_chinese_with_escapes_are_read() {
        check("iso-2022-kr", b"\x1b$)C\x0eGQ1[\x0f ok", "한글 ok");
        check("hz-gb-2312", b"~{<:Ky2;~} a~~b", "己所不 a~b");
    }
}
