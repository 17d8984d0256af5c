//! The walk up the tree: which records stand at a domain and above it, and which domain is the organisation's. RFC 9989 §4.10.

use yubin_base::dns::{DnsError, Resolver};

use super::record::{DmarcRecord, Psd};
use crate::limits;

/// DNS gave no answer: nothing can be said.
pub(super) struct NoAnswer;

/// The records at a domain and above it.
pub(super) struct Walk {
    start: String,
    /// From the start upwards; at most [`limits::DMARC_QUERIES`].
    pub records: Vec<(String, DmarcRecord)>,
}

impl Walk {
    /// Asks for the records, the domain's own first.
    pub async fn from<R: Resolver>(resolver: &R, domain: &str) -> Result<Self, NoAnswer> {
        let mut records = Vec::new();
        for name in names(domain) {
            if let Some(record) = record_at(resolver, name).await? {
                // §4.10: a domain that says what it is ends the walk.
                let says = record.psd != Psd::Unknown;
                records.push((name.to_owned(), record));
                if says {
                    break;
                }
            }
        }
        Ok(Self { start: domain.to_owned(), records })
    }

    /// The organisation's domain. §4.10.2.
    pub fn organisation(&self) -> &str {
        if let Some((name, _)) = self.records.iter().find(|(_, record)| record.psd == Psd::No) {
            return name;
        }
        let suffix = self.records.iter().find(|(name, record)| record.psd == Psd::Yes && *name != self.start);
        if let Some((suffix, _)) = suffix {
            return one_below(&self.start, suffix);
        }
        // The topmost record; without any the domain is its own.
        self.records.last().map_or(&self.start, |(name, _)| name)
    }

    /// The record that counts for mail of the start domain, and where it stands: its own, else its organisation's, else the
    /// public suffix's. §4.10.1.
    pub fn policy(&self) -> Option<&(String, DmarcRecord)> {
        let at = |wanted: &str| self.records.iter().find(|(name, _)| name == wanted);
        let suffix = || self.records.iter().find(|(_, record)| record.psd == Psd::Yes);
        at(&self.start).or_else(|| at(self.organisation())).or_else(suffix)
    }
}

/// The names that are asked: the domain, then its parents; of a very long name only the last seven labels. §4.10.
fn names(domain: &str) -> impl Iterator<Item = &str> {
    let parents = std::iter::successors(domain.split_once('.').map(|(_, rest)| rest), |name| {
        name.split_once('.').map(|(_, rest)| rest)
    });
    let near = parents.filter(|name| name.split('.').count() < limits::DMARC_QUERIES);
    std::iter::once(domain).chain(near)
}

/// The part of `name` that is one label longer than `suffix`.
fn one_below<'a>(name: &'a str, suffix: &str) -> &'a str {
    let below = name.strip_suffix(suffix).map_or("", |below| below.trim_end_matches('.'));
    let label = below.rsplit('.').next().unwrap_or_default();
    name.get(name.len().saturating_sub(suffix.len() + 1 + label.len())..).unwrap_or(name)
}

/// The one record of a name; several are none (§4.10, step 2).
async fn record_at<R: Resolver>(resolver: &R, name: &str) -> Result<Option<DmarcRecord>, NoAnswer> {
    let records = match resolver.txt(&format!("_dmarc.{name}")).await {
        Ok(answer) => answer.records,
        Err(DnsError::Temporary) => return Err(NoAnswer),
        Err(_) => return Ok(None),
    };
    let mut found = records.iter().filter_map(|record| DmarcRecord::parse(record));
    let first = found.next();
    Ok(first.filter(|_| found.next().is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_asked_eight_times() {
        let all: Vec<&str> = names("a.b.c.d.e.f.g.h.i.j.mail.example.test").collect();
        assert_eq!(all.len(), 8);
        assert_eq!(all[1], "g.h.i.j.mail.example.test");
        assert_eq!(all[7], "test");
        assert_eq!(names("example.test").collect::<Vec<_>>(), ["example.test", "test"]);
        assert_eq!(names("b.c.d.e.f.g.h.i").count(), 8);
    }

    #[test]
    fn one_label_below() {
        assert_eq!(one_below("a.b.co.uk", "co.uk"), "b.co.uk");
        assert_eq!(one_below("b.co.uk", "co.uk"), "b.co.uk");
    }
}
