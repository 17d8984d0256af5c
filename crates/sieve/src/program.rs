//! A compiled script: a flat list of steps, so that running it needs no recursion and every step can be counted.

use std::{collections::BTreeSet, sync::Arc};

use regex::Regex;

use crate::compare::{Comparator, MatchType};

/// A script that can run. Made by [`crate::compile`].
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) steps: Vec<Step>,
    /// The scripts it includes.
    pub(crate) includes: Vec<Include>,
    pub(crate) reads_body: bool,
    pub(crate) requires: BTreeSet<&'static str>,
}

impl Script {
    /// Whether a test reads the text of the message; the caller then has to give it.
    pub fn reads_body(&self) -> bool {
        self.reads_body
    }

    /// Whether it asks for what was delivered before (RFC 7352).
    pub fn tracks_duplicates(&self) -> bool {
        self.requires.contains("duplicate")
    }

    /// The scripts it brings in (RFC 6609), which the caller has to give when it runs.
    pub fn includes(&self) -> &[Include] {
        &self.includes
    }
}

/// A script brought in by another. RFC 6609 §3.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// Whose script.
    pub location: Location,
    /// Its name, as ManageSieve has it.
    pub name: String,
    pub(crate) once: bool,
    pub(crate) optional: bool,
}

/// Whose script an include means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// The user's own.
    Personal,
    /// One that the operator offers to all.
    Global,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The line it comes from.
    pub line: u32,
    pub op: Op,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Sets the result.
    Test(Arc<Test>),
    /// Turns the result round.
    Not,
    /// Goes on at `to` when the result is `when`.
    JumpIf {
        when: bool,
        to: usize,
    },
    Jump {
        to: usize,
    },
    Act(Arc<Action>),
    Include(Include),
    /// RFC 6609 §3.3: back to the including script.
    Return,
    /// RFC 5228 §3.3.
    Stop,
}

/// A string that may hold variables. RFC 5229 §3.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Text(pub Vec<Piece>);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Literal(String),
    Variable(Name),
    /// `${1}`: what a wildcard of the last `:matches` took.
    Taken(usize),
}

/// The name of a variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// Lower case: RFC 5229 §3.
    pub name: String,
    /// RFC 6609 §3.4.2: `global.name`.
    pub global: bool,
}

impl Text {
    pub fn literal(text: &str) -> Self {
        Self(vec![Piece::Literal(text.to_owned())])
    }

    /// The text, when it is the same in every run.
    pub fn constant(&self) -> Option<String> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Some(text.as_str()),
                Piece::Variable(_) | Piece::Taken(_) => None,
            })
            .collect()
    }
}

/// How values are compared, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub kind: MatchType,
    pub comparator: Comparator,
    pub keys: Vec<Text>,
    /// For `:regex` with keys that hold no variables.
    pub regexes: Vec<Regex>,
}

/// Which of several fields of one name. RFC 5260 §6.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Index {
    /// From one.
    pub number: usize,
    /// Counted from the end.
    pub last: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AddressPart {
    All,
    LocalPart,
    Domain,
    User,
    Detail,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Zone {
    /// The server's.
    Local,
    /// As the field has it.
    Original,
    /// Minutes east of UTC.
    Fixed(i32),
}

#[derive(Clone, Debug)]
pub(crate) enum BodyKind {
    Raw,
    Text,
    /// Content types, as `text`, `text/html` or the empty string for all.
    Content(Vec<Text>),
}

#[derive(Clone, Debug)]
pub(crate) enum Test {
    Constant(bool),
    Exists(Vec<Text>),
    Size {
        over: bool,
        octets: u64,
    },
    Header {
        names: Vec<Text>,
        index: Option<Index>,
        wanted: Wanted,
    },
    Address {
        part: AddressPart,
        names: Vec<Text>,
        index: Option<Index>,
        wanted: Wanted,
    },
    Envelope {
        part: AddressPart,
        parts: Vec<Text>,
        wanted: Wanted,
    },
    Body {
        kind: BodyKind,
        wanted: Wanted,
    },
    Environment {
        item: Text,
        wanted: Wanted,
    },
    String {
        sources: Vec<Text>,
        wanted: Wanted,
    },
    HasFlag {
        variables: Vec<Name>,
        wanted: Wanted,
    },
    /// Without a field: the moment the script runs.
    Date {
        field: Option<Text>,
        zone: Zone,
        part: Text,
        index: Option<Index>,
        wanted: Wanted,
    },
    MailboxExists(Vec<Text>),
    MailboxIdExists(Vec<Text>),
    SpecialUseExists {
        mailbox: Option<Text>,
        uses: Vec<Text>,
    },
    Spam {
        percent: bool,
        wanted: Wanted,
    },
    Virus {
        wanted: Wanted,
    },
    Duplicate {
        handle: Text,
        id: DuplicateId,
        seconds: u64,
        last: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum DuplicateId {
    /// The value of a header field; Message-ID when nothing is said.
    Header(Text),
    UniqueId(Text),
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    Keep {
        flags: Option<Vec<Text>>,
    },
    Discard,
    FileInto(FileInto),
    Redirect {
        address: Text,
        copy: bool,
    },
    Reject {
        reason: Text,
        extended: bool,
    },
    Set {
        name: Name,
        value: Text,
        modifiers: Vec<Modifier>,
    },
    Flags {
        change: FlagChange,
        variable: Option<Name>,
        flags: Vec<Text>,
    },
    AddHeader {
        field: Text,
        value: Text,
        last: bool,
    },
    DeleteHeader {
        field: Text,
        index: Option<Index>,
        wanted: Option<Wanted>,
    },
    Vacation(Vacation),
    /// RFC 5463 §5; also what stands for something unknown under `ihave`.
    Error(Text),
    /// RFC 6609 §3.4.1.
    Global(Vec<String>),
}

#[derive(Clone, Debug)]
pub(crate) struct FileInto {
    pub mailbox: Text,
    pub copy: bool,
    pub create: bool,
    pub flags: Option<Vec<Text>>,
    pub special_use: Option<Text>,
    pub mailbox_id: Option<Text>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum FlagChange {
    Set,
    Add,
    Remove,
}

/// Changes to a value, highest precedence first. RFC 5229 §4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Modifier {
    Lower,
    Upper,
    LowerFirst,
    UpperFirst,
    QuoteRegex,
    QuoteWildcard,
    Length,
}

#[derive(Clone, Debug)]
pub(crate) struct Vacation {
    pub seconds: u64,
    pub subject: Option<Text>,
    pub from: Option<Text>,
    pub addresses: Vec<Text>,
    pub mime: bool,
    pub handle: Option<Text>,
    pub reason: Text,
}
