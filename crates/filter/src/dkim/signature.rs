//! The DKIM-Signature field as a value: read, checked, nothing verified. RFC 6376 §3.5, §6.1.1.

use super::{
    canon::Canonicalization,
    key::{KeyKind, base64_decode},
};
use crate::{
    domain, limits,
    tags::{Tags, is_fws},
};

/// The `a=` tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `rsa-sha256`
    RsaSha256,
    /// `ed25519-sha256`
    Ed25519Sha256,
    /// `rsa-sha1`: known, so that it can be named when it is not accepted (RFC 8301 §3.1).
    RsaSha1,
}

impl Algorithm {
    /// As `a=` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
            Self::RsaSha1 => "rsa-sha1",
        }
    }

    /// The kind of key it needs.
    pub fn key(self) -> KeyKind {
        match self {
            Self::RsaSha256 | Self::RsaSha1 => KeyKind::Rsa,
            Self::Ed25519Sha256 => KeyKind::Ed25519,
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut all = [Self::RsaSha256, Self::Ed25519Sha256, Self::RsaSha1].into_iter();
        all.find(|known| text.eq_ignore_ascii_case(known.name()))
    }
}

/// One signature as it stands in a message. Every field is what the signer says, and nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `a=`
    pub algorithm: Algorithm,
    /// `b=`, decoded.
    pub signature: Vec<u8>,
    /// `b=` as written, without white space: names the signature in reports (RFC 6008).
    pub b: String,
    /// `bh=`, decoded.
    pub body_hash: Vec<u8>,
    /// `c=`
    pub canonicalization: Canonicalization,
    /// `d=`, normalised.
    pub domain: String,
    /// `h=`, in order.
    pub header_names: Vec<String>,
    /// `i=`; the domain's own `@domain` when there is none.
    pub identity: String,
    /// `l=`
    pub body_octets: Option<u64>,
    /// `s=`, normalised.
    pub selector: String,
    /// `t=`, seconds.
    pub signed_at: Option<u64>,
    /// `x=`, seconds.
    pub expires_at: Option<u64>,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureError {
    /// In words.
    pub text: &'static str,
    /// `d=`, when it can be read.
    pub domain: Option<String>,
    /// `s=`, when it can be read.
    pub selector: Option<String>,
}

impl Signature {
    /// Reads the value of a DKIM-Signature field.
    pub fn parse(value: &[u8]) -> Result<Self, SignatureError> {
        let fail = |text| SignatureError { text, domain: None, selector: None };
        let text = std::str::from_utf8(value).map_err(|_| fail("not UTF-8"))?;
        let tags = Tags::parse(text).ok_or_else(|| fail("not a list of tags"))?;
        let domain = tags.get("d").and_then(domain::normal);
        let selector = tags.get("s").and_then(domain::normal);
        read(&tags, true).map_err(|text| SignatureError { text, domain, selector })
    }

