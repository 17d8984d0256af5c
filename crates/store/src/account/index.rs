//! The account's search index: built and merged in the background, asked by searches. Losing it costs time only, so its commits are
//! lazy; they expect the index's own head, and never touch the account's.

use std::{collections::BTreeSet, sync::Arc};

use yubin_engine::{Batch, CommitError, Durability, Op, Pre, ReadError, View};

use super::{Account, load::scan_all, text::breathe};
use crate::{
    DocId, StoreError, events,
    index::{
        IndexAnswer, Sought,
        build::Builder,
        merge::{self, Merge},
        query,
    },
    limits,
    tables::{
        self,
        codec::damaged,
        head,
        index::{self, IndexHead, Segment},
    },
};

/// What one step of indexing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexStep {
    /// Messages that are in the index now and were not before.
    pub messages: u64,
    /// Whether segments were merged.
    pub merged: bool,
    /// There is more to do.
    pub more: bool,
}

/// How the index stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexStats {
    /// Messages that are in it.
    pub messages: u64,
    /// Messages that came in since: they are read by every search.
    pub waiting: u64,
    /// Segments.
    pub segments: u64,
    /// Octets of its values.
    pub octets: u64,
}

/// The index as stored.
struct Stored {
    view: Arc<dyn View>,
    /// The head's value, for commits to expect.
    value: Option<Vec<u8>>,
    head: IndexHead,
    /// The next document that the account will give.
    next_doc: u64,
}

impl Account {
    /// What the index says about texts, in their order; nothing where it cannot help. A damaged index cannot.
    pub async fn ask_index(&self, texts: &[(Sought, &str)]) -> Result<Vec<Option<IndexAnswer>>, StoreError> {
        let mut answers: Vec<Option<IndexAnswer>> = texts.iter().map(|_| None).collect();
        let stored = match self.stored_index().await {
            Ok(stored) => stored,
            Err(StoreError::Read(ReadError::Corrupt(_))) => return Ok(answers),
            Err(error) => return Err(error),
        };
        let mut octets = 0;
        for ((sought, text), answer) in texts.iter().zip(&mut answers) {
            if octets >= limits::INDEX_ANSWER_OCTETS || stored.head.segments.is_empty() {
                break;
            }
            match query::ask(&stored.view, self.id, &stored.head, sought, text).await {
                Ok(found) => *answer = found,
                Err(StoreError::Read(ReadError::Corrupt(_))) => {
                    // The next step of indexing finds it, too, and begins anew.
                    self.core.wanted.add(self.id);
                    break;
                }
                Err(error) => return Err(error),
            }
            octets += answer.as_ref().map_or(0, IndexAnswer::octets);
        }
        Ok(answers)
    }

    /// How the index stands.
    pub async fn index_stats(&self) -> Result<IndexStats, StoreError> {
        let Stored { head, next_doc, .. } = self.stored_index().await?;
        Ok(IndexStats {
            messages: head.segments.iter().map(|s| s.docs).sum(),
            waiting: next_doc.saturating_sub(head.until.max(1)),
            segments: head.segments.len() as u64,
            octets: head.segments.iter().map(|s| s.octets).sum(),
        })
    }

    /// Forgets the index; it is built anew in the background.
    pub async fn drop_index(&self) -> Result<(), StoreError> {
        let _turn = self.indexer.lock().await;
        let (from, to) = index::range(self.id);
        let batch = Batch {
            part: tables::part(self.id),
            ops: vec![Op::DelRange(from, to)],
            durability: Durability::Lazy,
            ..Batch::default()
        };
        self.core.engine.commit(batch).await?;
        self.core.wanted.add(self.id);
        Ok(())
    }

    /// Does the next piece of work: takes messages in once enough wait, or merges segments. A damaged index is dropped.
    pub async fn index_step(&self) -> Result<IndexStep, StoreError> {
        match self.index_once().await {
            Err(StoreError::Read(ReadError::Corrupt(what))) => {
                yubin_base::event!(events::INDEX_DROPPED, account = %self.id, what = %what);
                self.drop_index().await?;
                Ok(IndexStep { more: true, ..IndexStep::default() })
            }
            // Somebody else changed the index or removed the account; what is left to do shows the next time.
            Err(StoreError::Commit(CommitError::Conflict(_)) | StoreError::NoAccount) => {
                Ok(IndexStep::default())
            }
            other => other,
        }
    }

    async fn index_once(&self) -> Result<IndexStep, StoreError> {
        let _turn = self.indexer.lock().await;
        let stored = self.stored_index().await?;
        let from = stored.head.until.max(1);
        if stored.next_doc.saturating_sub(from) >= limits::INDEX_BATCH {
            return self.index_messages(stored, from).await;
        }
        let gone = self.gone(&*stored.view, 0, u64::MAX).await?;
        match merge::due(&stored.head.segments, &gone) {
            Some(run) => self.merge(stored, run).await,
            None => Ok(IndexStep::default()),
        }
    }

    async fn stored_index(&self) -> Result<Stored, StoreError> {
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let next_doc = self.read_head(&*view).await?.ok_or(StoreError::NoAccount)?.next_doc;
        let key = index::head_key(self.id);
        let value = view.get(&key).await?;
        let head = match &value {
            Some(value) => IndexHead::decode(value).ok_or_else(|| damaged("the head of the index", &key))?,
            None => IndexHead::default(),
        };
        Ok(Stored { view, value, head, next_doc })
    }

