//! From tables to states: opening an account, loading a mailbox's pages, reading again what another writer changed.

use std::{collections::BTreeMap, sync::Arc};

use yubin_base::{AccountId, UnixMs};
use yubin_engine::{Key, ReadError, Val, View};

use super::{Account, commit::Writer, selectable};
use crate::{
    AccountState, Annotations, LogEntry, MailboxId, MailboxState, ModSeq, Page, Pages, StoreError, apply,
    apply::Delta,
    limits,
    store::Core,
    tables::{
        self, annotation, chunk, codec::damaged, head, head::Head, log, mailbox, script, staging,
        subscription,
    },
};

/// An account as its tables have it, without pages.
pub(crate) struct Loaded {
    pub(crate) head: Head,
    pub(crate) state: AccountState,
    /// The log from the chunks on.
    pub(crate) recent: Vec<Arc<LogEntry>>,
    /// What was written ahead and does not count.
    pub(crate) staged: Option<Val>,
}

/// Every pair of a range, in pieces.
pub(crate) async fn scan_all(view: &dyn View, from: Key, to: &[u8]) -> Result<Vec<(Key, Val)>, ReadError> {
    let (mut all, mut from) = (Vec::new(), from);
    loop {
        let piece = view.scan(&from, to, false, limits::SCAN_PAIRS).await?;
        let short = piece.len() < limits::SCAN_PAIRS;
        if let Some((last, _)) = piece.last() {
            from.clone_from(last);
            from.push(0);
        }
        all.extend(piece);
        if short {
            return Ok(all);
        }
    }
}

pub(crate) async fn read_head(view: &dyn View, id: AccountId) -> Result<Option<Head>, StoreError> {
    let key = head::key(id);
    match view.get(&key).await? {
        Some(value) => Head::decode(&value).map(Some).ok_or_else(|| damaged("the head", &key)),
        None => Ok(None),
    }
}

/// Log entries from one modseq to another, both included.
pub(crate) async fn read_log(
    view: &dyn View,
    id: AccountId,
    first: u64,
    last: u64,
) -> Result<Vec<LogEntry>, StoreError> {
    let (mut entries, mut from) = (Vec::new(), log::key(id, first, 0));
    let to = log::key(id, last.saturating_add(1), 0);
    // Parts of an entry that is longer than one scan.
    let mut pairs: Vec<(Key, Val)> = Vec::new();
    loop {
        let scanned = view.scan(&from, &to, false, limits::SCAN_PAIRS).await?;
        let cut = scanned.len() >= limits::SCAN_PAIRS;
        if let Some((key, _)) = scanned.last() {
            from.clone_from(key);
            from.push(0);
        }
        pairs.extend(scanned);
        let piece = log::entries(&pairs, cut).ok_or_else(|| damaged("the log", &from))?;
        if !cut {
            entries.extend(piece);
            return Ok(entries);
        }
        if let Some(entry) = piece.last() {
            let next = log::key(id, entry.modseq.0 + 1, 0);
            pairs.retain(|(key, _)| *key >= next);
        }
        entries.extend(piece);
    }
}

/// Reads an account; nothing when it was not made.
pub(crate) async fn load(view: &dyn View, id: AccountId) -> Result<Option<Loaded>, StoreError> {
    let Some(head) = read_head(view, id).await? else { return Ok(None) };
    let mut state =
        AccountState { modseq: ModSeq(head.modseq), usage: head.usage, ..AccountState::default() };
    let (from, to) = mailbox::range(id);
    for (key, value) in scan_all(view, from, &to).await? {
        let mailbox = mailbox::decode(&value).ok_or_else(|| damaged("a mailbox", &key))?;
        state.mailboxes.insert(mailbox.id, Arc::new(mailbox));
    }
    state.index();
    let (from, to) = subscription::range(id);
    let mut subscribed = Vec::new();
    for (key, value) in scan_all(view, from, &to).await? {
        let name = subscription::decode(&key, &value).ok_or_else(|| damaged("a subscription", &key))?;
        subscribed.push(name.to_owned());
    }
    state.subscribed = subscribed.into();
    let (from, to) = script::range(id);
    for (key, value) in scan_all(view, from, &to).await? {
        let (name, text) = script::decode(&key, &value).ok_or_else(|| damaged("a script", &key))?;
        match name {
            "" => state.active_script = Some(text.into()),
            name => drop(Arc::make_mut(&mut state.scripts).insert(name.to_owned(), text.len())),
        }
    }
    state.annotations = Arc::new(read_annotations(view, id).await?);
    let recent = read_log(view, id, head.base + 1, head.modseq).await?;
    if recent.len() as u64 != head.modseq - head.base {
        return Err(damaged("the log has a gap", &log::key(id, head.base + 1, 0)));
    }
    let staged = view.get(&staging::key(id)).await?;
    Ok(Some(Loaded { head, state, recent: recent.into_iter().map(Arc::new).collect(), staged }))
}

