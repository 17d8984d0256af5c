//! Compresses and decompresses frames with zstd. Never holds more than one frame per caller.

use std::borrow::Cow;

use parking_lot::Mutex;
use zstd::bulk::{Compressor, Decompressor};

use crate::{limits, place::codec};

const LEVEL: i32 = 3;
/// Below this there is nothing to gain.
const WORTH_OCTETS: usize = 64;

/// Keeps idle contexts: making one costs more than packing a small mail.
#[derive(Default)]
pub(super) struct Packer {
    compressors: Mutex<Vec<Compressor<'static>>>,
    decompressors: Mutex<Vec<Decompressor<'static>>>,
}

impl Packer {
    /// The octets to store and how they are packed: as they are when packing does not make them smaller.
    pub(super) fn pack<'a>(&self, raw: &'a [u8]) -> (u8, Cow<'a, [u8]>) {
        if raw.len() < WORTH_OCTETS {
            return (codec::RAW, Cow::Borrowed(raw));
        }
        let idle = self.compressors.lock().pop();
        let Some(mut compressor) = idle.or_else(|| Compressor::new(LEVEL).ok()) else {
            return (codec::RAW, Cow::Borrowed(raw));
        };
        let packed = compressor.compress(raw);
        self.compressors.lock().push(compressor);
        match packed {
            Ok(packed) if packed.len() < raw.len() => (codec::ZSTD, Cow::Owned(packed)),
            _ => (codec::RAW, Cow::Borrowed(raw)),
        }
    }

    /// The raw octets; nothing when they do not unpack to exactly `raw_octets`.
    pub(super) fn unpack(&self, how: u8, stored: &[u8], raw_octets: usize) -> Option<Vec<u8>> {
        if raw_octets > limits::BLOB_FRAME_OCTETS {
            return None;
        }
        let raw = match how {
            codec::RAW => stored.to_vec(),
            codec::ZSTD => {
                let idle = self.decompressors.lock().pop();
                let mut decompressor = idle.or_else(|| Decompressor::new().ok())?;
                let raw = decompressor.decompress(stored, raw_octets);
                self.decompressors.lock().push(decompressor);
                raw.ok()?
            }
            _ => return None,
        };
        (raw.len() == raw_octets).then_some(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_what_shrinks_and_leaves_the_rest() {
        let packer = Packer::default();
        let text = b"Received: from a.example by b.example;\r\n".repeat(50);
        let (how, stored) = packer.pack(&text);
        assert_eq!(how, codec::ZSTD);
        assert!(stored.len() < text.len() / 4);
        assert_eq!(packer.unpack(how, &stored, text.len()).as_deref(), Some(&text[..]));
        assert_eq!(packer.unpack(how, &stored, text.len() - 1), None);
        assert_eq!(packer.unpack(how, b"rubbish", 9), None);
        assert_eq!(packer.unpack(9, &text, text.len()), None);

        let noise = *blake3::hash(b"noise").as_bytes();
        let noise: Vec<u8> =
            (0..9u8).flat_map(|n| *blake3::hash(&[&noise[..], &[n]].concat()).as_bytes()).collect();
        assert_eq!(packer.pack(&noise).0, codec::RAW);
    }
}
