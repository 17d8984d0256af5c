//! Bodies on their way out: dot-stuffing and the end mark, or BDAT chunks. RFC 5321 §4.5.2, RFC 3030 §2.
//! A bare CR or LF never leaves in a text: it becomes CRLF, so that no receiver sees an end mark that we did not send.

use super::body::Framing;
use crate::limits;

/// Frames one body. Holds at most one chunk.
#[derive(Clone, Debug)]
pub struct BodyEncoder {
    framing: Framing,
    /// Lines mean something: not so in BINARYMIME.
    text: bool,
    last: Last,
    /// Octets of the chunk that is being filled.
    chunk: Vec<u8>,
    chunks: u32,
}

/// The octet before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    LineStart,
    Inside,
    Cr,
}

impl BodyEncoder {
    /// Begins a body. `text` is false for BINARYMIME.
    pub fn new(framing: Framing, text: bool) -> Self {
        Self { framing, text, last: Last::LineStart, chunk: Vec::new(), chunks: 0 }
    }

    /// Takes the next octets, writes what can be sent.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if !self.text {
            self.emit(octets, out);
            return;
        }
        let mut rest = octets;
        while let Some(first) = rest.first() {
            rest = match (self.last, first) {
                (Last::Cr, b'\n') => {
                    self.last = Last::LineStart;
                    self.emit(b"\n", out);
                    rest.get(1..).unwrap_or_default()
                }
                // The CR before was bare.
                (Last::Cr, _) => {
                    self.last = Last::LineStart;
                    self.emit(b"\n", out);
                    rest
                }
                (_, b'\n') => {
                    self.last = Last::LineStart;
                    self.emit(b"\r\n", out);
                    rest.get(1..).unwrap_or_default()
                }
                (_, b'\r') => {
                    self.last = Last::Cr;
                    self.emit(b"\r", out);
                    rest.get(1..).unwrap_or_default()
                }
                (before, first) => {
                    if before == Last::LineStart && *first == b'.' && self.framing == Framing::Dots {
                        self.emit(b".", out);
                    }
                    self.last = Last::Inside;
                    let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    self.emit(rest.get(..end).unwrap_or_default(), out);
                    rest.get(end..).unwrap_or_default()
                }
            };
        }
    }

    /// Ends the body: the line end that a text must end with, and the end mark or the last chunk.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.text {
            match self.last {
                Last::LineStart => {}
                Last::Inside => self.emit(b"\r\n", out),
                Last::Cr => self.emit(b"\n", out),
            }
            self.last = Last::LineStart;
        }
        match self.framing {
            Framing::Dots => out.extend_from_slice(b".\r\n"),
            Framing::Chunks => self.flush(" LAST", out),
        }
    }

    /// BDAT commands written so far; each has its answer.
    pub fn chunks(&self) -> u32 {
        self.chunks
    }

    fn emit(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if self.framing == Framing::Dots {
            out.extend_from_slice(octets);
            return;
        }
        for piece in octets.chunks(limits::CHUNK_OCTETS) {
            if self.chunk.len() + piece.len() > limits::CHUNK_OCTETS {
                self.flush("", out);
            }
            self.chunk.extend_from_slice(piece);
        }
    }

    fn flush(&mut self, mark: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("BDAT {}{mark}\r\n", self.chunk.len()).as_bytes());
        out.append(&mut self.chunk);
        self.chunks += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(framing: Framing, text: bool, message: &[u8], piece: usize) -> Vec<u8> {
        let mut encoder = BodyEncoder::new(framing, text);
        let mut out = Vec::new();
        for piece in message.chunks(piece) {
            encoder.push(piece, &mut out);
        }
        encoder.finish(&mut out);
        out
    }

    #[test]
    fn dots_are_stuffed_and_bare_newlines_become_crlf() {
        for (message, sent) in [
            (&b"a\r\n"[..], &b"a\r\n.\r\n"[..]),
            (b"", b".\r\n"),
            (b".\r\n..\r\n", b"..\r\n...\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r.\rb\r", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r\r\n", b"a\r\n\r\n.\r\n"),
            (b"\n\r", b"\r\n\r\n.\r\n"),
        ] {
            for piece in 1..=message.len().max(1) {
                let got = encode(Framing::Dots, true, message, piece);
                assert_eq!(
                    String::from_utf8_lossy(&got),
                    String::from_utf8_lossy(sent),
                    "{message:?} by {piece}"
                );
            }
        }
    }

    #[test]
    fn chunks_carry_dots_as_they_are() {
        assert_eq!(encode(Framing::Chunks, true, b".\r\nb\n", 2), b"BDAT 6 LAST\r\n.\r\nb\r\n");
        assert_eq!(encode(Framing::Chunks, false, b"\0\n\r", 1), b"BDAT 3 LAST\r\n\0\n\r");
        let long = vec![b'x'; limits::CHUNK_OCTETS + 5];
        let got = encode(Framing::Chunks, false, &long, 1_000);
        let first = format!("BDAT {}\r\n", limits::CHUNK_OCTETS / 1_000 * 1_000);
        assert!(got.starts_with(first.as_bytes()), "{:?}", String::from_utf8_lossy(&got[..20]));
        assert_eq!(got.iter().filter(|b| **b == b'x').count(), long.len());
    }

    /// What is sent is read back by our own decoder, and nothing that stands in a message ends it.
    #[test]
    fn the_decoder_reads_what_the_encoder_writes() {
        use crate::codec::body::{BareNewlines, BodyDecoder, Piece};
        for message in ["a\n.\n", "\r.\r\n", "..\r\n\r\n.", "x\r\n.\r\ny\n.\r\nz\r.\r"] {
            let sent = encode(Framing::Dots, true, message.as_bytes(), 3);
            let mut decoder = BodyDecoder::new(Framing::Dots, BareNewlines::Keep);
            let (mut at, mut got) = (0, Vec::new());
            loop {
                let (used, piece) = decoder.step(&sent[at..]);
                at += used;
                match piece {
                    Piece::Octets(octets) => got.extend_from_slice(octets),
                    Piece::End => break,
                }
            }
            assert_eq!(at, sent.len());
            assert!(!decoder.facts().bare_cr && !decoder.facts().bare_lf);
            let lines = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n").trim_end().to_owned();
            assert_eq!(lines(&String::from_utf8_lossy(&got)), lines(message));
        }
    }
}
