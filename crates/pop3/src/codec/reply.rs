//! Every reply of the server, in one table: status, response code, text. No reply holds a word of the client's.
//!
//! RFC 1939 §3, RFC 2449 §8, RFC 3206.
//!
//! ```abnf
//! reply = ( "+OK" / "-ERR" ) [ SP [ "[" code "]" SP ] text ] CRLF
//! ```

use std::io::Write;

/// A reply line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    ok: bool,
    code: Option<&'static str>,
    text: &'static str,
}

const fn ok(text: &'static str) -> Reply {
    Reply { ok: true, code: None, text }
}
const fn err(text: &'static str) -> Reply {
    Reply { ok: false, code: None, text }
}
const fn coded(code: &'static str, text: &'static str) -> Reply {
    Reply { ok: false, code: Some(code), text }
}

impl Reply {
    /// To USER, whether or not there is such a user.
    pub const SEND_PASSWORD: Self = ok("Send your password.");
    /// To STLS.
    pub const BEGIN_TLS: Self = ok("Begin TLS negotiation now.");
    /// To CAPA.
    pub const CAPABILITIES: Self = ok("Capability list follows.");
    /// To AUTH without a mechanism.
    pub const MECHANISMS: Self = ok("Mechanisms follow.");
    /// To LANG without an argument.
    pub const LANGUAGES: Self = ok("Language listing follows.");
    /// To TOP.
    pub const TOP_FOLLOWS: Self = ok("Top of message follows.");
    /// To UIDL.
    pub const UNIQUE_IDS: Self = ok("Unique-id listing follows.");
    /// To DELE.
    pub const MARKED: Self = ok("Marked to be deleted.");
    /// To NOOP.
    pub const NOTHING: Self = ok("Nothing done.");
    /// To QUIT before login, or with nothing marked.
    pub const BYE: Self = ok("Bye.");
    /// To QUIT when the marked messages are gone.
    pub const BYE_DELETED: Self = ok("Bye, marked messages are deleted.");
    /// To QUIT when the marked messages are in Trash.
    pub const BYE_TRASHED: Self = ok("Bye, marked messages are in Trash.");
    /// To UTF8.
    pub const UTF8: Self = ok("UTF-8 it is.");

    /// No such command.
    pub const UNKNOWN_COMMAND: Self = err("Unknown command.");
    /// Control characters, or not UTF-8.
    pub const CHARACTERS: Self = err("The command holds characters that are not allowed.");
    /// Over the limit.
    pub const LINE_TOO_LONG: Self = err("The command line is too long.");
    /// A transaction command before login.
    pub const LOGIN_FIRST: Self = err("Log in first.");
    /// A login command after login.
    pub const LOGGED_IN_ALREADY: Self = err("You are logged in already.");
    /// PASS without USER.
    pub const USER_FIRST: Self = err("Send USER first.");
    /// STLS twice, or on a TLS port.
    pub const TLS_ALREADY: Self = err("TLS is active already.");
    /// STLS without a certificate.
    pub const TLS_UNAVAILABLE: Self = err("TLS is not available here.");
    /// APOP, which would need passwords in the clear on disk.
    pub const APOP_REFUSED: Self = err("APOP is not offered; use USER or AUTH.");
    /// A number outside the maildrop.
    pub const NO_SUCH_MESSAGE: Self = err("No such message.");
    /// A message marked by DELE.
    pub const MESSAGE_MARKED: Self = err("That message is marked to be deleted.");
    /// Another session removed it meanwhile.
    pub const MESSAGE_GONE: Self = err("That message was deleted by another session.");
    /// LANG with a language we do not have.
    pub const NO_SUCH_LANGUAGE: Self = err("No such language here; still using i-default.");
    /// The client took back its AUTH.
    pub const AUTH_CANCELLED: Self = err("Authentication cancelled.");
    /// Not base64, or against the mechanism's syntax.
    pub const AUTH_MALFORMED: Self = err("The authentication response is malformed.");
    /// A mechanism we do not have.
    pub const AUTH_MECHANISM: Self = err("No such authentication mechanism here.");
    /// Another protocol.
    pub const NOT_POP3: Self = err("This is a POP3 server.");
    /// The end of patience.
    pub const TOO_MANY_ERRORS: Self = err("Too many errors; bye.");
    /// Passwords need TLS here.
    pub const TLS_REQUIRED: Self = coded("AUTH", "Use TLS first: passwords are not taken in the clear.");
    /// Wrong password, unknown user, disabled user: one text.
    pub const AUTH_FAILED: Self = coded("AUTH", "Authentication failed.");
    /// Too many failures; nothing was checked.
    pub const AUTH_THROTTLED: Self = coded("SYS/TEMP", "Too many failed logins; try again later.");
    /// The directory cannot say now.
    pub const AUTH_UNAVAILABLE: Self =
        coded("SYS/TEMP", "Authentication is not available now; try again later.");
    /// RFC 2449 §8.1.1.
    pub const LOGIN_DELAY: Self = coded("LOGIN-DELAY", "You logged in a short while ago; wait.");
    /// The maildrop cannot be opened now.
    pub const MAILDROP_UNAVAILABLE: Self =
        coded("SYS/TEMP", "Your maildrop cannot be opened now; try again later.");
    /// The account has no maildrop: needs a person.
    pub const MAILDROP_MISSING: Self =
        coded("SYS/PERM", "Your maildrop cannot be opened; ask your postmaster.");
    /// The message cannot be read now.
    pub const MESSAGE_UNAVAILABLE: Self =
        coded("SYS/TEMP", "That message cannot be read now; try again later.");
    /// The message is damaged: needs a person.
    pub const MESSAGE_DAMAGED: Self = coded("SYS/PERM", "That message is damaged; ask your postmaster.");
    /// QUIT could not delete; RFC 1939 §6.
    pub const NOT_DELETED: Self =
        coded("SYS/TEMP", "The marked messages could not be deleted; they are all still here. Bye.");
    /// Nobody knows whether QUIT deleted.
    pub const DELETE_UNKNOWN: Self =
        coded("SYS/TEMP", "It is not known whether the marked messages were deleted. Bye.");
    /// The server stops.
    pub const SHUTDOWN: Self = coded("SYS/TEMP", "The server is stopping; come back later.");
    /// Too many connections.
    pub const TOO_BUSY: Self = coded("SYS/TEMP", "Too many connections; come back later.");
    /// Our bug.
    pub const INTERNAL: Self = coded("SYS/TEMP", "Internal error; come back later.");

