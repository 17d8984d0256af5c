//! How names are compared: domains as lower-case A-labels, local parts after NFC and, unless the domain says otherwise, without case.
//! Never decides whether a name exists. RFC 5321 §2.4 (case belongs to the host), RFC 5891 (A-labels), RFC 6531 §3.2 (NFC).

use unicode_normalization::UnicodeNormalization;
use yubin_base::Address;

use crate::{DirectoryError, limits, text::Escaped};

/// A domain's A-label form, lower case, without the root's dot; refuses what does not survive the round trip.
pub(crate) fn domain_a_label(typed: &str) -> Result<String, DirectoryError> {
    let bare = typed.strip_suffix('.').unwrap_or(typed);
    let refused = || DirectoryError::BadDomain(Escaped(typed).to_string());
    let ascii = idna::domain_to_ascii_strict(bare).map_err(|_| refused())?;
    let numeric = ascii.rsplit('.').next().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    if ascii.is_empty() || ascii.len() > limits::DOMAIN_OCTETS || numeric {
        return Err(refused());
    }
    Ok(ascii)
}

/// A domain as people read it.
pub(crate) fn domain_u_label(ascii: &str) -> String {
    match idna::domain_to_unicode(ascii) {
        (unicode, Ok(())) => unicode,
        _ => ascii.to_owned(),
    }
}

/// An incoming domain in the form the tables know. Wire domains are lower-case ASCII already; the rare others are converted.
pub(crate) fn domain_of_wire(domain: &str) -> Option<std::borrow::Cow<'_, str>> {
    let bare = domain.strip_suffix('.').unwrap_or(domain);
    if bare.bytes().any(|b| b.is_ascii_uppercase()) && bare.is_ascii() {
        Some(bare.to_ascii_lowercase().into())
    } else if bare.is_ascii() {
        Some(bare.into())
    } else {
        domain_a_label(domain).ok().map(Into::into)
    }
}

/// A local part as it is compared.
pub(crate) fn fold_local(local: &str, case_sensitive: bool) -> String {
    if local.is_ascii() {
        return if case_sensitive { local.to_owned() } else { local.to_ascii_lowercase() };
    }
    let composed: String = local.nfc().collect();
    if case_sensitive { composed } else { composed.to_lowercase().nfc().collect() }
}

/// The key under which a name is found. The domain must be in A-label form.
pub(crate) fn name_key(local: &str, domain: &str, case_sensitive: bool) -> String {
    let mut key = fold_local(local, case_sensitive);
    key.push('@');
    key.push_str(domain);
    key
}

/// Reads an address as operators and users type it: `local@domain`, the domain in either form, the local part bare.
pub(crate) fn address(typed: &str) -> Result<Address, DirectoryError> {
    let refused = || DirectoryError::BadAddress(Escaped(typed).to_string());
    let (local, domain) = typed.trim().rsplit_once('@').ok_or_else(refused)?;
    let domain = domain_a_label(domain)?;
    let local: String = local.nfc().collect();
    let odd =
        |c: char| c.is_control() || c.is_whitespace() || "\"\\<>()[],;:@".contains(c) || is_invisible(c);
    if local.is_empty()
        || fold_local(&local, false).len() > limits::LOCAL_OCTETS
        || local.len() > limits::LOCAL_OCTETS
    {
        return Err(refused());
    }
    if local.chars().any(odd) {
        return Err(refused());
    }
    Address::new(&local, &domain).ok_or_else(refused)
}

/// Characters that change how others are shown while showing nothing themselves.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_become_a_labels() {
        for (typed, ascii) in [
            ("Example.TEST", Some("example.test")),
            ("example.test.", Some("example.test")),
            ("例え.test", Some("xn--r8jz45g.test")),
            ("XN--R8JZ45G.test", Some("xn--r8jz45g.test")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("bu\u{308}cher.example", Some("xn--bcher-kva.example")),
            ("localhost", Some("localhost")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("xn--a", None),
            ("-a.test", None),
            ("a b.test", None),
            ("192.0.2.1", None),
            ("[192.0.2.1]", None),
            ("a@b.test", None),
        ] {
            assert_eq!(domain_a_label(typed).ok().as_deref(), ascii, "{typed}");
        }
        assert!(domain_a_label(&format!("{}.test", "a".repeat(64))).is_err());
        assert_eq!(domain_u_label("xn--r8jz45g.test"), "例え.test");
    }

    #[test]
    fn local_parts_compare_without_case_after_nfc() {
        for (a, b, same, same_case_sensitive) in [
            ("Ann", "ann", true, false),
            ("é", "e\u{301}", true, true),
            ("É", "e\u{301}", true, false),
            ("ann", "anna", false, false),
            ("花子", "花子", true, true),
        ] {
            assert_eq!(fold_local(a, false) == fold_local(b, false), same, "{a} {b}");
            assert_eq!(fold_local(a, true) == fold_local(b, true), same_case_sensitive, "{a} {b}");
        }
    }

    #[test]
    fn typed_addresses_are_read_or_refused() {
        for (typed, read) in [
            ("Ann@Example.Test", Some("Ann@example.test")),
            (" ann@example.test ", Some("ann@example.test")),
            ("a..b@docomo.ne.jp", Some("a..b@docomo.ne.jp")),
            ("花子@例え.test", Some("花子@xn--r8jz45g.test")),
            ("ann", None),
            ("@example.test", None),
            ("ann@", None),
            ("a b@example.test", None),
            ("a\u{202e}b@example.test", None),
            ("a\nb@example.test", None),
            ("<ann@example.test>", None),
            ("a@b@example.test", None),
        ] {
            assert_eq!(address(typed).ok().map(|a| a.to_string()).as_deref(), read, "{typed}");
        }
        assert!(address(&format!("{}@example.test", "a".repeat(193))).is_err());
    }
}
