//! Reads blobs: only the frames a range touches, each checked against its checksum.

use std::{ops::Range, sync::Arc};

use super::{
    Shared,
    record::{self, Kind, Manifest},
};
use crate::{
    BlobRef, ReadError, limits,
    place::{At, Place},
};

impl Shared {
    pub(super) fn blob_read(&self, blob: &BlobRef, range: Range<u64>) -> Result<Vec<u8>, ReadError> {
        let end = range.end.min(blob.size_octets);
        let start = range.start.min(end);
        if start == end {
            return Ok(Vec::new());
        }
        let place =
            Place::decode(&blob.place).ok_or_else(|| corrupt("a blob reference that cannot be read"))?;
        match place {
            Place::Inline { codec, octets } => {
                let raw = usize::try_from(blob.size_octets)
                    .ok()
                    .and_then(|size| self.packer.unpack(codec, octets, size));
                cut(&raw.ok_or_else(|| corrupt("a blob within its reference does not unpack"))?, start, end)
            }
            Place::Segment(at) => match self.record(at, Some(blob.hash))? {
                (Kind::Whole, raw) => cut(&raw, start, end),
                (Kind::Manifest, raw) => self.frames(at, &raw, blob.size_octets, start, end),
                (Kind::Part, _) => Err(corrupt("a blob reference that points into a blob")),
            },
            Place::Memory(_) => Err(corrupt("a blob reference of another kind of store")),
        }
    }

    /// The records of a blob, for counting what is alive. Empty for those within their reference.
    pub(super) fn records_of(&self, blob: &BlobRef) -> Result<Vec<At>, ReadError> {
        let Some(Place::Segment(at)) = Place::decode(&blob.place) else { return Ok(Vec::new()) };
        if blob.size_octets <= limits::BLOB_FRAME_OCTETS as u64 {
            return Ok(vec![at]);
        }
        let (_, raw) = self.record(at, Some(blob.hash))?;
        let mut records = Manifest::decode(&raw).ok_or_else(|| bad(at))?.frames;
        records.push(at);
        Ok(records)
    }

    fn frames(&self, at: At, manifest: &[u8], size: u64, start: u64, end: u64) -> Result<Vec<u8>, ReadError> {
        const FRAME: u64 = limits::BLOB_FRAME_OCTETS as u64;
        let manifest = Manifest::decode(manifest).filter(|m| m.size_octets == size).ok_or_else(|| bad(at))?;
        let mut out = Vec::with_capacity((end - start) as usize);
        for number in start / FRAME..end.div_ceil(FRAME) {
            let frame =
                usize::try_from(number).ok().and_then(|n| manifest.frames.get(n)).ok_or_else(|| bad(at))?;
            let (_, raw) = self.record(*frame, None)?;
            let base = number * FRAME;
            out.extend(cut(&raw, start.saturating_sub(base), (end - base).min(FRAME))?);
        }
        Ok(out)
    }

    /// A record, checked and unpacked.
    fn record(&self, at: At, hash: Option<[u8; 16]>) -> Result<(Kind, Vec<u8>), ReadError> {
        let octets = self.segments.read(at).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::NotFound | std::io::ErrorKind::Other => {
                yubin_base::event!(crate::events::CORRUPT, segment = at.segment, offset = at.offset);
                ReadError::Corrupt(format!("segment {:08} offset {}: {error}", at.segment, at.offset).into())
            }
            _ => ReadError::Unavailable(format!("segment {:08}: {error}", at.segment).into()),
        })?;
        let (header, stored) = record::open(&octets).ok_or_else(|| bad(at))?;
        if hash.is_some_and(|hash| hash != header.hash) {
            return Err(bad(at));
        }
        let raw =
            self.packer.unpack(header.codec, stored, header.raw_octets as usize).ok_or_else(|| bad(at))?;
        Ok((header.kind, raw))
    }
}

fn cut(raw: &[u8], start: u64, end: u64) -> Result<Vec<u8>, ReadError> {
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let cut = range.and_then(|(start, end)| raw.get(start..end));
    cut.map(<[u8]>::to_vec).ok_or_else(|| corrupt("a blob is shorter than its reference says"))
}

fn corrupt(what: &str) -> ReadError {
    yubin_base::event!(crate::events::CORRUPT, what = what);
    ReadError::Corrupt(Arc::from(what))
}

fn bad(at: At) -> ReadError {
    yubin_base::event!(crate::events::CORRUPT, segment = at.segment, offset = at.offset);
    ReadError::Corrupt(
        format!("segment {:08} offset {}: the record does not match its checksum", at.segment, at.offset)
            .into(),
    )
}
