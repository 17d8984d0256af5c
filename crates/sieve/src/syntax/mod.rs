//! The grammar of RFC 5228 §8: text to a tree of commands. Knows no command by name.

mod lexer;
mod parser;

pub(crate) use parser::parse;

use crate::Position;

/// `name arguments (tests) { block }`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Command {
    /// Lower case; RFC 5228 §2.1: identifiers are case-insensitive.
    pub name: String,
    pub at: Position,
    pub arguments: Vec<Argument>,
    pub tests: Vec<Test>,
    pub block: Option<Vec<Command>>,
}

/// `name arguments (tests)`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Test {
    pub name: String,
    pub at: Position,
    pub arguments: Vec<Argument>,
    pub tests: Vec<Test>,
}

/// One argument.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Argument {
    pub at: Position,
    pub value: Value,
}

/// What an argument is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// `:name`, lower case, without the colon.
    Tag(String),
    Number(u64),
    String(String),
    List(Vec<String>),
}

impl Value {
    /// What it is called in an error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tag(_) => "a tag",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list of strings",
        }
    }
}
