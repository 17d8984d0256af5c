//! Reading: records, bodies, the log.

use std::{ops::Range, sync::Arc};

use yubin_engine::Val;

use super::Account;
use crate::{
    DocId, LogEntry, ModSeq, Record, Staged, StoreError,
    tables::{
        self,
        codec::damaged,
        message::{self, Stored},
    },
};

impl Account {
    /// What is kept of a message; also of one expunged a short while ago.
    pub async fn record(&self, doc: DocId) -> Result<Arc<Record>, StoreError> {
        let key = message::key(self.id, doc);
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let value = view.get(&key).await?.ok_or(StoreError::Gone)?;
        drop(view);
        self.decode_record(doc, &value).await.map(Arc::new)
    }

    /// The records of several, in their order; gone ones are none.
    pub async fn records(&self, docs: &[DocId]) -> Result<Vec<Option<Arc<Record>>>, StoreError> {
        if docs.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = docs.iter().map(|doc| message::key(self.id, *doc)).collect();
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let values = view.get_many(&keys).await?;
        drop(view);
        let mut records = Vec::with_capacity(docs.len());
        for (doc, value) in docs.iter().zip(values) {
            records.push(match value {
                Some(value) => Some(Arc::new(self.decode_record(*doc, &value).await?)),
                None => None,
            });
        }
        Ok(records)
    }

    pub(super) async fn decode_record(&self, doc: DocId, value: &Val) -> Result<Record, StoreError> {
        let damage = || damaged("a message", &message::key(self.id, doc));
        match message::decode(doc, value).ok_or_else(damage)? {
            Stored::Whole(record) => Ok(record),
            Stored::Spilled { record, spill } => {
                let octets = self.core.engine.blob_read(&spill, 0..spill.size_octets).await?;
                Ok(Record { staged: Staged::decode(&octets).ok_or_else(damage)?, ..record })
            }
        }
    }

    /// Octets `range` of the raw message (prefix and content), clipped to its size. Read long bodies in pieces.
    pub async fn read(&self, record: &Record, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let prefix_octets = record.prefix.len() as u64;
        let end = range.end.min(record.size_octets());
        if range.start >= end {
            return Ok(Vec::new());
        }
        let from_prefix = range.start.min(prefix_octets) as usize..end.min(prefix_octets) as usize;
        let prefix = record.prefix.get(from_prefix).unwrap_or_default();
        let blob = range.start.saturating_sub(prefix_octets)..end.saturating_sub(prefix_octets);
        if blob.is_empty() {
            return Ok(prefix.to_vec());
        }
        let body = self.core.engine.blob_read(&record.staged.blob, blob).await?;
        if prefix.is_empty() {
            return Ok(body);
        }
        Ok([prefix, &body].concat())
    }

    /// What happened after `since`, oldest first; nothing when the log does not reach back that far.
    pub async fn log(&self, since: ModSeq) -> Result<Option<Vec<Arc<LogEntry>>>, StoreError> {
        // Sessions are told no more than what is proven durable.
        let until = self.state().modseq;
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let head = self.read_head(&*view).await?.ok_or(StoreError::NoAccount)?;
        if since.0 < head.log_floor {
            return Ok(None);
        }
        if since >= until {
            return Ok(Some(Vec::new()));
        }
        let entries = self.read_log(&*view, since.0 + 1, until.0).await?;
        Ok(Some(entries.into_iter().map(Arc::new).collect()))
    }
}
