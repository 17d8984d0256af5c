//! Arguments of SORT and THREAD (RFC 5256 §5, RFC 5957 §5, RFC 5267 §3). Reads them only.

use super::{
    cursor::{Cursor, Parsed, upper},
    search::{Key, SearchReturn, keys, search_return},
};
use crate::limits::SORT_CRITERIA;

/// A SORT command.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    /// RETURN options; none is the old answer.
    pub returns: Option<SearchReturn>,
    /// What messages are ordered by, the first before the others.
    pub criteria: Vec<Criterion>,
    /// CHARSET, as written.
    pub charset: String,
    /// What a message must be.
    pub key: Key,
}

/// One criterion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// What of the message.
    pub by: SortBy,
    /// The largest first.
    pub reverse: bool,
}

/// What of a message is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum SortBy {
    Arrival,
    Cc,
    Date,
    DisplayFrom,
    DisplayTo,
    From,
    Size,
    Subject,
    To,
}

/// A THREAD command.
#[derive(Clone, Debug, PartialEq)]
pub struct Thread {
    /// How threads are made.
    pub algorithm: Threading,
    /// CHARSET, as written.
    pub charset: String,
    /// What a message must be.
    pub key: Key,
}

/// How threads are made (RFC 5256 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum Threading {
    OrderedSubject,
    References,
}

/// ```abnf
/// sort = ["UID" SP] "SORT" [search-return-opts] SP sort-criteria SP search-criteria
/// sort-criteria = "(" sort-criterion *(SP sort-criterion) ")"
/// sort-criterion = ["REVERSE" SP] sort-key
/// search-criteria = charset 1*(SP search-key)
/// ```
pub fn sort(cursor: &mut Cursor<'_>) -> Parsed<Sort> {
    let mut returns = None;
    if cursor.eat_word("RETURN ") {
        returns = Some(search_return(cursor)?);
        cursor.sp()?;
    }
    let start = cursor.clone();
    let criteria = cursor.parenthesised(SORT_CRITERIA, criterion)?;
    if criteria.is_empty() {
        return start.wrong("expected a sort key");
    }
    let (charset, key) = search_criteria(cursor)?;
    Ok(Sort { returns, criteria, charset, key })
}

fn criterion(cursor: &mut Cursor<'_>) -> Parsed<Criterion> {
    let reverse = cursor.eat_word("REVERSE ");
    let start = cursor.clone();
    let by = match upper(cursor.atom()?, &mut [0; 32]) {
        "ARRIVAL" => SortBy::Arrival,
        "CC" => SortBy::Cc,
        "DATE" => SortBy::Date,
        "DISPLAYFROM" => SortBy::DisplayFrom,
        "DISPLAYTO" => SortBy::DisplayTo,
        "FROM" => SortBy::From,
        "SIZE" => SortBy::Size,
        "SUBJECT" => SortBy::Subject,
        "TO" => SortBy::To,
        _ => return start.wrong("there is no such sort key"),
    };
    Ok(Criterion { by, reverse })
}

/// ```abnf
/// thread = ["UID" SP] "THREAD" SP thread-alg SP search-criteria
/// ```
pub fn thread(cursor: &mut Cursor<'_>) -> Parsed<Thread> {
    let start = cursor.clone();
    let algorithm = match upper(cursor.atom()?, &mut [0; 32]) {
        "ORDEREDSUBJECT" => Threading::OrderedSubject,
        "REFERENCES" => Threading::References,
        _ => return start.wrong("there is no such threading algorithm"),
    };
    let (charset, key) = search_criteria(cursor)?;
    Ok(Thread { algorithm, charset, key })
}

fn search_criteria(cursor: &mut Cursor<'_>) -> Parsed<(String, Key)> {
    cursor.sp()?;
    let charset = String::from_utf8_lossy(&cursor.astring()?).into_owned();
    cursor.sp()?;
    Ok((charset, keys(cursor)?))
}
