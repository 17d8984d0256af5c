//! States from changes: pure. The live account, the replay at opening and fsck all use it.

use std::sync::Arc;

use crate::{
    AccountState, Acl, Change, Counts, Flags, Keyword, KeywordBits, LogEntry, MailboxId, MailboxState,
    ModSeq, Page, Readers, Row, Uid, UidSet, account::set_annotations, limits,
};

/// Brings a state forward by one commit. Flags and expunges need the mailbox's pages to be loaded, for the counts.
pub(crate) fn apply(state: &mut AccountState, entry: &LogEntry) {
    for change in &entry.changes {
        apply_change(state, entry.modseq, change);
    }
    state.modseq = entry.modseq;
}

fn apply_change(state: &mut AccountState, modseq: ModSeq, change: &Change) {
    match change {
        Change::Created { mailbox, name, uid_validity, special_use, no_select } => {
            let made = MailboxState {
                id: *mailbox,
                name: name.clone(),
                special_use: *special_use,
                uid_validity: *uid_validity,
                uid_next: Uid(1),
                highest_modseq: modseq,
                no_select: *no_select,
                acl: Acl::default(),
                readers: Readers::default(),
                counts: Counts::default(),
                keywords: Arc::from([]),
                pages: Some(Arc::from([])),
            };
            state.mailboxes.insert(*mailbox, Arc::new(made));
            Arc::make_mut(&mut state.names).insert(name.as_str().into(), *mailbox);
        }
        Change::Deleted { mailbox } => {
            if state.annotations.contains_key(&Some(*mailbox)) {
                Arc::make_mut(&mut state.annotations).remove(&Some(*mailbox));
            }
            if let Some(gone) = state.mailboxes.remove(mailbox) {
                unname(state, &gone.name, gone.id);
                state.usage.octets = state.usage.octets.saturating_sub(gone.counts.octets);
                state.usage.messages = state.usage.messages.saturating_sub(u64::from(gone.counts.messages));
            }
        }
        Change::Renamed { mailbox, name } => {
            if let Some(found) = state.mailboxes.get_mut(mailbox) {
                let before = std::mem::replace(&mut Arc::make_mut(found).name, name.clone());
                unname(state, &before, *mailbox);
                Arc::make_mut(&mut state.names).insert(name.as_str().into(), *mailbox);
            }
        }
        Change::Seen { mailbox, viewer, uids, seen } => {
            let Some(mailbox) = state.mailboxes.get_mut(mailbox) else { return };
            let mailbox = Arc::make_mut(mailbox);
            // To everybody else nothing changed; a modseq that is higher than need be does no harm.
            mailbox.highest_modseq = modseq;
            if let Some(mut marks) = mailbox.readers.get(*viewer).cloned() {
                marks.mark(uids, *seen, modseq);
                mailbox.readers.put(*viewer, marks);
            }
        }
        Change::Acl { mailbox, acl } => {
            if let Some(mailbox) = state.mailboxes.get_mut(mailbox) {
                Arc::make_mut(mailbox).acl = acl.clone();
            }
        }
        Change::Subscribed { name, subscribed } => subscribe(state, name, *subscribed),
        Change::Script { name, octets } => {
            let scripts = Arc::make_mut(&mut state.scripts);
            match octets {
                Some(octets) => scripts.insert(name.clone(), *octets),
                None => scripts.remove(name),
            };
        }
        Change::ScriptActive { name } => state.active_script = name.as_deref().map(Into::into),
        Change::Annotated { mailbox, entries } => {
            set_annotations(Arc::make_mut(&mut state.annotations), *mailbox, entries);
        }
        Change::Appended { mailbox, .. }
        | Change::Flags { mailbox, .. }
        | Change::Expunged { mailbox, .. } => {
            apply_to_messages(state, *mailbox, modseq, change);
        }
    }
}

/// Takes a name out of the index, unless another mailbox has it by now.
fn unname(state: &mut AccountState, name: &str, mailbox: MailboxId) {
    if state.names.get(name) == Some(&mailbox) {
        Arc::make_mut(&mut state.names).remove(name);
    }
}

fn subscribe(state: &mut AccountState, name: &str, subscribed: bool) {
    let at = state.subscribed.binary_search_by(|s| s.as_str().cmp(name));
    let mut names = state.subscribed.to_vec();
    match (at, subscribed) {
        (Err(at), true) => names.insert(at, name.to_owned()),
        (Ok(at), false) => drop(names.remove(at)),
        _ => return,
    }
    state.subscribed = names.into();
}

