//! What one session has been told of its mailbox: which message has which sequence number, and with which flags.
//! Others change the mailbox meanwhile; the session hears of it at the points RFC 9051 §7.5 permits. Never reads the store.

use std::sync::Arc;

use yubin_store::{Flags, KeywordBits, MailboxState, Page, Rights, Row, Uid, UidSet, diff};

use crate::codec::{
    set::{STAR, Set, both, ranges, resolve},
    write::{Code, FLAGS, Writer},
};

use super::reply::Reply;

/// The client's view: a state of the mailbox it was told of, and messages gone from it that it still counts.
pub(crate) struct View {
    told: Arc<MailboxState>,
    /// What the user may do with the mailbox: which flags are told as permanent.
    rights: Rights,
    /// How many messages the pages before each page hold.
    starts: Vec<u32>,
    /// Messages of `told`.
    messages: u32,
    /// Keywords of the mailbox that FLAGS has named.
    keywords_told: usize,
    /// Messages that are gone and whose EXPUNGE was not sent yet, ascending by UID.
    ghosts: Vec<Row>,
}

/// Flags the client knows already, because they were the answer to its own command. Ascending by UID.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) uid: Uid,
    pub(crate) flags: Flags,
    pub(crate) keywords: KeywordBits,
}

/// What may be told now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permits<'a> {
    /// EXPUNGE may be sent: sequence numbers may change (RFC 9051 §7.5.1).
    pub(crate) expunge: bool,
    /// FETCH of changed flags may be sent: the client has not asked to be spared them (RFC 5465 §5.1).
    pub(crate) flags: bool,
    /// MODSEQ goes with flags (RFC 7162 §3.2).
    pub(crate) modseq: bool,
    /// VANISHED takes the place of EXPUNGE (RFC 7162 §3.2.10).
    pub(crate) vanished: bool,
    /// RECENT is part of the protocol (not in IMAP4rev2).
    pub(crate) recent: bool,
    /// What need not be repeated.
    pub(crate) known: &'a [Known],
}

impl View {
    /// Of a mailbox just selected.
    pub(crate) fn new(state: Arc<MailboxState>) -> Self {
        let mut view = Self {
            keywords_told: state.keywords.len(),
            told: state,
            rights: Rights::ALL,
            starts: Vec::new(),
            messages: 0,
            ghosts: Vec::new(),
        };
        view.count();
        view
    }
    /// As somebody with these rights sees it.
    pub(crate) fn with_rights(mut self, rights: Rights) -> Self {
        self.rights = rights;
        self
    }
    fn count(&mut self) {
        self.starts.clear();
        let mut before = 0u32;
        for page in self.told.pages.iter().flat_map(|pages| pages.iter()) {
            self.starts.push(before);
            before = before.saturating_add(u32::try_from(page.rows.len()).unwrap_or(u32::MAX));
        }
        self.messages = before;
    }
    fn pages(&self) -> &[Arc<Page>] {
        self.told.pages.as_deref().unwrap_or_default()
    }
    /// The state the client was told of last. Messages still counted may be gone from it.
    pub(crate) fn told(&self) -> &Arc<MailboxState> {
        &self.told
    }
    /// How many messages the client counts.
    pub(crate) fn exists(&self) -> u32 {
        self.messages.saturating_add(u32::try_from(self.ghosts.len()).unwrap_or(u32::MAX))
    }
    /// Whether some of them are gone.
    pub(crate) fn has_ghosts(&self) -> bool {
        !self.ghosts.is_empty()
    }

