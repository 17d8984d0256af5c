//! Verifying: the signatures of a message that passes. RFC 6376 §6, RFC 8301 §3, RFC 8463.
//! Never keeps a body, never believes a signature about octets that it does not cover.

use aws_lc_rs::digest;
use yubin_base::{
    UnixMs,
    dns::{DnsError, Resolver},
};
use yubin_formats::mail::fields;

use super::{
    canon::{BodyHash, Form},
    fields::{signed_input, without_b},
    key::{KeyError, KeyRecord},
    signature::{Algorithm, Signature},
};
use crate::{Outcome, domain, limits};

/// What became of one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimResult {
    /// Pass, or why not. Never `none`: without signatures there are no results.
    pub outcome: Outcome,
    /// Why not, in words; also what a pass leaves open (a key in testing mode).
    pub reason: Option<&'static str>,
    /// `d=`, normalised; none when it cannot be read.
    pub domain: Option<String>,
    /// `s=`, normalised.
    pub selector: Option<String>,
    /// `i=`
    pub identity: Option<String>,
    /// `a=`
    pub algorithm: Option<Algorithm>,
    /// The first characters of `b=`: tells signatures of one domain apart (RFC 6008).
    pub b: String,
}

/// Sees a message's body pass and verifies its signatures in the end.
pub struct Verifier {
    found: Vec<Found>,
    hashes: Vec<Hashing>,
}

struct Found {
    /// The whole field as it stands.
    field: Vec<u8>,
    signature: Signature,
    /// Which of the hashes is its own.
    hash: usize,
    /// Results that were known without the body stand here.
    early: Option<(Outcome, &'static str)>,
}

/// One way of hashing the body; signatures often share it.
struct Hashing {
    form: Form,
    limit: Option<u64>,
    hash: BodyHash,
}

/// A hash that is complete.
struct Hashed {
    hash: Vec<u8>,
    octets: u64,
}

impl Verifier {
    /// For a message with this header section. Signatures of `author` (the domain in From) are verified first, the others in their order.
    pub fn new(block: &[u8], author: Option<&str>) -> (Self, Vec<DkimResult>) {
        let mut verifier = Self { found: Vec::new(), hashes: Vec::new() };
        let mut broken = Vec::new();
        let signatures = fields(block).filter(|field| field.is(b"DKIM-Signature"));
        for field in signatures.take(limits::DKIM_SIGNATURES) {
            match Signature::parse(field.value) {
                Ok(signature) => {
                    let whole = block.get(field.range.clone()).unwrap_or_default().to_vec();
                    verifier.add(whole, signature);
                }
                Err(error) => broken.push(DkimResult {
                    outcome: Outcome::PermError,
                    reason: Some(error.text),
                    domain: error.domain,
                    selector: error.selector,
                    identity: None,
                    algorithm: None,
                    b: String::new(),
                }),
            }
        }
        if let Some(author) = author {
            let related =
                |domain: &str| domain::is_within(domain, author) || domain::is_within(author, domain);
            verifier.found.sort_by_key(|found| !related(&found.signature.domain));
        }
        verifier.found.truncate(limits::DKIM_VERIFIED);
        (verifier, broken)
    }

    /// For one signature field of another kind (ARC-Message-Signature).
    pub(crate) fn of(field: Vec<u8>, signature: Signature) -> Self {
        let mut verifier = Self { found: Vec::new(), hashes: Vec::new() };
        verifier.add(field, signature);
        verifier
    }

    fn add(&mut self, field: Vec<u8>, signature: Signature) {
        // RFC 8301 §3.1: not verified at all.
        let early = (signature.algorithm == Algorithm::RsaSha1)
            .then_some((Outcome::Policy, "rsa-sha1 proves nothing any more"));
        let (form, limit) = (signature.canonicalization.body, signature.body_octets);
        let known = self.hashes.iter().position(|hashing| hashing.form == form && hashing.limit == limit);
        let hash = known.unwrap_or_else(|| {
            self.hashes.push(Hashing { form, limit, hash: BodyHash::new(form, &digest::SHA256, limit) });
            self.hashes.len() - 1
        });
        self.found.push(Found { field, signature, hash, early });
    }

    /// Takes the next octets of the body.
    pub fn push(&mut self, body: &[u8]) {
        for hashing in &mut self.hashes {
            hashing.hash.push(body);
        }
    }

