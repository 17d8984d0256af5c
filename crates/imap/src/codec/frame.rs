//! Finds where a command ends: lines, and literals within them (RFC 9051 §4.3, RFC 7888). Keeps its place, so that octets
//! are looked at once however they arrive. Never copies.

/// ```abnf
/// literal = "{" number64 ["+" / "-"] "}" CRLF *CHAR8     ; "+" and "-" need no invitation
/// literal8 = "~{" number64 ["+" / "-"] "}" CRLF *OCTET
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiteralHead {
    /// Where the `{` (or `~`) stands.
    pub start: usize,
    /// Where the literal's first octet is: after the CRLF.
    pub end: usize,
    /// Its length.
    pub octets: u64,
    /// Whether the client waits for `+` before it sends it.
    pub waits: bool,
    /// Written with `~`: may hold NUL.
    pub binary: bool,
}

/// What the front of the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// More octets are needed.
    Incomplete,
    /// A whole command of this many octets, its line end included.
    Complete(usize),
    /// A literal begins. Call [`Frame::accept`] to go on.
    Literal(LiteralHead),
}

/// The place reached in the command at the front of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    scanned: usize,
    line_start: usize,
    literals: u32,
}

impl Frame {
    /// Looks on. `input` begins with the same octets as at the last call.
    pub fn next(&mut self, input: &[u8]) -> Framed {
        let Some(rest) = input.get(self.scanned..) else { return Framed::Incomplete };
        let Some(at) = memchr::memchr(b'\n', rest) else {
            self.scanned = input.len();
            return Framed::Incomplete;
        };
        let end = self.scanned + at + 1;
        let line = input.get(self.line_start..end).unwrap_or_default();
        match literal_head(line) {
            Some((start, octets, waits, binary)) => {
                // The same literal is told again until it is accepted.
                Framed::Literal(LiteralHead { start: self.line_start + start, end, octets, waits, binary })
            }
            None => Framed::Complete(end),
        }
    }

    /// Takes the literal into the command.
    pub fn accept(&mut self, head: &LiteralHead) {
        let octets = usize::try_from(head.octets).unwrap_or(usize::MAX);
        self.scanned = head.end.saturating_add(octets);
        self.line_start = self.scanned;
        self.literals += 1;
    }

    /// Literals accepted so far.
    pub fn literals(&self) -> u32 {
        self.literals
    }
}

/// The literal that a line ends in: where its head starts, octets, waits, binary. A number too large counts as the largest.
pub fn literal_head(line: &[u8]) -> Option<(usize, u64, bool, bool)> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let inner = line.strip_suffix(b"}")?;
    let (inner, waits) = match inner.strip_suffix(b"+").or_else(|| inner.strip_suffix(b"-")) {
        Some(inner) => (inner, false),
        None => (inner, true),
    };
    let digits = inner.iter().rev().take_while(|c| c.is_ascii_digit()).count();
    let (before, number) = inner.split_at_checked(inner.len() - digits)?;
    let before = before.strip_suffix(b"{")?;
    if number.is_empty() {
        return None;
    }
    let octets = number.iter().fold(0u64, |n, d| n.saturating_mul(10).saturating_add(u64::from(d - b'0')));
    let binary = before.last() == Some(&b'~');
    Some((before.len() - usize::from(binary), octets, waits, binary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_heads_are_found_at_line_ends_only() {
        let check = |line: &[u8], want| assert_eq!(literal_head(line), want, "{line:?}");
        check(b"a LOGIN {5}\r\n", Some((8, 5, true, false)));
        check(b"a LOGIN {5+}\r\n", Some((8, 5, false, false)));
        check(b"a LOGIN {5-}\n", Some((8, 5, false, false)));
        check(b"a APPEND x ~{70000}\r\n", Some((11, 70000, true, true)));
        check(b"{0}\r\n", Some((0, 0, true, false)));
        check(b"{99999999999999999999}\r\n", Some((0, u64::MAX, true, false)));
        check(b"a {5} \r\n", None);
        check(b"a {}\r\n", None);
        check(b"a {x}\r\n", None);
        check(b"a 5}\r\n", None);
        check(b"}\r\n", None);
        check(b"+}\r\n", None);
    }

    #[test]
    fn a_frame_keeps_its_place() {
        let whole = b"a LOGIN {3+}\r\nann {2}\r\npw\r\nb NOOP\r\n";
        for step in 1..whole.len() {
            let mut frame = Frame::default();
            let mut seen = step;
            let mut heads = 0;
            loop {
                match frame.next(&whole[..seen.min(whole.len())]) {
                    Framed::Incomplete => seen += step,
                    Framed::Literal(head) => {
                        frame.accept(&head);
                        heads += 1;
                    }
                    Framed::Complete(n) => {
                        assert_eq!((n, heads), (27, 2));
                        break;
                    }
                }
            }
        }
    }
}