    /// The message with this sequence number, and whether it is gone.
    pub(crate) fn at(&self, seq: u32) -> Option<(&Row, bool)> {
        let index = seq.checked_sub(1)?;
        if self.ghosts.is_empty() {
            return self.live(index).map(|row| (row, false));
        }
        // Ghost number g has the sequence number (live messages before it) + g + 1.
        let place = |g: usize, row: &Row| {
            self.live_before(row.uid).saturating_add(u32::try_from(g).unwrap_or(u32::MAX))
        };
        let (mut low, mut high) = (0, self.ghosts.len());
        while low < high {
            let middle = (low + high) / 2;
            match self.ghosts.get(middle) {
                Some(ghost) if place(middle, ghost) < index => low = middle + 1,
                _ => high = middle,
            }
        }
        match self.ghosts.get(low) {
            Some(ghost) if place(low, ghost) == index => Some((ghost, true)),
            _ => self.live(index.checked_sub(u32::try_from(low).ok()?)?).map(|row| (row, false)),
        }
    }
    fn live(&self, index: u32) -> Option<&Row> {
        let page = self.starts.partition_point(|start| *start <= index).checked_sub(1)?;
        let within = index - self.starts.get(page)?;
        self.pages().get(page)?.rows.get(within as usize)
    }
    fn live_before(&self, uid: Uid) -> u32 {
        let page = self.pages().partition_point(|p| p.rows.first().is_some_and(|r| r.uid < uid));
        let Some(page) = page.checked_sub(1) else { return 0 };
        let within = self.pages().get(page).map_or(0, |p| p.rows.partition_point(|r| r.uid < uid));
        self.starts.get(page).copied().unwrap_or(0) + u32::try_from(within).unwrap_or(0)
    }
    /// How many messages the client counts below this UID.
    fn before(&self, uid: Uid) -> u32 {
        let ghosts = self.ghosts.partition_point(|g| g.uid < uid);
        self.live_before(uid) + u32::try_from(ghosts).unwrap_or(0)
    }
    /// The sequence number of a message the client counts.
    pub(crate) fn seq_of(&self, uid: Uid) -> Option<u32> {
        let seq = self.before(uid) + 1;
        self.at(seq).filter(|(row, _)| row.uid == uid).map(|_| seq)
    }
    fn last_uid(&self) -> u32 {
        self.at(self.exists()).map_or(0, |(row, _)| row.uid.0)
    }

