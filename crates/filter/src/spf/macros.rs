//! Macros: names and explanations with holes that the query fills. RFC 7208 §7.
//!
//! ```abnf
//! domain-spec   = macro-string domain-end
//! domain-end    = ( "." toplabel [ "." ] ) / macro-expand
//! macro-string  = *( macro-expand / macro-literal )
//! macro-expand  = ( "%{" macro-letter transformers *delimiter "}" ) / "%%" / "%_" / "%-"
//! macro-literal = %x21-24 / %x26-7E
//! transformers  = *DIGIT [ "r" ]
//! delimiter     = "." / "-" / "+" / "," / "/" / "_" / "="
//! ```

use super::record::SyntaxError;
use crate::limits;

/// Text with macros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroString(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Macro(Macro),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Macro {
    /// Lower case.
    letter: char,
    /// Written in upper case: the value is percent-encoded.
    escape: bool,
    /// How many parts are kept, from the right; none keeps all.
    keep: Option<usize>,
    reverse: bool,
    delimiters: String,
}

/// What fills the holes. §7.2.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// `s`: sender.
    pub sender: String,
    /// `l`: its local part.
    pub local: String,
    /// `o`: its domain.
    pub sender_domain: String,
    /// `d`: the domain whose record is read.
    pub domain: String,
    /// `i`: the address; IPv6 as dotted nibbles.
    pub address: String,
    /// `p`: a validated name of the address, or `unknown`.
    pub validated: String,
    /// `v`: `in-addr` or `ip6`.
    pub family: &'static str,
    /// `h`: the HELO name.
    pub helo: String,
    /// `c`: the address as people read it. Explanations only.
    pub readable: String,
    /// `r`: who receives. Explanations only.
    pub receiver: String,
    /// `t`: seconds since 1970. Explanations only.
    pub timestamp: String,
}

impl MacroString {
    /// Reads a domain-spec: what names a domain, so it ends with a label that is not all digits, or with a macro.
    pub(super) fn domain_spec(text: &str) -> Result<Self, SyntaxError> {
        let parsed = Self::parse(text, false)?;
        match parsed.0.last() {
            Some(Piece::Macro(_)) => Ok(parsed),
            Some(Piece::Literal(literal)) if !text.ends_with(['%', '_', '-']) || !ends_with_escape(text) => {
                let literal = literal.strip_suffix('.').unwrap_or(literal);
                let (_, top) = literal.rsplit_once('.').ok_or(SyntaxError)?;
                if is_top_label(top) { Ok(parsed) } else { Err(SyntaxError) }
            }
            Some(Piece::Literal(_)) => Ok(parsed),
            None => Err(SyntaxError),
        }
    }

    /// Reads a macro-string. Explanations may hold spaces and the letters c, r and t.
    pub(super) fn parse(text: &str, explanation: bool) -> Result<Self, SyntaxError> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            rest = after;
            if c != '%' {
                if !(c.is_ascii_graphic() || explanation && c == ' ') {
                    return Err(SyntaxError);
                }
                literal.push(c);
                continue;
            }
            let second = after.chars().next().ok_or(SyntaxError)?;
            rest = after.get(second.len_utf8()..).unwrap_or_default();
            match second {
                '%' => literal.push('%'),
                '_' => literal.push(' '),
                '-' => literal.push_str("%20"),
                '{' => {
                    let (inside, behind) = rest.split_once('}').ok_or(SyntaxError)?;
                    rest = behind;
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Macro(Macro::parse(inside, explanation)?));
                }
                _ => return Err(SyntaxError),
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// Whether `p` is asked for: its value costs questions to DNS.
    pub(super) fn needs_validated(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Macro(Macro { letter: 'p', .. })))
    }

    /// Fills the holes. Bounded by [`limits::RECORD_OCTETS`].
    pub(super) fn expand(&self, values: &Values) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Macro(one) => one.expand(values, &mut out),
            }
            if out.len() > limits::RECORD_OCTETS {
                let end = (0..=limits::RECORD_OCTETS).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
                out.truncate(end);
                break;
            }
        }
        out
    }

    /// The expansion as a domain: labels are dropped from the left until 253 octets hold it (§7.3).
    pub(super) fn expand_domain(&self, values: &Values) -> String {
        let name = self.expand(values);
        let mut name = name.strip_suffix('.').unwrap_or(&name);
        while name.len() > 253 {
            match name.split_once('.') {
                Some((_, rest)) => name = rest,
                None => break,
            }
        }
        name.to_owned()
    }
}

