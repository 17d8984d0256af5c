//! Ids and time.

use std::fmt;

/// An account. Set when the account is created; never reused, also not after deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct AccountId(pub u64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z. The only form in which time enters a crate below `server`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// Whole seconds since the epoch.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }
    /// The same moment, `ms` milliseconds later; saturates.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
    /// Milliseconds from `earlier` to this moment; zero when the clock went back.
    pub fn since(self, earlier: UnixMs) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Follows one message through the reply, the Received field, the logs, the queue and bounces.
/// Written as 26 characters of Crockford base 32: 48 bits of time, 80 bits of randomness, so that ids sort by age.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct TraceId(pub u128);

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl TraceId {
    /// Makes an id from the time and 80 random bits (the low bits of `random` count).
    pub fn new(now: UnixMs, random: u128) -> Self {
        Self((u128::from(now.0) & 0xffff_ffff_ffff) << 80 | (random & ((1 << 80) - 1)))
    }
    /// Reads the written form; upper and lower case are the same.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 26 {
            return None;
        }
        let mut value: u128 = 0;
        for c in text.bytes() {
            let digit = CROCKFORD.iter().position(|d| *d == c.to_ascii_lowercase())?;
            value = value.checked_mul(32)?.checked_add(digit as u128)?;
        }
        Some(Self(value))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for shift in (0..26).rev() {
            let digit = (self.0 >> (shift * 5)) as usize & 31;
            let c = CROCKFORD.get(digit).copied().unwrap_or(b'0');
            write!(f, "{}", c as char)?;
        }
        Ok(())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids_are_read_back_as_written_and_sort_by_time() {
        let early = TraceId::new(UnixMs(1_000), u128::MAX);
        let late = TraceId::new(UnixMs(2_000), 0);
        assert!(early.to_string() < late.to_string());
        assert_eq!(TraceId::parse(&early.to_string()), Some(early));
        assert_eq!(TraceId::parse(&late.to_string().to_uppercase()), Some(late));
        assert_eq!(TraceId::parse("short"), None);
        assert_eq!(TraceId::parse("zzzzzzzzzzzzzzzzzzzzzzzzzz"), None);
    }
}
