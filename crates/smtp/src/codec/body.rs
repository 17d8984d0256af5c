//! Bodies on their way in: the end of DATA, dot-unstuffing, bare CR and LF. RFC 5321 §4.5.2, RFC 3030.
//! Keeps at most one octet; never decides what to do about a bare CR or LF.

use crate::server::BodyFacts;

/// How the body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// DATA: dot-stuffed, ended by CRLF "." CRLF and by nothing else.
    Dots,
    /// BDAT: the sizes tell; dots mean nothing.
    Chunks,
}

/// What becomes of a bare CR or LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BareNewlines {
    /// Noted and left as it is.
    Keep,
    /// Noted and turned into CRLF.
    Normalise,
}

/// Where in a line the decoder stands. Only a true CRLF starts a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a line.
    Start,
    /// Inside a line.
    Text,
    /// A CR inside a line, held back until the next octet tells what it is.
    Cr,
    /// A dot at the start of a line, left out.
    Dot,
    /// A CR behind that dot, held back.
    DotCr,
    /// The end mark was seen.
    Ended,
}

/// One step of decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Octets of the message. May be empty.
    Octets(&'a [u8]),
    /// The end mark: the body is complete.
    End,
}

/// Undoes the framing of one body.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    framing: Framing,
    newlines: BareNewlines,
    state: State,
    facts: BodyFacts,
}

impl BodyDecoder {
    /// Begins a body.
    pub fn new(framing: Framing, newlines: BareNewlines) -> Self {
        Self { framing, newlines, state: State::Start, facts: BodyFacts::default() }
    }

    /// What was seen so far.
    pub fn facts(&self) -> BodyFacts {
        self.facts
    }

