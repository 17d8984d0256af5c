//! The sets of a chain: one ARC-Authentication-Results, ARC-Message-Signature and ARC-Seal for each instance. RFC 8617 §4. Nothing is verified here.

use yubin_formats::mail::fields;

use crate::{
    dkim::{Algorithm, Signature},
    domain, limits,
    tags::Tags,
};

/// One instance, complete.
pub(super) struct Set<'a> {
    /// The fields as they stand.
    pub results: &'a [u8],
    pub message_signature: &'a [u8],
    pub seal: &'a [u8],
    /// The value of ARC-Authentication-Results behind `i=n;`.
    pub results_value: &'a [u8],
    pub signature: Signature,
    pub sealed: Seal,
}

/// What an ARC-Seal says. §4.1.3.
pub(super) struct Seal {
    pub algorithm: Algorithm,
    pub signature: Vec<u8>,
    pub domain: String,
    pub selector: String,
    pub chain: Chain,
}

/// `cv=`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    None,
    Fail,
    Pass,
}

#[derive(Default)]
struct Parts<'a> {
    results: Option<(&'a [u8], &'a [u8])>,
    signature: Option<(&'a [u8], &'a [u8])>,
    seal: Option<(&'a [u8], &'a [u8])>,
}

/// Reads the chain, the first instance first. Empty when there is none.
pub(super) fn sets(block: &[u8]) -> Result<Vec<Set<'_>>, &'static str> {
    let mut parts: Vec<Parts<'_>> = Vec::new();
    for field in fields(block) {
        let which = if field.is(b"ARC-Authentication-Results") {
            0
        } else if field.is(b"ARC-Message-Signature") {
            1
        } else if field.is(b"ARC-Seal") {
            2
        } else {
            continue;
        };
        let number = if which == 0 { first_instance(field.value) } else { instance(field.value) };
        let number = number.ok_or("a field without instance")?;
        if number > limits::ARC_SETS {
            return Err("too many sets");
        }
        if parts.len() < number {
            parts.resize_with(number, Parts::default);
        }
        let whole = block.get(field.range.clone()).unwrap_or_default();
        let Some(part) = parts.get_mut(number - 1) else { continue };
        let place = match which {
            0 => &mut part.results,
            1 => &mut part.signature,
            _ => &mut part.seal,
        };
        if place.replace((whole, field.value)).is_some() {
            return Err("a field that stands twice");
        }
    }
    parts.into_iter().enumerate().map(|(at, part)| set(at, part)).collect()
}

fn set(at: usize, part: Parts<'_>) -> Result<Set<'_>, &'static str> {
    let (Some(results), Some(signature), Some(seal)) = (part.results, part.signature, part.seal) else {
        return Err("a set that is not complete");
    };
    let tags = read(signature.1).ok_or("ARC-Message-Signature cannot be read")?;
    let parsed = Signature::parse_arc(&tags)?;
    // §4.1.2: the seal is signed by seals only.
    if parsed.header_names.iter().any(|name| name.eq_ignore_ascii_case("arc-seal")) {
        return Err("ARC-Message-Signature covers a seal");
    }
    let sealed = seal_of(seal.1)?;
    // §5.1.1: the first says none, the others what they found; a chain that failed once stays failed.
    match (at, sealed.chain) {
        (0, Chain::None) | (1.., Chain::Pass) => {}
        (_, Chain::Fail) => return Err("sealed as failed"),
        _ => return Err("cv= is out of place"),
    }
    let colon = memchr::memchr(b';', results.1).map_or(results.1.len(), |at| at + 1);
    Ok(Set {
        results: results.0,
        message_signature: signature.0,
        seal: seal.0,
        results_value: results.1.get(colon..).unwrap_or_default(),
        signature: parsed,
        sealed,
    })
}

fn seal_of(value: &[u8]) -> Result<Seal, &'static str> {
    let tags = read(value).ok_or("ARC-Seal cannot be read")?;
    // §4.1.3: it covers what it must and says so nowhere.
    if tags.get("h").is_some() || tags.get("bh").is_some() {
        return Err("ARC-Seal with h= or bh=");
    }
    let algorithm = tags.get("a").and_then(Algorithm::parse).ok_or("unknown algorithm")?;
    let signature =
        tags.compact("b").and_then(|b| crate::dkim::base64_decode(&b)).ok_or("b= cannot be read")?;
    let domain = tags.get("d").and_then(domain::normal).ok_or("d= is no domain")?;
    let selector = tags.get("s").and_then(domain::normal).ok_or("s= is no selector")?;
    let chain = match tags.get("cv") {
        Some(cv) if cv.eq_ignore_ascii_case("none") => Chain::None,
        Some(cv) if cv.eq_ignore_ascii_case("fail") => Chain::Fail,
        Some(cv) if cv.eq_ignore_ascii_case("pass") => Chain::Pass,
        _ => return Err("no cv="),
    };
    Ok(Seal { algorithm, signature, domain, selector, chain })
}

fn read(value: &[u8]) -> Option<Tags<'_>> {
    Tags::parse(std::str::from_utf8(value).ok()?)
}

fn instance(value: &[u8]) -> Option<usize> {
    number(read(value)?.get("i")?)
}

/// `i=1;` before an Authentication-Results value.
fn first_instance(value: &[u8]) -> Option<usize> {
    let end = memchr::memchr(b';', value)?;
    let text = std::str::from_utf8(value.get(..end)?).ok()?;
    let (name, value) = text.split_once('=')?;
    (name.trim() == "i").then(|| number(value.trim()))?
}

fn number(text: &str) -> Option<usize> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number > 0)
}
