//! Multi-line answers: dot-stuffing, CRLF line ends, the final dot. Works on pieces; never holds the message.
//!
//! RFC 1939 §3: a line that begins with the termination octet gets another one before it. RFC 1939 §11: a size counts every line end
//! as two octets, and does not count the stuffed dots.

/// Writes a message in pieces as a multi-line answer.
#[derive(Clone, Debug)]
pub struct Stuffer {
    /// Where the next octet stands.
    at: At,
    /// Whether the empty line between header and body was passed.
    in_body: bool,
    /// Body lines still to send; none: all.
    lines_left: Option<u32>,
    /// Octets written, as LIST counts them.
    octets: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    Within,
    /// After a CR, which may be half of a line end. The flag: the CR stood at the start of its line.
    AfterCr(bool),
}

impl Stuffer {
    /// For a whole message (RETR).
    pub fn whole() -> Self {
        Self { at: At::LineStart, in_body: false, lines_left: None, octets: 0 }
    }

    /// For the header, the empty line, and `lines` lines of the body (TOP).
    pub fn top(lines: u32) -> Self {
        Self { lines_left: Some(lines), ..Self::whole() }
    }

    /// Writes the next piece. Bare LF becomes CRLF; a bare CR is no line end and stays as it is.
    pub fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while !rest.is_empty() && !self.is_done() {
            // Within a line nothing happens until its end: copy that much at once.
            let plain = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (text, tail) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
            self.write_text(text, out);
            rest = match tail.split_first() {
                Some((end, after)) => {
                    self.write_end(*end, out);
                    after
                }
                None => tail,
            };
        }
    }

    /// Whether everything that was asked for (TOP) has been written, so that the rest need not be read.
    pub fn is_done(&self) -> bool {
        self.in_body && self.lines_left == Some(0) && self.at == At::LineStart
    }

    /// Ends the last line if the message did not, and writes the final dot.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.at != At::LineStart {
            self.put(if matches!(self.at, At::AfterCr(_)) { b"\n" } else { b"\r\n" }, out);
            self.at = At::LineStart;
        }
        out.extend_from_slice(b".\r\n");
    }

    /// Octets written so far as LIST counts them: with CRLF line ends, without stuffed dots.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    fn write_text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let Some(first) = text.first() else { return };
        if self.at == At::LineStart && *first == b'.' {
            out.push(b'.');
        }
        self.put(text, out);
        self.at = At::Within;
    }

    fn write_end(&mut self, end: u8, out: &mut Vec<u8>) {
        if end == b'\r' {
            let at_start = self.at == At::LineStart;
            self.put(b"\r", out);
            self.at = At::AfterCr(at_start);
            return;
        }
        let (missing_cr, empty) = match self.at {
            At::AfterCr(at_start) => (false, at_start),
            At::LineStart => (true, true),
            At::Within => (true, false),
        };
        self.put(if missing_cr { b"\r\n" } else { b"\n" }, out);
        self.at = At::LineStart;
        if self.in_body {
            self.lines_left = self.lines_left.map(|n| n.saturating_sub(1));
        } else if empty {
            self.in_body = true;
        }
    }

    fn put(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(octets);
        self.octets += octets.len() as u64;
    }
}

/// Counts how many octets [`Stuffer::whole`] adds to a message for its line ends. Fed with the same pieces.
#[derive(Clone, Debug, Default)]
pub struct LineEndCounter {
    last: Option<u8>,
    missing: u64,
}

impl LineEndCounter {
    /// Takes the next piece.
    pub fn write(&mut self, piece: &[u8]) {
        for at in memchr::memchr_iter(b'\n', piece) {
            let before = at.checked_sub(1).map_or(self.last, |i| piece.get(i).copied());
            self.missing += u64::from(before != Some(b'\r'));
        }
        self.last = piece.last().copied().or(self.last);
    }