    /// Takes octets from the front of a non-empty input. Returns how many, and what they are. Runs of lines come out in one piece.
    /// It may take none when it gives back one that it held; call again while input remains.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> (usize, Piece<'a>) {
        let Some(first) = input.first() else { return (0, Piece::Octets(&[])) };
        let (used, octets): (usize, &[u8]) = match (self.state, first) {
            (State::Ended, _) => return (0, Piece::End),
            (State::Start, b'.') if self.framing == Framing::Dots => {
                self.state = State::Dot;
                (1, &[])
            }
            (State::Start | State::Text, _) => self.run(input),
            (State::Cr, b'\n') => {
                self.state = State::Start;
                (1, b"\r\n")
            }
            (State::Cr, _) => (0, self.bare_cr()),
            (State::Dot, b'\r') => {
                self.state = State::DotCr;
                (1, &[])
            }
            (State::Dot, _) => {
                self.state = State::Text;
                (0, &[])
            }
            (State::DotCr, b'\n') => {
                self.state = State::Ended;
                return (1, Piece::End);
            }
            (State::DotCr, _) => (0, self.bare_cr()),
        };
        (used, Piece::Octets(self.note(octets)))
    }

    /// Ends a chunked body: gives back what was held, and the CRLF that a text must end with.
    pub fn finish(&mut self, text: bool) -> &'static [u8] {
        let octets: &[u8] = match self.state {
            State::Cr if text => {
                self.facts.bare_cr = true;
                b"\r\n"
            }
            State::Cr => b"\r",
            State::Text if text => b"\r\n",
            _ => &[],
        };
        self.state = State::Ended;
        self.note(octets)
    }

    /// Takes as long a run as can be handed on in one piece: up to a dot at the start of a line, a bare newline that must be changed, or
    /// the end of the input.
    fn run<'a>(&mut self, input: &'a [u8]) -> (usize, &'a [u8]) {
        self.state = State::Text;
        let mut from = 0;
        loop {
            let rest = input.get(from..).unwrap_or_default();
            let Some(offset) = memchr::memchr2(b'\r', b'\n', rest) else { return (input.len(), input) };
            let at = from + offset;
            let before = input.get(..at).unwrap_or_default();
            from = match (input.get(at), input.get(at + 1)) {
                (Some(b'\r'), Some(b'\n')) => {
                    let next = at + 2;
                    if matches!(input.get(next), None | Some(b'.')) {
                        self.state = State::Start;
                        return (next, input.get(..next).unwrap_or_default());
                    }
                    next
                }
                (Some(b'\r'), None) => {
                    self.state = State::Cr;
                    return (at + 1, before);
                }
                (bare, _) => {
                    self.note_bare(bare);
                    if self.newlines == BareNewlines::Normalise {
                        return if at == 0 { (1, b"\r\n") } else { (at, before) };
                    }
                    at + 1
                }
            };
        }
    }

    fn note_bare(&mut self, octet: Option<&u8>) {
        match octet {
            Some(b'\r') => self.facts.bare_cr = true,
            _ => self.facts.bare_lf = true,
        }
    }

    /// The held CR turned out to be bare.
    fn bare_cr(&mut self) -> &'static [u8] {
        self.state = State::Text;
        self.facts.bare_cr = true;
        match self.newlines {
            BareNewlines::Keep => b"\r",
            BareNewlines::Normalise => b"\r\n",
        }
    }

    fn note<'a>(&mut self, octets: &'a [u8]) -> &'a [u8] {
        self.facts.octets += octets.len() as u64;
        self.facts.eight_bit |= !octets.is_ascii();
        self.facts.nul |= memchr::memchr(0, octets).is_some();
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes the input in pieces of the given size. Returns the message, whether it ended, and what was left.
    fn decode(
        input: &[u8],
        piece: usize,
        framing: Framing,
        newlines: BareNewlines,
    ) -> (Vec<u8>, bool, usize, BodyFacts) {
        let mut decoder = BodyDecoder::new(framing, newlines);
        let mut message = Vec::new();
        let mut at = 0;
        while at < input.len() {
            let end = (at + piece).min(input.len());
            while at < end {
                let (used, piece) = decoder.step(&input[at..end]);
                at += used;
                match piece {
                    Piece::Octets(octets) => message.extend_from_slice(octets),
                    Piece::End => return (message, true, input.len() - at, decoder.facts()),
                }
            }
        }
        (message, false, 0, decoder.facts())
    }

    /// The same for every size of pieces.
    fn check(input: &str, message: &str, ended: bool, newlines: BareNewlines) {
        for piece in 1..=input.len().max(1) {
            let (got, got_ended, left, facts) = decode(input.as_bytes(), piece, Framing::Dots, newlines);
            assert_eq!(String::from_utf8_lossy(&got), message, "{input:?} in pieces of {piece}");
            assert_eq!((got_ended, left), (ended, 0), "{input:?} in pieces of {piece}");
            assert_eq!(facts.octets, got.len() as u64);
        }
    }

    #[test]
    fn data_ends_with_the_dot_and_with_nothing_else() {
        use BareNewlines::Keep;
        check("a\r\n.\r\n", "a\r\n", true, Keep);
        check(".\r\n", "", true, Keep);
        check("\r\n.\r\n", "\r\n", true, Keep);
        check("..\r\n.\r\n", ".\r\n", true, Keep);
        check("...\r\n.\r\n", "..\r\n", true, Keep);
        check("a\r\n..b\r\n.\r\n", "a\r\n.b\r\n", true, Keep);
        check("a\r\n.b\r\n.\r\n", "a\r\nb\r\n", true, Keep);
        check("a.\r\n.\r\n", "a.\r\n", true, Keep);
        check("a\r\n..\r\n.\r\n", "a\r\n.\r\n", true, Keep);
    }

    #[test]
    fn no_variant_of_the_end_mark_ends_data() {
        for middle in [
            "\n.\n",
            "\n.\r",
            "\r.\n",
            "\r.\r",
            "\n.\r\n",
            "\r.\r\n",
            "\r\n\0.\r\n",
            "\r\n.\r\r\n",
            "\r\r\n.\r\r\n",
            "\r\n.\n",
            "\r\n.\r",
        ] {
            let input = format!("a{middle}b\r\n.\r\n");
            for newlines in [BareNewlines::Keep, BareNewlines::Normalise] {
                for piece in 1..=input.len() {
                    let (message, ended, left, facts) =
                        decode(input.as_bytes(), piece, Framing::Dots, newlines);
                    assert_eq!((ended, left), (true, 0), "{middle:?} in pieces of {piece}");
                    assert!(facts.bare_cr || facts.bare_lf || facts.nul, "{middle:?}");
                    if newlines == BareNewlines::Normalise {
                        let text = String::from_utf8_lossy(&message).replace("\r\n", "");
                        assert!(!text.contains(['\r', '\n']), "{middle:?} gave {message:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn bare_newlines_are_kept_or_turned_into_crlf() {
        use BareNewlines::{Keep, Normalise};
        check("a\nb\rc\r\n.\r\n", "a\nb\rc\r\n", true, Keep);
        check("a\nb\rc\r\n.\r\n", "a\r\nb\r\nc\r\n", true, Normalise);
        check("a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", true, Normalise);
        check("a\r\r\n.\r\n", "a\r\n\r\n", true, Normalise);
        check("a\n\n\r\r\r\n.\r\n", "a\r\n\r\n\r\n\r\n\r\n", true, Normalise);
        check("a\r\n.\r.\r\n.\r\n", "a\r\n\r\n.\r\n", true, Normalise);
    }

    #[test]
    fn chunks_leave_dots_alone_and_end_with_a_newline() {
        for piece in 1..=8 {
            let (message, ended, _, facts) =
                decode(b".\r\n..\r\n", piece, Framing::Chunks, BareNewlines::Keep);
            assert_eq!((message.as_slice(), ended), (b".\r\n..\r\n".as_slice(), false));
            assert!(!facts.bare_cr && !facts.bare_lf);
        }
        let mut decoder = BodyDecoder::new(Framing::Chunks, BareNewlines::Keep);
        assert_eq!(decoder.step(b"a\r"), (2, Piece::Octets(b"a")));
        assert_eq!(decoder.clone().finish(true), b"\r\n");
        assert_eq!(decoder.finish(false), b"\r");
        assert_eq!(decoder.facts().octets, 2);
    }

    #[test]
    fn eight_bit_and_nul_are_noted() {
        let facts = |input: &[u8]| decode(input, 3, Framing::Dots, BareNewlines::Keep).3;
        assert!(facts("é".as_bytes()).eight_bit);
        assert!(facts(b"a\0b").nul);
        assert_eq!(facts(b"ab\r\n"), BodyFacts { octets: 4, ..BodyFacts::default() });
    }
}
