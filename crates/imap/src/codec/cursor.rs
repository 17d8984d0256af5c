//! Reads the words of one complete command: atoms, strings, numbers (RFC 9051 §9). Never reads beyond it, never panics.

use std::borrow::Cow;

/// What the peer got wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The octet of the command, from 0.
    pub at: usize,
    /// What was expected there.
    pub what: &'static str,
}

/// The result of reading a word.
pub type Parsed<T> = Result<T, SyntaxError>;

/// A place in a command.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    input: &'a [u8],
    at: usize,
}

/// ```abnf
/// atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
/// ```
pub fn is_atom_char(c: u8) -> bool {
    c.is_ascii_graphic() && !matches!(c, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ATOM-CHAR / resp-specials`
pub fn is_astring_char(c: u8) -> bool {
    is_atom_char(c) || c == b']'
}

impl<'a> Cursor<'a> {
    /// At the first octet of `input`, which is one command; a line end at its end is left out.
    pub fn new(input: &'a [u8]) -> Self {
        let input = input.strip_suffix(b"\n").unwrap_or(input);
        let input = input.strip_suffix(b"\r").unwrap_or(input);
        Self { input, at: 0 }
    }
    /// The place.
    pub fn at(&self) -> usize {
        self.at
    }
    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }
    /// An error here.
    pub fn wrong<T>(&self, what: &'static str) -> Parsed<T> {
        Err(SyntaxError { at: self.at, what })
    }
    /// The next octet.
    pub fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }
    /// Takes the octet if it is next.
    pub fn eat(&mut self, octet: u8) -> bool {
        let is = self.peek() == Some(octet);
        self.at += usize::from(is);
        is
    }
    /// Takes the word if it is next, whatever its case.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let is = self.rest().get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word.as_bytes()));
        self.at += if is { word.len() } else { 0 };
        is
    }
    /// Takes the octet, which must be next.
    pub fn expect(&mut self, octet: u8, what: &'static str) -> Parsed<()> {
        if self.eat(octet) { Ok(()) } else { self.wrong(what) }
    }
    /// One space. Further ones are forgiven: some clients send two.
    pub fn sp(&mut self) -> Parsed<()> {
        self.expect(b' ', "expected a space")?;
        while self.eat(b' ') {}
        Ok(())
    }
    /// The end of the command. Spaces before it are forgiven.
    pub fn end(&mut self) -> Parsed<()> {
        while self.eat(b' ') {}
        if self.at >= self.input.len() { Ok(()) } else { self.wrong("expected the end of the command") }
    }
    /// Whether nothing is left.
    pub fn is_end(&self) -> bool {
        self.at >= self.input.len()
    }

    /// The octets that fit, at least one.
    pub fn span(&mut self, fits: impl Fn(u8) -> bool, what: &'static str) -> Parsed<&'a str> {
        let octets = self.rest();
        let len = octets.iter().take_while(|c| fits(**c) && c.is_ascii()).count();
        match octets.get(..len).and_then(|w| std::str::from_utf8(w).ok()) {
            Some(word) if len > 0 => {
                self.at += len;
                Ok(word)
            }
            _ => self.wrong(what),
        }
    }
    /// An atom.
    pub fn atom(&mut self) -> Parsed<&'a str> {
        self.span(is_atom_char, "expected an atom")
    }
    /// A number of 32 bits.
    pub fn number(&mut self) -> Parsed<u32> {
        let at = self.at;
        let n = self.number64()?;
        u32::try_from(n).map_err(|_| SyntaxError { at, what: "the number is too large" })
    }
    /// A number of 32 bits that is not zero.
    pub fn nz_number(&mut self) -> Parsed<u32> {
        let at = self.at;
        match self.number()? {
            0 => Err(SyntaxError { at, what: "the number must not be zero" }),
            n => Ok(n),
        }
    }
    /// A number of 63 bits.
    pub fn number64(&mut self) -> Parsed<u64> {
        let at = self.at;
        let digits = self.span(|c| c.is_ascii_digit(), "expected a number")?;
        match digits.parse::<u64>() {
            Ok(n) if n <= i64::MAX as u64 => Ok(n),
            _ => Err(SyntaxError { at, what: "the number is too large" }),
        }
    }

    /// ```abnf
    /// astring = 1*ASTRING-CHAR / string
    /// ```
    pub fn astring(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => Ok(Cow::Borrowed(self.span(is_astring_char, "expected a string or an atom")?.as_bytes())),
        }
    }
    /// ```abnf
    /// string = quoted / literal
    /// ```
    pub fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal(),
            _ => self.wrong("expected a string"),
        }
    }
    /// ```abnf
    /// nstring = string / nil
    /// ```
    pub fn nstring(&mut self) -> Parsed<Option<Cow<'a, [u8]>>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string().map(Some),
            _ if self.eat_word("NIL") => Ok(None),
            _ => self.wrong("expected a string or NIL"),
        }
    }

    /// `nstring / literal8`: may hold NUL.
    pub fn nstring8(&mut self) -> Parsed<Option<Cow<'a, [u8]>>> {
        if self.eat(b'~') { self.any_literal(true).map(Some) } else { self.nstring() }
    }

    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.expect(b'"', "expected a quoted string")?;
        let octets = self.rest();
        let plain = octets.iter().take_while(|c| !matches!(c, b'"' | b'\\' | b'\r' | b'\n' | 0)).count();
        if octets.get(plain) == Some(&b'"') {
            let text = octets.get(..plain).unwrap_or_default();
            utf8(text, self.at)?;
            self.at += plain + 1;
            return Ok(Cow::Borrowed(text));
        }
        let (mut text, start) = (Vec::new(), self.at);
        loop {
            match self.peek() {
                Some(b'"') => {
                    utf8(&text, start)?;
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(c @ (b'"' | b'\\')) => text.push(c),
                        _ => return self.wrong("only a quote or a backslash can follow a backslash"),
                    }
                }
                Some(0 | b'\r' | b'\n') => return self.wrong("a quoted string holds no NUL, CR or LF"),
                Some(c) => text.push(c),
                None => return self.wrong("the quoted string does not end"),
            }
            self.at += 1;
        }
    }

    fn literal(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.any_literal(false)
    }

    fn any_literal(&mut self, binary: bool) -> Parsed<Cow<'a, [u8]>> {
        let start = self.at;
        self.expect(b'{', "expected a literal")?;
        let octets = self.number64()?;
        if !self.eat(b'+') {
            self.eat(b'-');
        }
        self.expect(b'}', "expected } after the literal's length")?;
        self.eat(b'\r');
        self.expect(b'\n', "a literal's length must end its line")?;
        let octets = usize::try_from(octets).unwrap_or(usize::MAX);
        let Some(text) = self.rest().get(..octets) else { return self.wrong("the literal is cut short") };
        if !binary && text.contains(&0) {
            return Err(SyntaxError { at: start, what: "the literal holds NUL" });
        }
        self.at += octets;
        Ok(Cow::Borrowed(text))
    }

    /// Items within parentheses, separated by spaces. Empty is fine unless `one` says otherwise.
    pub fn parenthesised<T>(
        &mut self,
        max: usize,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.expect(b'(', "expected (")?;
        let mut items = Vec::new();
        while self.eat(b' ') {}
        while !self.eat(b')') {
            if items.len() >= max {
                return self.wrong("too many items in the list");
            }
            items.push(item(self)?);
            if self.peek() == Some(b' ') {
                self.sp()?;
            } else if self.peek() != Some(b')') {
                return self.wrong("expected a space or )");
            }
        }
        Ok(items)
    }
}

