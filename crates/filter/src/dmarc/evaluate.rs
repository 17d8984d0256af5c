//! Whether a message is the author's domain's own, and what that domain asks for when it is not. RFC 9989 §4.4 (alignment), §5.3.

use yubin_base::dns::{DnsError, Resolver};

use super::{
    discover::Walk,
    record::{DmarcRecord, Policy},
};
use crate::{Outcome, domain};

/// The domains that proved themselves. Normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identifiers {
    /// `d=` of DKIM signatures that pass.
    pub dkim: Vec<String>,
    /// The domain of an SPF pass (MAIL FROM; HELO for the null sender).
    pub spf: Option<String>,
    /// Domains that may have proved themselves, had DNS answered.
    pub undecided: Vec<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcResult {
    /// pass, fail, none (no record), temperror.
    pub outcome: Outcome,
    /// The author's domain.
    pub author: String,
    /// What is asked for when it does not pass, test mode taken into account. None without a record.
    pub policy: Policy,
    /// What the record says without test mode, for `dmarc=fail (p=…)`.
    pub published: Option<Policy>,
    /// Where the record stands.
    pub record_domain: Option<String>,
    /// The organisation's domain.
    pub organisation: String,
    /// Whether a DKIM signature is aligned.
    pub dkim_aligned: bool,
    /// Whether SPF is aligned.
    pub spf_aligned: bool,
}

/// Judges the message of this author.
pub async fn evaluate<R: Resolver>(resolver: &R, author: &str, proved: &Identifiers) -> DmarcResult {
    let mut result = DmarcResult {
        outcome: Outcome::TempError,
        author: author.to_owned(),
        policy: Policy::None,
        published: None,
        record_domain: None,
        organisation: author.to_owned(),
        dkim_aligned: false,
        spf_aligned: false,
    };
    let Ok(walk) = Walk::from(resolver, author).await else { return result };
    walk.organisation().clone_into(&mut result.organisation);
    let Some((at, record)) = walk.policy() else {
        result.outcome = Outcome::None;
        return result;
    };
    result.record_domain = Some(at.clone());
    let mut unsure = false;
    for name in &proved.dkim {
        match aligned(resolver, name, &result, record.strict_dkim).await {
            Some(yes) => result.dkim_aligned |= yes,
            None => unsure = true,
        }
    }
    if let Some(name) = &proved.spf {
        match aligned(resolver, name, &result, record.strict_spf).await {
            Some(yes) => result.spf_aligned = yes,
            None => unsure = true,
        }
    }
    // Only the silence of the author's own organisation excuses: an attacker's DNS is silent at will.
    for name in &proved.undecided {
        unsure |= aligned(resolver, name, &result, false).await != Some(false);
    }
    let published = requested(resolver, author, at, record).await;
    result.published = Some(published);
    result.outcome = match (result.dkim_aligned || result.spf_aligned, unsure) {
        (true, _) => Outcome::Pass,
        (false, true) => Outcome::TempError,
        (false, false) => Outcome::Fail,
    };
    if result.outcome == Outcome::Fail {
        result.policy = if record.testing { published.milder() } else { published };
    }
    result
}

/// Whether a proved domain is the author's (§4.4.3): the same, or (relaxed) of the same organisation. Nothing when DNS cannot say.
async fn aligned<R: Resolver>(resolver: &R, name: &str, result: &DmarcResult, strict: bool) -> Option<bool> {
    if name == result.author {
        return Some(true);
    }
    // An organisation's domain is above all its own, so what is not below it cannot be of it.
    if strict || !domain::is_within(name, &result.organisation) {
        return Some(false);
    }
    let walk = Walk::from(resolver, name).await.ok()?;
    Some(walk.organisation() == result.organisation)
}

/// `p`, `sp` or `np`. §4.7, §4.10.1.
async fn requested<R: Resolver>(resolver: &R, author: &str, at: &str, record: &DmarcRecord) -> Policy {
    if author == at {
        return record.policy;
    }
    let subdomain = record.subdomain_policy.unwrap_or(record.policy);
    match record.nonexistent_policy {
        // RFC 8020: NXDOMAIN means that nothing is there or below.
        Some(policy) if matches!(resolver.a(author).await, Err(DnsError::NxDomain { .. })) => policy,
        _ => subdomain,
    }
}
