//! Whether a message is what a search asks for. Three-valued: a row alone may not know; then the record, the header and at last the
//! text are read. Text is compared decoded and folded, so that searching is exact in every script.

use std::collections::BTreeMap;

use yubin_base::UnixMs;
use yubin_formats::{
    charset::Charset,
    fold_for_search,
    mail::{PartKind, Structure, StructurePart, TextReader, decode_header, fields},
};
use yubin_store::{Access, Keyword, Record, Row, StoreError, UidSet};

use crate::{
    codec::{date::Day, search::Key, set::both},
    limits,
    session::view::View,
};

use super::folded;

/// What is known so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Yes,
    No,
    /// More must be read to know.
    Unknown,
}

impl From<bool> for Truth {
    fn from(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }
}

/// A search made ready: sets found, text folded, ages turned into moments.
pub(crate) struct Plan {
    test: Test,
}

enum Test {
    Always(bool),
    Flag(yubin_store::Flags, bool),
    /// By name: a keyword may come into use while the search runs.
    Keyword(Option<Keyword>, bool),
    /// Half-open ranges of days.
    Received(i64, i64),
    Saved(i64, i64),
    Sent(i64, i64),
    ReceivedBefore(UnixMs),
    ReceivedAfter(UnixMs),
    Larger(u64),
    Smaller(u64),
    Seqs(Vec<(u32, u32)>),
    ModSeq(u64),
    Doc(u64),
    Thread(u64),
    Header(Vec<u8>, String),
    Body(String),
    Text(String),
    Not(Box<Test>),
    Or(Vec<Test>),
    And(Vec<Test>),
}

/// What was read of a message.
#[derive(Default)]
struct Content {
    /// The day its `Date` names.
    sent: Option<Option<i64>>,
    /// Its header fields, names in lower case, values decoded and folded.
    header: Option<Vec<(Vec<u8>, String)>>,
    /// Whether each text sought is in the body, and in the headers of the parts.
    found: Option<BTreeMap<String, Found>>,
}

#[derive(Clone, Copy, Default)]
struct Found {
    in_body: bool,
    in_part_headers: bool,
}

impl Plan {
    pub(crate) fn new(key: &Key, charset: Charset, view: &View, saved: &UidSet, now: UnixMs) -> Self {
        Self { test: Test::new(key, charset, view, saved, now) }
    }
    /// The messages that sets among the keys leave to be looked at, of so many.
    pub(crate) fn candidates(&self, last: u32) -> Vec<(u32, u32)> {
        let all = vec![(1, last)];
        let all = if last == 0 { Vec::new() } else { all };
        match &self.test {
            Test::Seqs(seqs) => both(&all, seqs),
            Test::And(tests) => tests.iter().fold(all, |left, test| match test {
                Test::Seqs(seqs) => both(&left, seqs),
                _ => left,
            }),
            _ => all,
        }
    }
    /// Looks at the row only.
    pub(crate) fn look(&self, seq: u32, row: &Row, keywords: &[Keyword]) -> Truth {
        self.test.look(seq, row, keywords, None)
    }

    /// Reads what is needed, the cheap things first, until it is known.
    pub(crate) async fn read_and_look(
        &self,
        seq: u32,
        row: &Row,
        keywords: &[Keyword],
        access: &Access,
    ) -> Result<bool, StoreError> {
        let record = access.record(row.doc).await?;
        let sent = Day::of_header(quoted(record.staged.envelope.get(1..).unwrap_or_default()));
        let sent = sent.or(record.staged.sent_date.map(Day::of)).map(|day| day.0);
        let mut content = Content { sent: Some(sent), ..Content::default() };
        let known = |content: &Content| self.test.look(seq, row, keywords, Some(content));
        if let Truth::Unknown = known(&content) {
            let structure = Structure::decode(&record.staged.structure);
            content.header = Some(read_header(&record, structure.as_ref(), access).await?);
            if let Truth::Unknown = known(&content) {
                let mut sought = BTreeMap::new();
                self.test.texts(&mut sought);
                content.found = Some(search_text(&record, structure.as_ref(), sought, access).await?);
            }
        }
        Ok(known(&content) == Truth::Yes)
    }
}

