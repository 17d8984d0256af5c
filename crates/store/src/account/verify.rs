//! fsck, level 1: do an account's tables agree with each other? Repair makes counts, usage and ids follow from the rows;
//! nothing is ever taken away.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use yubin_base::UnixMs;
use yubin_engine::{Batch, BlobRef, Op, Pre, View};

use super::{
    Account,
    commit::Writer,
    load::{self, Loaded, read_chunks, replay, scan_all},
};
use crate::{
    AccountState, Counts, DocId, MailboxId, MailboxState, Page, StoreError, Uid, Usage, apply, events,
    limits, names,
    tables::{
        self, chunk, delivery, expunged, head,
        head::Head,
        index::{self, IndexHead},
        log, mailbox,
        message::{self, Stored},
        shared, staging,
    },
};

/// What a check of an account found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Mailboxes looked at.
    pub mailboxes: u64,
    /// Messages looked at: every place of every message.
    pub messages: u64,
    /// Bodies whose first octets were read.
    pub bodies: u64,
    /// What is wrong, one sentence each, for the operator; without mail content. Bounded.
    pub problems: Vec<String>,
    /// How many rows were put right.
    pub repaired: u64,
}

impl Report {
    fn problem(&mut self, text: String) {
        if self.problems.len() < limits::PROBLEMS {
            self.problems.push(text);
        }
    }
}

/// What the check works with.
struct Check<'a> {
    account: &'a Account,
    view: &'a dyn View,
    head: Head,
    state: AccountState,
    /// The rows of each mailbox, from chunks and log.
    pages: BTreeMap<MailboxId, Vec<Arc<Page>>>,
    report: Report,
    repairs: Vec<Op>,
}

impl Account {
    /// Checks the tables against each other, and puts right what follows from the rest when `repair`.
    pub(crate) async fn verify(&self, repair: bool) -> Result<Report, StoreError> {
        // With the turn to write, so that nothing changes meanwhile.
        let mut writer = self.write().await?;
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let Some(Loaded { head, state, recent, .. }) = load::load(&*view, self.id).await? else {
            return Err(StoreError::NoAccount);
        };
        let mut pages = BTreeMap::new();
        for id in state.mailboxes.keys() {
            pages.insert(*id, replay(&read_chunks(&*view, self.id, *id).await?, &recent, *id));
        }
        let report = Report::default();
        let mut check =
            Check { account: self, view: &*view, head, state, pages, report, repairs: Vec::new() };
        check.shown();
        check.mailboxes();
        check.names();
        check.usage();
        check.log().await?;
        check.chunks().await?;
        check.content().await?;
        check.other_tables().await?;
        check.index().await?;
        let Check { mut report, repairs, .. } = check;
        drop(view);
        if !report.problems.is_empty() {
            yubin_base::event!(events::INCONSISTENT, account = %self.id, problems = report.problems.len());
        }
        if repair && !repairs.is_empty() {
            report.repaired = repairs.len() as u64;
            self.repair(&mut writer, repairs).await?;
        }
        Ok(report)
    }

    /// Writes rows put right, and reads the account again. A change like any other to those who watch: the modseq moves.
    async fn repair(&self, writer: &mut Writer, ops: Vec<Op>) -> Result<(), StoreError> {
        let modseq = writer.head.modseq;
        let mut head_now = writer.head;
        let mut all = Vec::new();
        for op in ops {
            match &op {
                Op::Put(key, value) if *key == head::key(self.id) => {
                    head_now = Head::decode(value).unwrap_or(head_now);
                }
                _ => all.push(op),
            }
        }
        head_now.modseq = modseq + 1;
        let tag = self.core.random.u64();
        let at = writer.last_at;
        let entry = crate::LogEntry { modseq: crate::ModSeq(modseq + 1), at, tag, changes: Vec::new() };
        log::puts(self.id, &entry, &mut all);
        let mut pre = vec![Pre::Version(head::key(self.id), modseq)];
        self.settle_staging(writer, &entry, &mut pre, &mut all);
        all.push(Op::Put(head::key(self.id), head_now.encode()));
        let batch = Batch { part: tables::part(self.id), pre, ops: all, ..Batch::default() };
        writer.in_doubt = true;
        self.core.engine.commit(batch).await?;
        self.reload(writer).await
    }
}

