//! Reads what [`super::render_envelope`] wrote: for sorting and threading, which need a few words of many messages.
//! Borrows; never fails: what is not there is nothing. RFC 9051 §7.5.2.

use std::borrow::Cow;

/// The words of an ENVELOPE, undecoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// `Date`.
    pub date: Option<Cow<'a, [u8]>>,
    /// `Subject`.
    pub subject: Option<Cow<'a, [u8]>>,
    /// The first of `From`.
    pub from: Option<EnvelopeAddress<'a>>,
    /// The first of `To`.
    pub to: Option<EnvelopeAddress<'a>>,
    /// The first of `Cc`.
    pub cc: Option<EnvelopeAddress<'a>>,
    /// `In-Reply-To`.
    pub in_reply_to: Option<Cow<'a, [u8]>>,
    /// `Message-ID`.
    pub message_id: Option<Cow<'a, [u8]>>,
}

/// An address of an ENVELOPE. Where a group begins, `host` is none and `mailbox` its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvelopeAddress<'a> {
    /// The display name, undecoded.
    pub name: Option<Cow<'a, [u8]>>,
    /// The local part.
    pub mailbox: Option<Cow<'a, [u8]>>,
    /// The domain.
    pub host: Option<Cow<'a, [u8]>>,
}

impl<'a> Envelope<'a> {
    /// Reads a rendered ENVELOPE.
    pub fn read(rendered: &'a [u8]) -> Self {
        let mut words = Words(rendered.strip_prefix(b"(").unwrap_or_default());
        let (date, subject) = (words.nstring(), words.nstring());
        let from = words.first_address();
        words.first_address();
        words.first_address();
        let (to, cc) = (words.first_address(), words.first_address());
        words.first_address();
        Self { date, subject, from, to, cc, in_reply_to: words.nstring(), message_id: words.nstring() }
    }
}

struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    fn eat(&mut self, octet: u8) -> bool {
        let rest = self.0.strip_prefix(&[octet]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// `NIL`, a quoted string or a literal, and the space before it.
    fn nstring(&mut self) -> Option<Cow<'a, [u8]>> {
        self.eat(b' ');
        match self.0.first()? {
            b'"' => self.quoted(),
            b'{' => self.literal().map(Cow::Borrowed),
            _ => {
                self.0 = self.0.strip_prefix(b"NIL").unwrap_or_default();
                None
            }
        }
    }

    fn quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        let rest = self.0.get(1..)?;
        let plain = memchr::memchr2(b'"', b'\\', rest)?;
        if rest.get(plain) == Some(&b'"') {
            self.0 = rest.get(plain + 1..)?;
            return rest.get(..plain).map(Cow::Borrowed);
        }
        let mut text = Vec::new();
        let mut octets = rest.iter();
        loop {
            match octets.next()? {
                b'"' => break,
                b'\\' => text.push(*octets.next()?),
                octet => text.push(*octet),
            }
        }
        self.0 = octets.as_slice();
        Some(Cow::Owned(text))
    }

    fn literal(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(b'}', self.0)?;
        let octets = std::str::from_utf8(self.0.get(1..end)?).ok()?.parse::<usize>().ok()?;
        let start = end + 3;
        let text = self.0.get(start..start.checked_add(octets)?)?;
        self.0 = self.0.get(start + octets..)?;
        Some(text)
    }

    /// The first address of a list; the others are passed over.
    fn first_address(&mut self) -> Option<EnvelopeAddress<'a>> {
        self.eat(b' ');
        if !self.eat(b'(') {
            self.0 = self.0.strip_prefix(b"NIL").unwrap_or_default();
            return None;
        }
        let mut first = None;
        while self.eat(b'(') {
            let name = self.nstring();
            self.nstring();
            let address = EnvelopeAddress { name, mailbox: self.nstring(), host: self.nstring() };
            first.get_or_insert(address);
            if !self.eat(b')') {
                // Not as we write it.
                self.0 = &[];
            }
        }
        self.eat(b')');
        first
    }
}

#[cfg(test)]
mod tests {
    use super::{super::render_envelope_of, *};

    fn text(octets: &Option<Cow<'_, [u8]>>) -> Option<String> {
        octets.as_ref().map(|o| String::from_utf8_lossy(o).into_owned())
    }

    #[test]
    fn what_was_rendered_is_read() {
        let long = "x".repeat(2000);
        let rendered = render_envelope_of(
            format!(
                "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nSubject: a \"b\" \\ {long}\r\n\
                 From: \"Bob \\\"B\\\" Smith\" <bob@b.test>, eve@e.test\r\nTo: Friends: ann@a.test, x@y.test;\r\n\
                 Cc: carl@c.test\r\nMessage-ID: <1@x>\r\nIn-Reply-To: <0@x> <9@x>\r\n\r\n"
            )
            .as_bytes(),
        );
        let envelope = Envelope::read(&rendered);
        assert_eq!(text(&envelope.date).as_deref(), Some("Mon, 7 Feb 1994 21:52:25 -0800"));
        assert_eq!(text(&envelope.subject), Some(format!("a \"b\" \\ {long}")));
        let from = envelope.from.unwrap();
        assert_eq!(text(&from.name).as_deref(), Some("Bob \"B\" Smith"));
        assert_eq!(
            (text(&from.mailbox).as_deref(), text(&from.host).as_deref()),
            (Some("bob"), Some("b.test"))
        );
        let to = envelope.to.unwrap();
        assert_eq!((text(&to.mailbox).as_deref(), to.host), (Some("Friends"), None));
        assert_eq!(text(&envelope.cc.unwrap().mailbox).as_deref(), Some("carl"));
        assert_eq!(text(&envelope.in_reply_to).as_deref(), Some("<0@x> <9@x>"));
        assert_eq!(text(&envelope.message_id).as_deref(), Some("<1@x>"));
    }

    #[test]
    fn nothing_is_read_from_nothing_and_from_what_is_cut() {
        assert_eq!(Envelope::read(b""), Envelope::default());
        let rendered = render_envelope_of(b"Subject: \xff\r\nFrom: a@b\r\n\r\n");
        for end in 0..rendered.len() {
            let envelope = Envelope::read(&rendered[..end]);
            assert_eq!(envelope.message_id, None);
        }
        assert_eq!(Envelope::read(&render_envelope_of(b"\r\n")).from, None);
    }
}
