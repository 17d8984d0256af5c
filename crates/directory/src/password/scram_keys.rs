//! The keys SCRAM-SHA-256 needs of a password (RFC 5802 §3, RFC 7677), and those an unknown user seems to have.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::tables::credential::ScramKeys;

/// SaltedPassword, ClientKey, StoredKey, ServerKey of a prepared password.
pub(crate) fn make(password: &[u8], salt: Vec<u8>, iterations: u32) -> ScramKeys {
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password, &salt, iterations, &mut salted);
    let stored_key = Sha256::digest(hmac(&salted, &[b"Client Key"])).into();
    ScramKeys { iterations, salt, stored_key, server_key: hmac(&salted, &[b"Server Key"]) }
}

/// What a name without keys seems to have: the same at every try, and fit to no password anybody knows.
pub(crate) fn fake(secret: &[u8; 32], name: &str, iterations: u32) -> ScramKeys {
    let derive = |what: &[u8]| hmac(secret, &[what, b"\0", name.as_bytes()]);
    let salt = derive(b"scram salt").first_chunk::<16>().map(|salt| salt.to_vec()).unwrap_or_default();
    ScramKeys {
        iterations,
        salt,
        stored_key: derive(b"scram stored key"),
        server_key: derive(b"scram server key"),
    }
}

/// HMAC-SHA-256 over the parts in a row.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length (RFC 2104 §2), so the error cannot come; were it to, nothing would match all zeros.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
