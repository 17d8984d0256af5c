//! Takes a message in: streams its octets into a blob and through the MIME parser at once. Never holds the message.

use crate::{Staged, StoreError};

/// A message being taken in. Dropping it gives it up.
pub struct Stager {
    // filled in by its owner
}

#[allow(unused_variables, clippy::todo)]
impl Stager {
    /// Takes the next octets.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        todo!()
    }
    /// Octets taken so far.
    pub fn octets(&self) -> u64 {
        todo!()
    }
    /// Ends the message.
    pub fn finish(self) -> Result<Staged, StoreError> {
        todo!()
    }
}

#[allow(unused_variables, clippy::todo)]
impl Staged {
    /// The byte form, versioned.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }
    /// Reads the byte form; nothing when it is damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        todo!()
    }
}
