//! Octets to tokens. RFC 5228 §8.1.
//!
//! ```abnf
//! identifier    = (ALPHA / "_") *(ALPHA / DIGIT / "_")
//! tag           = ":" identifier
//! number        = 1*DIGIT [ "K" / "M" / "G" ]
//! quoted-string = DQUOTE quoted-text DQUOTE        ; \ takes the next octet as it is
//! multi-line    = "text:" *(SP / HTAB) (hash-comment / CRLF) *(multiline-literal / multiline-dotstart) "." CRLF
//! ```

use crate::{CompileError, Position};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Identifier(String),
    Tag(String),
    Number(u64),
    String(String),
    /// One of `( ) { } [ ] , ;`
    Mark(char),
    End,
}

pub(super) struct Lexer<'a> {
    left: std::str::Chars<'a>,
    at: Position,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { left: text.chars(), at: Position { line: 1, column: 1 } }
    }

    /// The next token and where it begins.
    pub fn next(&mut self) -> Result<(Position, Token), CompileError> {
        self.skip_white_space()?;
        let at = self.at;
        let Some(c) = self.peek() else { return Ok((at, Token::End)) };
        let token = match c {
            '(' | ')' | '{' | '}' | '[' | ']' | ',' | ';' => {
                self.take();
                Token::Mark(c)
            }
            '"' => self.quoted(at)?,
            ':' => {
                self.take();
                let name = self.word();
                if name.is_empty() {
                    return Err(CompileError::new(at, "a name must follow the colon"));
                }
                Token::Tag(name.to_ascii_lowercase())
            }
            '0'..='9' => self.number(at)?,
            'a'..='z' | 'A'..='Z' | '_' => {
                let name = self.word();
                if name.eq_ignore_ascii_case("text") && self.peek() == Some(':') {
                    self.take();
                    self.multi_line(at)?
                } else {
                    Token::Identifier(name.to_ascii_lowercase())
                }
            }
            _ => return Err(CompileError::new(at, format!("{c:?} has no meaning here"))),
        };
        Ok((at, token))
    }

    /// White space and comments. RFC 5228 §2.3: bracketed comments do not nest.
    fn skip_white_space(&mut self) -> Result<(), CompileError> {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r' | '\n') => {
                    self.take();
                }
                Some('#') => self.skip_line(),
                Some('/') if self.left.clone().nth(1) == Some('*') => {
                    let begun = self.at;
                    self.take();
                    self.take();
                    loop {
                        match self.take() {
                            Some('*') if self.peek() == Some('/') => break,
                            Some(_) => {}
                            None => {
                                return Err(CompileError::new(begun, "this comment is never closed with */"));
                            }
                        }
                    }
                    self.take();
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.take().is_some_and(|c| c != '\n') {}
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            word.push(c);
            self.take();
        }
        word
    }

    fn number(&mut self, at: Position) -> Result<Token, CompileError> {
        let too_large =
            || CompileError::new(at, "this number is too large; at most 2,147,483,647 is sure to work");
        let mut number: u64 = 0;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.take();
            number =
                number.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit))).ok_or_else(too_large)?;
        }
        let shift = match self.peek() {
            Some('k' | 'K') => 10,
            Some('m' | 'M') => 20,
            Some('g' | 'G') => 30,
            _ => return Ok(Token::Number(number)),
        };
        self.take();
        number.checked_mul(1 << shift).map(Token::Number).ok_or_else(too_large)
    }

    fn quoted(&mut self, at: Position) -> Result<Token, CompileError> {
        self.take();
        let mut text = String::new();
        loop {
            match self.take() {
                Some('"') => return Ok(Token::String(text)),
                // RFC 5228 §2.4.2: an undefined escape is the character itself.
                Some('\\') => text.extend(self.take()),
                Some('\0') => return Err(CompileError::new(at, "a string holds no NUL")),
                Some(c) => text.push(c),
                None => {
                    return Err(CompileError::new(at, "this string is never closed with a quotation mark"));
                }
            }
        }
    }

    /// After `text:`. Line ends become CRLF, as RFC 5228 §2.4.2 has them.
    fn multi_line(&mut self, at: Position) -> Result<Token, CompileError> {
        while self.peek().is_some_and(|c| c == ' ' || c == '\t') {
            self.take();
        }
        match self.peek() {
            Some('#' | '\r' | '\n') => self.skip_line(),
            _ => {
                return Err(CompileError::new(self.at, "nothing but a comment may follow text: on its line"));
            }
        }
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let ended = loop {
                match self.take() {
                    Some('\n') => break true,
                    Some('\r') if self.peek() == Some('\n') => {}
                    Some('\0') => return Err(CompileError::new(at, "a string holds no NUL")),
                    Some(c) => line.push(c),
                    None => break false,
                }
            };
            match line.strip_prefix('.') {
                Some("") => return Ok(Token::String(text)),
                Some(rest) => text.push_str(rest),
                None => text.push_str(&line),
            }
            if !ended {
                return Err(CompileError::new(at, "this text is never closed with a line of one dot"));
            }
            text.push_str("\r\n");
        }
    }

    fn peek(&self) -> Option<char> {
        self.left.clone().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.left.next()?;
        if c == '\n' {
            self.at = Position { line: self.at.line.saturating_add(1), column: 1 };
        } else {
            self.at.column = self.at.column.saturating_add(1);
        }
        Some(c)
    }
}
