//! Paths in MAIL and RCPT. RFC 5321 §4.1.2, RFC 6531 §3.3.
//! Resolves quoting and IDN; never decides whether a mailbox exists. A `%` or `!` in a local part has no meaning.
//!
//! ```abnf
//! Path         = "<" [ A-d-l ":" ] Mailbox ">"
//! A-d-l        = At-domain *( "," At-domain )          ; stripped, never followed (RFC 5321 §3.3, appendix C)
//! At-domain    = "@" Domain
//! Mailbox      = Local-part "@" ( Domain / address-literal )
//! Local-part   = 1*( atext / "." ) / Quoted-string     ; dots anywhere: a..b.@docomo.ne.jp exists
//! Domain       = sub-domain *( "." sub-domain )
//! sub-domain   = Let-dig [ Ldh-str ] / U-label         ; "_" is taken as well: such hosts exist
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};

use yubin_base::Address;

use crate::limits::{DOMAIN_OCTETS, LABEL_OCTETS, LOCAL_PART_OCTETS};

/// A path as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    /// Where it leads.
    pub target: Target,
    /// As written, without `<`, `>` and source route.
    pub original: &'a str,
    /// Whether it was written with characters beyond US-ASCII, so that SMTPUTF8 is needed.
    pub needs_smtputf8: bool,
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `<>`.
    Null,
    /// `<Postmaster>`.
    Postmaster,
    /// A mailbox.
    Mailbox(Address),
}

/// Why a path could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It breaks the grammar.
    Syntax,
    /// A part is over its limit.
    TooLong,
}

/// Reads a path from the front of the text; returns it and the rest.
pub fn parse(text: &str) -> Result<(Path<'_>, &str), PathError> {
    let inside = text.strip_prefix('<').ok_or(PathError::Syntax)?;
    if let Some(rest) = inside.strip_prefix('>') {
        return Ok((Path { target: Target::Null, original: "", needs_smtputf8: false }, rest));
    }
    let mailbox = strip_source_route(inside)?;
    let (local, rest) = parse_local_part(mailbox)?;
    if let (Some(rest), true) = (rest.strip_prefix('>'), local.eq_ignore_ascii_case("postmaster")) {
        let original = mailbox.get(..local.len()).unwrap_or_default();
        return Ok((Path { target: Target::Postmaster, original, needs_smtputf8: false }, rest));
    }
    let rest = rest.strip_prefix('@').ok_or(PathError::Syntax)?;
    let (domain, rest) = parse_domain_or_literal(rest)?;
    let original = mailbox.strip_suffix(rest).unwrap_or_default();
    let rest = rest.strip_prefix('>').ok_or(PathError::Syntax)?;
    if local.len() > LOCAL_PART_OCTETS {
        return Err(PathError::TooLong);
    }
    let address = Address::new(&local, &domain).ok_or(PathError::Syntax)?;
    let needs_smtputf8 = !original.is_ascii();
    Ok((Path { target: Target::Mailbox(address), original, needs_smtputf8 }, rest))
}

/// Reads a mailbox without brackets that fills the whole text: the AUTH parameter.
pub fn parse_mailbox(text: &str) -> Option<Address> {
    let (local, rest) = parse_local_part(text).ok()?;
    let (domain, rest) = parse_domain_or_literal(rest.strip_prefix('@')?).ok()?;
    (rest.is_empty() && local.len() <= LOCAL_PART_OCTETS).then(|| Address::new(&local, &domain)).flatten()
}

fn strip_source_route(text: &str) -> Result<&str, PathError> {
    let mut rest = text;
    while let Some(at_domain) = rest.strip_prefix('@') {
        let (_, after) = parse_domain_or_literal(at_domain)?;
        match after.strip_prefix(',') {
            // A comma goes on with another At-domain.
            Some(next) if next.starts_with('@') => rest = next,
            Some(_) => return Err(PathError::Syntax),
            None => return after.strip_prefix(':').ok_or(PathError::Syntax),
        }
    }
    Ok(rest)
}

