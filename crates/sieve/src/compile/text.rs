//! Strings as a script writes them: variables (RFC 5229 §3) and encoded characters (RFC 5228 §2.4.2.4).

use crate::{
    CompileError, Position, limits,
    program::{Name, Piece, Text},
};

/// Cuts a string at its variables.
///
/// ```abnf
/// variable-ref  = "${" [namespace] variable-name "}"
/// variable-name = num-variable / identifier
/// namespace     = identifier "."
/// ```
///
/// What only looks like a reference stays as it is.
pub(super) fn with_variables(text: &str) -> Text {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut left = text;
    while let Some(begin) = left.find("${") {
        let (before, rest) = left.split_at(begin);
        literal.push_str(before);
        let inside = rest.get(2..).unwrap_or_default();
        let piece =
            inside.find('}').and_then(|end| Some((reference(inside.get(..end)?)?, inside.get(end + 1..)?)));
        match piece {
            Some((piece, after)) => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(piece);
                left = after;
            }
            None => {
                literal.push_str("${");
                left = inside;
            }
        }
    }
    literal.push_str(left);
    if !literal.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Text(pieces)
}

fn reference(inside: &str) -> Option<Piece> {
    if !inside.is_empty() && inside.bytes().all(|c| c.is_ascii_digit()) {
        return inside.parse().ok().map(Piece::Taken);
    }
    name(inside).map(Piece::Variable)
}

/// A variable's name, with or without `global.`.
pub(super) fn name(text: &str) -> Option<Name> {
    let text = text.to_ascii_lowercase();
    let (global, name) = match text.split_once('.') {
        Some(("global", name)) => (true, name),
        Some(_) => return None,
        None => (false, text.as_str()),
    };
    let begins = name.bytes().next().is_some_and(|c| c.is_ascii_alphabetic() || c == b'_');
    let goes_on = name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    let fits = name.len() <= limits::VARIABLE_NAME_OCTETS;
    (begins && goes_on && fits).then(|| Name { name: name.to_owned(), global })
}

/// Replaces `${hex: c3 a9}` and `${unicode: e9}`. What is malformed stays; a number that is no character is an error.
pub(super) fn with_encoded_characters(at: Position, text: &str) -> Result<String, CompileError> {
    let mut done = String::new();
    let mut left = text;
    while let Some(begin) = left.find("${") {
        let (before, rest) = left.split_at(begin);
        done.push_str(before);
        let end = rest.find('}');
        let inside = end.and_then(|end| rest.get(2..end)).unwrap_or_default();
        let (kind, numbers) = inside.split_once(':').unwrap_or_default();
        let decoded = match kind.to_ascii_lowercase().as_str() {
            "hex" => hex(numbers).map(|octets| {
                String::from_utf8(octets).map_err(|_| CompileError::new(at, "these hex octets are not UTF-8"))
            }),
            "unicode" => unicode(at, numbers),
            _ => None,
        };
        match (decoded, end) {
            (Some(decoded), Some(end)) => {
                done.push_str(&decoded?);
                left = rest.get(end + 1..).unwrap_or_default();
            }
            _ => {
                done.push_str("${");
                left = rest.get(2..).unwrap_or_default();
            }
        }
    }
    done.push_str(left);
    Ok(done)
}

fn hex(numbers: &str) -> Option<Vec<u8>> {
    let words: Vec<&str> = numbers.split_ascii_whitespace().collect();
    let octet = |word: &&str| (word.len() <= 2).then(|| u8::from_str_radix(word, 16).ok()).flatten();
    (!words.is_empty()).then(|| words.iter().map(octet).collect()).flatten()
}

fn unicode(at: Position, numbers: &str) -> Option<Result<String, CompileError>> {
    let words: Vec<&str> = numbers.split_ascii_whitespace().collect();
    let number = |word: &&str| (word.len() <= 8).then(|| u32::from_str_radix(word, 16).ok()).flatten();
    let numbers: Vec<u32> = (!words.is_empty()).then(|| words.iter().map(number).collect()).flatten()?;
    let characters = numbers.into_iter().map(|number| {
        char::from_u32(number)
            .ok_or_else(|| CompileError::new(at, format!("{number:x} is the number of no character")))
    });
    Some(characters.collect())
}
