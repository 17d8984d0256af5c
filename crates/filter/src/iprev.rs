//! iprev: whether the peer's address has a name that leads back to it. RFC 8601 §3.

use std::net::IpAddr;

use yubin_base::dns::{DnsError, Resolver, reverse_name};

use crate::{Outcome, domain, limits};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IprevResult {
    /// pass, fail, temperror, permerror.
    pub outcome: Outcome,
    /// The address.
    pub address: IpAddr,
    /// The name, when it leads back.
    pub name: Option<String>,
}

/// Checks an address.
pub async fn iprev<R: Resolver>(resolver: &R, address: IpAddr) -> IprevResult {
    let address = address.to_canonical();
    let result = |outcome, name| IprevResult { outcome, address, name };
    let names = match resolver.ptr(&reverse_name(address)).await {
        Ok(answer) => answer.records,
        Err(DnsError::Temporary) => return result(Outcome::TempError, None),
        // No name at all: what RFC 8601 §3 calls a permanent error.
        Err(_) => return result(Outcome::PermError, None),
    };
    let mut outcome = Outcome::Fail;
    for name in names.iter().take(limits::SPF_HOSTS).filter_map(|name| domain::normal(name)) {
        let found: Result<bool, DnsError> = match address {
            IpAddr::V4(v4) => resolver.a(&name).await.map(|answer| answer.records.contains(&v4)),
            IpAddr::V6(v6) => resolver.aaaa(&name).await.map(|answer| answer.records.contains(&v6)),
        };
        match found {
            Ok(true) => return result(Outcome::Pass, Some(name)),
            Err(DnsError::Temporary) => outcome = Outcome::TempError,
            Ok(false) | Err(_) => {}
        }
    }
    result(outcome, None)
}
