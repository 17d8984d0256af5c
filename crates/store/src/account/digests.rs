//! Digests of messages, from memory or made from their records. RFC 5256.

use std::{collections::BTreeMap, sync::Arc};

use yubin_engine::Val;
use yubin_formats::mail;

use super::Account;
use crate::{
    DocId, Record, StoreError,
    digest::{Digest, DigestPage, Source},
    limits,
    tables::{self, message},
};

impl Account {
    /// The digests of several messages, in their order; those of messages that are gone are none.
    /// What is not in memory is read: ask for a few hundred at a time.
    pub async fn digests(&self, docs: &[DocId]) -> Result<Vec<Option<Digest>>, StoreError> {
        let mut pages: BTreeMap<u64, Arc<DigestPage>> = BTreeMap::new();
        {
            let mut cache = self.core.digests.lock();
            for doc in docs {
                let number = DigestPage::of(*doc);
                pages.entry(number).or_insert_with(|| cache.get(self.id, number).unwrap_or_default());
            }
        }
        let is_missing = |doc: &DocId| pages.get(&DigestPage::of(*doc)).is_none_or(|page| !page.has(*doc));
        let missing: Vec<DocId> = docs.iter().copied().filter(is_missing).collect();
        for docs in missing.chunks(limits::DIGESTS_AT_ONCE) {
            self.make_digests(docs, &mut pages).await?;
        }
        if !missing.is_empty() {
            let mut cache = self.core.digests.lock();
            let mut changed: Vec<u64> = missing.iter().map(|doc| DigestPage::of(*doc)).collect();
            changed.dedup();
            for number in changed {
                if let Some(page) = pages.get(&number) {
                    cache.put(self.id, number, Arc::clone(page));
                }
            }
        }
        Ok(docs.iter().map(|doc| pages.get(&DigestPage::of(*doc))?.digest(*doc)).collect())
    }

    async fn make_digests(
        &self,
        docs: &[DocId],
        pages: &mut BTreeMap<u64, Arc<DigestPage>>,
    ) -> Result<(), StoreError> {
        let keys: Vec<_> = docs.iter().map(|doc| message::key(self.id, *doc)).collect();
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let values = view.get_many(&keys).await?;
        drop(view);
        for (doc, value) in docs.iter().zip(values) {
            let Some(value) = value else { continue };
            let page = Arc::make_mut(pages.entry(DigestPage::of(*doc)).or_default());
            match message::head(&value) {
                Some(head) if head.references.len() < limits::THREAD_REFERENCES => page.add(
                    *doc,
                    &Source {
                        envelope: head.envelope,
                        message_id: head.message_id,
                        references: &head.references,
                    },
                ),
                _ => self.digest_of_record(*doc, &value, page).await?,
            }
        }
        Ok(())
    }

    /// Where the record does not lie in one value, or keeps only some of the references: these are read from the header.
    async fn digest_of_record(
        &self,
        doc: DocId,
        value: &Val,
        page: &mut DigestPage,
    ) -> Result<(), StoreError> {
        let record = self.decode_record(doc, value).await?;
        let references = self.all_references(&record).await?;
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        let staged = &record.staged;
        let message_id = staged.message_id.as_deref();
        page.add(doc, &Source { envelope: &staged.envelope, message_id, references: &references });
        Ok(())
    }

    async fn all_references(&self, record: &Record) -> Result<Vec<String>, StoreError> {
        if record.staged.references.len() < limits::THREAD_REFERENCES {
            return Ok(record.staged.references.clone());
        }
        let end = mail::Structure::decode(&record.staged.structure).map_or(0, |s| s.root.body_start);
        let from = record.prefix.len() as u64;
        let header = self.read(record, from..from + end.min(limits::DIGEST_HEADER_OCTETS)).await?;
        let ids = match mail::references(&header) {
            ids if ids.is_empty() => mail::in_reply_to(&header),
            ids => ids,
        };
        Ok(ids.into_iter().map(|id| String::from_utf8_lossy(&id).into_owned()).collect())
    }
}
