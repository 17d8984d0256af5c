//! xtext, the encoding of DSN and AUTH parameters (RFC 3461 §4), and its UTF-8 kind (RFC 6533 §3).
//! Says nothing about what the decoded text means; callers check it again.

/// Decodes xtext. Nothing when it is none, or when what comes out is not printable US-ASCII (S19: `+0D+0A` smuggles line ends).
///
/// ```abnf
/// xtext   = *( xchar / hexchar )
/// xchar   = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "="
/// hexchar = "+" 2(%x30-39 / %x41-46)
/// ```
pub fn decode(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b'+' => hex(octets.next()?)? << 4 | hex(octets.next()?)?,
            b'=' => return None,
            33..=126 => octet,
            _ => return None,
        };
        if !(32..=126).contains(&octet) {
            return None;
        }
        decoded.push(char::from(octet));
    }
    Some(decoded)
}

/// Decodes `utf-8-addr-xtext` and `utf-8-addr-unitext`: xtext or plain UTF-8, with `\x{HEX}` for what does not fit.
/// Nothing when it is none, or when control characters come out.
pub fn decode_utf8_address(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (c, used) = if let Some(escape) = rest.strip_prefix("\\x{") {
            let (digits, _) = escape.split_once('}')?;
            if !(2..=6).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            (char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, digits.len() + 4)
        } else if let Some(escape) = rest.strip_prefix('+') {
            // The xtext form of an ASCII character is seen in the wild here, too.
            let mut digits = escape.bytes();
            (char::from(hex(digits.next()?)? << 4 | hex(digits.next()?)?), 3)
        } else {
            (c, c.len_utf8())
        };
        if c.is_control() || c == '=' && used == 1 {
            return None;
        }
        decoded.push(c);
        rest = rest.get(used..)?;
    }
    Some(decoded)
}

/// Encodes a text as xtext. Characters beyond US-ASCII stand as their UTF-8 octets.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' => encoded.push_str(&format!("+{octet:02X}")),
            33..=126 => encoded.push(char::from(octet)),
            _ => encoded.push_str(&format!("+{octet:02X}")),
        }
    }
    encoded
}

/// Encodes an internationalized address as `utf-8-addr-xtext`, in US-ASCII: RFC 6533 §3.
pub fn encode_utf8_address(address: &str) -> String {
    let mut encoded = String::with_capacity(address.len());
    for c in address.chars() {
        match c {
            '+' | '=' | '\\' => encoded.push_str(&format!("\\x{{{:02X}}}", u32::from(c))),
            '!'..='~' => encoded.push(c),
            _ => encoded.push_str(&format!("\\x{{{:02X}}}", u32::from(c))),
        }
    }
    encoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext_is_decoded_and_checked() {
        let check =
            |text: &str, decoded: Option<&str>| assert_eq!(decode(text).as_deref(), decoded, "{text}");
        check("abc", Some("abc"));
        check("a+2Bb+3Dc", Some("a+b=c"));
        check("a+20b", Some("a b"));
        check("", Some(""));
        check("a+2", None);
        check("a+", None);
        check("a+GG", None);
        check("a=b", None);
        check("a b", None);
        check("a+0D+0ARCPT", None);
        check("a+00", None);
        check("a+7F", None);
        check("a+FF", None);
        check("é", None);
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        for text in ["ann@example.test", "a+b=c d@x", "~!@#"] {
            assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        }
        for address in ["山+田=x\\@example.test", "a b@x"] {
            let encoded = encode_utf8_address(address);
            assert!(encoded.is_ascii() && !encoded.contains(' '), "{encoded}");
            assert_eq!(decode_utf8_address(&encoded).as_deref(), Some(address));
        }
    }

    #[test]
    fn utf8_addresses_are_decoded_and_checked() {
        let check = |text: &str, decoded: Option<&str>| {
            assert_eq!(decode_utf8_address(text).as_deref(), decoded, "{text}")
        };
        check("ann@example.test", Some("ann@example.test"));
        check("\\x{5C71}@example.test", Some("山@example.test"));
        check("山@example.test", Some("山@example.test"));
        check("a+2Bb@example.test", Some("a+b@example.test"));
        check("\\x{0A}", None);
        check("\\x{D800}", None);
        check("\\x{110000}", None);
        check("\\x{1", None);
        check("\\x{}", None);
        check("a=b", None);
        check("+0A", None);
    }
}
