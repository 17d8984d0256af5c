//! Tokens to the tree. RFC 5228 §8.2.
//!
//! ```abnf
//! commands  = *command
//! command   = identifier arguments (";" / block)
//! arguments = *argument [ test / test-list ]
//! argument  = string-list / number / tag
//! test      = identifier arguments
//! ```

use super::{
    Argument, Command, Test, Value,
    lexer::{Lexer, Token},
};
use crate::{CompileError, Position, limits};

/// Reads a whole script.
pub(crate) fn parse(text: &str) -> Result<Vec<Command>, CompileError> {
    if text.len() > limits::SCRIPT_OCTETS {
        let error = format!("the script is longer than {} octets", limits::SCRIPT_OCTETS);
        return Err(CompileError::new(Position { line: 1, column: 1 }, error));
    }
    let mut lexer = Lexer::new(text.strip_prefix('\u{feff}').unwrap_or(text));
    let (at, next) = lexer.next()?;
    let mut parser = Parser { lexer, at, next, depth: 0, nodes: 0 };
    let commands = parser.commands()?;
    match parser.next {
        Token::End => Ok(commands),
        _ => Err(parser.unexpected("a command")),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// Where `next` begins.
    at: Position,
    next: Token,
    depth: usize,
    nodes: usize,
}

impl Parser<'_> {
    /// Commands up to something that begins none.
    fn commands(&mut self) -> Result<Vec<Command>, CompileError> {
        let mut commands = Vec::new();
        while let Token::Identifier(name) = &self.next {
            let name = name.clone();
            commands.push(self.command(name)?);
        }
        Ok(commands)
    }

    fn command(&mut self, name: String) -> Result<Command, CompileError> {
        let at = self.at;
        self.advance()?;
        let (arguments, tests) = self.arguments()?;
        let block = match self.next {
            Token::Mark(';') => {
                self.advance()?;
                None
            }
            Token::Mark('{') => {
                self.enter(at)?;
                self.advance()?;
                let block = self.commands()?;
                self.expect('}', "a command or }")?;
                self.depth -= 1;
                Some(block)
            }
            _ => return Err(self.unexpected(&format!("; or {{ after {name}"))),
        };
        Ok(Command { name, at, arguments, tests, block })
    }

    fn arguments(&mut self) -> Result<(Vec<Argument>, Vec<Test>), CompileError> {
        let mut arguments = Vec::new();
        loop {
            let at = self.at;
            let value = match &self.next {
                Token::Tag(name) => Value::Tag(name.clone()),
                Token::Number(number) => Value::Number(*number),
                Token::String(text) => Value::String(text.clone()),
                Token::Mark('[') => Value::List(self.list()?),
                Token::Identifier(name) => {
                    let name = name.clone();
                    return Ok((arguments, vec![self.test(name)?]));
                }
                Token::Mark('(') => return Ok((arguments, self.test_list()?)),
                Token::Mark(_) | Token::End => return Ok((arguments, Vec::new())),
            };
            self.count()?;
            arguments.push(Argument { at, value });
            self.advance()?;
        }
    }

    /// Ends on the closing bracket, which the caller takes.
    fn list(&mut self) -> Result<Vec<String>, CompileError> {
        let mut list = Vec::new();
        self.advance()?;
        loop {
            match &self.next {
                Token::String(text) => list.push(text.clone()),
                // RFC 5228 §2.4.2.1 has no empty list, but it is written, and its meaning is plain.
                Token::Mark(']') if list.is_empty() => return Ok(list),
                _ => return Err(self.unexpected("a string")),
            }
            if list.len() > limits::LIST_STRINGS {
                let text = format!("a list has at most {} strings", limits::LIST_STRINGS);
                return Err(CompileError::new(self.at, text));
            }
            self.advance()?;
            match self.next {
                Token::Mark(',') => self.advance()?,
                Token::Mark(']') => return Ok(list),
                _ => return Err(self.unexpected(", or ]")),
            }
        }
    }

    fn test(&mut self, name: String) -> Result<Test, CompileError> {
        let at = self.at;
        self.enter(at)?;
        self.advance()?;
        let (arguments, tests) = self.arguments()?;
        self.depth -= 1;
        Ok(Test { name, at, arguments, tests })
    }

    fn test_list(&mut self) -> Result<Vec<Test>, CompileError> {
        self.enter(self.at)?;
        self.advance()?;
        let mut tests = Vec::new();
        loop {
            let Token::Identifier(name) = &self.next else { return Err(self.unexpected("a test")) };
            let name = name.clone();
            tests.push(self.test(name)?);
            match self.next {
                Token::Mark(',') => self.advance()?,
                _ => break,
            }
        }
        self.expect(')', ", or )")?;
        self.depth -= 1;
        Ok(tests)
    }

    fn enter(&mut self, at: Position) -> Result<(), CompileError> {
        self.depth += 1;
        if self.depth > limits::NESTING {
            let text = format!("blocks and tests nest at most {} deep", limits::NESTING);
            return Err(CompileError::new(at, text));
        }
        self.count()
    }

    fn count(&mut self) -> Result<(), CompileError> {
        self.nodes += 1;
        if self.nodes > limits::NODES {
            return Err(CompileError::new(self.at, "the script has too many commands and arguments"));
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), CompileError> {
        (self.at, self.next) = self.lexer.next()?;
        Ok(())
    }

    fn expect(&mut self, mark: char, wanted: &str) -> Result<(), CompileError> {
        if self.next != Token::Mark(mark) {
            return Err(self.unexpected(wanted));
        }
        self.advance()
    }

    fn unexpected(&self, wanted: &str) -> CompileError {
        let found = match &self.next {
            Token::Identifier(name) => format!("{name:?}"),
            Token::Tag(name) => format!(":{name}"),
            Token::Number(number) => format!("the number {number}"),
            Token::String(_) => "a string".into(),
            Token::Mark(mark) => format!("{mark:?}"),
            Token::End => "the end of the script".into(),
        };
        CompileError::new(self.at, format!("expected {wanted}, found {found}"))
    }
}
