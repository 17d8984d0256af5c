//! Index chunks: up to 256 rows of one mailbox in columns. Written now and then; the log has what came since.

use yubin_base::{AccountId, UnixMs};
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};
use crate::{DocId, Flags, KeywordBits, MailboxId, ModSeq, Page, Row, ThreadId, Uid, limits};

const V1: u8 = 1;

/// The key of the chunk that begins with this UID.
pub(crate) fn key(account: AccountId, mailbox: MailboxId, first: Uid) -> Key {
    let mut key = super::table(account, b'i');
    key.extend_from_slice(&mailbox.0.to_be_bytes());
    key.extend_from_slice(&first.0.to_be_bytes());
    key
}

/// Where the table begins.
pub(crate) fn table(account: AccountId) -> Key {
    super::table(account, b'i')
}

/// Where the table ends.
pub(crate) fn table_end(account: AccountId) -> Key {
    super::table_end(account, b'i')
}

/// The bounds of a mailbox's chunks.
pub(crate) fn range(account: AccountId, mailbox: MailboxId) -> (Key, Key) {
    let mut to = super::table(account, b'i');
    match mailbox.0.checked_add(1) {
        Some(next) => to.extend_from_slice(&next.to_be_bytes()),
        None => to = super::table_end(account, b'i'),
    }
    (key(account, mailbox, Uid(0)), to)
}

/// Rows in the form that chunks and the log share. Columns are differences to the row before, so that neighbours are short.
pub(crate) fn write_rows(w: &mut Writer, rows: &[Row]) {
    w.int(rows.len() as u64);
    let mut last = Row::ZERO;
    for row in rows {
        w.int(u64::from(row.uid.0.wrapping_sub(last.uid.0)));
        w.delta(last.doc.0, row.doc.0);
        w.int(u64::from(row.flags.0));
        w.int(row.keywords.0);
        w.delta(last.modseq.0, row.modseq.0);
        w.delta(last.internal_date.0, row.internal_date.0);
        w.delta(row.internal_date.0, row.save_date.0);
        w.int(u64::from(row.size_octets));
        w.delta(row.doc.0, row.thread.0);
        last = *row;
    }
}

/// Reads what [`write_rows`] wrote.
pub(crate) fn read_rows(r: &mut Reader<'_>) -> Option<Vec<Row>> {
    let count = r.count()?;
    let mut rows = Vec::with_capacity(count);
    let mut last = Row::ZERO;
    for _ in 0..count {
        let uid = Uid(last.uid.0.checked_add(r.int32()?)?);
        let doc = r.delta(last.doc.0)?;
        let flags = Flags(r.int()?.try_into().ok()?);
        let keywords = KeywordBits(r.int()?);
        let modseq = ModSeq(r.delta(last.modseq.0)?);
        let internal_date = r.delta(last.internal_date.0)?;
        let save_date = UnixMs(r.delta(internal_date)?);
        let size_octets = r.int32()?;
        let thread = ThreadId(r.delta(doc)?);
        let internal_date = UnixMs(internal_date);
        last = Row {
            uid,
            doc: DocId(doc),
            flags,
            keywords,
            modseq,
            internal_date,
            save_date,
            size_octets,
            thread,
        };
        rows.push(last);
    }
    Some(rows)
}

impl Row {
    const ZERO: Row = Row {
        uid: Uid(0),
        doc: DocId(0),
        flags: Flags(0),
        keywords: KeywordBits(0),
        modseq: ModSeq(0),
        internal_date: UnixMs(0),
        save_date: UnixMs(0),
        size_octets: 0,
        thread: ThreadId(0),
    };
}

pub(crate) fn encode(page: &Page) -> Val {
    let mut w = Writer::with_capacity(page.rows.len() * 24 + 16);
    w.u8(V1);
    write_rows(&mut w, &page.rows);
    w.sealed()
}

pub(crate) fn decode(value: &[u8]) -> Option<Page> {
    let mut r = Reader::sealed_version(value, V1)?;
    let rows = read_rows(&mut r)?;
    r.end()?;
    let ascending = rows.iter().zip(rows.iter().skip(1)).all(|(a, b)| a.uid < b.uid);
    (ascending && !rows.is_empty() && rows.len() <= limits::PAGE_ROWS).then_some(Page { rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let row = |uid, doc, thread| Row {
            uid: Uid(uid),
            doc: DocId(doc),
            flags: Flags::SEEN,
            keywords: KeywordBits(1 << 63),
            modseq: ModSeq(12),
            internal_date: UnixMs(1_000),
            save_date: UnixMs(900),
            size_octets: 4096,
            thread: ThreadId(thread),
        };
        let page = Page { rows: vec![row(5, 40, 40), row(9, 20, 40)] };
        let value = encode(&page);
        let hex: String = value[..value.len() - 4].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "0102055001808080808080808080011\
             8d00fc701802000042701808080808080808080010000c701802028"
                .replace(' ', "")
        );
        assert_eq!(decode(&value).unwrap().rows, page.rows);
    }

    #[test]
    fn a_row_takes_few_octets() {
        let rows: Vec<Row> = (0..256u64)
            .map(|n| Row {
                uid: Uid(1000 + n as u32),
                doc: DocId(5000 + n),
                modseq: ModSeq(70_000 + n),
                internal_date: UnixMs(1_700_000_000_000 + n * 61_003),
                save_date: UnixMs(1_700_000_000_010 + n * 61_003),
                size_octets: 4000 + n as u32,
                thread: ThreadId(5000 + n),
                ..Row::ZERO
            })
            .collect();
        assert!(encode(&Page { rows }).len() < 256 * 14);
    }
}
