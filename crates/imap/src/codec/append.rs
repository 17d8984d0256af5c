//! APPEND and REPLACE on the wire: words, messages, parts of messages (RFC 9051 §6.3.12, RFC 3502, RFC 4469, RFC 6855 §4, RFC 8508 §5).
//! Reads them between literals, so that a message is never held; opens nothing.
//!
//! ```abnf
//! append = "APPEND" SP mailbox 1*append-message
//! replace = ["UID" SP] "REPLACE" SP seq-number SP mailbox append-message
//! append-message = [SP flag-list] [SP date-time] SP append-data
//! append-data = literal / literal8 / utf8-literal / "CATENATE" SP "(" cat-part *(SP cat-part) ")"
//! cat-part = "TEXT" SP literal / "URL" SP astring / utf8-literal
//! utf8-literal = "UTF8" SP "(" literal8 ")"
//! ```

use super::{
    cursor::{Cursor, Parsed},
    date, name,
    parse::{ParseError, flag_list, tag},
    request::{AppendHead, Dialect},
    set::STAR,
};

/// The first words of a command, up to a literal or the command's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Neither APPEND nor REPLACE.
    Other,
    /// The literal is the mailbox name, or the words before it make no sense: an ordinary command so far.
    NotYet,
    /// Messages follow.
    Messages {
        /// The tag.
        tag: String,
        /// Where they go.
        target: Target,
        /// The octet behind the mailbox's name.
        rest: usize,
    },
    /// The words are wrong.
    Wrong(ParseError),
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The mailbox's name.
    pub mailbox: String,
    /// For REPLACE: the message that goes.
    pub replaces: Option<Replaces>,
}

/// The message that REPLACE removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Its number; [`STAR`] is the last one.
    pub number: u32,
    /// Whether that is a UID.
    pub uid: bool,
}

/// Looks at a command that has reached a literal (`before` ends where the literal's head begins) or its end.
pub fn start(before: &[u8], dialect: Dialect) -> Start {
    // The head of the literal is cut off, but the space before it stays: no line end here.
    let mut cursor = Cursor::new(before);
    let Ok(tag) = tag(&mut cursor) else { return Start::Other };
    let uid = cursor.eat_word("UID ");
    while uid && cursor.eat(b' ') {}
    let replace = cursor.eat_word("REPLACE ");
    if !replace && (uid || !cursor.eat_word("APPEND ")) {
        return Start::Other;
    }
    while cursor.eat(b' ') {}
    if cursor.is_end() {
        return Start::NotYet;
    }
    match target(&mut cursor, dialect, replace.then_some(uid)) {
        Ok(Some(target)) => Start::Messages { tag, target, rest: cursor.at() },
        Ok(None) => Start::NotYet,
        Err(error) => Start::Wrong(ParseError { tag: Some(tag), error, known: true }),
    }
}

/// None: the mailbox's name is the literal.
fn target(cursor: &mut Cursor<'_>, dialect: Dialect, replace_uid: Option<bool>) -> Parsed<Option<Target>> {
    let mut replaces = None;
    if let Some(uid) = replace_uid {
        let number = if cursor.eat(b'*') { STAR } else { cursor.nz_number()? };
        replaces = Some(Replaces { number, uid });
        cursor.sp()?;
        if cursor.is_end() {
            return Ok(None);
        }
    }
    let start = cursor.clone();
    let wire = cursor.astring()?;
    match name::decode(&wire, dialect.utf8) {
        Some(mailbox) if !mailbox.is_empty() => Ok(Some(Target { mailbox, replaces })),
        _ => start.wrong("the mailbox name is not modified UTF-7"),
    }
}

/// Where in the grammar the words between two literals begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Before a message.
    #[default]
    Message,
    /// Between the parentheses of CATENATE.
    Parts {
        /// There was no part yet.
        first: bool,
    },
    /// Behind the literal of `UTF8 (`.
    Utf8 {
        /// Within CATENATE.
        part: bool,
    },
}

/// What the words say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// A message begins.
    Begin(AppendHead),
    /// A part of it is what this URL names.
    Url(Vec<u8>),
    /// It ends.
    End,
}

/// What comes behind the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// A literal that is a whole message.
    Whole,
    /// A literal that is a part of one, or all of it but for a parenthesis.
    Part,
    /// A literal that is a URL.
    Url,
    /// Nothing: the command is complete.
    Done,
}

