//! SEARCH and UID SEARCH. RFC 9051 §6.4.4, §6.4.9; RFC 4731 (ESEARCH), RFC 5182 (SEARCHRES), RFC 9394 (PARTIAL), RFC 7162 §3.1.5.
//! Looks at what is cheap first and reads a message only when its row cannot decide.

use crate::{
    codec::{
        search::{Search, SearchReturn},
        write::Code,
    },
    session::{reply::Reply, user::Context},
};

use super::{
    Outcome,
    answer::{self, Answer, NumberLine},
    find::{self, Finder},
    job::{Job, Progress},
    message_limit, sort,
};

#[path = "search_match.rs"]
pub(super) mod matching;

/// A SEARCH under way.
pub(crate) struct SearchJob {
    tag: String,
    finder: Finder,
    returns: Option<SearchReturn>,
    uid: bool,
    asks_modseq: bool,
    /// It looks at the newest messages only.
    limited: Option<Code>,
    /// The answer, once it has begun.
    writing: Option<NumberLine>,
}

pub(crate) fn run(cx: &mut Context<'_>, tag: &str, search: Search, uid: bool) -> Result<Outcome, Reply> {
    cx.selected_for_reading()?;
    let asks_modseq = search.key.asks_modseq();
    if cx.user.enabled.utf8 && search.charset.is_some() {
        // RFC 9755 §3: everything is UTF-8 then.
        return Err(Reply::bad("after ENABLE UTF8=ACCEPT there is no CHARSET"));
    }
    let charset = find::charset(search.charset.as_deref())?;
    let mut finder = Finder::in_selected(cx, &search.key, charset)?;
    cx.user.enabled.condstore |= asks_modseq;
    // RFC 9051 §6.4.4: IMAP4rev2 has only the new answer.
    let returns =
        search.returns.or(cx.user.enabled.rev2.then_some(SearchReturn { all: true, ..Default::default() }));
    let limited = finder.limit(cx);
    let job = SearchJob { tag: tag.to_owned(), finder, returns, uid, asks_modseq, limited, writing: None };
    Ok(Outcome::Job(Job::Search(Box::new(job))))
}

impl SearchJob {
    /// Whether a line has begun and not ended.
    pub(crate) fn in_line(&self) -> bool {
        self.writing.is_some()
    }

    /// How many messages were looked at, and of how many.
    pub(crate) fn progress(&self) -> (u64, u64) {
        self.finder.progress()
    }

    /// Looks at the next messages, or writes what was found.
    pub(crate) async fn step(&mut self, cx: &mut Context<'_>) -> Progress {
        if self.writing.is_none() {
            match self.finder.step(cx).await {
                Ok(true) => self.writing = Some(self.answer(cx)),
                Ok(false) => return Progress::More,
                Err(error) => return Progress::Done { reply: error.into(), known: Vec::new() },
            }
        }
        let ended = self.writing.as_mut().is_none_or(|line| line.write(cx.out));
        if ended { self.done(cx) } else { Progress::More }
    }

    fn done(&mut self, cx: &mut Context<'_>) -> Progress {
        let reply = message_limit::tell(cx, Reply::ok("that is all"), self.limited.take());
        Progress::Done { reply, known: Vec::new() }
    }

    fn number(&self, seq: u32, cx: &Context<'_>) -> u32 {
        if !self.uid {
            return seq;
        }
        self.finder.view(cx).and_then(|view| view.at(seq)).map_or(0, |(row, _)| row.uid.0)
    }

    /// `* SEARCH 2 3 5 (MODSEQ 9)`, or ESEARCH.
    fn answer(&mut self, cx: &mut Context<'_>) -> NumberLine {
        let found = std::mem::take(&mut self.finder.found);
        let numbers: Vec<u32> = found.iter().map(|seq| self.number(*seq, cx)).collect();
        let modseq = Some(self.finder.highest_modseq).filter(|n| self.asks_modseq && *n > 0);
        let Some(returns) = self.returns else {
            cx.out.extend_from_slice(b"* SEARCH");
            let modseq = modseq.map(|modseq| format!(" (MODSEQ {modseq})")).unwrap_or_default();
            return NumberLine::spaced(numbers, format!("{modseq}\r\n").into_bytes());
        };
        if returns.save {
            sort::save(&answer::saved(&found, returns), cx);
        }
        let answer = Answer { tag: &self.tag, mailbox: None, uid: self.uid, numbers, modseq, returns };
        answer::esearch(answer, &mut cx.w())
    }
}

/// The results numbered `from` to `to` of ranges, from 1, or with negative numbers from the end (RFC 9394 §3.3).
pub(super) fn partial_of(seqs: &[(u32, u32)], (from, to): (i64, i64)) -> Vec<(u32, u32)> {
    let total: i64 = seqs.iter().map(|&(a, b)| i64::from(b - a) + 1).sum();
    let (start, end) = if from > 0 { (from - 1, to) } else { (total + to, total + from + 1) };
    let (start, end) = (start.clamp(0, total), end.clamp(0, total));
    let mut before = 0i64;
    let mut out = Vec::new();
    for &(a, b) in seqs {
        let len = i64::from(b - a) + 1;
        let (skip, stop) = ((start - before).clamp(0, len), (end - before).clamp(0, len));
        if skip < stop {
            let at = |n: i64| a.saturating_add(u32::try_from(n).unwrap_or(0));
            out.push((at(skip), at(stop - 1)));
        }
        before += len;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_ranges_count_from_either_end() {
        assert_eq!(partial_of(&[(1, 3), (7, 9)], (2, 5)), [(2, 3), (7, 8)]);
        assert_eq!(partial_of(&[(1, 3), (7, 9)], (-1, -2)), [(8, 9)]);
        assert_eq!(partial_of(&[(1, 3)], (4, 5)), []);
    }
}
