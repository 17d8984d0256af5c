//! FETCH and UID FETCH. RFC 9051 §6.4.5, §6.4.9; RFC 7162 §3.1.4 (CHANGEDSINCE), RFC 9394 §3.3 (PARTIAL).
//! Reads records in batches and long bodies in pieces; a body is never whole in memory.

use std::{collections::VecDeque, sync::Arc};

use yubin_store::{FlagChange, FlagOp, Flags, Keyword, Record, Rights, Row, StoreFlags, UidSet};

use crate::{
    codec::{Set, Writer, fetch::Item, request::FetchModifiers, write::Code},
    events, limits,
    session::{
        notify::OwnChange,
        reply::Reply,
        user::Context,
        view::{Known, find_row},
    },
};

use super::{
    Outcome,
    job::{Job, Progress},
    message_limit, resync,
    search::partial_of,
};

#[path = "fetch_content.rs"]
mod content;
use content::Piece;
pub(super) use content::{clip, resolve};

/// A FETCH under way.
pub(crate) struct FetchJob {
    items: Vec<Item>,
    uid: bool,
    sets_seen: bool,
    needs_record: bool,
    changed_since: Option<u64>,
    /// Sequence numbers still to come.
    seqs: VecDeque<(u32, u32)>,
    /// There were more messages than one command takes: these are the newest, told from the highest UID down (RFC 9738 §3.1).
    limited: Option<Code>,
    /// Messages read, in order.
    ready: VecDeque<Message>,
    /// The message whose long item is being sent, and the item after it.
    sending: Option<(Message, usize, Piece)>,
    known: Vec<Known>,
    /// Those of the mailbox, once there may be more than the client was told of when the command began.
    keywords: Option<Arc<[Keyword]>>,
    trouble: Option<Reply>,
    /// The answer when all goes well.
    reply: Reply,
}

/// One message to answer for.
pub(crate) struct Message {
    pub(crate) seq: u32,
    pub(crate) row: Row,
    pub(crate) record: Option<Arc<Record>>,
    /// `\Seen` was set by this very FETCH: the client is told (RFC 9051 §6.4.5).
    newly_seen: bool,
    pub(crate) structure: Option<yubin_formats::mail::Structure>,
}

pub(crate) async fn run(
    cx: &mut Context<'_>,
    set: &Set,
    mut items: Vec<Item>,
    modifiers: FetchModifiers,
    uid: bool,
) -> Result<Outcome, Reply> {
    // RFC 7162 §3.1.4: asking for modseqs enables CONDSTORE; CHANGEDSINCE asks.
    if modifiers.changed_since.is_some() && !items.contains(&Item::ModSeq) {
        items.push(Item::ModSeq);
    }
    cx.user.enabled.condstore |= items.contains(&Item::ModSeq);
    // RFC 7162 §3.2.4: with QRESYNC every FETCH names the UID. UIDFETCH names it anyway.
    let names_uid = (uid || cx.user.enabled.qresync) && !cx.user.enabled.uid_only;
    if names_uid && !items.contains(&Item::Uid) {
        items.insert(0, Item::Uid);
    }
    let selected = cx.selected_for_reading()?;
    let mut seqs = selected.view.find(set, uid, &selected.saved)?;
    if modifiers.vanished {
        let (Some(since), true, true) = (modifiers.changed_since, uid, cx.user.enabled.qresync) else {
            return Err(Reply::bad("VANISHED needs QRESYNC, UID FETCH and CHANGEDSINCE"));
        };
        resync::tell_vanished(cx, since, Some(set), None).await?;
    }
    let selected = cx.selected()?;
    if let Some(range) = modifiers.partial {
        if let Some(limit) = cx.services.options.message_limit
            && range.0.abs_diff(range.1) >= u64::from(limit)
        {
            return Err(Reply::no(Code::MessageLimit(limit, None), "that is more than one command takes"));
        }
        seqs = partial_of(&seqs, range);
    }
    if let Some(since) = modifiers.changed_since.filter(|_| cx.services.options.message_limit.is_some()) {
        seqs = message_limit::changed(&seqs, since, &selected.view);
    }
    let (seqs, limited) = message_limit::newest(cx, seqs);
    let selected = cx.selected()?;
    let sets_seen =
        !selected.read_only && selected.rights().has(Rights::SEEN) && items.iter().any(Item::sets_seen);
    let needs_record = items.iter().any(Item::needs_record);
    Ok(Outcome::Job(Job::Fetch(Box::new(FetchJob {
        uid,
        sets_seen,
        needs_record,
        limited,
        ..FetchJob::of_rows(items, seqs, modifiers.changed_since, Reply::ok("that is all"))
    }))))
}