fn apply_to_messages(state: &mut AccountState, mailbox: MailboxId, modseq: ModSeq, change: &Change) {
    let Some(mailbox) = state.mailboxes.get_mut(&mailbox) else { return };
    let mailbox = Arc::make_mut(mailbox);
    let mut delta = Delta::default();
    match &mailbox.pages {
        Some(pages) => {
            let mut pages = pages.to_vec();
            apply_rows(&mut pages, modseq, change, &mut delta);
            mailbox.pages = Some(pages.into());
        }
        // Messages that come in need no pages.
        None => {
            if let Change::Appended { rows, .. } = change {
                rows.iter().for_each(|row| delta.add(row));
            }
        }
    }
    if let Change::Appended { keywords, .. } | Change::Flags { keywords, .. } = change
        && !keywords.is_empty()
    {
        mailbox.keywords = mailbox.keywords.iter().chain(keywords).cloned().collect::<Vec<Keyword>>().into();
    }
    if let Change::Appended { rows, .. } = change
        && let Some(last) = rows.last()
    {
        mailbox.uid_next = mailbox.uid_next.max(Uid(last.uid.0.saturating_add(1)));
    }
    mailbox.highest_modseq = modseq;
    delta.apply(&mut mailbox.counts);
    state.usage.octets = state.usage.octets.saturating_add_signed(delta.octets);
    state.usage.messages = state.usage.messages.saturating_add_signed(delta.messages);
}

/// How counts change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delta {
    messages: i64,
    unseen: i64,
    deleted: i64,
    octets: i64,
}

impl Delta {
    pub(crate) fn add(&mut self, row: &Row) {
        self.count(row, 1);
    }
    fn remove(&mut self, row: &Row) {
        self.count(row, -1);
    }
    fn count(&mut self, row: &Row, sign: i64) {
        self.messages += sign;
        self.unseen += sign * i64::from(!row.flags.has(Flags::SEEN));
        self.deleted += sign * i64::from(row.flags.has(Flags::DELETED));
        self.octets += sign * i64::from(row.size_octets);
    }
    pub(crate) fn apply(self, counts: &mut Counts) {
        let add = |n: u32, d: i64| (i64::from(n) + d).clamp(0, i64::from(u32::MAX)) as u32;
        counts.messages = add(counts.messages, self.messages);
        counts.unseen = add(counts.unseen, self.unseen);
        counts.deleted = add(counts.deleted, self.deleted);
        counts.octets = counts.octets.saturating_add_signed(self.octets);
    }
}

/// Counts from the rows themselves.
pub(crate) fn count(pages: &[Arc<Page>]) -> Counts {
    let (mut delta, mut counts) = (Delta::default(), Counts::default());
    pages.iter().flat_map(|page| &page.rows).for_each(|row| delta.add(row));
    delta.apply(&mut counts);
    counts
}

/// Brings the rows of one mailbox forward. Rows that have this change already stay as they are, so that chunks newer than
/// the point where the replay begins do no harm.
pub(crate) fn apply_rows(pages: &mut Vec<Arc<Page>>, modseq: ModSeq, change: &Change, delta: &mut Delta) {
    match change {
        Change::Appended { rows, .. } => append(pages, rows, delta),
        Change::Flags { uids, clear, set, .. } => set_flags(pages, modseq, uids, *clear, *set, delta),
        Change::Expunged { uids, .. } => expunge(pages, uids, delta),
        Change::Deleted { .. } => pages.clear(),
        Change::Created { .. }
        | Change::Renamed { .. }
        | Change::Acl { .. }
        | Change::Seen { .. }
        | Change::Subscribed { .. }
        | Change::Script { .. }
        | Change::ScriptActive { .. }
        | Change::Annotated { .. } => {}
    }
}

fn append(pages: &mut Vec<Arc<Page>>, rows: &[Row], delta: &mut Delta) {
    let last = pages.last().and_then(|page| page.rows.last()).map_or(Uid(0), |row| row.uid);
    // What is not above the last UID is there already, or was and is gone again.
    let from = rows.partition_point(|row| row.uid <= last);
    let mut rows = rows.get(from..).unwrap_or_default();
    rows.iter().for_each(|row| delta.add(row));
    while !rows.is_empty() {
        if pages.last().is_none_or(|page| page.rows.len() >= limits::PAGE_ROWS) {
            pages.push(Arc::default());
        }
        let Some(page) = pages.last_mut() else { return };
        let room = limits::PAGE_ROWS.saturating_sub(page.rows.len());
        let (now, later) = rows.split_at(room.min(rows.len()));
        let mut all = Vec::with_capacity(page.rows.len() + now.len());
        all.extend_from_slice(&page.rows);
        all.extend_from_slice(now);
        *page = Arc::new(Page { rows: all });
        rows = later;
    }
}

