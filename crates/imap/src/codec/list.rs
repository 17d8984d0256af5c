//! Arguments of LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 9590).

use super::{
    Dialect,
    cursor::{Cursor, Parsed, is_astring_char, upper},
    metadata::{self, Wanted},
    name,
    parse::status_items,
    request::StatusItem,
};
use crate::limits::LIST_PATTERNS;

/// A LIST command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// What the patterns are relative to.
    pub reference: String,
    /// Patterns with `*` and `%`.
    pub patterns: Vec<String>,
    /// Which names.
    pub select: ListSelect,
    /// What is told of them.
    pub returns: ListReturn,
    /// Whether the command had options or several patterns: then nothing of LIST's old special cases applies.
    pub extended: bool,
}

/// Selection options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct ListSelect {
    pub subscribed: bool,
    pub remote: bool,
    pub recursive_match: bool,
    pub special_use: bool,
}

/// Return options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct ListReturn {
    pub subscribed: bool,
    pub children: bool,
    pub special_use: bool,
    pub myrights: bool,
    pub status: Option<Vec<StatusItem>>,
    pub metadata: Option<Wanted>,
}

/// ```abnf
/// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
/// ```
pub fn list(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<List> {
    let mut list = List::default();
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        select_options(cursor, &mut list.select)?;
        cursor.sp()?;
    }
    list.reference = reference(cursor, dialect)?;
    cursor.sp()?;
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        list.patterns = cursor.parenthesised(LIST_PATTERNS, |c| pattern(c, dialect))?;
        if list.patterns.is_empty() {
            return cursor.wrong("expected a pattern");
        }
    } else {
        list.patterns.push(pattern(cursor, dialect)?);
    }
    if !cursor.is_end() {
        cursor.sp()?;
        if !cursor.is_end() {
            if !cursor.eat_word("RETURN") {
                return cursor.wrong("expected RETURN");
            }
            cursor.sp()?;
            list.extended = true;
            return_options(cursor, &mut list.returns)?;
        }
    }
    Ok(list)
}

/// A mailbox name that other names begin with; may be empty.
pub fn reference(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<String> {
    let start = cursor.clone();
    let wire = cursor.astring()?;
    name::decode(&wire, dialect.utf8).map_or_else(|| start.wrong("the name is not modified UTF-7"), Ok)
}

/// ```abnf
/// list-mailbox = 1*list-char / string
/// list-char = ATOM-CHAR / list-wildcards / resp-specials
/// ```
pub fn pattern(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<String> {
    let start = cursor.clone();
    let wire = match cursor.peek() {
        Some(b'"' | b'{') => cursor.string()?.into_owned(),
        _ => cursor
            .span(|c| is_astring_char(c) || c == b'*' || c == b'%', "expected a pattern")?
            .as_bytes()
            .to_vec(),
    };
    name::decode(&wire, dialect.utf8).map_or_else(|| start.wrong("the pattern is not modified UTF-7"), Ok)
}

fn select_options(cursor: &mut Cursor<'_>, select: &mut ListSelect) -> Parsed<()> {
    let start = cursor.clone();
    cursor.parenthesised(16, |c| {
        let at = c.clone();
        match upper(c.atom()?, &mut [0; 32]) {
            "SUBSCRIBED" => select.subscribed = true,
            "REMOTE" => select.remote = true,
            "RECURSIVEMATCH" => select.recursive_match = true,
            "SPECIAL-USE" => select.special_use = true,
            _ => return at.wrong("there is no such selection option"),
        }
        Ok(())
    })?;
    // RFC 5258 §3.1: RECURSIVEMATCH alone, or with REMOTE only, selects nothing to match below.
    if select.recursive_match && !select.subscribed && !select.special_use {
        return start.wrong("RECURSIVEMATCH needs another option");
    }
    Ok(())
}

fn return_options(cursor: &mut Cursor<'_>, returns: &mut ListReturn) -> Parsed<()> {
    cursor.parenthesised(16, |c| {
        let at = c.clone();
        match upper(c.atom()?, &mut [0; 32]) {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" => returns.children = true,
            "SPECIAL-USE" => returns.special_use = true,
            // RFC 8440 §4.
            "MYRIGHTS" => returns.myrights = true,
            "METADATA" => {
                c.sp()?;
                returns.metadata = Some(metadata::wanted(c)?);
            }
            "STATUS" => {
                c.sp()?;
                returns.status = Some(status_items(c)?);
            }
            _ => return at.wrong("there is no such return option"),
        }
        Ok(())
    })?;
    Ok(())
}
