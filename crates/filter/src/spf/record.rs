//! SPF records as values. RFC 7208 §4.6.1, §5, §6, §12. A record with one mistake is no record at all, so all of it is read first.
//!
//! ```abnf
//! record    = version terms *SP
//! version   = "v=spf1"
//! terms     = *( 1*SP ( directive / modifier ) )
//! directive = [ qualifier ] mechanism
//! qualifier = "+" / "-" / "?" / "~"
//! mechanism = ( all / include / a / mx / ptr / ip4 / ip6 / exists )
//! modifier  = redirect / explanation / unknown-modifier
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};

use super::macros::MacroString;
use crate::{Outcome, limits};

/// A record breaks the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What is tried, in order.
    pub directives: Vec<Directive>,
    /// Whose record counts when nothing matches.
    pub redirect: Option<MacroString>,
    /// Where the words for a fail stand.
    pub explanation: Option<MacroString>,
}

/// A mechanism and what its match means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Pass, fail, softfail or neutral.
    pub qualifier: Outcome,
    /// What is compared.
    pub mechanism: Mechanism,
}

/// §5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Matches always.
    All,
    /// Matches when the other record says pass.
    Include(MacroString),
    /// The addresses of a name, or of the domain itself.
    A(Option<MacroString>, DualCidr),
    /// The addresses of its mail hosts.
    Mx(Option<MacroString>, DualCidr),
    /// The names of the address; not recommended.
    Ptr(Option<MacroString>),
    /// An IPv4 network.
    Ip4(Ipv4Addr, u8),
    /// An IPv6 network.
    Ip6(Ipv6Addr, u8),
    /// Matches when the name has an A record.
    Exists(MacroString),
}

/// Prefix lengths for both families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DualCidr {
    /// 0 to 32.
    pub v4: u8,
    /// 0 to 128.
    pub v6: u8,
}

/// Whether a TXT record is one of ours: the version, and then a space or nothing. §4.5.
pub(super) fn is_spf(record: &[u8]) -> bool {
    let version = record.get(..6).is_some_and(|version| version.eq_ignore_ascii_case(b"v=spf1"));
    version && matches!(record.get(6), None | Some(b' '))
}

impl Record {
    /// Reads a record; its version has been looked at.
    pub fn parse(record: &[u8]) -> Result<Self, SyntaxError> {
        if record.len() > limits::RECORD_OCTETS || !is_spf(record) || !record.is_ascii() {
            return Err(SyntaxError);
        }
        let text = std::str::from_utf8(record).map_err(|_| SyntaxError)?;
        let mut parsed = Self { directives: Vec::new(), redirect: None, explanation: None };
        for term in text.get(6..).unwrap_or_default().split(' ').filter(|term| !term.is_empty()) {
            parsed.add(term)?;
        }
        Ok(parsed)
    }

    fn add(&mut self, term: &str) -> Result<(), SyntaxError> {
        if let Some((name, value)) = modifier(term) {
            let once = |place: &mut Option<MacroString>| match place {
                Some(_) => Err(SyntaxError),
                None => {
                    *place = Some(MacroString::domain_spec(value)?);
                    Ok(())
                }
            };
            return match name.to_ascii_lowercase().as_str() {
                "redirect" => once(&mut self.redirect),
                "exp" => once(&mut self.explanation),
                // §6: unknown modifiers are ignored, their syntax is not.
                _ => MacroString::parse(value, false).map(|_| ()),
            };
        }
        let (qualifier, rest) = match term.split_at_checked(1) {
            Some(("+", rest)) => (Outcome::Pass, rest),
            Some(("-", rest)) => (Outcome::Fail, rest),
            Some(("~", rest)) => (Outcome::SoftFail, rest),
            Some(("?", rest)) => (Outcome::Neutral, rest),
            _ => (Outcome::Pass, term),
        };
        self.directives.push(Directive { qualifier, mechanism: mechanism(rest)? });
        Ok(())
    }
}

/// `name "=" macro-string`; the name ends at the first character that cannot stand in it.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let mut letters = name.bytes();
    let named = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'));
    named.then_some((name, value))
}

