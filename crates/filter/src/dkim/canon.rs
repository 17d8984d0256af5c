//! Canonicalization: the form of a header field and of a body that is signed. RFC 6376 §3.4. Never interprets either.

use std::fmt;

use aws_lc_rs::digest;

/// Which of the two algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it stands. §3.4.1, §3.4.3.
    Simple,
    /// White space and case forgiven. §3.4.2, §3.4.4.
    Relaxed,
}

/// The algorithms of one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canonicalization {
    /// Of header fields.
    pub header: Form,
    /// Of the body.
    pub body: Form,
}

impl Canonicalization {
    /// Both relaxed: what survives most.
    pub const RELAXED: Self = Self { header: Form::Relaxed, body: Form::Relaxed };

    /// Reads a `c=` value. A single word is the header's; the body's is then simple.
    pub fn parse(text: &str) -> Option<Self> {
        let form = |word: &str| match word.trim() {
            word if word.eq_ignore_ascii_case("simple") => Some(Form::Simple),
            word if word.eq_ignore_ascii_case("relaxed") => Some(Form::Relaxed),
            _ => None,
        };
        let (header, body) = text.split_once('/').unwrap_or((text, "simple"));
        Some(Self { header: form(header)?, body: form(body)? })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simple => "simple",
            Self::Relaxed => "relaxed",
        })
    }
}

impl fmt::Display for Canonicalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.header, self.body)
    }
}

/// Writes one header field in canonical form, CRLF included. `field` is the whole field; its last line end does not matter.
pub fn header_field(form: Form, field: &[u8], out: &mut Vec<u8>) {
    match form {
        Form::Simple => {
            out.extend_from_slice(without_line_end(field));
        }
        Form::Relaxed => relaxed_field(field, out),
    }
    out.extend_from_slice(b"\r\n");
}

fn relaxed_field(field: &[u8], out: &mut Vec<u8>) {
    let colon = memchr::memchr(b':', field).unwrap_or(field.len());
    let (name, value) = field.split_at_checked(colon).unwrap_or((field, &[]));
    out.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let begin = out.len();
    let mut space = false;
    let mut octets = value.iter().skip(1).copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b' ' | b'\t' => space = true,
            // Unfolding takes CRLF out; what folded it is white space of its own.
            b'\r' if octets.peek() == Some(&b'\n') => {
                octets.next();
            }
            _ => {
                if space && out.len() > begin {
                    out.push(b' ');
                }
                space = false;
                out.push(octet);
            }
        }
    }
}

fn without_line_end(field: &[u8]) -> &[u8] {
    let field = field.strip_suffix(b"\n").unwrap_or(field);
    field.strip_suffix(b"\r").unwrap_or(field)
}

/// Hashes a body in canonical form while it passes.
#[derive(Clone)]
pub struct BodyHash {
    form: Form,
    hash: digest::Context,
    /// What `l=` lets in.
    limit: Option<u64>,
    /// Octets of the canonical body so far.
    octets: u64,
    /// Line ends that count only when something follows.
    line_ends: u64,
    /// White space that counts only when something follows on its line.
    space: bool,
    /// A CR that may be half of a line end.
    carriage_return: bool,
    any: bool,
}

impl BodyHash {
    /// Begins with an empty body. With `limit`, only so many octets of the canonical body are hashed (RFC 6376 §3.5, `l=`).
    pub fn new(form: Form, algorithm: &'static digest::Algorithm, limit: Option<u64>) -> Self {
        Self {
            form,
            hash: digest::Context::new(algorithm),
            limit,
            octets: 0,
            line_ends: 0,
            space: false,
            carriage_return: false,
            any: false,
        }
    }

    /// Takes the next octets of the body.
    pub fn push(&mut self, mut octets: &[u8]) {
        while let Some(first) = octets.first() {
            if std::mem::take(&mut self.carriage_return) {
                if *first == b'\n' {
                    self.line_ends += 1;
                    // In relaxed form white space at the end of a line is nothing.
                    self.space = false;
                    octets = octets.get(1..).unwrap_or_default();
                    continue;
                }
                self.content(b"\r");
            }
            let special = match self.form {
                Form::Simple => memchr::memchr(b'\r', octets),
                Form::Relaxed => memchr::memchr3(b'\r', b' ', b'\t', octets),
            };
            let (run, rest) =
                octets.split_at_checked(special.unwrap_or(octets.len())).unwrap_or((octets, &[]));
            if !run.is_empty() {
                self.content(run);
            }
            match rest.first() {
                Some(b'\r') => self.carriage_return = true,
                Some(_) => self.space = true,
                None => {}
            }
            octets = rest.get(1..).unwrap_or_default();
        }
    }

