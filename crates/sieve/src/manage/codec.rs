//! Lines with strings to commands, and answers to lines. RFC 5804 §4.
//!
//! ```abnf
//! command  = word *(SP (string / number)) CRLF
//! string   = quoted / literal
//! quoted   = DQUOTE *(%x20-21 / %x23-5B / %x5D-7E / UTF8-2-4 / "\" (DQUOTE / "\")) DQUOTE    ; at most 1024 octets
//! literal  = "{" number "+" "}" CRLF *OCTET
//! ```

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    Text(String),
    Number(u64),
}

/// What stands at the front of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Not a whole command yet.
    Incomplete,
    /// A command and its octets. The word is in capitals; empty for an empty line.
    Command { word: String, arguments: Vec<Argument>, used: usize },
    /// What cannot be read, up to the end of its line.
    Malformed { why: &'static str, used: usize },
    /// A literal longer than is taken: the octets up to it, and its own.
    TooLong { used: usize, literal_octets: u64 },
}

/// RFC 5804 §4: quoted strings are short; longer texts are literals.
const QUOTED_OCTETS: usize = 1_024;
/// No command takes more.
const ARGUMENTS: usize = 3;

pub(super) fn parse(input: &[u8], literal_octets_max: usize) -> Parsed {
    let mut reader = Reader { input, at: 0 };
    let word = reader.word();
    let mut arguments = Vec::new();
    loop {
        match reader.peek() {
            None => return Parsed::Incomplete,
            Some(b'\n') => {
                reader.at += 1;
                return Parsed::Command { word, arguments, used: reader.at };
            }
            Some(b'\r' | b' ') => reader.at += 1,
            Some(_) if arguments.len() >= ARGUMENTS => {
                return reader.malformed("there are too many arguments");
            }
            Some(b'"') => match reader.quoted() {
                Ok(Some(text)) => arguments.push(Argument::Text(text)),
                Ok(None) => return Parsed::Incomplete,
                Err(why) => return reader.malformed(why),
            },
            Some(b'{') => match reader.literal_head() {
                Ok(Some(octets)) if octets > literal_octets_max as u64 => {
                    return Parsed::TooLong { used: reader.at, literal_octets: octets };
                }
                Ok(Some(octets)) => {
                    let Some(content) = reader.input.get(reader.at..reader.at + octets as usize) else {
                        return Parsed::Incomplete;
                    };
                    reader.at += content.len();
                    match std::str::from_utf8(content) {
                        Ok(text) => arguments.push(Argument::Text(text.to_owned())),
                        Err(_) => return reader.malformed("a string must be UTF-8"),
                    }
                }
                Ok(None) => return Parsed::Incomplete,
                Err(why) => return reader.malformed(why),
            },
            Some(b'0'..=b'9') => match reader.number() {
                Some(number) => arguments.push(Argument::Number(number)),
                None => return reader.malformed("this number is too large"),
            },
            Some(_) => return reader.malformed("an argument is a string or a number"),
        }
    }
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    fn word(&mut self) -> String {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|c| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        self.at += end;
        String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).to_ascii_uppercase()
    }

    fn number(&mut self) -> Option<u64> {
        let mut number: u64 = 0;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            self.at += 1;
            number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        }
        (number <= u64::from(u32::MAX)).then_some(number)
    }

    fn quoted(&mut self) -> Result<Option<String>, &'static str> {
        let mut octets = Vec::new();
        let mut at = self.at + 1;
        loop {
            match self.input.get(at) {
                None => return Ok(None),
                Some(b'"') => break,
                Some(b'\r' | b'\n' | 0) => return Err("a quoted string has no line ends"),
                Some(b'\\') => {
                    at += 1;
                    match self.input.get(at) {
                        None => return Ok(None),
                        Some(c @ (b'"' | b'\\')) => octets.push(*c),
                        Some(_) => return Err("a backslash stands before a quotation mark or a backslash"),
                    }
                }
                Some(c) => octets.push(*c),
            }
            at += 1;
            if octets.len() > QUOTED_OCTETS {
                return Err("a quoted string has at most 1024 octets; send a literal");
            }
        }
        self.at = at + 1;
        String::from_utf8(octets).map(Some).map_err(|_| "a string must be UTF-8")
    }

    /// `{n+}` and its line end. RFC 5804 §4: clients send no other literals; some send `{n}` and do not wait either.
    fn literal_head(&mut self) -> Result<Option<u64>, &'static str> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let Some(end) = rest.iter().position(|c| *c == b'\n') else {
            return if rest.len() > 32 { Err("this literal never begins") } else { Ok(None) };
        };
        let head = rest.get(1..end).unwrap_or_default();
        let head = head.strip_suffix(b"\r").unwrap_or(head);
        let digits = head.strip_suffix(b"}").ok_or("a literal begins with {octets+}")?;
        let digits = digits.strip_suffix(b"+").unwrap_or(digits);
        let text = std::str::from_utf8(digits).unwrap_or_default();
        let octets = text.parse::<u32>().map_err(|_| "a literal begins with {octets+}")?;
        self.at += end + 1;
        Ok(Some(u64::from(octets)))
    }

    /// Skips the rest of the line.
    fn malformed(&self, why: &'static str) -> Parsed {
        let rest = self.input.get(self.at..).unwrap_or_default();
        match rest.iter().position(|c| *c == b'\n') {
            Some(end) => Parsed::Malformed { why, used: self.at + end + 1 },
            None => Parsed::Incomplete,
        }
    }
}

/// The status of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    No,
    Bye,
}

/// `OK (CODE) "text"`
pub(super) fn answer(status: Status, code: Option<&str>, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(match status {
        Status::Ok => b"OK",
        Status::No => b"NO",
        Status::Bye => b"BYE",
    });
    if let Some(code) = code {
        out.extend_from_slice(format!(" ({code})").as_bytes());
    }
    if !text.is_empty() {
        out.push(b' ');
        string(text, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// A text as the server sends it: quoted where it can be, else a literal.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    if text.len() > QUOTED_OCTETS || text.chars().any(char::is_control) {
        out.extend_from_slice(format!("{{{}}}\r\n", text.len()).as_bytes());
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for c in text.bytes() {
        if c == b'"' || c == b'\\' {
            out.push(b'\\');
        }
        out.push(c);
    }
    out.push(b'"');
}