/// Reads the words from a place to the next literal (then `literal` is true) or to the end of the command.
pub fn words(cursor: &mut Cursor<'_>, place: &mut Place, literal: bool) -> Parsed<(Vec<Word>, Then)> {
    let mut words = Vec::new();
    loop {
        match *place {
            Place::Message => {
                let mut ahead = cursor.clone();
                if !literal && ahead.end().is_ok() {
                    return Ok((words, Then::Done));
                }
                words.push(Word::Begin(append_head(cursor)?));
                if cursor.is_end() && literal {
                    return Ok((words, Then::Whole));
                }
                if cursor.eat_word("CATENATE (") {
                    *place = Place::Parts { first: true };
                } else if cursor.eat_word("UTF8 (") && cursor.is_end() && literal {
                    *place = Place::Utf8 { part: false };
                    return Ok((words, Then::Part));
                } else {
                    return cursor.wrong("expected a message as a literal");
                }
            }
            Place::Parts { first } => {
                if !first && cursor.eat(b')') {
                    words.push(Word::End);
                    *place = Place::Message;
                    continue;
                }
                if !first {
                    cursor.sp()?;
                }
                *place = Place::Parts { first: false };
                if cursor.eat_word("URL ") {
                    if cursor.is_end() && literal {
                        return Ok((words, Then::Url));
                    }
                    words.push(Word::Url(cursor.astring()?.into_owned()));
                    continue;
                }
                if cursor.eat_word("UTF8 (") {
                    *place = Place::Utf8 { part: true };
                } else if !cursor.eat_word("TEXT ") {
                    return cursor.wrong("expected TEXT or URL");
                }
                if !cursor.is_end() || !literal {
                    return cursor.wrong("expected a literal");
                }
                return Ok((words, Then::Part));
            }
            Place::Utf8 { part } => {
                cursor.expect(b')', "expected ) after the literal")?;
                if part {
                    *place = Place::Parts { first: false };
                } else {
                    words.push(Word::End);
                    *place = Place::Message;
                }
            }
        }
    }
}

/// What stands between the mailbox (or the message before) and the message: ` (flags) "date" `.
fn append_head(cursor: &mut Cursor<'_>) -> Parsed<AppendHead> {
    let mut head = AppendHead::default();
    cursor.sp()?;
    if cursor.peek() == Some(b'(') {
        head.flags = flag_list(cursor)?;
        cursor.sp()?;
    }
    if cursor.peek() == Some(b'"') {
        head.date = Some(date::date_time(cursor)?);
        cursor.sp()?;
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(place: Place, text: &str, literal: bool) -> Result<(Vec<String>, Then, Place), &'static str> {
        let mut place = place;
        let mut cursor = Cursor::new(text.as_bytes());
        let (words, then) = words(&mut cursor, &mut place, literal).map_err(|e| e.what)?;
        let short = |word: &Word| match word {
            Word::Begin(_) => "begin".to_owned(),
            Word::Url(url) => String::from_utf8_lossy(url).into_owned(),
            Word::End => "end".to_owned(),
        };
        Ok((words.iter().map(short).collect(), then, place))
    }

    #[test]
    fn words_are_read_between_literals() {
        let check = |place, text: &str, literal, words: &[&str], then, after| {
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            assert_eq!(read(place, text, literal), Ok((words, then, after)), "{text}");
        };
        let parts = Place::Parts { first: false };
        check(Place::Message, " (\\Seen) ", true, &["begin"], Then::Whole, Place::Message);
        check(Place::Message, " ", true, &["begin"], Then::Whole, Place::Message);
        check(Place::Message, "  ", false, &[], Then::Done, Place::Message);
        check(Place::Message, " UTF8 (", true, &["begin"], Then::Part, Place::Utf8 { part: false });
        check(Place::Utf8 { part: false }, ")", false, &["end"], Then::Done, Place::Message);
        check(Place::Message, " CATENATE (TEXT ", true, &["begin"], Then::Part, parts);
        check(parts, " URL \"/a;b\" url x TEXT ", true, &["/a;b", "x"], Then::Part, parts);
        check(parts, " URL ", true, &[], Then::Url, parts);
        check(parts, " UTF8 (", true, &[], Then::Part, Place::Utf8 { part: true });
        check(
            Place::Utf8 { part: true },
            ") URL a) ",
            true,
            &["a", "end", "begin"],
            Then::Whole,
            Place::Message,
        );
        check(
            Place::Message,
            " catenate (URL a URL b) (\\Draft) CATENATE (URL c)",
            false,
            &["begin", "a", "b", "end", "begin", "c", "end"],
            Then::Done,
            Place::Message,
        );
        for (text, literal) in [
            ("", true),
            (" x", true),
            (" CATENATE ()", false),
            (" CATENATE (", true),
            (" CATENATE (TEXT x)", false),
            (" CATENATE (URL a", false),
            (" CATENATE (URL aURL b)", false),
            (" UTF8 (x)", false),
            (" (\\Seen", true),
        ] {
            assert!(read(Place::Message, text, literal).is_err(), "{text}");
        }
    }

    #[test]
    fn the_start_names_mailbox_and_message() {
        let dialect = Dialect::default();
        let messages = |mailbox: &str, replaces, rest| Start::Messages {
            tag: "a".into(),
            target: Target { mailbox: mailbox.into(), replaces },
            rest,
        };
        assert_eq!(start(b"a APPEND inbox (", dialect), messages("INBOX", None, 14));
        let replaces = |number, uid| Some(Replaces { number, uid });
        assert_eq!(start(b"a REPLACE 4 Drafts ", dialect), messages("Drafts", replaces(4, false), 18));
        assert_eq!(start(b"a UID REPLACE * x ", dialect), messages("x", replaces(STAR, true), 17));
        assert_eq!(start(b"a APPEND ", dialect), Start::NotYet);
        assert_eq!(start(b"a UID REPLACE 4 ", dialect), Start::NotYet);
        assert_eq!(start(b"a UID APPEND x ", dialect), Start::Other);
        assert_eq!(start(b"a NOOP", dialect), Start::Other);
        assert!(matches!(start(b"a REPLACE 1:2 x ", dialect), Start::Wrong(_)));
        assert!(matches!(start(b"a REPLACE 0 x ", dialect), Start::Wrong(_)));
    }
}