impl Test {
    fn new(key: &Key, charset: Charset, view: &View, saved: &UidSet, now: UnixMs) -> Self {
        const FIRST: i64 = i64::MIN;
        const LAST: i64 = i64::MAX;
        let again = |key: &Key| Self::new(key, charset, view, saved, now);
        let ago = |seconds: u32| UnixMs(now.0.saturating_sub(u64::from(seconds) * 1000));
        match key {
            Key::All => Self::Always(true),
            Key::Nothing => Self::Always(false),
            Key::Flag(flag, set) => Self::Flag(*flag, *set),
            Key::Keyword(text, set) => Self::Keyword(Keyword::new(text), *set),
            Key::Before(day) => Self::Received(FIRST, day.0),
            Key::On(day) => Self::Received(day.0, day.0 + 1),
            Key::Since(day) => Self::Received(day.0, LAST),
            Key::SentBefore(day) => Self::Sent(FIRST, day.0),
            Key::SentOn(day) => Self::Sent(day.0, day.0 + 1),
            Key::SentSince(day) => Self::Sent(day.0, LAST),
            Key::SavedBefore(day) => Self::Saved(FIRST, day.0),
            Key::SavedOn(day) => Self::Saved(day.0, day.0 + 1),
            Key::SavedSince(day) => Self::Saved(day.0, LAST),
            Key::Older(seconds) => Self::ReceivedBefore(ago(*seconds)),
            Key::Younger(seconds) => Self::ReceivedAfter(ago(*seconds)),
            Key::Larger(octets) => Self::Larger(*octets),
            Key::Smaller(octets) => Self::Smaller(*octets),
            Key::Header(name, text) => Self::Header(name.to_ascii_lowercase(), folded(text, charset)),
            Key::Body(text) => Self::Body(folded(text, charset)),
            Key::Text(text) => Self::Text(folded(text, charset)),
            Key::Seq(set) => Self::Seqs(view.find_if_there(set, false, saved)),
            Key::Uid(set) => Self::Seqs(view.find_if_there(set, true, saved)),
            Key::ModSeq(modseq) => Self::ModSeq(*modseq),
            Key::EmailId(id) => object_id(id, 'E').map_or(Self::Always(false), Self::Doc),
            Key::ThreadId(id) => object_id(id, 'T').map_or(Self::Always(false), Self::Thread),
            Key::Not(key) => Self::Not(Box::new(again(key))),
            Key::Or(a, b) => Self::Or(vec![again(a), again(b)]),
            Key::And(keys) => Self::And(keys.iter().map(again).collect()),
        }
    }

    fn look(&self, seq: u32, row: &Row, keywords: &[Keyword], content: Option<&Content>) -> Truth {
        let look = |test: &Test| test.look(seq, row, keywords, content);
        let within = |day: i64, from: i64, to: i64| Truth::from(from <= day && day < to);
        match self {
            Self::Always(is) => (*is).into(),
            Self::Flag(flag, set) => (row.flags.has(*flag) == *set).into(),
            Self::Keyword(keyword, set) => {
                let bit = keyword.as_ref().and_then(|k| keywords.iter().position(|known| known == k));
                (bit.is_some_and(|bit| row.keywords.0 >> (bit & 63) & 1 == 1) == *set).into()
            }
            Self::Received(from, to) => within(Day::of(row.internal_date).0, *from, *to),
            Self::Saved(from, to) => within(Day::of(row.save_date).0, *from, *to),
            Self::Sent(from, to) => match content.and_then(|c| c.sent) {
                Some(Some(day)) => within(day, *from, *to),
                Some(None) => Truth::No,
                None => Truth::Unknown,
            },
            // RFC 5032 §2: exactly that age is both.
            Self::ReceivedBefore(moment) => (row.internal_date <= *moment).into(),
            Self::ReceivedAfter(moment) => (row.internal_date >= *moment).into(),
            Self::Larger(octets) => (u64::from(row.size_octets) > *octets).into(),
            Self::Smaller(octets) => (u64::from(row.size_octets) < *octets).into(),
            Self::Seqs(seqs) => {
                let at = seqs.partition_point(|(_, to)| *to < seq);
                seqs.get(at).is_some_and(|(from, _)| *from <= seq).into()
            }
            Self::ModSeq(modseq) => (row.modseq.0 >= *modseq).into(),
            Self::Doc(doc) => (row.doc.0 == *doc).into(),
            Self::Thread(thread) => (row.thread.0 == *thread).into(),
            Self::Header(name, text) => match content.and_then(|c| c.header.as_ref()) {
                Some(header) => {
                    header.iter().any(|(n, value)| n == name && value.contains(text.as_str())).into()
                }
                None => Truth::Unknown,
            },
            Self::Body(text) if text.is_empty() => Truth::Yes,
            Self::Body(text) => match content.and_then(|c| c.found.as_ref()) {
                Some(found) => found.get(text).is_some_and(|f| f.in_body).into(),
                None => Truth::Unknown,
            },
            Self::Text(text) => look_text(text, content),
            Self::Not(test) => match look(test) {
                Truth::Yes => Truth::No,
                Truth::No => Truth::Yes,
                Truth::Unknown => Truth::Unknown,
            },
            Self::Or(tests) => decide(tests.iter().map(look), Truth::Yes, Truth::No),
            Self::And(tests) => decide(tests.iter().map(look), Truth::No, Truth::Yes),
        }
    }

    /// The texts sought in bodies.
    fn texts(&self, sought: &mut BTreeMap<String, Found>) {
        match self {
            Self::Body(text) | Self::Text(text) => {
                sought.insert(text.clone(), Found::default());
            }
            Self::Not(test) => test.texts(sought),
            Self::Or(tests) | Self::And(tests) => tests.iter().for_each(|t| t.texts(sought)),
            _ => {}
        }
    }
}

/// One `strong` decides; all others must be `weak`.
fn decide(truths: impl Iterator<Item = Truth>, strong: Truth, weak: Truth) -> Truth {
    let mut sum = weak;
    for truth in truths {
        if truth == strong {
            return strong;
        }
        if truth == Truth::Unknown {
            sum = Truth::Unknown;
        }
    }
    sum
}

