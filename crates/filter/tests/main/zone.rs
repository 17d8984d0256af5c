//! A resolver that answers from a table.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use yubin_base::dns::{Answer, DnsError, Lookup, Mx, Resolver, Tlsa};

#[derive(Clone, Debug)]
pub enum Record {
    Txt(Vec<u8>),
    Address(IpAddr),
    Mx(u16, String),
    Ptr(String),
    /// The name is there, and has nothing.
    Nothing,
    /// Every question about the name fails for now.
    Timeout,
}

#[derive(Clone, Debug, Default)]
pub struct Zone(BTreeMap<String, Vec<Record>>);

impl Zone {
    pub fn add(&mut self, name: &str, record: Record) -> &mut Self {
        self.0.entry(name.trim_end_matches('.').to_ascii_lowercase()).or_default().push(record);
        self
    }
    /// The name has the records of another.
    pub fn alias(&mut self, name: &str, target: &str) {
        let target = target.trim_end_matches('.').to_ascii_lowercase();
        let records = self.0.get(&target).cloned().unwrap_or_default();
        self.0.entry(name.to_ascii_lowercase()).or_default().extend(records);
    }
    pub fn txt(mut self, name: &str, text: &str) -> Self {
        self.add(name, Record::Txt(text.as_bytes().to_vec()));
        self
    }
    pub fn address(mut self, name: &str, address: &str) -> Self {
        self.add(name, Record::Address(address.parse().unwrap()));
        self
    }
    pub fn ptr(mut self, address: &str, name: &str) -> Self {
        let reverse = yubin_base::dns::reverse_name(address.parse().unwrap());
        self.add(&reverse, Record::Ptr(name.into()));
        self
    }
    pub fn timeout(mut self, name: &str) -> Self {
        self.add(name, Record::Timeout);
        self
    }

    fn find<T>(&self, name: &str, pick: impl Fn(&Record) -> Option<T>) -> Lookup<T> {
        let name = name.to_ascii_lowercase();
        // As a resolver does: a label that DNS cannot have is no name.
        if name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return Err(DnsError::Permanent);
        }
        let below = format!(".{name}");
        let Some(records) = self.0.get(&name) else {
            let exists = self.0.keys().any(|known| known.ends_with(&below));
            return Err(if exists {
                DnsError::NoRecords { secure: false }
            } else {
                DnsError::NxDomain { secure: false }
            });
        };
        let found: Vec<T> = records.iter().filter_map(pick).collect();
        if found.is_empty() {
            let timeout = records.iter().any(|record| matches!(record, Record::Timeout));
            return Err(if timeout { DnsError::Temporary } else { DnsError::NoRecords { secure: false } });
        }
        Ok(Answer::insecure(found))
    }
}

impl Resolver for Zone {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        self.find(name, |record| match record {
            Record::Txt(text) => Some(text.clone()),
            _ => None,
        })
    }
    async fn a(&self, name: &str) -> Lookup<Ipv4Addr> {
        self.find(name, |record| match record {
            Record::Address(IpAddr::V4(v4)) => Some(*v4),
            _ => None,
        })
    }
    async fn aaaa(&self, name: &str) -> Lookup<Ipv6Addr> {
        self.find(name, |record| match record {
            Record::Address(IpAddr::V6(v6)) => Some(*v6),
            _ => None,
        })
    }
    async fn mx(&self, name: &str) -> Lookup<Mx> {
        self.find(name, |record| match record {
            Record::Mx(preference, exchange) => {
                Some(Mx { preference: *preference, exchange: exchange.trim_end_matches('.').to_owned() })
            }
            _ => None,
        })
    }
    async fn ptr(&self, name: &str) -> Lookup<String> {
        self.find(name, |record| match record {
            Record::Ptr(host) => Some(host.trim_end_matches('.').to_owned()),
            _ => None,
        })
    }
    async fn tlsa(&self, _: &str) -> Lookup<Tlsa> {
        Err(DnsError::NoRecords { secure: false })
    }
}
