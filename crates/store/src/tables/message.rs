//! Message records: what is kept of a message beside its rows. Written at append; never changes until it is purged.

use yubin_base::{AccountId, UnixMs};
use yubin_engine::{BlobRef, Key, Val};

use super::codec::{Reader, Writer};
use crate::{DocId, Record, Staged, ThreadId, limits};

/// All within the value.
const V1: u8 = 1;
/// What was read from the message is too large for a value and lies in a blob of its own.
const V1_SPILLED: u8 = 2;

pub(crate) fn key(account: AccountId, doc: DocId) -> Key {
    let mut key = super::table(account, b'm');
    key.extend_from_slice(&doc.0.to_be_bytes());
    key
}

/// The bounds of the table.
pub(crate) fn range(account: AccountId) -> (Key, Key) {
    (super::table(account, b'm'), super::table_end(account, b'm'))
}

/// The document of a key of this table.
pub(crate) fn doc_of(key: &[u8]) -> Option<DocId> {
    let id = key.get(super::PREFIX_OCTETS..)?.try_into().ok()?;
    Some(DocId(u64::from_be_bytes(id)))
}

/// What a row holds.
pub(crate) enum Stored {
    /// The record.
    Whole(Record),
    /// The record but for what was read from the message: that is in `spill`.
    Spilled { record: Record, spill: BlobRef },
}

/// Whether the record fits into one value, so that [`encode`] may be used.
pub(crate) fn fits(prefix: &[u8], staged: &[u8]) -> bool {
    prefix.len() + staged.len() <= limits::RECORD_OCTETS
}

/// The row of a message whose [`Staged::encode`] is `staged`.
pub(crate) fn encode(thread: ThreadId, prefix: &[u8], staged: &[u8]) -> Val {
    let mut w = Writer::with_capacity(prefix.len() + staged.len() + 24);
    w.u8(V1);
    w.int(thread.0);
    w.octets(prefix);
    w.raw(staged);
    w.sealed()
}

/// The row of a message whose [`Staged::encode`] is in the blob `spill`.
pub(crate) fn encode_spilled(thread: ThreadId, prefix: &[u8], body: &BlobRef, spill: &BlobRef) -> Val {
    let mut w = Writer::version(V1_SPILLED);
    w.int(thread.0);
    w.octets(prefix);
    w.octets(&body.encode());
    w.octets(&spill.encode());
    w.sealed()
}

pub(crate) fn decode(doc: DocId, value: &[u8]) -> Option<Stored> {
    let mut r = Reader::sealed(value)?;
    let version = r.u8()?;
    let thread = ThreadId(r.int()?);
    let prefix = r.octets()?.to_vec();
    match version {
        V1 => Some(Stored::Whole(Record { doc, thread, prefix, staged: Staged::decode(r.rest())? })),
        V1_SPILLED => {
            let blob = BlobRef::decode(r.octets()?)?;
            let spill = BlobRef::decode(r.octets()?)?;
            r.end()?;
            Some(Stored::Spilled { record: Record { doc, thread, prefix, staged: bare(blob) }, spill })
        }
        _ => None,
    }
}

/// What a digest is made of, where it lies within the value; nothing when it is in a blob of its own, or damaged.
pub(crate) fn head(value: &[u8]) -> Option<StagedHead<'_>> {
    let mut r = Reader::sealed(value)?;
    if r.u8()? != V1 {
        return None;
    }
    r.int()?;
    r.octets()?;
    StagedHead::read(&mut r)
}

/// The beginning of a [`Staged`], borrowed.
pub(crate) struct StagedHead<'a> {
    pub(crate) message_id: Option<&'a str>,
    pub(crate) references: Vec<&'a str>,
    pub(crate) envelope: &'a [u8],
}

impl<'a> StagedHead<'a> {
    fn read(r: &mut Reader<'a>) -> Option<Self> {
        // Both versions begin alike.
        if !matches!(r.u8()?, STAGED_V1 | STAGED_V2) {
            return None;
        }
        r.octets()?;
        let message_id = match r.u8()? {
            0 => None,
            _ => Some(r.text()?),
        };
        let count = r.count()?;
        let references = (0..count).map(|_| r.text()).collect::<Option<_>>()?;
        r.octets()?;
        r.int()?;
        Some(Self { message_id, references, envelope: r.octets()? })
    }
}

/// A message of which nothing was read.
fn bare(blob: BlobRef) -> Staged {
    Staged {
        blob,
        message_id: None,
        references: Vec::new(),
        base_subject: String::new(),
        sent_date: None,
        envelope: Vec::new(),
        body_structure: Vec::new(),
        body: Vec::new(),
        structure: Vec::new(),
        received_fields: 0,
        delivered_to: Vec::new(),
        line_ends: false,
        preview: None,
    }
}

/// Without a preview.
const STAGED_V1: u8 = 1;
const STAGED_V2: u8 = 2;