    /// Reads the value of an ARC-Message-Signature field, where `i=` is a number (RFC 8617 §4.1.2). There is no `v=`.
    pub(crate) fn parse_arc(tags: &Tags<'_>) -> Result<Self, &'static str> {
        read(tags, false)
    }

    /// Whether the signature covers the author.
    pub fn covers_from(&self) -> bool {
        self.header_names.iter().any(|name| name.eq_ignore_ascii_case("from"))
    }
}

fn read(tags: &Tags<'_>, dkim: bool) -> Result<Signature, &'static str> {
    if dkim && tags.get("v") != Some("1") {
        return Err("unknown version");
    }
    let algorithm = tags.get("a").ok_or("no a=")?;
    let algorithm = Algorithm::parse(algorithm).ok_or("unknown algorithm")?;
    let b = tags.compact("b").ok_or("no b=")?;
    let signature = base64_decode(&b).filter(|octets| !octets.is_empty()).ok_or("b= cannot be read")?;
    let body_hash = tags.compact("bh").ok_or("no bh=")?;
    let body_hash = base64_decode(&body_hash).ok_or("bh= cannot be read")?;
    let hash_octets = if algorithm == Algorithm::RsaSha1 { 20 } else { 32 };
    if body_hash.len() != hash_octets {
        return Err("bh= has the wrong length");
    }
    let domain = tags.get("d").ok_or("no d=")?;
    let domain = domain::normal(domain).ok_or("d= is no domain")?;
    let selector = tags.get("s").ok_or("no s=")?;
    let selector = domain::normal(selector).ok_or("s= is no selector")?;
    let canonicalization = tags.compact("c").unwrap_or_else(|| "simple/simple".to_owned());
    let canonicalization = Canonicalization::parse(&canonicalization).ok_or("unknown canonicalization")?;
    let header_names = header_names(tags.get("h").ok_or("no h=")?)?;
    if tags.compact("q").is_some_and(|q| !q.split(':').any(|method| method.eq_ignore_ascii_case("dns/txt"))) {
        return Err("unknown query method");
    }
    let identity = if dkim { identity(tags.get("i"), &domain)? } else { format!("@{domain}") };
    let number = |name, error| tags.get(name).map(|text| decimal(text).ok_or(error)).transpose();
    let signature = Signature {
        algorithm,
        signature,
        b,
        body_hash,
        canonicalization,
        domain,
        header_names,
        identity,
        body_octets: number("l", "l= is no number")?,
        selector,
        signed_at: number("t", "t= is no time")?,
        expires_at: number("x", "x= is no time")?,
    };
    if dkim && !signature.covers_from() {
        return Err("From is not signed");
    }
    if signature.expires_at.zip(signature.signed_at).is_some_and(|(expires, signed)| expires < signed) {
        return Err("expires before it was signed");
    }
    Ok(signature)
}

fn header_names(text: &str) -> Result<Vec<String>, &'static str> {
    let names: Vec<String> = text
        .split(':')
        .take(limits::DKIM_HEADER_NAMES + 1)
        .map(|name| name.trim_matches(is_fws).to_owned())
        .collect();
    if names.len() > limits::DKIM_HEADER_NAMES {
        return Err("too many names in h=");
    }
    let sane = |name: &String| !name.is_empty() && name.bytes().all(|c| (33..=126).contains(&c) && c != b';');
    if names.iter().all(sane) { Ok(names) } else { Err("h= cannot be read") }
}

/// `[ Local-part ] "@" domain-name`, the domain being that of `d=` or below it. §3.5.
fn identity(text: Option<&str>, domain: &str) -> Result<String, &'static str> {
    let Some(text) = text else { return Ok(format!("@{domain}")) };
    let (local, of) = text.rsplit_once('@').ok_or("i= is no identity")?;
    let of = domain::normal(of).ok_or("i= is no identity")?;
    if !domain::is_within(&of, domain) {
        return Err("i= is not within d=");
    }
    Ok(format!("{local}@{of}"))
}

/// 1*DIGIT, at most 12 of them for times and 76 for `l=` by the grammar; what does not fit is a very late time or a very long body.
fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 76 && text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn error(change: (&str, &str)) -> String {
        let text = format!(
            "v=1; a=rsa-sha256; c=relaxed; d=example.test; s=sel; h=From : To; i=x@mail.example.test; bh={HASH}; b=AA AA"
        );
        assert!(text.contains(change.0), "{change:?}");
        match Signature::parse(text.replace(change.0, change.1).as_bytes()) {
            Ok(signature) => format!("{signature:?}"),
            Err(error) => error.text.to_owned(),
        }
    }

    #[test]
    fn a_signature_is_read() {
        let text = format!(
            "v=1; a=ed25519-sha256; d=Example.TEST; s=Sel; h=from: to:\r\n\tfrom; bh={HASH}; t=1; x=9; l=5; b=A\r\n AAA"
        );
        let signature = Signature::parse(text.as_bytes()).unwrap();
        assert_eq!(signature.domain, "example.test");
        assert_eq!(signature.selector, "sel");
        assert_eq!(signature.identity, "@example.test");
        assert_eq!(signature.header_names, ["from", "to", "from"]);
        assert_eq!(signature.b, "AAAA");
        assert_eq!(
            (signature.signed_at, signature.expires_at, signature.body_octets),
            (Some(1), Some(9), Some(5))
        );
        assert_eq!(signature.canonicalization.to_string(), "simple/simple");
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (change, expected) in [
            (("v=1", "v=2"), "unknown version"),
            (("v=1; ", ""), "unknown version"),
            (("rsa-sha256", "rsa-md5"), "unknown algorithm"),
            (("rsa-sha256", "rsa-sha1"), "bh= has the wrong length"),
            (("d=example.test", "d=example\0.test"), "not a list of tags"),
            (("d=example.test", "d=a..b"), "d= is no domain"),
            (("d=example.test;", ""), "no d="),
            (("h=From", "h=Subject"), "From is not signed"),
            (("i=x@mail.example.test", "i=x@notexample.test"), "i= is not within d="),
            (("b=AA AA", "b="), "b= cannot be read"),
            (("c=relaxed", "c=relaxed/simple/x"), "unknown canonicalization"),
            (("c=relaxed", "q=dns/tlsa"), "unknown query method"),
            (("c=relaxed", "t=9; x=8"), "expires before it was signed"),
            (("c=relaxed", "l=-1"), "l= is no number"),
            (("c=relaxed", "d=example.test"), "not a list of tags"),
        ] {
            assert_eq!(error(change), expected, "{change:?}");
        }
    }
}
