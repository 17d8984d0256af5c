//! The messages of the simulation. A number names one, and its octets follow from the number, so that the model keeps numbers only.

use crate::rng::Rng;

/// The raw message of a number: deliveries begin with their trace fields.
pub(crate) fn raw(number: u64) -> Vec<u8> {
    let mut out = prefix(number);
    out.extend(body(number));
    out
}

/// What the delivery puts before it; nothing for appended ones.
pub(crate) fn prefix(number: u64) -> Vec<u8> {
    if is_delivered(number) {
        format!("Return-Path: <sender{number}@example.test>\r\nDelivered-To: ann@example.test\r\n")
            .into_bytes()
    } else {
        Vec::new()
    }
}

/// Odd numbers are delivered, even ones appended.
pub(crate) fn is_delivered(number: u64) -> bool {
    number % 2 == 1
}

/// The octets as they were sent to us. Some have dots at line starts, some are long, some have line ends that are not CRLF.
pub(crate) fn body(number: u64) -> Vec<u8> {
    let mut rng = Rng::new(number ^ 0x6d61_696c);
    let mut text = format!(
        "Message-ID: <{number}@example.test>\r\nX-Number: {number}\r\nFrom: a@example.test\r\nTo: ann@example.test\r\nSubject: number {}\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n",
        number % 7,
    );
    if rng.one_in(3) {
        text.push_str(&format!("In-Reply-To: <{}@example.test>\r\n", number.saturating_sub(2)));
    }
    text.push_str("\r\n");
    let lines = if rng.one_in(30) { 3_000 } else { rng.below(6) };
    for line in 0..lines {
        let start = ["", ".", "..", "> "].get(rng.below(4)).copied().unwrap_or_default();
        text.push_str(&format!("{start}line {line} of number {number}\r\n"));
    }
    match rng.below(8) {
        0 => text.push_str("no line end"),
        1 => text.push_str("bare\nline\nfeeds\n"),
        2 => text.push_str(".\r\n"),
        _ => {}
    }
    text.into_bytes()
}

/// Which message this is, if its octets are exactly those of its number.
pub(crate) fn number_of(octets: &[u8]) -> Result<u64, String> {
    let text = String::from_utf8_lossy(octets);
    let number = text
        .split("X-Number: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next())
        .and_then(|n| n.parse().ok());
    let number: u64 =
        number.ok_or_else(|| format!("a message without number: {:?}", text.get(..200).unwrap_or(&text)))?;
    if raw(number) == octets {
        Ok(number)
    } else {
        Err(format!("the octets of message {number} are not as they were"))
    }
}

/// The octets as POP3 sends them: CRLF line ends everywhere.
pub(crate) fn on_the_wire(number: u64) -> Vec<u8> {
    let raw = raw(number);
    let mut out = Vec::with_capacity(raw.len());
    for octet in raw {
        if octet == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(octet);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}
