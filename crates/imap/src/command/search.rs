//! SEARCH and UID SEARCH. RFC 9051 §6.4.4, §6.4.9; RFC 4731 (ESEARCH), RFC 5182 (SEARCHRES), RFC 9394 (PARTIAL), RFC 7162 §3.1.5.
//! Looks at what is cheap first and reads a message only when its row cannot decide.

use std::collections::VecDeque;

use yubin_formats::{charset::Charset, fold_for_search};
use yubin_store::{Row, UidSet};

use crate::{
    codec::{
        search::{Search, SearchReturn},
        set::ranges,
        write::{Code, push_number},
    },
    limits,
    session::{reply::Reply, user::Context},
};

use super::{
    Outcome,
    find::{self, Finder},
    job::{Job, Progress},
    message_limit,
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
    /// Numbers of the old answer that are still to be written.
    writing: Option<VecDeque<u32>>,
}

pub(crate) fn run(cx: &mut Context<'_>, tag: &str, search: Search, uid: bool) -> Result<Outcome, Reply> {
    cx.selected_for_reading()?;
    let asks_modseq = search.key.asks_modseq();
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

    /// Looks at the next messages, or writes what was found.
    pub(crate) async fn step(&mut self, cx: &mut Context<'_>) -> Progress {
        if self.writing.is_some() {
            return self.write_old(cx);
        }
        match self.finder.step(cx).await {
            Ok(true) => {}
            Ok(false) => return Progress::More,
            Err(error) => return Progress::Done { reply: error.into(), known: Vec::new() },
        }
        match self.returns {
            Some(returns) => self.write_new(returns, cx),
            None => {
                cx.out.extend_from_slice(b"* SEARCH");
                self.writing = Some(std::mem::take(&mut self.finder.found).into());
                self.write_old(cx)
            }
        }
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

    /// `* SEARCH 2 3 5 (MODSEQ 9)`
    fn write_old(&mut self, cx: &mut Context<'_>) -> Progress {
        let mut writing = self.writing.take().unwrap_or_default();
        while let Some(seq) = writing.pop_front() {
            let number = self.number(seq, cx);
            cx.out.push(b' ');
            push_number(cx.out, u64::from(number));
            if cx.out.len() >= limits::ANSWER_OCTETS {
                self.writing = Some(writing);
                return Progress::More;
            }
        }
        if self.asks_modseq && self.finder.highest_modseq > 0 {
            cx.w().raw(" (MODSEQ ").number(self.finder.highest_modseq).raw(")");
        }
        cx.out.extend_from_slice(b"\r\n");
        self.done(cx)
    }

    /// `* ESEARCH (TAG "a") UID MIN 2 MAX 5 COUNT 3 ALL 2:3,5` (RFC 4731 §3.2).
    fn write_new(&mut self, returns: SearchReturn, cx: &mut Context<'_>) -> Progress {
        let found = std::mem::take(&mut self.finder.found);
        if returns.save {
            self.save(&found, returns, cx);
        }
        let only_save =
            !(returns.min || returns.max || returns.all || returns.count || returns.partial.is_some());
        if only_save {
            // RFC 5182 §2.1: nothing is told then.
            return self.done(cx);
        }
        let numbers: Vec<u32> = found.iter().map(|seq| self.number(*seq, cx)).collect();
        let mut w = cx.w();
        w.raw("* ESEARCH (TAG ").string(self.tag.as_bytes()).raw(")").raw(if self.uid { " UID" } else { "" });
        if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
            if returns.min {
                w.raw(" MIN ").number(*first);
            }
            if returns.max {
                w.raw(" MAX ").number(*last);
            }
        }
        if returns.count {
            w.raw(" COUNT ").number(numbers.len() as u64);
        }
        if returns.all && !numbers.is_empty() {
            w.raw(" ALL ").set(&ranges(numbers.iter().copied()));
        }
        if let Some((from, to)) = returns.partial {
            let part = part_of(&numbers, (from, to));
            w.raw(" PARTIAL (").raw(&format!("{from}:{to} "));
            if part.is_empty() {
                w.raw("NIL");
            } else {
                w.set(&ranges(part.iter().copied()));
            }
            w.raw(")");
        }
        if self.asks_modseq && self.finder.highest_modseq > 0 {
            w.raw(" MODSEQ ").number(self.finder.highest_modseq);
        }
        w.raw("\r\n");
        self.done(cx)
    }

    /// RFC 5182 §2.1: with MIN or MAX only those are saved, unless all are asked for as well.
    fn save(&self, found: &[u32], returns: SearchReturn, cx: &mut Context<'_>) {
        let Some(selected) = &mut cx.user.selected else { return };
        let narrow = (returns.min || returns.max) && !returns.all && !returns.count;
        let mut kept: Vec<u32> = Vec::new();
        if narrow {
            kept.extend(found.first().filter(|_| returns.min));
            kept.extend(found.last().filter(|_| returns.max));
        } else {
            kept.extend_from_slice(match returns.partial {
                // RFC 9394 §3.1: PARTIAL saves what it returned.
                Some(range) if !returns.count => part_of(found, range),
                _ => found,
            });
        }
        let uids =
            kept.iter().filter_map(|seq| selected.view.at(*seq)).map(|(row, _): (&Row, bool)| row.uid.0);
        selected.saved = UidSet::from_ranges(ranges(uids));
    }
}

/// The results numbered `from` to `to`, from 1, or with negative numbers from the end (RFC 9394 §3.1).
fn part_of(numbers: &[u32], (from, to): (i64, i64)) -> &[u32] {
    let len = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
    let (start, end) = if from > 0 { (from - 1, to) } else { (len + to, len + from + 1) };
    let index = |n: i64| usize::try_from(n.clamp(0, len)).unwrap_or(0);
    numbers.get(index(start)..index(end)).unwrap_or_default()
}

/// The same of ranges.
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

/// Text as it is compared.
fn folded(text: &[u8], charset: Charset) -> String {
    fold_for_search(&charset.decode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_count_from_either_end() {
        let numbers = [2, 4, 6, 8];
        assert_eq!(part_of(&numbers, (1, 2)), [2, 4]);
        assert_eq!(part_of(&numbers, (4, 9)), [8]);
        assert_eq!(part_of(&numbers, (5, 9)), [0u32; 0]);
        assert_eq!(part_of(&numbers, (-1, -2)), [6, 8]);
        assert_eq!(part_of(&numbers, (-3, -9)), [2, 4]);
        assert_eq!(partial_of(&[(1, 3), (7, 9)], (2, 5)), [(2, 3), (7, 8)]);
        assert_eq!(partial_of(&[(1, 3), (7, 9)], (-1, -2)), [(8, 9)]);
        assert_eq!(partial_of(&[(1, 3)], (4, 5)), []);
    }
}