/// How an item went.
enum Written {
    /// It is in the answer.
    Whole,
    /// Its head is in the answer; the octets follow.
    Long(Piece),
    /// It is in the answer, with nothing in it.
    Empty(Reply),
    /// The store could not read it: the message cannot be answered for.
    Failed(Reply),
}

impl FetchJob {
    /// A FETCH of what stands in the rows.
    pub(crate) fn of_rows(
        items: Vec<Item>,
        seqs: Vec<(u32, u32)>,
        changed_since: Option<u64>,
        reply: Reply,
    ) -> Self {
        Self {
            items,
            uid: true,
            sets_seen: false,
            needs_record: false,
            changed_since,
            seqs: seqs.into(),
            limited: None,
            ready: VecDeque::new(),
            sending: None,
            known: Vec::new(),
            keywords: None,
            trouble: None,
            reply,
        }
    }

    /// A FETCH of messages that nobody asked for by number (RFC 5465 §5.2). `\Seen` stays as it is.
    pub(crate) fn of_new(items: Vec<Item>, seqs: Vec<(u32, u32)>) -> Self {
        let needs_record = items.iter().any(Item::needs_record);
        Self { needs_record, ..Self::of_rows(items, seqs, None, Reply::ok("that is all")) }
    }

    pub(crate) fn in_literal(&self) -> bool {
        self.sending.is_some()
    }

    /// Writes until the answer is long enough to be sent.
    pub(crate) async fn step(&mut self, cx: &mut Context<'_>) -> Progress {
        loop {
            if let Some((message, item, mut piece)) = self.sending.take() {
                match piece.send(cx, &message).await {
                    Ok(true) => {
                        self.sending = Some((message, item, piece));
                        return Progress::More;
                    }
                    Ok(false) => {
                        if let Err(broken) = self.write_message(cx, message, item).await {
                            return broken;
                        }
                    }
                    Err(error) => {
                        yubin_base::event!(events::BODY_FAILED, account = %cx.user.id, uid = message.row.uid.0, why = %error);
                        return Progress::Broken;
                    }
                }
            } else if let Some(message) = self.ready.pop_front() {
                if let Err(broken) = self.write_message(cx, message, 0).await {
                    return broken;
                }
            } else if !self.needs_record && !self.sets_seen {
                return self.write_rows(cx);
            } else {
                match self.read_batch(cx).await {
                    Ok(true) => {}
                    Ok(false) => return self.end(cx),
                    Err(reply) => return Progress::Done { reply, known: std::mem::take(&mut self.known) },
                }
            }
            if self.sending.is_none() && cx.out.len() >= limits::ANSWER_OCTETS {
                return Progress::More;
            }
        }
    }

    /// The next sequence number.
    fn next_seq(&mut self) -> Option<u32> {
        if self.limited.is_some() {
            let (from, to) = self.seqs.pop_back()?;
            if from < to {
                self.seqs.push_back((from, to - 1));
            }
            return Some(to);
        }
        let (seq, to) = self.seqs.pop_front()?;
        if seq < to {
            self.seqs.push_front((seq + 1, to));
        }
        Some(seq)
    }

    fn end(&mut self, cx: &mut Context<'_>) -> Progress {
        let reply = self.trouble.take().unwrap_or_else(|| self.reply.clone());
        let reply = message_limit::tell(cx, reply, self.limited.take());
        self.known.sort_unstable_by_key(|known| known.uid);
        Progress::Done { reply, known: std::mem::take(&mut self.known) }
    }

    /// The fast way: everything asked stands in the rows.
    fn write_rows(&mut self, cx: &mut Context<'_>) -> Progress {
        let dialect = cx.user.dialect();
        let Some(selected) = &cx.user.selected else { return self.end(cx) };
        let mut w = Writer::new(cx.out, dialect);
        let keywords = &selected.view.told().keywords;
        while let Some(seq) = self.next_seq() {
            let Some((row, _)) = selected.view.at(seq) else { continue };
            if self.changed_since.is_some_and(|since| row.modseq.0 <= since) {
                continue;
            }
            w.fetch_head(seq, row.uid.0);
            for (n, item) in self.items.iter().enumerate() {
                w.raw(if n > 0 { " " } else { "" });
                write_row_item(item, row, keywords, &mut w);
            }
            w.raw(")\r\n");
            if w.out.len() >= limits::ANSWER_OCTETS {
                return Progress::More;
            }
        }
        self.end(cx)
    }