async fn read_annotations(view: &dyn View, id: AccountId) -> Result<Annotations, StoreError> {
    let mut annotations = Annotations::new();
    let (from, to) = annotation::range(id);
    for (key, value) in scan_all(view, from, &to).await? {
        let (mailbox, name, value) =
            annotation::decode(&key, &value).ok_or_else(|| damaged("an annotation", &key))?;
        annotations.entry(mailbox).or_default().insert(name.to_owned(), value.into());
    }
    Ok(annotations)
}

/// A mailbox's chunks as stored.
pub(crate) async fn read_chunks(
    view: &dyn View,
    id: AccountId,
    mailbox: MailboxId,
) -> Result<Vec<Arc<Page>>, StoreError> {
    let (from, to) = chunk::range(id, mailbox);
    let pairs = scan_all(view, from, &to).await?;
    let decode =
        |(key, value): &(Key, Val)| chunk::decode(value).map(Arc::new).ok_or_else(|| damaged("a chunk", key));
    pairs.iter().map(decode).collect()
}

/// Rows from chunks and the log after them. Where chunks overlap (their rewriting was cut short by a crash) the first
/// one counts; the replay makes up for the rest.
pub(crate) fn replay(chunks: &[Arc<Page>], recent: &[Arc<LogEntry>], mailbox: MailboxId) -> Vec<Arc<Page>> {
    let mut pages: Vec<Arc<Page>> = Vec::with_capacity(chunks.len() + 1);
    let mut last = 0;
    for page in chunks {
        let from = page.rows.partition_point(|row| row.uid.0 <= last);
        match page.rows.get(from..) {
            Some(rows) if !rows.is_empty() && from > 0 => pages.push(Arc::new(Page { rows: rows.to_vec() })),
            Some(rows) if !rows.is_empty() => pages.push(page.clone()),
            _ => continue,
        }
        last = page.rows.last().map_or(last, |row| row.uid.0);
    }
    for entry in recent {
        for change in entry.changes.iter().filter(|c| c.mailbox() == Some(mailbox)) {
            apply::apply_rows(&mut pages, entry.modseq, change, &mut Delta::default());
        }
    }
    pages
}

impl Account {
    /// Opens the account from its tables; nothing when it was not made.
    pub(crate) async fn load(core: Arc<Core>, id: AccountId) -> Result<Option<Account>, StoreError> {
        let view = core.engine.view(tables::part(id)).await?;
        let Some(Loaded { head, state, recent, staged }) = load(&*view, id).await? else { return Ok(None) };
        drop(view);
        Ok(Some(Account::new(
            id,
            core,
            state,
            Writer { head, last_at: last(&recent), recent, staged, ..Writer::default() },
        )))
    }

    pub(super) async fn read_head(&self, view: &dyn View) -> Result<Option<Head>, StoreError> {
        read_head(view, self.id).await
    }

    pub(super) async fn read_log(
        &self,
        view: &dyn View,
        first: u64,
        last: u64,
    ) -> Result<Vec<LogEntry>, StoreError> {
        read_log(view, self.id, first, last).await
    }

    /// The mailbox with its pages loaded.
    pub async fn open(&self, mailbox: MailboxId) -> Result<Arc<MailboxState>, StoreError> {
        let state = self.state();
        let known = selectable(&state, mailbox)?;
        if known.pages.is_some() {
            return Ok(known.clone());
        }
        let mut writer = self.writer.lock().await;
        match self.settle(&mut writer).await {
            // A store that takes no writes any more cannot settle a doubt, but what was certain before can still be read.
            Ok(()) | Err(StoreError::Commit(_)) => self.opened(&mut writer, mailbox).await,
            Err(error) => Err(error),
        }
    }

