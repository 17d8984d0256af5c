//! The streaming text decoder: decides what undeclared or mislabelled text is, then decodes. The same text in any chunking.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, Encoding, UTF_8};
use memchr::memchr;

use super::{
    Charset, Kind, feed,
    seven_bit::{Normaliser, Scheme, begins_with_jis_escape},
};
use crate::limits::GUESS_OCTETS;

/// Decodes one text to UTF-8.
pub struct TextDecoder {
    state: State,
    /// Normalised octets on their way to the table decoder.
    scratch: Vec<u8>,
    /// The last ASCII before text that must be decided about: the start of its first word.
    context: Vec<u8>,
}

impl std::fmt::Debug for TextDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextDecoder").finish_non_exhaustive()
    }
}

enum State {
    /// ASCII up to now, and no charset to be sure of.
    Ascii(Doubt),
    /// Octets from the first that is not ASCII on, until there are enough to decide.
    Deciding(Doubt, Vec<u8>),
    /// Decided.
    Table(Decoder),
    /// Decided: first normalised.
    Switching(Normaliser, Decoder),
    /// The first octets of UTF-16, which tell its order.
    Utf16(Vec<u8>),
}

/// What was declared, when it cannot be taken at its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// Nothing, or ASCII.
    Undeclared,
    /// ISO-2022-JP: 8-bit text without an escape is something else, or half-width kana.
    Iso2022Jp,
}

impl TextDecoder {
    /// A decoder for the declared charset, or for text of which nothing is known.
    pub fn new(charset: Option<Charset>) -> Self {
        let state = match charset.map(|charset| charset.0) {
            None | Some(Kind::Ascii) => State::Ascii(Doubt::Undeclared),
            Some(Kind::Iso2022Jp) => State::Ascii(Doubt::Iso2022Jp),
            Some(Kind::Iso2022Kr) => switching(Scheme::Iso2022Kr),
            Some(Kind::Hz) => switching(Scheme::Hz),
            Some(Kind::Utf16) => State::Utf16(Vec::new()),
            Some(Kind::Table(encoding)) => table(encoding),
        };
        Self { state, scratch: Vec::new(), context: Vec::new() }
    }

