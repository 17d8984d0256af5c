//! Command lines. Parses a line without its line end; never looks at the session's state.
//!
//! RFC 1939 §9, RFC 2449 §4 and §5, RFC 2595 §4, RFC 5034 §4, RFC 6856 §3.
//!
//! ```abnf
//! command      = verb *( SP argument )           ; at most 1,024 octets with its CRLF
//! verb         = 3*4 ALPHA                       ; any case
//! msg          = 1*DIGIT                         ; 1 and up
//! auth-command = "AUTH" [ SP mechanism [ SP ( "=" / base64 ) ] ]
//! ```

/// A command with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `USER name`
    User(&'a str),
    /// `PASS password`: the rest of the line, spaces included.
    Pass(&'a [u8]),
    /// `AUTH [mechanism [initial-response]]`; none: tell the mechanisms.
    Auth(Option<Auth<'a>>),
    /// `APOP name digest`
    Apop,
    /// `STLS`
    Stls,
    /// `CAPA`
    Capa,
    /// `LANG [range]`
    Lang(Option<&'a str>),
    /// `UTF8`
    Utf8,
    /// `STAT`
    Stat,
    /// `LIST [msg]`
    List(Option<u32>),
    /// `UIDL [msg]`
    Uidl(Option<u32>),
    /// `RETR msg`
    Retr(u32),
    /// `TOP msg n`
    Top {
        /// The message.
        message: u32,
        /// Lines of its body.
        lines: u32,
    },
    /// `DELE msg`
    Dele(u32),
    /// `RSET`
    Rset,
    /// `NOOP`
    Noop,
    /// `QUIT`
    Quit,
}

/// The arguments of AUTH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// The mechanism's name, in the client's spelling.
    pub mechanism: &'a str,
    /// The initial response, still in base64; `=` stands for an empty one.
    pub initial_response: Option<&'a [u8]>,
}

/// What was wrong with a line. Always the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// No such command.
    UnknownCommand,
    /// The command wants other arguments; the text shows the right form.
    Arguments(&'static str),
    /// There is no message 0, or the number is out of every range.
    NoSuchNumber,
    /// The line holds control characters or is not UTF-8.
    Characters,
    /// Another protocol: the session had better end.
    NotPop3,
}

/// Parses one line without its line end.
pub fn parse(line: &[u8]) -> Result<Command<'_>, SyntaxError> {
    let (verb, rest) = match line.iter().position(|c| *c == b' ') {
        Some(at) => (line.get(..at).unwrap_or_default(), line.get(at + 1..)),
        None => (line, None),
    };
    if speaks_something_else(verb, rest) {
        return Err(SyntaxError::NotPop3);
    }
    // A password may hold any octet but NUL, CR and LF; every other argument is text.
    if verb.eq_ignore_ascii_case(b"PASS") {
        return pass(rest);
    }
    let text = std::str::from_utf8(line).map_err(|_| SyntaxError::Characters)?;
    if text.chars().any(char::is_control) {
        return Err(SyntaxError::Characters);
    }
    let rest = rest.and_then(|rest| std::str::from_utf8(rest).ok());
    let Some(verb) = Verb::of(verb) else { return Err(SyntaxError::UnknownCommand) };
    verb.with_arguments(rest)
}

/// The commands that share one way of parsing their arguments.
#[derive(Clone, Copy)]
enum Verb {
    User,
    Auth,
    Apop,
    Lang,
    List,
    Uidl,
    Retr,
    Top,
    Dele,
    Bare(Bare),
}

/// The commands without arguments.
#[derive(Clone, Copy)]
enum Bare {
    Stls,
    Capa,
    Stat,
    Rset,
    Noop,
    Quit,
    Utf8,
}

impl Verb {
    fn of(verb: &[u8]) -> Option<Self> {
        Some(match verb.to_ascii_uppercase().as_slice() {
            b"USER" => Self::User,
            b"AUTH" => Self::Auth,
            b"APOP" => Self::Apop,
            b"LANG" => Self::Lang,
            b"LIST" => Self::List,
            b"UIDL" => Self::Uidl,
            b"RETR" => Self::Retr,
            b"TOP" => Self::Top,
            b"DELE" => Self::Dele,
            b"STLS" => Self::Bare(Bare::Stls),
            b"CAPA" => Self::Bare(Bare::Capa),
            b"STAT" => Self::Bare(Bare::Stat),
            b"RSET" => Self::Bare(Bare::Rset),
            b"NOOP" => Self::Bare(Bare::Noop),
            b"QUIT" => Self::Bare(Bare::Quit),
            b"UTF8" => Self::Bare(Bare::Utf8),
            _ => return None,
        })
    }

    fn with_arguments(self, rest: Option<&str>) -> Result<Command<'_>, SyntaxError> {
        // Some clients send a space after a command without arguments.
        let words = rest.map(|rest| rest.trim_matches(' ')).filter(|rest| !rest.is_empty());
        match self {
            Self::User => words.map(Command::User).ok_or(SyntaxError::Arguments("USER name")),
            Self::Auth => auth(words),
            Self::Apop => Ok(Command::Apop),
            Self::Lang => match words {
                Some(range) if range.contains(' ') => Err(SyntaxError::Arguments("LANG [range]")),
                range => Ok(Command::Lang(range)),
            },
            Self::List => Ok(Command::List(words.map(|w| number(w, "LIST [msg]")).transpose()?)),
            Self::Uidl => Ok(Command::Uidl(words.map(|w| number(w, "UIDL [msg]")).transpose()?)),
            Self::Retr => Ok(Command::Retr(number(words.unwrap_or_default(), "RETR msg")?)),
            Self::Dele => Ok(Command::Dele(number(words.unwrap_or_default(), "DELE msg")?)),
            Self::Top => top(words.unwrap_or_default()),
            Self::Bare(bare) => bare_command(bare, words),
        }
    }
}