impl Check<'_> {
    /// What sessions see is what is stored.
    fn shown(&mut self) {
        let shown = self.account.state();
        if shown.modseq != self.state.modseq || shown.usage != self.state.usage {
            self.report.problem(format!(
                "sessions see modseq {} and {:?}, stored are {} and {:?}",
                shown.modseq, shown.usage, self.state.modseq, self.state.usage
            ));
        }
        for (id, mailbox) in &shown.mailboxes {
            let stored = self.state.mailboxes.get(id).map(|stored| bare(stored));
            if stored.as_deref() != Some(&*bare(mailbox)) {
                self.report.problem(format!("mailbox {id} as sessions see it is not as stored"));
            }
            let rows = |pages: &[Arc<Page>]| pages.iter().flat_map(|p| p.rows.clone()).collect::<Vec<_>>();
            if let Some(pages) = &mailbox.pages
                && self.pages.get(id).map(|stored| rows(stored)) != Some(rows(pages))
            {
                self.report
                    .problem(format!("the messages of mailbox {id} as sessions see them are not as stored"));
            }
        }
    }

    /// Counts, UIDNEXT and modseq of each mailbox follow from its rows.
    fn mailboxes(&mut self) {
        for (id, stored) in &self.state.mailboxes {
            let pages = self.pages.get(id).map(Vec::as_slice).unwrap_or_default();
            let rows = || pages.iter().flat_map(|page| &page.rows);
            self.report.mailboxes += 1;
            self.report.messages += rows().count() as u64;
            let mut right = MailboxState::clone(stored);
            right.counts = apply::count(pages);
            if let Some(last) = rows().last() {
                right.uid_next = right.uid_next.max(Uid(last.uid.0.saturating_add(1)));
            }
            right.highest_modseq = rows().map(|row| row.modseq).fold(right.highest_modseq, Ord::max);
            let mut wrong = |what: &str, found: String, expected: String| {
                self.report.problem(format!("mailbox {id}: {what} is {found}, should be {expected}"));
            };
            if right.counts != stored.counts {
                wrong("the count", format!("{:?}", stored.counts), format!("{:?}", right.counts));
            }
            if right.uid_next != stored.uid_next {
                wrong("UIDNEXT", stored.uid_next.to_string(), right.uid_next.to_string());
            }
            if right.highest_modseq != stored.highest_modseq {
                wrong("HIGHESTMODSEQ", stored.highest_modseq.to_string(), right.highest_modseq.to_string());
            }
            if bare(&right) != bare(stored) {
                self.repairs.push(Op::Put(mailbox::key(self.account.id, *id), mailbox::encode(&right)));
            }
            let ascending = rows().zip(rows().skip(1)).all(|(a, b)| a.uid < b.uid);
            if !ascending {
                self.report.problem(format!("mailbox {id}: UIDs do not ascend"));
            }
            let keywords = stored.keywords.len();
            let unknown = |bits: u64| keywords < 64 && bits >> keywords != 0;
            if rows().any(|row| unknown(row.keywords.0)) {
                self.report
                    .problem(format!("mailbox {id}: a message has a keyword that the mailbox has not"));
            }
            if stored.no_select && rows().next().is_some() {
                self.report.problem(format!("mailbox {id}: it holds no messages, but has some"));
            }
        }
    }

    fn names(&mut self) {
        let mut seen = BTreeSet::new();
        for (id, mailbox) in &self.state.mailboxes {
            if !seen.insert(mailbox.name.as_str()) {
                self.report.problem(format!("mailbox {id} has the name of another"));
            }
            if names::checked(&mailbox.name).as_deref() != Ok(mailbox.name.as_str()) {
                self.report.problem(format!("mailbox {id} has a name that breaks a rule"));
            }
        }
        if !seen.contains(names::INBOX) {
            self.report.problem("there is no INBOX".to_owned());
        }
    }

    /// The head's counters follow from the mailboxes.
    fn usage(&mut self) {
        let mut right = self.head;
        let rows = || self.pages.values().flatten().flat_map(|page| &page.rows);
        right.usage = Usage {
            octets: rows().map(|row| u64::from(row.size_octets)).sum(),
            messages: rows().count() as u64,
        };
        right.next_doc = rows().map(|row| row.doc.0 + 1).fold(right.next_doc, u64::max);
        right.next_mailbox =
            self.state.mailboxes.keys().map(|id| id.0 + 1).fold(right.next_mailbox, u32::max);
        let validities =
            self.state.mailboxes.values().map(|mailbox| mailbox.uid_validity.0.saturating_add(1));
        right.next_uid_validity = validities.fold(right.next_uid_validity, u32::max);
        if right != self.head {
            self.report.problem(format!("the head is {:?}, should be {right:?}", self.head));
            self.repairs.push(Op::Put(head::key(self.account.id), right.encode()));
        }
    }

    /// Every entry from the floor to the head is there.
    async fn log(&mut self) -> Result<(), StoreError> {
        let (id, head) = (self.account.id, self.head);
        let mut expected = head.log_floor + 1;
        while expected <= head.modseq {
            let last = head.modseq.min(expected + limits::PURGE_DOCS as u64 - 1);
            for entry in load::read_log(self.view, id, expected, last).await? {
                if entry.modseq.0 != expected {
                    self.report.problem(format!("the log has no entry {expected}"));
                }
                expected = entry.modseq.0 + 1;
            }
            if expected <= last {
                self.report.problem(format!("the log has no entry {expected}"));
            }
            expected = last + 1;
        }
        // What was written ahead and does not count yet is no damage.
        let ahead = u64::from(self.view.get(&staging::key(id)).await?.is_some());
        let beyond = log::key(id, head.modseq + 1 + ahead, 0);
        if !self.view.scan(&beyond, &log::key(id, u64::MAX, 0), false, 1).await?.is_empty() {
            self.report.problem("the log goes on after the head".to_owned());
        }
        Ok(())
    }

    /// The search index is as its head says. What is wrong with it is repaired by dropping it: it is built anew.
    async fn index(&mut self) -> Result<(), StoreError> {
        let id = self.account.id;
        let key = index::head_key(id);
        let Some(value) = self.view.get(&key).await? else { return Ok(()) };
        let problem = match IndexHead::decode(&value) {
            None => Some("the head of the search index does not decode".to_owned()),
            Some(head) if head.until > self.head.next_doc => {
                Some(format!("the search index is ahead of the messages: {}", head.until))
            }
            Some(head) => self.segments(&head).await?,
        };
        if let Some(problem) = problem {
            self.report.problem(problem);
            let (from, to) = index::range(id);
            self.repairs.push(Op::DelRange(from, to));
        }
        Ok(())
    }

    /// What is wrong with a segment, if any is.
    async fn segments(&self, head: &IndexHead) -> Result<Option<String>, StoreError> {
        for segment in &head.segments {
            let [blocks, chunks] = index::segment_ranges(self.account.id, segment.id);
            let (mut postings, mut held) = (0u64, 0u64);
            for (range, is_block) in [(blocks, true), (chunks, false)] {
                let (mut from, to) = range;
                loop {
                    let pairs = self.view.scan(&from, &to, false, limits::INDEX_BLOCKS_AT_ONCE).await?;
                    let Some((last, _)) = pairs.last() else { break };
                    for (_, value) in &pairs {
                        let octets = match is_block {
                            true => index::Block::decode(value)
                                .filter(|block| block.postings == postings)
                                .map(|block| block.lengths.iter().map(|length| length >> 1).sum::<u64>()),
                            false => index::chunk_octets(value).map(|octets| octets.len() as u64),
                        };
                        let Some(octets) = octets else {
                            return Ok(Some(format!(
                                "segment {} of the search index is damaged",
                                segment.id
                            )));
                        };
                        *(if is_block { &mut postings } else { &mut held }) += octets;
                    }
                    from.clone_from(last);
                    from.push(0);
                }
            }
            if postings != segment.postings || held != segment.postings {
                return Ok(Some(format!(
                    "segment {} of the search index has {held} octets of postings for {postings}, should have {}",
                    segment.id, segment.postings
                )));
            }
        }
        Ok(None)
    }

    /// No chunk belongs to a mailbox that is not there.
    async fn chunks(&mut self) -> Result<(), StoreError> {
        let mut from = chunk::table(self.account.id);
        for id in self.state.mailboxes.keys() {
            let (first, after) = chunk::range(self.account.id, *id);
            if !self.view.scan(&from, &first, false, 1).await?.is_empty() {
                self.report.problem(format!("there are chunks of a mailbox before {id} that is not there"));
            }
            from = after;
        }
        let end = chunk::table_end(self.account.id);
        if !self.view.scan(&from, &end, false, 1).await?.is_empty() {
            self.report.problem("there are chunks of a mailbox that is not there".to_owned());
        }
        Ok(())
    }

    /// Every row's record is there and its body's first octets can be read; every record has a row or waits to be purged.
    async fn content(&mut self) -> Result<(), StoreError> {
        let mut wanted: BTreeMap<DocId, u32> = BTreeMap::new();
        for row in self.pages.values().flatten().flat_map(|page| &page.rows) {
            wanted.insert(row.doc, row.size_octets);
        }
        let (mut from, to) = message::range(self.account.id);
        let mut orphans: Vec<DocId> = Vec::new();
        loop {
            let rows = self.view.scan(&from, &to, false, limits::SCAN_PAIRS).await?;
            let full = rows.len() >= limits::SCAN_PAIRS;
            for (key, value) in rows {
                from.clone_from(&key);
                from.push(0);
                let Some(doc) = message::doc_of(&key) else { continue };
                match (wanted.remove(&doc), message::decode(doc, &value)) {
                    (_, None) => self.report.problem(format!("the record of message {doc} is damaged")),
                    (Some(size), Some(stored)) => self.body(doc, size, &stored).await,
                    (None, Some(_)) => orphans.push(doc),
                }
            }
            if !full {
                break;
            }
        }
        for doc in wanted.keys() {
            self.report.problem(format!("message {doc} has no record"));
        }
        self.waiting(orphans).await
    }

    async fn body(&mut self, doc: DocId, size: u32, stored: &Stored) {
        let (record, spill) = match stored {
            Stored::Whole(record) => (record, None),
            Stored::Spilled { record, spill } => (record, Some(spill)),
        };
        if record.size_octets() != u64::from(size) {
            self.report
                .problem(format!("message {doc} has {} octets, its row says {size}", record.size_octets()));
        }
        self.report.bodies += 1;
        for blob in [Some(&record.staged.blob), spill].into_iter().flatten() {
            if let Err(error) = self.account.core.engine.blob_read(blob, 0..blob.size_octets.min(64)).await {
                self.report.problem(format!("the body of message {doc} cannot be read: {error}"));
            }
        }
    }

    /// Records without a row must be known to purge.
    async fn waiting(&mut self, orphans: Vec<DocId>) -> Result<(), StoreError> {
        if orphans.is_empty() {
            return Ok(());
        }
        let (from, to) = expunged::range(self.account.id);
        let mut waiting = BTreeSet::new();
        for (key, value) in scan_all(self.view, from, &to).await? {
            match expunged::decode(&value) {
                Some(row) => waiting.extend(row.docs),
                None => self.report.problem(format!("an expunged row is damaged: {key:02x?}")),
            }
        }
        let lost: Vec<DocId> = orphans.into_iter().filter(|doc| !waiting.contains(doc)).collect();
        if let Some(first) = lost.first() {
            self.report.problem(format!("{} messages are in no mailbox, the first is {first}", lost.len()));
            // Purge looks whether any mailbox holds them before they go: put them where it looks.
            for (n, docs) in lost.chunks(expunged::DOCS_PER_ROW).enumerate() {
                let key = expunged::key(self.account.id, self.head.modseq + 1, n as u16);
                let at = UnixMs(0);
                self.repairs.push(Op::Put(key, expunged::encode(at, docs)));
            }
        }
        Ok(())
    }

    /// Rows that nothing else depends on still decode.
    async fn other_tables(&mut self) -> Result<(), StoreError> {
        let id = self.account.id;
        let (from, to) = delivery::range(id);
        let deliveries = scan_all(self.view, from, &to).await?;
        let (from, to) = shared::range(id);
        let copies = scan_all(self.view, from, &to).await?;
        let damaged =
            deliveries.iter().filter(|(_, value)| delivery::Delivery::decode(value).is_none()).count()
                + copies.iter().filter(|(_, value)| shared::decode(value).is_none()).count();
        if damaged > 0 {
            self.report.problem(format!("{damaged} rows of deliveries or copies are damaged"));
        }
        // The rows decode: else the account could not have been read.
        let gone =
            |mailbox: &&Option<MailboxId>| mailbox.is_some_and(|id| !self.state.mailboxes.contains_key(&id));
        let orphans = self.state.annotations.keys().filter(gone).count();
        if orphans > 0 {
            self.report.problem(format!("{orphans} mailboxes that are gone still have annotations"));
        }
        Ok(())
    }
}

