//! Criteria of SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 4731, RFC 5032, RFC 5182, RFC 7162 §3.1.5, RFC 8474, RFC 8514).
//! Reads them only; `command/search.rs` finds messages.

use yubin_store::Flags;

use super::{
    cursor::{Cursor, Parsed, upper},
    date::Day,
    set::Set,
};
use crate::limits::{SEARCH_DEPTH, SEARCH_KEYS};

/// A SEARCH command.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// RETURN options; none is the old answer.
    pub returns: Option<SearchReturn>,
    /// CHARSET, as written.
    pub charset: Option<String>,
    /// What a message must be.
    pub key: Key,
}

/// RETURN options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct SearchReturn {
    pub min: bool,
    pub max: bool,
    pub all: bool,
    pub count: bool,
    pub save: bool,
    /// PARTIAL (RFC 9394 §3.1): the results from one number to another, counted from 1; negative ones from the end.
    pub partial: Option<(i64, i64)>,
}

/// One key.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum Key {
    All,
    /// NEW and RECENT: no message is recent here.
    Nothing,
    Flag(Flags, bool),
    Keyword(String, bool),
    Before(Day),
    On(Day),
    Since(Day),
    SentBefore(Day),
    SentOn(Day),
    SentSince(Day),
    SavedBefore(Day),
    SavedOn(Day),
    SavedSince(Day),
    Older(u32),
    Younger(u32),
    Larger(u64),
    Smaller(u64),
    Header(Vec<u8>, Vec<u8>),
    Body(Vec<u8>),
    Text(Vec<u8>),
    Seq(Set),
    Uid(Set),
    ModSeq(u64),
    EmailId(String),
    ThreadId(String),
    Not(Box<Key>),
    Or(Box<Key>, Box<Key>),
    And(Vec<Key>),
}

/// ```abnf
/// search = "SEARCH" [search-return-opts] SP search-program
/// search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
/// ```
pub fn search(cursor: &mut Cursor<'_>) -> Parsed<Search> {
    let mut returns = None;
    if cursor.eat_word("RETURN ") {
        returns = Some(search_return(cursor)?);
        cursor.sp()?;
    }
    let mut charset = None;
    if cursor.eat_word("CHARSET ") {
        charset = Some(String::from_utf8_lossy(&cursor.astring()?).into_owned());
        cursor.sp()?;
    }
    Ok(Search { returns, charset, key: keys(cursor)? })
}

/// `search-key *(SP search-key)`, to the end of the command.
pub(super) fn keys(cursor: &mut Cursor<'_>) -> Parsed<Key> {
    let mut budget = SEARCH_KEYS;
    let mut keys = vec![key(cursor, 0, &mut budget)?];
    while !cursor.is_end() {
        cursor.sp()?;
        if !cursor.is_end() {
            keys.push(key(cursor, 0, &mut budget)?);
        }
    }
    Ok(all_of(keys))
}

pub(super) fn search_return(cursor: &mut Cursor<'_>) -> Parsed<SearchReturn> {
    let mut returns = SearchReturn::default();
    cursor.parenthesised(16, |c| {
        let at = c.clone();
        match upper(c.atom()?, &mut [0; 32]) {
            "MIN" => returns.min = true,
            "MAX" => returns.max = true,
            "ALL" => returns.all = true,
            "COUNT" => returns.count = true,
            "SAVE" => returns.save = true,
            "PARTIAL" => {
                c.sp()?;
                returns.partial = Some(partial_range(c)?);
            }
            _ => return at.wrong("there is no such return option"),
        }
        Ok(())
    })?;
    // RFC 4731 §3.1: no options are ALL. RFC 5182 §2.4: SAVE alone returns nothing.
    if returns == SearchReturn::default() {
        returns.all = true;
    }
    if returns.all && returns.partial.is_some() {
        return cursor.wrong("ALL and PARTIAL exclude each other");
    }
    Ok(returns)
}