fn ends_with_escape(text: &str) -> bool {
    ["%%", "%_", "%-"].iter().any(|escape| text.ends_with(escape))
}

/// `( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )`
fn is_top_label(label: &str) -> bool {
    let ldh = label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    let numeric = label.bytes().all(|c| c.is_ascii_digit());
    !label.is_empty() && ldh && !numeric && !label.starts_with('-') && !label.ends_with('-')
}

impl Macro {
    fn parse(inside: &str, explanation: bool) -> Result<Self, SyntaxError> {
        let mut chars = inside.chars();
        let written = chars.next().ok_or(SyntaxError)?;
        let letter = written.to_ascii_lowercase();
        let known = if explanation { "slodiphvcrt" } else { "slodiphv" };
        if !known.contains(letter) {
            return Err(SyntaxError);
        }
        let rest = chars.as_str();
        let digits_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, rest) = rest.split_at_checked(digits_end).ok_or(SyntaxError)?;
        let keep = match digits {
            "" => None,
            // §7.1: the number must not be zero; one that is too long to read keeps all.
            digits if digits.bytes().all(|c| c == b'0') => return Err(SyntaxError),
            digits => Some(digits.parse().unwrap_or(usize::MAX)),
        };
        let (reverse, delimiters) = match rest.strip_prefix(['r', 'R']) {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        if !delimiters.chars().all(|c| ".-+,/_=".contains(c)) {
            return Err(SyntaxError);
        }
        let escape = written.is_ascii_uppercase();
        Ok(Self { letter, escape, keep, reverse, delimiters: delimiters.to_owned() })
    }

    fn expand(&self, values: &Values, out: &mut String) {
        let value = match self.letter {
            's' => &values.sender,
            'l' => &values.local,
            'o' => &values.sender_domain,
            'd' => &values.domain,
            'i' => &values.address,
            'p' => &values.validated,
            'v' => values.family,
            'h' => &values.helo,
            'c' => &values.readable,
            'r' => &values.receiver,
            _ => &values.timestamp,
        };
        let value = self.transform(value);
        if !self.escape {
            out.push_str(&value);
            return;
        }
        for octet in value.bytes() {
            // RFC 3986 §2.3, unreserved.
            if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
                out.push(char::from(octet));
            } else {
                out.push_str(&format!("%{octet:02X}"));
            }
        }
    }

    fn transform(&self, value: &str) -> String {
        if self.keep.is_none() && !self.reverse && self.delimiters.is_empty() {
            return value.to_owned();
        }
        let delimiters = if self.delimiters.is_empty() { "." } else { &self.delimiters };
        let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
        if self.reverse {
            parts.reverse();
        }
        let from = parts.len().saturating_sub(self.keep.unwrap_or(usize::MAX));
        parts.get(from..).unwrap_or_default().join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of §7.4.
    #[test]
    fn macros_expand_as_rfc_7208_section_7_4_shows() {
        let values = Values {
            sender: "strong-bad@email.example.com".into(),
            local: "strong-bad".into(),
            sender_domain: "email.example.com".into(),
            domain: "email.example.com".into(),
            address: "192.0.2.3".into(),
            validated: "mx.example.org".into(),
            family: "in-addr",
            ..Values::default()
        };
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l-}", "strong.bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
            ("%{S}%%%_%-", "strong-bad%40email.example.com% %20"),
        ] {
            assert_eq!(MacroString::parse(text, false).unwrap().expand(&values), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_macro() {
        for text in ["%", "%a", "%{", "%{}", "%{q}", "%{d0}", "%{d2x}", "%{c}", "a b", "%{d}%"] {
            assert_eq!(MacroString::parse(text, false), Err(SyntaxError), "{text}");
        }
        assert!(MacroString::parse("at %{c} by %{r}, %{t}", true).is_ok());
        for text in ["", "com", "a.1", "a.-b", "a.b-", "a.b..", "x.c/d"] {
            assert_eq!(MacroString::domain_spec(text), Err(SyntaxError), "{text}");
        }
        for text in ["a.b", "a.b.", "%{d}", "x.%{d}", "%{i}.a-1"] {
            assert!(MacroString::domain_spec(text).is_ok(), "{text}");
        }
    }
}
