//! Command lines: where one ends, which command it is, what its arguments are. RFC 5321 §2.3.8 and §4.1.1.
//! Never looks into the arguments.

use std::str;

/// A command line cut in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandLine<'a> {
    /// Which command.
    pub verb: Verb,
    /// What follows the verb, without the white space around it. No control characters.
    pub arguments: &'a str,
}

/// The commands we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// RFC 5321 §4.1.1.1.
    Ehlo,
    /// RFC 5321 §4.1.1.1.
    Helo,
    /// RFC 2033 §4.1.
    Lhlo,
    /// RFC 5321 §4.1.1.2.
    Mail,
    /// RFC 5321 §4.1.1.3.
    Rcpt,
    /// RFC 5321 §4.1.1.4.
    Data,
    /// RFC 3030 §2.
    Bdat,
    /// RFC 5321 §4.1.1.5.
    Rset,
    /// RFC 5321 §4.1.1.6.
    Vrfy,
    /// RFC 5321 §4.1.1.7.
    Expn,
    /// RFC 5321 §4.1.1.8.
    Help,
    /// RFC 5321 §4.1.1.9.
    Noop,
    /// RFC 5321 §4.1.1.10.
    Quit,
    /// RFC 4954 §4.
    Auth,
    /// RFC 3207 §4.
    StartTls,
    /// Anything else that looks like a command.
    Unknown,
}

const VERBS: &[(&str, Verb)] = &[
    ("EHLO", Verb::Ehlo),
    ("HELO", Verb::Helo),
    ("LHLO", Verb::Lhlo),
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    ("BDAT", Verb::Bdat),
    ("RSET", Verb::Rset),
    ("VRFY", Verb::Vrfy),
    ("EXPN", Verb::Expn),
    ("HELP", Verb::Help),
    ("NOOP", Verb::Noop),
    ("QUIT", Verb::Quit),
    ("AUTH", Verb::Auth),
    ("STARTTLS", Verb::StartTls),
];

/// First words of other protocols: a browser was talked into sending us a request (ALPACA and its kind).
const FOREIGN_VERBS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"];

/// What the front of the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front<'a> {
    /// No line end yet.
    Incomplete,
    /// Not SMTP at all: binary data, a web request, a header field. Drop the connection.
    Foreign,
    /// A line over the limit, or an unended one that is over it already.
    TooLong,
    /// A line of this many octets (with its end) that is wrong, and how.
    Wrong(usize, LineFault),
    /// A line of this many octets (with its end).
    Line(usize, CommandLine<'a>),
}

/// What can be wrong with a line as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// It ends with LF alone, or has a CR inside.
    BareNewline,
    /// Control characters, or octets that are no UTF-8.
    BadOctets,
    /// Nothing in it.
    Empty,
}

/// Looks at the front of the input for one command line.
pub fn front(input: &[u8], octets_max: usize) -> Front<'_> {
    let Some(first) = input.first() else { return Front::Incomplete };
    // A TLS ClientHello (0x16) and other binary data have no line end to wait for.
    if !first.is_ascii_alphabetic() && !matches!(first, b'\r' | b'\n' | b' ' | b'\t') {
        return Front::Foreign;
    }
    let window = input.get(..octets_max).unwrap_or(input);
    let Some(lf) = memchr::memchr(b'\n', window) else {
        return if input.len() >= octets_max { Front::TooLong } else { Front::Incomplete };
    };
    let length = lf + 1;
    let line = input.get(..lf).unwrap_or_default();
    let Some(line) = line.strip_suffix(b"\r") else {
        return wrong_or_foreign(length, line, LineFault::BareNewline);
    };
    if line.contains(&b'\r') {
        return Front::Wrong(length, LineFault::BareNewline);
    }
    let Ok(text) = str::from_utf8(line) else { return Front::Wrong(length, LineFault::BadOctets) };
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return wrong_or_foreign(length, line, LineFault::BadOctets);
    }
    let text = text.trim_matches([' ', '\t']);
    let (word, arguments) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    if word.is_empty() {
        return Front::Wrong(length, LineFault::Empty);
    }
    if is_foreign(word) {
        return Front::Foreign;
    }
    let verb =
        VERBS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map_or(Verb::Unknown, |(_, v)| *v);
    Front::Line(length, CommandLine { verb, arguments: arguments.trim_start_matches([' ', '\t']) })
}

fn wrong_or_foreign(length: usize, line: &[u8], fault: LineFault) -> Front<'_> {
    let word =
        line.split(|b| b" \t".contains(b)).next().and_then(|w| str::from_utf8(w).ok()).unwrap_or_default();
    if is_foreign(word) { Front::Foreign } else { Front::Wrong(length, fault) }
}

/// A request line of another protocol, or a header field (`Host: …`), by its first word.
fn is_foreign(word: &str) -> bool {
    word.ends_with(':') || FOREIGN_VERBS.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// Whether the unended line begins with AUTH, whose lines may be longer (RFC 4954 §4.5).
pub fn begins_auth(input: &[u8]) -> bool {
    input.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"AUTH "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: Front<'_>) {
        assert_eq!(front(input, 32), expected, "{:?}", String::from_utf8_lossy(input));
    }

    fn line(length: usize, verb: Verb, arguments: &str) -> Front<'_> {
        Front::Line(length, CommandLine { verb, arguments })
    }

    #[test]
    fn lines_are_cut_into_verb_and_arguments() {
        check(b"QUIT\r\nmore", line(6, Verb::Quit, ""));
        check(b"quit  \r\n", line(8, Verb::Quit, ""));
        check(b" noop\tx  y \r\n", line(13, Verb::Noop, "x  y"));
        check(b"MAIL FROM:<>\r\n", line(14, Verb::Mail, "FROM:<>"));
        check(b"StartTLS\r\n", line(10, Verb::StartTls, ""));
        check(b"XYZZY\r\n", line(7, Verb::Unknown, ""));
        check("VRFY 山\r\n".as_bytes(), line(10, Verb::Vrfy, "山"));
    }

    #[test]
    fn unended_lines_wait_until_they_are_too_long() {
        check(b"", Front::Incomplete);
        check(b"QUIT", Front::Incomplete);
        check(b"QUIT\r", Front::Incomplete);
        check(&[b'a'; 31], Front::Incomplete);
        check(&[b'a'; 32], Front::TooLong);
        check(b"NOOP aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", Front::TooLong);
    }

    #[test]
    fn broken_lines_are_told_apart() {
        check(b"QUIT\n", Front::Wrong(5, LineFault::BareNewline));
        check(b"QU\rIT\r\n", Front::Wrong(7, LineFault::BareNewline));
        check(b"QUIT\r\r\n", Front::Wrong(7, LineFault::BareNewline));
        check(b"MAIL\0\r\n", Front::Wrong(7, LineFault::BadOctets));
        check(b"MAIL \xff\r\n", Front::Wrong(8, LineFault::BadOctets));
        check(b"\r\n", Front::Wrong(2, LineFault::Empty));
        check(b"  \r\n", Front::Wrong(4, LineFault::Empty));
        check(b"\n", Front::Wrong(1, LineFault::BareNewline));
    }

    #[test]
    fn other_protocols_are_recognised() {
        check(b"GET / HTTP/1.1\r\n", Front::Foreign);
        check(b"post / HTTP/1.1\n", Front::Foreign);
        check(b"Host: example.test\r\n", Front::Foreign);
        check(b"\x16\x03\x01", Front::Foreign);
        check(b"{\"a\":1}", Front::Foreign);
        check(b"\0", Front::Foreign);
    }
}
