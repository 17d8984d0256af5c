//! Which hosts take a domain's mail, in which order. RFC 5321 §5.1, RFC 7505, RFC 5321 §4.1.3 (address literals).
//! Never connects.

use std::net::{IpAddr, SocketAddr};

use yubin_base::{
    UnixMs,
    dns::{AnyResolver, DnsError, Lookup, Mx, Resolver},
    ports::Random,
};
use yubin_smtp::{
    client::{Class, Stage},
    codec::reply::Enhanced,
};

use super::options::RouteRule;
use crate::limits;

/// Where a domain's mail goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The domain.
    pub domain: String,
    /// Hosts in the order in which they are tried.
    pub hosts: Vec<String>,
    /// Whether DNSSEC proves the list of hosts; true for hosts that an operator named.
    pub secure: bool,
    /// Whether the list is DNS's, so that MTA-STS applies.
    pub from_dns: bool,
    /// The port.
    pub port: u16,
    /// The operator's rule.
    pub rule: Option<RouteRule>,
    /// Until when it may be used.
    pub until: UnixMs,
}

/// Why there is no way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteFault {
    /// Later or never.
    pub class: Class,
    /// For the report.
    pub enhanced: Enhanced,
    /// In words.
    pub text: String,
}

impl RouteFault {
    pub(crate) fn later(enhanced: Enhanced, text: impl Into<String>) -> Self {
        Self { class: Class::Later, enhanced, text: text.into() }
    }

    fn never(enhanced: Enhanced, text: impl Into<String>) -> Self {
        Self { class: Class::Never, enhanced, text: text.into() }
    }
}

/// Asks for a domain's hosts.
pub async fn find(
    resolver: &AnyResolver,
    random: &dyn Random,
    hostname: &str,
    domain: &str,
    rule: Option<&RouteRule>,
    now: UnixMs,
) -> Result<Route, RouteFault> {
    let port = rule.map_or(25, |rule| rule.port);
    let mut route = Route {
        domain: domain.to_owned(),
        hosts: Vec::new(),
        secure: true,
        from_dns: false,
        port,
        rule: rule.cloned(),
        until: now.plus_ms(limits::ROUTE_KEPT_S * 1_000),
    };
    if let Some(rule) = rule.filter(|rule| !rule.hosts.is_empty()) {
        route.hosts.clone_from(&rule.hosts);
        return Ok(route);
    }
    if domain.starts_with('[') {
        literal(domain).ok_or_else(|| {
            RouteFault::never(Enhanced(5, 1, 2), "The address literal is none that can be connected to")
        })?;
        route.hosts = vec![domain.to_owned()];
        return Ok(route);
    }
    route.from_dns = true;
    let (hosts, secure, ttl_s) = match resolver.mx(domain).await {
        Ok(answer) => (ordered(answer.records, random), answer.secure, answer.ttl_s),
        // RFC 5321 §5.1: without MX records the domain itself is the host.
        Err(DnsError::NoRecords { secure }) => {
            (vec![Mx { preference: 0, exchange: domain.to_owned() }], secure, 300)
        }
        Err(DnsError::NxDomain { .. }) => {
            return Err(RouteFault::never(Enhanced(5, 1, 2), format!("The domain {domain} does not exist")));
        }
        Err(DnsError::Permanent) => {
            return Err(RouteFault::never(Enhanced(5, 1, 2), format!("{domain} is no domain name")));
        }
        Err(DnsError::Temporary) => {
            return Err(RouteFault::later(
                Enhanced(4, 4, 3),
                format!("DNS does not answer for {domain} now"),
            ));
        }
    };
    // RFC 7505 §3.
    if hosts.iter().all(|mx| mx.exchange.is_empty() || mx.exchange == ".") {
        return Err(RouteFault::never(Enhanced(5, 1, 10), format!("{domain} takes no mail (null MX)")));
    }
    route.hosts = better_than_us(&hosts, hostname);
    route.secure = secure;
    route.until = now.plus_ms(u64::from(ttl_s).clamp(5, limits::ROUTE_KEPT_S) * 1_000);
    if route.hosts.is_empty() {
        let text = format!("Mail for {domain} leads back to this server, which does not know the domain");
        return Err(RouteFault::never(Enhanced(5, 4, 6), text));
    }
    Ok(route)
}

/// By preference; hosts of the same one in random order (RFC 5321 §5.1).
fn ordered(mut records: Vec<Mx>, random: &dyn Random) -> Vec<Mx> {
    let mut keyed: Vec<(u16, u64, Mx)> =
        records.drain(..).map(|mx| (mx.preference, random.u64(), mx)).collect();
    keyed.sort_by_key(|(preference, random, _)| (*preference, *random));
    keyed.into_iter().map(|(_, _, mx)| mx).collect()
}

