//! Writes responses. Every string goes out as an atom, a quoted string or a literal that holds it exactly, so that nothing stored can
//! end a line or a list (response injection). Never fails.

use std::fmt;

use yubin_base::UnixMs;
use yubin_store::{Flags, Keyword, KeywordBits};

use super::{Dialect, cursor::is_astring_char, date, name, request::AppendHead};

/// Response codes (RFC 9051 §7.1 and extensions).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum Code {
    AlreadyExists,
    AuthenticationFailed,
    AuthorizationFailed,
    BadCharset,
    /// An event that NOTIFY does not know here.
    BadEvent,
    BadUrl(String),
    Cannot,
    ClientBug,
    Closed,
    CompressionActive,
    ExpungeIssued,
    HighestModSeq(u64),
    /// The tag, how far it is, and of what.
    InProgress(Option<String>, u64, u64),
    InUse,
    Limit,
    MailboxId(u32),
    /// How many messages a command takes, and the lowest UID that it came to.
    MessageLimit(u32, Option<u32>),
    MetadataLongEntries(u64),
    MetadataMaxSize(u64),
    MetadataNoPrivate,
    MetadataTooMany,
    Modified(Vec<(u32, u32)>),
    NonExistent,
    NoPerm,
    NotificationOverflow,
    NotSaved,
    OverQuota,
    Parse,
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    ServerBug,
    TooBig,
    TooFew,
    TooMany,
    TryCreate,
    UidNext(u32),
    UidRequired,
    UidValidity(u32),
    Unavailable,
    UnknownCte,
    Unseen(u32),
    UseAttr,
    /// UIDVALIDITY and the new UIDs.
    AppendUid(u32, Vec<(u32, u32)>),
    /// UIDVALIDITY, the old UIDs and the new ones.
    CopyUid(u32, Vec<(u32, u32)>, Vec<(u32, u32)>),
    /// A capability list, space-separated.
    Capability(String),
}

/// The three answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok,
    /// Not done.
    No,
    /// Not understood.
    Bad,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
        }
    }
}

/// Writes to the end of a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    /// The buffer.
    pub out: &'a mut Vec<u8>,
    /// How names are written.
    pub dialect: Dialect,
}