    /// Reads the records of the next messages, and sets `\Seen` if that is asked. False: there are no more.
    async fn read_batch(&mut self, cx: &mut Context<'_>) -> Result<bool, Reply> {
        let Some(selected) = &cx.user.selected else { return Ok(false) };
        let mut batch: Vec<(u32, Row, bool)> = Vec::with_capacity(limits::RECORDS_AT_ONCE);
        while batch.len() < limits::RECORDS_AT_ONCE
            && let Some(seq) = self.next_seq()
        {
            if let Some((row, ghost)) = selected.view.at(seq)
                && self.changed_since.is_none_or(|since| row.modseq.0 > since)
            {
                batch.push((seq, *row, ghost));
            }
        }
        if batch.is_empty() {
            return Ok(false);
        }
        let docs: Vec<_> = batch.iter().map(|(_, row, _)| row.doc).collect();
        let records =
            if self.needs_record { cx.access().records(&docs).await? } else { vec![None; docs.len()] };
        let mailbox = selected.id;
        let seen = if self.sets_seen {
            self.set_seen(cx, mailbox, &batch, &records).await
        } else {
            StoreFlags::default()
        };
        if let Some(modseq) = seen.modseq {
            let account = cx.access().id();
            cx.user.made(account, OwnChange::of_flags(modseq, mailbox));
        }
        // Others may have changed flags meanwhile: what is told with the new modseq is what stands at that modseq.
        let now = if seen.changed.is_empty() { None } else { Some(cx.access().open(mailbox).await?) };
        let dialect = cx.user.dialect();
        if let (Some(now), Some(selected)) = (&now, &mut cx.user.selected) {
            selected.view.tell_keywords(now, &mut Writer::new(cx.out, dialect));
            self.keywords = Some(Arc::clone(&now.keywords));
        }
        for ((seq, mut row, ghost), record) in batch.into_iter().zip(records) {
            if self.needs_record && record.is_none() {
                // RFC 5530: the message is gone and cannot be read any more.
                self.trouble = Some(Reply::no(Code::ExpungeIssued, "some of the messages are gone"));
                continue;
            }
            let newly_seen = !ghost && seen.changed.binary_search(&row.uid).is_ok();
            if newly_seen {
                match now.as_ref().and_then(|now| find_row(now, row.uid)) {
                    Some(now) => row = *now,
                    None => {
                        row.flags = row.flags.with(Flags::SEEN);
                        row.modseq = seen.modseq.unwrap_or(row.modseq);
                    }
                }
                self.known.push(Known { uid: row.uid, flags: row.flags, keywords: row.keywords });
            }
            self.ready.push_back(Message { seq, row, record, newly_seen, structure: None });
        }
        Ok(true)
    }

    /// A store that takes no writes does not keep anybody from reading.
    async fn set_seen(
        &self,
        cx: &Context<'_>,
        mailbox: yubin_store::MailboxId,
        batch: &[(u32, Row, bool)],
        records: &[Option<Arc<Record>>],
    ) -> StoreFlags {
        let unseen = batch.iter().zip(records).filter(|((_, row, ghost), record)| {
            !ghost && !row.flags.has(Flags::SEEN) && (record.is_some() || !self.needs_record)
        });
        let uids = UidSet::from_uids(unseen.map(|((_, row, _), _)| row.uid));
        if uids.is_empty() {
            return StoreFlags::default();
        }
        let change =
            FlagChange { op: FlagOp::Add, flags: Flags::SEEN, keywords: Vec::new(), unchanged_since: None };
        let mut seen = cx.access().store_flags(mailbox, &uids, &change, cx.now).await.unwrap_or_default();
        seen.changed.sort_unstable();
        seen
    }

