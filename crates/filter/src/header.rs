//! Parts a message in transit into its header section, which is kept, and its body, which is passed on. RFC 5322 §2.1.
//! Never keeps a body.

use crate::limits;

/// The header section is longer than [`limits::HEADER_OCTETS`]. What stands behind cannot be judged, so the message cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderTooLong;

impl std::fmt::Display for HeaderTooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the header is longer than we judge")
    }
}

impl std::error::Error for HeaderTooLong {}

/// Collects a header section out of pieces that end anywhere.
#[derive(Clone, Debug, Default)]
pub struct HeaderSplit {
    block: Vec<u8>,
    ended: bool,
}

impl HeaderSplit {
    /// Takes the next octets of the message; gives back those that belong to the body.
    pub fn push<'a>(&mut self, octets: &'a [u8]) -> Result<&'a [u8], HeaderTooLong> {
        if self.ended {
            return Ok(octets);
        }
        // An empty line may have begun in the piece before.
        let from = self.block.len().saturating_sub(3);
        let before = self.block.len();
        let room = limits::HEADER_OCTETS + 4 - before.min(limits::HEADER_OCTETS);
        let taken = octets.get(..room.min(octets.len())).unwrap_or_default();
        self.block.extend_from_slice(taken);
        let end = if self.block.starts_with(b"\r\n") {
            Some((0, 2))
        } else {
            let new = self.block.get(from..).unwrap_or_default();
            memchr::memmem::find(new, b"\r\n\r\n").map(|at| (from + at + 2, from + at + 4))
        };
        if let Some((header, body)) = end {
            self.ended = true;
            self.block.truncate(header);
            return Ok(octets.get(body - before..).unwrap_or_default());
        }
        if self.block.len() > limits::HEADER_OCTETS { Err(HeaderTooLong) } else { Ok(&[]) }
    }

    /// Whether the empty line was seen.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// The header section so far, without the empty line.
    pub fn block(&self) -> &[u8] {
        &self.block
    }

    /// Ends the message: gives the header section.
    pub fn into_block(self) -> Vec<u8> {
        self.block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_body_are_parted_in_any_cut() {
        for (message, header, body) in [
            (
                &b"A: b\r\nC: d\r\n\r\nbody\r\n\r\nmore"[..],
                &b"A: b\r\nC: d\r\n"[..],
                &b"body\r\n\r\nmore"[..],
            ),
            (b"\r\nbody", b"", b"body"),
            (b"A: b\r\n\r\n", b"A: b\r\n", b""),
            (b"A: b\r\n", b"A: b\r\n", b""),
        ] {
            for first in 0..=message.len() {
                for second in first..=message.len() {
                    let mut split = HeaderSplit::default();
                    let mut rest = Vec::new();
                    for piece in [&message[..first], &message[first..second], &message[second..]] {
                        rest.extend_from_slice(split.push(piece).unwrap());
                    }
                    assert_eq!(split.block(), header, "{first} {second}");
                    assert_eq!(rest, body, "{first} {second}");
                }
            }
        }
    }

    #[test]
    fn a_header_without_end_is_given_up() {
        let mut split = HeaderSplit::default();
        let line = b"X: 0123456789012345678901234567890123456789\r\n";
        let error = (0..limits::HEADER_OCTETS).map(|_| split.push(line)).find(Result::is_err);
        assert_eq!(error, Some(Err(HeaderTooLong)));
        assert!(split.block().len() <= limits::HEADER_OCTETS + 4);
    }
}