    /// The sequence numbers of a set: ascending, disjoint ranges of messages the client counts.
    /// Sequence numbers beyond them are an error of the client's; UIDs that are not there are not (RFC 9051 §6.4.9).
    pub(crate) fn find(&self, set: &Set, uid: bool, saved: &UidSet) -> Result<Vec<(u32, u32)>, Reply> {
        match set {
            Set::Saved => Ok(self.seqs_of(saved.ranges())),
            Set::Ranges(wanted) if uid => Ok(self.seqs_of(&resolve(wanted, self.last_uid()))),
            Set::Ranges(wanted) => {
                let last = self.exists();
                // `5:*` with four messages names the last one, and `1:*` of an empty mailbox none: clients ask it all the time.
                let clamp = |(a, b): (u32, u32)| {
                    if a == STAR || b == STAR { (a.min(last), b.min(last)) } else { (a, b) }
                };
                let wanted: Vec<_> = wanted.iter().copied().map(clamp).collect();
                let found = resolve(&wanted, last);
                match found.last() {
                    Some(&(_, to)) if to > last => Err(Reply::bad("there are fewer messages than that")),
                    _ => Ok(found),
                }
            }
        }
    }
    /// As [`View::find`], for SEARCH: numbers beyond the last message match nothing; clients search for what may be there.
    pub(crate) fn find_if_there(&self, set: &Set, uid: bool, saved: &UidSet) -> Vec<(u32, u32)> {
        match set {
            Set::Ranges(wanted) if !uid => both(&resolve(wanted, self.exists()), &[(1, self.exists())]),
            _ => self.find(set, uid, saved).unwrap_or_default(),
        }
    }
    fn seqs_of(&self, uids: &[(u32, u32)]) -> Vec<(u32, u32)> {
        uids.iter()
            .map(|&(from, to)| {
                (self.before(Uid(from)) + 1, to.checked_add(1).map_or(self.exists(), |n| self.before(Uid(n))))
            })
            .filter(|(from, to)| from <= to)
            .collect()
    }
    /// The messages of ranges of sequence numbers.
    pub(crate) fn rows<'a>(&'a self, seqs: &'a [(u32, u32)]) -> impl Iterator<Item = (u32, &'a Row, bool)> {
        seqs.iter()
            .flat_map(|&(from, to)| from..=to)
            .filter_map(|seq| self.at(seq).map(|(row, ghost)| (seq, row, ghost)))
    }
    /// All UIDs up to that of the last message the client counts, as one range: every message there is among them was told.
    pub(crate) fn up_to_last(&self) -> UidSet {
        UidSet::from_ranges(Some((1, self.last_uid())).filter(|(_, last)| *last > 0))
    }
    /// The UIDs of ranges of sequence numbers, those that are gone left out.
    pub(crate) fn uids(&self, seqs: &[(u32, u32)]) -> UidSet {
        let uids = self.rows(seqs).filter(|(.., ghost)| !ghost).map(|(_, row, _)| row.uid.0);
        UidSet::from_ranges(ranges(uids))
    }
    /// All UIDs the client counts.
    pub(crate) fn all_uids(&self) -> impl Iterator<Item = u32> {
        (1..=self.exists()).filter_map(|seq| self.at(seq).map(|(row, _)| row.uid.0))
    }
    /// Batches of `size` messages from the newest on, without those before `skip` and those from `until` on: the highest
    /// and the lowest UID of each. They follow on each other without a gap, and the last one reaches down to 1 (RFC 10022).
    pub(crate) fn batches(&self, size: u32, skip: u32, until: u32) -> Vec<(u32, u32)> {
        let most = usize::try_from(until - skip.min(until)).unwrap_or(usize::MAX);
        let most = most.min(crate::limits::UID_BATCHES + 1);
        let uid = |index: u32| self.live(index).map_or(0, |row| row.uid.0);
        let mut out = Vec::new();
        let mut end = self.messages.saturating_sub(size.saturating_mul(skip));
        while end > 0 && out.len() < most {
            let start = end.saturating_sub(size);
            // A batch begins above the highest UID of the next one, so that none is left out.
            let high = uid(end - 1);
            let low = if start == 0 { 1 } else { uid(start - 1).saturating_add(1) };
            out.push((high, low));
            end = start;
        }
        out
    }
    /// The first message without `\Seen`.
    pub(crate) fn first_unseen(&self) -> Option<u32> {
        if self.told.counts.unseen == 0 {
            return None;
        }
        let rows = self.pages().iter().flat_map(|p| p.rows.iter());
        (1..).zip(rows).find(|(_, row)| !row.flags.has(Flags::SEEN)).map(|(seq, _)| seq)
    }

    /// Tells the client what changed up to `now`, as far as permitted. The messages that are new.
    pub(crate) fn advance(
        &mut self,
        now: Arc<MailboxState>,
        permits: Permits<'_>,
        w: &mut Writer<'_>,
    ) -> Vec<Uid> {
        let change = diff(&self.told, &now);
        if permits.expunge {
            self.tell_expunged(&change.vanished, permits.vanished, w);
        } else if !change.vanished.is_empty() {
            let gone: Vec<Row> = change
                .vanished
                .iter()
                .filter_map(|uid| self.at(self.seq_of(*uid)?).map(|(row, _)| *row))
                .collect();
            self.ghosts.extend(gone);
            self.ghosts.sort_unstable_by_key(|row| row.uid);
        }
        self.tell_keywords(&now, w);
        let before = std::mem::replace(&mut self.told, now);
        self.count();
        if !change.added.is_empty() {
            w.raw("* ").number(self.exists()).raw(" EXISTS\r\n");
            if permits.recent {
                w.raw("* 0 RECENT\r\n");
            }
        }
        for uid in change.changed.iter().filter(|_| permits.flags) {
            self.tell_changed(*uid, &before, permits, w);
        }
        change.added
    }

    /// FLAGS and PERMANENTFLAGS, when keywords are new: before the first message that has one (RFC 9051 §7.3.5).
    pub(crate) fn tell_keywords(&mut self, state: &MailboxState, w: &mut Writer<'_>) {
        if state.keywords.len() > self.keywords_told {
            self.keywords_told = state.keywords.len();
            push_flags(state, w);
            push_permanent_flags(state, self.rights, w);
        }
    }

    /// RFC 9051 §7.5.1. Numbers count down as they are told, so each is one less for every one before it.
    fn tell_expunged(&mut self, vanished: &[Uid], by_uid: bool, w: &mut Writer<'_>) {
        let mut gone: Vec<Uid> =
            self.ghosts.iter().map(|row| row.uid).chain(vanished.iter().copied()).collect();
        gone.sort_unstable();
        if by_uid && !gone.is_empty() {
            w.raw("* VANISHED ").set(&ranges(gone.iter().map(|uid| uid.0))).raw("\r\n");
            self.ghosts.clear();
            return;
        }
        for (told, uid) in (0..).zip(&gone) {
            if let Some(seq) = self.seq_of(*uid) {
                w.raw("* ").number(seq.saturating_sub(told)).raw(" EXPUNGE\r\n");
            }
        }
        self.ghosts.clear();
    }

    fn tell_changed(&self, uid: Uid, before: &MailboxState, permits: Permits<'_>, w: &mut Writer<'_>) {
        let Some(seq) = self.seq_of(uid) else { return };
        let Some((row, _)) = self.at(seq) else { return };
        let is_known = |k: &Known| k.flags == row.flags && k.keywords == row.keywords;
        let known =
            permits.known.binary_search_by_key(&uid, |k| k.uid).ok().and_then(|at| permits.known.get(at));
        if known.is_some_and(is_known) {
            return;
        }
        let same =
            find_row(before, uid).is_some_and(|old| old.flags == row.flags && old.keywords == row.keywords);
        if same && !permits.modseq {
            return;
        }
        w.fetch_head(seq, row.uid.0).uid_unless_told(row.uid.0).raw("FLAGS ");
        w.flags(row.flags, row.keywords, &self.told.keywords);
        if permits.modseq {
            w.raw(" MODSEQ (").number(row.modseq.0).raw(")");
        }
        w.raw(")\r\n");
    }
}

