//! The only door into a mailbox. Appends that wait for their turn share one commit; each succeeds or fails for itself.

use std::{collections::BTreeMap, pin::pin};

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use yubin_base::{AccountId, UnixMs};
use yubin_engine::{BlobRef, CommitError, Committed, Idem, Op};

use super::{
    Account,
    commit::{Outcome, Plan, Writer},
    selectable,
};
use crate::{
    AccountState, Appended, Change, DocId, Flags, Keyword, KeywordBits, MailboxId, ModSeq, NewMessage, Quota,
    Row, StoreError, ThreadId, Uid, UidSet, UidValidity, Usage,
    apply::rows_in,
    limits,
    seen::Seen,
    tables::{self, codec::damaged, delivery, delivery::Delivery, message, thread, thread::Known},
    threads::{self, Clues},
};

type Reply = Result<Vec<Appended>, StoreError>;

/// One call of append, waiting for a commit.
pub(crate) struct Job {
    /// Who appends, if not the owner: `\Seen` of the messages is theirs.
    viewer: Option<AccountId>,
    mailbox: MailboxId,
    /// The message that goes in the same transaction (REPLACE).
    replaces: Option<(MailboxId, Uid)>,
    messages: Vec<Prepared>,
    quota: Quota,
    now: UnixMs,
    octets: usize,
    ops: usize,
    reply: oneshot::Sender<Reply>,
}

/// A message with all the work done that needs no turn.
struct Prepared {
    new: NewMessage,
    size_octets: u32,
    content: Content,
    clues: Clues,
}

enum Content {
    /// The staged form, for the record's own row.
    Whole(Vec<u8>),
    /// The blob that holds the staged form.
    Spilled(BlobRef),
}

/// Where a message goes once the plan is committed.
#[derive(Clone, Copy)]
struct Place {
    uid_validity: UidValidity,
    uid: Uid,
    modseq: ModSeq,
    doc: DocId,
}

impl Account {
    /// **The only door into a mailbox.** Appends the messages in one transaction: UIDs, modseq, threads, quota, log.
    /// Concurrent calls for one account share commits.
    pub async fn append(
        &self,
        mailbox: MailboxId,
        messages: Vec<NewMessage>,
        quota: Quota,
        now: UnixMs,
    ) -> Result<Vec<Appended>, StoreError> {
        self.append_all(None, mailbox, None, messages, quota, now).await
    }

    /// Appends a message to `mailbox` and removes the one it replaces, in one transaction (RFC 8508). Only what it is larger than the old one
    /// counts against the quota. [`StoreError::Gone`] when the old one is not there any more; then nothing was appended.
    pub async fn replace(
        &self,
        old: (MailboxId, Uid),
        mailbox: MailboxId,
        message: NewMessage,
        quota: Quota,
        now: UnixMs,
    ) -> Result<Appended, StoreError> {
        let appended = self.append_all(None, mailbox, Some(old), vec![message], quota, now).await?;
        appended.into_iter().next().ok_or(StoreError::Gone)
    }