    /// Ends the body: asks for the keys and verifies. `block` is the header section that the verifier was made with.
    pub async fn finish<R: Resolver>(self, block: &[u8], resolver: &R, now: UnixMs) -> Vec<DkimResult> {
        let mut hashes = Vec::new();
        for hashing in self.hashes {
            let (hash, octets) = hashing.hash.finish();
            hashes.push(Hashed { hash, octets });
        }
        let mut results = Vec::new();
        for found in &self.found {
            let Some(hashed) = hashes.get(found.hash) else { continue };
            let (outcome, reason) = judge(found, hashed, block, resolver, now).await;
            let signature = &found.signature;
            results.push(DkimResult {
                outcome,
                reason,
                domain: Some(signature.domain.clone()),
                selector: Some(signature.selector.clone()),
                identity: Some(signature.identity.clone()),
                algorithm: Some(signature.algorithm),
                b: signature.b.chars().take(8).collect(),
            });
        }
        results
    }
}

type Judged = (Outcome, Option<&'static str>);

async fn judge<R: Resolver>(
    found: &Found,
    hashed: &Hashed,
    block: &[u8],
    resolver: &R,
    now: UnixMs,
) -> Judged {
    let signature = &found.signature;
    if let Some((outcome, reason)) = found.early {
        return (outcome, Some(reason));
    }
    if let Some(reason) = out_of_time(signature, now) {
        return (Outcome::Fail, Some(reason));
    }
    if signature.body_octets.is_some_and(|octets| octets > hashed.octets) {
        return (Outcome::Fail, Some("l= says more than there is"));
    }
    if hashed.hash != signature.body_hash {
        return (Outcome::Fail, Some("body was changed"));
    }
    let name = format!("{}._domainkey.{}", signature.selector, signature.domain);
    let keys = match keys(resolver, &name).await {
        Ok(keys) => keys,
        Err(outcome) => return outcome,
    };
    let own = without_b(&found.field);
    let input = signed_input(signature.canonicalization.header, block, &signature.header_names, &own);
    let mut worst = (Outcome::PermError, Some("key record cannot be read"));
    for key in &keys {
        let judged = match key {
            Ok(key) => check(key, signature, &input),
            Err(error @ (KeyError::TooShort | KeyError::TooLong)) => (Outcome::Policy, Some(error.text())),
            Err(error) => (Outcome::PermError, Some(error.text())),
        };
        if judged.0 == Outcome::Pass {
            return partial(signature, hashed).unwrap_or(judged);
        }
        worst = judged;
    }
    worst
}

/// RFC 6376 §3.5 on `t=` and `x=`.
fn out_of_time(signature: &Signature, now: UnixMs) -> Option<&'static str> {
    let now = now.seconds();
    if signature.expires_at.is_some_and(|at| at < now) {
        return Some("signature expired");
    }
    let future = signature.signed_at.is_some_and(|at| at > now.saturating_add(limits::CLOCK_SKEW_S));
    future.then_some("signed in the future")
}

/// What stands behind `l=` octets is anybody's, so the signature says nothing about the message that is shown. RFC 6376 §8.2.
fn partial(signature: &Signature, hashed: &Hashed) -> Option<Judged> {
    let short = signature.body_octets.is_some_and(|octets| octets < hashed.octets);
    short.then_some((Outcome::Policy, Some("covers only a part of the body")))
}

fn check(key: &KeyRecord, signature: &Signature, input: &[u8]) -> Judged {
    if key.key.kind != signature.algorithm.key() {
        return (Outcome::PermError, Some("key is of another kind"));
    }
    if !key.sha256 {
        return (Outcome::PermError, Some("key does not allow SHA-256"));
    }
    // §3.6.1, t=s.
    let of = signature.identity.rsplit_once('@').map_or("", |(_, domain)| domain);
    if key.strict && of != signature.domain {
        return (Outcome::PermError, Some("key does not allow subdomains"));
    }
    match (key.key.verifies(input, &signature.signature), key.testing) {
        (true, false) => (Outcome::Pass, None),
        (true, true) => (Outcome::Pass, Some("domain tests DKIM")),
        (false, false) => (Outcome::Fail, Some("header was changed, or the key is another")),
        // §3.6.1, t=y: no worse than unsigned.
        (false, true) => (Outcome::Neutral, Some("does not verify; domain tests DKIM")),
    }
}

/// The key records of a name. More than one is a mistake of the domain; each is tried (§3.6.2.2).
pub(crate) async fn keys<R: Resolver>(
    resolver: &R,
    name: &str,
) -> Result<Vec<Result<KeyRecord, KeyError>>, Judged> {
    match resolver.txt(name).await {
        Ok(answer) => {
            let records = answer.records.iter().take(limits::KEY_RECORDS);
            Ok(records.map(|record| KeyRecord::parse(record)).collect())
        }
        Err(DnsError::Temporary) => Err((Outcome::TempError, Some("no answer about the key"))),
        Err(_) => Err((Outcome::PermError, Some("no key"))),
    }
}
