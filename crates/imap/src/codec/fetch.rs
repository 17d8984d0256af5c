//! Items of FETCH (RFC 9051 §6.4.5, RFC 3501 §6.4.5, RFC 3516, RFC 7162, RFC 8474, RFC 8514, RFC 8970).

use yubin_formats::mail::{Section, SectionText};

use super::cursor::{Cursor, Parsed, upper};
use crate::limits::{FETCH_ITEMS, HEADER_FIELDS, SECTION_LEVELS};

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum Item {
    Uid,
    Flags,
    InternalDate,
    Size,
    Envelope,
    Body,
    BodyStructure,
    ModSeq,
    EmailId,
    ThreadId,
    SaveDate,
    /// PREVIEW (RFC 8970): with LAZY only if it costs nothing.
    Preview {
        lazy: bool,
    },
    /// `BODY[...]` and the RFC822 items, which are other spellings of it.
    Content(Content),
    /// `BINARY[...]`
    Binary {
        part: Vec<u32>,
        peek: bool,
        partial: Option<Partial>,
    },
    /// `BINARY.SIZE[...]`
    BinarySize(Vec<u32>),
}

/// `<offset.count>`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// The first octet.
    pub offset: u64,
    /// How many at most.
    pub octets: u64,
}

/// Octets of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// How the answer names them.
    pub spelling: Spelling,
    /// Which.
    pub section: Section,
    /// The fields of HEADER.FIELDS or HEADER.FIELDS.NOT.
    pub fields: Option<Fields>,
    /// Whether `\Seen` stays as it is.
    pub peek: bool,
    /// A piece of them.
    pub partial: Option<Partial>,
}

/// The names of HEADER.FIELDS or, with false, of HEADER.FIELDS.NOT.
pub type Fields = (Vec<Vec<u8>>, bool);

/// How a content item is named in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// `BODY[section]`
    Body,
    /// `RFC822`
    Rfc822,
    /// `RFC822.HEADER`
    Rfc822Header,
    /// `RFC822.TEXT`
    Rfc822Text,
}

impl Item {
    /// Whether the message's record is needed, or only its row.
    pub fn needs_record(&self) -> bool {
        !matches!(
            self,
            Self::Uid
                | Self::Flags
                | Self::InternalDate
                | Self::Size
                | Self::ModSeq
                | Self::EmailId
                | Self::ThreadId
                | Self::SaveDate
        )
    }
    /// Whether answering sets `\Seen`.
    pub fn sets_seen(&self) -> bool {
        match self {
            Self::Content(content) => !content.peek,
            Self::Binary { peek, .. } => !peek,
            _ => false,
        }
    }
}

/// ```abnf
/// fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
/// ```
pub fn items(cursor: &mut Cursor<'_>) -> Parsed<Vec<Item>> {
    use Item::{Body, Envelope, Flags, InternalDate, Size};
    if cursor.peek() == Some(b'(') {
        let items = cursor.parenthesised(FETCH_ITEMS, item)?;
        return if items.is_empty() { cursor.wrong("expected an item") } else { Ok(items) };
    }
    let mut ahead = cursor.clone();
    let word = ahead.span(|c| c.is_ascii_alphanumeric() || c == b'.', "expected an item")?;
    let items = match upper(word, &mut [0; 32]) {
        "ALL" => vec![Flags, InternalDate, Size, Envelope],
        "FAST" => vec![Flags, InternalDate, Size],
        "FULL" => vec![Flags, InternalDate, Size, Envelope, Body],
        _ => return Ok(vec![item(cursor)?]),
    };
    *cursor = ahead;
    Ok(items)
}

fn item(cursor: &mut Cursor<'_>) -> Parsed<Item> {
    let start = cursor.clone();
    let word = cursor.span(|c| c.is_ascii_alphanumeric() || c == b'.', "expected an item")?;
    let content = |spelling, text, peek| {
        let section = Section { part: Vec::new(), text };
        Item::Content(Content { spelling, section, fields: None, peek, partial: None })
    };
    Ok(match upper(word, &mut [0; 32]) {
        "UID" => Item::Uid,
        "FLAGS" => Item::Flags,
        "INTERNALDATE" => Item::InternalDate,
        "RFC822.SIZE" => Item::Size,
        "ENVELOPE" => Item::Envelope,
        "BODYSTRUCTURE" => Item::BodyStructure,
        "MODSEQ" => Item::ModSeq,
        "EMAILID" => Item::EmailId,
        "THREADID" => Item::ThreadId,
        "SAVEDATE" => Item::SaveDate,
        "PREVIEW" => Item::Preview { lazy: lazy(cursor)? },
        "RFC822" => content(Spelling::Rfc822, SectionText::Whole, false),
        // RFC 3501 §6.4.5: equivalent to BODY.PEEK[HEADER].
        "RFC822.HEADER" => content(Spelling::Rfc822Header, SectionText::Header, true),
        "RFC822.TEXT" => content(Spelling::Rfc822Text, SectionText::Text, false),
        "BODY" if cursor.peek() == Some(b'[') => body_section(cursor, false)?,
        "BODY" => Item::Body,
        "BODY.PEEK" => body_section(cursor, true)?,
        "BINARY" => binary(cursor, false)?,
        "BINARY.PEEK" => binary(cursor, true)?,
        "BINARY.SIZE" => Item::BinarySize(section_binary(cursor)?),
        _ => return start.wrong("there is no such item"),
    })
}

