//! Messages that name themselves: from the tag alone the whole content can be made again and compared.

use crate::client::Rng;

/// The field that holds the tag.
pub const FIELD: &str = "X-Crash-Tag";

/// A message of some 300 octets to some 60 KiB, one in fifty of 300 KiB; all from the tag.
pub fn message(tag: &str) -> Vec<u8> {
    let seed = tag.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    let mut rng = Rng::new(seed);
    let octets = if rng.percent(2) { 300_000 } else { 1 << (4 + rng.below(12)) };
    let mut text = format!(
        "From: sender@example.org\r\nTo: ann@example.test\r\nSubject: crash {tag}\r\n{FIELD}: {tag}\r\n\
         Message-ID: <{tag}@load.example.org>\r\nDate: Sat, 14 Nov 2026 10:00:00 +0900\r\n\r\n"
    );
    let whole = text.len() + octets;
    while text.len() < whole {
        text.push_str(&format!("{:016x} {:016x} {:016x}\r\n", rng.next(), rng.next(), rng.next()));
    }
    text.into_bytes()
}

/// The tag in a header section that the server returned.
pub fn tag_in(header: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(header);
    let line = text.lines().find_map(|line| line.strip_prefix(FIELD)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_itself_and_can_be_made_again() {
        let text = message("d-1-2-3");
        assert_eq!(text, message("d-1-2-3"));
        assert_ne!(text, message("d-1-2-4"));
        assert_eq!(tag_in(&text).as_deref(), Some("d-1-2-3"));
        assert_eq!(tag_in(b"Subject: none\r\n\r\n"), None);
    }
}
