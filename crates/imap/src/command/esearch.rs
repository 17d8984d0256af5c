//! ESEARCH: a search of several mailboxes (MULTISEARCH). RFC 7377 §2. One mailbox after the other, each in pieces; an answer for each that
//! has something. Mailboxes other than the selected one are as they are now; the selected one is as the client knows it.

use std::{collections::VecDeque, sync::Arc};

use yubin_formats::charset::Charset;
use yubin_store::StoreError;

use crate::{
    codec::{
        esearch::{Esearch, Source},
        search::{Key, SearchReturn},
    },
    session::{
        reach::{self, Reached},
        reply::Reply,
        user::{Context, Selected},
        view::View,
    },
};

use super::{
    Outcome,
    answer::{self, Answer, NumberLine},
    find::{self, Finder},
    job::{Job, Progress},
    sort,
};

/// An ESEARCH under way.
pub(crate) struct EsearchJob {
    tag: String,
    key: Key,
    charset: Charset,
    returns: SearchReturn,
    asks_modseq: bool,
    /// Mailboxes that are still to be searched.
    waiting: VecDeque<Reached>,
    under_way: Option<(Reached, Finder)>,
    writing: Option<NumberLine>,
    /// Messages of mailboxes that are done, and of all.
    done: u64,
    goal: u64,
}

pub(crate) async fn run(cx: &mut Context<'_>, tag: &str, esearch: Esearch) -> Result<Outcome, Reply> {
    let Esearch { sources, search } = esearch;
    let charset = find::charset(search.charset.as_deref())?;
    let returns = search.returns.unwrap_or(SearchReturn { all: true, ..SearchReturn::default() });
    let mailboxes = mailboxes(cx, sources.as_deref().unwrap_or(&[Source::Selected])).await?;
    let selected = cx.user.selected.as_ref();
    let only_selected =
        mailboxes.iter().all(|mailbox| selected.is_some_and(|selected| is_of(mailbox, selected)));
    // RFC 7377 §2.2, §2.3: numbers and results mean something in the selected mailbox only.
    if !only_selected && (returns.save || search.key.uses_saved() || search.key.uses_sequence_numbers()) {
        return Err(Reply::bad("SAVE, $ and sequence numbers belong to the selected mailbox"));
    }
    let asks_modseq = search.key.asks_modseq();
    cx.user.enabled.condstore |= asks_modseq;
    if returns.save {
        sort::save(&[], cx);
    }
    Ok(Outcome::Job(Job::Esearch(Box::new(EsearchJob {
        tag: tag.to_owned(),
        key: search.key,
        charset,
        returns,
        asks_modseq,
        goal: mailboxes.iter().map(|reached| u64::from(reached.mailbox.counts.messages)).sum(),
        waiting: mailboxes.into(),
        under_way: None,
        writing: None,
        done: 0,
    }))))
}

/// The mailboxes that the sources name, each once, by name (RFC 7377 §2.2). One that is not there, or may not be read, has nothing in it.
async fn mailboxes(cx: &Context<'_>, sources: &[Source]) -> Result<Vec<Reached>, Reply> {
    let selected = match sources.contains(&Source::Selected) {
        true => Some(cx.selected_for_reading()?),
        false => None,
    };
    let others = sources.iter().any(|source| !matches!(source, Source::Inboxes | Source::Personal));
    let mut found = reach::all_readable(cx, others).await?;
    let subscribed = Arc::clone(&cx.user.own.state().subscribed);
    let is_meant = |reached: &Reached, source: &Source| match source {
        Source::Selected => selected.is_some_and(|selected| is_of(reached, selected)),
        // Where mail is delivered (RFC 5465 §6.3).
        Source::Inboxes => reached.name == "INBOX",
        Source::Personal => reached.access.id() == cx.user.id,
        Source::Subscribed => subscribed.contains(&reached.name),
        Source::Subtree(names) => names.iter().any(|name| levels_below(name, &reached.name).is_some()),
        Source::SubtreeOne(names) => {
            names.iter().any(|name| levels_below(name, &reached.name).is_some_and(|levels| levels <= 1))
        }
        Source::Mailboxes(names) => names.iter().any(|name| levels_below(name, &reached.name) == Some(0)),
    };
    found.retain(|reached| sources.iter().any(|source| is_meant(reached, source)));
    Ok(found)
}

