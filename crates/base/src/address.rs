//! A mail address as a value: what is compared, stored and shown. Parsing paths off the wire is `smtp/codec`'s.

use std::fmt;

/// `local-part@domain`, the local part without quoting, the domain in lower case A-label or address-literal form.
/// Local parts keep their case and spelling: `a..b@docomo.ne.jp` is an address (RFC 5321 §2.4 leaves the local part to its host).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Address {
    local: String,
    domain: String,
}

impl Address {
    /// Makes an address of a bare (unquoted) local part and a domain already in A-label form. Lower-cases the domain.
    /// Returns nothing for an empty domain, a local part over 64 or a domain over 255 octets (RFC 5321 §4.5.3.1), or control characters.
    pub fn new(local: &str, domain: &str) -> Option<Self> {
        let sane = |s: &str| !s.chars().any(|c| c.is_control());
        if domain.is_empty() || local.len() > 64 * 4 || domain.len() > 255 || !sane(local) || !sane(domain) {
            return None;
        }
        Some(Self { local: local.to_owned(), domain: domain.to_ascii_lowercase() })
    }
    /// Splits `local@domain` at the last `@`. For addresses typed by operators and users; no quoting.
    pub fn parse_plain(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        if local.is_empty() {
            return None;
        }
        Self::new(local, domain)
    }
    /// The local part, unquoted.
    pub fn local(&self) -> &str {
        &self.local
    }
    /// The domain, lower case.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

/// Writes the address as RFC 5321 has it: the local part is quoted when it is no dot-string.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Dots at odd places stay unquoted: that is how Japanese carriers write and expect them.
        let atext =
            |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c) || !c.is_ascii();
        if !self.local.is_empty() && self.local.chars().all(atext) {
            write!(f, "{}@{}", self.local, self.domain)
        } else {
            f.write_str("\"")?;
            for c in self.local.chars() {
                if c == '"' || c == '\\' {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            write!(f, "\"@{}", self.domain)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(local: &str, domain: &str, written: &str) {
        assert_eq!(Address::new(local, domain).map(|a| a.to_string()).as_deref(), Some(written));
    }

    #[test]
    fn addresses_are_written_as_rfc_5321_has_them() {
        check("ann", "Example.TEST", "ann@example.test");
        check("a..b.", "docomo.ne.jp", "a..b.@docomo.ne.jp");
        check("two words", "example.test", "\"two words\"@example.test");
        check("q\"\\", "example.test", "\"q\\\"\\\\\"@example.test");
        check("", "example.test", "\"\"@example.test");
    }

    #[test]
    fn control_characters_make_no_address() {
        assert_eq!(Address::new("a\r\nb", "example.test"), None);
        assert_eq!(Address::new("a", "example\0.test"), None);
    }
}
