//! The arguments of a command or test, held against what it takes. RFC 5228 §2.6: tags come first, each at most once, in any order; then
//! the positional arguments.

use std::collections::BTreeMap;

use crate::{
    CompileError, Position,
    syntax::{Argument, Value},
};

/// What follows a tag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Takes {
    Nothing,
    Number,
    String,
    Strings,
}

/// A tag that a command takes.
#[derive(Debug)]
pub(super) struct Tag {
    pub name: &'static str,
    pub takes: Takes,
    /// The extension that brings it.
    pub needs: Option<&'static str>,
}

pub(super) const fn tag(name: &'static str, takes: Takes) -> Tag {
    Tag { name, takes, needs: None }
}

pub(super) const fn extension(name: &'static str, takes: Takes, needs: &'static str) -> Tag {
    Tag { name, takes, needs: Some(needs) }
}

/// Arguments that have been sorted.
pub(super) struct Taken<'a> {
    pub name: &'a str,
    pub at: Position,
    tags: BTreeMap<&'static str, (Position, Option<&'a Value>)>,
    positional: Vec<&'a Argument>,
    next: usize,
}

impl<'a> Taken<'a> {
    /// Sorts `arguments`. `required` tells whether an extension has been required.
    pub fn new(
        name: &'a str,
        at: Position,
        arguments: &'a [Argument],
        specs: &[&[Tag]],
        required: impl Fn(&str) -> bool,
    ) -> Result<Self, CompileError> {
        let mut taken = Self { name, at, tags: BTreeMap::new(), positional: Vec::new(), next: 0 };
        let mut left = arguments.iter();
        while let Some(argument) = left.next() {
            let Value::Tag(tag) = &argument.value else {
                taken.positional.push(argument);
                continue;
            };
            if !taken.positional.is_empty() {
                return Err(CompileError::new(
                    argument.at,
                    format!(":{tag} must come before the other arguments of {name}"),
                ));
            }
            let spec = specs.iter().flat_map(|specs| specs.iter()).find(|spec| spec.name == tag);
            let Some(spec) = spec else {
                return Err(CompileError::new(argument.at, format!("{name} does not take :{tag}")));
            };
            if let Some(needs) = spec.needs.filter(|needs| !required(needs)) {
                return Err(CompileError::new(
                    argument.at,
                    format!("put require \"{needs}\"; at the top to use :{tag}"),
                ));
            }
            let value = match spec.takes {
                Takes::Nothing => None,
                takes => {
                    let value = left.next().map(|argument| &argument.value);
                    let fits = matches!(
                        (takes, value),
                        (Takes::Number, Some(Value::Number(_)))
                            | (Takes::String, Some(Value::String(_)))
                            | (Takes::Strings, Some(Value::String(_) | Value::List(_)))
                    );
                    if !fits {
                        let wanted = match takes {
                            Takes::Number => "a number",
                            Takes::String => "a string",
                            Takes::Strings | Takes::Nothing => "a string or a list of strings",
                        };
                        return Err(CompileError::new(argument.at, format!("{wanted} must follow :{tag}")));
                    }
                    value
                }
            };
            if taken.tags.insert(spec.name, (argument.at, value)).is_some() {
                return Err(CompileError::new(argument.at, format!(":{tag} stands twice")));
            }
        }
        Ok(taken)
    }

    pub fn has(&self, tag: &str) -> bool {
        self.tags.contains_key(tag)
    }

    pub fn number(&self, tag: &str) -> Option<u64> {
        match self.tags.get(tag)?.1? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub fn string(&self, tag: &str) -> Option<&'a str> {
        match self.tags.get(tag)?.1? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn strings(&self, tag: &str) -> Option<Vec<&'a str>> {
        Some(list(self.tags.get(tag)?.1?))
    }

    /// The one of these tags that stands there.
    pub fn one_of(&self, tags: &[&'static str]) -> Result<Option<&'static str>, CompileError> {
        let mut found = None;
        for tag in tags {
            if let Some((at, _)) = self.tags.get(tag)
                && let Some(other) = found.replace(*tag)
            {
                return Err(CompileError::new(*at, format!(":{other} and :{tag} exclude each other")));
            }
        }
        Ok(found)
    }

    /// How many positional arguments there are still.
    pub fn left(&self) -> usize {
        self.positional.len().saturating_sub(self.next)
    }

    pub fn next_string(&mut self, what: &str) -> Result<&'a str, CompileError> {
        match self.advance(what)? {
            (_, Value::String(text)) => Ok(text),
            (at, other) => Err(self.wrong(at, what, "a string", other)),
        }
    }

    pub fn next_strings(&mut self, what: &str) -> Result<Vec<&'a str>, CompileError> {
        match self.advance(what)? {
            (_, value @ (Value::String(_) | Value::List(_))) => Ok(list(value)),
            (at, other) => Err(self.wrong(at, what, "a string or a list of strings", other)),
        }
    }

    pub fn next_number(&mut self, what: &str) -> Result<u64, CompileError> {
        match self.advance(what)? {
            (_, Value::Number(number)) => Ok(*number),
            (at, other) => Err(self.wrong(at, what, "a number", other)),
        }
    }

    fn advance(&mut self, what: &str) -> Result<(Position, &'a Value), CompileError> {
        let argument = self
            .positional
            .get(self.next)
            .ok_or_else(|| CompileError::new(self.at, format!("{} misses an argument: {what}", self.name)))?;
        self.next += 1;
        Ok((argument.at, &argument.value))
    }

    fn wrong(&self, at: Position, what: &str, wanted: &str, found: &Value) -> CompileError {
        CompileError::new(at, format!("{what} of {} must be {wanted}, not {}", self.name, found.kind()))
    }

    /// All arguments have been asked for.
    pub fn end(&self) -> Result<(), CompileError> {
        match self.positional.get(self.next) {
            Some(argument) => {
                Err(CompileError::new(argument.at, format!("{} takes no further argument", self.name)))
            }
            None => Ok(()),
        }
    }
}

fn list(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::List(texts) => texts.iter().map(String::as_str).collect(),
        Value::Tag(_) | Value::Number(_) => Vec::new(),
    }
}
