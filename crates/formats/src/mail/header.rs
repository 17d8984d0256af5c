//! Header blocks: their fields as raw octets. Never decodes a value.
//! RFC 5322 §2.2; also the obsolete white space before the colon (§4.5.8).

use std::{borrow::Cow, ops::Range};

use memchr::memchr;

use crate::limits::FIELD_NAME_OCTETS;

/// One field of a header block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawField<'a> {
    /// The name as written, without the colon.
    pub name: &'a [u8],
    /// Everything after the colon, folding included, without the last line end.
    pub value: &'a [u8],
    /// The whole field in the block, last line end included.
    pub range: Range<usize>,
}

impl RawField<'_> {
    /// Whether the field has this name; case does not matter.
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The fields of a header block, in order. Ends at the first empty line; lines that belong to no field are skipped.
pub fn fields(block: &[u8]) -> Fields<'_> {
    Fields { block, at: 0 }
}

/// The raw value of the first field of this name.
pub fn first_field<'a>(block: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    fields(block).find(|field| field.is(name)).map(|field| field.value)
}

/// IMAP's HEADER.FIELDS (`keep` true) and HEADER.FIELDS.NOT (`keep` false): the fields of these names, or all others, as
/// they stand in the block, and an empty line. RFC 9051 §6.4.5.1.
pub fn select_fields<N: AsRef<[u8]>>(block: &[u8], names: &[N], keep: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(if keep { 256 } else { block.len() });
    for field in fields(block) {
        if names.iter().any(|name| field.is(name.as_ref())) == keep {
            let octets = block.get(field.range).unwrap_or_default();
            out.extend_from_slice(octets);
            if !octets.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Takes the folding out of a value, and white space from its ends. A tab that folded becomes a space.
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr::memchr2(b'\n', b'\r', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut after_break = false;
    for &octet in value {
        match octet {
            b'\r' | b'\n' => after_break = true,
            _ => {
                if after_break && octet != b' ' && octet != b'\t' {
                    out.push(b' ');
                }
                out.push(if after_break && octet == b'\t' { b' ' } else { octet });
                after_break = false;
            }
        }
    }
    Cow::Owned(out)
}

/// Iterates over the fields of a block.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = RawField<'a>;

    fn next(&mut self) -> Option<RawField<'a>> {
        loop {
            let start = self.at;
            let rest = self.block.get(start..)?;
            if rest.is_empty() || rest.starts_with(b"\n") || rest.starts_with(b"\r\n") {
                return None;
            }
            let mut length = line_length(rest);
            let colon = rest.get(..length).and_then(field_name);
            while let Some(b' ' | b'\t') = rest.get(length) {
                length += line_length(rest.get(length..).unwrap_or_default());
            }
            self.at = start + length;
            let Some((name_length, colon)) = colon else { continue };
            let field = rest.get(..length)?;
            let mut value = field.get(colon + 1..)?;
            value = value.strip_suffix(b"\n").unwrap_or(value);
            value = value.strip_suffix(b"\r").unwrap_or(value);
            return Some(RawField { name: field.get(..name_length)?, value, range: start..self.at });
        }
    }
}

/// The length of the first line, its LF included.
fn line_length(text: &[u8]) -> usize {
    memchr(b'\n', text).map_or(text.len(), |at| at + 1)
}

/// Finds the name at the front of a field's first line: its length, and where the colon is.
///
/// ```abnf
/// field-name = 1*%d33-57 / %d59-126     ; RFC 5322 §3.6.8
/// obs-field  = field-name *WSP ":"      ; RFC 5322 §4.5.8
/// ```
pub(super) fn field_name(line: &[u8]) -> Option<(usize, usize)> {
    let length =
        line.iter().take(FIELD_NAME_OCTETS + 1).position(|&c| !(33..=126).contains(&c) || c == b':')?;
    let space = line.get(length..)?.iter().take(64).position(|&c| c != b' ' && c != b'\t')?;
    (length > 0 && line.get(length + space) == Some(&b':')).then_some((length, length + space))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(block: &str, expected: &[(&str, &str)]) {
        let found: Vec<_> = fields(block.as_bytes())
            .map(|f| {
                let text = |b| std::str::from_utf8(b).unwrap();
                (text(f.name), text(f.value))
            })
            .collect();
        assert_eq!(found, expected, "{block:?}");
    }

    #[test]
    fn fields_are_found_with_folding_and_without_what_is_no_field() {
        check("", &[]);
        check("\r\n", &[]);
        check("A: 1\r\nB:2\r\n\r\nC: 3\r\n", &[("A", " 1"), ("B", "2")]);
        check("A: 1\r\n two\r\n\tthree\r\nB: x\r\n", &[("A", " 1\r\n two\r\n\tthree"), ("B", " x")]);
        check("A: 1\nB: 2\n\nbody", &[("A", " 1"), ("B", " 2")]);
        check("A: no end", &[("A", " no end")]);
        check(" stray\r\nA: 1\r\n", &[("A", " 1")]);
        check("From x@y Mon Jan  4\r\nA: 1\r\n", &[("A", " 1")]);
        check("Subject : old\r\n", &[("Subject", " old")]);
        check(": nameless\r\nA:\r\n", &[("A", "")]);
    }

    #[test]
    fn header_fields_are_selected_as_they_stand() {
        let block = b"Subject: a\r\n b\r\nTo: x\r\nSUBJECT: c\r\nX: y\r\n\r\n";
        assert_eq!(select_fields(block, &["subject"], true), b"Subject: a\r\n b\r\nSUBJECT: c\r\n\r\n");
        assert_eq!(select_fields(block, &["subject"], false), b"To: x\r\nX: y\r\n\r\n");
        assert_eq!(select_fields(block, &["none"], true), b"\r\n");
        assert_eq!(select_fields(b"A: 1", &["a"], true), b"A: 1\r\n\r\n");
    }

    #[test]
    fn values_are_unfolded() {
        assert_eq!(&*unfold(b" a\r\n b "), b"a b");
        assert_eq!(&*unfold(b"a\r\n\tb\n c"), b"a b c");
        assert_eq!(&*unfold(b"a\rb"), b"a b");
        assert_eq!(&*unfold(b"  "), b"");
    }
}
