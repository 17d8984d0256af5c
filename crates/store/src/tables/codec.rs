//! Numbers and octet strings within values, and the checksum around them.

use std::sync::Arc;

use yubin_engine::ReadError;

use crate::{StoreError, events};

/// Writes a value.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn version(version: u8) -> Self {
        Self(vec![version])
    }
    pub(crate) fn with_capacity(octets: usize) -> Self {
        Self(Vec::with_capacity(octets))
    }
    pub(crate) fn u8(&mut self, n: u8) {
        self.0.push(n);
    }
    pub(crate) fn u32(&mut self, n: u32) {
        self.0.extend_from_slice(&n.to_be_bytes());
    }
    pub(crate) fn u64(&mut self, n: u64) {
        self.0.extend_from_slice(&n.to_be_bytes());
    }
    /// LEB128: 7 bits an octet, the least first.
    pub(crate) fn int(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }
    /// A difference: small ones of either sign are short.
    pub(crate) fn delta(&mut self, from: u64, to: u64) {
        let d = to.wrapping_sub(from) as i64;
        self.int(((d << 1) ^ (d >> 63)) as u64);
    }
    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.int(octets.len() as u64);
        self.0.extend_from_slice(octets);
    }
    pub(crate) fn raw(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }
    /// Without a checksum.
    pub(crate) fn bare(self) -> Vec<u8> {
        self.0
    }
    /// With its checksum.
    pub(crate) fn sealed(mut self) -> Vec<u8> {
        let sum = crc32c::crc32c(&self.0);
        self.0.extend_from_slice(&sum.to_be_bytes());
        self.0
    }
}

/// Reads a value. Each method answers nothing when the value is too short or out of range.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bare(octets: &'a [u8]) -> Self {
        Self(octets)
    }
    /// Checks the checksum and takes it off.
    pub(crate) fn sealed(octets: &'a [u8]) -> Option<Self> {
        let (body, sum) = octets.split_last_chunk::<4>()?;
        (crc32c::crc32c(body) == u32::from_be_bytes(*sum)).then_some(Self(body))
    }
    /// As [`Reader::sealed`], for a value that begins with this version.
    pub(crate) fn sealed_version(octets: &'a [u8], version: u8) -> Option<Self> {
        let mut reader = Self::sealed(octets)?;
        (reader.u8()? == version).then_some(reader)
    }
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.chunk::<1>().map(|[n]| n)
    }
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_be_bytes)
    }
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_be_bytes)
    }
    pub(crate) fn int(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.u8()?;
            n |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Some(n);
            }
        }
        None
    }
    pub(crate) fn int32(&mut self) -> Option<u32> {
        self.int()?.try_into().ok()
    }
    pub(crate) fn delta(&mut self, from: u64) -> Option<u64> {
        let z = self.int()?;
        let d = (z >> 1) ^ (z & 1).wrapping_neg();
        Some(from.wrapping_add(d))
    }
    pub(crate) fn octets(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.int()?).ok()?;
        let (first, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(first)
    }
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.octets()?).ok()
    }
    /// A count of things that each take at least one octet: larger than what is left means damage, not a large allocation.
    pub(crate) fn count(&mut self) -> Option<usize> {
        let n = usize::try_from(self.int()?).ok()?;
        (n <= self.0.len()).then_some(n)
    }
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
    /// All was read.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// The error for a value that does not decode.
pub(crate) fn damaged(what: &str, key: &[u8]) -> StoreError {
    let key: String = key.iter().map(|b| format!("{b:02x}")).collect();
    let text: Arc<str> = format!("{what} at key {key}").into();
    yubin_base::event!(events::DAMAGED, what = %text);
    StoreError::Read(ReadError::Corrupt(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back_as_written() {
        let numbers = [0, 1, 127, 128, 300, 1 << 32, u64::MAX - 1, u64::MAX];
        let mut w = Writer::version(3);
        for n in numbers {
            w.int(n);
            w.delta(500, n);
            w.u64(n);
        }
        w.octets(b"abc");
        let value = w.sealed();
        let mut r = Reader::sealed_version(&value, 3).unwrap();
        for n in numbers {
            assert_eq!((r.int(), r.delta(500), r.u64()), (Some(n), Some(n), Some(n)));
        }
        assert_eq!(r.octets(), Some(&b"abc"[..]));
        assert_eq!(r.end(), Some(()));
        assert!(Reader::sealed_version(&value, 4).is_none());
    }

    #[test]
    fn any_flipped_bit_is_seen() {
        let mut w = Writer::version(1);
        w.octets(b"some value");
        let value = w.sealed();
        for bit in 0..value.len() * 8 {
            let mut bad = value.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Reader::sealed(&bad).is_none());
        }
        assert!(Reader::bare(&[0xff; 10]).int().is_none() || Reader::bare(&[0xff; 9]).int().is_none());
        assert!(Reader::bare(&[0xff, 0xff, 3]).octets().is_none());
    }
}