fn is_of(reached: &Reached, selected: &Selected) -> bool {
    selected.id == reached.mailbox.id && selected.access.id() == reached.access.id()
}

/// How many levels a mailbox lies below a name; zero when it is the mailbox itself.
fn levels_below(name: &str, mailbox: &str) -> Option<usize> {
    let first = mailbox.get(..name.len()).unwrap_or_default();
    let is_inbox = name.eq_ignore_ascii_case("INBOX") && first == "INBOX";
    if first != name && !is_inbox {
        return None;
    }
    match mailbox.get(name.len()..)? {
        "" => Some(0),
        rest => rest.strip_prefix('/').map(|rest| rest.split('/').count()),
    }
}

impl EsearchJob {
    /// Whether a line has begun and not ended.
    pub(crate) fn in_line(&self) -> bool {
        self.writing.is_some()
    }

    /// How many messages were looked at, and of how many.
    pub(crate) fn progress(&self) -> (u64, u64) {
        let now = self.under_way.as_ref().map_or(0, |(_, finder)| finder.progress().0);
        (self.done + now, self.goal)
    }

    /// Goes on.
    pub(crate) async fn step(&mut self, cx: &mut Context<'_>) -> Progress {
        match self.go_on(cx).await {
            Ok(true) => Progress::Done { reply: Reply::ok("that is all"), known: Vec::new() },
            Ok(false) => Progress::More,
            Err(error) => Progress::Done { reply: error.into(), known: Vec::new() },
        }
    }

    async fn go_on(&mut self, cx: &mut Context<'_>) -> Result<bool, StoreError> {
        if let Some(line) = &mut self.writing {
            if line.write(cx.out) {
                self.writing = None;
            }
            return Ok(false);
        }
        if self.under_way.is_none() {
            let Some(next) = self.waiting.pop_front() else { return Ok(true) };
            self.under_way = self.open(next, cx).await?;
            return Ok(false);
        }
        if let Some((_, finder)) = &mut self.under_way
            && finder.step(cx).await?
            && let Some((reached, finder)) = self.under_way.take()
        {
            self.done += finder.progress().1;
            self.answer(&reached, &finder, cx);
        }
        Ok(false)
    }

    /// Nothing when the mailbox is gone by now.
    async fn open(
        &self,
        reached: Reached,
        cx: &Context<'_>,
    ) -> Result<Option<(Reached, Finder)>, StoreError> {
        if cx.user.selected.as_ref().is_some_and(|selected| is_of(&reached, selected)) {
            let finder = Finder::in_selected(cx, &self.key, self.charset).ok();
            return Ok(finder.map(|finder| (reached, finder)));
        }
        match reached.access.open(reached.mailbox.id).await {
            Ok(state) => {
                let (access, view) = (reached.access.clone(), View::new(state));
                let finder = Finder::in_other(cx, access, view, &self.key, self.charset);
                Ok(Some((reached, finder)))
            }
            Err(StoreError::NoMailbox | StoreError::Cannot(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `* ESEARCH (TAG "a" MAILBOX "x" UIDVALIDITY 1) UID ALL 4001,4003`. RFC 7377 §2.1: none for a mailbox where nothing was found.
    fn answer(&mut self, reached: &Reached, finder: &Finder, cx: &mut Context<'_>) {
        if finder.found.is_empty() {
            return;
        }
        let Some(view) = finder.view(cx) else { return };
        let rows = finder.found.iter().filter_map(|seq| view.at(*seq));
        let numbers: Vec<u32> = rows.map(|(row, _)| row.uid.0).collect();
        if self.returns.save {
            sort::save(&answer::saved(&finder.found, self.returns), cx);
        }
        let answer = Answer {
            tag: &self.tag,
            mailbox: Some((&reached.name, reached.mailbox.uid_validity.0)),
            uid: true,
            numbers,
            modseq: Some(finder.highest_modseq).filter(|_| self.asks_modseq),
            returns: self.returns,
        };
        self.writing = Some(answer::esearch(answer, &mut cx.w()));
    }
}