    /// Decodes the next octets to the end of `out`.
    pub fn push(&mut self, octets: &[u8], out: &mut String) {
        let mut rest = octets;
        loop {
            match &mut self.state {
                State::Ascii(doubt) => {
                    let doubt = *doubt;
                    let (plain, found) = split_plain(rest);
                    out.push_str(std::str::from_utf8(plain).unwrap_or_default());
                    remember(&mut self.context, plain);
                    if found.is_empty() {
                        return;
                    }
                    rest = found;
                    self.state = State::Deciding(doubt, Vec::new());
                }
                State::Deciding(doubt, held) => {
                    let room = GUESS_OCTETS.saturating_sub(held.len());
                    let (taken, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
                    held.extend_from_slice(taken);
                    rest = after;
                    let Some(next) = decide(*doubt, &self.context, held, held.len() >= GUESS_OCTETS) else {
                        return;
                    };
                    self.go_on(next, out);
                }
                State::Table(decoder) => return feed(decoder, rest, false, out),
                State::Switching(normaliser, decoder) => {
                    self.scratch.clear();
                    normaliser.push(rest, &mut self.scratch);
                    return feed(decoder, &self.scratch, false, out);
                }
                State::Utf16(held) => {
                    let (taken, after) = rest.split_at_checked(2 - held.len().min(2)).unwrap_or((rest, &[]));
                    held.extend_from_slice(taken);
                    rest = after;
                    if held.len() < 2 {
                        return;
                    }
                    let first = std::mem::take(held);
                    self.state = utf_16(&first);
                    self.push(&first, out);
                }
            }
        }
    }

    /// The text has ended.
    pub fn finish(mut self, out: &mut String) {
        if let State::Deciding(doubt, held) = &self.state
            && let Some(next) = decide(*doubt, &self.context, held, true)
        {
            self.go_on(next, out);
        }
        match &mut self.state {
            State::Ascii(_) | State::Deciding(..) => {}
            State::Table(decoder) => feed(decoder, &[], true, out),
            State::Switching(normaliser, decoder) => {
                self.scratch.clear();
                normaliser.finish(&mut self.scratch);
                feed(decoder, &self.scratch, true, out);
            }
            State::Utf16(held) => out.extend(held.iter().map(|_| '\u{fffd}')),
        }
    }

    /// Goes on in the state that was decided for, with what was held back.
    fn go_on(&mut self, next: State, out: &mut String) {
        if let State::Deciding(_, held) = std::mem::replace(&mut self.state, next) {
            let passed = match self.state {
                // A lone ESC: pass it, and look at what follows.
                State::Ascii(_) => 1,
                _ => 0,
            };
            if passed > 0 {
                out.push('\x1b');
            }
            self.push(held.get(passed..).unwrap_or_default(), out);
        }
    }
}

/// Keeps the last few octets of what was passed on, however many pieces it came in.
fn remember(context: &mut Vec<u8>, plain: &[u8]) {
    const KEPT: usize = 32;
    context.extend_from_slice(plain.get(plain.len().saturating_sub(KEPT)..).unwrap_or_default());
    context.drain(..context.len().saturating_sub(KEPT));
}

/// Splits off what is ASCII without escapes and shifts.
fn split_plain(octets: &[u8]) -> (&[u8], &[u8]) {
    let mut end = Encoding::ascii_valid_up_to(octets);
    for special in [0x1b, 0x0e] {
        if let Some(at) = memchr(special, octets.get(..end).unwrap_or_default()) {
            end = at;
        }
    }
    octets.split_at_checked(end).unwrap_or((octets, &[]))
}

/// Decides what text is that begins with `held`, an octet that is not plain ASCII. Nothing when more octets are wanted.
fn decide(doubt: Doubt, context: &[u8], held: &[u8], enough: bool) -> Option<State> {
    match (held.first(), doubt) {
        (None, _) => return None,
        (Some(0x0e), Doubt::Iso2022Jp) => return Some(switching(Scheme::Iso2022Jp)),
        (Some(0x1b), _) => match begins_with_jis_escape(held) {
            Some(true) => return Some(switching(Scheme::Iso2022Jp)),
            None if !enough => return None,
            _ => return Some(State::Ascii(doubt)),
        },
        _ => {}
    }
    if !enough {
        return None;
    }
    let valid = match std::str::from_utf8(held) {
        Ok(_) => true,
        // A character that the end of the held octets cuts.
        Err(error) => error.error_len().is_none() && held.len() >= GUESS_OCTETS,
    };
    if valid {
        return Some(table(UTF_8));
    }
    let guess = guess_table(&[context, held].concat());
    let japanese = guess == encoding_rs::SHIFT_JIS || guess == encoding_rs::EUC_JP;
    Some(match doubt {
        Doubt::Iso2022Jp if !japanese || has_escape(held) => switching(Scheme::Iso2022Jp),
        _ => table(guess),
    })
}

fn has_escape(held: &[u8]) -> bool {
    memchr::memchr_iter(0x1b, held).any(|at| held.get(at..).and_then(begins_with_jis_escape) == Some(true))
}

/// What undeclared octets seem to be.
pub(super) fn guess(octets: &[u8]) -> Kind {
    let start = octets.get(..GUESS_OCTETS).unwrap_or(octets);
    if has_escape(start) {
        Kind::Iso2022Jp
    } else if std::str::from_utf8(octets).is_ok() {
        Kind::Table(UTF_8)
    } else {
        Kind::Table(guess_table(start))
    }
}

/// Guesses the charset of 8-bit text that is no UTF-8.
fn guess_table(octets: &[u8]) -> &'static Encoding {
    if looks_like_shift_jis(octets) {
        return encoding_rs::SHIFT_JIS;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(octets, true);
    detector.guess(None, Utf8Detection::Deny)
}

/// Whether the octets are Shift_JIS beyond doubt, which the detector often does not see in a few words: they are well formed,
/// and somewhere two characters stand side by side that are kana, symbols or common kanji. The first octets of those are in
/// no alphabet's letters. In Latin text they are quotes and dashes: so one of the two must be kana, or have a second octet
/// that is no ASCII.
fn looks_like_shift_jis(octets: &[u8]) -> bool {
    let (mut side_by_side, mut strong, mut sure) = (0, false, false);
    let mut rest = octets.iter().copied();
    while let Some(lead) = rest.next() {
        match lead {
            0x81..=0x9f | 0xe0..=0xfc => match rest.next() {
                Some(trail @ (0x40..=0x7e | 0x80..=0xfc)) => {
                    let common = matches!(lead, 0x81..=0x84 | 0x88..=0x97);
                    side_by_side += u32::from(common);
                    strong |= matches!(lead, 0x82 | 0x83) || (common && trail >= 0x80);
                    sure |= strong && side_by_side >= 2;
                }
                // cut by the end of what is looked at
                None => return sure,
                Some(_) => return false,
            },
            0x00..=0x7f | 0xa1..=0xdf => (side_by_side, strong) = (0, false),
            _ => return false,
        }
    }
    sure
}

fn table(encoding: &'static Encoding) -> State {
    State::Table(if encoding == UTF_8 {
        encoding.new_decoder_with_bom_removal()
    } else {
        encoding.new_decoder_without_bom_handling()
    })
}

fn switching(scheme: Scheme) -> State {
    let encoding = match scheme {
        Scheme::Iso2022Jp => encoding_rs::EUC_JP,
        Scheme::Iso2022Kr => encoding_rs::EUC_KR,
        Scheme::Hz => encoding_rs::GBK,
    };
    State::Switching(Normaliser::new(scheme), encoding.new_decoder_without_bom_handling())
}

/// Order by the byte order mark, else by which octet of the first character is zero, else big endian (RFC 2781 §4.3).
fn utf_16(first: &[u8]) -> State {
    let little = match first {
        [0xff, 0xfe] => true,
        [0xfe, 0xff] => false,
        [low, 0] => *low != 0,
        _ => false,
    };
    let encoding = if little { encoding_rs::UTF_16LE } else { encoding_rs::UTF_16BE };
    State::Table(encoding.new_decoder_with_bom_removal())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charset::decode_undeclared;

    #[test]
    fn undeclared_text_is_found_out() {
        let check =
            |octets: &[u8], text| assert_eq!(decode_undeclared(octets), text, "{}", octets.escape_ascii());
        check(b"plain", "plain");
        check("日本".as_bytes(), "日本");
        check(b"a \x1b$B;3ED\x1b(B b", "a 山田 b");
        check(b"\x1b[0m \x1b$B;3\x1b(B", "\x1b[0m 山");
        check(b"caf\xe9", "café");
        check(b"\x1b", "\x1b");
        check(b"a\x1b$", "a\x1b$");
        check(b"+ADw-script+AD4-", "+ADw-script+AD4-");
    }

    #[test]
    fn labels_that_lie_are_seen_through() {
        let check = |label, octets: &[u8], text| {
            assert_eq!(
                Charset::for_label(label).unwrap().decode(octets),
                text,
                "{label} {}",
                octets.escape_ascii()
            );
        };
        check("us-ascii", "日本".as_bytes(), "日本");
        check("us-ascii", b"\x1b$B;3ED\x1b(B", "山田");
        check("utf-7", b"+ADw-script+AD4-", "+ADw-script+AD4-");
        check("iso-2022-jp", "日本語".as_bytes(), "日本語");
        check("iso-2022-jp", b"\x93\xfa\x96\x7b\x8c\xea\x82\xcc\x83\x81\x81\x5b\x83\x8b", "日本語のメール");
        check("utf-8", b"\xef\xbb\xbfbom", "bom");
        check("utf-16", b"\xff\xfea\0", "a");
        check("utf-16", b"a\0b\0", "ab");
        check("utf-16", b"\0a\0b", "ab");
        check("utf-8", b"a\xff", "a\u{fffd}");
        check("shift_jis", b"\x87\x40\xfa\x40", "①ⅰ");
        check("euc-jp", b"\xad\xa1", "①");
        check("gb18030", b"\xc4\xe3\xba\xc3", "你好");
    }

    #[test]
    fn a_few_words_of_shift_jis_are_known() {
        for text in "お世話 株式会社 鈴木 見積書 契約 会議 資料 予定 至急 打ち合わせ 東京 Re:会議の件 【至急】ﾃｽﾄの件 テスト".split(' ') {
            assert_eq!(decode_undeclared(&encoding_rs::SHIFT_JIS.encode(text).0), text);
        }
        for text in "café über señor “quoted” don’t—Straße garçon élève Noël Größe dash–dash…".split(' ')
        {
            assert_eq!(decode_undeclared(&encoding_rs::WINDOWS_1252.encode(text).0), text);
        }
    }

    #[test]
    fn chunks_make_no_difference() {
        for text in [
            &b"a \x1b$B;3ED\x1b(B \x1b(I6@\x1b(B"[..],
            "日本語".as_bytes(),
            b"\x93\xfa\x96\x7b\x8c\xea",
            b"\x1b[\x1b$B;3",
        ] {
            for label in [None, Some("iso-2022-jp"), Some("utf-8"), Some("utf-16"), Some("shift_jis")] {
                let charset = label.and_then(Charset::for_label);
                let mut whole = String::new();
                let mut decoder = TextDecoder::new(charset);
                decoder.push(text, &mut whole);
                decoder.finish(&mut whole);
                let mut pieces = String::new();
                let mut decoder = TextDecoder::new(charset);
                text.iter().for_each(|octet| decoder.push(&[*octet], &mut pieces));
                decoder.finish(&mut pieces);
                assert_eq!(pieces, whole, "{label:?} {}", text.escape_ascii());
            }
        }
    }
}
