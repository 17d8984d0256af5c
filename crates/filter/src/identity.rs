//! Who really sent a message: every check at once, over a message that passes. Says what was found and what the author's domain asks for;
//! what happens to the message is the receiver's decision.

use std::net::IpAddr;

use yubin_base::{UnixMs, dns::Resolver};

use crate::{
    HeaderSplit, HeaderTooLong, Outcome,
    arc::{ArcResult, ArcVerifier},
    author::{Author, AuthorError, author},
    dkim::{DkimResult, Verifier},
    dmarc::{self, DmarcResult, Identifiers, Policy},
    domain,
    iprev::{IprevResult, iprev},
    results,
    spf::{SpfIdentity, SpfQuery, SpfResult, check_host},
};

/// How the message came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The peer's address.
    pub address: IpAddr,
    /// What it called itself.
    pub helo: &'a str,
    /// Local part and domain of MAIL FROM; none is the null reverse-path.
    pub sender: Option<(&'a str, &'a str)>,
    /// Our own name: the authserv-id.
    pub receiver: &'a str,
    /// Now.
    pub now: UnixMs,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The author that people are shown.
    pub author: Result<Author, AuthorError>,
    /// The peer's name.
    pub iprev: IprevResult,
    /// SPF of MAIL FROM; of the HELO name for the null reverse-path.
    pub spf: SpfResult,
    /// SPF of the HELO name, when `spf` is not that already and it says anything.
    pub helo_spf: Option<SpfResult>,
    /// Every signature that was looked at.
    pub dkim: Vec<DkimResult>,
    /// The chain.
    pub arc: ArcResult,
    /// DMARC; nothing without an author.
    pub dmarc: Option<DmarcResult>,
}

impl Identity {
    /// What the author's domain asks for: nothing when DMARC passes, when there is no record, or when DNS could not say.
    pub fn requested(&self) -> Policy {
        self.dmarc.as_ref().map_or(Policy::None, |result| result.policy)
    }

    /// Whether servers that the operator trusts saw this author's domain pass DMARC before they changed the message. RFC 8617 §7.2.
    pub fn is_vouched_for(&self, trusted: &[String]) -> bool {
        let Ok(author) = &self.author else { return false };
        self.arc.is_trusted(trusted) && self.arc.saw_dmarc_pass(&author.domain)
    }

    /// Whether the envelope's sender, or the author by DMARC, is proved: whom a bounce may be sent to.
    pub fn sender_is_proved(&self) -> bool {
        self.spf.outcome == Outcome::Pass
            || self.dmarc.as_ref().is_some_and(|result| result.outcome == Outcome::Pass)
    }

    /// The Authentication-Results field, CRLF included.
    pub fn authentication_results(&self, authserv_id: &str) -> Vec<u8> {
        results::write(self, authserv_id)
    }
}

/// Sees a message pass and judges in the end.
#[derive(Default)]
pub struct IdentityCheck {
    header: HeaderSplit,
    begun: Option<Begun>,
}

/// What goes on once the header section is complete.
struct Begun {
    author: Result<Author, AuthorError>,
    dkim: Verifier,
    broken: Vec<DkimResult>,
    arc: ArcVerifier,
}

impl Begun {
    fn of(block: &[u8]) -> Self {
        let author = author(block);
        let (dkim, broken) = Verifier::new(block, author.as_ref().ok().map(|author| author.domain.as_str()));
        Self { author, dkim, broken, arc: ArcVerifier::new(block) }
    }
}

impl IdentityCheck {
    /// Takes the next octets of the message as it came, before anything is added. Gives back those of the body.
    pub fn push<'a>(&mut self, octets: &'a [u8]) -> Result<&'a [u8], HeaderTooLong> {
        let body = self.header.push(octets)?;
        if self.header.ended() {
            let begun = self.begun.get_or_insert_with(|| Begun::of(self.header.block()));
            begun.dkim.push(body);
            begun.arc.push(body);
        }
        Ok(body)
    }

    /// The header section so far.
    pub fn header(&self) -> &HeaderSplit {
        &self.header
    }

    /// Ends the message: asks DNS and judges.
    pub async fn finish<R: Resolver>(self, resolver: &R, arrival: Arrival<'_>) -> Identity {
        let Self { header, begun } = self;
        let block = header.block();
        let Begun { author, dkim, broken, arc } = begun.unwrap_or_else(|| Begun::of(block));
        let query = SpfQuery {
            address: arrival.address,
            helo: arrival.helo,
            sender: arrival.sender,
            receiver: arrival.receiver,
            now: arrival.now,
        };
        let spf = check_host(resolver, query).await;
        let helo_spf = match spf.identity {
            SpfIdentity::Helo => None,
            SpfIdentity::MailFrom => {
                let found = check_host(resolver, SpfQuery { sender: None, ..query }).await;
                (found.outcome != Outcome::None).then_some(found)
            }
        };
        let mut dkim = dkim.finish(block, resolver, arrival.now).await;
        dkim.extend(broken);
        let arc = arc.finish(block, resolver, arrival.now).await;
        let iprev = iprev(resolver, arrival.address).await;
        let dmarc = match &author {
            Ok(author) => Some(dmarc::evaluate(resolver, &author.domain, &proved(&spf, &dkim)).await),
            Err(_) => None,
        };
        Identity { author, iprev, spf, helo_spf, dkim, arc, dmarc }
    }
}

/// RFC 9989 §4.4: MAIL FROM's domain, or HELO's for the null sender.
fn proved(spf: &SpfResult, dkim: &[DkimResult]) -> Identifiers {
    let passes = dkim.iter().filter(|result| result.outcome == Outcome::Pass);
    let mut domains: Vec<String> = passes.filter_map(|result| result.domain.clone()).collect();
    domains.dedup();
    let silent = |outcome| outcome == Outcome::TempError;
    let signed =
        dkim.iter().filter(|result| silent(result.outcome)).filter_map(|result| result.domain.clone());
    let mut undecided: Vec<String> = signed.collect();
    undecided.extend(silent(spf.outcome).then(|| domain::normal(&spf.domain)).flatten());
    undecided.dedup();
    Identifiers {
        dkim: domains,
        spf: (spf.outcome == Outcome::Pass).then(|| domain::normal(&spf.domain)).flatten(),
        undecided,
    }
}
