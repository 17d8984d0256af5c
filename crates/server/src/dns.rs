//! The resolver: hickory, with DNSSEC validation where the name servers pass signatures on, behind the port of `base`.
//! Never applies a search list, never looks into `/etc/hosts`.

mod signatures;

use std::{
    fs,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    lookup::Lookup as Found,
    net::{DnsError as NetDnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        dnssec::{Proof, TrustAnchors},
        op::ResponseCode,
        rr::{Name, RData, RecordType},
        serialize::txt::trust_anchor::{Entry, Parser},
    },
    system_conf,
};
use yubin_base::dns::{Answer, AnyResolver, DnsError, Lookup, Mx, Resolver, Tlsa};

use self::signatures::Signatures;
use crate::{config::Dns, events, limits};

/// The resolver of the configuration.
pub fn resolver(config: &Dns) -> Result<AnyResolver, String> {
    let (servers, mut options) = if config.servers.is_empty() {
        match system_conf::read_system_conf() {
            Ok((system, options)) => {
                (ResolverConfig::from_name_servers(system.name_servers().to_vec()), options)
            }
            // Mail comes in and is read without DNS; what is for other hosts waits.
            Err(error) => {
                yubin_base::event!(events::NO_RESOLVER, error = %error);
                return Ok(AnyResolver::none());
            }
        }
    } else {
        let servers = config.servers.iter().map(|at| name_server(*at)).collect();
        (ResolverConfig::from_name_servers(servers), Default::default())
    };
    options.timeout = Duration::from_secs(limits::DNS_TIMEOUT_S);
    options.attempts = limits::DNS_ATTEMPTS;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = limits::DNS_CACHED_ANSWERS;
    options.edns0 = true;
    let plain = build(&servers, options.clone(), None)?;
    let proving = if config.dnssec { Some(proving(&servers, options, &config.trust_anchors)?) } else { None };
    Ok(AnyResolver::new(Hickory { plain, proving }))
}

/// The resolver that validates, with the root's keys or those of the file.
fn proving(servers: &ResolverConfig, options: ResolverOpts, file: &Path) -> Result<Proving, String> {
    let (anchors, zone) = if file.as_os_str().is_empty() {
        (TrustAnchors::default(), Name::root())
    } else {
        anchors(file).map_err(|e| format!("{}: {e}", file.display()))?
    };
    let addresses = servers.name_servers().iter().map(|server| {
        let port = server.connections.first().map_or(limits::DNS_PORT, |connection| connection.port);
        SocketAddr::new(server.ip, port)
    });
    Ok(Proving {
        signatures: Signatures::new(
            addresses.collect(),
            zone,
            Duration::from_secs(limits::DNS_SIGNATURES_CHECK_S),
        ),
        resolver: build(servers, options, Some(anchors))?,
    })
}

/// The anchors of a file, and the zone of the first.
fn anchors(file: &Path) -> Result<(TrustAnchors, Name), String> {
    let text = fs::read_to_string(file).map_err(|e| e.to_string())?;
    let anchors = text.parse().map_err(|e| format!("{e}"))?;
    let entries = Parser::new(text.as_str()).parse().map_err(|e| e.to_string())?;
    let Some(Entry::DNSKEY(first)) = entries.first() else { return Err("no DNSKEY record".to_owned()) };
    Ok((anchors, first.name().clone()))
}

fn build(
    servers: &ResolverConfig,
    mut options: ResolverOpts,
    anchors: Option<TrustAnchors>,
) -> Result<TokioResolver, String> {
    options.validate = anchors.is_some();
    let mut builder = TokioResolver::builder_with_config(servers.clone(), TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    if let Some(anchors) = anchors {
        builder = builder.with_trust_anchor(Arc::new(anchors));
    }
    builder.build().map_err(|e| format!("the resolver: {e}"))
}

fn name_server(at: SocketAddr) -> NameServerConfig {
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = at.port();
        connection
    };
    let mut server = NameServerConfig::udp_and_tcp(at.ip());
    server.connections = vec![with_port(ConnectionConfig::udp()), with_port(ConnectionConfig::tcp())];
    server
}

struct Hickory {
    plain: TokioResolver,
    proving: Option<Proving>,
}

/// The resolver that validates, and whether it can.
struct Proving {
    resolver: TokioResolver,
    signatures: Signatures,
}

