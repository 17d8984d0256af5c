//! Variables and what changes their values. RFC 5229.

use std::collections::BTreeMap;

use crate::{
    limits,
    program::{Modifier, Name, Piece, Text},
};

/// The variables of one script.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// RFC 5229 §3: a variable that was never set is empty.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Tells whether there was room.
    pub fn set(&mut self, name: &str, value: String) -> bool {
        let room = self.0.len() < limits::VARIABLES || self.0.contains_key(name);
        if room {
            self.0.insert(name.to_owned(), cut(value));
        }
        room
    }
}

/// The text with values in the place of variables, cut to the limit.
pub(super) fn expand<'a>(text: &'a Text, get: impl Fn(&Name) -> &'a str, taken: &'a [String]) -> String {
    let mut expanded = String::new();
    for piece in &text.0 {
        expanded.push_str(match piece {
            Piece::Literal(text) => text,
            Piece::Variable(name) => get(name),
            Piece::Taken(number) => taken.get(*number).map_or("", String::as_str),
        });
        // A literal may be longer than a variable may get: scripts hold long answers.
        if expanded.len() > limits::VARIABLE_OCTETS && text.0.len() > 1 {
            return cut(expanded);
        }
    }
    expanded
}

/// RFC 5229 §4.1: in the order of precedence.
pub(super) fn modify(mut value: String, modifiers: &[Modifier]) -> String {
    for modifier in modifiers {
        value = match modifier {
            Modifier::Lower => value.to_lowercase(),
            Modifier::Upper => value.to_uppercase(),
            Modifier::LowerFirst => first(&value, |c| c.to_lowercase().collect()),
            Modifier::UpperFirst => first(&value, |c| c.to_uppercase().collect()),
            Modifier::QuoteWildcard => quote(&value, "*?\\"),
            Modifier::QuoteRegex => regex::escape(&value),
            Modifier::Length => value.chars().count().to_string(),
        };
    }
    value
}

fn first(value: &str, change: impl Fn(char) -> String) -> String {
    let mut chars = value.chars();
    chars.next().map(change).unwrap_or_default() + chars.as_str()
}

fn quote(value: &str, special: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for c in value.chars() {
        if special.contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

fn cut(mut value: String) -> String {
    value.truncate(value.floor_char_boundary(limits::VARIABLE_OCTETS));
    value
}
