//! Hashes of other systems, checked only: RFC 2307-style `{SCHEME}` digests, SHA-crypt and bcrypt.
//! Never made here; replaced by Argon2id at the first successful login.

use base64::{Engine as _, alphabet, engine};
use sha_crypt::{PasswordHashRef, PasswordVerifier as _, ShaCrypt};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::Verdict;
use crate::limits;

/// With or without padding: both are found in the wild.
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new().with_decode_padding_mode(engine::DecodePaddingMode::Indifferent),
);

/// A stored hash, read.
enum Stored<'a> {
    /// A digest of the password and then the salt.
    Digest { kind: Kind, digest: Vec<u8>, salt: Vec<u8> },
    /// `$5$` and `$6$`.
    ShaCrypt(&'a str),
    /// `$2a$`, `$2b$`, `$2y$`.
    Bcrypt(&'a str),
}

#[derive(Clone, Copy)]
enum Kind {
    Sha1,
    Sha256,
    Sha512,
}

/// Parts `{SCHEME}` from the rest; the scheme in upper case.
pub(crate) fn scheme(stored: &str) -> (Option<String>, &str) {
    match stored.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((scheme, rest)) => (Some(scheme.to_ascii_uppercase()), rest),
        None => (None, stored),
    }
}

/// Whether a hash can ever match.
pub(crate) fn usable(stored: &str) -> bool {
    read(stored).is_some()
}

/// Checks a password, as typed, against a stored hash.
pub(crate) fn check(stored: &str, password: &[u8]) -> Verdict {
    let right = match read(stored) {
        None => return Verdict::Unusable,
        Some(Stored::Digest { kind, digest, salt }) => {
            let made = match kind {
                Kind::Sha1 => Sha1::new().chain_update(password).chain_update(&salt).finalize().to_vec(),
                Kind::Sha256 => Sha256::new().chain_update(password).chain_update(&salt).finalize().to_vec(),
                Kind::Sha512 => Sha512::new().chain_update(password).chain_update(&salt).finalize().to_vec(),
            };
            bool::from(made.as_slice().ct_eq(&digest))
        }
        Some(Stored::ShaCrypt(text)) => PasswordHashRef::new(text)
            .is_ok_and(|hash| ShaCrypt::default().verify_password(password, hash).is_ok()),
        Some(Stored::Bcrypt(text)) => bcrypt::verify(password, text).unwrap_or(false),
    };
    if right { Verdict::Right } else { Verdict::Wrong }
}

fn read(stored: &str) -> Option<Stored<'_>> {
    if stored.len() > limits::HASH_OCTETS {
        return None;
    }
    let (scheme, rest) = scheme(stored);
    match scheme.as_deref() {
        Some("SSHA") => digest(Kind::Sha1, rest, true),
        Some("SHA" | "SHA1") => digest(Kind::Sha1, rest, false),
        Some("SSHA256") => digest(Kind::Sha256, rest, true),
        Some("SHA256") => digest(Kind::Sha256, rest, false),
        Some("SSHA512") => digest(Kind::Sha512, rest, true),
        Some("SHA512") => digest(Kind::Sha512, rest, false),
        Some("SHA512-CRYPT") => sha_crypt(rest).filter(|_| rest.starts_with("$6$")),
        Some("SHA256-CRYPT") => sha_crypt(rest).filter(|_| rest.starts_with("$5$")),
        Some("BLF-CRYPT" | "BCRYPT") => bcrypt_hash(rest),
        Some("CRYPT") | None => sha_crypt(rest).or_else(|| bcrypt_hash(rest)),
        Some(_) => None,
    }
}

fn digest(kind: Kind, text: &str, salted: bool) -> Option<Stored<'static>> {
    let octets = BASE64.decode(text).ok()?;
    let length = match kind {
        Kind::Sha1 => 20,
        Kind::Sha256 => 32,
        Kind::Sha512 => 64,
    };
    let (digest, salt) = octets.split_at_checked(length)?;
    (salt.is_empty() != salted).then(|| Stored::Digest { kind, digest: digest.to_vec(), salt: salt.to_vec() })
}

/// `$6$[rounds=N$]salt$digest`, 43 characters of digest for `$5$` and 86 for `$6$`.
fn sha_crypt(text: &str) -> Option<Stored<'_>> {
    let digest_chars = match text.get(..3)? {
        "$5$" => 43,
        "$6$" => 86,
        _ => return None,
    };
    let mut fields = text.get(3..)?.split('$');
    let mut salt = fields.next()?;
    if let Some(rounds) = salt.strip_prefix("rounds=") {
        let rounds: u32 = rounds.parse().ok()?;
        if !(1000..=limits::SHA_CRYPT_ROUNDS).contains(&rounds) {
            return None;
        }
        salt = fields.next()?;
    }
    let digest = fields.next()?;
    let crypt64 = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/');
    let well_formed =
        fields.next().is_none() && salt.len() <= 16 && digest.len() == digest_chars && crypt64(digest);
    (well_formed && PasswordHashRef::new(text).is_ok()).then_some(Stored::ShaCrypt(text))
}

/// `$2y$NN$` and 53 characters.
fn bcrypt_hash(text: &str) -> Option<Stored<'_>> {
    let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let (cost, body) = rest.split_once('$')?;
    let cost: u32 = cost.parse().ok().filter(|_| cost.len() == 2)?;
    let well_formed = (4..=limits::BCRYPT_COST).contains(&cost)
        && body.len() == 53
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/');
    well_formed.then_some(Stored::Bcrypt(text))
}
