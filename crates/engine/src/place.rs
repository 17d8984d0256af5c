//! The words within [`BlobRef::place`](crate::BlobRef): where a blob's octets are. Shared by both implementations.

use crate::limits;

/// How stored octets are packed.
pub(crate) mod codec {
    /// As they are.
    pub(crate) const RAW: u8 = 0;
    /// zstd without a dictionary.
    pub(crate) const ZSTD: u8 = 1;
    /// zstd with the dictionary `mail-1.dict`.
    pub(crate) const ZSTD_MAIL_1: u8 = 2;
}

/// Where a blob is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// Within the reference itself.
    Inline { codec: u8, octets: &'a [u8] },
    /// In a segment file: one record, or the manifest of many.
    Segment(At),
    /// In the memory engine's map.
    Memory(u64),
}

/// One record of a segment file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    /// Length of the whole record, header included.
    pub(crate) octets: u32,
}

const INLINE: u8 = b'i';
const SEGMENT: u8 = b's';
const MEMORY: u8 = b'm';

impl<'a> Place<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Inline { codec, octets } => {
                let mut out = Vec::with_capacity(2 + octets.len());
                out.extend_from_slice(&[INLINE, *codec]);
                out.extend_from_slice(octets);
                out
            }
            Self::Segment(at) => {
                let mut out = vec![SEGMENT];
                at.encode(&mut out);
                out
            }
            Self::Memory(id) => {
                let mut out = vec![MEMORY];
                out.extend_from_slice(&id.to_be_bytes());
                out
            }
        }
    }

    pub(crate) fn decode(place: &'a [u8]) -> Option<Self> {
        match place.split_first()? {
            (&INLINE, rest) => {
                let (codec, octets) = rest.split_first()?;
                (octets.len() <= limits::BLOB_INLINE_OCTETS).then_some(Self::Inline { codec: *codec, octets })
            }
            (&SEGMENT, rest) => match At::decode(rest)? {
                (at, []) => Some(Self::Segment(at)),
                _ => None,
            },
            (&MEMORY, rest) => Some(Self::Memory(u64::from_be_bytes(rest.try_into().ok()?))),
            _ => None,
        }
    }
}

impl At {
    pub(crate) const ENCODED_OCTETS: usize = 12;

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.segment.to_be_bytes());
        out.extend_from_slice(&self.offset.to_be_bytes());
        out.extend_from_slice(&self.octets.to_be_bytes());
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (segment, rest) = bytes.split_first_chunk::<4>()?;
        let (offset, rest) = rest.split_first_chunk::<4>()?;
        let (octets, rest) = rest.split_first_chunk::<4>()?;
        let at = Self {
            segment: u32::from_be_bytes(*segment),
            offset: u32::from_be_bytes(*offset),
            octets: u32::from_be_bytes(*octets),
        };
        Some((at, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_back_as_written() {
        let at = At { segment: 7, offset: 1 << 28, octets: 99 };
        for place in [
            Place::Inline { codec: codec::ZSTD, octets: b"abc" },
            Place::Inline { codec: codec::RAW, octets: b"" },
            Place::Segment(at),
            Place::Memory(12),
        ] {
            assert_eq!(Place::decode(&place.encode()), Some(place));
        }
        assert_eq!(Place::decode(b""), None);
        assert_eq!(Place::decode(b"i"), None);
        assert_eq!(Place::decode(b"s123"), None);
        assert_eq!(Place::decode(b"x123456789012"), None);
    }
}