/// ```abnf
/// preview = "PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"]
/// preview-mod = "LAZY"
/// ```
fn lazy(cursor: &mut Cursor<'_>) -> Parsed<bool> {
    let mut ahead = cursor.clone();
    // Without it, what follows in parentheses are modifiers of FETCH.
    if !ahead.eat_word(" (LAZY") {
        return Ok(false);
    }
    while ahead.eat_word(" LAZY") {}
    ahead.expect(b')', "there is no such modifier of PREVIEW")?;
    *cursor = ahead;
    Ok(true)
}

/// ```abnf
/// section = "[" [section-spec] "]"
/// ```
fn body_section(cursor: &mut Cursor<'_>, peek: bool) -> Parsed<Item> {
    cursor.expect(b'[', "expected [")?;
    let whole = Section { part: Vec::new(), text: SectionText::Whole };
    let (section, fields) = if cursor.peek() == Some(b']') { (whole, None) } else { section_spec(cursor)? };
    cursor.expect(b']', "expected ] after the section")?;
    let partial = partial(cursor)?;
    Ok(Item::Content(Content { spelling: Spelling::Body, section, fields, peek, partial }))
}

/// ```abnf
/// section-spec = section-msgtext / (section-part ["." section-text])
/// section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
/// section-text = section-msgtext / "MIME"
/// ```
pub fn section_spec(cursor: &mut Cursor<'_>) -> Parsed<(Section, Option<Fields>)> {
    let mut section = Section { part: part_numbers(cursor)?, text: SectionText::Whole };
    let mut fields = None;
    if section.part.is_empty() || cursor.eat(b'.') {
        let start = cursor.clone();
        let word = cursor.span(|c| c.is_ascii_alphabetic() || c == b'.', "expected a section")?;
        section.text = match upper(word, &mut [0; 32]) {
            "HEADER" => SectionText::Header,
            "TEXT" => SectionText::Text,
            "MIME" if !section.part.is_empty() => SectionText::Mime,
            name @ ("HEADER.FIELDS" | "HEADER.FIELDS.NOT") => {
                let keep = name == "HEADER.FIELDS";
                cursor.sp()?;
                let names = cursor.parenthesised(HEADER_FIELDS, |c| Ok(c.astring()?.into_owned()))?;
                if names.is_empty() {
                    return cursor.wrong("expected the name of a field");
                }
                fields = Some((names, keep));
                SectionText::Header
            }
            _ => return start.wrong("there is no such section"),
        };
    }
    Ok((section, fields))
}

/// Ends before the `.` that a word follows.
fn part_numbers(cursor: &mut Cursor<'_>) -> Parsed<Vec<u32>> {
    let mut part = Vec::new();
    if !cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
        return Ok(part);
    }
    loop {
        if part.len() >= SECTION_LEVELS {
            return cursor.wrong("the section goes too deep");
        }
        part.push(cursor.nz_number()?);
        let digit_follows = cursor.rest().get(1).is_some_and(u8::is_ascii_digit);
        if cursor.peek() != Some(b'.') || !digit_follows {
            return Ok(part);
        }
        cursor.eat(b'.');
    }
}

fn binary(cursor: &mut Cursor<'_>, peek: bool) -> Parsed<Item> {
    let part = section_binary(cursor)?;
    Ok(Item::Binary { part, peek, partial: partial(cursor)? })
}

/// ```abnf
/// section-binary = "[" [section-part] "]"
/// ```
fn section_binary(cursor: &mut Cursor<'_>) -> Parsed<Vec<u32>> {
    cursor.expect(b'[', "expected [")?;
    let part = part_numbers(cursor)?;
    cursor.expect(b']', "expected ] after the part")?;
    Ok(part)
}

/// ```abnf
/// partial = "<" number64 "." nz-number64 ">"
/// ```
fn partial(cursor: &mut Cursor<'_>) -> Parsed<Option<Partial>> {
    if !cursor.eat(b'<') {
        return Ok(None);
    }
    let offset = cursor.number64()?;
    cursor.expect(b'.', "expected . in the partial")?;
    let octets = cursor.number64()?;
    if octets == 0 {
        return cursor.wrong("a partial of nothing");
    }
    cursor.expect(b'>', "expected > after the partial")?;
    Ok(Some(Partial { offset, octets }))
}
