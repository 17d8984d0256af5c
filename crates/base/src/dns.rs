//! DNS as a port: what the crates below `server` ask, and what they may be told. Never resolves anything itself.
//! RFC 1035 (records, the two kinds of "no"), RFC 2308 (NXDOMAIN and NODATA), RFC 4035 §4.9.3 (the AD bit), RFC 6698 (TLSA).

use std::{
    fmt,
    future::Future,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use crate::BoxFuture;

/// The records of one name and type. Never empty: no records is [`DnsError::NoRecords`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// The records, aliases (CNAME) followed, in the order of the answer.
    pub records: Vec<T>,
    /// Whether DNSSEC proves all of it, aliases included. False is no fault: most names are not signed.
    pub secure: bool,
    /// For how long it may be kept, in seconds: the smallest of the answer.
    pub ttl_s: u32,
}

impl<T> Answer<T> {
    /// An answer without proof, as most are.
    pub fn insecure(records: Vec<T>) -> Self {
        Self { records, secure: false, ttl_s: 300 }
    }
}

/// Why there are no records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsError {
    /// Nobody could say now: timeout, SERVFAIL, no network, or signatures that do not hold. Try again later.
    Temporary,
    /// The question can never be answered: the name is no DNS name.
    Permanent,
    /// The name does not exist (NXDOMAIN). `secure` when DNSSEC proves it.
    NxDomain {
        /// Whether DNSSEC proves it.
        secure: bool,
    },
    /// The name exists and has no records of this type (NODATA).
    NoRecords {
        /// Whether DNSSEC proves it.
        secure: bool,
    },
}

impl DnsError {
    /// The name does not exist, or has nothing of this type: what RFC 7208 §4.6.4 calls a void lookup.
    pub fn is_void(&self) -> bool {
        matches!(self, Self::NxDomain { .. } | Self::NoRecords { .. })
    }
}

impl fmt::Display for DnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Temporary => "DNS gives no answer now",
            Self::Permanent => "not a DNS name",
            Self::NxDomain { .. } => "no such name in DNS",
            Self::NoRecords { .. } => "no such record in DNS",
        })
    }
}

impl std::error::Error for DnsError {}

/// What a question brings.
pub type Lookup<T> = Result<Answer<T>, DnsError>;

/// One MX record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mx {
    /// Smaller is tried first.
    pub preference: u16,
    /// The host, lower case, without the dot at the end; empty is the null MX of RFC 7505.
    pub exchange: String,
}

/// One TLSA record, RFC 6698 §2.1. Numbers as on the wire; who uses them decides which are usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    /// Certificate usage.
    pub usage: u8,
    /// Selector.
    pub selector: u8,
    /// Matching type.
    pub matching: u8,
    /// Certificate association data.
    pub data: Vec<u8>,
}

/// Who answers. Names come without the dot at the end, in A-label form, and are absolute: no search list is ever applied.
/// Each question is answered or given up within a bounded time that is the implementation's to keep.
pub trait Resolver: Send + Sync + 'static {
    /// TXT; the strings of one record are joined (RFC 7208 §3.3, RFC 6376 §3.6.2.2).
    fn txt(&self, name: &str) -> impl Future<Output = Lookup<Vec<u8>>> + Send;
    /// A.
    fn a(&self, name: &str) -> impl Future<Output = Lookup<Ipv4Addr>> + Send;
    /// AAAA.
    fn aaaa(&self, name: &str) -> impl Future<Output = Lookup<Ipv6Addr>> + Send;
    /// MX, in no order.
    fn mx(&self, name: &str) -> impl Future<Output = Lookup<Mx>> + Send;
    /// PTR of a name below `in-addr.arpa` or `ip6.arpa` (see [`reverse_name`]); host names in lower case without the dot at the end.
    fn ptr(&self, name: &str) -> impl Future<Output = Lookup<String>> + Send;
    /// TLSA of `_25._tcp.host`.
    fn tlsa(&self, name: &str) -> impl Future<Output = Lookup<Tlsa>> + Send;
}

