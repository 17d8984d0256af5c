//! Finds the messages of a mailbox that match search keys, some at a time: what SEARCH, SORT, THREAD and ESEARCH share.
//! Writes nothing. RFC 9051 §6.4.4.

use std::collections::VecDeque;

use yubin_formats::charset::Charset;
use yubin_store::{Access, StoreError};

use crate::{
    codec::{search::Key, set::total, write::Code},
    limits,
    session::{
        reply::Reply,
        user::{Context, Selected},
        view::View,
    },
};

use super::{
    message_limit,
    search::matching::{Plan, Truth},
};

/// A search of one mailbox under way.
pub(crate) struct Finder {
    plan: Plan,
    /// The account of the mailbox that is searched.
    access: Access,
    /// A mailbox that is not selected; none: the selected one.
    other: Option<View>,
    /// Sequence numbers still to be looked at: those that sets among the keys leave.
    left: VecDeque<(u32, u32)>,
    /// How many were looked at, and of how many.
    progress: (u64, u64),
    /// The search index was asked.
    asked: bool,
    /// Sequence numbers of what was found, ascending.
    pub(crate) found: Vec<u32>,
    pub(crate) highest_modseq: u64,
}

impl Finder {
    /// In the selected mailbox.
    pub(crate) fn in_selected(cx: &Context<'_>, key: &Key, charset: Charset) -> Result<Self, Reply> {
        let selected = cx.selected_for_reading()?;
        let plan = Plan::new(key, charset, &selected.view, &selected.saved, cx.now);
        Ok(Self::new(plan, selected.access.clone(), None, selected.view.exists()))
    }

    /// In another mailbox, of this account.
    pub(crate) fn in_other(
        cx: &Context<'_>,
        access: Access,
        view: View,
        key: &Key,
        charset: Charset,
    ) -> Self {
        let plan = Plan::new(key, charset, &view, &Default::default(), cx.now);
        let last = view.exists();
        Self::new(plan, access, Some(view), last)
    }

    fn new(plan: Plan, access: Access, other: Option<View>, last: u32) -> Self {
        let left = plan.candidates(last);
        let progress = (0, total(&left));
        Self {
            plan,
            access,
            other,
            left: left.into(),
            progress,
            asked: false,
            found: Vec::new(),
            highest_modseq: 0,
        }
    }

    /// Looks at the newest messages only, where the keys allow more than one command may look at (RFC 9738 §3.1: those
    /// looked at count, not those found). The lowest UID that is looked at, if so.
    pub(super) fn limit(&mut self, cx: &Context<'_>) -> Option<Code> {
        let limit = cx.services.options.message_limit?;
        let candidates: Vec<_> = self.left.iter().copied().collect();
        let (seqs, lowest) = message_limit::cut(limit, &candidates, self.view(cx)?)?;
        self.progress.1 = total(&seqs);
        self.left = seqs.into();
        Some(Code::MessageLimit(limit, Some(lowest)))
    }

    /// Looks at the next messages. True: all are looked at.
    pub(crate) async fn step(&mut self, cx: &Context<'_>) -> Result<bool, StoreError> {
        if !self.asked && self.must_read_many(cx) {
            self.asked = true;
            self.plan.ask_index(&self.access).await?;
        }
        let mut bodies = 0;
        for _ in 0..limits::SEARCH_ROWS_AT_ONCE {
            if bodies >= limits::SEARCH_BODIES_AT_ONCE {
                break;
            }
            let Some((seq, to)) = self.left.pop_front() else { break };
            if seq < to {
                self.left.push_front((seq + 1, to));
            }
            self.progress.0 += 1;
            let Some(view) = view_of(self.other.as_ref(), cx.user.selected.as_ref()) else { break };
            let Some((row, ghost)) = view.at(seq) else { continue };
            let row = *row;
            let keywords = &view.told().keywords;
            let matches = match self.plan.look(seq, &row, keywords) {
                Truth::Yes => true,
                Truth::No => false,
                Truth::Unknown => {
                    bodies += 1;
                    match self.plan.read_and_look(seq, &row, keywords, &self.access).await {
                        Ok(matches) => matches,
                        // A message that is gone matches nothing.
                        Err(_) if ghost => false,
                        Err(StoreError::Gone) => false,
                        Err(error) => return Err(error),
                    }
                }
            };
            if matches {
                self.found.push(seq);
                self.highest_modseq = self.highest_modseq.max(row.modseq.0);
            }
        }
        Ok(self.left.is_empty())
    }

    /// Whether so many of the next messages must be read that it pays to ask the search index first.
    fn must_read_many(&self, cx: &Context<'_>) -> bool {
        let Some(view) = self.view(cx) else { return false };
        let unknown = |seq: &u32| {
            let row = view.at(*seq).map(|(row, _)| row);
            row.is_some_and(|row| self.plan.look(*seq, row, &view.told().keywords) == Truth::Unknown)
        };
        let next = self.left.iter().flat_map(|(from, to)| *from..=*to).take(limits::SEARCH_ROWS_AT_ONCE);
        next.filter(unknown).nth(limits::SEARCH_INDEX_FROM).is_some()
    }

    /// The mailbox that is searched.
    pub(crate) fn view<'a>(&'a self, cx: &'a Context<'_>) -> Option<&'a View> {
        view_of(self.other.as_ref(), cx.user.selected.as_ref())
    }
    /// How many messages were looked at, and of how many.
    pub(crate) fn progress(&self) -> (u64, u64) {
        self.progress
    }
}

fn view_of<'a>(other: Option<&'a View>, selected: Option<&'a Selected>) -> Option<&'a View> {
    other.or_else(|| selected.map(|s| &s.view))
}

/// The charset that a client named; none is UTF-8. RFC 9051 §6.4.4: BADCHARSET says which ones there are.
pub(super) fn charset(label: Option<&str>) -> Result<Charset, Reply> {
    match label {
        None => Ok(Charset::UTF_8),
        Some(label) => {
            Charset::for_label(label).ok_or_else(|| Reply::no(Code::BadCharset, "that charset is not known"))
        }
    }
}
