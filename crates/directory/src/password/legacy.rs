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

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with hashlib and crypt(3).
    const HASHES: &[&str] = &[
        "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
        "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A",
        "{sha}L55TUjtiq8FBorTWAZ0jy6g129A=",
        "{SSHA}LhKrkM9Fy+zlstjdD7Kv2s6QvhBzYWx0",
        "{SHA256}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7VjE=",
        "{SSHA256}n+NyCAC8BTzorAU7AQEsEfh4qDAh0HpRtPLX0dsQdApzYWx0",
        "{SHA512}VraY3v7bWkNbY0r+MyC7rz/c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZUZew==",
        "{SSHA512}MObRFvUHqU5pLIXjc0HkeJH+PKVdEQk34oSyXkDftCxTU6Fk9rWjilWA553MtCFyazGhAOPiDyO1Rv1hndA96XNhbHQ=",
        "{SHA512-CRYPT}$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2EplzfAqxL5Vvwp2scFtv/uamSo5z0",
        "$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2EplzfAqxL5Vvwp2scFtv/uamSo5z0",
        "{CRYPT}$6$rounds=1000$abcdefghijklmnop$K9ViLilDpRy6xLunKXsaoeGhKInKdDtpCLyoTSCkDcguT34R9cMK08/eq3hGwOWWgyYCTwWqVmKpFAHjf73Mv/",
        "{SHA256-CRYPT}$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/",
        "$5$rounds=1400$anothersalt$6vziWM4RSIydF0C0tTKv0nfIhfzGWKNrDQom3RubBb/",
        "{BLF-CRYPT}$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    ];

    #[test]
    fn hashes_of_other_systems_match_their_password_only() {
        for stored in HASHES {
            assert_eq!(check(stored, b"correct horse"), Verdict::Right, "{stored}");
            for wrong in ["Correct horse", "correct horse ", "", "x"] {
                assert_eq!(check(stored, wrong.as_bytes()), Verdict::Wrong, "{stored} {wrong:?}");
            }
        }
        let russian = "$6$saltsalt$rUW/PQ7y6C3PzwnUwMulHbaNmxZ.z5SPYSwHT/xZEI4J9z9PoS3Nhq1AhmAWtu0oJlt0cAtnQUasMN0/i/g3r0";
        assert_eq!(check(russian, "пароль".as_bytes()), Verdict::Right);
    }

    #[test]
    fn damaged_hashes_match_nothing() {
        for stored in HASHES {
            // Padding is optional; every other octet counts.
            let bare = stored.trim_end_matches('=');
            for cut in 0..bare.len() {
                for password in ["correct horse", ""] {
                    let cut = &bare[..cut];
                    assert_ne!(check(cut, password.as_bytes()), Verdict::Right, "{cut}");
                }
            }
            let longer = format!("{bare}$");
            assert_ne!(check(&longer, b"correct horse"), Verdict::Right, "{longer}");
        }
    }

    #[test]
    fn hopeless_or_costly_hashes_are_unusable() {
        for stored in [
            "",
            "{",
            "{}",
            "{SHA}",
            "{SSHA}",
            "{SSHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
            "{SSHA}!!!!",
            "{MD5}X03MO1qnZdYdgyfeuILPmQ==",
            "{PLAIN}secret",
            "{SHA512-CRYPT}$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/",
            "$6$rounds=999999999$abcdefghijklmnop$K9ViLilDpRy6xLunKXsaoeGhKInKdDtpCLyoTSCkDcguT34R9cMK08/eq3hGwOWWgyYCTwWqVmKpFAHjf73Mv/",
            "$6$salt$",
            "$6$$",
            "$6",
            "$2y$31$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
            "$2y$04$",
            "$2x$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
            "$1$saltsalt$",
            "plain",
            "!",
            "*",
        ] {
            assert_eq!(check(stored, b""), Verdict::Unusable, "{stored}");
            assert!(!usable(stored), "{stored}");
        }
    }
}
