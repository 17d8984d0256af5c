//! Writes one blob: frames as they fill up, then the manifest; small ones stay within their reference.
//! Holds one frame in memory, whatever the blob's size.

use std::{io, sync::Arc};

use super::{Shared, disk::Into, record};
use crate::{
    BlobError, BlobRef, BlobWriter, limits,
    place::{At, Place},
};

pub(super) struct Writer {
    shared: Arc<Shared>,
    hasher: blake3::Hasher,
    size_octets: u64,
    buffer: Vec<u8>,
    frames: Vec<At>,
    failed: Option<BlobError>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            hasher: blake3::Hasher::new(),
            size_octets: 0,
            buffer: Vec::new(),
            frames: Vec::new(),
            failed: None,
        }
    }

    fn take(&mut self, mut octets: &[u8]) -> Result<(), BlobError> {
        self.size_octets += octets.len() as u64;
        if self.size_octets > limits::BLOB_OCTETS {
            return Err(BlobError::Io("the blob is larger than blobs may be".into()));
        }
        self.hasher.update(octets);
        while !octets.is_empty() {
            if self.buffer.len() == limits::BLOB_FRAME_OCTETS {
                let frame = self.append(record::Kind::Part, [0; 16])?;
                self.frames.push(frame);
            }
            let room = limits::BLOB_FRAME_OCTETS - self.buffer.len();
            let (now, later) = octets.split_at(room.min(octets.len()));
            self.grow(now.len());
            self.buffer.extend_from_slice(now);
            octets = later;
        }
        Ok(())
    }

    /// Doubles the buffer as a vector does, but never beyond one frame: a body of one line costs a line.
    fn grow(&mut self, by: usize) {
        let needed = self.buffer.len() + by;
        if needed > self.buffer.capacity() {
            let ample = needed.max(self.buffer.capacity() * 2).min(limits::BLOB_FRAME_OCTETS);
            self.buffer.reserve_exact(ample - self.buffer.len());
        }
    }

    /// Packs and appends what is buffered.
    fn append(&mut self, kind: record::Kind, hash: [u8; 16]) -> Result<At, BlobError> {
        let (how, stored) = self.shared.packer.pack(&self.buffer);
        let record = record::encode(kind, how, self.buffer.len(), hash, &stored);
        let at = self.shared.append(&record)?;
        self.buffer.clear();
        Ok(at)
    }

    fn end(&mut self) -> Result<BlobRef, BlobError> {
        let size_octets = self.size_octets;
        let hash = crate::blob::short_hash(&self.hasher);
        if self.frames.is_empty() {
            let (how, stored) = self.shared.packer.pack(&self.buffer);
            if stored.len() <= limits::BLOB_INLINE_OCTETS {
                let place = Place::Inline { codec: how, octets: &stored }.encode();
                return Ok(BlobRef { size_octets, hash, place });
            }
            let record = record::encode(record::Kind::Whole, how, self.buffer.len(), hash, &stored);
            let place = Place::Segment(self.shared.append(&record)?).encode();
            return Ok(BlobRef { size_octets, hash, place });
        }
        let last = self.append(record::Kind::Part, [0; 16])?;
        self.frames.push(last);
        let manifest = record::Manifest { size_octets, frames: std::mem::take(&mut self.frames) }.encode();
        let (how, stored) = self.shared.packer.pack(&manifest);
        let record = record::encode(record::Kind::Manifest, how, manifest.len(), hash, &stored);
        let place = Place::Segment(self.shared.append(&record)?).encode();
        Ok(BlobRef { size_octets, hash, place })
    }
}

impl BlobWriter for Writer {
    fn write(&mut self, octets: &[u8]) -> Result<(), BlobError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let taken = self.take(octets);
        self.failed = taken.clone().err();
        taken
    }

    fn finish(mut self: Box<Self>) -> Result<BlobRef, BlobError> {
        match self.failed.take() {
            Some(failed) => Err(failed),
            None => self.end(),
        }
    }
}

impl Shared {
    fn append(&self, record: &[u8]) -> Result<At, BlobError> {
        if self.read_only.get().is_some() {
            return Err(BlobError::ReadOnly);
        }
        if !self.room.has(record.len() as u64, true, Into::Nothing) {
            return Err(BlobError::Full);
        }
        self.segments.append(record).map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::Full,
            _ => BlobError::Io(error.to_string().into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::{EmbeddedEngine, EmbeddedOptions};

    #[test]
    fn a_body_of_any_size_holds_one_frame_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let engine = EmbeddedEngine::open(folder.path(), EmbeddedOptions::default()).unwrap();
        let mut writer = Writer::new(engine.shared().clone());
        writer.write(b"one line\r\n").unwrap();
        assert!(writer.buffer.capacity() < 100);
        for size in [3, 70_000, 1 << 20, 10 << 20] {
            writer.write(&vec![b'a'; size]).unwrap();
            assert!(writer.buffer.capacity() <= limits::BLOB_FRAME_OCTETS);
        }
        assert_eq!(writer.frames.len(), (10 + (11 << 20) + 70_003) / limits::BLOB_FRAME_OCTETS);
    }
}
