//! DKIM: signing what our users send, verifying what others sent. RFC 6376; RFC 8301 (no SHA-1, no short keys), RFC 8463 (Ed25519),
//! RFC 8616 (international names). Never asks for more keys than [`crate::limits::DKIM_VERIFIED`].

mod canon;
mod fields;
mod key;
mod sign;
mod signature;
mod verify;

pub(crate) use fields::without_b;
pub(crate) use key::base64_decode;
pub(crate) use verify::keys;

pub use canon::{BodyHash, Canonicalization, Form, header_field};
pub use key::{KeyError, KeyKind, KeyRecord, PublicKey};
pub use sign::{SignError, SignOptions, Signer, SigningKey};
pub use signature::{Algorithm, Signature, SignatureError};
pub use verify::{DkimResult, Verifier};