/// Results from one number to another.
///
/// ```abnf
/// partial-range = nz-number ":" nz-number / "-" nz-number ":-" nz-number
/// ```
pub fn partial_range(cursor: &mut Cursor<'_>) -> Parsed<(i64, i64)> {
    let negative = cursor.eat(b'-');
    let from = i64::from(cursor.nz_number()?);
    cursor.expect(b':', "expected : in the range")?;
    if negative {
        cursor.expect(b'-', "both ends of the range count from the end")?;
    }
    let to = i64::from(cursor.nz_number()?);
    let (from, to) = (from.min(to), from.max(to));
    Ok(if negative { (-from, -to) } else { (from, to) })
}

fn all_of(mut keys: Vec<Key>) -> Key {
    match keys.pop() {
        Some(one) if keys.is_empty() => one,
        Some(last) => {
            keys.push(last);
            Key::And(keys)
        }
        None => Key::All,
    }
}

fn key(cursor: &mut Cursor<'_>, depth: usize, budget: &mut usize) -> Parsed<Key> {
    if depth >= SEARCH_DEPTH {
        return cursor.wrong("the search is nested too deeply");
    }
    *budget = budget.saturating_sub(1);
    if *budget == 0 {
        return cursor.wrong("the search has too many keys");
    }
    if cursor.peek() == Some(b'(') {
        let keys = cursor.parenthesised(SEARCH_KEYS, |c| key(c, depth + 1, budget))?;
        return if keys.is_empty() { cursor.wrong("expected a search key") } else { Ok(all_of(keys)) };
    }
    if Set::begins(cursor) {
        return Ok(Key::Seq(Set::parse(cursor)?));
    }
    let start = cursor.clone();
    let word = cursor.atom()?;
    let flag = |flag, set| Ok(Key::Flag(flag, set));
    match upper(word, &mut [0; 32]) {
        "ALL" | "OLD" => Ok(Key::All),
        "NEW" | "RECENT" => Ok(Key::Nothing),
        "ANSWERED" => flag(Flags::ANSWERED, true),
        "DELETED" => flag(Flags::DELETED, true),
        "DRAFT" => flag(Flags::DRAFT, true),
        "FLAGGED" => flag(Flags::FLAGGED, true),
        "SEEN" => flag(Flags::SEEN, true),
        "UNANSWERED" => flag(Flags::ANSWERED, false),
        "UNDELETED" => flag(Flags::DELETED, false),
        "UNDRAFT" => flag(Flags::DRAFT, false),
        "UNFLAGGED" => flag(Flags::FLAGGED, false),
        "UNSEEN" => flag(Flags::SEEN, false),
        "KEYWORD" => keyword(cursor, true),
        "UNKEYWORD" => keyword(cursor, false),
        "BEFORE" => date(cursor).map(Key::Before),
        "ON" => date(cursor).map(Key::On),
        "SINCE" => date(cursor).map(Key::Since),
        "SENTBEFORE" => date(cursor).map(Key::SentBefore),
        "SENTON" => date(cursor).map(Key::SentOn),
        "SENTSINCE" => date(cursor).map(Key::SentSince),
        "SAVEDBEFORE" => date(cursor).map(Key::SavedBefore),
        "SAVEDON" => date(cursor).map(Key::SavedOn),
        "SAVEDSINCE" => date(cursor).map(Key::SavedSince),
        "SAVEDATESUPPORTED" => Ok(Key::All),
        "OLDER" => interval(cursor).map(Key::Older),
        "YOUNGER" => interval(cursor).map(Key::Younger),
        "LARGER" => number(cursor).map(Key::Larger),
        "SMALLER" => number(cursor).map(Key::Smaller),
        "FROM" => field(cursor, "From"),
        "TO" => field(cursor, "To"),
        "CC" => field(cursor, "Cc"),
        "BCC" => field(cursor, "Bcc"),
        "SUBJECT" => field(cursor, "Subject"),
        "HEADER" => {
            let name = text(cursor)?;
            Ok(Key::Header(name, text(cursor)?))
        }
        "BODY" => text(cursor).map(Key::Body),
        "TEXT" => text(cursor).map(Key::Text),
        "UID" => {
            cursor.sp()?;
            Ok(Key::Uid(Set::parse(cursor)?))
        }
        // RFC 9738 §3.2: to go on where a limited command stopped.
        "UIDAFTER" => {
            let uid = interval(cursor)?;
            Ok(uid.checked_add(1).map_or(Key::Nothing, |from| Key::Uid(Set::Ranges(vec![(from, u32::MAX)]))))
        }
        "UIDBEFORE" => {
            let uid = interval(cursor)?;
            Ok(if uid == 1 { Key::Nothing } else { Key::Uid(Set::Ranges(vec![(1, uid - 1)])) })
        }
        "MODSEQ" => modseq(cursor),
        "EMAILID" => {
            cursor.sp()?;
            Ok(Key::EmailId(cursor.atom()?.to_owned()))
        }
        "THREADID" => {
            cursor.sp()?;
            Ok(Key::ThreadId(cursor.atom()?.to_owned()))
        }
        "NOT" => {
            cursor.sp()?;
            Ok(Key::Not(Box::new(key(cursor, depth + 1, budget)?)))
        }
        "OR" => {
            cursor.sp()?;
            let one = key(cursor, depth + 1, budget)?;
            cursor.sp()?;
            Ok(Key::Or(Box::new(one), Box::new(key(cursor, depth + 1, budget)?)))
        }
        _ => start.wrong("there is no such search key"),
    }
}

