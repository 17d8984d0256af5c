//! Evaluation: `check_host()` of RFC 7208 §4, with the limits of §4.6.4. One question after the other, each through the port.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    pin::Pin,
};

use yubin_base::{
    UnixMs,
    dns::{DnsError, Lookup, Resolver, reverse_name},
};

use super::{
    macros::{MacroString, Values},
    record::{DualCidr, Mechanism, Record, is_spf},
};
use crate::{Outcome, domain, limits};

/// Whose domain was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpfIdentity {
    /// The HELO or EHLO name. §2.3.
    Helo,
    /// MAIL FROM; `postmaster@` the HELO name when it was empty. §2.4.
    MailFrom,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct SpfQuery<'a> {
    /// The peer's address.
    pub address: IpAddr,
    /// What it called itself.
    pub helo: &'a str,
    /// Local part and domain of MAIL FROM; none checks the HELO name.
    pub sender: Option<(&'a str, &'a str)>,
    /// Our own name, for explanations.
    pub receiver: &'a str,
    /// Now, for explanations.
    pub now: UnixMs,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfResult {
    /// One of none, neutral, pass, fail, softfail, temperror, permerror.
    pub outcome: Outcome,
    /// Which identity.
    pub identity: SpfIdentity,
    /// The domain that was checked, as given.
    pub domain: String,
    /// What the domain says about its fail (§6.2): printable ASCII, the domain's words, not ours.
    pub explanation: Option<String>,
    /// What went wrong, for errors.
    pub reason: Option<&'static str>,
}

