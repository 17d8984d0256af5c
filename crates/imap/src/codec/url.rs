//! IMAP URLs that name a message or a part of one in the session's own account (RFC 5092, as RFC 4469 §3 uses them): relative ones only.
//! URLs of other servers, users or with URLAUTH are refused. Opens nothing.

use yubin_formats::mail::Section;

use super::{
    cursor::Cursor,
    fetch::{Fields, Partial, section_spec},
};

/// A message, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageUrl {
    /// The mailbox's name; none is the selected one.
    pub mailbox: Option<String>,
    /// Its UIDVALIDITY, if it matters.
    pub uid_validity: Option<u32>,
    /// The message.
    pub uid: u32,
    /// The section; none is the whole message.
    pub section: Option<(Section, Option<Fields>)>,
    /// A piece of it.
    pub partial: Option<Partial>,
}

/// ```abnf
/// url = "/" enc-mailbox [";UIDVALIDITY=" nz-number] iuid [isection] [ipartial] / ["/"] iuid-only [isection] [ipartial]
/// iuid = "/;UID=" nz-number
/// isection = "/;SECTION=" enc-section
/// ipartial = "/;PARTIAL=" number ["." nz-number]
/// ```
pub fn parse(url: &[u8]) -> Option<MessageUrl> {
    let url = std::str::from_utf8(url).ok()?;
    let mut words = url.split("/;");
    let (mut mailbox, mut uid_validity) = (None, None);
    let mut first = words.next()?;
    if let Some(own) = first.strip_prefix(';') {
        // `;UID=20`: of the selected mailbox.
        first = own;
    } else {
        if !first.is_empty() {
            let path = first.strip_prefix('/')?;
            let (name, validity) = match path.split_once(';') {
                Some((name, validity)) => (name, Some(value(validity, "UIDVALIDITY=")?)),
                None => (path, None),
            };
            // `//` would begin a server's name.
            if name.is_empty() || name.starts_with('/') {
                return None;
            }
            uid_validity = validity.map(nz_number).transpose_option()?;
            mailbox = Some(String::from_utf8(percent_decoded(name)?).ok()?);
        }
        first = words.next()?;
    }
    let uid = nz_number(value(first, "UID=")?)?;
    let mut found = MessageUrl { mailbox, uid_validity, uid, section: None, partial: None };
    for word in words {
        if let Some(section) =
            value(word, "SECTION=").filter(|_| found.section.is_none() && found.partial.is_none())
        {
            let section = percent_decoded(section)?;
            let mut cursor = Cursor::new(&section);
            let spec = section_spec(&mut cursor).ok()?;
            found.section = cursor.is_end().then_some(Some(spec))?;
        } else {
            let partial = value(word, "PARTIAL=").filter(|_| found.partial.is_none())?;
            let (offset, octets) = partial.split_once('.').map_or((partial, None), |(a, b)| (a, Some(b)));
            let octets = match octets {
                Some(octets) => u64::from(nz_number(octets)?),
                None => u64::MAX,
            };
            found.partial = Some(Partial { offset: digits(offset)?, octets });
        }
    }
    Some(found)
}

fn value<'a>(word: &'a str, name: &str) -> Option<&'a str> {
    let (head, value) = word.split_at_checked(name.len())?;
    head.eq_ignore_ascii_case(name).then_some(value)
}

fn digits(text: &str) -> Option<u64> {
    let fits = !text.is_empty() && text.len() <= 19 && text.bytes().all(|c| c.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

fn nz_number(text: &str) -> Option<u32> {
    digits(text).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0)
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        if octet != b'%' {
            out.push(octet);
            continue;
        }
        let digit = |octet: Option<u8>| (octet? as char).to_digit(16);
        let (high, low) = (digit(octets.next())?, digit(octets.next())?);
        out.push((high * 16 + low) as u8);
    }
    Some(out)
}

/// `None` stays, `Some(None)` is an error.
trait TransposeOption<T> {
    fn transpose_option(self) -> Option<Option<T>>;
}

impl<T> TransposeOption<T> for Option<Option<T>> {
    fn transpose_option(self) -> Option<Option<T>> {
        match self {
            None => Some(None),
            Some(None) => None,
            Some(some) => Some(some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yubin_formats::mail::SectionText;

    #[test]
    fn urls_of_messages_are_read() {
        let url = |text: &str| parse(text.as_bytes());
        let found = url("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME").unwrap();
        assert_eq!(found.mailbox.as_deref(), Some("Drafts"));
        assert_eq!((found.uid_validity, found.uid), (Some(385_759_045), 20));
        let (section, fields) = found.section.unwrap();
        assert_eq!((section.part, section.text, fields), (vec![1], SectionText::Mime, None));
        let found = url("/Gr%C3%BC%C3%9Fe/a%3Bb/;UID=3/;PARTIAL=10.5").unwrap();
        assert_eq!(found.mailbox.as_deref(), Some("Grüße/a;b"));
        assert_eq!(found.partial, Some(Partial { offset: 10, octets: 5 }));
        assert_eq!(found.section, None);
        for text in [";UID=7", "/;uid=7"] {
            let found = url(text).unwrap();
            assert_eq!((found.mailbox, found.uid), (None, 7), "{text}");
        }
        let found = url("/x/;UID=1/;SECTION=HEADER.FIELDS%20(Subject)/;PARTIAL=3").unwrap();
        assert_eq!(found.section.unwrap().1, Some((vec![b"Subject".to_vec()], true)));
        assert_eq!(found.partial.unwrap().offset, 3);
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "/",
            "x",
            "/Drafts",
            "/Drafts/;UID=0",
            "/Drafts/;UID=4294967296",
            "/Drafts;UIDVALIDITY=x/;UID=1",
            "imap://other/Drafts/;UID=1",
            "//other/Drafts/;UID=1",
            "/Drafts/;UID=1/;SECTION=",
            "/Drafts/;UID=1/;SECTION=NO",
            "/Drafts/;UID=1/;SECTION=1]x",
            "/Drafts/;UID=1;URLAUTH=user+ann:internal:00",
            "/Drafts/;UID=1/;PARTIAL=1.0",
            "/Drafts/;UID=1/;PARTIAL=1/;SECTION=1",
            "/Dr%zzafts/;UID=1",
            "/Dr%ffafts/;UID=1",
            "/Drafts/;UID=+1",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
