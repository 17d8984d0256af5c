//! Header text, decoded: encoded-words, raw UTF-8 and 8-bit, undeclared ISO-2022-JP. RFC 2047; RFC 6532. Never fails.
//! Encoded-words of one charset that stand side by side are joined as octets before they are decoded, because many
//! mailers split characters and escape states between them.

use memchr::memmem;

use super::{
    transfer::{TransferDecoder, TransferEncoding},
    unfold,
};
use crate::{
    charset::{self, Charset},
    limits::CHARSET_LABEL_OCTETS,
};

/// Decodes the raw value of an unstructured field, unfolding it first. Line ends and NULs do not survive, encoded or not.
pub fn decode_header(value: &[u8]) -> String {
    decode_phrase(&unfold(value))
}

/// Decodes a phrase or other text that is unfolded already.
pub fn decode_phrase(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = Run::default();
    let mut raw_charset = None;
    let mut rest = text;
    // Where a search for the end of a word has failed, it will fail for later words too.
    let mut words_end = true;
    loop {
        let found = if words_end { find_word(rest, &mut words_end) } else { None };
        let (before, word) = match &found {
            Some((start, word)) => (rest.get(..*start).unwrap_or_default(), Some(word)),
            None => (rest, None),
        };
        // White space between two words is no text (RFC 2047 §6.2).
        let gap = run.is_word() && word.is_some() && before.iter().all(u8::is_ascii_whitespace);
        if !gap && !before.is_empty() {
            run.flush(&mut out);
            push_raw(before, text, &mut raw_charset, &mut out);
        }
        let Some(word) = word else {
            run.flush(&mut out);
            break;
        };
        run.add(word, &mut out);
        rest = rest.get(before.len() + word.length..).unwrap_or_default();
    }
    if out.contains(['\r', '\n', '\0']) {
        out = out
            .chars()
            .filter(|c| *c != '\0')
            .map(|c| if c == '\r' || c == '\n' { ' ' } else { c })
            .collect();
    }
    out
}

/// An encoded-word: `=?charset*language?encoding?payload?=`.
struct Word<'a> {
    charset: &'a [u8],
    base64: bool,
    payload: &'a [u8],
    length: usize,
}

/// Finds the next encoded-word and where it begins.
fn find_word<'a>(text: &'a [u8], words_end: &mut bool) -> Option<(usize, Word<'a>)> {
    let mut from = 0;
    loop {
        let start = from + memmem::find(text.get(from..)?, b"=?")?;
        match read_word(text.get(start..)?, words_end) {
            Some(word) => return Some((start, word)),
            None if !*words_end => return None,
            None => from = start + 2,
        }
    }
}

/// Reads the word that begins with the `=?` at the front. Spaces in the payload are forgiven.
fn read_word<'a>(text: &'a [u8], words_end: &mut bool) -> Option<Word<'a>> {
    let inner = text.get(2..)?;
    let label = inner.iter().take(CHARSET_LABEL_OCTETS + 1).position(|&c| c == b'?' || c <= b' ')?;
    if label == 0 || inner.get(label) != Some(&b'?') || inner.get(label + 2) != Some(&b'?') {
        return None;
    }
    let base64 = match inner.get(label + 1)? {
        b'B' | b'b' => true,
        b'Q' | b'q' => false,
        _ => return None,
    };
    let payload = inner.get(label + 3..)?;
    let Some(end) = memmem::find(payload, b"?=") else {
        *words_end = false;
        return None;
    };
    let charset = inner.get(..label)?.split(|&c| c == b'*').next()?;
    Some(Word { charset, base64, payload: payload.get(..end)?, length: 2 + label + 3 + end + 2 })
}

/// Words of one charset that stand side by side: their octets, not decoded yet.
#[derive(Default)]
struct Run<'a> {
    charset: Option<&'a [u8]>,
    octets: Vec<u8>,
    /// Base64 digits that make no whole quantum yet: some mailers split inside one.
    digits: Vec<u8>,
}

