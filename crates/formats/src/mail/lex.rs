//! The tokens that structured header fields share: atoms, quoted strings, comments. Linear in the input.
//! RFC 5322 §3.2; escape sequences of ISO-2022-JP and encoded-words (RFC 2047) are one piece, whatever octets they hold.

use crate::limits::COMMENT_DEPTH;

/// Reads tokens from the front of a value.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    rest: &'a [u8],
}

impl<'a> Lexer<'a> {
    pub(super) fn new(value: &'a [u8]) -> Self {
        Self { rest: value }
    }
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }
    pub(super) fn bump(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }
    pub(super) fn eat(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        if found {
            self.bump();
        }
        found
    }
    /// Takes `count` octets, or what there is.
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }
    /// Skips white space and line ends. Tells whether there were any.
    pub(super) fn skip_space(&mut self) -> bool {
        let before = self.rest.len();
        while let Some(b' ' | b'\t' | b'\r' | b'\n' | 0) = self.peek() {
            self.bump();
        }
        before != self.rest.len()
    }
    /// Skips white space and comments. Tells whether there were any. The text of the last comment goes to `comment`.
    pub(super) fn skip_cfws(&mut self, mut comment: Option<&mut Vec<u8>>) -> bool {
        let before = self.rest.len();
        loop {
            self.skip_space();
            if self.peek() != Some(b'(') {
                return before != self.rest.len();
            }
            let mut text = Vec::new();
            self.comment(comment.is_some().then_some(&mut text));
            if let Some(comment) = comment.as_deref_mut() {
                *comment = text;
            }
        }
    }
    /// Takes a comment, without its outer parentheses. The lexer stands at `(`.
    fn comment(&mut self, mut text: Option<&mut Vec<u8>>) {
        let mut depth = 0usize;
        let mut keep = |octets: &[u8]| {
            if let Some(text) = text.as_deref_mut() {
                text.extend(octets.iter().filter(|c| !matches!(c, b'\r' | b'\n' | 0)));
            }
        };
        loop {
            if let Some(piece) = self.opaque_piece() {
                keep(piece);
                continue;
            }
            match self.bump() {
                None => return,
                Some(b'(') => {
                    if depth > 0 {
                        keep(b"(");
                    }
                    depth = (depth + 1).min(COMMENT_DEPTH);
                }
                Some(b')') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return;
                    }
                    keep(b")");
                }
                Some(b'\\') => {
                    keep(self.take(1));
                }
                Some(octet) => keep(&[octet]),
            }
        }
    }
    /// Takes a quoted string, without its quotes and backslashes. The lexer stands at `"`. One that is not closed ends
    /// with the value.
    pub(super) fn quoted_string(&mut self, out: &mut Vec<u8>) {
        self.bump();
        loop {
            if self.peek() == Some(0x1b)
                && let Some(piece) = self.opaque_piece()
            {
                out.extend_from_slice(piece);
                continue;
            }
            match self.bump() {
                None | Some(b'"') => return,
                Some(b'\\') => out.extend(self.bump().filter(|c| !matches!(c, b'\r' | b'\n' | 0))),
                Some(b'\r' | b'\n' | 0) => {}
                Some(octet) => out.push(octet),
            }
        }
    }
    /// Takes octets up to white space or one of `stops`; a piece that only looks as if it held some stays whole.
    pub(super) fn atom(&mut self, stops: &[u8], out: &mut Vec<u8>) {
        while let Some(octet) = self.peek() {
            if let Some(piece) = self.opaque_piece() {
                out.extend_from_slice(piece);
                continue;
            }
            if matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | 0) || stops.contains(&octet) {
                return;
            }
            if octet == b'\\' {
                self.bump();
                out.extend(self.bump().filter(|c| !matches!(c, b'\r' | b'\n' | 0)));
                continue;
            }
            out.push(octet);
            self.bump();
        }
    }
    /// Takes an encoded-word or a stretch of double-octet ISO-2022-JP, if one stands here.
    fn opaque_piece(&mut self) -> Option<&'a [u8]> {
        let length = match self.peek()? {
            b'=' => encoded_word_length(self.rest)?,
            0x1b => jis_length(self.rest)?,
            _ => return None,
        };
        Some(self.take(length))
    }
}

/// The length of the encoded-word at the front: `=?charset?B?text?=` without white space inside.
/// Looks at no more than the 75 octets RFC 2047 §2 allows, and some.
fn encoded_word_length(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"=?")?;
    let inner = inner.get(..inner.len().min(1_000))?;
    let charset = inner.iter().position(|&c| c == b'?' || c <= b' ')?;
    if charset == 0 || inner.get(charset) != Some(&b'?') || inner.get(charset + 2) != Some(&b'?') {
        return None;
    }
    let payload = inner.get(charset + 3..)?;
    let end = payload.iter().position(|&c| c == b'?' || c <= b' ')?;
    payload.get(end..)?.starts_with(b"?=").then_some(2 + charset + 3 + end + 2)
}

/// The length of `ESC $ B … ESC (`, the octets of which may be any of the specials. Up to the return to ASCII.
fn jis_length(text: &[u8]) -> Option<usize> {
    if text.starts_with(b"\x1b(") {
        return Some(text.len().min(3));
    }
    if !text.starts_with(b"\x1b$") {
        return None;
    }
    let inner = text.get(3..)?;
    let end = inner.iter().position(|&c| c == 0x1b || c == b'\n').unwrap_or(inner.len());
    Some(3 + end)
}
