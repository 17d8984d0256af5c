//! The author that people are shown: the one address in the one From field. RFC 5322 §3.6.2; RFC 9989 §4.4 judges by it and by no other.
//! Never guesses: a message that could show different people different authors has none.

use yubin_formats::mail::{Address, Mailbox, fields, parse_addresses};

use crate::domain;

/// Who wrote the message, as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The local part, unquoted.
    pub local: String,
    /// The domain, normalised.
    pub domain: String,
    /// The display name, decoded.
    pub name: Option<String>,
}

/// Why there is no such author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorError {
    /// No From field.
    NoField,
    /// More than one From field.
    SeveralFields,
    /// No address in it, or none with a domain that DNS could have.
    NoAddress,
    /// More than one address, a group, or a route.
    SeveralAddresses,
}

impl AuthorError {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoField => "no From field",
            Self::SeveralFields => "more than one From field",
            Self::NoAddress => "no address in From",
            Self::SeveralAddresses => "more than one address in From",
        }
    }
}

/// Finds the author in a header section.
pub fn author(block: &[u8]) -> Result<Author, AuthorError> {
    let mut from = fields(block).filter(|field| field.is(b"From"));
    let field = from.next().ok_or(AuthorError::NoField)?;
    if from.next().is_some() || hidden_from(block) {
        return Err(AuthorError::SeveralFields);
    }
    // Some readers end a name at a NUL, some pass over it.
    if field.value.contains(&0) {
        return Err(AuthorError::NoAddress);
    }
    let found = parse_addresses(field.value);
    if found.iter().any(|address| !matches!(address, Address::Mailbox(_))) {
        return Err(AuthorError::SeveralAddresses);
    }
    let mailboxes: Vec<&Mailbox> = found.iter().filter_map(Address::mailbox).collect();
    let [mailbox] = mailboxes.as_slice() else {
        let none = mailboxes.is_empty();
        return Err(if none { AuthorError::NoAddress } else { AuthorError::SeveralAddresses });
    };
    // Readers that do not know routes take the wrong end of one.
    if mailbox.route.is_some() {
        return Err(AuthorError::SeveralAddresses);
    }
    let text = |octets: &[u8]| {
        String::from_utf8(octets.to_vec()).ok().filter(|text| !text.chars().any(char::is_control))
    };
    let local = text(&mailbox.local).filter(|local| !local.is_empty()).ok_or(AuthorError::NoAddress)?;
    let domain =
        text(&mailbox.domain).and_then(|name| domain::normal(&name)).ok_or(AuthorError::NoAddress)?;
    Ok(Author { local, domain, name: mailbox.decoded_name() })
}

/// A line that some readers take for a From field, and our parser for none: with white space before the name, at the top.
fn hidden_from(block: &[u8]) -> bool {
    let first = block.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let trimmed = first.trim_ascii_start();
    let indented = trimmed.len() < first.len();
    indented && trimmed.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"from:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(block: &str, expected: Result<&str, AuthorError>) {
        let found = author(block.as_bytes()).map(|author| format!("{}@{}", author.local, author.domain));
        assert_eq!(found.as_deref().map_err(|error| *error), expected, "{block:?}");
    }

    #[test]
    fn the_author_is_the_one_address_that_is_shown() {
        check("From: ann@Example.TEST\r\n", Ok("ann@example.test"));
        check("Subject: x\r\nFROM : \"a@b.test\" <ann@c.test>\r\n", Ok("ann@c.test"));
        check("From: ann@b\u{fc}cher.test\r\n", Ok("ann@xn--bcher-kva.test"));
    }

    /// The forms of "Composition Kills" (USENIX Security 2020) that make servers and readers see different authors.
    #[test]
    fn who_could_be_several_is_nobody() {
        check("", Err(AuthorError::NoField));
        check("From: a@b.test\r\nfrom: c@d.test\r\n", Err(AuthorError::SeveralFields));
        check("From: a@b.test\r\nFrom : c@d.test\r\n", Err(AuthorError::SeveralFields));
        check(" From: a@b.test\r\nFrom: c@d.test\r\n", Err(AuthorError::SeveralFields));
        check("From: a@b.test, c@d.test\r\n", Err(AuthorError::SeveralAddresses));
        check("From: <a@b.test> <c@d.test>\r\n", Err(AuthorError::SeveralAddresses));
        check("From: <@x.test,@y.test:a@b.test>\r\n", Err(AuthorError::SeveralAddresses));
        check("From: us: a@b.test, c@d.test;\r\n", Err(AuthorError::SeveralAddresses));
        check("From: us:;\r\n", Err(AuthorError::SeveralAddresses));
        check("From:\r\n", Err(AuthorError::NoAddress));
        check("From: Ann\r\n", Err(AuthorError::NoAddress));
        check("From: =?utf-8?b?YUBiLnRlc3Q=?=\r\n", Err(AuthorError::NoAddress));
        check("From: a@b\0.test\r\n", Err(AuthorError::NoAddress));
        check("From: a@[192.0.2.1]\r\n", Err(AuthorError::NoAddress));
    }
}