/// Flags after a change.
pub(crate) fn changed(
    row: &Row,
    clear: (Flags, KeywordBits),
    set: (Flags, KeywordBits),
) -> (Flags, KeywordBits) {
    (row.flags.without(clear.0).with(set.0), KeywordBits(row.keywords.0 & !clear.1.0 | set.1.0))
}

fn set_flags(
    pages: &mut [Arc<Page>],
    modseq: ModSeq,
    uids: &UidSet,
    clear: (Flags, KeywordBits),
    set: (Flags, KeywordBits),
    delta: &mut Delta,
) {
    for page in touched(pages, uids) {
        let mut select = Select::new(uids);
        if !page.rows.iter().any(|row| row.modseq < modseq && select.has(row.uid)) {
            continue;
        }
        let mut select = Select::new(uids);
        for row in &mut Arc::make_mut(page).rows {
            if row.modseq < modseq && select.has(row.uid) {
                delta.remove(row);
                (row.flags, row.keywords) = changed(row, clear, set);
                row.modseq = modseq;
                delta.add(row);
            }
        }
    }
}

fn expunge(pages: &mut Vec<Arc<Page>>, uids: &UidSet, delta: &mut Delta) {
    let mut any = false;
    for page in touched(pages, uids) {
        let mut select = Select::new(uids);
        if !page.rows.iter().any(|row| select.has(row.uid)) {
            continue;
        }
        any = true;
        let mut select = Select::new(uids);
        let (gone, kept): (Vec<Row>, Vec<Row>) = page.rows.iter().partition(|row| select.has(row.uid));
        gone.iter().for_each(|row| delta.remove(row));
        *page = Arc::new(Page { rows: kept });
    }
    if any {
        *pages = merge(std::mem::take(pages));
    }
}

/// Without empty pages, and with small neighbours made one.
fn merge(pages: Vec<Arc<Page>>) -> Vec<Arc<Page>> {
    let mut out: Vec<Arc<Page>> = Vec::with_capacity(pages.len());
    for page in pages.into_iter().filter(|page| !page.rows.is_empty()) {
        match out.last_mut() {
            Some(last) if last.rows.len() + page.rows.len() <= limits::PAGE_ROWS / 2 => {
                Arc::make_mut(last).rows.extend_from_slice(&page.rows);
            }
            _ => out.push(page),
        }
    }
    out
}

/// The pages that may hold some of the UIDs.
fn touched<'a>(pages: &'a mut [Arc<Page>], uids: &UidSet) -> impl Iterator<Item = &'a mut Arc<Page>> {
    let (first, last) = match (uids.ranges().first(), uids.ranges().last()) {
        (Some(first), Some(last)) => (first.0, last.1),
        _ => (1, 0),
    };
    let from = pages.partition_point(|page| page.rows.last().is_none_or(|row| row.uid.0 < first));
    let pages = pages.get_mut(from..).unwrap_or_default().iter_mut();
    pages.take_while(move |page| page.rows.first().is_some_and(|row| row.uid.0 <= last))
}

/// The rows with these UIDs, ascending.
pub(crate) fn rows_in<'a>(pages: &'a [Arc<Page>], uids: &'a UidSet) -> impl Iterator<Item = &'a Row> {
    let first = uids.ranges().first().map_or(u32::MAX, |r| r.0);
    let last = uids.ranges().last().map_or(0, |r| r.1);
    let from = pages.partition_point(|page| page.rows.last().is_none_or(|row| row.uid.0 < first));
    let pages = pages.get(from..).unwrap_or_default().iter();
    let mut select = Select::new(uids);
    pages
        .take_while(move |page| page.rows.first().is_some_and(|row| row.uid.0 <= last))
        .flat_map(|page| &page.rows)
        .filter(move |row| select.has(row.uid))
}

/// Asks a set for ascending UIDs in turn: linear in all.
struct Select<'a> {
    ranges: &'a [(u32, u32)],
    started: bool,
}

