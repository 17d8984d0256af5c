//! Mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3) and UTF-8 (RFC 9051 §5.1). Inside, names are UTF-8 only.

use base64::{Engine as _, alphabet::IMAP_MUTF7, engine::GeneralPurpose, engine::general_purpose::NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// The name a client wrote. Nothing when it is neither plain, nor canonical modified UTF-7, nor UTF-8, or holds control characters.
/// With `utf8`, an `&` stands for itself.
pub fn decode(wire: &[u8], utf8: bool) -> Option<String> {
    let text = std::str::from_utf8(wire).ok()?;
    let name = if utf8 || !text.contains('&') { text.to_owned() } else { from_mutf7(text)? };
    if name.chars().any(|c| c.is_control()) {
        return None;
    }
    if name.eq_ignore_ascii_case("INBOX") {
        return Some("INBOX".to_owned());
    }
    // INBOX/x is below INBOX, however INBOX is spelled.
    match name.split_at_checked(6) {
        Some((inbox, rest)) if inbox.eq_ignore_ascii_case("INBOX/") => Some(format!("INBOX/{rest}")),
        _ => Some(name),
    }
}

/// Writes a name in modified UTF-7.
pub fn push_mutf7(out: &mut Vec<u8>, name: &str) {
    let mut units: Vec<u8> = Vec::new();
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            end_shift(out, &mut units);
            out.push(c as u8);
            if c == '&' {
                out.push(b'-');
            }
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                units.extend_from_slice(&unit.to_be_bytes());
            }
        }
    }
    end_shift(out, &mut units);
}

fn end_shift(out: &mut Vec<u8>, units: &mut Vec<u8>) {
    if !units.is_empty() {
        out.push(b'&');
        out.extend_from_slice(BASE64.encode(&*units).as_bytes());
        out.push(b'-');
        units.clear();
    }
}

fn from_mutf7(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('&') {
        let (shifted, after) = after.split_once('-')?;
        name.push_str(plain);
        if shifted.is_empty() {
            name.push('&');
        } else {
            let octets = BASE64.decode(shifted).ok()?;
            let units: Vec<u16> = octets
                .chunks(2)
                .map(|pair| <[u8; 2]>::try_from(pair).map(u16::from_be_bytes))
                .collect::<Result<_, _>>()
                .ok()?;
            name.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = after;
    }
    name.push_str(rest);
    // Two spellings of one name would be two names to the client, and one to us.
    let mut again = Vec::with_capacity(text.len());
    push_mutf7(&mut again, &name);
    (again == text.as_bytes()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        let check = |wire: &str, name: &str| {
            assert_eq!(decode(wire.as_bytes(), false).as_deref(), Some(name), "{wire}");
            let mut out = Vec::new();
            push_mutf7(&mut out, name);
            assert_eq!(String::from_utf8(out).unwrap(), wire);
        };
        check("Sent", "Sent");
        check("R&-D", "R&D");
        check("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語");
        check("&AOk-t&AOk-", "été");
        check("&2D3eAA-", "😀");
        check("a/b c", "a/b c");
    }

    #[test]
    fn names_with_two_spellings_are_refused() {
        for wrong in [
            "R&D",
            "&",
            "&AGE-",
            "&AOk",
            "&AOk-&AOk-",
            "&AOkA-",
            "&2D0-",
            "&AA0ACg-",
            "&*-",
            "a\r\nb",
            "&AAA-",
        ] {
            assert_eq!(decode(wrong.as_bytes(), false), None, "{wrong}");
        }
        assert_eq!(decode(b"\xff", false), None);
        assert_eq!(decode("été".as_bytes(), false).as_deref(), Some("été"));
        assert_eq!(decode(b"R&D", true).as_deref(), Some("R&D"));
    }

    #[test]
    fn inbox_has_one_spelling() {
        assert_eq!(decode(b"inBox", false).as_deref(), Some("INBOX"));
        assert_eq!(decode(b"inbox/Work", false).as_deref(), Some("INBOX/Work"));
        assert_eq!(decode(b"inboxes", false).as_deref(), Some("inboxes"));
    }
}