    /// Documents whose content is gone, ascending.
    async fn gone(&self, view: &dyn View, from: u64, to: u64) -> Result<Vec<u64>, StoreError> {
        let (from, to) = (index::gone_key(self.id, from), index::gone_key(self.id, to));
        let rows = scan_all(view, from, &to).await?;
        Ok(rows.iter().filter_map(|(key, _)| index::gone_doc(key)).collect())
    }

    async fn index_messages(&self, stored: Stored, from: u64) -> Result<IndexStep, StoreError> {
        let Stored { view, value, mut head, next_doc } = stored;
        // Long work: what is read from here on is read from views of its own.
        drop(view);
        let value = match value {
            Some(value) => value,
            None => self.begin_index(&head).await?,
        };
        let mut builder = Builder::new(from, self.core.random.u64());
        let mut to = from;
        while to < next_doc && !builder.is_full() {
            self.index_message(DocId(to), &mut builder).await?;
            to += 1;
            breathe().await;
        }
        let (messages, id) = (builder.docs(), head.next_segment);
        head.next_segment += 1;
        head.until = to;
        if messages > 0 {
            let (segment, commits) = builder.finish(self.id, id, to);
            head.segments.push(segment);
            self.commit_index(&value, self.segment_gone(id)).await?;
            for ops in commits {
                self.commit_index(&value, ops).await?;
            }
        }
        self.commit_index(&value, vec![Op::Put(index::head_key(self.id), head.encode())]).await?;
        yubin_base::event!(events::INDEXED, account = %self.id, messages);
        // Whether there is more to take in, or to merge now, the next step sees.
        Ok(IndexStep { messages, merged: false, more: true })
    }

    /// Makes the head of an index that was not there. With the account's own modseq expected: an account that is being erased
    /// leaves nothing behind.
    async fn begin_index(&self, head: &IndexHead) -> Result<Vec<u8>, StoreError> {
        let writer = self.write().await?;
        let (key, value) = (index::head_key(self.id), head.encode());
        let batch = Batch {
            part: tables::part(self.id),
            pre: vec![Pre::Version(head::key(self.id), writer.head.modseq), Pre::Absent(key.clone())],
            ops: vec![Op::Put(key, value.clone())],
            durability: Durability::Lazy,
            ..Batch::default()
        };
        self.core.engine.commit(batch).await?;
        Ok(value)
    }

    async fn index_message(&self, doc: DocId, builder: &mut Builder) -> Result<(), StoreError> {
        let record = match self.record(doc).await {
            Ok(record) => record,
            Err(StoreError::Gone) => return Ok(()),
            Err(StoreError::Read(ReadError::Corrupt(_))) => {
                // Searches meet the damage, and say so.
                builder.document(doc.0);
                builder.unread(doc.0);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut text = self.text(&record);
        let mut terms = builder.document(doc.0);
        let read = match text.header(None).await {
            Ok(header) => {
                terms.header(&header);
                text.body(&mut terms).await
            }
            Err(error) => Err(error),
        };
        let unread = match read {
            Ok(()) => terms.too_much(),
            Err(StoreError::Read(ReadError::Corrupt(_))) => true,
            Err(error) => return Err(error),
        };
        if unread {
            builder.unread(doc.0);
        }
        Ok(())
    }

    async fn merge(&self, stored: Stored, run: std::ops::Range<usize>) -> Result<IndexStep, StoreError> {
        let Stored { view, value, mut head, .. } = stored;
        let (Some(value), Some(segments)) = (value, head.segments.get(run.clone()).map(<[Segment]>::to_vec))
        else {
            return Ok(IndexStep::default());
        };
        let from = run.start.checked_sub(1).and_then(|before| head.segments.get(before)).map_or(0, |s| s.to);
        let to = segments.last().map_or(0, |s| s.to);
        let gone: BTreeSet<u64> = self.gone(&*view, from, to).await?.into_iter().collect();
        let id = head.next_segment;
        head.next_segment += 1;
        self.commit_index(&value, self.segment_gone(id)).await?;
        let mut merge = Merge::new(view, self.id, &segments, &gone, id);
        while let Some(ops) = merge.step().await? {
            self.commit_index(&value, ops).await?;
            // What is merged cannot change meanwhile, and no view is held for long.
            merge.renew(&self.core.engine.view(tables::part(self.id)).await?);
            breathe().await;
        }
        let (ops, segment) = merge.finish(&segments, id);
        self.commit_index(&value, ops).await?;
        head.segments.splice(run, (segment.docs > 0).then_some(segment));
        let mut ops = vec![Op::Put(index::head_key(self.id), head.encode())];
        ops.push(Op::DelRange(index::gone_key(self.id, from), index::gone_key(self.id, to)));
        ops.extend(segments.iter().flat_map(|old| self.segment_gone(old.id)));
        self.commit_index(&value, ops).await?;
        Ok(IndexStep { messages: 0, merged: true, more: true })
    }

    /// Removes what is stored under the number of a segment: an old one, or what an attempt that was cut short left behind.
    fn segment_gone(&self, id: u64) -> Vec<Op> {
        index::segment_ranges(self.id, id).map(|(from, to)| Op::DelRange(from, to)).to_vec()
    }

    async fn commit_index(&self, expected: &[u8], ops: Vec<Op>) -> Result<(), StoreError> {
        let batch = Batch {
            part: tables::part(self.id),
            pre: vec![Pre::Equals(index::head_key(self.id), expected.to_vec())],
            ops,
            durability: Durability::Lazy,
            ..Batch::default()
        };
        self.core.engine.commit(batch).await?;
        Ok(())
    }
}