impl<'a> Writer<'a> {
    /// At the end of `out`.
    pub fn new(out: &'a mut Vec<u8>, dialect: Dialect) -> Self {
        Self { out, dialect }
    }
    /// Words of the protocol, as they are.
    pub fn raw(&mut self, text: &str) -> &mut Self {
        self.out.extend_from_slice(text.as_bytes());
        self
    }
    /// Octets that are response syntax already: ENVELOPE and BODYSTRUCTURE as rendered at delivery.
    pub fn rendered(&mut self, octets: &[u8]) -> &mut Self {
        self.out.extend_from_slice(octets);
        self
    }
    /// A number.
    pub fn number(&mut self, n: impl Into<u64>) -> &mut Self {
        push_number(self.out, n.into());
        self
    }
    /// Text for people: printable ASCII; what is not becomes `?`.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.out.extend(text.chars().map(|c| if matches!(c, ' '..='~') { c as u8 } else { b'?' }));
        self
    }
    /// A string: quoted when it is short and plain, else a literal.
    pub fn string(&mut self, text: &[u8]) -> &mut Self {
        let quotable = |c: &u8| matches!(c, b' '..=b'~') || (self.dialect.utf8 && *c >= 0x80);
        let is_utf8 = !self.dialect.utf8 || text.is_ascii() || std::str::from_utf8(text).is_ok();
        if text.len() <= 1024 && is_utf8 && text.iter().all(quotable) {
            self.out.push(b'"');
            for c in text {
                if matches!(c, b'"' | b'\\') {
                    self.out.push(b'\\');
                }
                self.out.push(*c);
            }
            self.out.push(b'"');
            return self;
        }
        self.literal(text)
    }
    /// A literal.
    pub fn literal(&mut self, text: &[u8]) -> &mut Self {
        self.literal_head(text.len() as u64);
        self.out.extend_from_slice(text);
        self
    }
    /// The head of a literal that is written after.
    pub fn literal_head(&mut self, octets: u64) -> &mut Self {
        self.raw("{").number(octets).raw("}\r\n")
    }
    /// An atom when it can be one, else a string.
    pub fn astring(&mut self, text: &[u8]) -> &mut Self {
        let is_nil = text.eq_ignore_ascii_case(b"NIL");
        if !text.is_empty() && !is_nil && text.iter().all(|c| is_astring_char(*c)) {
            self.out.extend_from_slice(text);
            return self;
        }
        self.string(text)
    }
    /// A mailbox name.
    pub fn mailbox(&mut self, mailbox: &str) -> &mut Self {
        if self.dialect.utf8 {
            return self.astring(mailbox.as_bytes());
        }
        let mut wire = Vec::with_capacity(mailbox.len());
        name::push_mutf7(&mut wire, mailbox);
        self.astring(&wire)
    }
    /// A mailbox name, or the empty one that stands for the server.
    pub fn mailbox_or_none(&mut self, mailbox: &str) -> &mut Self {
        if mailbox.is_empty() { self.raw("\"\"") } else { self.mailbox(mailbox) }
    }
    /// A string; a literal8 when it holds NUL.
    pub fn string8(&mut self, text: &[u8]) -> &mut Self {
        if text.contains(&0) { self.raw("~").literal(text) } else { self.string(text) }
    }
    /// Flags and keywords within parentheses.
    pub fn flags(&mut self, flags: Flags, bits: KeywordBits, keywords: &[Keyword]) -> &mut Self {
        self.out.push(b'(');
        let mut first = true;
        for (flag, text) in FLAGS {
            if flags.has(flag) {
                separate(self.out, &mut first);
                self.raw(text);
            }
        }
        let mut bits = bits.0;
        while bits != 0 {
            if let Some(keyword) = keywords.get(bits.trailing_zeros() as usize) {
                separate(self.out, &mut first);
                self.raw(keyword.as_str());
            }
            bits &= bits - 1;
        }
        self.out.push(b')');
        self
    }
    /// The head of a message's data: `* 3 FETCH (`, or for clients that know no sequence numbers `* 71 UIDFETCH (`
    /// (RFC 9586 §3.4).
    pub fn fetch_head(&mut self, seq: u32, uid: u32) -> &mut Self {
        match self.dialect.uid_only {
            true => self.raw("* ").number(uid).raw(" UIDFETCH ("),
            false => self.raw("* ").number(seq).raw(" FETCH ("),
        }
    }
    /// `UID 71 `, unless the head has told it.
    pub fn uid_unless_told(&mut self, uid: u32) -> &mut Self {
        match self.dialect.uid_only {
            true => self,
            false => self.raw("UID ").number(uid).raw(" "),
        }
    }
    /// A date and time, with its quotes.
    pub fn date_time(&mut self, moment: UnixMs) -> &mut Self {
        self.out.push(b'"');
        date::push_date_time(self.out, moment);
        self.out.push(b'"');
        self
    }
    /// Ranges: `1:3,5`.
    pub fn set(&mut self, ranges: &[(u32, u32)]) -> &mut Self {
        let mut first = true;
        for &(from, to) in ranges {
            if !first {
                self.out.push(b',');
            }
            first = false;
            self.number(from);
            if to != from {
                self.out.push(b':');
                self.number(to);
            }
        }
        self
    }
    /// A response code with its brackets.
    pub fn code(&mut self, code: &Code) -> &mut Self {
        self.out.push(b'[');
        match code {
            Code::AlreadyExists => self.raw("ALREADYEXISTS"),
            Code::AuthenticationFailed => self.raw("AUTHENTICATIONFAILED"),
            Code::AuthorizationFailed => self.raw("AUTHORIZATIONFAILED"),
            Code::BadCharset => self.raw("BADCHARSET (UTF-8)"),
            Code::BadEvent => self.raw("BADEVENT (").raw(super::notify::EVENTS).raw(")"),
            // RFC 4469 §5: any character but `]`; the others make no sense in a URL either.
            Code::BadUrl(url) => {
                let clean = |c| if matches!(c, '!'..='~') && c != ']' { c } else { '?' };
                self.raw("BADURL ").raw(&url.chars().map(clean).collect::<String>())
            }
            Code::Cannot => self.raw("CANNOT"),
            Code::ClientBug => self.raw("CLIENTBUG"),
            Code::Closed => self.raw("CLOSED"),
            Code::CompressionActive => self.raw("COMPRESSIONACTIVE"),
            Code::ExpungeIssued => self.raw("EXPUNGEISSUED"),
            Code::HighestModSeq(n) => self.raw("HIGHESTMODSEQ ").number(*n),
            Code::InProgress(tag, done, goal) => {
                self.raw("INPROGRESS (");
                match tag {
                    Some(tag) => self.raw("\"").raw(tag).raw("\""),
                    None => self.raw("NIL"),
                };
                self.raw(" ").number(*done).raw(" ");
                match goal {
                    0 => self.raw("NIL)"),
                    goal => self.number(*goal).raw(")"),
                }
            }
            Code::InUse => self.raw("INUSE"),
            Code::Limit => self.raw("LIMIT"),
            Code::MailboxId(id) => self.raw("MAILBOXID (M").number(*id).raw(")"),
            Code::MessageLimit(limit, uid) => {
                self.raw("MESSAGELIMIT ").number(*limit);
                match uid {
                    Some(uid) => self.raw(" ").number(*uid),
                    None => self,
                }
            }
            Code::MetadataLongEntries(octets) => self.raw("METADATA LONGENTRIES ").number(*octets),
            Code::MetadataMaxSize(octets) => self.raw("METADATA MAXSIZE ").number(*octets),
            Code::MetadataNoPrivate => self.raw("METADATA NOPRIVATE"),
            Code::MetadataTooMany => self.raw("METADATA TOOMANY"),
            Code::Modified(ranges) => self.raw("MODIFIED ").set(ranges),
            Code::NonExistent => self.raw("NONEXISTENT"),
            Code::NoPerm => self.raw("NOPERM"),
            Code::NotificationOverflow => self.raw("NOTIFICATIONOVERFLOW"),
            Code::NotSaved => self.raw("NOTSAVED"),
            Code::OverQuota => self.raw("OVERQUOTA"),
            Code::Parse => self.raw("PARSE"),
            Code::PrivacyRequired => self.raw("PRIVACYREQUIRED"),
            Code::ReadOnly => self.raw("READ-ONLY"),
            Code::ReadWrite => self.raw("READ-WRITE"),
            Code::ServerBug => self.raw("SERVERBUG"),
            Code::TooBig => self.raw("TOOBIG"),
            Code::TooFew => self.raw("TOOFEW"),
            Code::TooMany => self.raw("TOOMANY"),
            Code::TryCreate => self.raw("TRYCREATE"),
            Code::UidNext(n) => self.raw("UIDNEXT ").number(*n),
            Code::UidRequired => self.raw("UIDREQUIRED"),
            Code::UidValidity(n) => self.raw("UIDVALIDITY ").number(*n),
            Code::Unavailable => self.raw("UNAVAILABLE"),
            Code::UnknownCte => self.raw("UNKNOWN-CTE"),
            Code::Unseen(n) => self.raw("UNSEEN ").number(*n),
            Code::UseAttr => self.raw("USEATTR"),
            Code::AppendUid(validity, uids) => self.raw("APPENDUID ").number(*validity).raw(" ").set(uids),
            Code::CopyUid(validity, from, to) => {
                self.raw("COPYUID ").number(*validity).raw(" ").set(from).raw(" ").set(to)
            }
            Code::Capability(list) => self.raw("CAPABILITY ").raw(list),
        };
        self.out.push(b']');
        self
    }
    /// A tagged answer.
    pub fn tagged(&mut self, tag: &str, status: Status, code: Option<&Code>, text: &str) {
        self.raw(tag).raw(" ").raw(status.word()).raw(" ");
        if let Some(code) = code {
            self.code(code).raw(" ");
        }
        self.text(text).raw("\r\n");
    }
    /// `* NO [code] text`
    pub fn untagged_no(&mut self, code: &Code, text: &str) {
        self.raw("* NO ").code(code).raw(" ").text(text).raw("\r\n");
    }
    /// `* OK [code] text`
    pub fn untagged_ok(&mut self, code: &Code, text: &str) {
        self.raw("* OK ").code(code).raw(" ").text(text).raw("\r\n");
    }
}

