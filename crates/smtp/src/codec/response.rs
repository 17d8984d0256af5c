//! Replies of a server as a client reads them: one line or many, within limits. RFC 5321 §4.2, RFC 2034, RFC 3463.
//! Never decides what a reply means for a message.
//!
//! ```abnf
//! Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
//! ```

use std::fmt;

use crate::{codec::reply::Enhanced, limits};

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599.
    pub code: u16,
    /// The enhanced code of the first line, when there is one and its class agrees (RFC 2034 §4).
    pub enhanced: Option<Enhanced>,
    /// The lines without code and enhanced code. Printable US-ASCII; anything else became `?`.
    pub lines: Vec<String>,
}

/// Why input is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFault {
    /// A line that does not begin with a code, or has another code than the line before.
    Syntax,
    /// A line or a reply over its limit.
    TooLong,
}

impl Response {
    /// The texts of the lines as one.
    pub fn text(&self) -> String {
        self.lines.join(" ").trim().to_owned()
    }

    /// 2 to 5.
    pub fn class(&self) -> u16 {
        self.code / 100
    }
}

/// Writes the reply on one line, as a log and a report show it.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        let text = self.text();
        if !text.is_empty() {
            write!(f, " {text}")?;
        }
        Ok(())
    }
}

/// Puts lines together until a reply is whole.
#[derive(Clone, Debug, Default)]
pub struct ResponseReader {
    partial: Option<Response>,
    octets: usize,
}

impl ResponseReader {
    /// Takes at most one line from the front of the input. Returns the octets taken; zero means no whole line yet. A reply comes
    /// with its last line. Lines that end with a bare LF are taken too: old servers send them, and nothing hangs on it.
    pub fn take(&mut self, input: &[u8]) -> (usize, Result<Option<Response>, ResponseFault>) {
        let Some(lf) = memchr::memchr(b'\n', input) else {
            let too_long = input.len() > limits::RESPONSE_LINE_OCTETS;
            return (0, if too_long { Err(ResponseFault::TooLong) } else { Ok(None) });
        };
        let line = input.get(..lf).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.octets += line.len();
        let lines = self.partial.as_ref().map_or(0, |partial| partial.lines.len());
        if line.len() > limits::RESPONSE_LINE_OCTETS
            || self.octets > limits::RESPONSE_OCTETS
            || lines >= limits::RESPONSE_LINES
        {
            return (lf + 1, Err(ResponseFault::TooLong));
        }
        (lf + 1, self.line(line))
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Response>, ResponseFault> {
        let (code, more, text) = split(line).ok_or(ResponseFault::Syntax)?;
        let response =
            self.partial.get_or_insert_with(|| Response { code, enhanced: None, lines: Vec::new() });
        if response.code != code {
            return Err(ResponseFault::Syntax);
        }
        let (enhanced, text) = match enhanced(text, code) {
            Some((enhanced, rest)) => (Some(enhanced), rest),
            None => (None, text),
        };
        if response.lines.is_empty() {
            response.enhanced = enhanced;
        }
        let shown = text.iter().map(|b| if (b' '..=b'~').contains(b) { char::from(*b) } else { '?' });
        response.lines.push(shown.collect());
        if more {
            return Ok(None);
        }
        self.octets = 0;
        Ok(self.partial.take())
    }
}

/// Code, whether more lines follow, text.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (code, rest) = line.split_first_chunk::<3>()?;
    if !code.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = code.iter().fold(0, |sum: u16, digit| sum * 10 + u16::from(digit - b'0'));
    if !(200..=599).contains(&code) {
        return None;
    }
    match rest.split_first() {
        None => Some((code, false, rest)),
        Some((b' ', text)) => Some((code, false, text)),
        Some((b'-', text)) => Some((code, true, text)),
        Some(_) => None,
    }
}

/// The enhanced code in front of a text, and the rest of it. Only classes 2, 4 and 5, and only that of the code (RFC 2034 §4).
fn enhanced(text: &[u8], code: u16) -> Option<(Enhanced, &[u8])> {
    let end = text.iter().position(|b| *b == b' ').unwrap_or(text.len());
    let word = std::str::from_utf8(text.get(..end)?).ok()?;
    let mut parts = word.split('.');
    let mut number = |digits: usize| {
        let part = parts.next()?;
        let fits = !part.is_empty() && part.len() <= digits && part.bytes().all(|b| b.is_ascii_digit());
        if fits { part.parse::<u16>().ok() } else { None }
    };
    let (class, subject, detail) = (number(1)?, number(3)?, number(3)?);
    if parts.next().is_some() || class != code / 100 || class == 3 {
        return None;
    }
    let rest = text.get(end..).unwrap_or_default();
    Some((Enhanced(class as u8, subject, detail), rest.strip_prefix(b" ").unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> Result<Vec<String>, ResponseFault> {
        let mut reader = ResponseReader::default();
        let (mut at, mut found) = (0, Vec::new());
        loop {
            let (used, result) = reader.take(&input.as_bytes()[at..]);
            at += used;
            match result? {
                Some(response) => found.push(response.to_string()),
                None if used == 0 => return Ok(found),
                None => {}
            }
        }
    }

    #[test]
    fn replies_of_one_line_and_of_many() {
        assert_eq!(read("250 2.1.0 OK\r\n").unwrap(), ["250 2.1.0 OK"]);
        assert_eq!(read("250\r\n250 \r\n").unwrap(), ["250", "250"]);
        assert_eq!(read("550-5.1.1 No\r\n550 5.1.1 such user\r\n").unwrap(), ["550 5.1.1 No such user"]);
        assert_eq!(read("220 old\n").unwrap(), ["220 old"]);
        assert_eq!(read("250-a\r\n250").unwrap(), Vec::<String>::new());
        assert_eq!(read("450 4.7.1.2 x\r\n").unwrap(), ["450 4.7.1.2 x"]);
        assert_eq!(read("554 caf\u{e9}\r\n").unwrap(), ["554 caf??"]);
    }

    #[test]
    fn an_enhanced_code_of_another_class_is_text() {
        let (_, response) = ResponseReader::default().take(b"450 5.1.1 odd\r\n");
        let response = response.unwrap().unwrap();
        assert_eq!((response.enhanced, response.text().as_str()), (None, "5.1.1 odd"));
    }

    #[test]
    fn what_is_no_reply_is_a_fault() {
        for wrong in
            ["hello\r\n", "25\r\n", "150 x\r\n", "600 x\r\n", "250x\r\n", "250-a\r\n251 b\r\n", "\r\n"]
        {
            assert_eq!(read(wrong), Err(ResponseFault::Syntax), "{wrong:?}");
        }
        let long = format!("250 {}\r\n", "x".repeat(limits::RESPONSE_LINE_OCTETS));
        assert_eq!(read(&long), Err(ResponseFault::TooLong));
        assert_eq!(read(&"x".repeat(limits::RESPONSE_LINE_OCTETS + 1)), Err(ResponseFault::TooLong));
        assert_eq!(read(&"250-x\r\n".repeat(limits::RESPONSE_LINES + 1)), Err(ResponseFault::TooLong));
    }
}