fn parse_local_part(text: &str) -> Result<(String, &str), PathError> {
    if let Some(quoted) = text.strip_prefix('"') {
        return parse_quoted(quoted);
    }
    let end = text.find(|c: char| !is_atext(c) && c != '.').unwrap_or(text.len());
    let (local, rest) = text.split_at(end);
    if local.is_empty() { Err(PathError::Syntax) } else { Ok((local.to_owned(), rest)) }
}

/// The text after the opening quote, up to and with the closing one.
fn parse_quoted(text: &str) -> Result<(String, &str), PathError> {
    let mut local = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok((local, text.get(at + 1..).unwrap_or_default())),
            '\\' => {
                let (_, c) = characters.next().ok_or(PathError::Syntax)?;
                if !(' '..='~').contains(&c) {
                    return Err(PathError::Syntax);
                }
                local.push(c);
            }
            c if c.is_control() => return Err(PathError::Syntax),
            c => local.push(c),
        }
    }
    Err(PathError::Syntax)
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_utf8_atext(c)
}

/// RFC 6531 takes any character beyond US-ASCII; we leave out those that are no text at all.
fn is_utf8_atext(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

fn parse_domain_or_literal(text: &str) -> Result<(String, &str), PathError> {
    if let Some(literal) = text.strip_prefix('[') {
        let (inside, rest) = literal.split_once(']').ok_or(PathError::Syntax)?;
        return Ok((canonical_literal(inside).ok_or(PathError::Syntax)?, rest));
    }
    let in_domain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c) || is_utf8_atext(c);
    let end = text.find(|c: char| !in_domain(c)).unwrap_or(text.len());
    let (domain, rest) = text.split_at(end);
    Ok((canonical_domain(domain)?, rest))
}

/// The A-label form in lower case. Also for domains of operators and users.
pub fn canonical_domain(domain: &str) -> Result<String, PathError> {
    let is_label = |label: &str| {
        let inner = label.trim_matches('-');
        !label.is_empty() && inner.len() == label.len()
    };
    let lower = domain.to_lowercase();
    let plain = domain.is_ascii() && !lower.split('.').any(|label| label.starts_with("xn--"));
    // Labels that claim to be punycode are checked as well: what does not round-trip is refused (RFC 5890 §2.3.2.1).
    let domain =
        if plain { lower } else { idna::domain_to_ascii_strict(domain).map_err(|_| PathError::Syntax)? };
    if domain.len() > DOMAIN_OCTETS || domain.split('.').any(|label| label.len() > LABEL_OCTETS) {
        return Err(PathError::TooLong);
    }
    if domain.split('.').all(is_label) { Ok(domain) } else { Err(PathError::Syntax) }
}