impl<'a> Select<'a> {
    fn new(uids: &'a UidSet) -> Self {
        Self { ranges: uids.ranges(), started: false }
    }
    fn has(&mut self, uid: Uid) -> bool {
        if !self.started {
            let at = self.ranges.partition_point(|r| r.1 < uid.0);
            self.ranges = self.ranges.get(at..).unwrap_or_default();
            self.started = true;
        }
        while let Some(((from, to), rest)) = self.ranges.split_first() {
            if uid.0 <= *to {
                return uid.0 >= *from;
            }
            self.ranges = rest;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{DocId, ThreadId};
    use yubin_base::UnixMs;

    fn row(uid: u32, modseq: u64) -> Row {
        Row {
            uid: Uid(uid),
            doc: DocId(u64::from(uid)),
            flags: Flags(0),
            keywords: KeywordBits(0),
            modseq: ModSeq(modseq),
            internal_date: UnixMs(0),
            save_date: UnixMs(0),
            size_octets: 10,
            thread: ThreadId(0),
        }
    }

    /// Random changes to one mailbox, as (kind, from, length).
    fn changes(steps: &[(u8, u32, u32)]) -> Vec<(ModSeq, Change)> {
        let (mailbox, mut next) = (MailboxId(1), 1);
        let make = |(n, (kind, from, len)): (usize, &(u8, u32, u32))| {
            let modseq = n as u64 + 1;
            // A change names no UID that was not given yet.
            let last = next - 1;
            let ranges = [(*from, from + len), (from + len + 5, from + len + 6)]
                .map(|(a, b)| (a.min(last), b.min(last)));
            let uids = UidSet::from_ranges(ranges.into_iter().filter(|r| r.0 > 0));
            let change = match kind {
                0..=3 => {
                    let rows = (next..next + len).map(|uid| row(uid, modseq)).collect();
                    next += len;
                    Change::Appended { mailbox, keywords: vec![], rows }
                }
                4..=6 => {
                    let bit = |n: u32| (Flags(1 << (n % 5)), KeywordBits(1 << (n % 60)));
                    Change::Flags { mailbox, keywords: vec![], uids, clear: bit(*from), set: bit(*len) }
                }
                _ => Change::Expunged { mailbox, uids },
            };
            (ModSeq(modseq), change)
        };
        steps.iter().enumerate().map(make).collect()
    }

    fn rows(pages: &[Arc<Page>]) -> Vec<Row> {
        pages.iter().flat_map(|p| p.rows.clone()).collect()
    }

    proptest! {
        #[test]
        fn a_snapshot_and_its_replay_are_the_live_rows(
            steps in prop::collection::vec((0u8..8, 1u32..900, 0u32..200), 1..40), cut in 0usize..40, back in 0usize..40,
        ) {
            let changes = changes(&steps);
            let mut live: Vec<Arc<Page>> = vec![];
            let mut counts = Counts::default();
            let mut snapshot = vec![];
            for (n, (modseq, change)) in changes.iter().enumerate() {
                if n == cut.min(changes.len() - 1) { snapshot = live.clone(); }
                let mut delta = Delta::default();
                apply_rows(&mut live, *modseq, change, &mut delta);
                delta.apply(&mut counts);
            }
            prop_assert_eq!(counts, count(&live));
            prop_assert!(live.iter().all(|p| !p.rows.is_empty() && p.rows.len() <= limits::PAGE_ROWS));
            let all = rows(&live);
            prop_assert!(all.windows(2).all(|w| w[0].uid < w[1].uid));
            // Replay from any point at or before the snapshot's.
            let from = cut.min(changes.len() - 1).saturating_sub(back);
            let mut replayed = snapshot;
            for (modseq, change) in &changes[from..] {
                apply_rows(&mut replayed, *modseq, change, &mut Delta::default());
            }
            prop_assert_eq!(rows(&replayed), all);
        }

        #[test]
        fn rows_in_a_set_are_those_it_contains(
            ranges in prop::collection::vec((1u32..2000, 1u32..2000), 0..6), gone in prop::collection::vec((1u32..900, 1u32..900), 0..4),
        ) {
            let mut pages = vec![];
            append(&mut pages, &(1..1000).map(|uid| row(uid, 1)).collect::<Vec<_>>(), &mut Delta::default());
            expunge(&mut pages, &UidSet::from_ranges(gone), &mut Delta::default());
            let set = UidSet::from_ranges(ranges);
            let found: Vec<Row> = rows_in(&pages, &set).copied().collect();
            let expected: Vec<Row> = rows(&pages).into_iter().filter(|r| set.contains(r.uid)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
