//! Key records: what stands at `selector._domainkey.domain`, and the public key in it. RFC 6376 §3.6.1; RFC 8463 §4 for Ed25519.

use std::fmt;

use aws_lc_rs::{rsa, signature};
use base64::{Engine as _, alphabet, engine};

use crate::{limits, tags::Tags};

/// Kind of a key, the `k=` tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `rsa`
    Rsa,
    /// `ed25519`
    Ed25519,
}

impl KeyKind {
    /// As `k=` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// A public key that can be used.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Its kind.
    pub kind: KeyKind,
    /// Its length in bits.
    pub bits: usize,
    octets: Vec<u8>,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.kind.name(), self.bits)
    }
}

/// One key record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub key: PublicKey,
    /// `t=y`: the domain tests DKIM; the signature says the same as none would.
    pub testing: bool,
    /// `t=s`: the domain in `i=` must be the domain in `d=`.
    pub strict: bool,
    /// Whether `h=` lets SHA-256 be used.
    pub sha256: bool,
}

/// Why a record has no key for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Not a key record, or none that can be read.
    Syntax,
    /// `p=` is empty: the key was withdrawn.
    Revoked,
    /// `s=` does not allow mail.
    NotForMail,
    /// A kind of key nobody knows.
    UnknownKind,
    /// Shorter than [`limits::RSA_BITS_MIN`].
    TooShort,
    /// Longer than [`limits::RSA_BITS_MAX`].
    TooLong,
}

impl KeyError {
    /// In words, for Authentication-Results and logs.
    pub fn text(self) -> &'static str {
        match self {
            Self::Syntax => "key record cannot be read",
            Self::Revoked => "key revoked",
            Self::NotForMail => "key is not for mail",
            Self::UnknownKind => "unknown kind of key",
            Self::TooShort => "key too short",
            Self::TooLong => "key too long",
        }
    }
}

/// Base64 with or without padding; some records lack it.
pub(crate) fn base64_decode(text: &str) -> Option<Vec<u8>> {
    const FORGIVING: engine::GeneralPurpose = engine::GeneralPurpose::new(
        &alphabet::STANDARD,
        engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    FORGIVING.decode(text).ok()
}

impl KeyRecord {
    /// Reads a TXT record.
    pub fn parse(record: &[u8]) -> Result<Self, KeyError> {
        if record.len() > limits::RECORD_OCTETS {
            return Err(KeyError::Syntax);
        }
        let text = std::str::from_utf8(record).map_err(|_| KeyError::Syntax)?;
        let tags = Tags::parse(text).ok_or(KeyError::Syntax)?;
        // v= is optional; where it stands it stands first and says DKIM1.
        if tags.get("v").is_some_and(|version| version != "DKIM1" || !tags.begins_with("v")) {
            return Err(KeyError::Syntax);
        }
        let has = |name: &str, word: &str| {
            tags.compact(name).is_some_and(|list| list.split(':').any(|item| item.eq_ignore_ascii_case(word)))
        };
        if tags.get("s").is_some() && !has("s", "*") && !has("s", "email") {
            return Err(KeyError::NotForMail);
        }
        let encoded = tags.compact("p").ok_or(KeyError::Syntax)?;
        if encoded.is_empty() {
            return Err(KeyError::Revoked);
        }
        let octets = base64_decode(&encoded).ok_or(KeyError::Syntax)?;
        let key = match tags.get("k").unwrap_or("rsa") {
            kind if kind.eq_ignore_ascii_case("rsa") => PublicKey::rsa(&octets)?,
            kind if kind.eq_ignore_ascii_case("ed25519") => PublicKey::ed25519(octets)?,
            _ => return Err(KeyError::UnknownKind),
        };
        Ok(Self {
            key,
            testing: has("t", "y"),
            strict: has("t", "s"),
            sha256: tags.get("h").is_none() || has("h", "sha256"),
        })
    }
}

impl PublicKey {
    /// An RSA key as SubjectPublicKeyInfo, or bare as RFC 8017 has it: both stand in DNS.
    fn rsa(der: &[u8]) -> Result<Self, KeyError> {
        let key = rsa::PublicKey::from_der(der).map_err(|_| rsa_error(der))?;
        let bits = modulus_bits(key.as_ref()).ok_or(KeyError::Syntax)?;
        if bits < limits::RSA_BITS_MIN {
            return Err(KeyError::TooShort);
        }
        if bits > limits::RSA_BITS_MAX {
            return Err(KeyError::TooLong);
        }
        Ok(Self { kind: KeyKind::Rsa, bits, octets: key.as_ref().to_vec() })
    }

    fn ed25519(octets: Vec<u8>) -> Result<Self, KeyError> {
        if octets.len() != 32 {
            return Err(KeyError::Syntax);
        }
        Ok(Self { kind: KeyKind::Ed25519, bits: 256, octets })
    }

    /// Whether `signature` is this key's over `signed`. SHA-256 always; for Ed25519 the signature is over the hash (RFC 8463 §3).
    pub fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self.kind {
            KeyKind::Rsa => signature::UnparsedPublicKey::new(
                &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                &self.octets,
            )
            .verify(signed, signature)
            .is_ok(),
            KeyKind::Ed25519 => {
                let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, signed);
                signature::UnparsedPublicKey::new(&signature::ED25519, &self.octets)
                    .verify(hash.as_ref(), signature)
                    .is_ok()
            }
        }
    }
}