    /// Ends the body. Gives the hash and the number of octets of the canonical body.
    pub fn finish(mut self) -> (Vec<u8>, u64) {
        if self.carriage_return {
            self.content(b"\r");
        }
        // §3.4.3: an empty body is one CRLF in simple form; §3.4.4: nothing in relaxed form.
        if self.any || self.form == Form::Simple {
            self.hash(b"\r\n");
        }
        (self.hash.finish().as_ref().to_vec(), self.octets)
    }

    fn content(&mut self, run: &[u8]) {
        self.any = true;
        for _ in 0..std::mem::take(&mut self.line_ends) {
            self.hash(b"\r\n");
        }
        if std::mem::take(&mut self.space) {
            self.hash(b" ");
        }
        self.hash(run);
    }

    fn hash(&mut self, octets: &[u8]) {
        let room = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.octets));
        let within = octets.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(octets);
        self.hash.update(within);
        self.octets += octets.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(form: Form, text: &[u8], expected: &[u8]) {
        for cut in 0..=text.len() {
            let mut hash = BodyHash::new(form, &digest::SHA256, None);
            hash.push(&text[..cut]);
            hash.push(&text[cut..]);
            let (found, octets) = hash.finish();
            assert_eq!(
                found,
                digest::digest(&digest::SHA256, expected).as_ref(),
                "{form} {text:?} cut at {cut}"
            );
            assert_eq!(octets, expected.len() as u64);
        }
    }

    #[test]
    fn bodies_have_the_forms_of_rfc_6376_section_3_4() {
        // The example of §3.4.5.
        body(Form::Relaxed, b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n");
        body(Form::Simple, b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n");
        body(Form::Simple, b"", b"\r\n");
        body(Form::Relaxed, b"", b"");
        body(Form::Simple, b"\r\n\r\n", b"\r\n");
        body(Form::Relaxed, b"\r\n \r\n\t\r\n", b"");
        body(Form::Simple, b"no end", b"no end\r\n");
        body(Form::Relaxed, b"no end \t", b"no end\r\n");
        body(Form::Relaxed, b"a\r\n \r\nb\r\n", b"a\r\n\r\nb\r\n");
        body(Form::Relaxed, b"a\rb \r c\n\r\n", b"a\rb \r c\n\r\n");
        body(Form::Simple, b"a\r\r\nb\r", b"a\r\r\nb\r\r\n");
    }

    #[test]
    fn header_fields_have_the_forms_of_rfc_6376_section_3_4() {
        let check = |form, field: &str, expected: &str| {
            let mut out = Vec::new();
            header_field(form, field.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        check(Form::Relaxed, "A: X\r\n", "a:X\r\n");
        check(Form::Relaxed, "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n");
        check(Form::Simple, "B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n");
        check(Form::Relaxed, "SubJECT:\r\n \r\n", "subject:\r\n");
        check(Form::Relaxed, "S: a:b \t c", "s:a:b c\r\n");
    }

    #[test]
    fn the_limit_hashes_no_more_and_counts_all() {
        let mut hash = BodyHash::new(Form::Simple, &digest::SHA256, Some(3));
        hash.push(b"abcdef\r\n");
        let (found, octets) = hash.finish();
        assert_eq!((found.as_slice(), octets), (digest::digest(&digest::SHA256, b"abc").as_ref(), 8));
    }

    #[test]
    fn forms_are_read_and_written() {
        let both = |text| Canonicalization::parse(text).map(|c| c.to_string());
        assert_eq!(both("relaxed").as_deref(), Some("relaxed/simple"));
        assert_eq!(both("simple/relaxed").as_deref(), Some("simple/relaxed"));
        assert_eq!(both("nowsp"), None);
    }
}