    /// Octets that the wire form has more than the stored one.
    pub fn finish(&self) -> u64 {
        self.missing
            + match self.last {
                None | Some(b'\n') => 0,
                Some(b'\r') => 1,
                Some(_) => 2,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stuffed(mut stuffer: Stuffer, message: &[u8], piece: usize) -> (Vec<u8>, u64) {
        let mut out = Vec::new();
        for piece in message.chunks(piece) {
            stuffer.write(piece, &mut out);
        }
        stuffer.finish(&mut out);
        (out, stuffer.octets())
    }

    fn check(stuffer: &Stuffer, message: &str, expected: &str) {
        for piece in 1..=message.len().max(1) {
            let (out, _) = stuffed(stuffer.clone(), message.as_bytes(), piece);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{message:?} in pieces of {piece}");
        }
    }

    #[test]
    fn dots_at_line_starts_are_doubled() {
        let whole = Stuffer::whole();
        check(&whole, "", ".\r\n");
        check(&whole, "a\r\n", "a\r\n.\r\n");
        check(&whole, ".\r\n", "..\r\n.\r\n");
        check(&whole, "..a\r\n.b", "...a\r\n..b\r\n.\r\n");
        check(&whole, "a.\r\n", "a.\r\n.\r\n");
        check(&whole, "a\r.\r\n", "a\r.\r\n.\r\n");
    }

    #[test]
    fn bare_line_feeds_become_crlf() {
        let whole = Stuffer::whole();
        check(&whole, "a\n.\nb\n\n", "a\r\n..\r\nb\r\n\r\n.\r\n");
        check(&whole, "a\r", "a\r\n.\r\n");
        check(&whole, "a\r\rb\r\r\n", "a\r\rb\r\r\n.\r\n");
        check(&whole, "\n", "\r\n.\r\n");
        check(&whole, "\r", "\r\n.\r\n");
    }

    #[test]
    fn top_sends_the_header_and_some_lines() {
        let message = "A: 1\r\nB: 2\r\n\r\none\r\n.two\r\nthree";
        check(&Stuffer::top(0), message, "A: 1\r\nB: 2\r\n\r\n.\r\n");
        check(&Stuffer::top(1), message, "A: 1\r\nB: 2\r\n\r\none\r\n.\r\n");
        check(&Stuffer::top(2), message, "A: 1\r\nB: 2\r\n\r\none\r\n..two\r\n.\r\n");
        check(&Stuffer::top(3), message, "A: 1\r\nB: 2\r\n\r\none\r\n..two\r\nthree\r\n.\r\n");
        check(&Stuffer::top(9), message, "A: 1\r\nB: 2\r\n\r\none\r\n..two\r\nthree\r\n.\r\n");
        check(&Stuffer::top(0), "A: 1", "A: 1\r\n.\r\n");
        check(&Stuffer::top(1), "\r\n\r\nb\r\n", "\r\n\r\n.\r\n");
        check(&Stuffer::top(0), "A: 1\n\nx\n", "A: 1\r\n\r\n.\r\n");
    }

    /// What a client makes of a multi-line answer.
    fn unstuffed(answer: &[u8]) -> Vec<u8> {
        let body = answer.strip_suffix(b".\r\n").unwrap();
        let mut out = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            let end = memchr::memmem::find(rest, b"\r\n").map_or(rest.len(), |at| at + 2);
            let (line, tail) = rest.split_at(end);
            assert_ne!(line, b".\r\n", "ends too early");
            out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            rest = tail;
        }
        out
    }

    fn mail_octets() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a'), any::<u8>()],
            0..200,
        )
    }

    proptest! {
        #[test]
        fn a_client_gets_the_message_back_with_crlf_line_ends(message in mail_octets(), piece in 1_usize..50) {
            let (answer, octets) = stuffed(Stuffer::whole(), &message, piece);
            let got = unstuffed(&answer);
            prop_assert_eq!(got.len() as u64, octets);
            let mut counter = LineEndCounter::default();
            message.chunks(piece).for_each(|piece| counter.write(piece));
            prop_assert_eq!(octets, message.len() as u64 + counter.finish());
            // Every LF has its CR; taking the added CRs away gives the message back.
            let mut at = 0;
            for (i, c) in got.iter().enumerate() {
                let added = message.get(at) != Some(c);
                if !added { at += 1; continue; }
                let closing = at == message.len() && i + 2 >= got.len();
                prop_assert!(closing || (*c == b'\r' && message.get(at) == Some(&b'\n')));
            }
            prop_assert_eq!(at, message.len());
        }

        #[test]
        fn top_is_a_prefix_of_retr(message in mail_octets(), lines in 0_u32..5, piece in 1_usize..50) {
            let (whole, _) = stuffed(Stuffer::whole(), &message, piece);
            let (top, _) = stuffed(Stuffer::top(lines), &message, piece);
            let top = top.strip_suffix(b".\r\n").unwrap();
            prop_assert!(whole.starts_with(top));
        }
    }
}