/// Some libraries refuse very short keys as such; those are told from garbage by their length.
fn rsa_error(der: &[u8]) -> KeyError {
    if der.first() == Some(&0x30) && der.len() < 120 { KeyError::TooShort } else { KeyError::Syntax }
}

/// Bits of the modulus in an RSAPublicKey (RFC 8017 §A.1.1): `SEQUENCE { modulus INTEGER, publicExponent INTEGER }`.
fn modulus_bits(der: &[u8]) -> Option<usize> {
    let (_, sequence) = element(der, 0x30)?;
    let (length, modulus) = element(sequence, 0x02)?;
    let modulus = modulus.get(..length)?;
    let zeros = modulus.iter().take_while(|octet| **octet == 0).count();
    let first = modulus.get(zeros)?;
    Some((length - zeros) * 8 - first.leading_zeros() as usize)
}

/// The length of a DER element of this tag, and what follows its head.
fn element(der: &[u8], tag: u8) -> Option<(usize, &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (first, rest) = rest.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    let length = octets
        .iter()
        .try_fold(0_usize, |sum, octet| sum.checked_mul(256)?.checked_add(usize::from(*octet)))?;
    Some((length, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 8463 §A.2.
    const ED25519: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    /// The 1,024-bit key of RFC 8463 §A.2.
    const RSA_1024: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";

    #[test]
    fn keys_are_read() {
        let record = KeyRecord::parse(ED25519.as_bytes()).unwrap();
        assert_eq!((record.key.kind, record.key.bits), (KeyKind::Ed25519, 256));
        let record = KeyRecord::parse(RSA_1024.as_bytes()).unwrap();
        assert_eq!((record.key.kind, record.key.bits), (KeyKind::Rsa, 1_024));
        assert!(record.sha256 && !record.testing && !record.strict);
        let flags = KeyRecord::parse(format!("{ED25519}; t=y:s; h=sha1").as_bytes()).unwrap();
        assert!(flags.testing && flags.strict && !flags.sha256);
    }

    #[test]
    fn what_is_no_key_is_told_apart() {
        // An RSA key of 512 bits.
        let short = "p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALk1dd8SmBBW4SXETOQFJXP5DWnHUrbnq+cF6bDVlT+Fvsm9FT+5BuAMjHIcXTM6BvVFmPpFaZg0LWjWMX2h9esCAwEAAQ==";
        for (record, expected) in [
            ("", KeyError::Syntax),
            ("v=DKIM2; p=AA", KeyError::Syntax),
            ("p=AA; v=DKIM1", KeyError::Syntax),
            ("v=DKIM1; p=", KeyError::Revoked),
            ("v=DKIM1", KeyError::Syntax),
            ("v=DKIM1; p=!!", KeyError::Syntax),
            ("v=DKIM1; k=rsa; p=AAAA", KeyError::Syntax),
            ("v=DKIM1; k=ed25519; p=AAAA", KeyError::Syntax),
            ("v=DKIM1; k=dsa; p=AAAA", KeyError::UnknownKind),
            ("v=DKIM1; s=tlsrpt; p=AAAA", KeyError::NotForMail),
            (short, KeyError::TooShort),
        ] {
            assert_eq!(KeyRecord::parse(record.as_bytes()), Err(expected), "{record}");
        }
        assert_eq!(KeyRecord::parse(&vec![b'a'; 70_000]), Err(KeyError::Syntax));
    }
}