fn look_text(text: &str, content: Option<&Content>) -> Truth {
    if text.is_empty() {
        return Truth::Yes;
    }
    let Some(content) = content else { return Truth::Unknown };
    let Some(header) = &content.header else { return Truth::Unknown };
    // A name counts as text, too: TEXT looks at the whole header.
    let in_header = header.iter().any(|(name, value)| {
        value.contains(text)
            || fold_for_search(&format!("{}: ", String::from_utf8_lossy(name))).contains(text)
    });
    if in_header {
        return Truth::Yes;
    }
    match &content.found {
        Some(found) => found.get(text).is_some_and(|f| f.in_body || f.in_part_headers).into(),
        None => Truth::Unknown,
    }
}

fn object_id(text: &str, letter: char) -> Option<u64> {
    text.strip_prefix(letter)?.parse().ok()
}

/// The content of a quoted string at the front; empty when there is none.
fn quoted(rendered: &[u8]) -> &[u8] {
    let inner = rendered.strip_prefix(b"\"").unwrap_or_default();
    let end = inner.iter().position(|c| *c == b'"').unwrap_or(0);
    inner.get(..end).unwrap_or_default()
}

async fn read_header(
    record: &Record,
    structure: Option<&Structure>,
    access: &Access,
) -> Result<Vec<(Vec<u8>, String)>, StoreError> {
    let end = structure.map_or(record.size_octets(), |s| record.prefix.len() as u64 + s.root.body_start);
    let block = access.read(record, 0..end.min(limits::HEADER_OCTETS)).await?;
    Ok(decoded_fields(&block))
}

fn decoded_fields(block: &[u8]) -> Vec<(Vec<u8>, String)> {
    fields(block).map(|f| (f.name.to_ascii_lowercase(), fold_for_search(&decode_header(f.value)))).collect()
}

/// Looks for texts in every text part, in the headers of the parts, and in those of messages inside.
async fn search_text(
    record: &Record,
    structure: Option<&Structure>,
    mut sought: BTreeMap<String, Found>,
    access: &Access,
) -> Result<BTreeMap<String, Found>, StoreError> {
    let Some(structure) = structure else { return Ok(sought) };
    let prefix = record.prefix.len() as u64;
    let longest = sought.keys().map(String::len).max().unwrap_or(0);
    // With each part: whether it is a message inside. The header of the message itself has been looked at.
    let mut parts: Vec<(&StructurePart, bool)> = vec![(&structure.root, false)];
    while let Some((part, is_message)) = parts.pop() {
        let inner = part.kind == PartKind::Message;
        parts.extend(part.children.iter().rev().map(|child| (child, inner)));
        if part.header_start > structure.root.header_start || is_message {
            let end = part.body_start.min(part.header_start + limits::HEADER_OCTETS);
            let block = access.read(record, part.header_start + prefix..end + prefix).await?;
            for (_, value) in decoded_fields(&block) {
                // The header of a message inside is part of the body of the message around it.
                mark(&mut sought, &value, |found| {
                    found.in_body |= is_message;
                    found.in_part_headers = true;
                });
            }
        }
        if part.is_text() {
            search_part(record, part, prefix, longest, &mut sought, access).await?;
        }
    }
    Ok(sought)
}

/// Looks for texts in one text part, piece by piece.
async fn search_part(
    record: &Record,
    part: &StructurePart,
    prefix: u64,
    longest: usize,
    sought: &mut BTreeMap<String, Found>,
    access: &Access,
) -> Result<(), StoreError> {
    let mut reader = TextReader::new(part, usize::try_from(limits::SEARCH_PART_OCTETS).unwrap_or(usize::MAX));
    let (mut at, end) = (part.body_start + prefix, part.body_end + prefix);
    let (mut window, mut text) = (String::new(), String::new());
    let mut wants_more = true;
    while at < end && wants_more {
        let to = end.min(at + limits::BODY_PIECE_OCTETS as u64);
        wants_more = reader.push(&access.read(record, at..to).await?, &mut text);
        at = to;
        if wants_more && at < end {
            look_in_window(&mut window, &mut text, longest, sought);
        }
    }
    reader.finish(&mut text);
    look_in_window(&mut window, &mut text, longest, sought);
    Ok(())
}

/// Looks at the text read last together with the end of what was read before, so that nothing is missed where they meet.
fn look_in_window(
    window: &mut String,
    text: &mut String,
    longest: usize,
    sought: &mut BTreeMap<String, Found>,
) {
    window.push_str(text);
    text.clear();
    mark(sought, &fold_for_search(window), |found| found.in_body = true);
    // Folding can shorten text; four times the length is kept to be sure.
    let cut = window.ceil_char_boundary(window.len().saturating_sub(longest.saturating_mul(4).max(64)));
    window.drain(..cut);
}

fn mark(sought: &mut BTreeMap<String, Found>, text: &str, set: impl Fn(&mut Found)) {
    for (wanted, found) in sought {
        if text.contains(wanted.as_str()) {
            set(found);
        }
    }
}