/// The row of a UID in a state.
pub(crate) fn find_row(state: &MailboxState, uid: Uid) -> Option<&Row> {
    let pages = state.pages.as_deref()?;
    let page = pages.partition_point(|p| p.rows.first().is_some_and(|r| r.uid <= uid)).checked_sub(1)?;
    let rows = &pages.get(page)?.rows;
    rows.get(rows.binary_search_by_key(&uid, |r| r.uid).ok()?)
}

/// `* FLAGS (...)`
pub(crate) fn push_flags(state: &MailboxState, w: &mut Writer<'_>) {
    w.raw("* FLAGS (");
    push_all_flags(state, w);
    w.raw(")\r\n");
}

/// `* OK [PERMANENTFLAGS (...)]`: those that the user may change (RFC 4314 §4); none when read-only.
pub(crate) fn push_permanent_flags(state: &MailboxState, rights: Rights, w: &mut Writer<'_>) {
    w.raw("* OK [PERMANENTFLAGS (");
    let system = FLAGS.into_iter().filter(|(flag, _)| rights.has(Rights::of_flags(*flag)));
    let mut texts: Vec<&str> = system.map(|(_, text)| text).collect();
    if rights.has(Rights::WRITE) {
        texts.extend(state.keywords.iter().map(|k| k.as_str()));
        if state.keywords.len() < yubin_store::limits::KEYWORDS_PER_MAILBOX {
            texts.push("\\*");
        }
    }
    w.raw(&texts.join(" "));
    w.raw(if texts.is_empty() { ")] read-only\r\n" } else { ")] flags that are kept\r\n" });
}

fn push_all_flags(state: &MailboxState, w: &mut Writer<'_>) {
    let system = FLAGS.into_iter().map(|(_, text)| text);
    for (n, text) in system.chain(state.keywords.iter().map(|k| k.as_str())).enumerate() {
        w.raw(if n > 0 { " " } else { "" }).raw(text);
    }
}

/// What SELECT says of the state (RFC 9051 §6.3.2).
/// With UIDONLY nothing in it is a sequence number (RFC 9586 §3).
pub(crate) fn push_selected(view: &View, read_only: bool, recent: bool, w: &mut Writer<'_>) {
    let state = view.told();
    push_flags(state, w);
    push_permanent_flags(state, if read_only { Rights::NONE } else { view.rights }, w);
    w.raw("* ").number(view.exists()).raw(" EXISTS\r\n");
    if recent {
        w.raw("* 0 RECENT\r\n");
        if let Some(seq) = view.first_unseen().filter(|_| !w.dialect.uid_only) {
            w.untagged_ok(&Code::Unseen(seq), "first unseen");
        }
    }
    w.untagged_ok(&Code::UidValidity(state.uid_validity.0), "UIDs are valid");
    w.untagged_ok(&Code::UidNext(state.uid_next.0), "next UID");
    w.untagged_ok(&Code::HighestModSeq(state.highest_modseq.0.max(1)), "highest modseq");
    w.untagged_ok(&Code::MailboxId(state.id.0), "of this mailbox");
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
