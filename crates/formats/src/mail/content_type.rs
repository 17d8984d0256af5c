//! Content-Type and Content-Disposition, undecoded. RFC 2045 §5, RFC 2183.

use super::{Parameters, lex::Lexer};

/// A media type with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// The type as written: `text`.
    pub main: String,
    /// The subtype as written: `plain`.
    pub sub: String,
    /// The parameters, undecoded.
    pub parameters: Parameters,
}

impl ContentType {
    /// A type without parameters.
    pub fn new(main: &str, sub: &str) -> Self {
        Self { main: main.to_owned(), sub: sub.to_owned(), parameters: Parameters::default() }
    }
    /// What a part without Content-Type is: text/plain (RFC 2045 §5.2).
    pub fn text_plain() -> Self {
        Self::new("TEXT", "PLAIN")
    }
    /// Reads a Content-Type value. Nothing when there is no type in it. `text` alone is text/plain.
    ///
    /// ```abnf
    /// content = "Content-Type" ":" type "/" subtype *(";" parameter)   ; RFC 2045 §5.1
    /// ```
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut lexer = Lexer::new(value);
        let main = token(&mut lexer)?;
        lexer.skip_cfws(None);
        let sub = if lexer.eat(b'/') { token(&mut lexer)? } else { bare_subtype(&main)?.to_owned() };
        Some(Self { main, sub, parameters: Parameters::parse(&mut lexer) })
    }
    /// Whether the type is this one, whatever the subtype.
    pub fn is_main(&self, main: &str) -> bool {
        self.main.eq_ignore_ascii_case(main)
    }
    /// Whether it is this type and subtype.
    pub fn is(&self, main: &str, sub: &str) -> bool {
        self.is_main(main) && self.sub.eq_ignore_ascii_case(sub)
    }
    /// Whether the body is a message with a header of its own (RFC 2046 §5.2.1, RFC 6532 §3.7).
    pub fn is_message(&self) -> bool {
        self.is("message", "rfc822") || self.is("message", "global")
    }
    /// The charset label as written.
    pub fn charset(&self) -> Option<&str> {
        self.parameters.get(b"charset").and_then(|label| std::str::from_utf8(label).ok())
    }
}

/// A Content-Disposition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// The kind as written: `attachment`.
    pub kind: String,
    /// The parameters, undecoded.
    pub parameters: Parameters,
}

impl Disposition {
    /// Reads a Content-Disposition value. Nothing when there is no kind in it.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut lexer = Lexer::new(value);
        let kind = token(&mut lexer)?;
        Some(Self { kind, parameters: Parameters::parse(&mut lexer) })
    }
    /// Whether the part is to be saved rather than shown.
    pub fn is_attachment(&self) -> bool {
        self.kind.eq_ignore_ascii_case("attachment")
    }
}

/// What old mailers meant by a type without a subtype.
fn bare_subtype(main: &str) -> Option<&'static str> {
    main.eq_ignore_ascii_case("text").then_some("plain")
}

/// Takes a token (RFC 2045 §5.1), with white space and comments before it.
fn token(lexer: &mut Lexer) -> Option<String> {
    lexer.skip_cfws(None);
    let length = lexer
        .rest()
        .iter()
        .position(|&c| !c.is_ascii_graphic() || b"()<>@,;:\\\"/[]?=".contains(&c))
        .unwrap_or(lexer.rest().len());
    let token = lexer.take(length.min(255));
    (!token.is_empty()).then(|| token.iter().map(|&c| char::from(c)).collect())
}