impl<'a> Run<'a> {
    fn is_word(&self) -> bool {
        self.charset.is_some()
    }
    fn add(&mut self, word: &Word<'a>, out: &mut String) {
        if self.charset.is_some_and(|charset| !charset.eq_ignore_ascii_case(word.charset)) {
            self.flush(out);
        }
        self.charset = Some(word.charset);
        if word.base64 {
            self.digits.extend(word.payload.iter().filter(|c| !c.is_ascii_whitespace()));
            if self.digits.len().is_multiple_of(4) || word.payload.contains(&b'=') {
                self.end_digits();
            }
            return;
        }
        self.end_digits();
        let payload: Vec<u8> = word.payload.iter().map(|&c| if c == b'_' { b' ' } else { c }).collect();
        decode_q(&payload, &mut self.octets);
    }
    fn end_digits(&mut self) {
        let mut decoder = TransferDecoder::new(TransferEncoding::Base64);
        decoder.push(&self.digits, &mut self.octets);
        decoder.finish(&mut self.octets);
        self.digits.clear();
    }
    fn flush(&mut self, out: &mut String) {
        let Some(label) = self.charset.take() else { return };
        self.end_digits();
        let octets = std::mem::take(&mut self.octets);
        match std::str::from_utf8(label).ok().and_then(Charset::for_label) {
            Some(charset) => out.push_str(&charset.decode(&octets)),
            None => out.push_str(&charset::decode_undeclared(&octets)),
        }
    }
}

/// The Q encoding (RFC 2047 §4.2), underscores replaced already. White space stays.
fn decode_q(payload: &[u8], out: &mut Vec<u8>) {
    let digit = |c: Option<&u8>| c.and_then(|&c| char::from(c).to_digit(16));
    let mut rest = payload;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first == b'='
            && let (Some(high), Some(low)) = (digit(after.first()), digit(after.get(1)))
        {
            out.push((high * 16 + low) as u8);
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push(first);
        }
    }
}

/// Text outside encoded-words. Its charset is guessed once, from the `whole` value.
fn push_raw(text: &[u8], whole: &[u8], charset: &mut Option<Charset>, out: &mut String) {
    match std::str::from_utf8(text) {
        Ok(text) if !text.contains('\x1b') => out.push_str(text),
        _ => {
            let charset = charset.get_or_insert_with(|| Charset::guess(whole));
            out.push_str(&charset.decode(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &[u8], expected: &str) {
        assert_eq!(decode_header(value), expected, "{}", value.escape_ascii());
    }

    #[test]
    fn encoded_words_are_decoded() {
        check(b"plain", "plain");
        check(b" =?UTF-8?Q?caf=C3=A9_au_lait?= today", "café au lait today");
        check(b"=?utf-8?b?44GC?= =?UTF-8?B?44GE?=", "あい");
        check(b"=?utf-8?b?44GC?=\r\n\t=?UTF-8?Q?=E3=81=84?=", "あい");
        check(b"a =?utf-8?q?b?= c =?utf-8?q?d?=", "a b c d");
        check(b"=?iso-8859-1*fr?q?caf=E9?=", "café");
        check(b"=?utf-8?q?two words?=", "two words");
        check(b"=?utf-8?q?=?=", "=");
        check(b"=?utf-8?x?a?=", "=?utf-8?x?a?=");
        check(b"=?utf-8?q?unclosed", "=?utf-8?q?unclosed");
        check(b"=?utf-8?q??=", "");
        check(b"=?utf-8?q?a=0D=0ABcc:_x=00?=", "a  Bcc: x");
        check(b"=?nonsense?q?caf=C3=A9?=", "café");
        check(b"(=?utf-8?q?a?=)", "(a)");
        check(b"=?utf-8?q?a?==?utf-8?q?b?=", "ab");
    }

    #[test]
    fn characters_split_between_words_are_whole_again() {
        // U+3042 in two halves, in both encodings and mixed
        check(b"=?UTF-8?Q?=E3=81?= =?UTF-8?Q?=82?=", "あ");
        check(b"=?UTF-8?B?44E=?= =?UTF-8?B?gg==?=", "あ");
        check(b"=?UTF-8?Q?=E3=81?= =?utf-8?B?gg==?=", "あ");
        check(b"=?UTF-8?B?44G?=\r\n =?UTF-8?B?C?=", "あ");
        // ISO-2022-JP: escape state goes on, or starts again
        check(b"=?ISO-2022-JP?B?GyRCOzNFRBsoQg==?= =?ISO-2022-JP?B?GyRCQkBPOhsoQg==?=", "山田太郎");
        check(b"=?ISO-2022-JP?B?GyRCOzNF?= =?ISO-2022-JP?B?RBsoQg==?=", "山田");
    }

    #[test]
    fn raw_octets_are_understood() {
        check("日本語".as_bytes(), "日本語");
        check(b"\x1b$B;3ED\x1b(B <x>", "山田 <x>");
        check(b"caf\xe9 au lait", "café au lait");
        // "日本語のメール" in Shift_JIS and EUC-JP
        check(b"\x93\xfa\x96\x7b\x8c\xea\x82\xcc\x83\x81\x81\x5b\x83\x8b", "日本語のメール");
        check(b"\xc6\xfc\xcb\xdc\xb8\xec\xa4\xce\xa5\xe1\xa1\xbc\xa5\xeb", "日本語のメール");
    }
}
