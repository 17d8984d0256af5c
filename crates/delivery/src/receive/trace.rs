//! Trace fields. RFC 5321 §4.4; RFC 3848 and RFC 6531 §4.3 for the protocol's name; RFC 5322 §3.3 for the date.

use yubin_base::{Address, TraceId, UnixMs};
use yubin_smtp::{
    envelope::Envelope,
    server::{Service, SessionFacts},
};

/// Our Received field for a message, CRLF included. The `for` clause stands there only for a message with one recipient: it must not tell of others.
pub(crate) fn received(hostname: &str, session: &SessionFacts, envelope: &Envelope, id: TraceId) -> Vec<u8> {
    let helo = comment_safe(if session.helo.is_empty() { "unknown" } else { &session.helo });
    // Where a user submits from is nobody's business but ours; the log has it.
    let from = match (session.service, &session.authenticated) {
        (Service::Submission, Some(_)) => format!("{hostname} (authenticated user)"),
        _ => format!("{helo} ([{}])", literal(session.peer.remote.ip())),
    };
    let with = session.with_protocol(envelope.mail.smtputf8);
    let tls = match &session.peer.tls {
        Some(tls) => format!("\r\n\t({} {})", comment_safe(&tls.version), comment_safe(&tls.cipher)),
        None => String::new(),
    };
    let to = match envelope.recipients.as_slice() {
        [only] => match only.forward_path.mailbox() {
            Some(address) => format!("\r\n\tfor <{address}>"),
            None => String::new(),
        },
        _ => String::new(),
    };
    format!(
        "Received: from {from}\r\n\tby {hostname} (Yubin) with {with} id {id}{tls}{to};\r\n\t{}\r\n",
        date(session.now)
    )
    .into_bytes()
}

/// Return-Path and Delivered-To: what one copy gets on top (RFC 5321 §4.4).
pub(crate) fn delivery_fields(reverse_path: Option<&Address>, recipient: &Address) -> Vec<u8> {
    let sender = reverse_path.map(Address::to_string).unwrap_or_default();
    format!("Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n").into_bytes()
}

/// A date as RFC 5322 §3.3 writes it, in UTC.
pub(crate) fn date(at: UnixMs) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = at.seconds();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = yubin_base::calendar::date_of(days as i64);
    let weekday = DAYS.get((days % 7) as usize).copied().unwrap_or("Thu");
    let month = MONTHS.get(month as usize - 1).copied().unwrap_or("Jan");
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{weekday}, {day} {month} {year} {hour:02}:{minute:02}:{second:02} +0000")
}

fn literal(address: std::net::IpAddr) -> String {
    match address.to_canonical() {
        std::net::IpAddr::V4(v4) => v4.to_string(),
        std::net::IpAddr::V6(v6) => format!("IPv6:{v6}"),
    }
}

/// What a peer said of itself, with everything left out that means something in a field.
fn comment_safe(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !"()\\\";<>,".contains(*c)).take(255).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (ms, expected) in [
            (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_709_210_096_000, "Thu, 29 Feb 2024 12:34:56 +0000"),
            (4_107_542_399_000, "Sun, 28 Feb 2100 23:59:59 +0000"),
            (4_107_542_400_000, "Mon, 1 Mar 2100 00:00:00 +0000"),
        ] {
            assert_eq!(date(UnixMs(ms)), expected);
        }
    }

    #[test]
    fn names_of_peers_cannot_break_a_field() {
        assert_eq!(comment_safe("evil)\r\nX: y;(\"\\"), "evilX:y");
    }

    #[test]
    fn the_null_sender_has_an_empty_return_path() {
        let to = Address::parse_plain("ann@example.test").unwrap();
        assert_eq!(delivery_fields(None, &to), b"Return-Path: <>\r\nDelivered-To: ann@example.test\r\n");
    }
}