    /// Writes a message from an item on. A message that cannot be read is left out whole.
    async fn write_message(
        &mut self,
        cx: &mut Context<'_>,
        mut message: Message,
        from: usize,
    ) -> Result<(), Progress> {
        let start = cx.out.len();
        if from == 0 {
            cx.w().fetch_head(message.seq, message.row.uid.0);
        }
        for at in from..self.items.len() {
            let Some(item) = self.items.get(at) else { break };
            if at > 0 {
                cx.out.push(b' ');
            }
            match write_item(item, &mut message, self.keywords.as_deref(), cx).await {
                Written::Whole => {}
                Written::Empty(reply) => self.trouble = Some(reply),
                Written::Long(piece) => {
                    self.sending = Some((message, at + 1, piece));
                    return Ok(());
                }
                Written::Failed(reply) if from == 0 => {
                    cx.out.truncate(start);
                    // It may have become seen: nothing told the client so, and the next untagged FETCH must.
                    self.known.retain(|known| known.uid != message.row.uid);
                    self.trouble = Some(reply);
                    return Ok(());
                }
                // Part of the message has been sent already.
                Written::Failed(_) => return Err(Progress::Broken),
            }
        }
        self.write_seen(cx, &message);
        cx.out.extend_from_slice(b")\r\n");
        Ok(())
    }

    fn write_seen(&self, cx: &mut Context<'_>, message: &Message) {
        if !message.newly_seen {
            return;
        }
        let keywords = self.keywords.clone().unwrap_or_else(|| keywords_of(cx));
        let condstore = cx.user.enabled.condstore;
        let mut w = cx.w();
        let lacks = |item: Item| !self.items.contains(&item);
        if lacks(Item::Flags) {
            w.raw(" FLAGS ").flags(message.row.flags, message.row.keywords, &keywords);
        }
        // RFC 7162 §3.2: with every change of flags goes its modseq.
        if condstore && lacks(Item::ModSeq) {
            w.raw(" MODSEQ (").number(message.row.modseq.0).raw(")");
        }
        if !self.uid && lacks(Item::Uid) {
            w.raw(" UID ").number(message.row.uid.0);
        }
    }
}

fn keywords_of(cx: &Context<'_>) -> Arc<[Keyword]> {
    cx.user.selected.as_ref().map(|s| Arc::clone(&s.view.told().keywords)).unwrap_or_default()
}

fn write_row_item(item: &Item, row: &Row, keywords: &[Keyword], w: &mut Writer<'_>) {
    match item {
        Item::Uid => w.raw("UID ").number(row.uid.0),
        Item::Flags => w.raw("FLAGS ").flags(row.flags, row.keywords, keywords),
        Item::InternalDate => w.raw("INTERNALDATE ").date_time(row.internal_date),
        Item::SaveDate => w.raw("SAVEDATE ").date_time(row.save_date),
        Item::Size => w.raw("RFC822.SIZE ").number(row.size_octets),
        Item::ModSeq => w.raw("MODSEQ (").number(row.modseq.0).raw(")"),
        Item::EmailId => w.raw("EMAILID (E").number(row.doc.0).raw(")"),
        Item::ThreadId => w.raw("THREADID (T").number(row.thread.0).raw(")"),
        // The others need the record; `write_item` has them.
        _ => w,
    };
}

async fn write_item(
    item: &Item,
    message: &mut Message,
    keywords: Option<&[Keyword]>,
    cx: &mut Context<'_>,
) -> Written {
    if !item.needs_record() {
        let dialect = cx.user.dialect();
        let told = cx.user.selected.as_ref().map(|s| &*s.view.told().keywords).unwrap_or_default();
        write_row_item(item, &message.row, keywords.unwrap_or(told), &mut Writer::new(cx.out, dialect));
        return Written::Whole;
    }
    let Some(record) = message.record.clone() else {
        return Written::Failed(Reply::no(Code::ExpungeIssued, "some of the messages are gone"));
    };
    match item {
        Item::Envelope => cx.w().raw("ENVELOPE ").rendered(&record.staged.envelope),
        Item::Body => cx.w().raw("BODY ").rendered(&record.staged.body),
        Item::BodyStructure => cx.w().raw("BODYSTRUCTURE ").rendered(&record.staged.body_structure),
        Item::Content(wanted) => return content::write(wanted, &record, message, cx).await,
        Item::Binary { part, partial, .. } => {
            return content::write_binary(part, *partial, &record, message, cx).await;
        }
        Item::Preview { lazy } => return content::write_preview(*lazy, &record, message, cx).await,
        Item::BinarySize(part) => return content::write_binary_size(part, &record, message, cx).await,
        _ => return Written::Whole,
    };
    Written::Whole
}
