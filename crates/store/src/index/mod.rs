//! The search index: which messages may hold a text. Derived from the messages, never in the way of an acknowledgement; without it
//! everything is found as well, only slower. Never decides alone what it cannot be sure of (docs/decisions/0006-search-index.md).
//!
//! Folded text is cut into [`terms`], each a piece of the text as it stands; a [`build`]er gathers which documents have each,
//! and writes them as a [`segment`]; segments are [`merge`]d; a [`query`] finds the terms that a needle leaves in every text that
//! holds it.

pub(crate) mod bits;
pub(crate) mod build;
pub(crate) mod merge;
pub(crate) mod query;
pub(crate) mod segment;
pub(crate) mod terms;

/// Where a text is sought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// In the body, messages inside included.
    Body,
    /// In the body, the header, or the header of a part.
    Anywhere,
    /// In a field of the header, named in lower case.
    Field(String),
}

/// What the index knows about one text.
#[derive(Clone, Debug, Default)]
pub struct IndexAnswer {
    /// Documents below this are in the index.
    pub(crate) until: u64,
    /// Those that hold the text.
    pub(crate) sure: bits::DocSet,
    /// Those that may; to be read.
    pub(crate) maybe: bits::DocSet,
}

impl IndexAnswer {
    /// Whether a document holds the text; nothing when it must be read to know.
    pub fn holds(&self, doc: crate::DocId) -> Option<bool> {
        if doc.0 >= self.until || self.maybe.has(doc.0) {
            return None;
        }
        Some(self.sure.has(doc.0))
    }
    /// Memory it takes, in octets.
    pub(crate) fn octets(&self) -> usize {
        self.sure.octets() + self.maybe.octets()
    }
}
