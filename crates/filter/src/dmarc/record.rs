//! DMARC records as values. RFC 9989 §4.7; RFC 7489 §6.3 for `pct`, which RFC 9989 left behind.

use std::fmt;

use crate::{limits, tags::Tags};

/// What is asked for. §4.7, `p`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing but reports.
    None,
    /// To be treated with suspicion.
    Quarantine,
    /// To be refused.
    Reject,
}

impl Policy {
    /// As `p=` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut all = [Self::None, Self::Quarantine, Self::Reject].into_iter();
        all.find(|known| text.eq_ignore_ascii_case(known.name()))
    }

    /// One step milder: what a domain in test mode gets. §4.7, `t`.
    pub(super) fn milder(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the domain is a public suffix. §4.7, `psd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Psd {
    /// It is one: organisations begin one label below.
    Yes,
    /// It is an organisation's own.
    No,
    /// It does not say.
    Unknown,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcRecord {
    /// `p`: for the domain itself. A record without is one that asks for nothing.
    pub policy: Policy,
    /// `sp`: for its subdomains.
    pub subdomain_policy: Option<Policy>,
    /// `np`: for subdomains that do not exist.
    pub nonexistent_policy: Option<Policy>,
    /// `adkim=s`: the domain of a DKIM signature must be the author's exactly.
    pub strict_dkim: bool,
    /// `aspf=s`: likewise of SPF.
    pub strict_spf: bool,
    /// `psd`
    pub psd: Psd,
    /// `t=y`; also RFC 7489's `pct=0`, which domains wrote for the same.
    pub testing: bool,
    /// `rua`: where aggregate reports are wanted, as written.
    pub aggregate_reports: Vec<String>,
    /// `ruf`: where failure reports are wanted, as written.
    pub failure_reports: Vec<String>,
}

impl DmarcRecord {
    /// Reads a TXT record; nothing when it is no DMARC record. What is wrong inside one counts as not written.
    pub fn parse(record: &[u8]) -> Option<Self> {
        if record.len() > limits::RECORD_OCTETS {
            return None;
        }
        let text = std::str::from_utf8(record).ok()?;
        let tags = Tags::parse_lenient(text);
        // §4.7: the version stands first, and its value is compared with case.
        if !tags.begins_with("v") || tags.get("v") != Some("DMARC1") {
            return None;
        }
        let policy = |name: &str| tags.get(name).and_then(Policy::parse);
        let says =
            |name: &str, value: &str| tags.get(name).is_some_and(|said| said.eq_ignore_ascii_case(value));
        let uris = |name: &str| -> Vec<String> {
            let list = tags.get(name).unwrap_or_default().split(',').map(str::trim);
            list.filter(|uri| !uri.is_empty()).take(limits::REPORT_URIS).map(str::to_owned).collect()
        };
        Some(Self {
            policy: policy("p").unwrap_or(Policy::None),
            subdomain_policy: policy("sp"),
            nonexistent_policy: policy("np"),
            strict_dkim: says("adkim", "s"),
            strict_spf: says("aspf", "s"),
            psd: match tags.get("psd") {
                Some("y" | "Y") => Psd::Yes,
                Some("n" | "N") => Psd::No,
                _ => Psd::Unknown,
            },
            testing: says("t", "y") || tags.get("t").is_none() && says("pct", "0"),
            aggregate_reports: uris("rua"),
            failure_reports: uris("ruf"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<DmarcRecord> {
        DmarcRecord::parse(text.as_bytes())
    }

    #[test]
    fn records_are_read() {
        let record = parse("v=DMARC1; p=reject; sp=quarantine; np=reject; adkim=s; psd=n; rua=mailto:a@b.test, mailto:c@d.test!10m").unwrap();
        assert_eq!((record.policy, record.subdomain_policy), (Policy::Reject, Some(Policy::Quarantine)));
        assert_eq!(record.nonexistent_policy, Some(Policy::Reject));
        assert!(record.strict_dkim && !record.strict_spf && !record.testing);
        assert_eq!(record.psd, Psd::No);
        assert_eq!(record.aggregate_reports, ["mailto:a@b.test", "mailto:c@d.test!10m"]);
        assert!(parse("v=DMARC1; p=reject; t=y").unwrap().testing);
        assert!(parse("v=DMARC1; p=reject; pct=0").unwrap().testing);
        assert!(!parse("v=DMARC1; p=reject; pct=0; t=n").unwrap().testing);
        assert!(!parse("v=DMARC1; p=reject; pct=50").unwrap().testing);
    }

    #[test]
    fn what_is_no_record_and_what_is_forgiven() {
        for text in [
            "",
            "v=DMARC2; p=none",
            "v=dmarc1; p=none",
            "p=none; v=DMARC1",
            "v=DMARC10; p=none",
            "v=spf1 -all",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        for text in ["v=DMARC1", "v=DMARC1;", "v=DMARC1; p=rejekt", "v = DMARC1 ; rua=x"] {
            assert_eq!(parse(text).map(|record| record.policy), Some(Policy::None), "{text}");
        }
    }
}