/// The row of a mailbox, to compare all of it but its pages.
fn bare(mailbox: &MailboxState) -> Vec<u8> {
    mailbox::encode(mailbox)
}

/// What an account holds, counted message by message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// What counts against the quota.
    pub usage: Usage,
    /// Each mailbox.
    pub mailboxes: BTreeMap<MailboxId, Counts>,
}

impl Account {
    /// Counts every message, without looking at the counts that are kept.
    pub(crate) async fn recount(&self) -> Result<Recount, StoreError> {
        let _turn = self.write().await?;
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let Loaded { state, recent, .. } = load::load(&*view, self.id).await?.ok_or(StoreError::NoAccount)?;
        let mut out = Recount::default();
        for id in state.mailboxes.keys() {
            let counts = apply::count(&replay(&read_chunks(&*view, self.id, *id).await?, &recent, *id));
            out.usage.octets += counts.octets;
            out.usage.messages += u64::from(counts.messages);
            out.mailboxes.insert(*id, counts);
        }
        Ok(out)
    }
}

/// Visits the blobs of a message's row; false when the row is damaged.
pub(crate) fn visit_blobs(key: &[u8], value: &[u8], visit: &mut (dyn FnMut(&BlobRef) + Send)) -> bool {
    let stored = message::doc_of(key).and_then(|doc| message::decode(doc, value));
    match stored {
        Some(Stored::Whole(record)) => visit(&record.staged.blob),
        Some(Stored::Spilled { record, spill }) => {
            visit(&record.staged.blob);
            visit(&spill);
        }
        None => return false,
    }
    true
}

#[cfg(test)]
mod tests;
