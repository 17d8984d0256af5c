//! Signing: keys, and a signer that sees a message pass. RFC 6376 §5; RFC 8301 (RSA of 2,048 bits, SHA-256), RFC 8463 (Ed25519).
//! Never keeps a body, and never signs only a part of one (`l=`).

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    digest,
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa,
    signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use yubin_base::UnixMs;
use yubin_formats::mail::fields;

use super::{
    canon::{BodyHash, Canonicalization},
    fields::signed_input,
    key::KeyKind,
};
use crate::{HeaderSplit, HeaderTooLong, domain, limits};

/// Always signed, and once more than they stand there: nobody can add another behind our back (oversigning, RFC 6376 §8.15).
const OVERSIGNED: &[&str] = &[
    "From",
    "To",
    "Subject",
    "Date",
    "Reply-To",
    "Cc",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-ID",
    "In-Reply-To",
    "References",
];

/// Signed once more than they stand there when they stand there at all: a mailing list may add its own to a message that has none.
const OVERSIGNED_WHEN_PRESENT: &[&str] = &[
    "Sender",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
    "Autocrypt",
];

/// A private key, with the domain it signs for and the selector its public half is found by.
pub struct SigningKey {
    domain: String,
    selector: String,
    pair: Pair,
}

enum Pair {
    Rsa(Box<rsa::KeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Why there is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignError {
    /// The key is none, is too short, or the cryptographic library refused.
    Key,
    /// Domain or selector is no name.
    Name,
    /// The header is longer than [`limits::HEADER_OCTETS`].
    HeaderTooLong,
    /// The header has more fields to sign than [`limits::SIGNED_FIELDS`].
    TooManyFields,
    /// RFC 6376 §5.4: a message without From is not signed.
    NoFrom,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "the key cannot be used",
            Self::Name => "domain or selector is no name",
            Self::HeaderTooLong => "the header is too long to be signed",
            Self::TooManyFields => "the header has too many fields to be signed",
            Self::NoFrom => "a message without From is not signed",
        })
    }
}

impl std::error::Error for SignError {}

impl From<HeaderTooLong> for SignError {
    fn from(_: HeaderTooLong) -> Self {
        Self::HeaderTooLong
    }
}

impl SigningKey {
    /// Makes a new private key: RSA of 2,048 bits, or Ed25519. Gives it as PKCS #8 (DER). Randomness is the cryptographic library's.
    pub fn generate(kind: KeyKind) -> Result<Vec<u8>, SignError> {
        let failed = |_| SignError::Key;
        match kind {
            KeyKind::Rsa => {
                let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(failed)?;
                let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(failed)?;
                Ok(der.as_ref().to_vec())
            }
            KeyKind::Ed25519 => {
                let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(failed)?;
                Ok(document.as_ref().to_vec())
            }
        }
    }

    /// Reads a private key: PKCS #8 (DER) of either kind, or an RSAPrivateKey as OpenSSL used to write it. RSA keys below 1,024 bits are refused.
    pub fn from_der(domain: &str, selector: &str, der: &[u8]) -> Result<Self, SignError> {
        let domain = domain::normal(domain).ok_or(SignError::Name)?;
        let selector = domain::normal(selector).ok_or(SignError::Name)?;
        let rsa = || rsa::KeyPair::from_pkcs8(der).or_else(|_| rsa::KeyPair::from_der(der));
        let pair = match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            Ok(pair) => Pair::Ed25519(Box::new(pair)),
            Err(_) => Pair::Rsa(Box::new(rsa().map_err(|_| SignError::Key)?)),
        };
        if let Pair::Rsa(pair) = &pair
            && pair.public_modulus_len() * 8 < limits::RSA_BITS_MIN
        {
            return Err(SignError::Key);
        }
        Ok(Self { domain, selector, pair })
    }

    /// Reads a PEM file with one private key. Text around it is passed over.
    pub fn from_pem(domain: &str, selector: &str, pem: &str) -> Result<Self, SignError> {
        let (_, rest) = pem.split_once("-----BEGIN ").ok_or(SignError::Key)?;
        let (_, rest) = rest.split_once("-----").ok_or(SignError::Key)?;
        let (body, _) = rest.split_once("-----END ").ok_or(SignError::Key)?;
        let body: String = body.split_ascii_whitespace().collect();
        Self::from_der(domain, selector, &STANDARD.decode(body).map_err(|_| SignError::Key)?)
    }

    /// The domain it signs for.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Its selector.
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        match self.pair {
            Pair::Rsa(_) => KeyKind::Rsa,
            Pair::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// Where the public half belongs in DNS: `selector._domainkey.domain`.
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// The TXT record with the public half, in one string. DNS takes it in pieces of 255 octets; see [`Self::zone_line`].
    pub fn record_text(&self) -> Result<String, SignError> {
        let public = match &self.pair {
            Pair::Rsa(pair) => {
                let der =
                    AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).map_err(|_| SignError::Key)?;
                STANDARD.encode(der.as_ref())
            }
            Pair::Ed25519(pair) => STANDARD.encode(pair.public_key().as_ref()),
        };
        Ok(format!("v=DKIM1; k={}; p={public}", self.kind().name()))
    }

    /// The record as a line of a zone file, its text in quoted strings of at most 255 octets.
    pub fn zone_line(&self) -> Result<String, SignError> {
        let text = self.record_text()?;
        let mut line = format!("{}. IN TXT", self.record_name());
        for piece in text.as_bytes().chunks(255) {
            line.push_str(" \"");
            line.push_str(&String::from_utf8_lossy(piece));
            line.push('"');
        }
        Ok(line)
    }

    fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "rsa-sha256",
            Pair::Ed25519(_) => "ed25519-sha256",
        }
    }

    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature)
                    .map_err(|_| SignError::Key)?;
                Ok(signature)
            }
            // RFC 8463 §3: the hash is what is signed.
            Pair::Ed25519(pair) => {
                let hash = digest::digest(&digest::SHA256, input);
                Ok(pair.try_sign(hash.as_ref()).map_err(|_| SignError::Key)?.as_ref().to_vec())
            }
        }
    }
}

