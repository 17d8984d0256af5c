//! Message ids: Message-ID, In-Reply-To and References. RFC 5322 §3.6.4; what is written without brackets is taken too.

use super::{first_field, unfold};
use crate::limits::MESSAGE_IDS;

/// The message id of a header block, without angle brackets.
pub fn message_id(header: &[u8]) -> Option<Vec<u8>> {
    message_ids(first_field(header, b"Message-ID")?).into_iter().next()
}

/// The message ids of References, oldest first.
pub fn references(header: &[u8]) -> Vec<Vec<u8>> {
    first_field(header, b"References").map(message_ids).unwrap_or_default()
}

/// The message ids of In-Reply-To.
pub fn in_reply_to(header: &[u8]) -> Vec<Vec<u8>> {
    first_field(header, b"In-Reply-To").map(message_ids).unwrap_or_default()
}

/// The message ids in a value, without angle brackets, each once. Where there are no brackets, words that hold an `@` are
/// taken. At most [`MESSAGE_IDS`]: of more, the first and the last.
pub fn message_ids(value: &[u8]) -> Vec<Vec<u8>> {
    let mut ids = bracketed(value);
    if ids.is_empty() {
        let words = value.split(|c| c.is_ascii_whitespace() || *c == b',');
        ids = words.filter(|word| word.contains(&b'@')).map(<[u8]>::to_vec).collect();
    }
    let mut seen = std::collections::BTreeSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    if ids.len() > MESSAGE_IDS {
        // The first is the root of the thread, the last are the nearest.
        ids.drain(1..=ids.len() - MESSAGE_IDS);
    }
    ids
}

/// What stands between `<` and `>`, white space (from folding) left out, quoted local parts whole.
fn bracketed(value: &[u8]) -> Vec<Vec<u8>> {
    let mut ids = Vec::new();
    let mut id: Option<Vec<u8>> = None;
    let mut quoted = false;
    for &octet in value {
        match (octet, &mut id) {
            (b'<', _) if !quoted => id = Some(Vec::new()),
            (_, None) => {}
            (b'>', Some(text)) if !quoted => {
                if !text.is_empty() {
                    ids.push(std::mem::take(text));
                }
                id = None;
            }
            (b'\r' | b'\n' | 0, _) => {}
            (b' ' | b'\t', Some(_)) if !quoted => {}
            (octet, Some(text)) => {
                quoted ^= octet == b'"';
                text.push(octet);
            }
        }
    }
    ids
}

/// The value as ENVELOPE has it: unfolded.
pub(super) fn id_list_text(value: &[u8]) -> Vec<u8> {
    unfold(value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &[&str]) {
        let found: Vec<_> =
            message_ids(value.as_bytes()).into_iter().map(|id| String::from_utf8(id).unwrap()).collect();
        assert_eq!(found, expected, "{value:?}");
    }

    #[test]
    fn message_ids_are_found() {
        check("", &[]);
        check(" <a@b>", &["a@b"]);
        check("<a@b>\r\n\t<c@d><e@f>", &["a@b", "c@d", "e@f"]);
        check("<a@b> <a@b>", &["a@b"]);
        check("Your message of Monday <a@b>", &["a@b"]);
        check("a@b c@d", &["a@b", "c@d"]);
        check("<a\r\n b@c>", &["ab@c"]);
        check("<\"q >\"@b>", &["\"q >\"@b"]);
        check("<unclosed@b <a@b>", &["a@b"]);
        check("<>", &[]);
    }
}
