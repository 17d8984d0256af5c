//! Replies: one table, and how a reply is written. RFC 5321 §4.2, RFC 2034, RFC 3463, the IANA registry of enhanced codes.
//! Never decides when a reply is due.

use std::{borrow::Cow, fmt};

/// An enhanced status code: class, subject, detail (RFC 3463).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// One reply: a code, an enhanced code where the command has one, and a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// Absent in greetings, EHLO, 334 and 354 (RFC 2034 §4).
    pub enhanced: Option<Enhanced>,
    /// Printable US-ASCII, no line ends.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// The same reply with another text.
    pub fn with_text(self, text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// Writes the reply as one line, or as several when the text would make a line longer than
    /// [`crate::limits::REPLY_LINE_OCTETS`]. What is not printable US-ASCII becomes `?`: no reply can be injected.
    pub fn write(&self, out: &mut Vec<u8>) {
        let prefix = self.enhanced.map(|e| format!("{e} ")).unwrap_or_default();
        let room = crate::limits::REPLY_LINE_OCTETS.saturating_sub(4 + prefix.len() + 2).max(1);
        let text: Vec<u8> =
            self.text.chars().map(|c| if (' '..='~').contains(&c) { c as u8 } else { b'?' }).collect();
        let mut pieces = text.chunks(room).peekable();
        if pieces.peek().is_none() {
            out.extend_from_slice(format!("{} {}\r\n", self.code, prefix.trim_end()).as_bytes());
        }
        while let Some(piece) = pieces.next() {
            let mark = if pieces.peek().is_some() { '-' } else { ' ' };
            out.extend_from_slice(format!("{}{mark}{prefix}", self.code).as_bytes());
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Writes a reply of several lines without enhanced codes: EHLO and HELP.
pub fn write_lines(code: u16, lines: &[Cow<'_, str>], out: &mut Vec<u8>) {
    for (number, line) in lines.iter().enumerate() {
        let mark = if number + 1 == lines.len() { ' ' } else { '-' };
        out.extend_from_slice(format!("{code}{mark}").as_bytes());
        out.extend(line.chars().map(|c| if (' '..='~').contains(&c) { c as u8 } else { b'?' }));
        out.extend_from_slice(b"\r\n");
    }
}

/// One row of the table, for the reference page.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The constant's name.
    pub name: &'static str,
    /// The reply.
    pub reply: &'static Reply,
    /// When it is given.
    pub when: &'static str,
}

macro_rules! replies {
    ($( #[doc = $when:literal] $name:ident = $code:literal $([$class:literal $subject:literal $detail:literal])? $text:literal; )*) => {
        $( #[doc = $when] pub const $name: Reply =
            Reply { code: $code, enhanced: replies!(@ $($class $subject $detail)?), text: Cow::Borrowed($text) }; )*
        /// Every reply of this crate, for the reference page.
        pub const ALL: &[Row] = &[ $( Row { name: stringify!($name), reply: &$name, when: $when }, )* ];
    };
    (@ $class:literal $subject:literal $detail:literal) => { Some(Enhanced($class, $subject, $detail)) };
    (@) => { None };
}

replies! {
    /// A connection was taken; our name follows.
    GREETING = 220 "Ready";
    /// A command that changes nothing, or that worked and has nothing to say.
    OK = 250 [2 0 0] "OK";
    /// HELO. (EHLO and LHLO answer in several lines.)
    HELLO = 250 "Hello";
    /// MAIL was taken.
    SENDER_OK = 250 [2 1 0] "Sender OK";
    /// RCPT was taken.
    RECIPIENT_OK = 250 [2 1 5] "Recipient OK";
    /// The body was taken and is durable; the trace id follows.
    MESSAGE_OK = 250 [2 0 0] "Accepted as";
    /// A BDAT chunk that is not the last one was taken.
    CHUNK_OK = 250 [2 0 0] "Chunk received";
    /// RSET.
    RESET_OK = 250 [2 0 0] "Forgotten";
    /// VRFY: the same for every argument, so that nobody learns who exists (RFC 5321 §7.3).
    CANNOT_VERIFY = 252 [2 1 5] "Cannot verify; send mail and see";
    /// HELP.
    HELP = 214 [2 0 0] "See RFC 5321";
    /// STARTTLS: the handshake may begin.
    READY_FOR_TLS = 220 [2 0 0] "Ready for TLS";
    /// QUIT.
    BYE = 221 [2 0 0] "Bye";
    /// AUTH succeeded.
    LOGGED_IN = 235 [2 7 0] "Logged in";
    /// DATA may begin.
    SEND_DATA = 354 "Send the message, end with <CRLF>.<CRLF>";

    /// The server stops.
    SHUTTING_DOWN = 421 [4 3 2] "Server is shutting down; try again soon";
    /// Too many connections, in all or from this address.
    TOO_BUSY = 421 [4 7 0] "Too many connections; try again later";
    /// The client was silent for too long.
    TIMED_OUT = 421 [4 4 2] "Waited too long for you";
    /// Our own fault: the session broke.
    SESSION_BROKEN = 421 [4 3 0] "Internal error; try again later";
    /// Too many errors in one session.
    TOO_MANY_ERRORS = 421 [4 7 0] "Too many errors";
    /// Too many failed logins in one session.
    TOO_MANY_FAILURES = 421 [4 7 0] "Too many failed logins";
    /// More commands that lead nowhere than a session may send.
    TOO_MANY_COMMANDS = 421 [4 7 0] "Too many commands; connect again";
    /// Messages beyond the limit of one session (RFC 9422 §4).
    TOO_MANY_MESSAGES = 421 [4 7 0] "Too many messages in one session; connect again";
    /// A line without end.
    INPUT_TOO_LONG = 421 [4 7 0] "Line too long";
    /// Octets came in before the greeting went out.
    SPOKE_EARLY = 554 [5 5 1] "You spoke before the greeting";
    /// The first line was a web request or the like.
    NOT_SMTP = 521 [5 7 1] "This is a mail server";

    /// Something on our side failed; nothing was stored.
    LOCAL_ERROR = 451 [4 3 0] "Local error; try again later";
    /// The store takes no writes now.
    STORE_READ_ONLY = 451 [4 3 0] "Cannot store mail now; try again later";
    /// Not enough disk space.
    STORE_FULL = 452 [4 3 1] "Not enough space now; try again later";
    /// More recipients than one message may have.
    TOO_MANY_RECIPIENTS = 452 [4 5 3] "Too many recipients; send the rest in another message";
    /// The recipient's mailbox is full, for now.
    MAILBOX_FULL = 452 [4 2 2] "Mailbox is full";
    /// Backend: too much mail from this sender.
    RATE_LIMITED = 450 [4 7 1] "Too much mail from you; try again later";
    /// Backend: this recipient cannot be looked up now.
    RECIPIENT_UNKNOWN_NOW = 450 [4 1 1] "Cannot look up this recipient now";
    /// LMTP: the backend said nothing of this recipient.
    NO_RESULT = 451 [4 3 0] "No result for this recipient; try again later";

    /// A line that is no command at all, or not of printable US-ASCII.
    SYNTAX_ERROR = 500 [5 5 2] "Syntax error";
    /// An unknown command.
    UNKNOWN_COMMAND = 500 [5 5 1] "Unknown command";
    /// A command line over the limit.
    LINE_TOO_LONG = 500 [5 5 2] "Line too long";
    /// A command line that ends with a bare LF, or has a bare CR in it.
    BARE_NEWLINE_IN_COMMAND = 500 [5 5 2] "Lines end with CRLF";
    /// Arguments that do not parse.
    ARGUMENTS_WRONG = 501 [5 5 4] "Syntax error in arguments";
    /// An argument where none belongs.
    NO_ARGUMENTS = 501 [5 5 4] "This command takes no arguments";
    /// HELO, EHLO or LHLO without a usable name.
    NAME_WRONG = 501 [5 5 4] "Give your host name";
    /// MAIL with a path that does not parse.
    SENDER_SYNTAX = 501 [5 1 7] "Syntax error in sender address";
    /// RCPT with a path that does not parse.
    RECIPIENT_SYNTAX = 501 [5 1 3] "Syntax error in recipient address";
    /// A local part over 64 or a domain over 255 octets.
    PATH_TOO_LONG = 501 [5 1 3] "Address too long";
    /// The same parameter twice.
    PARAMETER_TWICE = 501 [5 5 4] "Parameter given twice";
    /// A known parameter with a value that is none.
    PARAMETER_VALUE = 501 [5 5 4] "Syntax error in a parameter";
    /// An unknown parameter, or one this listener does not offer.
    PARAMETER_UNKNOWN = 555 [5 5 4] "Parameter not recognized";
    /// A parameter after HELO, or an extension not in force.
    PARAMETER_NEEDS_EHLO = 555 [5 5 4] "Parameters need EHLO";
    /// A command we know and do not offer here.
    NOT_OFFERED = 502 [5 5 1] "Command not offered here";
    /// MAIL, RCPT or another command before EHLO, HELO or LHLO.
    GREET_FIRST = 503 [5 5 1] "Greet first";
    /// EHLO or HELO in LMTP.
    USE_LHLO = 500 [5 5 1] "This is LMTP: say LHLO";
    /// LHLO in SMTP.
    USE_EHLO = 500 [5 5 1] "This is SMTP: say EHLO";
    /// MAIL inside a transaction.
    NESTED_MAIL = 503 [5 5 1] "A sender was given already";
    /// RCPT, DATA or BDAT without MAIL.
    MAIL_FIRST = 503 [5 5 1] "Give a sender first";
    /// DATA or BDAT without an accepted RCPT.
    RCPT_FIRST = 503 [5 5 1] "No valid recipients";
    /// DATA after BODY=BINARYMIME (RFC 3030 §3) .
    BINARY_NEEDS_BDAT = 503 [5 5 1] "BINARYMIME needs BDAT";
    /// A command other than BDAT, RSET, NOOP or QUIT between chunks (RFC 3030 §2).
    CHUNKS_UNDER_WAY = 503 [5 5 1] "Chunks are under way: BDAT or RSET";
    /// A command that must be the last of a group had others behind it before it was answered.
    PIPELINED_WRONGLY = 503 [5 5 1] "Wait for the answer before you go on";
    /// AUTH when logged in already, RFC 4954 §4.
    LOGGED_IN_ALREADY = 503 [5 5 1] "Already logged in";
    /// AUTH inside a transaction.
    NOT_IN_TRANSACTION = 503 [5 5 1] "Not during a mail transaction";
    /// STARTTLS when TLS is there.
    TLS_ALREADY = 503 [5 5 1] "TLS is active already";
    /// EXPN: nobody learns who is on a list.
    NO_EXPANSION = 550 [5 7 2] "Lists are not shown here";
    /// STARTTLS has no certificate to work with.
    TLS_UNAVAILABLE = 454 [4 7 0] "TLS not available now";

    /// A command that needs TLS on this listener.
    TLS_FIRST = 530 [5 7 0] "Must issue a STARTTLS command first";
    /// MAIL on submission without login.
    LOGIN_FIRST = 530 [5 7 0] "Log in first";
    /// An unknown mechanism, or one not offered.
    MECHANISM_UNKNOWN = 504 [5 5 4] "Mechanism not offered";
    /// A plain-text mechanism without TLS.
    MECHANISM_NEEDS_TLS = 538 [5 7 11] "This mechanism needs TLS";
    /// A wrong user or password. One text for every reason.
    CREDENTIALS_WRONG = 535 [5 7 8] "Wrong user name or password";
    /// Too many failures from this address or on this account.
    LOGIN_THROTTLED = 454 [4 7 0] "Too many failed logins; try again later";
    /// The directory cannot say.
    LOGIN_UNAVAILABLE = 454 [4 7 0] "Cannot log you in now; try again later";
    /// The client cancelled the exchange with `*`.
    LOGIN_CANCELLED = 501 [5 7 0] "Login cancelled";
    /// A response that is no base64 (RFC 4954 §4), or against the mechanism.
    RESPONSE_MALFORMED = 501 [5 5 2] "Cannot decode your response";
    /// A response over the limit.
    RESPONSE_TOO_LONG = 500 [5 5 6] "Response too long";

    /// The declared size, or the real one, is over the limit.
    MESSAGE_TOO_BIG = 552 [5 3 4] "Message too big";
    /// Bare CR or LF in a body.
    BARE_NEWLINES = 550 [5 6 11] "Bare CR or LF in the message: lines end with CRLF";
    /// A chunk size that is no number of octets.
    CHUNK_SIZE = 501 [5 5 4] "Chunk size?";
    /// An internationalized address without SMTPUTF8 (RFC 6531 §3.5).
    NEEDS_SMTPUTF8 = 553 [5 6 7] "Address needs SMTPUTF8";
    /// Non-ASCII in a command without SMTPUTF8.
    NON_ASCII = 500 [5 5 2] "Non-ASCII needs SMTPUTF8";
    /// Backend: no such mailbox.
    MAILBOX_UNKNOWN = 550 [5 1 1] "No such mailbox here";
    /// Backend: the domain is none of ours, and the client is not logged in.
    RELAY_DENIED = 550 [5 7 1] "Relaying denied";
    /// Backend: the account is disabled.
    MAILBOX_DISABLED = 550 [5 2 1] "Mailbox is disabled";
    /// Backend: a null sender may have one recipient where bounces go.
    ONE_RECIPIENT_FOR_BOUNCES = 550 [5 5 3] "A bounce has one recipient";
    /// Backend: the sender is not the client's own address.
    SENDER_NOT_YOURS = 553 [5 7 1] "This sender address is not yours";
    /// Backend: the address cannot exist as a sender.
    SENDER_REFUSED = 550 [5 1 8] "Sender address refused";
    /// Backend: Received fields show a loop.
    LOOP_FOUND = 554 [5 4 6] "Mail loop";
    /// Backend: the header is broken beyond what can be stored.
    HEADER_TOO_BIG = 552 [5 3 4] "Message header too big";
    /// Backend: nothing of the message could be taken.
    MESSAGE_REFUSED = 554 [5 7 1] "Message refused";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write(&mut out);
        String::from_utf8(out).expect("replies are text")
    }

    #[test]
    fn the_table_is_sound() {
        for Row { name, reply, when } in ALL {
            assert!(matches!(reply.code, 200..=299 | 354 | 400..=599), "{name}");
            if let Some(Enhanced(class, ..)) = reply.enhanced {
                assert_eq!(u16::from(class), reply.code / 100, "{name}");
            }
            assert!(!when.is_empty() && !reply.text.is_empty(), "{name}");
            let line = written(reply);
            assert_eq!(line.matches("\r\n").count(), 1, "{name}");
            assert!(line.trim_end().bytes().all(|b| (b' '..=b'~').contains(&b)), "{name}");
        }
    }

    #[test]
    fn replies_are_written_as_rfc_5321_and_2034_have_them() {
        assert_eq!(written(&OK), "250 2.0.0 OK\r\n");
        assert_eq!(written(&HELLO.with_text("mx.test")), "250 mx.test\r\n");
        assert_eq!(written(&OK.with_text("")), "250 2.0.0\r\n");
    }

    #[test]
    fn no_text_leaves_its_line() {
        assert_eq!(written(&OK.with_text("a\r\n250 b\u{e9}\0")), "250 2.0.0 a??250 b??\r\n");
        let mut out = Vec::new();
        write_lines(250, &["a\r\nb".into(), "c".into()], &mut out);
        assert_eq!(out, b"250-a??b\r\n250 c\r\n");
    }

    #[test]
    fn long_texts_become_several_lines() {
        let long = written(&MESSAGE_REFUSED.with_text("x".repeat(1_200)));
        let lines: Vec<&str> = long.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() + 2 <= crate::limits::REPLY_LINE_OCTETS));
        assert!(lines[0].starts_with("554-5.7.1 x") && lines[2].starts_with("554 5.7.1 x"));
        assert_eq!(long.matches('x').count(), 1_200);
    }
}