/// Nothing of the key is ever shown.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.kind().name(), self.record_name())
    }
}

/// How it is signed.
#[derive(Clone, Copy, Debug)]
pub struct SignOptions {
    /// The forms. Relaxed for both is what survives most.
    pub canonicalization: Canonicalization,
    /// Seconds until `x=`; none leaves it out. A week outlives every queue and ends replays.
    pub valid_s: Option<u64>,
}

impl Default for SignOptions {
    fn default() -> Self {
        Self { canonicalization: Canonicalization::RELAXED, valid_s: Some(7 * 86_400) }
    }
}

/// Signs one message with any number of keys while it passes. The octets must be those that will be sent.
pub struct Signer {
    keys: Vec<Arc<SigningKey>>,
    options: SignOptions,
    header: HeaderSplit,
    body: BodyHash,
}

impl Signer {
    /// For a message that is about to pass.
    pub fn new(keys: Vec<Arc<SigningKey>>, options: SignOptions) -> Self {
        let body = BodyHash::new(options.canonicalization.body, &digest::SHA256, None);
        Self { keys, options, header: HeaderSplit::default(), body }
    }

    /// Takes the next octets of the message, header first.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), SignError> {
        let body = self.header.push(octets)?;
        self.body.push(body);
        Ok(())
    }

    /// The header section so far: who decides by From which keys sign need not keep it a second time.
    pub fn header(&self) -> &[u8] {
        self.header.block()
    }

    /// Puts other keys in place of those it began with.
    pub fn set_keys(&mut self, keys: Vec<Arc<SigningKey>>) {
        self.keys = keys;
    }

    /// Ends the message. Gives one DKIM-Signature field for each key, CRLF included, to stand before the message; nothing without keys.
    pub fn finish(self, now: UnixMs) -> Result<Vec<u8>, SignError> {
        if self.keys.is_empty() {
            return Ok(Vec::new());
        }
        let block = self.header.into_block();
        let names = names_to_sign(&block)?;
        let (hash, _) = self.body.finish();
        let hash = STANDARD.encode(hash);
        let mut out = Vec::new();
        for key in &self.keys {
            let mut field = unsigned_field(key, &self.options, now, &names, &hash);
            let input = signed_input(self.options.canonicalization.header, &block, &names, field.as_bytes());
            let signature = STANDARD.encode(key.sign(&input)?);
            push_folded(&mut field, &signature);
            field.push_str("\r\n");
            out.extend_from_slice(field.as_bytes());
        }
        Ok(out)
    }
}

/// The field up to and with `b=`.
fn unsigned_field(
    key: &SigningKey,
    options: &SignOptions,
    now: UnixMs,
    names: &[String],
    body_hash: &str,
) -> String {
    let mut field = format!(
        "DKIM-Signature: v=1; a={}; c={};\r\n\td={}; s={};\r\n\tt={};",
        key.algorithm(),
        options.canonicalization,
        key.domain,
        key.selector,
        now.seconds()
    );
    if let Some(valid_s) = options.valid_s {
        field.push_str(&format!(" x={};", now.seconds().saturating_add(valid_s)));
    }
    field.push_str("\r\n\th=");
    let mut column = 10;
    for (number, name) in names.iter().enumerate() {
        if number > 0 {
            field.push(':');
            column += 1;
            if column + name.len() > 76 {
                field.push_str("\r\n\t ");
                column = 9;
            }
        }
        field.push_str(name);
        column += name.len();
    }
    field.push_str(&format!(";\r\n\tbh={body_hash};\r\n\tb="));
    field
}

/// Base64 in lines of at most 74 octets.
fn push_folded(field: &mut String, text: &str) {
    for (number, line) in text.as_bytes().chunks(64).enumerate() {
        if number > 0 {
            field.push_str("\r\n\t ");
        }
        field.push_str(&String::from_utf8_lossy(line));
    }
}

/// The names for `h=`: each as often as its field stands there, and once more.
fn names_to_sign(block: &[u8]) -> Result<Vec<String>, SignError> {
    let count = |name: &str| fields(block).filter(|field| field.is(name.as_bytes())).count();
    let mut names = Vec::new();
    let mut present = 0;
    for name in OVERSIGNED.iter().chain(OVERSIGNED_WHEN_PRESENT) {
        let there = count(name);
        if *name == "From" && there == 0 {
            return Err(SignError::NoFrom);
        }
        present += there;
        if present > limits::SIGNED_FIELDS {
            return Err(SignError::TooManyFields);
        }
        if there > 0 || OVERSIGNED.contains(name) {
            names.extend(std::iter::repeat_n((*name).to_owned(), there + 1));
        }
    }
    Ok(names)
}
