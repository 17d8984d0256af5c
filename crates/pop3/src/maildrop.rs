//! The maildrop as a session sees it: INBOX at the moment of login, message numbers, and what DELE has marked.
//! Never changes the mailbox; other sessions go on doing so meanwhile.
//!
//! RFC 1939 §5 asks for an exclusive lock so that numbers and sizes stay what they were. A snapshot gives the same without keeping
//! others out: states are immutable and shared with the account's cache, so that it costs nothing until somebody changes the mailbox.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use yubin_store::{Account, MailboxId, MailboxState, Row, StoreError, Uid, UidSet, UidValidity};

use crate::{codec::multiline::LineEndCounter, limits::PIECE_OCTETS};

/// INBOX at login.
pub(crate) struct Maildrop {
    account: Arc<Account>,
    mailbox: Arc<MailboxState>,
    /// For each page, the number of its first message.
    firsts: Vec<u32>,
    messages: u32,
    octets: u64,
    /// What the wire form of a message has more than the stored one, for the few messages where it has.
    line_ends: BTreeMap<u32, u64>,
    /// Numbers marked by DELE.
    marked: BTreeSet<u32>,
    marked_octets: u64,
    /// Messages sent whole.
    sent: BTreeSet<Uid>,
}

/// Why there is no such message for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The number is outside the maildrop.
    NoSuchMessage,
    /// DELE marked it.
    Marked,
}

impl Maildrop {
    /// Takes the snapshot.
    pub(crate) async fn open(account: Arc<Account>) -> Result<Self, StoreError> {
        let inbox = account.mailbox_named("INBOX").ok_or(StoreError::NoMailbox)?.id;
        let mailbox = account.open(inbox).await?;
        let mut drop = Self {
            account,
            mailbox,
            firsts: Vec::new(),
            messages: 0,
            octets: 0,
            line_ends: BTreeMap::new(),
            marked: BTreeSet::new(),
            marked_octets: 0,
            sent: BTreeSet::new(),
        };
        drop.count().await?;
        Ok(drop)
    }

    async fn count(&mut self) -> Result<(), StoreError> {
        let Some(pages) = self.mailbox.pages.clone() else { return Ok(()) };
        for page in pages.iter() {
            self.firsts.push(self.messages + 1);
            for row in &page.rows {
                self.messages += 1;
                self.octets += u64::from(row.size_octets);
                if !row.flags.has(yubin_store::Flags::LINE_ENDS) {
                    continue;
                }
                let more = line_end_octets(&self.account, row).await?;
                self.line_ends.insert(self.messages, more);
                self.octets += more;
            }
        }
        Ok(())
    }

    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }
    pub(crate) fn mailbox_id(&self) -> MailboxId {
        self.mailbox.id
    }
    pub(crate) fn uid_validity(&self) -> UidValidity {
        self.mailbox.uid_validity
    }
    /// The highest number.
    pub(crate) fn last(&self) -> u32 {
        self.messages
    }
    /// Messages not marked.
    pub(crate) fn messages(&self) -> u32 {
        self.messages.saturating_sub(u32::try_from(self.marked.len()).unwrap_or(u32::MAX))
    }
    /// Their octets on the wire.
    pub(crate) fn octets(&self) -> u64 {
        self.octets.saturating_sub(self.marked_octets)
    }

    /// The message of a number, if it is there and not marked.
    pub(crate) fn message(&self, number: u32) -> Result<Row, Missing> {
        let row = self.row(number).ok_or(Missing::NoSuchMessage)?;
        if self.marked.contains(&number) { Err(Missing::Marked) } else { Ok(row) }
    }

    /// UIDLs that messages had on the server they came from, among those from one number to another.
    pub(crate) async fn kept_uidls(&self, from: u32, to: u32) -> Result<BTreeMap<Uid, String>, StoreError> {
        match (self.row(from), self.row(to.min(self.messages))) {
            (Some(first), Some(last)) => self.account.uidls(self.mailbox.id, first.uid..=last.uid).await,
            _ => Ok(BTreeMap::new()),
        }
    }

    /// Octets of a message on the wire: what RETR sends, stuffed dots not counted.
    pub(crate) fn wire_octets(&self, number: u32, row: &Row) -> u64 {
        u64::from(row.size_octets) + self.line_ends.get(&number).copied().unwrap_or(0)
    }

    /// DELE.
    pub(crate) fn mark(&mut self, number: u32) -> Result<(), Missing> {
        let row = self.message(number)?;
        self.marked_octets += self.wire_octets(number, &row);
        self.marked.insert(number);
        Ok(())
    }

    /// RSET.
    pub(crate) fn unmark_all(&mut self) {
        self.marked.clear();
        self.marked_octets = 0;
    }

    /// The UIDs of what DELE has marked.
    pub(crate) fn marked_uids(&self) -> UidSet {
        UidSet::from_uids(self.marked.iter().filter_map(|n| self.row(*n)).map(|row| row.uid))
    }

    /// Notes that a message was sent whole.
    pub(crate) fn note_sent(&mut self, row: &Row) {
        self.sent.insert(row.uid);
    }

    /// The UIDs of messages that were sent whole; handed out once.
    pub(crate) fn take_sent(&mut self) -> UidSet {
        UidSet::from_uids(std::mem::take(&mut self.sent))
    }

    fn row(&self, number: u32) -> Option<Row> {
        let page = self.firsts.partition_point(|first| *first <= number).checked_sub(1)?;
        let first = self.firsts.get(page)?;
        let rows = &self.mailbox.pages.as_ref()?.get(page)?.rows;
        rows.get(usize::try_from(number.checked_sub(*first)?).ok()?).copied()
    }
}

/// Reads a message through to count its bare line feeds. Only for messages that have some.
async fn line_end_octets(account: &Account, row: &Row) -> Result<u64, StoreError> {
    let record = match account.record(row.doc).await {
        Err(StoreError::Gone) => return Ok(0),
        record => record?,
    };
    let mut counter = LineEndCounter::default();
    let mut at = 0;
    while at < record.size_octets() {
        let piece = account.read(&record, at..at + PIECE_OCTETS as u64).await?;
        if piece.is_empty() {
            break;
        }
        counter.write(&piece);
        at += piece.len() as u64;
    }
    Ok(counter.finish())
}