/// The system flags as written.
pub const FLAGS: [(Flags, &str); 5] = [
    (Flags::ANSWERED, "\\Answered"),
    (Flags::FLAGGED, "\\Flagged"),
    (Flags::DELETED, "\\Deleted"),
    (Flags::SEEN, "\\Seen"),
    (Flags::DRAFT, "\\Draft"),
];

fn separate(out: &mut Vec<u8>, first: &mut bool) {
    if !*first {
        out.push(b' ');
    }
    *first = false;
}

/// Writes a number in decimal. This is most of what FETCH writes, so it does not go through `fmt`.
pub fn push_number(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0u8; 20];
    let mut used = 0;
    for place in digits.iter_mut().rev() {
        *place = b'0' + (n % 10) as u8;
        n /= 10;
        used += 1;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}

/// A text that a client chose, for a log line: short and without control characters.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = self.0.floor_char_boundary(crate::limits::LOGGED_TEXT_OCTETS);
        self.0.get(..cut).unwrap_or_default().escape_debug().fmt(f)
    }
}

impl AppendHead {
    /// The moment that INTERNALDATE becomes.
    pub fn internal_date(&self, now: UnixMs) -> UnixMs {
        self.date.unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::cursor::Cursor;
    use proptest::prelude::*;

    fn written(utf8: bool, write: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out, Dialect { utf8, ..Dialect::default() }));
        out
    }

    #[test]
    fn numbers_are_decimal() {
        for n in [0, 1, 9, 10, 99, 12_345, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, n);
            assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
        }
    }

    #[test]
    fn texts_hold_no_line_end() {
        let out = written(false, |w| w.tagged("a", Status::No, Some(&Code::Cannot), "x\r\n* BYE é"));
        assert_eq!(out, b"a NO [CANNOT] x??* BYE ?\r\n");
    }

    #[test]
    fn sets_are_written_short() {
        let out = written(false, |w| {
            w.code(&Code::CopyUid(7, vec![(1, 3), (5, 5)], vec![(9, 12)]));
        });
        assert_eq!(out, b"[COPYUID 7 1:3,5 9:12]");
    }

    proptest! {
        #[test]
        fn every_string_is_read_back_as_it_was(text in proptest::collection::vec(any::<u8>(), 0..80), utf8: bool) {
            // NUL cannot be in a string on the wire (it can in a literal8); the readers here refuse it.
            let text: Vec<u8> = text.into_iter().filter(|c| *c != 0).collect();
            for atom in [false, true] {
                let out = written(utf8, |w| {
                    if atom { w.astring(&text); } else { w.string(&text); }
                });
                // Nothing of it is left over to be read as something else.
                let line = [&out[..], b"\r\n"].concat();
                let mut cursor = Cursor::new(&line);
                let read = cursor.astring().map(|t| t.into_owned());
                prop_assert_eq!(read, Ok(text.clone()));
                prop_assert!(cursor.is_end());
            }
        }

        #[test]
        fn every_mailbox_name_is_read_back_as_it_was(name in "\\PC{1,40}", utf8: bool) {
            let out = written(utf8, |w| { w.mailbox(&name); });
            let wire = Cursor::new(&out).astring().unwrap().into_owned();
            let read = name::decode(&wire, utf8);
            prop_assert!(read.is_some_and(|r| r == name || r.eq_ignore_ascii_case(&name)));
        }
    }
}