impl Hickory {
    /// Asks, and keeps the records that are of the wanted type.
    async fn ask<T>(&self, name: &str, kind: RecordType, wanted: impl Fn(&RData) -> Option<T>) -> Lookup<T> {
        let mut name = Name::from_ascii(name).map_err(|_| DnsError::Permanent)?;
        // Absolute: no search list.
        name.set_fqdn(true);
        match &self.proving {
            Some(proving) if proving.signatures.wanted().await => {
                let found = proving.resolver.lookup(name, kind).await;
                if found.as_ref().map_or_else(is_bogus, has_bogus) {
                    proving.signatures.doubt().await;
                }
                answer(found, true, wanted)
            }
            _ => answer(self.plain.lookup(name, kind).await, false, wanted),
        }
    }
}

fn answer<T>(
    found: Result<Found, NetError>,
    validated: bool,
    wanted: impl Fn(&RData) -> Option<T>,
) -> Lookup<T> {
    let found = found.map_err(|error| no(&error))?;
    // Signatures that do not hold are an attack or an error: it is as if nobody had answered (RFC 4035 §4.3).
    if validated && has_bogus(&found) {
        return Err(DnsError::Temporary);
    }
    let answers = found.answers();
    let records: Vec<T> = answers.iter().filter_map(|record| wanted(&record.data)).collect();
    let mut data = answers.iter().filter(|record| record.record_type() != RecordType::RRSIG);
    let secure = validated && data.all(|record| record.proof == Proof::Secure);
    let ttl_s = answers.iter().map(|record| record.ttl).min().unwrap_or(0);
    if records.is_empty() {
        Err(DnsError::NoRecords { secure })
    } else {
        Ok(Answer { records, secure, ttl_s })
    }
}

fn has_bogus(found: &Found) -> bool {
    let mut data = found.answers().iter().filter(|record| record.record_type() != RecordType::RRSIG);
    data.any(|record| record.proof == Proof::Bogus)
}

fn is_bogus(error: &NetError) -> bool {
    matches!(error, NetError::Dns(NetDnsError::DnssecBogus | NetDnsError::Nsec { proof: Proof::Bogus, .. }))
}

fn no(error: &NetError) -> DnsError {
    let kind = |code: ResponseCode, secure| match code {
        ResponseCode::NXDomain => DnsError::NxDomain { secure },
        _ => DnsError::NoRecords { secure },
    };
    match error {
        NetError::Dns(NetDnsError::NoRecordsFound(none)) => match none.response_code {
            code @ (ResponseCode::NXDomain | ResponseCode::NoError) => kind(code, false),
            _ => DnsError::Temporary,
        },
        NetError::Dns(NetDnsError::Nsec { response, proof, .. }) => match proof {
            Proof::Secure => kind(response.response_code, true),
            Proof::Insecure | Proof::Indeterminate => kind(response.response_code, false),
            Proof::Bogus => DnsError::Temporary,
        },
        _ => DnsError::Temporary,
    }
}

impl Resolver for Hickory {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        let joined = |data: &RData| match data {
            RData::TXT(txt) => Some(txt.txt_data.iter().flat_map(|piece| piece.iter().copied()).collect()),
            _ => None,
        };
        self.ask(name, RecordType::TXT, joined).await
    }

    async fn a(&self, name: &str) -> Lookup<Ipv4Addr> {
        let address = |data: &RData| if let RData::A(a) = data { Some(a.0) } else { None };
        self.ask(name, RecordType::A, address).await
    }

    async fn aaaa(&self, name: &str) -> Lookup<Ipv6Addr> {
        let address = |data: &RData| if let RData::AAAA(a) = data { Some(a.0) } else { None };
        self.ask(name, RecordType::AAAA, address).await
    }

    async fn mx(&self, name: &str) -> Lookup<Mx> {
        let host = |data: &RData| match data {
            RData::MX(mx) => Some(Mx { preference: mx.preference, exchange: host_name(&mx.exchange) }),
            _ => None,
        };
        self.ask(name, RecordType::MX, host).await
    }

    async fn ptr(&self, name: &str) -> Lookup<String> {
        let host = |data: &RData| if let RData::PTR(ptr) = data { Some(host_name(&ptr.0)) } else { None };
        self.ask(name, RecordType::PTR, host).await
    }

    async fn tlsa(&self, name: &str) -> Lookup<Tlsa> {
        let record = |data: &RData| match data {
            RData::TLSA(tlsa) => Some(Tlsa {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data.clone(),
            }),
            _ => None,
        };
        self.ask(name, RecordType::TLSA, record).await
    }
}

/// Lower case, without the dot at the end; empty for the root.
fn host_name(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
