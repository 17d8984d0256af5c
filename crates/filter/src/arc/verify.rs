//! Verifying a chain: the newest message signature over the message, every seal over what came before it. RFC 8617 §5.2.

use yubin_base::{UnixMs, dns::Resolver};

use super::chain::{Set, sets};
use crate::{
    Outcome,
    dkim::{Algorithm, Form, Verifier, header_field, keys, without_b},
};

/// What came of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArcResult {
    /// none, pass, fail; temperror when a key could not be asked for.
    pub outcome: Outcome,
    /// Why not.
    pub reason: Option<&'static str>,
    /// Who sealed, the first first. Only of a chain that passes.
    pub sealers: Vec<String>,
    /// What the first sealer found, as it wrote it: the value of its ARC-Authentication-Results behind the instance.
    pub first_results: Vec<u8>,
}

impl ArcResult {
    fn of(outcome: Outcome, reason: Option<&'static str>) -> Self {
        Self { outcome, reason, sealers: Vec::new(), first_results: Vec::new() }
    }

    /// Whether the chain holds and every hand it went through is one of `trusted`. A single stranger could have changed everything.
    pub fn is_trusted(&self, trusted: &[String]) -> bool {
        let known = |sealer: &String| trusted.iter().any(|name| name.eq_ignore_ascii_case(sealer));
        self.outcome == Outcome::Pass && !self.sealers.is_empty() && self.sealers.iter().all(known)
    }

    /// Whether the first sealer saw DMARC pass for this author's domain.
    pub fn saw_dmarc_pass(&self, author: &str) -> bool {
        let text = String::from_utf8_lossy(&self.first_results);
        text.split(';').any(|result| {
            let words: Vec<&str> = result.split_ascii_whitespace().collect();
            let from = words.iter().find_map(|word| word.strip_prefix("header.from="));
            words.first().is_some_and(|word| word.eq_ignore_ascii_case("dmarc=pass"))
                && from.is_some_and(|from| {
                    let domain = from.trim_matches('"').rsplit('@').next().unwrap_or_default();
                    domain.eq_ignore_ascii_case(author)
                })
        })
    }
}

/// Sees a body pass and verifies the chain in the end.
pub struct ArcVerifier {
    /// What was known of the header alone.
    early: Option<ArcResult>,
    body: Option<Verifier>,
}

impl ArcVerifier {
    /// For a message with this header section.
    pub fn new(block: &[u8]) -> Self {
        match sets(block) {
            Err(reason) => Self { early: Some(ArcResult::of(Outcome::Fail, Some(reason))), body: None },
            Ok(sets) => match sets.last() {
                None => Self { early: Some(ArcResult::of(Outcome::None, None)), body: None },
                Some(newest) => {
                    let field = newest.message_signature.to_vec();
                    Self { early: None, body: Some(Verifier::of(field, newest.signature.clone())) }
                }
            },
        }
    }

    /// Takes the next octets of the body.
    pub fn push(&mut self, body: &[u8]) {
        if let Some(verifier) = &mut self.body {
            verifier.push(body);
        }
    }

    /// Ends the body and verifies. `block` is the header section that the verifier was made with.
    pub async fn finish<R: Resolver>(self, block: &[u8], resolver: &R, now: UnixMs) -> ArcResult {
        let (Some(verifier), Ok(sets)) = (self.body, sets(block)) else {
            return self.early.unwrap_or_else(|| ArcResult::of(Outcome::None, None));
        };
        let of_message = verifier.finish(block, resolver, now).await;
        match of_message.first().map(|result| (result.outcome, result.reason)) {
            Some((Outcome::Pass, _)) => {}
            Some((Outcome::TempError, reason)) => return ArcResult::of(Outcome::TempError, reason),
            Some((_, reason)) => return ArcResult::of(Outcome::Fail, reason),
            None => return ArcResult::of(Outcome::Fail, Some("no message signature")),
        }
        // §5.2, step 5: from the newest seal down.
        for number in (1..=sets.len()).rev() {
            let chain = sets.get(..number).unwrap_or_default();
            if let Err(result) = verify_seal(chain, resolver).await {
                return result;
            }
        }
        ArcResult {
            outcome: Outcome::Pass,
            reason: None,
            sealers: sets.iter().map(|set| set.sealed.domain.clone()).collect(),
            first_results: sets.first().map(|set| set.results_value.to_vec()).unwrap_or_default(),
        }
    }
}

/// The last seal of `chain` over all sets up to its own, its own `b=` left out. §5.1.1.
async fn verify_seal<R: Resolver>(chain: &[Set<'_>], resolver: &R) -> Result<(), ArcResult> {
    let Some((newest, before)) = chain.split_last() else { return Ok(()) };
    let seal = &newest.sealed;
    let mut input = Vec::new();
    for set in before {
        for field in [set.results, set.message_signature, set.seal] {
            header_field(Form::Relaxed, field, &mut input);
        }
    }
    header_field(Form::Relaxed, newest.results, &mut input);
    header_field(Form::Relaxed, newest.message_signature, &mut input);
    header_field(Form::Relaxed, &without_b(newest.seal), &mut input);
    input.truncate(input.len() - 2);
    if seal.algorithm == Algorithm::RsaSha1 {
        return Err(ArcResult::of(Outcome::Fail, Some("rsa-sha1 proves nothing any more")));
    }
    let name = format!("{}._domainkey.{}", seal.selector, seal.domain);
    let found = match keys(resolver, &name).await {
        Ok(found) => found,
        Err((Outcome::TempError, reason)) => return Err(ArcResult::of(Outcome::TempError, reason)),
        Err((_, reason)) => return Err(ArcResult::of(Outcome::Fail, reason)),
    };
    let verifies = found.iter().flatten().any(|record| {
        record.sha256
            && record.key.kind == seal.algorithm.key()
            && record.key.verifies(&input, &seal.signature)
    });
    if verifies { Ok(()) } else { Err(ArcResult::of(Outcome::Fail, Some("a seal does not verify"))) }
}
