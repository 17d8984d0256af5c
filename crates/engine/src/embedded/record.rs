//! One record of a segment file. Pure octets; no files here.
//!
//! ```text
//! magic 4 | kind 1 | codec 1 | reserved 2 | stored length 4 | raw length 4 | hash of the blob 16 | crc32c 4 | stored octets
//! ```
//! All numbers are big-endian. The checksum covers everything else in the record. A blob of one frame is one `Whole` record;
//! a larger one is a row of `Part` records (each but the last of [`limits::BLOB_FRAME_OCTETS`] raw octets) and the `Manifest`
//! that lists them, which comes last and carries the blob's hash.

use crate::{limits, place::At};

pub(super) const HEADER_OCTETS: usize = 36;
pub(super) const MAGIC: [u8; 4] = *b"\x9eYrc";
/// The most stored octets one record may have; a manifest of this size lists more than 5 GiB.
pub(super) const STORED_OCTETS_MAX: usize = limits::BLOB_FRAME_OCTETS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Whole = 1,
    Part = 2,
    Manifest = 3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) codec: u8,
    pub(super) stored_octets: u32,
    pub(super) raw_octets: u32,
    pub(super) hash: [u8; 16],
    crc: u32,
}

pub(super) fn encode(kind: Kind, codec: u8, raw_octets: usize, hash: [u8; 16], stored: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_OCTETS + stored.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[kind as u8, codec, 0, 0]);
    out.extend_from_slice(&(stored.len() as u32).to_be_bytes());
    out.extend_from_slice(&(raw_octets as u32).to_be_bytes());
    out.extend_from_slice(&hash);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out), stored);
    out.extend_from_slice(&crc.to_be_bytes());
    out.extend_from_slice(stored);
    out
}

impl Header {
    /// Reads a header; nothing when it is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (&[kind, codec, _, _], rest) = rest.split_first_chunk::<4>()?;
        let (stored, rest) = rest.split_first_chunk::<4>()?;
        let (raw, rest) = rest.split_first_chunk::<4>()?;
        let (hash, rest) = rest.split_first_chunk::<16>()?;
        let (crc, _) = rest.split_first_chunk::<4>()?;
        let kind = match kind {
            1 => Kind::Whole,
            2 => Kind::Part,
            3 => Kind::Manifest,
            _ => return None,
        };
        let header = Self {
            kind,
            codec,
            stored_octets: u32::from_be_bytes(*stored),
            raw_octets: u32::from_be_bytes(*raw),
            hash: *hash,
            crc: u32::from_be_bytes(*crc),
        };
        let sane = *magic == MAGIC
            && header.stored_octets as usize <= STORED_OCTETS_MAX
            && header.raw_octets as usize <= limits::BLOB_FRAME_OCTETS;
        sane.then_some(header)
    }

    pub(super) fn record_octets(&self) -> u32 {
        HEADER_OCTETS as u32 + self.stored_octets
    }
}

/// Takes a whole record apart and checks it; nothing when it is damaged.
pub(super) fn open(record: &[u8]) -> Option<(Header, &[u8])> {
    let header = Header::decode(record)?;
    let (head, stored) = record.split_at_checked(HEADER_OCTETS)?;
    if stored.len() != header.stored_octets as usize {
        return None;
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(head.get(..HEADER_OCTETS - 4)?), stored);
    (crc == header.crc).then_some((header, stored))
}

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) size_octets: u64,
    pub(super) frames: Vec<At>,
}

impl Manifest {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + self.frames.len() * At::ENCODED_OCTETS);
        out.extend_from_slice(&self.size_octets.to_be_bytes());
        for frame in &self.frames {
            frame.encode(&mut out);
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (size, mut rest) = bytes.split_first_chunk::<8>()?;
        let mut frames = Vec::with_capacity(rest.len() / At::ENCODED_OCTETS);
        while !rest.is_empty() {
            let (at, after) = At::decode(rest)?;
            frames.push(at);
            rest = after;
        }
        Some(Self { size_octets: u64::from_be_bytes(*size), frames })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let record = encode(Kind::Whole, 1, 5, [7; 16], b"hello");
        let (header, stored) = open(&record).unwrap();
        assert_eq!(
            (header.kind, header.codec, header.raw_octets, stored),
            (Kind::Whole, 1, 5, &b"hello"[..])
        );
        for bit in 0..record.len() * 8 {
            let mut bad = record.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&bad).is_none(), "bit {bit}");
        }
        for len in 0..record.len() {
            assert!(open(&record[..len]).is_none());
        }
    }

    #[test]
    fn manifests_are_read_back_as_written() {
        let manifest = Manifest {
            size_octets: 300_000,
            frames: vec![At { segment: 1, offset: 2, octets: 3 }, At { segment: 4, offset: 5, octets: 6 }],
        };
        assert_eq!(Manifest::decode(&manifest.encode()), Some(manifest));
        assert_eq!(Manifest::decode(b"1234567"), None);
        assert_eq!(Manifest::decode(b"123456789"), None);
    }
}