fn mechanism(text: &str) -> Result<Mechanism, SyntaxError> {
    let end = text.find([':', '/']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).ok_or(SyntaxError)?;
    let argument = rest.strip_prefix(':');
    match (name.to_ascii_lowercase().as_str(), argument) {
        ("all", None) if rest.is_empty() => Ok(Mechanism::All),
        ("include", Some(domain)) => Ok(Mechanism::Include(MacroString::domain_spec(domain)?)),
        ("exists", Some(domain)) => Ok(Mechanism::Exists(MacroString::domain_spec(domain)?)),
        ("a", _) => with_cidr(argument, rest).map(|(domain, cidr)| Mechanism::A(domain, cidr)),
        ("mx", _) => with_cidr(argument, rest).map(|(domain, cidr)| Mechanism::Mx(domain, cidr)),
        ("ptr", None) if rest.is_empty() => Ok(Mechanism::Ptr(None)),
        ("ptr", Some(domain)) => Ok(Mechanism::Ptr(Some(MacroString::domain_spec(domain)?))),
        ("ip4", Some(network)) => {
            let (address, length) = network_of(network, 32)?;
            Ok(Mechanism::Ip4(address.parse().map_err(|_| SyntaxError)?, length))
        }
        ("ip6", Some(network)) => {
            let (address, length) = network_of(network, 128)?;
            Ok(Mechanism::Ip6(address.parse().map_err(|_| SyntaxError)?, length))
        }
        _ => Err(SyntaxError),
    }
}

/// `[ ":" domain-spec ] [ dual-cidr-length ]`. A slash may stand in a domain-spec too; lengths are what is left at the end when it is digits.
fn with_cidr(argument: Option<&str>, rest: &str) -> Result<(Option<MacroString>, DualCidr), SyntaxError> {
    let Some(argument) = argument else { return Ok((None, dual_cidr(rest)?)) };
    let without_v6 = before_digits(argument).and_then(|text| text.strip_suffix("//")).unwrap_or(argument);
    let domain = before_digits(without_v6).and_then(|text| text.strip_suffix('/')).unwrap_or(without_v6);
    let cidr = argument.get(domain.len()..).unwrap_or_default();
    Ok((Some(MacroString::domain_spec(domain)?), dual_cidr(cidr)?))
}

/// The text without the digits at its end; nothing when there are none.
fn before_digits(text: &str) -> Option<&str> {
    let before = text.trim_end_matches(|c: char| c.is_ascii_digit());
    (before.len() < text.len()).then_some(before)
}

/// `[ "/" ip4-cidr ] [ "//" ip6-cidr ]`
fn dual_cidr(text: &str) -> Result<DualCidr, SyntaxError> {
    let (v4, v6) = match text.split_once("//") {
        Some((v4, v6)) => (v4, Some(v6)),
        None => (text, None),
    };
    let v4 = match v4.strip_prefix('/') {
        Some(length) => prefix_length(length, 32)?,
        None if v4.is_empty() => 32,
        None => return Err(SyntaxError),
    };
    let v6 = v6.map_or(Ok(128), |length| prefix_length(length, 128))?;
    Ok(DualCidr { v4, v6 })
}

fn network_of(text: &str, max: u8) -> Result<(&str, u8), SyntaxError> {
    match text.split_once('/') {
        Some((address, length)) => Ok((address, prefix_length(length, max)?)),
        None => Ok((text, max)),
    }
}

/// Digits without a leading zero.
fn prefix_length(text: &str, max: u8) -> Result<u8, SyntaxError> {
    let digits = !text.is_empty() && text.len() <= 3 && text.bytes().all(|c| c.is_ascii_digit());
    if !digits || text.len() > 1 && text.starts_with('0') {
        return Err(SyntaxError);
    }
    text.parse().ok().filter(|length| *length <= max).ok_or(SyntaxError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(text: &str) -> Record {
        Record::parse(text.as_bytes()).unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn records_are_read() {
        let record = ok(
            "V=SPF1 ip4:192.0.2.0/24  -ip6:2001:db8::/32 a/24//64 ~mx:%{d2}/8 ?all redirect=x.test other=%{i}",
        );
        assert_eq!(record.directives.len(), 5);
        assert_eq!(
            record.directives[1],
            Directive {
                qualifier: Outcome::Fail,
                mechanism: Mechanism::Ip6("2001:db8::".parse().unwrap(), 32)
            }
        );
        assert_eq!(record.directives[2].mechanism, Mechanism::A(None, DualCidr { v4: 24, v6: 64 }));
        assert!(record.redirect.is_some());
        assert!(is_spf(b"v=spf1") && !is_spf(b"v=spf10 all") && !is_spf(b"v=spf"));
    }

    #[test]
    fn one_mistake_spoils_the_record() {
        for text in [
            "v=spf1 all:x",
            "v=spf1 al",
            "v=spf1 ip4:1.2.3",
            "v=spf1 ip4:1.2.3.4/33",
            "v=spf1 ip4:1.2.3.4/08",
            "v=spf1 a/",
            "v=spf1 a:",
            "v=spf1 include",
            "v=spf1 include:",
            "v=spf1 redirect=a.b redirect=a.b",
            "v=spf1 exp=",
            "v=spf1 a:x.%{q}",
            "v=spf1 a:x.123",
            "v=spf1 mx//129",
            "v=spf1 ptr/24",
            "v=spf1 -\u{e9}",
        ] {
            assert_eq!(Record::parse(text.as_bytes()), Err(SyntaxError), "{text}");
        }
    }
}
