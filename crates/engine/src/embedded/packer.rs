//! Compresses and decompresses frames with zstd, small ones with a dictionary of what mail is made of.
//! Never holds more than one frame per caller.

use std::{borrow::Cow, sync::LazyLock};

use parking_lot::Mutex;
use zstd::{
    bulk::{Compressor, Decompressor},
    dict::{DecoderDictionary, EncoderDictionary},
};

use crate::{limits, place::codec};

const LEVEL: i32 = 3;
/// Below this there is nothing to gain.
const WORTH_OCTETS: usize = 64;
/// Above this a frame is its own dictionary.
const DICTIONARY_WORTH_OCTETS: usize = 64 << 10;

/// Made by `examples/train_dictionary.rs`. Never changed: what it packed could not be unpacked any more.
const MAIL_1: &[u8] = include_bytes!("mail-1.dict");
static PACK_MAIL_1: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(MAIL_1, LEVEL));
static UNPACK_MAIL_1: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(MAIL_1));

/// Keeps idle contexts: making one costs more than packing a small mail.
#[derive(Default)]
pub(super) struct Packer {
    plain: Contexts,
    mail: Contexts,
}

#[derive(Default)]
struct Contexts {
    compressors: Mutex<Vec<Compressor<'static>>>,
    decompressors: Mutex<Vec<Decompressor<'static>>>,
}

impl Packer {
    /// The octets to store and how they are packed: as they are when packing does not make them smaller.
    pub(super) fn pack<'a>(&self, raw: &'a [u8]) -> (u8, Cow<'a, [u8]>) {
        if raw.len() < WORTH_OCTETS {
            return (codec::RAW, Cow::Borrowed(raw));
        }
        let (how, packed) = if raw.len() <= DICTIONARY_WORTH_OCTETS {
            let make = || Compressor::with_prepared_dictionary(&PACK_MAIL_1);
            (codec::ZSTD_MAIL_1, self.mail.compress(raw, make))
        } else {
            (codec::ZSTD, self.plain.compress(raw, || Compressor::new(LEVEL)))
        };
        match packed {
            Ok(packed) if packed.len() < raw.len() => (how, Cow::Owned(packed)),
            _ => (codec::RAW, Cow::Borrowed(raw)),
        }
    }

    /// The raw octets; nothing when they do not unpack to exactly `raw_octets`.
    pub(super) fn unpack(&self, how: u8, stored: &[u8], raw_octets: usize) -> Option<Vec<u8>> {
        if raw_octets > limits::BLOB_FRAME_OCTETS {
            return None;
        }
        let raw = match how {
            codec::RAW => Ok(stored.to_vec()),
            codec::ZSTD => self.plain.decompress(stored, raw_octets, Decompressor::new),
            codec::ZSTD_MAIL_1 => {
                let make = || Decompressor::with_prepared_dictionary(&UNPACK_MAIL_1);
                self.mail.decompress(stored, raw_octets, make)
            }
            _ => return None,
        };
        raw.ok().filter(|raw| raw.len() == raw_octets)
    }
}

impl Contexts {
    fn compress(
        &self,
        raw: &[u8],
        make: impl FnOnce() -> std::io::Result<Compressor<'static>>,
    ) -> std::io::Result<Vec<u8>> {
        let idle = self.compressors.lock().pop();
        let mut context = idle.map_or_else(make, Ok)?;
        let packed = context.compress(raw);
        self.compressors.lock().push(context);
        packed
    }

    fn decompress(
        &self,
        stored: &[u8],
        raw_octets: usize,
        make: impl FnOnce() -> std::io::Result<Decompressor<'static>>,
    ) -> std::io::Result<Vec<u8>> {
        let idle = self.decompressors.lock().pop();
        let mut context = idle.map_or_else(make, Ok)?;
        let raw = context.decompress(stored, raw_octets);
        self.decompressors.lock().push(context);
        raw
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
        assert_eq!(how, codec::ZSTD_MAIL_1);
        assert!(stored.len() < text.len() / 4);
        assert_eq!(packer.unpack(how, &stored, text.len()).as_deref(), Some(&text[..]));
        assert_eq!(packer.unpack(how, &stored, text.len() - 1), None);
        assert_eq!(packer.unpack(how, b"rubbish", 9), None);
        assert_eq!(packer.unpack(9, &text, text.len()), None);

        let large = text.repeat(60);
        let (how, stored) = packer.pack(&large);
        assert_eq!(how, codec::ZSTD);
        assert_eq!(packer.unpack(how, &stored, large.len()).as_deref(), Some(&large[..]));

        let noise = *blake3::hash(b"noise").as_bytes();
        let noise: Vec<u8> =
            (0..9u8).flat_map(|n| *blake3::hash(&[&noise[..], &[n]].concat()).as_bytes()).collect();
        assert_eq!(packer.pack(&noise).0, codec::RAW);
    }

    #[test]
    fn the_dictionary_never_changes() {
        let hash = blake3::hash(MAIL_1).to_hex();
        assert_eq!(hash.as_str(), "5b9c2aea8c99474ad7de3d5c9c2b7e5573268cf6d70d9c54b9b2d582c157dca8");
        // Packed by the first build that had it.
        let packed =
            b"(\xb5/\xfd#7\xc4\xf7B^\xad\x00\x00\x181\r\n\x05|\x00K\xda\xb5\x01fDH\x0bh\x0c\xa03\xb6/";
        let raw = b"Received: from localhost (localhost [127.0.0.1])\r\n\tby mail.example (Postfix) with ESMTP id 1\r\n";
        assert_eq!(
            Packer::default().unpack(codec::ZSTD_MAIL_1, packed, raw.len()).as_deref(),
            Some(&raw[..])
        );
    }

    #[test]
    fn headers_of_a_short_mail_shrink_well() {
        let mail = b"Received: from mail.a.example (mail.a.example [192.0.2.1])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 \
            (256/256 bits)\r\n\tby mx.b.example (Postfix) with ESMTPS id 4XYZ\r\n\tfor <ann@b.example>; Mon, 2 Mar 2026 08:00:00 \
            +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nHello\r\n";
        let (how, stored) = Packer::default().pack(mail);
        assert_eq!(how, codec::ZSTD_MAIL_1);
        assert!(stored.len() * 2 < mail.len(), "{} of {}", stored.len(), mail.len());
    }
}
