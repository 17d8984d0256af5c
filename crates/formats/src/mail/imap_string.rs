//! Strings as IMAP sends them. RFC 9051 §4.3: quoted where that is possible, else a literal. Never holds a NUL.

use crate::limits::QUOTED_STRING_OCTETS;

/// Adds a string: quoted when it is short ASCII without line ends, else a literal. NUL is left out.
pub fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    let quotable = text.len() <= QUOTED_STRING_OCTETS
        && text.iter().all(|&c| c < 0x80 && c != b'\r' && c != b'\n' && c != 0);
    if quotable {
        out.push(b'"');
        for &octet in text {
            if octet == b'"' || octet == b'\\' {
                out.push(b'\\');
            }
            out.push(octet);
        }
        out.push(b'"');
        return;
    }
    let length = text.iter().filter(|&&c| c != 0).count();
    if length == 0 {
        out.extend_from_slice(b"\"\"");
        return;
    }
    out.extend_from_slice(format!("{{{length}}}\r\n").as_bytes());
    out.extend(text.iter().filter(|&&c| c != 0));
}

/// Adds a string, or NIL for none.
pub fn push_nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => push_string(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Adds a decimal number.
pub(super) fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(number.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_or_literal() {
        for (text, sent) in [
            (&b""[..], &b"\"\""[..]),
            (b"plain", b"\"plain\""),
            (b"q\"b\\", b"\"q\\\"b\\\\\""),
            ("é".as_bytes(), b"{2}\r\n\xc3\xa9"),
            (b"a\r\nb", b"{4}\r\na\r\nb"),
            (b"a\0b\xff", b"{3}\r\nab\xff"),
            (b"\0", b"\"\""),
        ] {
            let mut out = Vec::new();
            push_string(&mut out, text);
            assert_eq!(out, sent);
        }
        let mut out = Vec::new();
        push_string(&mut out, &[b'a'; 1001]);
        assert!(out.starts_with(b"{1001}\r\na"));
    }
}