    /// The mailbox with its pages loaded, for a writer.
    pub(super) async fn opened(
        &self,
        writer: &mut Writer,
        mailbox: MailboxId,
    ) -> Result<Arc<MailboxState>, StoreError> {
        for _ in 0..limits::COMMIT_TRIES {
            let state = self.state();
            let known = selectable(&state, mailbox)?;
            if known.pages.is_some() {
                return Ok(known.clone());
            }
            let view = self.core.engine.view(tables::part(self.id)).await?;
            if self.read_head(&*view).await? != Some(writer.head) {
                // Another writer came first: its chunks are not for our state.
                drop(view);
                self.reload(writer).await?;
                continue;
            }
            let chunks = read_chunks(&*view, self.id, mailbox).await?;
            let pages = replay(&chunks, &writer.recent, mailbox);
            if pages.iter().map(|p| p.rows.len()).sum::<usize>() != known.counts.messages as usize {
                return Err(damaged(
                    "the rows are not as many as the mailbox counts",
                    &mailbox::key(self.id, mailbox),
                ));
            }
            let loaded = Arc::new(MailboxState { pages: Some(pages.into()), ..MailboxState::clone(known) });
            let mut state = AccountState::clone(&state);
            state.mailboxes.insert(mailbox, loaded.clone());
            writer.chunks.insert(mailbox, chunks.into());
            *self.state.write() = Arc::new(state);
            return Ok(loaded);
        }
        Err(yubin_engine::CommitError::Conflict(0).into())
    }

    /// Reads the account again, after another writer came first or an outcome was not known. Nothing is shown before
    /// it is proven durable. Mailboxes whose pages were loaded have them again, sharing those that did not change.
    pub(super) async fn reload(&self, writer: &mut Writer) -> Result<(), StoreError> {
        writer.in_doubt = true;
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let stored = self.read_head(&*view).await?;
        if stored == Some(writer.head) {
            writer.staged = view.get(&staging::key(self.id)).await?;
            writer.in_doubt = false;
            return Ok(());
        }
        if stored.is_none() {
            self.forget(writer);
            return Err(StoreError::NoAccount);
        }
        drop(view);
        self.prove().await?;
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let Some(Loaded { head, mut state, recent, staged }) = load(&*view, self.id).await? else {
            self.forget(writer);
            return Err(StoreError::NoAccount);
        };
        let mut all_chunks = BTreeMap::new();
        for (id, old) in &self.state().mailboxes {
            let (Some(old), Some(new)) = (&old.pages, state.mailboxes.get_mut(id)) else { continue };
            let chunks = read_chunks(&*view, self.id, *id).await?;
            let pages = share(replay(&chunks, &recent, *id), old);
            all_chunks.insert(*id, Pages::from(chunks));
            Arc::make_mut(new).pages = Some(pages.into());
        }
        let last_at = last(&recent).max(writer.last_at);
        *writer =
            Writer { head, recent, chunks: all_chunks, staged, last_at, in_doubt: false, removed: false };
        self.publish(state);
        Ok(())
    }

    /// The account is gone: its sessions find every mailbox gone.
    pub(crate) fn forget(&self, writer: &mut Writer) {
        let modseq = ModSeq(self.state().modseq.0 + 1);
        *writer = Writer { removed: true, ..Writer::default() };
        self.publish(AccountState { modseq, subscribed: Arc::from([]), ..AccountState::default() });
    }
}

/// When the last change was, as far as the log tells.
fn last(recent: &[Arc<LogEntry>]) -> UnixMs {
    recent.last().map_or(UnixMs(0), |entry| entry.at)
}

/// The new pages, with those of the old that are equal in their place, so that a comparison skips them.
fn share(new: Vec<Arc<Page>>, old: &[Arc<Page>]) -> Vec<Arc<Page>> {
    let first = |page: &Arc<Page>| page.rows.first().map(|row| row.uid);
    let find = |page: Arc<Page>| {
        let at = old.binary_search_by_key(&first(&page), first).ok();
        let same = at.and_then(|at| old.get(at)).filter(|o| o.rows == page.rows);
        same.cloned().unwrap_or(page)
    };
    new.into_iter().map(find).collect()
}
