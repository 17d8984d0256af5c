//! Which TLS a host must offer before it gets the mail of a domain: DANE first, MTA-STS where there is none, otherwise whatever there is.
//! RFC 7672 §2, RFC 8461 §2 and §5, RFC 7435.

use parking_lot::Mutex;
use yubin_base::{
    UnixMs,
    dns::{AnyResolver, DnsError, Resolver},
    event,
};

use super::{
    dane,
    mta_sts::{self, Mode, Policy},
    options::RouteTls,
    ports::{Connector, TlsCheck},
    route::{self, Route},
};
use crate::{events, limits};

/// RFC 8461 §3.3.
const HTTPS_PORT: u16 = 443;

/// What a host must offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPlan {
    /// Whether nothing is sent without TLS.
    pub required: bool,
    /// Whether it is not even tried.
    pub never: bool,
    /// Whether the connection begins with it.
    pub implicit: bool,
    /// How the certificate is judged.
    pub check: TlsCheck,
    /// The policy behind it, for logs.
    pub by: &'static str,
}

impl TlsPlan {
    fn new(required: bool, check: TlsCheck, by: &'static str) -> Self {
        Self { required, never: false, implicit: false, check, by }
    }
}

/// What the domain's MTA-STS policy is, if any.
pub async fn domain_policy(
    resolver: &AnyResolver,
    connector: &dyn Connector,
    cache: &Mutex<mta_sts::Cache>,
    domain: &str,
    now: UnixMs,
) -> Option<Policy> {
    let records = resolver.txt(&format!("_mta-sts.{domain}")).await;
    let id = records.ok().and_then(|answer| mta_sts::record_id(&answer.records));
    let kept =
        cache.lock().get(domain, id.as_deref(), now).map(|(policy, current)| (policy.clone(), current));
    let id = match (&kept, id) {
        (Some((policy, true)), _) => return Some(policy.clone()),
        (None, None) => return None,
        (_, None) => return kept.map(|(policy, _)| policy),
        (_, Some(id)) => id,
    };
    let host = format!("mta-sts.{domain}");
    let addresses = route::addresses(resolver, &host, HTTPS_PORT, true).await.map(|(found, _)| found);
    let fetched = match &addresses {
        Ok(found) => connector.fetch(&host, found, "/.well-known/mta-sts.txt", limits::POLICY_OCTETS).await,
        Err(error) => Err(format!("{host}: {error}")),
    };
    match fetched.map(|text| mta_sts::parse(&text)) {
        Ok(Some(policy)) => {
            cache.lock().put(domain, &id, policy.clone(), now);
            Some(policy)
        }
        // RFC 8461 §5.1: what cannot be fetched does not replace what is known.
        Ok(None) => {
            event!(events::POLICY_UNUSABLE, domain = %domain, reason = "the policy cannot be read");
            kept.map(|(policy, _)| policy)
        }
        Err(error) => {
            event!(events::POLICY_UNUSABLE, domain = %domain, reason = %error);
            kept.map(|(policy, _)| policy)
        }
    }
}

/// What one host must offer. An error says why it cannot be used now.
pub async fn host_plan(
    resolver: &AnyResolver,
    route: &Route,
    policy: Option<&Policy>,
    dane_wanted: bool,
    host: &str,
    address_secure: bool,
) -> Result<TlsPlan, String> {
    if let Some(rule) = &route.rule
        && rule.tls != RouteTls::Opportunistic
    {
        let names = TlsCheck::Names(vec![host.to_owned()]);
        return Ok(match rule.tls {
            RouteTls::Never => TlsPlan { never: true, ..TlsPlan::new(false, TlsCheck::Nothing, "route") },
            RouteTls::Implicit => TlsPlan { implicit: true, ..TlsPlan::new(true, names, "route") },
            RouteTls::Verified | RouteTls::Opportunistic => TlsPlan::new(true, names, "route"),
        });
    }
    // RFC 7672 §2.2.1: TLSA counts only where the whole way to it is proven.
    if dane_wanted && route.secure && address_secure && host.parse::<std::net::IpAddr>().is_err() {
        match resolver.tlsa(&format!("_{}._tcp.{host}", route.port)).await {
            Ok(answer) if answer.secure => {
                let records = dane::usable(&answer.records);
                // RFC 7672 §2.2: records that nobody can use still say that there is TLS.
                let check = if records.is_empty() {
                    TlsCheck::Nothing
                } else {
                    TlsCheck::Dane { records, names: vec![host.to_owned(), route.domain.clone()] }
                };
                return Ok(TlsPlan::new(true, check, "dane"));
            }
            // RFC 7672 §2.1.2: no answer may be an attacker's work.
            Err(DnsError::Temporary) => return Err(format!("The TLSA records of {host} cannot be had now")),
            Ok(_) | Err(_) => {}
        }
    }
    match policy {
        Some(policy) if policy.mode == Mode::Enforce => {
            if !policy.allows(host) {
                return Err(format!("The MTA-STS policy of {} does not name {host}", route.domain));
            }
            Ok(TlsPlan::new(true, TlsCheck::Names(vec![host.to_owned()]), "mta-sts"))
        }
        Some(policy) if policy.mode == Mode::Testing && !policy.allows(host) => {
            event!(events::POLICY_BREACH, domain = %route.domain, host = %host, reason = "the policy does not name the host");
            Ok(TlsPlan::new(false, TlsCheck::Nothing, "mta-sts testing"))
        }
        _ => Ok(TlsPlan::new(false, TlsCheck::Nothing, "opportunistic")),
    }
}
