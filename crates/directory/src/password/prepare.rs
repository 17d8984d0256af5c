//! Passwords as both sides of SCRAM see them: SASLprep (RFC 4013) over today's Unicode tables. Never applied to legacy hashes, which were made
//! of the octets as typed.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The prepared form; nothing for what is no text, empty, or has control characters (such passwords have no SCRAM keys).
pub(crate) fn prepare(password: &[u8]) -> Option<Zeroizing<String>> {
    let text = std::str::from_utf8(password).ok()?;
    if text.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        return (!text.is_empty()).then(|| Zeroizing::new(text.to_owned()));
    }
    // RFC 4013 §2.1: other spaces become spaces, some characters vanish. §2.2: NFKC. §2.3: prohibited characters.
    let mapped = text.chars().filter(|c| !vanishes(*c)).map(|c| if is_other_space(c) { ' ' } else { c });
    let prepared = Zeroizing::new(mapped.nfkc().collect::<String>());
    (!prepared.is_empty() && !prepared.chars().any(prohibited)).then_some(prepared)
}

/// RFC 3454 table C.1.2.
fn is_other_space(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// RFC 3454 table B.1.
fn vanishes(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{1806}' | '\u{180b}'..='\u{180d}' | '\u{200b}'..='\u{200d}' | '\u{2060}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

/// RFC 3454 tables C.2 to C.9, as far as they are not unassigned by now.
fn prohibited(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2061}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fff9}'..='\u{fffd}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}' | '\u{f0000}'..='\u{10ffff}'
        )
        || (c as u32) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_prepared_as_rfc_4013_shows() {
        for (typed, prepared) in [
            ("I\u{ad}X", Some("IX")),
            ("user", Some("user")),
            ("USER", Some("USER")),
            ("\u{aa}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("\u{7}", None),
            ("", None),
            ("\u{ad}", None),
            ("a\u{3000}b", Some("a b")),
            ("e\u{301}", Some("\u{e9}")),
            ("ﾊﾟｽ", Some("パス")),
            ("p\0q", None),
            ("\u{1f511}", Some("\u{1f511}")),
            ("\u{202e}x", None),
        ] {
            assert_eq!(prepare(typed.as_bytes()).as_ref().map(|text| text.as_str()), prepared, "{typed:?}");
        }
        assert_eq!(prepare(b"\xff"), None);
    }
}
