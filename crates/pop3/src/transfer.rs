//! Long answers under way: listings and messages, sent piece by piece. Never holds a message or a listing whole.

use std::{collections::BTreeMap, sync::Arc};

use yubin_store::{Record, Row, StoreError};

use crate::{
    codec::{multiline::Stuffer, reply::write_to},
    limits::{PIECE_LINES, PIECE_OCTETS},
    maildrop::Maildrop,
};

/// What is being sent.
pub(crate) enum Transfer {
    /// LIST or UIDL without a number.
    Listing {
        /// Which.
        what: Listing,
        /// The number that comes next.
        next: u32,
    },
    /// RETR or TOP.
    Message(Box<MessageTransfer>),
}

/// Which listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// RFC 1939 §5.
    Sizes,
    /// RFC 1939 §7.
    UniqueIds,
}

/// A message being sent.
pub(crate) struct MessageTransfer {
    record: Arc<Record>,
    row: Row,
    at: u64,
    stuffer: Stuffer,
    whole: bool,
}

/// How far it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is more.
    More,
    /// That was all.
    Done,
}

impl Transfer {
    pub(crate) fn listing(what: Listing) -> Self {
        Self::Listing { what, next: 1 }
    }
    pub(crate) fn whole(record: Arc<Record>, row: Row) -> Self {
        Self::Message(Box::new(MessageTransfer {
            record,
            row,
            at: 0,
            stuffer: Stuffer::whole(),
            whole: true,
        }))
    }
    pub(crate) fn top(record: Arc<Record>, row: Row, lines: u32) -> Self {
        let stuffer = Stuffer::top(lines);
        Self::Message(Box::new(MessageTransfer { record, row, at: 0, stuffer, whole: false }))
    }

    /// Writes the next piece. After an error nothing can be said any more within the answer: the connection must end without the final dot,
    /// so that the client knows it has not got everything.
    pub(crate) async fn advance(
        &mut self,
        drop: &mut Maildrop,
        out: &mut Vec<u8>,
    ) -> Result<Progress, StoreError> {
        match self {
            Self::Listing { what, next } => list(*what, next, drop, out).await,
            Self::Message(message) => message.advance(drop, out).await,
        }
    }
}

/// Writes up to [`PIECE_LINES`] lines.
async fn list(
    what: Listing,
    next: &mut u32,
    drop: &Maildrop,
    out: &mut Vec<u8>,
) -> Result<Progress, StoreError> {
    let end = next.saturating_add(PIECE_LINES);
    let kept = match what {
        Listing::Sizes => BTreeMap::new(),
        Listing::UniqueIds => drop.kept_uidls(*next, end - 1).await?,
    };
    while *next < end && *next <= drop.last() {
        if let Ok(row) = drop.message(*next) {
            match what {
                Listing::Sizes => write_to(out, format_args!("{next} {}\r\n", drop.wire_octets(*next, &row))),
                Listing::UniqueIds => match kept.get(&row.uid) {
                    Some(uidl) => write_to(out, format_args!("{next} {uidl}\r\n")),
                    None => write_to(out, format_args!("{next} {}.{}\r\n", drop.uid_validity(), row.uid)),
                },
            }
        }
        *next += 1;
    }
    if *next <= drop.last() {
        return Ok(Progress::More);
    }
    out.extend_from_slice(b".\r\n");
    Ok(Progress::Done)
}

impl MessageTransfer {
    async fn advance(&mut self, drop: &mut Maildrop, out: &mut Vec<u8>) -> Result<Progress, StoreError> {
        let size = self.record.size_octets();
        if self.at < size && !self.stuffer.is_done() {
            let end = size.min(self.at + PIECE_OCTETS as u64);
            let piece = drop.account().read(&self.record, self.at..end).await?;
            if piece.is_empty() {
                return Err(StoreError::Gone);
            }
            self.at += piece.len() as u64;
            self.stuffer.write(&piece, out);
        }
        if self.at < size && !self.stuffer.is_done() {
            return Ok(Progress::More);
        }
        self.stuffer.finish(out);
        if self.whole {
            drop.note_sent(&self.row);
        }
        Ok(Progress::Done)
    }
}
