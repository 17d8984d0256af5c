//! Rules for mailbox names (RFC 9051 §5.1). Pure.

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::{StoreError, limits};

/// The inbox's name, as we spell it.
pub(crate) const INBOX: &str = "INBOX";

/// Where names of other users' mailboxes begin (RFC 9051 §6.3.10); no account's own name does.
pub const OTHER_USERS: &str = "Other Users";
/// Where names of public mailboxes begin.
pub const PUBLIC: &str = "Public Mailboxes";

/// The name as we keep it: NFC, and `INBOX` in capitals where it is the first level, since clients spell it at will
/// (RFC 9051 §5.1). Breaks no rule for names that are only looked up.
pub fn canonical(name: &str) -> String {
    let mut name: String = if is_nfc(name) { name.to_owned() } else { name.nfc().collect() };
    let first = name.split('/').next().unwrap_or_default();
    if first.eq_ignore_ascii_case(INBOX) {
        name.replace_range(..INBOX.len(), INBOX);
    }
    name
}

/// The name as we keep it, if a mailbox may have it.
pub(crate) fn checked(name: &str) -> Result<String, StoreError> {
    let name = canonical(name);
    if name.len() > limits::MAILBOX_NAME_OCTETS {
        return Err(StoreError::BadName("the name is too long"));
    }
    if name.split('/').any(str::is_empty) {
        return Err(StoreError::BadName("a level of the name is empty"));
    }
    if name.split('/').count() > limits::MAILBOX_LEVELS {
        return Err(StoreError::BadName("the name has too many levels"));
    }
    // U+2028 and U+2029 are line breaks as well; U+FEFF and U+FFFD come from broken conversions.
    if name.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffd}'))
    {
        return Err(StoreError::BadName("the name has a control character"));
    }
    // `#` begins namespaces (RFC 9051 §5.1.2).
    if name.starts_with('#') {
        return Err(StoreError::BadName("the name begins with '#'"));
    }
    Ok(name)
}

/// As [`checked`], for a name that a mailbox of the account gets: it must not look like another account's.
pub(crate) fn checked_own(name: &str) -> Result<String, StoreError> {
    let name = checked(name)?;
    if [OTHER_USERS, PUBLIC].contains(&name.split('/').next().unwrap_or_default()) {
        return Err(StoreError::BadName("names of other accounts' mailboxes begin so"));
    }
    Ok(name)
}

/// The levels above a name, the highest first.
pub(crate) fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

/// Whether `name` lies below `parent`.
pub(crate) fn is_below(name: &str, parent: &str) -> bool {
    name.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_one() {
        for (name, expected) in [
            ("inbox", "INBOX"),
            ("Inbox/a", "INBOX/a"),
            ("inboxes", "inboxes"),
            ("a/inbox", "a/inbox"),
            ("Gro\u{0308}\u{df}e", "Gr\u{f6}\u{df}e"),
            ("下書き/二", "下書き/二"),
        ] {
            assert_eq!(checked(name).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn names_that_break_a_rule_are_refused() {
        let long = "x".repeat(limits::MAILBOX_NAME_OCTETS + 1);
        let deep = vec!["a"; limits::MAILBOX_LEVELS + 1].join("/");
        for name in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            "a\u{85}",
            "a\u{2028}",
            "#news",
            &long,
            &deep,
        ] {
            assert!(matches!(checked(name), Err(StoreError::BadName(_))), "{name:?}");
        }
    }

    #[test]
    fn names_of_other_namespaces_are_for_subscriptions_only() {
        for name in [OTHER_USERS, "Other Users/bob@b.test/INBOX", "Public Mailboxes/x"] {
            assert!(checked(name).is_ok() && checked_own(name).is_err(), "{name}");
        }
        assert!(checked_own("Other Users 2/a").is_ok() && checked_own("a/Other Users").is_ok());
    }

    #[test]
    fn parents_come_from_the_top() {
        assert_eq!(parents("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(parents("a").count(), 0);
        assert!(is_below("a/b", "a") && !is_below("ab", "a") && !is_below("a", "a"));
    }
}