/// A first line that no POP3 client sends, but browsers and TLS stacks do.
fn speaks_something_else(verb: &[u8], rest: Option<&[u8]>) -> bool {
    const OTHERS: [&[u8]; 13] = [
        b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI",
        b"EHLO", b"HELO", b"SSH-2.0",
    ];
    let binary = verb.iter().any(|c| !c.is_ascii() || (c.is_ascii_control() && *c != b'\t'));
    let header = verb.ends_with(b":") && verb.len() > 1;
    binary || header || (rest.is_some() && OTHERS.iter().any(|other| verb.eq_ignore_ascii_case(other)))
}

fn pass(rest: Option<&[u8]>) -> Result<Command<'_>, SyntaxError> {
    match rest {
        None | Some([]) => Err(SyntaxError::Arguments("PASS password")),
        Some(password) if password.iter().any(|c| matches!(c, 0 | b'\r' | b'\n')) => {
            Err(SyntaxError::Characters)
        }
        Some(password) => Ok(Command::Pass(password)),
    }
}

fn auth(words: Option<&str>) -> Result<Command<'_>, SyntaxError> {
    const USAGE: SyntaxError = SyntaxError::Arguments("AUTH mechanism [initial-response]");
    let Some(words) = words else { return Ok(Command::Auth(None)) };
    let mut words = words.split(' ');
    let mechanism = words.next().unwrap_or_default();
    let initial_response = words.next().map(str::as_bytes);
    // RFC 4422 §3.1: 1 to 20 upper-case letters, digits, hyphens and underscores.
    let name = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    if words.next().is_some() || mechanism.len() > 20 || !mechanism.bytes().all(name) {
        return Err(USAGE);
    }
    Ok(Command::Auth(Some(Auth { mechanism, initial_response })))
}

fn top(words: &str) -> Result<Command<'_>, SyntaxError> {
    const USAGE: &str = "TOP msg lines";
    let (message, lines) = words.split_once(' ').ok_or(SyntaxError::Arguments(USAGE))?;
    let message = number(message, USAGE)?;
    let lines = digits(lines.trim_start_matches(' '), USAGE)?;
    // More lines than any message has are all lines.
    let lines = u32::try_from(lines).unwrap_or(u32::MAX);
    Ok(Command::Top { message, lines })
}

fn bare_command(bare: Bare, words: Option<&str>) -> Result<Command<'_>, SyntaxError> {
    let (command, usage) = match bare {
        Bare::Stls => (Command::Stls, "STLS"),
        Bare::Capa => (Command::Capa, "CAPA"),
        Bare::Stat => (Command::Stat, "STAT"),
        Bare::Rset => (Command::Rset, "RSET"),
        Bare::Noop => (Command::Noop, "NOOP"),
        Bare::Quit => (Command::Quit, "QUIT"),
        Bare::Utf8 => (Command::Utf8, "UTF8"),
    };
    if words.is_some() { Err(SyntaxError::Arguments(usage)) } else { Ok(command) }
}

/// A message number.
fn number(text: &str, usage: &'static str) -> Result<u32, SyntaxError> {
    match u32::try_from(digits(text, usage)?) {
        Ok(0) | Err(_) => Err(SyntaxError::NoSuchNumber),
        Ok(number) => Ok(number),
    }
}