    /// Whether it begins with `+OK`.
    pub fn is_ok(self) -> bool {
        self.ok
    }

    /// Writes the line.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.ok { b"+OK " } else { b"-ERR " });
        if let Some(code) = self.code {
            write_to(out, format_args!("[{code}] "));
        }
        write_to(out, format_args!("{}\r\n", self.text));
    }
}

/// The greeting. Without a time stamp, so that no client tries APOP.
pub fn greeting(host_name: &str, out: &mut Vec<u8>) {
    write_to(out, format_args!("+OK {host_name} POP3 ready\r\n"));
}
/// To a login: what the maildrop holds.
pub fn maildrop(messages: u32, octets: u64, out: &mut Vec<u8>) {
    write_to(out, format_args!("+OK {messages} messages ({octets} octets)\r\n"));
}
/// To RSET.
pub fn reset(messages: u32, octets: u64, out: &mut Vec<u8>) {
    maildrop(messages, octets, out);
}
/// To STAT: the drop listing.
pub fn stat(messages: u32, octets: u64, out: &mut Vec<u8>) {
    write_to(out, format_args!("+OK {messages} {octets}\r\n"));
}
/// To LIST with a number: the scan listing.
pub fn scan(message: u32, octets: u64, out: &mut Vec<u8>) {
    write_to(out, format_args!("+OK {message} {octets}\r\n"));
}
/// To UIDL with a number.
pub fn unique_id(message: u32, uid_validity: u32, uid: u32, out: &mut Vec<u8>) {
    write_to(out, format_args!("+OK {message} {uid_validity}.{uid}\r\n"));
}
/// To UIDL with a number, of a message that came with its UIDL.
pub fn kept_unique_id(message: u32, uidl: &str, out: &mut Vec<u8>) {
    write_to(out, format_args!("+OK {message} {uidl}\r\n"));
}
/// To RETR.
pub fn message_follows(octets: u64, out: &mut Vec<u8>) {
    write_to(out, format_args!("+OK {octets} octets\r\n"));
}
/// To a command with wrong arguments.
pub fn usage(right_form: &str, out: &mut Vec<u8>) {
    write_to(out, format_args!("-ERR Write it so: {right_form}\r\n"));
}
/// To LANG with a language we have.
pub fn language(tag: &str, out: &mut Vec<u8>) {
    write_to(out, format_args!("+OK {tag} Language changed.\r\n"));
}
/// A SASL challenge (RFC 5034 §4), from the octets of the mechanism.
pub fn challenge(octets: &[u8], out: &mut Vec<u8>) {
    use base64::Engine as _;
    out.extend_from_slice(b"+ ");
    out.extend_from_slice(base64::engine::general_purpose::STANDARD.encode(octets).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writing into memory does not fail.
pub(crate) fn write_to(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn replies_have_status_code_and_text() {
        assert_eq!(written(|out| Reply::BYE.write(out)), "+OK Bye.\r\n");
        assert_eq!(written(|out| Reply::UNKNOWN_COMMAND.write(out)), "-ERR Unknown command.\r\n");
        assert_eq!(written(|out| Reply::AUTH_FAILED.write(out)), "-ERR [AUTH] Authentication failed.\r\n");
        assert_eq!(written(|out| challenge(b"", out)), "+ \r\n");
        assert_eq!(written(|out| challenge(b"r=1", out)), "+ cj0x\r\n");
        assert_eq!(written(|out| unique_id(1, u32::MAX, u32::MAX, out)), "+OK 1 4294967295.4294967295\r\n");
    }
}
