//! What is wrong with a script, and where: one sentence that its author can act on.

use std::fmt;

/// A place in a script, counted from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

/// Why a script is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// Where.
    pub at: Position,
    /// The script it stands in, when it is an included one.
    pub script: Option<String>,
    /// A sentence.
    pub text: String,
}

impl CompileError {
    pub(crate) fn new(at: Position, text: impl Into<String>) -> Self {
        Self { at, script: None, text: text.into() }
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(script) = &self.script {
            write!(f, "{script}: ")?;
        }
        write!(f, "line {}, column {}: {}", self.at.line, self.at.column, self.text)
    }
}

impl std::error::Error for CompileError {}