/// Decimal digits and nothing else: no sign, no space. Saturates.
fn digits(text: &str, usage: &'static str) -> Result<u64, SyntaxError> {
    if text.is_empty() || !text.bytes().all(|c| c.is_ascii_digit()) {
        return Err(SyntaxError::Arguments(usage));
    }
    Ok(text.bytes().fold(0_u64, |sum, c| sum.saturating_mul(10).saturating_add(u64::from(c - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Command<'_>, SyntaxError>) {
        assert_eq!(parse(line.as_bytes()), expected, "{line:?}");
    }
    fn wants(line: &str, usage: &'static str) {
        check(line, Err(SyntaxError::Arguments(usage)));
    }

    #[test]
    fn commands_are_read_in_any_case() {
        check("QUIT", Ok(Command::Quit));
        check("utf8", Ok(Command::Utf8));
        wants("UTF8 USER", "UTF8");
        check("quit", Ok(Command::Quit));
        check("Stat", Ok(Command::Stat));
        check("noop ", Ok(Command::Noop));
        check("CAPA", Ok(Command::Capa));
        check("RSET", Ok(Command::Rset));
        check("STLS", Ok(Command::Stls));
        check("APOP mrose c4c9334bac560ecc979e58001b3e22fb", Ok(Command::Apop));
    }

    #[test]
    fn arguments_are_whole() {
        check("USER ann@example.test", Ok(Command::User("ann@example.test")));
        check("USER two words", Ok(Command::User("two words")));
        check("USER 郵便@example.test", Ok(Command::User("郵便@example.test")));
        check("PASS a b  c ", Ok(Command::Pass(b"a b  c ")));
        check("PASS  ", Ok(Command::Pass(b" ")));
        check("LIST", Ok(Command::List(None)));
        check("LIST 3", Ok(Command::List(Some(3))));
        check("UIDL 007", Ok(Command::Uidl(Some(7))));
        check("RETR 4294967295", Ok(Command::Retr(u32::MAX)));
        check("TOP 1 0", Ok(Command::Top { message: 1, lines: 0 }));
        check("TOP 1  10", Ok(Command::Top { message: 1, lines: 10 }));
        check("TOP 1 99999999999999999999999", Ok(Command::Top { message: 1, lines: u32::MAX }));
        check("LANG", Ok(Command::Lang(None)));
        check("LANG *", Ok(Command::Lang(Some("*"))));
        check("AUTH", Ok(Command::Auth(None)));
        check("AUTH PLAIN", Ok(Command::Auth(Some(Auth { mechanism: "PLAIN", initial_response: None }))));
        check(
            "AUTH plain =",
            Ok(Command::Auth(Some(Auth { mechanism: "plain", initial_response: Some(b"=") }))),
        );
    }

    #[test]
    fn wrong_arguments_show_the_right_form() {
        wants("USER", "USER name");
        wants("USER  ", "USER name");
        wants("PASS", "PASS password");
        wants("PASS ", "PASS password");
        wants("STAT 1", "STAT");
        wants("QUIT now", "QUIT");
        wants("LIST 1 2", "LIST [msg]");
        wants("LIST -1", "LIST [msg]");
        wants("RETR", "RETR msg");
        wants("RETR +1", "RETR msg");
        wants("RETR 1x", "RETR msg");
        wants("DELE １", "DELE msg");
        wants("TOP 1", "TOP msg lines");
        wants("TOP 1 -1", "TOP msg lines");
        wants("TOP -1 1", "TOP msg lines");
        wants("TOP 1 2 3", "TOP msg lines");
        wants("LANG a b", "LANG [range]");
        wants("AUTH PLAIN a b", "AUTH mechanism [initial-response]");
        wants("AUTH PL*IN", "AUTH mechanism [initial-response]");
        check("RETR 0", Err(SyntaxError::NoSuchNumber));
        check("LIST 4294967296", Err(SyntaxError::NoSuchNumber));
        check("DELE 99999999999999999999999", Err(SyntaxError::NoSuchNumber));
    }

    #[test]
    fn other_lines_are_told_apart() {
        check("", Err(SyntaxError::UnknownCommand));
        check("XTND", Err(SyntaxError::UnknownCommand));
        check("STATUS", Err(SyntaxError::UnknownCommand));
        check("USER a\tb", Err(SyntaxError::Characters));
        check("USER a\0b", Err(SyntaxError::Characters));
        check("PASS a\0b", Err(SyntaxError::Characters));
        check("GET / HTTP/1.1", Err(SyntaxError::NotPop3));
        check("post /x HTTP/1.0", Err(SyntaxError::NotPop3));
        check("Host: example.test", Err(SyntaxError::NotPop3));
        assert_eq!(parse(b"\x16\x03\x01\x02\x00"), Err(SyntaxError::NotPop3));
        assert_eq!(parse(b"USER \xff"), Err(SyntaxError::Characters));
    }
}
