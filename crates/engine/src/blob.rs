//! Blobs: message bodies. Written as a stream, compressed and checksummed in frames, read in ranges.

use crate::BlobError;

/// Where a blob is. Small ones are inside the reference, and so inside the value that holds it.
/// Shape: an opaque octet string of at most [`crate::limits::BLOB_REF_OCTETS`] octets, stored within values, plus what readers need without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRef {
    /// Octets of the content before compression.
    pub size_octets: u64,
    /// BLAKE3 of the content, first 16 octets.
    pub hash: [u8; 16],
    /// The engine's own words.
    pub(crate) place: Vec<u8>,
}

impl BlobRef {
    /// The form stored within values.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24 + self.place.len());
        out.extend_from_slice(&self.size_octets.to_be_bytes());
        out.extend_from_slice(&self.hash);
        out.extend_from_slice(&self.place);
        out
    }

    /// Reads the stored form; nothing when it is too short.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let (hash, place) = rest.split_first_chunk::<16>()?;
        Some(Self { size_octets: u64::from_be_bytes(*size), hash: *hash, place: place.to_vec() })
    }
}

/// A blob being written. Dropping it gives it up.
pub trait BlobWriter: Send {
    /// Takes the next octets. Holds back at most one frame (256 KiB) in memory.
    fn write(&mut self, octets: &[u8]) -> Result<(), BlobError>;

    /// Ends the blob. It becomes durable with the first batch that names it in `blobs`.
    fn finish(self: Box<Self>) -> Result<BlobRef, BlobError>;
}

/// The hash as references carry it.
pub(crate) fn short_hash(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut hash = [0; 16];
    hasher.finalize_xof().fill(&mut hash);
    hash
}