/// RFC 5321 §5.1: this host and those that are no better than it are left out, or mail goes in circles.
fn better_than_us(hosts: &[Mx], hostname: &str) -> Vec<String> {
    let ours =
        hosts.iter().filter(|mx| mx.exchange.eq_ignore_ascii_case(hostname)).map(|mx| mx.preference).min();
    let mut names: Vec<String> = Vec::new();
    for mx in hosts {
        let name = mx.exchange.trim_end_matches('.').to_ascii_lowercase();
        let better = ours.is_none_or(|ours| mx.preference < ours);
        if better && !name.is_empty() && !names.contains(&name) && names.len() < limits::MX_HOSTS {
            names.push(name);
        }
    }
    names
}

/// A host's addresses, and whether DNSSEC proves them.
pub async fn addresses(
    resolver: &AnyResolver,
    host: &str,
    port: u16,
    ipv6: bool,
) -> Result<(Vec<SocketAddr>, bool), DnsError> {
    if let Some(address) = literal(host).or_else(|| host.parse().ok()) {
        return Ok((vec![SocketAddr::new(address, port)], true));
    }
    let v6 =
        async { if ipv6 { resolver.aaaa(host).await } else { Err(DnsError::NoRecords { secure: true }) } };
    let (v6, v4) = futures_util::future::join(v6, resolver.a(host)).await;
    let secure = is_secure(&v6) && is_secure(&v4);
    let failed = [v6.as_ref().err(), v4.as_ref().err()];
    let as_v6 = |a: std::net::Ipv6Addr| SocketAddr::new(IpAddr::V6(a), port);
    let as_v4 = |a: std::net::Ipv4Addr| SocketAddr::new(IpAddr::V4(a), port);
    let v6: Vec<SocketAddr> =
        v6.clone().map(|a| a.records).unwrap_or_default().into_iter().map(as_v6).collect();
    let v4: Vec<SocketAddr> =
        v4.clone().map(|a| a.records).unwrap_or_default().into_iter().map(as_v4).collect();
    let found = alternated(v6, v4);
    if found.is_empty() {
        // One family that could not be asked may be the one that has addresses.
        let temporary = failed.into_iter().flatten().any(|e| *e == DnsError::Temporary);
        return Err(if temporary { DnsError::Temporary } else { DnsError::NoRecords { secure } });
    }
    Ok((found, secure))
}

fn is_secure<T>(lookup: &Lookup<T>) -> bool {
    match lookup {
        Ok(answer) => answer.secure,
        Err(DnsError::NoRecords { secure } | DnsError::NxDomain { secure }) => *secure,
        Err(_) => false,
    }
}

/// The families in turn, IPv6 first (RFC 8305 §4), so that a broken one costs one attempt and not all.
fn alternated(v6: Vec<SocketAddr>, v4: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut out = Vec::new();
    loop {
        let (six, four) = (v6.next(), v4.next());
        if six.is_none() && four.is_none() || out.len() >= limits::ADDRESSES_PER_HOST {
            return out;
        }
        out.extend(six);
        out.extend(four);
    }
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
fn literal(domain: &str) -> Option<IpAddr> {
    let inside = domain.strip_prefix('[')?.strip_suffix(']')?;
    match inside.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => inside.get(5..)?.parse().ok().map(IpAddr::V6),
        _ => inside.parse().ok().map(IpAddr::V4),
    }
}

/// What no host could be reached for.
pub fn no_host(text: impl Into<String>) -> yubin_smtp::client::SessionFailure {
    yubin_smtp::client::SessionFailure {
        class: Class::Later,
        stage: Stage::Greeting,
        code: 0,
        enhanced: Some(Enhanced(4, 4, 1)),
        text: text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yubin_testkit::SimRandom;

    fn mx(preference: u16, exchange: &str) -> Mx {
        Mx { preference, exchange: exchange.into() }
    }

    #[test]
    fn preference_rules_and_chance_decides_between_equals() {
        let records = || vec![mx(20, "c"), mx(10, "a"), mx(10, "b")];
        let mut firsts = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let hosts = ordered(records(), &SimRandom::new(seed));
            assert_eq!(hosts[2].exchange, "c");
            firsts.insert(hosts[0].exchange.clone());
        }
        assert_eq!(firsts.len(), 2);
    }

    #[test]
    fn hosts_no_better_than_this_one_are_left_out() {
        let hosts = [mx(5, "a"), mx(10, "Us.test"), mx(10, "b"), mx(20, "c")];
        assert_eq!(better_than_us(&hosts, "us.test"), ["a"]);
        assert_eq!(better_than_us(&hosts, "them.test").len(), 4);
        assert_eq!(better_than_us(&hosts[1..], "us.test"), Vec::<String>::new());
    }

    #[test]
    fn families_take_turns() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (six, four) = ([at("[::1]:25"), at("[::2]:25")], [at("1.1.1.1:25")]);
        assert_eq!(alternated(six.to_vec(), four.to_vec()), [six[0], four[0], six[1]]);
    }

    #[test]
    fn address_literals() {
        assert_eq!(literal("[192.0.2.1]"), "192.0.2.1".parse().ok());
        assert_eq!(literal("[IPv6:2001:db8::1]"), "2001:db8::1".parse().ok());
        assert_eq!(literal("[x]"), None);
        assert_eq!(literal("example.test"), None);
    }
}