/// The name whose PTR records are the names of an address. RFC 1035 §3.5, RFC 3596 §2.5.
pub fn reverse_name(address: std::net::IpAddr) -> String {
    use fmt::Write as _;
    let mut name = String::with_capacity(73);
    match address {
        std::net::IpAddr::V4(v4) => {
            for octet in v4.octets().iter().rev() {
                let _ = write!(name, "{octet}.");
            }
            name.push_str("in-addr.arpa");
        }
        std::net::IpAddr::V6(v6) => {
            for octet in v6.octets().iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
            }
            name.push_str("ip6.arpa");
        }
    }
    name
}

/// Any resolver, for those who must not be generic over it. Cheap to clone.
#[derive(Clone)]
pub struct AnyResolver(Arc<dyn Boxed>);

impl AnyResolver {
    /// Over a resolver.
    pub fn new(resolver: impl Resolver) -> Self {
        Self(Arc::new(resolver))
    }
    /// A resolver that never has an answer now: for servers that are kept off the network, and for tests.
    pub fn none() -> Self {
        Self::new(NoDns)
    }
}

impl Resolver for AnyResolver {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        self.0.txt(name).await
    }
    async fn a(&self, name: &str) -> Lookup<Ipv4Addr> {
        self.0.a(name).await
    }
    async fn aaaa(&self, name: &str) -> Lookup<Ipv6Addr> {
        self.0.aaaa(name).await
    }
    async fn mx(&self, name: &str) -> Lookup<Mx> {
        self.0.mx(name).await
    }
    async fn ptr(&self, name: &str) -> Lookup<String> {
        self.0.ptr(name).await
    }
    async fn tlsa(&self, name: &str) -> Lookup<Tlsa> {
        self.0.tlsa(name).await
    }
}

/// Answers nothing.
struct NoDns;

impl Resolver for NoDns {
    async fn txt(&self, _: &str) -> Lookup<Vec<u8>> {
        Err(DnsError::Temporary)
    }
    async fn a(&self, _: &str) -> Lookup<Ipv4Addr> {
        Err(DnsError::Temporary)
    }
    async fn aaaa(&self, _: &str) -> Lookup<Ipv6Addr> {
        Err(DnsError::Temporary)
    }
    async fn mx(&self, _: &str) -> Lookup<Mx> {
        Err(DnsError::Temporary)
    }
    async fn ptr(&self, _: &str) -> Lookup<String> {
        Err(DnsError::Temporary)
    }
    async fn tlsa(&self, _: &str) -> Lookup<Tlsa> {
        Err(DnsError::Temporary)
    }
}

/// [`Resolver`] with boxed futures, so that it can be a trait object.
trait Boxed: Send + Sync {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<Vec<u8>>>;
    fn a<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<Ipv4Addr>>;
    fn aaaa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<Ipv6Addr>>;
    fn mx<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<Mx>>;
    fn ptr<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<String>>;
    fn tlsa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<Tlsa>>;
}

impl<R: Resolver> Boxed for R {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        Box::pin(Resolver::txt(self, name))
    }
    fn a<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<Ipv4Addr>> {
        Box::pin(Resolver::a(self, name))
    }
    fn aaaa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<Ipv6Addr>> {
        Box::pin(Resolver::aaaa(self, name))
    }
    fn mx<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<Mx>> {
        Box::pin(Resolver::mx(self, name))
    }
    fn ptr<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<String>> {
        Box::pin(Resolver::ptr(self, name))
    }
    fn tlsa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Lookup<Tlsa>> {
        Box::pin(Resolver::tlsa(self, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_turned_round_for_ptr() {
        assert_eq!(reverse_name("192.0.2.7".parse().unwrap()), "7.2.0.192.in-addr.arpa");
        assert_eq!(
            reverse_name("2001:db8::cb01".parse().unwrap()),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }

    #[test]
    fn only_the_two_kinds_of_no_are_void() {
        assert!(DnsError::NxDomain { secure: false }.is_void());
        assert!(DnsError::NoRecords { secure: true }.is_void());
        assert!(!DnsError::Temporary.is_void() && !DnsError::Permanent.is_void());
    }
}
