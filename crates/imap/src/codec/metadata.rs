//! GETMETADATA and SETMETADATA on the wire, and METADATA of LIST (RFC 5464 §5, RFC 9590 §2). Entry names are read as RFC 5464 §3.2 has them.

use super::{
    Dialect,
    cursor::{Cursor, Parsed, upper},
    list::reference,
};
use crate::limits::METADATA_ENTRIES;

/// A GETMETADATA command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetMetadata {
    /// The mailbox; empty is the server.
    pub mailbox: String,
    /// What is wanted.
    pub wanted: Wanted,
}

/// Which entries, and how large.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// MAXSIZE.
    pub octets_max: Option<u64>,
    /// DEPTH.
    pub depth: Depth,
    /// Names in lower case.
    pub entries: Vec<String>,
}

/// How far below the entries that are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Not at all.
    #[default]
    Zero,
    /// Immediately below.
    One,
    /// As far as it goes.
    Infinity,
}

/// A SETMETADATA command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetMetadata {
    /// The mailbox; empty is the server.
    pub mailbox: String,
    /// Names in lower case, and values; none takes away.
    pub entries: Vec<(String, Option<Vec<u8>>)>,
}

/// ```abnf
/// getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries
/// ```
/// The RFC's own examples have the options behind the mailbox, and so do clients.
pub fn get(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<GetMetadata> {
    let mut wanted = Wanted::default();
    cursor.sp()?;
    if cursor.peek() == Some(b'(') {
        options(cursor, &mut wanted)?;
        cursor.sp()?;
    }
    let mailbox = reference(cursor, dialect)?;
    cursor.sp()?;
    read_wanted(cursor, &mut wanted)?;
    Ok(GetMetadata { mailbox, wanted })
}

/// `[getmetadata-options SP] entries`
pub fn wanted(cursor: &mut Cursor<'_>) -> Parsed<Wanted> {
    let mut wanted = Wanted::default();
    read_wanted(cursor, &mut wanted)?;
    Ok(wanted)
}

fn read_wanted(cursor: &mut Cursor<'_>, wanted: &mut Wanted) -> Parsed<()> {
    if options(&mut cursor.clone(), &mut Wanted::default()).is_ok() {
        options(cursor, wanted)?;
        cursor.sp()?;
    }
    wanted.entries = if cursor.peek() == Some(b'(') {
        cursor.parenthesised(METADATA_ENTRIES, |c| entry(c, 1))?
    } else {
        vec![entry(cursor, 1)?]
    };
    if wanted.entries.is_empty() { cursor.wrong("expected an entry") } else { Ok(()) }
}

/// ```abnf
/// getmetadata-options = "(" getmetadata-option *(SP getmetadata-option) ")"
/// getmetadata-option = "MAXSIZE" SP number / "DEPTH" SP ("0" / "1" / "infinity")
/// ```
fn options(cursor: &mut Cursor<'_>, wanted: &mut Wanted) -> Parsed<()> {
    let options = cursor.parenthesised(8, |c| {
        let start = c.clone();
        match upper(c.atom()?, &mut [0; 32]) {
            "MAXSIZE" => {
                c.sp()?;
                wanted.octets_max = Some(c.number64()?);
            }
            "DEPTH" => {
                c.sp()?;
                let start = c.clone();
                wanted.depth = match upper(c.atom()?, &mut [0; 32]) {
                    "0" => Depth::Zero,
                    "1" => Depth::One,
                    "INFINITY" => Depth::Infinity,
                    _ => return start.wrong("expected 0, 1 or infinity"),
                };
            }
            _ => return start.wrong("there is no such option"),
        }
        Ok(())
    })?;
    if options.is_empty() { cursor.wrong("expected an option") } else { Ok(()) }
}

/// ```abnf
/// setmetadata = "SETMETADATA" SP mailbox SP entry-values
/// entry-values = "(" entry-value *(SP entry-value) ")"
/// entry-value = entry SP (nstring / literal8)
/// ```
pub fn set(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<SetMetadata> {
    cursor.sp()?;
    let mailbox = reference(cursor, dialect)?;
    cursor.sp()?;
    let entries = cursor.parenthesised(METADATA_ENTRIES, |c| {
        let name = entry(c, 2)?;
        c.sp()?;
        Ok((name, c.nstring8()?.map(|value| value.into_owned())))
    })?;
    if entries.is_empty() { cursor.wrong("expected an entry") } else { Ok(SetMetadata { mailbox, entries }) }
}

/// An entry's name, of so many components at least. Below `vendor`, the vendor's name and one of its own follow.
fn entry(cursor: &mut Cursor<'_>, components: usize) -> Parsed<String> {
    let start = cursor.clone();
    let name = cursor.astring()?.to_ascii_lowercase();
    let sane = |c: &u8| matches!(c, b' '..=b'~') && !matches!(c, b'*' | b'%');
    let Some(name) = String::from_utf8(name).ok().filter(|n| n.bytes().all(|c| sane(&c))) else {
        return start.wrong("an entry's name is US-ASCII without * and %");
    };
    let parts: Vec<&str> = name.split('/').skip(1).collect();
    if !name.starts_with('/') || parts.iter().any(|part| part.is_empty()) {
        return start.wrong("an entry's name begins with / and has something behind each /");
    }
    let least = match parts.get(..2) {
        Some([_, "vendor"]) if components > 1 => 4,
        _ => components,
    };
    if !matches!(parts.first(), Some(&"private" | &"shared")) || parts.len() < least {
        return start.wrong("an entry is /private/... or /shared/..., or .../vendor/name/...");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_get(text: &str) -> Option<GetMetadata> {
        let mut cursor = Cursor::new(text.as_bytes());
        get(&mut cursor, Dialect::default()).ok().filter(|_| cursor.is_end())
    }
    fn read_set(text: &str) -> Option<SetMetadata> {
        let mut cursor = Cursor::new(text.as_bytes());
        set(&mut cursor, Dialect::default()).ok().filter(|_| cursor.is_end())
    }

    #[test]
    fn options_stand_before_or_behind_the_mailbox() {
        let entries = vec!["/shared/comment".to_owned(), "/private/comment".to_owned()];
        let wanted = Wanted { octets_max: Some(9), depth: Depth::One, entries };
        let want = Some(GetMetadata { mailbox: "INBOX".into(), wanted });
        for text in [
            " (MAXSIZE 9 DEPTH 1) inbox (/Shared/comment /private/comment)",
            " INBOX (maxsize 9 depth 1) (/shared/comment \"/private/comment\")",
        ] {
            assert_eq!(read_get(text), want, "{text}");
        }
        assert_eq!(read_get(" \"\" /shared").unwrap().wanted.entries, ["/shared"]);
    }

    #[test]
    fn names_keep_their_rules() {
        let set = read_set(" INBOX (/private/comment NIL /shared/x ~{2}\r\na\0)").unwrap();
        assert_eq!(
            set.entries,
            [("/private/comment".into(), None), ("/shared/x".into(), Some(b"a\0".to_vec()))]
        );
        for name in [
            "/shared",
            "/shared/",
            "/shared//a",
            "shared/a",
            "/other/a",
            "\"/shared/*\"",
            "\"/shared/%\"",
            "\"/shared/\u{e9}\"",
            "/shared/vendor/x",
            "/private/vendor",
            "\"/shared/a\tb\"",
        ] {
            assert_eq!(read_set(&format!(" INBOX ({name} \"a\")")), None, "{name}");
        }
        assert!(read_set(" INBOX (/shared/vendor/x/y \"a\")").is_some());
        for text in [" INBOX ()", " INBOX (/shared/a)", " INBOX /shared/a \"b\"", " (/shared/a \"b\")"] {
            assert_eq!(read_set(text), None, "{text}");
        }
        for text in
            [" INBOX", " INBOX ()", " INBOX (DEPTH 2) /shared/a", " (DEPTH 1) (DEPTH 1) INBOX /shared/a"]
        {
            assert_eq!(read_get(text), None, "{text}");
        }
    }
}