    /// Appends, for somebody who need not be the owner.
    pub(crate) async fn append_all(
        &self,
        viewer: Option<AccountId>,
        mailbox: MailboxId,
        replaces: Option<(MailboxId, Uid)>,
        messages: Vec<NewMessage>,
        quota: Quota,
        now: UnixMs,
    ) -> Result<Vec<Appended>, StoreError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let messages: Vec<Prepared> =
            messages.into_iter().map(|new| self.prepare(new)).collect::<Result<_, _>>()?;
        let octets = messages.iter().map(Prepared::octets).sum();
        let ops = messages.iter().map(|m| 2 + m.clues.ids.len()).sum();
        let (reply, mut answer) = oneshot::channel();
        self.queue.lock().push_back(Job {
            viewer,
            mailbox,
            replaces,
            messages,
            quota,
            now,
            octets,
            ops,
            reply,
        });
        loop {
            // Whoever gets the turn first commits for all who wait.
            match select(answer, pin!(self.writer.lock())).await {
                Either::Left((result, _)) => return result.unwrap_or(Err(CommitError::Unknown.into())),
                Either::Right((mut writer, later)) => {
                    answer = later;
                    if let Ok(Some(result)) = answer.try_recv() {
                        return result;
                    }
                    self.commit_waiting(&mut writer).await;
                }
            }
        }
    }

    fn prepare(&self, new: NewMessage) -> Result<Prepared, StoreError> {
        if new.prefix.len() > limits::PREFIX_OCTETS {
            return Err(StoreError::Limit("the trace fields are too long"));
        }
        let size = new.prefix.len() as u64 + new.staged.blob.size_octets;
        let size_octets = u32::try_from(size).map_err(|_| StoreError::Limit("the message is too large"))?;
        let staged = new.staged.encode();
        let content = if message::fits(&new.prefix, &staged) {
            Content::Whole(staged)
        } else {
            let mut writer = self.core.engine.blob_writer();
            writer.write(&staged)?;
            Content::Spilled(writer.finish()?)
        };
        let clues = Clues::of(&new.staged);
        Ok(Prepared { new, size_octets, content, clues })
    }

    /// Commits what waits, up to the size of one commit, and answers.
    async fn commit_waiting(&self, writer: &mut Writer) {
        let jobs = self.take_waiting();
        let Some(now) = jobs.iter().map(|job| job.now).max() else { return };
        let results = self.commit_jobs(writer, &jobs, now).await;
        for (job, result) in jobs.into_iter().zip(results) {
            // Whoever gave up waiting does not hear it.
            let _ = job.reply.send(result);
        }
    }

    fn take_waiting(&self) -> Vec<Job> {
        let (mut jobs, mut octets, mut ops, mut queue) = (Vec::new(), 0, 0, self.queue.lock());
        while let Some(job) = queue.front() {
            octets += job.octets;
            ops += job.ops;
            let full = octets > limits::SHARED_COMMIT_OCTETS || ops > limits::SHARED_COMMIT_OPS;
            if full && !jobs.is_empty() {
                break;
            }
            jobs.extend(queue.pop_front().filter(|job| !job.reply.is_canceled()));
        }
        jobs
    }

    /// One result a job.
    async fn commit_jobs(&self, writer: &mut Writer, jobs: &[Job], now: UnixMs) -> Vec<Reply> {
        let all = |error: StoreError| jobs.iter().map(|_| Err(error.clone())).collect();
        if let Err(error) = self.settle(writer).await {
            return all(error);
        }
        for _ in 0..limits::COMMIT_TRIES {
            let (plan, places) = match self.plan_appends(writer, jobs, now).await {
                Ok(planned) => planned,
                Err(error) => return all(error),
            };
            let outcome = if !plan.changes.is_empty() {
                self.commit(writer, plan, now).await
            } else if places.iter().any(Result::is_ok) {
                // Every delivery was there before; what it rests on must still be known to be durable.
                self.prove().await.map(Outcome::Done)
            } else {
                return places.into_iter().map(|place| place.map(|_| Vec::new())).collect();
            };
            match outcome {
                Ok(Outcome::Done(committed)) => {
                    return places.into_iter().map(|place| place.map(|p| appended(p, committed))).collect();
                }
                Ok(Outcome::Again) => {}
                // Those that had failed anyway keep their own reason.
                Err(error) => {
                    return places.into_iter().map(|p| Err(p.err().unwrap_or(error.clone()))).collect();
                }
            }
        }
        all(CommitError::Conflict(0).into())
    }

    /// Works out where each message goes.
    async fn plan_appends(
        &self,
        writer: &mut Writer,
        jobs: &[Job],
        now: UnixMs,
    ) -> Result<(Plan, Vec<Result<Vec<Place>, StoreError>>), StoreError> {
        for (mailbox, _) in jobs.iter().filter_map(|job| job.replaces) {
            // Its rows are needed. A mailbox that is gone, or holds none, is told of to the one who asked.
            match self.opened(writer, mailbox).await {
                Ok(_) | Err(StoreError::NoMailbox | StoreError::Cannot(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let known = self.look_up(jobs).await?;
        let mut marks = BTreeMap::new();
        for (job, viewer) in jobs.iter().filter_map(|job| Some((job, job.viewer?))) {
            // A mailbox that is not there fails the job later.
            if let Ok((_, seen)) = self.opened_as(writer, viewer, job.mailbox).await {
                marks.insert((job.mailbox, viewer), (seen, Vec::new()));
            }
        }
        let state = self.state();
        let mut plan = Appends {
            account: self,
            plan: Plan::new(writer),
            state: &state,
            usage: state.usage,
            targets: BTreeMap::new(),
            known,
            learned: BTreeMap::new(),
            replaced: Vec::new(),
            marks,
        };
        let places = jobs.iter().map(|job| plan.job(job)).collect();
        Ok((plan.finish(now), places))
    }

    /// Deliveries and threads that these messages may be or belong to, in one read.
    async fn look_up(&self, jobs: &[Job]) -> Result<LookUp, StoreError> {
        let messages = || jobs.iter().flat_map(|job| &job.messages);
        let idems: Vec<Idem> = messages().filter_map(|m| m.new.idem).collect();
        let mut ids: Vec<u64> = messages().flat_map(|m| m.clues.ids.iter().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut keys: Vec<_> = idems.iter().map(|idem| delivery::key(self.id, idem)).collect();
        keys.extend(ids.iter().map(|id| thread::key(self.id, *id)));
        let mut found = LookUp::default();
        if keys.is_empty() {
            return Ok(found);
        }
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let mut rows = keys.iter().zip(view.get_many(&keys).await?);
        for (idem, (key, row)) in idems.iter().zip(rows.by_ref()) {
            if let Some(row) = row {
                let row = Delivery::decode(&row).ok_or_else(|| damaged("a delivery", key))?;
                found.deliveries.insert(*idem, row.into());
            }
        }
        for (id, (key, row)) in ids.iter().zip(rows) {
            if let Some(row) = row {
                found.threads.insert(*id, thread::decode(&row).ok_or_else(|| damaged("a thread", key))?);
            }
        }
        Ok(found)
    }
}

impl Prepared {
    /// The flags that its row begins with.
    fn flags(&self) -> Flags {
        let flags = Flags(self.new.flags.0 & Flags::ALL.0);
        if self.new.staged.line_ends { flags.with(Flags::LINE_ENDS) } else { flags }
    }

    /// What it adds to a commit, roughly, in octets.
    fn octets(&self) -> usize {
        let content = match &self.content {
            Content::Whole(staged) => staged.len(),
            Content::Spilled(_) => 10_000,
        };
        content + self.new.prefix.len() + self.clues.ids.len() * 64 + 200
    }
}

impl From<Delivery> for Place {
    fn from(d: Delivery) -> Self {
        Self { uid_validity: d.uid_validity, uid: d.uid, modseq: d.modseq, doc: d.doc }
    }
}

fn appended(places: Vec<Place>, committed: Committed) -> Vec<Appended> {
    let one =
        |Place { uid_validity, uid, modseq, doc }| Appended { uid_validity, uid, modseq, doc, committed };
    places.into_iter().map(one).collect()
}

/// What is stored that these messages may refer to.
#[derive(Default)]
struct LookUp {
    deliveries: BTreeMap<Idem, Place>,
    threads: BTreeMap<u64, Vec<Known>>,
}

/// The plan of one commit of appends, while it grows.
struct Appends<'a> {
    account: &'a Account,
    plan: Plan,
    state: &'a AccountState,
    usage: Usage,
    targets: BTreeMap<MailboxId, Target>,
    known: LookUp,
    /// Rows of `known.threads` that changed.
    learned: BTreeMap<u64, ()>,
    /// Messages that go.
    replaced: Vec<(MailboxId, Row)>,
    /// What viewers had marked in a mailbox, and the messages that come with `\Seen` for them.
    marks: BTreeMap<(MailboxId, AccountId), (Seen, Vec<Uid>)>,
}

/// What comes into one mailbox.
struct Target {
    uid_validity: UidValidity,
    uid_next: Uid,
    keywords: Vec<Keyword>,
    /// How many of the keywords the mailbox had before.
    keywords_before: usize,
    rows: Vec<Row>,
}

impl Appends<'_> {
    /// All of one call's messages, or none.
    fn job(&mut self, job: &Job) -> Result<Vec<Place>, StoreError> {
        let is_new = |m: &&Prepared| m.new.idem.is_none_or(|idem| !self.known.deliveries.contains_key(&idem));
        let new: Vec<&Prepared> = job.messages.iter().filter(is_new).collect();
        if !new.is_empty() {
            let replaced = job.replaces.map(|(mailbox, uid)| self.replaced(mailbox, uid)).transpose()?;
            self.check(job, &new, replaced.map(|(_, row)| row))?;
            self.replaced.extend(replaced);
        }
        Ok(job.messages.iter().map(|message| self.message(job, message)).collect())
    }

    /// The row of a message that is to go, if it is there and does not go already.
    fn replaced(&self, mailbox: MailboxId, uid: Uid) -> Result<(MailboxId, Row), StoreError> {
        let pages = &selectable(self.state, mailbox)?.pages;
        let uids = UidSet::from_uids([uid]);
        let row = rows_in(pages.as_deref().unwrap_or_default(), &uids).next().ok_or(StoreError::Gone)?;
        if self.replaced.iter().any(|(other, gone)| *other == mailbox && gone.uid == uid) {
            return Err(StoreError::Gone);
        }
        Ok((mailbox, *row))
    }

    /// Whether the mailbox and the quota take the messages. Nothing is changed before this is certain.
    fn check(&mut self, job: &Job, new: &[&Prepared], replaced: Option<Row>) -> Result<(), StoreError> {
        let mailbox = selectable(self.state, job.mailbox)?;
        let octets: u64 = new.iter().map(|m| u64::from(m.size_octets)).sum();
        let gone = replaced.map_or(0, |row| u64::from(row.size_octets));
        let usage = Usage {
            octets: self.usage.octets.saturating_add(octets).saturating_sub(gone),
            messages: (self.usage.messages + new.len() as u64).saturating_sub(u64::from(replaced.is_some())),
        };
        // Whoever is over the quota may still replace a message by one that is no larger.
        if replaced.is_none() || octets > gone {
            check_quota(usage, job.quota)?;
        }
        let target = self.targets.entry(job.mailbox).or_insert_with(|| Target {
            uid_validity: mailbox.uid_validity,
            uid_next: mailbox.uid_next,
            keywords: mailbox.keywords.to_vec(),
            keywords_before: mailbox.keywords.len(),
            rows: Vec::new(),
        });
        if u64::from(target.uid_next.0) + new.len() as u64 >= u64::from(u32::MAX) {
            return Err(StoreError::Limit("the mailbox has given all its UIDs"));
        }
        let mut keywords = target.keywords.clone();
        for keyword in new.iter().flat_map(|m| &m.new.keywords) {
            bit_of(&mut keywords, keyword)?;
        }
        target.keywords = keywords;
        self.usage = usage;
        Ok(())
    }

    fn message(&mut self, job: &Job, message: &Prepared) -> Place {
        if let Some(place) = message.new.idem.and_then(|idem| self.known.deliveries.get(&idem)) {
            return *place;
        }
        let doc = DocId(self.plan.head.next_doc);
        self.plan.head.next_doc += 1;
        let modseq = self.plan.modseq();
        let thread = self.thread(&message.clues, doc);
        let mut place = Place { uid_validity: UidValidity(0), uid: Uid(0), modseq, doc };
        // `check` has made the target.
        if let Some(target) = self.targets.get_mut(&job.mailbox) {
            place.uid_validity = target.uid_validity;
            place.uid = target.uid_next;
            target.uid_next.0 += 1;
            let mut flags = message.flags();
            if let Some(viewer) = job.viewer {
                if let Some((_, uids)) = self.marks.get_mut(&(job.mailbox, viewer))
                    && flags.has(Flags::SEEN)
                {
                    uids.push(place.uid);
                }
                flags = flags.without(Flags::SEEN);
            }
            target.rows.push(Row {
                uid: place.uid,
                doc,
                flags,
                keywords: bits_of(&target.keywords, &message.new.keywords),
                modseq,
                internal_date: message.new.internal_date,
                save_date: job.now,
                size_octets: message.size_octets,
                thread,
            });
        }
        self.put_record(message, doc, thread);
        if let Some(idem) = message.new.idem {
            let row = Delivery { at: job.now, uid_validity: place.uid_validity, uid: place.uid, modseq, doc };
            self.plan.ops.push(Op::Put(delivery::key(self.account.id, &idem), row.encode()));
            self.known.deliveries.insert(idem, place);
        }
        place
    }

    /// The message's thread; its ids are known to belong to it from now on.
    fn thread(&mut self, clues: &Clues, doc: DocId) -> ThreadId {
        let known = clues.ids.iter().filter_map(|id| self.known.threads.get(id)).flatten();
        let thread = threads::find(clues, known).unwrap_or(ThreadId(doc.0));
        for id in &clues.ids {
            let known = self.known.threads.entry(*id).or_default();
            if threads::learn(known, Known { subject: clues.subject, thread }) {
                self.learned.insert(*id, ());
            }
        }
        thread
    }

    fn put_record(&mut self, message: &Prepared, doc: DocId, thread: ThreadId) {
        let (prefix, body) = (&message.new.prefix, &message.new.staged.blob);
        let row = match &message.content {
            Content::Whole(staged) => message::encode(thread, prefix, staged),
            Content::Spilled(spill) => {
                self.plan.blobs.push(spill.clone());
                message::encode_spilled(thread, prefix, body, spill)
            }
        };
        self.plan.blobs.push(body.clone());
        self.plan.ops.push(Op::Put(message::key(self.account.id, doc), row));
    }

    fn finish(self, now: UnixMs) -> Plan {
        let mut plan = self.plan;
        for (mailbox, target) in self.targets {
            if !target.rows.is_empty() {
                let keywords = target.keywords.into_iter().skip(target.keywords_before).collect();
                plan.changes.push(Change::Appended { mailbox, keywords, rows: target.rows });
            }
        }
        let mut gone: BTreeMap<MailboxId, Vec<Uid>> = BTreeMap::new();
        for (mailbox, row) in &self.replaced {
            gone.entry(*mailbox).or_default().push(row.uid);
        }
        for (mailbox, uids) in gone {
            plan.changes.push(Change::Expunged { mailbox, uids: UidSet::from_uids(uids) });
        }
        if !self.replaced.is_empty() {
            self.account.let_go(&mut plan, self.replaced.iter().map(|(_, row)| row.doc).collect(), now);
        }
        for ((mailbox, viewer), (marks, uids)) in self.marks {
            if !uids.is_empty() {
                let uids = (UidSet::from_uids(uids), true);
                self.account.plan_marks(&mut plan, mailbox, (viewer, marks), uids);
            }
        }
        for id in self.learned.keys() {
            if let Some(known) = self.known.threads.get(id) {
                plan.ops.push(Op::Put(thread::key(self.account.id, *id), thread::encode(known)));
            }
        }
        plan
    }
}

/// Whether this much may be used.
pub(super) fn check_quota(usage: Usage, quota: Quota) -> Result<(), StoreError> {
    let over = quota.octets.is_some_and(|most| usage.octets > most)
        || quota.messages.is_some_and(|most| usage.messages > most);
    if over { Err(StoreError::OverQuota) } else { Ok(()) }
}

/// The keyword's bit; a new one takes the next.
pub(super) fn bit_of(keywords: &mut Vec<Keyword>, keyword: &Keyword) -> Result<u64, StoreError> {
    let at = match keywords.iter().position(|k| k == keyword) {
        Some(at) => at,
        None if keywords.len() >= limits::KEYWORDS_PER_MAILBOX => {
            return Err(StoreError::Limit("the mailbox has too many keywords"));
        }
        None => {
            keywords.push(keyword.clone());
            keywords.len() - 1
        }
    };
    Ok(1 << at)
}

/// The bits of those keywords that the table has.
pub(super) fn bits_of(table: &[Keyword], keywords: &[Keyword]) -> KeywordBits {
    let bit = |k: &Keyword| table.iter().position(|t| t == k).map_or(0, |at| 1 << at);
    KeywordBits(keywords.iter().map(bit).fold(0, |all: u64, bit: u64| all | bit))
}

/// A document with many rows of a table that holds documents, cut to fit.
pub(super) fn put_docs(docs: &[DocId], mut row: impl FnMut(u16, &[DocId]) -> Op) -> Vec<Op> {
    docs.chunks(tables::expunged::DOCS_PER_ROW).enumerate().map(|(n, docs)| row(n as u16, docs)).collect()
}