/// ```abnf
/// address-literal = "[" ( IPv4-address-literal / "IPv6:" IPv6-addr ) "]"
/// ```
/// General-address-literal has no registered tags; it is refused.
fn canonical_literal(inside: &str) -> Option<String> {
    if let Ok(v4) = inside.parse::<Ipv4Addr>() {
        return Some(format!("[{v4}]"));
    }
    let (tag, address) = inside.split_once(':')?;
    if !tag.eq_ignore_ascii_case("IPv6") {
        return None;
    }
    address.parse::<Ipv6Addr>().ok().map(|v6| format!("[ipv6:{v6}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What came out, written as text: `local|domain`, `null`, `postmaster`, or the error.
    fn read(text: &str) -> String {
        match parse(text) {
            Ok((_, rest)) if !rest.is_empty() => format!("rest {rest}"),
            Ok((Path { target: Target::Null, .. }, _)) => "null".into(),
            Ok((Path { target: Target::Postmaster, .. }, _)) => "postmaster".into(),
            Ok((Path { target: Target::Mailbox(a), .. }, _)) => format!("{}|{}", a.local(), a.domain()),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn paths_are_read_as_rfc_5321_has_them() {
        let check = |text: &str, expected: &str| assert_eq!(read(text), expected, "{text}");
        check("<ann@Example.TEST>", "ann|example.test");
        check("<>", "null");
        check("<PostMaster>", "postmaster");
        check("<postmaster@example.test>", "postmaster|example.test");
        check("<a..b.@docomo.ne.jp>", "a..b.|docomo.ne.jp");
        check("<.@docomo.ne.jp>", ".|docomo.ne.jp");
        check("<\"two words\"@example.test>", "two words|example.test");
        check("<\"q\\\"\\\\\"@example.test>", "q\"\\|example.test");
        check("<\"a@b\"@example.test>", "a@b|example.test");
        check("<\"ann\"@example.test>", "ann|example.test");
        check("<\"\"@example.test>", "|example.test");
        check("<\"a>b\"@example.test>", "a>b|example.test");
        check("<ann@[192.0.2.1]>", "ann|[192.0.2.1]");
        check("<ann@[IPv6:2001:DB8:0::1]>", "ann|[ipv6:2001:db8::1]");
        check("<@a.test,@b.test:ann@example.test>", "ann|example.test");
        check("<@[192.0.2.1]:ann@example.test>", "ann|example.test");
        check("<a%b@example.test>", "a%b|example.test");
        check("<b!a@example.test>", "b!a|example.test");
        check("<$(id)@example.test>", "Syntax");
        check("<ann@my_host.test>", "ann|my_host.test");
        check("<ann@localhost>", "ann|localhost");
        check("<ann@example.test>x", "rest x");
    }

    #[test]
    fn domains_take_their_a_label_form() {
        let check = |text: &str, expected: &str| assert_eq!(read(text), expected, "{text}");
        check("<山@例え.テスト>", "山|xn--r8jz45g.xn--zckzah");
        check("<a@xn--r8jz45g.test>", "a|xn--r8jz45g.test");
        check("<a@XN--R8JZ45G.test>", "a|xn--r8jz45g.test");
        check("<a@xn--a.test>", "Syntax");
        check("<a@xn--.test>", "Syntax");
        check("<a@BÜCHER.test>", "a|xn--bcher-kva.test");
        check("<a@bu\u{308}cher.test>", "a|xn--bcher-kva.test");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let check = |text: &str| assert_eq!(read(text), "Syntax", "{text}");
        for text in [
            "",
            "<",
            "ann@example.test",
            "<ann@example.test",
            "<ann>",
            "<ann@>",
            "<@example.test>",
            "< ann@example.test>",
            "<ann@example.test >",
            "<ann@example..test>",
            "<ann@.test>",
            "<ann@example.test.>",
            "<ann@-example.test>",
            "<ann@example-.test>",
            "<u@d.test@example.test>",
            "<\"ann@example.test>",
            "<\"ann\"x@example.test>",
            "<\"a\\\u{e9}\"@example.test>",
            "<ann@[192.0.2.256]>",
            "<ann@[192.0.2.1>",
            "<ann@[2001:db8::1]>",
            "<ann@[IPv6:2001:db8::g]>",
            "<ann@[x-tag:abc]>",
            "<@a.test,ann@example.test>",
            "<@a.test@example.test>",
            "<@a.test:>",
            "<a;b@example.test>",
            "<a b@example.test>",
            "<a,b@example.test>",
            "<a\u{a0}b@example.test>",
            "<postmaster\u{0}@example.test>",
        ] {
            check(text);
        }
    }

    #[test]
    fn parts_have_their_limits() {
        let local = |n: usize| format!("<{}@example.test>", "a".repeat(n));
        assert!(read(&local(LOCAL_PART_OCTETS)).starts_with("aaa"));
        assert_eq!(read(&local(LOCAL_PART_OCTETS + 1)), "TooLong");
        let label = "a".repeat(63);
        assert!(parse(&format!("<a@{label}.{label}.{label}.{}>", "a".repeat(63))).is_ok());
        assert_eq!(read(&format!("<a@{label}.{label}.{label}.{label}.a>")), "TooLong");
        assert_eq!(read(&format!("<a@a{label}>")), "TooLong");
    }

    #[test]
    fn the_original_is_kept_without_the_source_route() {
        let original = |text| parse(text).map(|(path, _)| path.original);
        assert_eq!(original("<@a.test:\"Ann\"@Example.TEST> NOTIFY=NEVER"), Ok("\"Ann\"@Example.TEST"));
        assert_eq!(original("<PostMaster>"), Ok("PostMaster"));
        assert_eq!(original("<>"), Ok(""));
    }
}
