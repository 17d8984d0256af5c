//! The DEFLATE layer between a connection and its session (RFC 1951, as RFC 4978 uses it): one raw stream each way, a flush at the end of
//! every answer, and a budget for what the peer's octets may grow to. Does no input or output of its own, and knows no protocol.
//!
//! Memory: the peer's stream needs its window of 32 KiB (about 48 KiB in all) for as long as the connection lives. Ours needs about 256 KiB,
//! but only while it is written: after a flush a fresh encoder may go on with the same stream, since it never refers to what it has not
//! written itself. So a connection that falls silent gives its encoder back ([`Deflate::rest`]).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::limits;

/// Both directions of one connection.
pub struct Deflate {
    encoder: Option<Compress>,
    decoder: Decompress,
    /// Octets of the peer that are not decompressed yet.
    packed: Vec<u8>,
    taken: usize,
    /// Whether the decoder may hold more without further octets: its output space was full.
    full: bool,
    /// The peer has ended its stream: whatever follows is not compressed.
    ended: bool,
}

/// Why a peer's octets cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// They are not DEFLATE, or the peer ended its stream.
    Damaged,
    /// They grow beyond the budget.
    Bomb,
}

impl Deflate {
    /// From now on. `packed` is what the peer has sent already.
    pub fn new(packed: Vec<u8>) -> Self {
        let full = !packed.is_empty();
        Self { encoder: None, decoder: Decompress::new(false), packed, taken: 0, full, ended: false }
    }

    /// Whether [`Deflate::inflate`] may give octets without more of the peer's.
    pub fn has_more(&self) -> bool {
        self.full || self.taken < self.packed.len()
    }

    /// Where to read the peer's octets to.
    pub fn space(&mut self) -> &mut Vec<u8> {
        self.packed.drain(..self.taken.min(self.packed.len()));
        self.taken = 0;
        self.packed.reserve(limits::INPUT_OCTETS);
        &mut self.packed
    }

    /// Decompresses up to the peer's next flush, and no more than there is room for in `out`. Returns the number of octets.
    ///
    /// Stopping at a flush is what makes [`Deflate::end`] find where the compressed octets end.
    pub fn inflate(&mut self, out: &mut Vec<u8>) -> Result<usize, InflateError> {
        if self.ended {
            return Err(InflateError::Damaged);
        }
        let before = self.decoder.total_in();
        let written = out.len();
        let packed = self.packed.get(self.taken..).unwrap_or_default();
        let flush = packed.windows(FLUSH.len()).position(|octets| octets == FLUSH);
        let packed = packed.get(..flush.map_or(packed.len(), |at| at + FLUSH.len())).unwrap_or_default();
        let status = self.decoder.decompress_vec(packed, out, FlushDecompress::None);
        let used = usize::try_from(self.decoder.total_in() - before).unwrap_or(usize::MAX);
        self.taken = self.taken.saturating_add(used).min(self.packed.len());
        self.full = out.len() == out.capacity();
        if self.taken == self.packed.len() {
            // An idle connection holds no buffer.
            self.packed = Vec::new();
            self.taken = 0;
        }
        if self.decoder.total_out() > budget(self.decoder.total_in()) {
            return Err(InflateError::Bomb);
        }
        match status {
            // With `BufError` there was nothing to do.
            Ok(Status::Ok | Status::BufError) => {}
            Ok(Status::StreamEnd) => self.ended = true,
            Err(_) => return Err(InflateError::Damaged),
        }
        Ok(out.len() - written)
    }

    /// Ends the layer: tells what the peer has sent behind its last flush.
    pub fn end(mut self) -> Vec<u8> {
        self.packed.drain(..self.taken.min(self.packed.len()));
        self.packed
    }