/// RFC 9051 §9, RFC 9755 §3: octets of a quoted string that are no US-ASCII must be UTF-8.
fn utf8(text: &[u8], at: usize) -> Parsed<()> {
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(SyntaxError { at, what: "a quoted string holds UTF-8 only" }),
    }
}

/// The word in upper case, for comparing; nothing when it is longer than any word of the protocol.
pub fn upper<'b>(word: &str, buffer: &'b mut [u8; 32]) -> &'b str {
    let Some(space) = buffer.get_mut(..word.len()) else { return "" };
    space.copy_from_slice(word.as_bytes());
    space.make_ascii_uppercase();
    std::str::from_utf8(space).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(input: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut cursor = Cursor::new(input);
        let text = cursor.astring().map_err(|e| e.what)?.into_owned();
        cursor.end().map_err(|e| e.what)?;
        Ok(text)
    }

    #[test]
    fn strings_are_atoms_quoted_or_literals() {
        assert_eq!(string(b"abc]\r\n"), Ok(b"abc]".to_vec()));
        assert_eq!(string(b"\"a\\\"b\\\\\"\r\n"), Ok(b"a\"b\\".to_vec()));
        assert_eq!(string(b"\"\"\r\n"), Ok(Vec::new()));
        assert_eq!(string(b"{3}\r\na\r\n\r\n"), Ok(b"a\r\n".to_vec()));
        assert_eq!(string(b"{0}\r\n\r\n"), Ok(Vec::new()));
        assert_eq!(string(b"{3+}\r\nabc"), Ok(b"abc".to_vec()));
        assert_eq!(string("\"é\"".as_bytes()), Ok("é".as_bytes().to_vec()));
        for wrong in [
            &b"\"abc"[..],
            b"\"a\\b\"",
            b"{5}\r\nabc",
            b"{2}ab",
            b"{1}\r\n\0",
            b"\"\0\"",
            b"\"\xe9\"",
            b"\"\\\"\xe9\"",
            b"(",
            b"",
            b"a*",
            b"{99999999999999999999}\r\n",
        ] {
            assert!(string(wrong).is_err(), "{wrong:?}");
        }
    }
}