impl Staged {
    /// The byte form, versioned. Without a checksum: what holds it has one.
    pub fn encode(&self) -> Vec<u8> {
        let blob = self.blob.encode();
        let fields = self.envelope.len() + self.body_structure.len() + self.body.len() + self.structure.len();
        let mut w = Writer::with_capacity(blob.len() + fields + 512);
        w.u8(STAGED_V2);
        w.octets(&blob);
        write_text(&mut w, self.message_id.as_deref());
        write_texts(&mut w, &self.references);
        w.octets(self.base_subject.as_bytes());
        w.int(self.sent_date.map_or(0, |at| at.0.saturating_add(1)));
        w.octets(&self.envelope);
        w.octets(&self.body_structure);
        w.octets(&self.body);
        w.octets(&self.structure);
        w.int(u64::from(self.received_fields));
        write_texts(&mut w, &self.delivered_to);
        w.u8(u8::from(self.line_ends));
        write_text(&mut w, self.preview.as_deref());
        w.bare()
    }

    /// Reads the byte form; nothing when it is damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader::bare(bytes);
        let version = r.u8()?;
        if !matches!(version, STAGED_V1 | STAGED_V2) {
            return None;
        }
        let staged = Self {
            blob: BlobRef::decode(r.octets()?)?,
            message_id: read_text(&mut r)?,
            references: read_texts(&mut r)?,
            base_subject: r.text()?.to_owned(),
            sent_date: r.int()?.checked_sub(1).map(UnixMs),
            envelope: r.octets()?.to_vec(),
            body_structure: r.octets()?.to_vec(),
            body: r.octets()?.to_vec(),
            structure: r.octets()?.to_vec(),
            received_fields: r.int32()?,
            delivered_to: read_texts(&mut r)?,
            line_ends: r.u8()? != 0,
            preview: if version == STAGED_V1 { None } else { read_text(&mut r)? },
        };
        r.end().map(|()| staged)
    }
}

fn write_text(w: &mut Writer, text: Option<&str>) {
    w.u8(u8::from(text.is_some()));
    if let Some(text) = text {
        w.octets(text.as_bytes());
    }
}

fn read_text(r: &mut Reader<'_>) -> Option<Option<String>> {
    match r.u8()? {
        0 => Some(None),
        1 => Some(Some(r.text()?.to_owned())),
        _ => None,
    }
}

fn write_texts(w: &mut Writer, texts: &[String]) {
    w.int(texts.len() as u64);
    for text in texts {
        w.octets(text.as_bytes());
    }
}

fn read_texts(r: &mut Reader<'_>) -> Option<Vec<String>> {
    let count = r.count()?;
    (0..count).map(|_| Some(r.text()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged() -> Staged {
        Staged {
            blob: BlobRef::decode(&[&9u64.to_be_bytes()[..], &[7; 16], b"i\0content"].concat()).unwrap(),
            message_id: Some("a@b".into()),
            references: vec!["c@d".into(), "e@f".into()],
            base_subject: "lunch".into(),
            sent_date: Some(UnixMs(0)),
            envelope: b"(NIL)".to_vec(),
            body_structure: b"(1)".to_vec(),
            body: b"(2)".to_vec(),
            structure: vec![1, 2, 3],
            received_fields: 2,
            delivered_to: vec!["ann@example.test".into()],
            line_ends: true,
            preview: Some("Hello".into()),
        }
    }

    #[test]
    fn every_version_stays_readable() {
        let v1 = "01210000000000000009070707070707070707070707070707076900636f6e74656e74010361406202036340640365406605\
                  6c756e6368010528\
                  4e494c290328312903283229030102030201\
                  10616e6e406578616d706c652e7465737401";
        let octet = |at: usize| u8::from_str_radix(&v1[at..at + 2], 16).unwrap();
        let octets: Vec<u8> = (0..v1.len()).step_by(2).map(octet).collect();
        assert_eq!(Staged::decode(&octets), Some(Staged { preview: None, ..staged() }));
        // Version 2 adds the preview.
        let hex: String = staged().encode().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, format!("02{}010548656c6c6f", &v1[2..]));
        assert_eq!(Staged::decode(&staged().encode()), Some(staged()));
        let bare =
            Staged { message_id: None, sent_date: None, references: vec![], preview: None, ..staged() };
        assert_eq!(Staged::decode(&bare.encode()), Some(bare));
    }

    #[test]
    fn damage_is_seen_and_never_panics() {
        let bytes = staged().encode();
        for len in 0..bytes.len() {
            assert_eq!(Staged::decode(&bytes[..len]), None);
        }
        let row = encode(ThreadId(3), b"Return-Path: <>\r\n", &bytes);
        assert_eq!(head(&row).map(|head| head.envelope), Some(&staged().envelope[..]));
        match decode(DocId(4), &row) {
            Some(Stored::Whole(record)) => {
                assert_eq!(record.staged, staged());
                assert_eq!((record.doc, record.thread), (DocId(4), ThreadId(3)));
            }
            _ => panic!("not whole"),
        }
        for at in 0..row.len() {
            let mut bad = row.clone();
            bad[at] ^= 0x10;
            assert!(decode(DocId(4), &bad).is_none());
        }
    }

    #[test]
    fn a_spilled_record_names_both_blobs() {
        let (body, spill) = (staged().blob, staged().blob);
        let row = encode_spilled(ThreadId(3), b"p", &body, &spill);
        match decode(DocId(4), &row) {
            Some(Stored::Spilled { record, spill: found }) => {
                assert_eq!((&record.staged.blob, &found), (&body, &spill));
            }
            _ => panic!("not spilled"),
        }
    }
}