    /// Compresses a whole answer, flushed: the peer can read all of it.
    pub fn deflate(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let encoder =
            self.encoder.get_or_insert_with(|| Compress::new(Compression::new(limits::DEFLATE_LEVEL), false));
        let mut rest = plain;
        loop {
            out.reserve(rest.len() / 2 + DEFLATE_ROOM);
            let before = encoder.total_in();
            // The only error is one of stream parameters, which are fixed.
            let _ = encoder.compress_vec(rest, out, FlushCompress::Sync);
            let used = usize::try_from(encoder.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(used.min(rest.len())..).unwrap_or_default();
            // Room that is left says that the flush is complete.
            if rest.is_empty() && out.len() < out.capacity() {
                return;
            }
        }
    }

    /// The connection is silent: gives back what can be made anew.
    pub fn rest(&mut self) {
        self.encoder = None;
    }

    /// Whether there is something to give back.
    pub fn is_resting(&self) -> bool {
        self.encoder.is_none()
    }
}

/// What every flush ends with: the length of an empty stored block, and its complement (RFC 1951 §3.2.4).
const FLUSH: [u8; 4] = [0, 0, 0xff, 0xff];

/// Room for the end of a flush at least.
const DEFLATE_ROOM: usize = 64;

/// How many octets so many octets of a peer may grow to.
fn budget(octets: u64) -> u64 {
    limits::INFLATE_OCTETS_FREE.saturating_add(octets.saturating_mul(limits::INFLATE_RATIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflated(deflate: &mut Deflate, octets: &[u8], room: usize) -> Result<Vec<u8>, InflateError> {
        deflate.space().extend_from_slice(octets);
        let mut all = Vec::new();
        while deflate.has_more() {
            let mut piece = Vec::with_capacity(room);
            deflate.inflate(&mut piece)?;
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    #[test]
    fn what_is_deflated_is_inflated_whatever_the_pieces() {
        let answers: Vec<Vec<u8>> =
            (0..40u32).map(|n| (0..n * n * 7).map(|k| ((k * k) >> (n % 9)) as u8).collect()).collect();
        for room in [1, 7, 100, 100_000] {
            let (mut here, mut there) = (Deflate::new(Vec::new()), Deflate::new(Vec::new()));
            for (n, answer) in answers.iter().enumerate() {
                let mut packed = Vec::new();
                here.deflate(answer, &mut packed);
                let mut got = Vec::new();
                for piece in packed.chunks(1 + n * 13) {
                    got.extend(inflated(&mut there, piece, room).unwrap());
                }
                assert!(got == *answer, "answer {n} in rooms of {room}");
                if n % 3 == 0 {
                    here.rest();
                    assert!(here.is_resting());
                }
            }
        }
    }

    #[test]
    fn what_came_before_the_layer_is_part_of_its_stream() {
        let mut packed = Vec::new();
        Deflate::new(Vec::new()).deflate(b"a NOOP\r\n", &mut packed);
        let mut there = Deflate::new(packed);
        assert!(there.has_more());
        assert_eq!(inflated(&mut there, b"", 100), Ok(b"a NOOP\r\n".to_vec()));
        assert!(!there.has_more());
    }

    #[test]
    fn what_follows_the_last_flush_or_the_stream_is_given_back() {
        let mut packed = Vec::new();
        Deflate::new(Vec::new()).deflate(b"a UNAUTHENTICATE\r\n", &mut packed);
        let mut ended = Vec::with_capacity(100);
        let mut encoder = Compress::new(Compression::fast(), false);
        encoder.compress_vec(b"a UNAUTHENTICATE\r\n", &mut ended, FlushCompress::Finish).unwrap();
        for packed in [packed, ended] {
            let mut there = Deflate::new([&packed[..], b"b NOOP\r\n"].concat());
            let mut plain = Vec::with_capacity(1_000);
            assert_eq!(there.inflate(&mut plain), Ok(18));
            assert_eq!(there.end(), b"b NOOP\r\n");
        }
    }

    #[test]
    fn plain_text_and_an_ended_stream_are_refused() {
        for octets in [&b"a NOOP\r\n"[..], b"\xff\xff\xff", b"\x03\x00b NOOP\r\n"] {
            let mut there = Deflate::new(Vec::new());
            assert_eq!(inflated(&mut there, octets, 100), Err(InflateError::Damaged), "{octets:?}");
        }
    }

    #[test]
    fn a_bomb_meets_its_budget() {
        let mut encoder = Compress::new(Compression::best(), false);
        let zeros = vec![0; 1 << 20];
        let mut there = Deflate::new(Vec::new());
        let (mut sent, mut got) = (0u64, 0u64);
        let bomb = loop {
            let mut packed = Vec::with_capacity(1 << 16);
            encoder.compress_vec(&zeros, &mut packed, FlushCompress::Sync).unwrap();
            sent += packed.len() as u64;
            match inflated(&mut there, &packed, 65_536) {
                Ok(plain) => got += plain.len() as u64,
                Err(error) => break error,
            }
        };
        assert_eq!(bomb, InflateError::Bomb);
        assert!(got <= budget(sent) && got > budget(sent) - (2 << 20), "{got} of {sent}");
    }
}