fn keyword(cursor: &mut Cursor<'_>, set: bool) -> Parsed<Key> {
    cursor.sp()?;
    Ok(Key::Keyword(cursor.atom()?.to_owned(), set))
}
fn date(cursor: &mut Cursor<'_>) -> Parsed<Day> {
    cursor.sp()?;
    Day::parse(cursor)
}
fn number(cursor: &mut Cursor<'_>) -> Parsed<u64> {
    cursor.sp()?;
    cursor.number64()
}
fn interval(cursor: &mut Cursor<'_>) -> Parsed<u32> {
    cursor.sp()?;
    cursor.nz_number()
}
fn text(cursor: &mut Cursor<'_>) -> Parsed<Vec<u8>> {
    cursor.sp()?;
    Ok(cursor.astring()?.into_owned())
}
fn field(cursor: &mut Cursor<'_>, name: &str) -> Parsed<Key> {
    Ok(Key::Header(name.as_bytes().to_vec(), text(cursor)?))
}

/// ```abnf
/// search-modsequence = "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer     ; RFC 7162 §3.1.5
/// ```
fn modseq(cursor: &mut Cursor<'_>) -> Parsed<Key> {
    cursor.sp()?;
    if cursor.peek() == Some(b'"') {
        // One modseq covers all of a message's flags, so the entry makes no difference.
        cursor.string()?;
        cursor.sp()?;
        let start = cursor.clone();
        if !matches!(upper(cursor.atom()?, &mut [0; 32]), "PRIV" | "SHARED" | "ALL") {
            return start.wrong("expected priv, shared or all");
        }
        cursor.sp()?;
    }
    Ok(Key::ModSeq(cursor.number64()?))
}

impl Key {
    /// Whether a set of sequence numbers is in it.
    pub fn uses_sequence_numbers(&self) -> bool {
        match self {
            Self::Seq(Set::Ranges(_)) => true,
            Self::Not(key) => key.uses_sequence_numbers(),
            Self::Or(a, b) => a.uses_sequence_numbers() || b.uses_sequence_numbers(),
            Self::And(keys) => keys.iter().any(Self::uses_sequence_numbers),
            _ => false,
        }
    }
    /// Whether `$` is in it.
    pub fn uses_saved(&self) -> bool {
        match self {
            Self::Seq(set) | Self::Uid(set) => *set == Set::Saved,
            Self::Not(key) => key.uses_saved(),
            Self::Or(a, b) => a.uses_saved() || b.uses_saved(),
            Self::And(keys) => keys.iter().any(Self::uses_saved),
            _ => false,
        }
    }
    /// Whether a MODSEQ key is in it: then the answer names the highest modseq found.
    pub fn asks_modseq(&self) -> bool {
        match self {
            Self::ModSeq(_) => true,
            Self::Not(key) => key.asks_modseq(),
            Self::Or(a, b) => a.asks_modseq() || b.asks_modseq(),
            Self::And(keys) => keys.iter().any(Self::asks_modseq),
            _ => false,
        }
    }
}
