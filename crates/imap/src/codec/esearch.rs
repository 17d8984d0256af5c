//! Arguments of ESEARCH (RFC 7377 §2.2, §3; mailbox filters of RFC 5465 §6). Reads them only.

use super::{
    Dialect,
    cursor::{Cursor, Parsed, upper},
    name,
    search::{Search, search},
};
use crate::limits::SOURCE_MAILBOXES;

/// An ESEARCH command.
#[derive(Clone, Debug, PartialEq)]
pub struct Esearch {
    /// Where; none is the selected mailbox.
    pub sources: Option<Vec<Source>>,
    /// What.
    pub search: Search,
}

/// Where to search.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum Source {
    /// `selected`, and `selected-delayed`, which differs in NOTIFY only.
    Selected,
    Inboxes,
    Personal,
    Subscribed,
    Subtree(Vec<String>),
    SubtreeOne(Vec<String>),
    Mailboxes(Vec<String>),
}

/// ```abnf
/// esearch = "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program
/// esearch-source-opts = "IN" SP "(" source-mbox ")"
/// source-mbox = filter-mailboxes *(SP filter-mailboxes)
/// filter-mailboxes = "selected" / "selected-delayed" / "inboxes" / "personal" / "subscribed" /
///                    ("subtree" / "subtree-one" / "mailboxes") SP (mailbox / "(" mailbox *(SP mailbox) ")")
/// ```
pub fn esearch(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<Esearch> {
    let mut sources = None;
    if cursor.eat_word("IN ") {
        let start = cursor.clone();
        let found = cursor.parenthesised(SOURCE_MAILBOXES, |c| source(c, dialect))?;
        if found.is_empty() {
            return start.wrong("expected where to search");
        }
        sources = Some(found);
        cursor.sp()?;
    }
    Ok(Esearch { sources, search: search(cursor)? })
}

fn source(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<Source> {
    let start = cursor.clone();
    Ok(match upper(cursor.atom()?, &mut [0; 32]) {
        "SELECTED" | "SELECTED-DELAYED" => Source::Selected,
        "INBOXES" => Source::Inboxes,
        "PERSONAL" => Source::Personal,
        "SUBSCRIBED" => Source::Subscribed,
        "SUBTREE" => Source::Subtree(mailboxes(cursor, dialect)?),
        "SUBTREE-ONE" => Source::SubtreeOne(mailboxes(cursor, dialect)?),
        "MAILBOXES" => Source::Mailboxes(mailboxes(cursor, dialect)?),
        _ => return start.wrong("there is no such source"),
    })
}

fn mailboxes(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<Vec<String>> {
    cursor.sp()?;
    let one = |c: &mut Cursor<'_>| {
        let start = c.clone();
        match name::decode(&c.astring()?, dialect.utf8) {
            Some(name) if !name.is_empty() => Ok(name),
            _ => start.wrong("that is no mailbox name"),
        }
    };
    if cursor.peek() == Some(b'(') {
        cursor.parenthesised(SOURCE_MAILBOXES, one)
    } else {
        Ok(vec![one(cursor)?])
    }
}