/// Why an evaluation ends early.
struct Stop(Outcome, &'static str);

const PERM: fn(&'static str) -> Stop = |reason| Stop(Outcome::PermError, reason);
const TEMP: Stop = Stop(Outcome::TempError, "no answer from DNS");

/// Checks one identity.
pub async fn check_host<R: Resolver>(resolver: &R, query: SpfQuery<'_>) -> SpfResult {
    let (identity, local, of) = match query.sender {
        Some((local, of)) => (SpfIdentity::MailFrom, local, of),
        None => (SpfIdentity::Helo, "postmaster", query.helo),
    };
    let local = if local.is_empty() { "postmaster" } else { local };
    let mut result = SpfResult {
        outcome: Outcome::None,
        identity,
        domain: of.to_owned(),
        explanation: None,
        reason: None,
    };
    // §4.3: malformed, or no fully qualified name.
    let Some(name) = domain::normal(of).filter(|name| name.contains('.')) else { return result };
    let mut check = Check::new(resolver, &query, local, of);
    match check.record(&name, 0).await {
        Ok(Found { outcome, explanation }) => {
            result.outcome = outcome;
            if let Some((spec, domain)) = explanation {
                result.explanation = check.explanation(&spec, &domain).await;
            }
        }
        Err(Stop(outcome, reason)) => {
            result.outcome = outcome;
            result.reason = Some(reason);
        }
    }
    result
}

struct Found {
    outcome: Outcome,
    /// `exp=` of the record that said fail, and that record's domain.
    explanation: Option<(MacroString, String)>,
}

impl Found {
    fn only(outcome: Outcome) -> Self {
        Self { outcome, explanation: None }
    }
}

struct Check<'a, R> {
    resolver: &'a R,
    address: IpAddr,
    values: Values,
    /// Terms that ask DNS, so far.
    terms: u32,
    /// Answers with nothing in them, so far.
    voids: u32,
    /// The names of the address that lead back to it, once asked for.
    validated: Option<Vec<String>>,
    /// The address has no name at all.
    nameless: bool,
}

impl<'a, R: Resolver> Check<'a, R> {
    fn new(resolver: &'a R, query: &SpfQuery<'_>, local: &str, of: &str) -> Self {
        let address = query.address.to_canonical();
        let (dotted, family) = match address {
            IpAddr::V4(v4) => (v4.to_string(), "in-addr"),
            IpAddr::V6(v6) => (nibbles(v6), "ip6"),
        };
        let values = Values {
            sender: format!("{local}@{of}"),
            local: local.to_owned(),
            sender_domain: of.to_owned(),
            address: dotted,
            family,
            helo: query.helo.to_owned(),
            readable: address.to_string(),
            receiver: if query.receiver.is_empty() { "unknown".into() } else { query.receiver.to_owned() },
            timestamp: query.now.seconds().to_string(),
            ..Values::default()
        };
        Self { resolver, address, values, terms: 0, voids: 0, validated: None, nameless: false }
    }

    /// The record of a domain, evaluated. Boxed: include and redirect come back here.
    fn record<'s>(
        &'s mut self,
        domain: &'s str,
        depth: u32,
    ) -> Pin<Box<dyn Future<Output = Result<Found, Stop>> + Send + 's>> {
        Box::pin(async move {
            // The ten terms bound this as well; said once more, so that nobody has to count.
            if depth > limits::SPF_TERMS {
                return Err(PERM("too many terms that ask DNS"));
            }
            let Some(text) = self.find_record(domain).await? else { return Ok(Found::only(Outcome::None)) };
            let record = Record::parse(&text).map_err(|_| PERM("record cannot be read"))?;
            for directive in &record.directives {
                if self.matches(&directive.mechanism, domain, depth).await? {
                    let failed = directive.qualifier == Outcome::Fail;
                    let explanation =
                        record.explanation.filter(|_| failed).map(|spec| (spec, domain.to_owned()));
                    return Ok(Found { outcome: directive.qualifier, explanation });
                }
            }
            let Some(redirect) = &record.redirect else { return Ok(Found::only(Outcome::Neutral)) };
            // §6.1
            self.count_term()?;
            let target = self.expand(redirect, domain).await?;
            let target = domain::normal(&target).ok_or(PERM("redirect leads to no domain"))?;
            let found = self.record(&target, depth + 1).await?;
            match found.outcome {
                Outcome::None => Err(PERM("redirect leads to no record")),
                _ => Ok(found),
            }
        })
    }

    /// §4.4, §4.5.
    async fn find_record(&self, domain: &str) -> Result<Option<Vec<u8>>, Stop> {
        let records = match self.resolver.txt(domain).await {
            Ok(answer) => answer.records,
            Err(DnsError::Temporary) => return Err(TEMP),
            Err(_) => return Ok(None),
        };
        let mut spf = records.into_iter().filter(|record| is_spf(record));
        let first = spf.next();
        if spf.next().is_some() {
            return Err(PERM("more than one record"));
        }
        Ok(first)
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &str, depth: u32) -> Result<bool, Stop> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(network, length) => Ok(self.is_in4(*network, *length)),
            Mechanism::Ip6(network, length) => Ok(self.is_in6(*network, *length)),
            Mechanism::Include(spec) => self.include(spec, domain, depth).await,
            Mechanism::A(spec, cidr) => {
                self.count_term()?;
                let target = self.target(spec.as_ref(), domain).await?;
                self.host_matches(&target, *cidr).await
            }
            Mechanism::Mx(spec, cidr) => self.mx(spec.as_ref(), *cidr, domain).await,
            Mechanism::Ptr(spec) => {
                self.count_term()?;
                let target = self.target(spec.as_ref(), domain).await?;
                let Some(target) = domain::normal(&target) else { return Ok(false) };
                let names = self.validated_names().await;
                if self.nameless {
                    self.count_void()?;
                }
                Ok(names.iter().any(|name| domain::is_within(name, &target)))
            }
            Mechanism::Exists(spec) => {
                self.count_term()?;
                let target = self.expand(spec, domain).await?;
                let answer = self.resolver.a(&target).await;
                Ok(self.given(answer)?.is_some())
            }
        }
    }

    /// §5.2
    async fn include(&mut self, spec: &MacroString, domain: &str, depth: u32) -> Result<bool, Stop> {
        self.count_term()?;
        let target = self.expand(spec, domain).await?;
        let target = domain::normal(&target).ok_or(PERM("include leads to no domain"))?;
        match self.record(&target, depth + 1).await?.outcome {
            Outcome::Pass => Ok(true),
            Outcome::None => Err(PERM("include leads to no record")),
            _ => Ok(false),
        }
    }

    /// §5.4
    async fn mx(&mut self, spec: Option<&MacroString>, cidr: DualCidr, domain: &str) -> Result<bool, Stop> {
        self.count_term()?;
        let target = self.target(spec, domain).await?;
        let answer = self.resolver.mx(&target).await;
        let Some(hosts) = self.given(answer)? else { return Ok(false) };
        if hosts.len() > limits::SPF_HOSTS {
            return Err(PERM("too many mail hosts"));
        }
        for host in hosts.iter().filter(|host| !host.exchange.is_empty()) {
            if self.host_matches(&host.exchange, cidr).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one of the host's addresses of our peer's family is in the peer's network.
    async fn host_matches(&mut self, host: &str, cidr: DualCidr) -> Result<bool, Stop> {
        if self.address.is_ipv4() {
            let answer = self.resolver.a(host).await;
            let found = self.given(answer)?.unwrap_or_default();
            Ok(found.iter().any(|address| self.is_in4(*address, cidr.v4)))
        } else {
            let answer = self.resolver.aaaa(host).await;
            let found = self.given(answer)?.unwrap_or_default();
            Ok(found.iter().any(|address| self.is_in6(*address, cidr.v6)))
        }
    }

    fn is_in4(&self, network: Ipv4Addr, length: u8) -> bool {
        let IpAddr::V4(address) = self.address else { return false };
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        u32::from(address) & mask == u32::from(network) & mask
    }

    fn is_in6(&self, network: Ipv6Addr, length: u8) -> bool {
        let IpAddr::V6(address) = self.address else { return false };
        let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        u128::from(address) & mask == u128::from(network) & mask
    }

    /// The records; nothing for an answer without any, of which only two are allowed (§4.6.4).
    fn given<T>(&mut self, answer: Lookup<T>) -> Result<Option<Vec<T>>, Stop> {
        match answer {
            Ok(answer) => Ok(Some(answer.records)),
            Err(DnsError::Temporary) => Err(TEMP),
            // A name that DNS cannot have (§4.3, §7.3): nobody was asked.
            Err(DnsError::Permanent) => Ok(None),
            Err(DnsError::NxDomain { .. } | DnsError::NoRecords { .. }) => {
                self.count_void()?;
                Ok(None)
            }
        }
    }

    fn count_void(&mut self) -> Result<(), Stop> {
        self.voids += 1;
        if self.voids > limits::SPF_VOIDS { Err(PERM("too many empty answers")) } else { Ok(()) }
    }

    fn count_term(&mut self) -> Result<(), Stop> {
        self.terms += 1;
        if self.terms > limits::SPF_TERMS { Err(PERM("too many terms that ask DNS")) } else { Ok(()) }
    }

    async fn target(&mut self, spec: Option<&MacroString>, domain: &str) -> Result<String, Stop> {
        match spec {
            Some(spec) => self.expand(spec, domain).await,
            None => Ok(domain.to_owned()),
        }
    }

    async fn expand(&mut self, spec: &MacroString, domain: &str) -> Result<String, Stop> {
        self.fill(spec, domain).await;
        Ok(spec.expand_domain(&self.values))
    }

    /// Sets the values that depend on the record.
    async fn fill(&mut self, spec: &MacroString, domain: &str) {
        domain.clone_into(&mut self.values.domain);
        if spec.needs_validated() {
            let names = self.validated_names().await;
            // §7.2: the domain itself, then one below it, then any.
            let exact = names.iter().find(|name| *name == domain);
            let below = || names.iter().find(|name| domain::is_within(name, domain));
            let name = exact.or_else(below).or_else(|| names.first()).cloned();
            self.values.validated = name.unwrap_or_else(|| "unknown".to_owned());
        }
    }

    /// The peer's names whose addresses include the peer's (§5.5). Errors mean no names; the lookups here are no terms of their own.
    async fn validated_names(&mut self) -> Vec<String> {
        if let Some(known) = &self.validated {
            return known.clone();
        }
        let names = match self.resolver.ptr(&reverse_name(self.address)).await {
            Ok(answer) => answer.records,
            Err(error) => {
                self.nameless = error.is_void();
                Vec::new()
            }
        };
        let mut validated = Vec::new();
        for name in names.into_iter().take(limits::SPF_HOSTS) {
            let leads_back = match self.address {
                IpAddr::V4(v4) => self.resolver.a(&name).await.is_ok_and(|found| found.records.contains(&v4)),
                IpAddr::V6(v6) => {
                    self.resolver.aaaa(&name).await.is_ok_and(|found| found.records.contains(&v6))
                }
            };
            if leads_back && let Some(name) = domain::normal(&name) {
                validated.push(name);
            }
        }
        self.validated = Some(validated.clone());
        validated
    }

    /// §6.2: whatever goes wrong here, there are just no words.
    async fn explanation(&mut self, spec: &MacroString, domain: &str) -> Option<String> {
        let target = self.expand(spec, domain).await.ok()?;
        let answer = self.resolver.txt(&target).await.ok()?;
        let [text] = answer.records.as_slice() else { return None };
        let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
        let words = MacroString::parse(text, true).ok()?;
        self.fill(&words, domain).await;
        let words = words.expand(&self.values);
        let end = words.len().min(limits::SPF_EXPLANATION_OCTETS);
        words.get(..end).filter(|words| !words.is_empty()).map(str::to_owned)
    }
}

/// An IPv6 address as `%{i}` has it: 32 nibbles with dots, as §7.4 writes them.
fn nibbles(address: Ipv6Addr) -> String {
    let digits: Vec<String> = address
        .octets()
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .map(|n| format!("{n:X}"))
        .collect();
    digits.join(".")
}
