//! THREAD and UID THREAD. RFC 5256 §3. Finds, takes what threads are made of from the digests, makes them, writes: each in pieces.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use yubin_store::StoreError;

use crate::{
    codec::{
        sort::{Thread, Threading},
        write::push_number,
    },
    limits,
    session::{reply::Reply, user::Context},
};

use super::{
    Outcome,
    find::{self, Finder},
    job::{Job, Progress},
    message_limit, sort,
};

#[path = "threading.rs"]
mod threading;
use threading::{Forest, Message, Messages, References, ordered_subject};

/// A THREAD under way.
pub(crate) struct ThreadJob {
    finder: Finder,
    algorithm: Threading,
    uid: bool,
    stage: Stage,
}

enum Stage {
    Finding,
    /// What threads are made of is known of the messages found before this one.
    Reading(usize, Messages),
    Threading(Box<References>),
    Writing(Forest, ThreadWriter),
}

pub(crate) fn run(cx: &mut Context<'_>, thread: &Thread, uid: bool) -> Result<Outcome, Reply> {
    let charset = find::charset(Some(&thread.charset))?;
    let mut finder = Finder::in_selected(cx, &thread.key, charset)?;
    cx.user.enabled.condstore |= thread.key.asks_modseq();
    message_limit::whole(finder.limit(cx))?;
    let job = ThreadJob { finder, algorithm: thread.algorithm, uid, stage: Stage::Finding };
    Ok(Outcome::Job(Job::Thread(Box::new(job))))
}

impl ThreadJob {
    /// Whether a line has begun and not ended.
    pub(crate) fn in_line(&self) -> bool {
        matches!(self.stage, Stage::Writing(..))
    }

    /// How many messages were looked at, and of how many.
    pub(crate) fn progress(&self) -> (u64, u64) {
        self.finder.progress()
    }

    /// Goes on.
    pub(crate) async fn step(&mut self, cx: &mut Context<'_>) -> Progress {
        match self.go_on(cx).await {
            Ok(true) => {
                let reply = Reply::ok("that is all");
                Progress::Done { reply, known: Vec::new() }
            }
            Ok(false) => Progress::More,
            Err(error) => Progress::Done { reply: error.into(), known: Vec::new() },
        }
    }

    async fn go_on(&mut self, cx: &mut Context<'_>) -> Result<bool, StoreError> {
        match &mut self.stage {
            Stage::Finding => {
                if self.finder.step(cx).await? {
                    self.stage = Stage::Reading(0, Messages::default());
                }
                Ok(false)
            }
            Stage::Reading(next, messages) => {
                let end = self.finder.found.len().min(*next + limits::ORDER_ROWS_AT_ONCE);
                let seqs = self.finder.found.get(*next..end).unwrap_or_default();
                let by_references = self.algorithm == Threading::References;
                sort::read(cx, seqs, true, |seq, row, words| {
                    let count = if by_references { words.references().len() } else { 0 };
                    let message = Message {
                        seq,
                        sent_s: sort::order::sent_s(row, words),
                        subject: hash(words.subject),
                        is_reply: words.is_reply,
                        id: words.id.filter(|_| by_references),
                        references: u32::try_from(count).unwrap_or(0),
                    };
                    messages.push(message, words.references().take(count));
                })
                .await?;
                *next = end;
                if end == self.finder.found.len() {
                    let messages = std::mem::take(messages);
                    if by_references {
                        self.stage = Stage::Threading(Box::new(References::new(messages)));
                    } else {
                        self.begin(ordered_subject(messages), cx.out);
                    }
                }
                Ok(false)
            }
            Stage::Threading(references) => {
                if let Some(forest) = references.step() {
                    self.begin(forest, cx.out);
                }
                Ok(false)
            }
            Stage::Writing(forest, writer) => {
                let selected = cx.user.selected.as_ref().filter(|_| self.uid);
                let number = |seq: u32| match selected {
                    Some(selected) => selected.view.at(seq).map_or(0, |(row, _)| row.uid.0),
                    None => seq,
                };
                let ended = writer.write(forest, cx.out, number);
                if ended {
                    cx.out.extend_from_slice(b"\r\n");
                }
                Ok(ended)
            }
        }
    }

    /// `* THREAD (2)(3 6 (4 23)(44 7 96))`
    fn begin(&mut self, forest: Forest, out: &mut Vec<u8>) {
        out.extend_from_slice(b"* THREAD");
        if !forest.roots().is_empty() {
            out.push(b' ');
        }
        let writer = ThreadWriter::default();
        self.stage = Stage::Writing(forest, writer);
    }
}

/// A subject as a number; none for an empty one. Subjects that meet by chance are a thread; that is what it comes to.
fn hash(subject: &[u8]) -> u64 {
    if subject.is_empty() {
        0
    } else {
        BuildHasherDefault::<DefaultHasher>::default().hash_one(subject).max(1)
    }
}

/// Threads being written.
///
/// ```abnf
/// thread-list = "(" (thread-members / thread-nested) ")"
/// thread-members = nz-number *(SP nz-number) [SP thread-nested]
/// thread-nested = 2*thread-list
/// ```
#[derive(Default)]
struct ThreadWriter {
    next_root: usize,
    /// What is to be written next, the last first.
    open: Vec<Piece>,
}

enum Piece {
    /// A message and what is below it.
    Node(u32),
    /// The same within parentheses.
    List(u32),
    End,
}

impl ThreadWriter {
    /// Writes the next piece. True: that was all.
    fn write(&mut self, forest: &Forest, out: &mut Vec<u8>, number: impl Fn(u32) -> u32) -> bool {
        while out.len() < limits::ANSWER_OCTETS {
            let Some(piece) = self.open.pop() else {
                let Some(root) = forest.roots().get(self.next_root) else { return true };
                self.next_root += 1;
                self.open.push(Piece::List(*root));
                continue;
            };
            match piece {
                Piece::End => out.push(b')'),
                Piece::List(node) => {
                    out.push(b'(');
                    self.open.extend([Piece::End, Piece::Node(node)]);
                }
                Piece::Node(node) => {
                    let (seq, children) = (forest.seq(node), forest.children(node));
                    if seq > 0 {
                        push_number(out, u64::from(number(seq)));
                        out.extend(children.first().map(|_| b' '));
                    }
                    match children {
                        [child] if seq > 0 => self.open.push(Piece::Node(*child)),
                        children => self.open.extend(children.iter().rev().map(|child| Piece::List(*child))),
                    }
                }
            }
        }
        false
    }
}
