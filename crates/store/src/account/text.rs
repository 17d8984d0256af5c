//! The text of a message as SEARCH looks at it: read piece by piece, decoded and folded. RFC 9051 §6.4.4.
//! Never decides what matches, and never holds a body.
//!
//! To the body belong: every text part (attached ones too), of HTML both the source and what a person sees, reports, and of
//! messages inside their header and their body. Headers of other parts, and file names decoded, belong to TEXT alone.

use std::{future::poll_fn, task::Poll};

use yubin_formats::{
    fold_for_search,
    mail::{PartKind, SearchField, SearchTextReader, Structure, StructurePart, search_fields},
};

use super::Account;
use crate::{Record, StoreError, limits};

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextPlace {
    /// In the body.
    Body,
    /// In the body, too: what a person sees of HTML.
    Shown,
    /// In the header of a part.
    PartHeader,
}

/// Takes texts, folded.
pub trait TextSink: Send {
    /// The next piece of a text; with `last` it ends, and what comes next in this place is another one: nothing is found across
    /// the two. Texts in different places may come in turns.
    fn text(&mut self, place: TextPlace, piece: &str, last: bool);
    /// Whether the rest need not be read.
    fn is_done(&self) -> bool;
}

/// A message whose text is read.
pub struct MessageText<'a> {
    account: &'a Account,
    record: &'a Record,
    structure: Option<Structure>,
    /// The octets read last, and where they begin in the raw message.
    octets: Vec<u8>,
    at: u64,
}

impl Account {
    /// The text of a message.
    pub fn text<'a>(&'a self, record: &'a Record) -> MessageText<'a> {
        let structure = Structure::decode(&record.staged.structure);
        MessageText { account: self, record, structure, octets: Vec::new(), at: 0 }
    }
}

impl MessageText<'_> {
    /// The fields of the header that are called one of `names` (lower case); without names all of them, and stray lines.
    pub async fn header(&mut self, names: Option<&[String]>) -> Result<Vec<SearchField>, StoreError> {
        let size = self.record.size_octets();
        let end = self.structure.as_ref().map_or(size, |s| self.prefix() + s.root.body_start);
        let block = self.whole(0, end.min(limits::SEARCH_HEADER_OCTETS)).await?;
        Ok(search_fields(block, names))
    }

    /// Everything else: the body, and the headers of the parts.
    pub async fn body(&mut self, sink: &mut dyn TextSink) -> Result<(), StoreError> {
        let Some(structure) = self.structure.take() else { return Ok(()) };
        // With each part: whether it is a message inside.
        let mut parts: Vec<(&StructurePart, bool)> = vec![(&structure.root, false)];
        while let Some((part, is_message)) = parts.pop() {
            let inner = part.kind == PartKind::Message;
            parts.extend(part.children.iter().rev().map(|child| (child, inner)));
            let is_root = std::ptr::eq(part, &structure.root);
            if !is_root {
                self.part_header(part, is_message, sink).await?;
            }
            if !part.file_name.is_empty() {
                sink.text(TextPlace::PartHeader, &fold_for_search(&part.file_name), true);
            }
            if part.is_searched() {
                self.part(part, sink).await?;
            }
            if sink.is_done() {
                break;
            }
        }
        self.structure = Some(structure);
        Ok(())
    }

    async fn part_header(
        &mut self,
        part: &StructurePart,
        is_message: bool,
        sink: &mut dyn TextSink,
    ) -> Result<(), StoreError> {
        let end = part.body_start.min(part.header_start + limits::SEARCH_HEADER_OCTETS);
        let block = self.whole(part.header_start + self.prefix(), end + self.prefix()).await?;
        // The header of a message inside is part of the body of the message around it.
        let place = if is_message { TextPlace::Body } else { TextPlace::PartHeader };
        for field in search_fields(block, None) {
            sink.text(place, &field.line(), true);
        }
        Ok(())
    }

    async fn part(&mut self, part: &StructurePart, sink: &mut dyn TextSink) -> Result<(), StoreError> {
        let mut reader = SearchTextReader::new(part);
        let (mut at, end) = (part.body_start + self.prefix(), part.body_end + self.prefix());
        let (mut source, mut shown) = (String::new(), String::new());
        while at < end && !sink.is_done() {
            let piece = self.piece(at, end).await?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            reader.push(piece, &mut source, &mut shown);
            sink.text(TextPlace::Body, &source, false);
            source.clear();
            if !shown.is_empty() {
                sink.text(TextPlace::Shown, &shown, false);
                shown.clear();
            }
            if at < end {
                breathe().await;
            }
        }
        reader.finish(&mut source, &mut shown);
        sink.text(TextPlace::Body, &source, true);
        if part.is_html() {
            sink.text(TextPlace::Shown, &shown, true);
        }
        Ok(())
    }

    fn prefix(&self) -> u64 {
        self.record.prefix.len() as u64
    }

    /// Octets of the raw message from `from` on, up to `to`; at least one unless there is none.
    async fn piece(&mut self, from: u64, to: u64) -> Result<&[u8], StoreError> {
        let held = self.at..self.at + self.octets.len() as u64;
        if !held.contains(&from) && from < to {
            // As far as the frame goes in which the engine has it anyway.
            let frame = limits::SEARCH_PIECE_OCTETS;
            let end = (from.saturating_sub(self.prefix()) / frame + 1) * frame + self.prefix();
            self.octets = self.account.read(self.record, from..end).await?;
            self.at = from;
        }
        let start = usize::try_from(from - self.at).unwrap_or(usize::MAX);
        let rest = self.octets.get(start..).unwrap_or_default();
        let wanted = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        Ok(rest.get(..wanted).unwrap_or(rest))
    }

    /// All octets of a range that is known to be short.
    async fn whole(&mut self, from: u64, to: u64) -> Result<&[u8], StoreError> {
        let held = self.piece(from, to).await?.len() as u64;
        if from + held < to.min(self.record.size_octets()) {
            self.octets = self.account.read(self.record, from..to).await?;
            self.at = from;
        }
        self.piece(from, to).await
    }
}

/// Lets others have their turn.
pub(crate) async fn breathe() {
    let mut asked = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
