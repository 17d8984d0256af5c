//! The resolver: hickory, with DNSSEC validation, behind the port of `base`. Never applies a search list, never looks into `/etc/hosts`.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    lookup::Lookup as Found,
    net::{DnsError as NetDnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        dnssec::{Proof, TrustAnchors},
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
    system_conf,
};
use yubin_base::dns::{Answer, AnyResolver, DnsError, Lookup, Mx, Resolver, Tlsa};

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
    options.validate = config.dnssec;
    let mut builder = TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    if config.dnssec && !config.trust_anchors.as_os_str().is_empty() {
        let anchors = TrustAnchors::from_file(&config.trust_anchors)
            .map_err(|e| format!("{}: {e}", config.trust_anchors.display()))?;
        builder = builder.with_trust_anchor(Arc::new(anchors));
    }
    let resolver = builder.build().map_err(|e| format!("the resolver: {e}"))?;
    Ok(AnyResolver::new(Hickory { resolver, validates: config.dnssec }))
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
    resolver: TokioResolver,
    validates: bool,
}

impl Hickory {
    /// Asks, and keeps the records that are of the wanted type.
    async fn ask<T>(&self, name: &str, kind: RecordType, wanted: impl Fn(&RData) -> Option<T>) -> Lookup<T> {
        let mut name = Name::from_ascii(name).map_err(|_| DnsError::Permanent)?;
        // Absolute: no search list.
        name.set_fqdn(true);
        match self.resolver.lookup(name, kind).await {
            Ok(found) => self.answer(&found, wanted),
            Err(error) => Err(self.no(&error)),
        }
    }

    fn answer<T>(&self, found: &Found, wanted: impl Fn(&RData) -> Option<T>) -> Lookup<T> {
        let answers = found.answers();
        let records: Vec<T> = answers.iter().filter_map(|record| wanted(&record.data)).collect();
        let data = answers.iter().filter(|record| record.record_type() != RecordType::RRSIG);
        let secure = self.validates && data.clone().all(|record| record.proof == Proof::Secure);
        // Signatures that do not hold are an attack or an error: it is as if nobody had answered (RFC 4035 §4.3).
        if self.validates && data.clone().any(|record| record.proof == Proof::Bogus) {
            return Err(DnsError::Temporary);
        }
        let ttl_s = answers.iter().map(|record| record.ttl).min().unwrap_or(0);
        if records.is_empty() {
            Err(DnsError::NoRecords { secure })
        } else {
            Ok(Answer { records, secure, ttl_s })
        }
    }

    fn no(&self, error: &NetError) -> DnsError {
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
