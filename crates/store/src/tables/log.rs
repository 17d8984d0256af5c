//! The change log: one entry a commit, cut into parts that fit into values.

use std::sync::Arc;

use yubin_base::{AccountId, UnixMs};
use yubin_engine::{Key, Op, Val};

use super::chunk::{read_rows, write_rows};
use super::codec::{Reader, Writer};
use super::mailbox::{read_acl, special_use_code, special_use_of, write_acl};
use crate::{Change, Flags, Keyword, KeywordBits, LogEntry, MailboxId, ModSeq, UidSet, UidValidity};

const V1: u8 = 1;

/// What one part holds at most.
const PART_OCTETS: usize = 60_000;

const CREATED: u8 = 1;
const DELETED: u8 = 2;
const RENAMED: u8 = 3;
const SUBSCRIBED: u8 = 4;
const APPENDED: u8 = 5;
const FLAGS: u8 = 6;
const EXPUNGED: u8 = 7;
const ACL: u8 = 8;
const SEEN: u8 = 10;
const SCRIPT: u8 = 16;
const SCRIPT_ACTIVE: u8 = 17;
const ANNOTATED: u8 = 9;

/// The key of a part. Part 0 of the next modseq is where an entry ends.
pub(crate) fn key(account: AccountId, modseq: u64, part: u16) -> Key {
    let mut key = super::table(account, b'l');
    key.extend_from_slice(&modseq.to_be_bytes());
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// The modseq of a key of this table.
fn modseq_of(key: &[u8]) -> Option<u64> {
    let (modseq, _) = key.get(super::PREFIX_OCTETS..)?.split_first_chunk::<8>()?;
    Some(u64::from_be_bytes(*modseq))
}

/// The operations that write an entry.
pub(crate) fn puts(account: AccountId, entry: &LogEntry, ops: &mut Vec<Op>) {
    let value = encode(entry);
    for (part, octets) in value.chunks(PART_OCTETS).enumerate() {
        ops.push(Op::Put(key(account, entry.modseq.0, part as u16), octets.to_vec()));
    }
}

/// The operation that removes what another attempt wrote ahead of this modseq, from a part on.
pub(crate) fn clear(account: AccountId, modseq: u64, from: u16) -> Op {
    Op::DelRange(key(account, modseq, from), key(account, modseq.saturating_add(1), 0))
}

/// Joins the parts of a scan of the table into entries. Nothing when one is damaged. An entry whose last parts lie behind
/// the end of the scan is left out when `cut`, and is damage otherwise.
pub(crate) fn entries(pairs: &[(Key, Val)], cut: bool) -> Option<Vec<LogEntry>> {
    let groups: Vec<&[(Key, Val)]> = pairs.chunk_by(|a, b| modseq_of(&a.0) == modseq_of(&b.0)).collect();
    let mut out = Vec::with_capacity(groups.len());
    for (n, group) in groups.iter().enumerate() {
        if cut && n + 1 == groups.len() {
            break;
        }
        let (first, rest) = group.split_first()?;
        let modseq = modseq_of(&first.0)?;
        let entry = if rest.is_empty() {
            decode(modseq, &first.1)?
        } else {
            let whole: Vec<u8> = group.iter().flat_map(|(_, v)| v.iter().copied()).collect();
            decode(modseq, &whole)?
        };
        out.push(entry);
    }
    Some(out)
}

fn encode(entry: &LogEntry) -> Vec<u8> {
    let mut w = Writer::version(V1);
    w.u64(entry.at.0);
    w.u64(entry.tag);
    w.int(entry.changes.len() as u64);
    for change in &entry.changes {
        write_change(&mut w, change);
    }
    w.sealed()
}

fn decode(modseq: u64, value: &[u8]) -> Option<LogEntry> {
    let mut r = Reader::sealed_version(value, V1)?;
    let (at, tag) = (UnixMs(r.u64()?), r.u64()?);
    let count = r.count()?;
    let changes: Option<Vec<Change>> = (0..count).map(|_| read_change(&mut r)).collect();
    let entry = LogEntry { modseq: ModSeq(modseq), at, tag, changes: changes? };
    r.end().map(|()| entry)
}

fn write_change(w: &mut Writer, change: &Change) {
    match change {
        Change::Created { mailbox, name, uid_validity, special_use, no_select } => {
            w.u8(CREATED);
            w.int(u64::from(mailbox.0));
            w.octets(name.as_bytes());
            w.u32(uid_validity.0);
            w.u8(special_use_code(*special_use));
            w.u8(u8::from(*no_select));
        }
        Change::Deleted { mailbox } => {
            w.u8(DELETED);
            w.int(u64::from(mailbox.0));
        }
        Change::Renamed { mailbox, name } => {
            w.u8(RENAMED);
            w.int(u64::from(mailbox.0));
            w.octets(name.as_bytes());
        }
        Change::Acl { mailbox, acl } => {
            w.u8(ACL);
            w.int(u64::from(mailbox.0));
            write_acl(w, acl);
        }
        Change::Seen { mailbox, viewer, uids, seen } => {
            w.u8(SEEN);
            w.int(u64::from(mailbox.0));
            w.int(viewer.0);
            w.u8(u8::from(*seen));
            write_uids(w, uids);
        }
        Change::Subscribed { name, subscribed } => {
            w.u8(SUBSCRIBED);
            w.octets(name.as_bytes());
            w.u8(u8::from(*subscribed));
        }
        Change::Script { name, octets } => {
            w.u8(SCRIPT);
            w.octets(name.as_bytes());
            w.u8(u8::from(octets.is_some()));
            w.int(octets.unwrap_or(0) as u64);
        }
        Change::ScriptActive { name } => {
            w.u8(SCRIPT_ACTIVE);
            // No script has the empty name.
            w.octets(name.as_deref().unwrap_or("").as_bytes());
        }
        Change::Annotated { mailbox, entries } => {
            w.u8(ANNOTATED);
            w.int(u64::from(mailbox.map_or(0, |id| id.0)));
            w.int(entries.len() as u64);
            for (name, value) in entries {
                w.octets(name.as_bytes());
                w.u8(u8::from(value.is_some()));
                w.octets(value.as_deref().unwrap_or_default());
            }
        }
        Change::Appended { mailbox, keywords, rows } => {
            w.u8(APPENDED);
            w.int(u64::from(mailbox.0));
            write_keywords(w, keywords);
            write_rows(w, rows);
        }
        Change::Flags { mailbox, keywords, uids, clear, set } => {
            w.u8(FLAGS);
            w.int(u64::from(mailbox.0));
            write_keywords(w, keywords);
            write_uids(w, uids);
            w.int(u64::from(clear.0.0));
            w.int(clear.1.0);
            w.int(u64::from(set.0.0));
            w.int(set.1.0);
        }
        Change::Expunged { mailbox, uids } => {
            w.u8(EXPUNGED);
            w.int(u64::from(mailbox.0));
            write_uids(w, uids);
        }
    }
}

fn read_change(r: &mut Reader<'_>) -> Option<Change> {
    let kind = r.u8()?;
    if kind == SUBSCRIBED {
        return Some(Change::Subscribed { name: r.text()?.to_owned(), subscribed: r.u8()? != 0 });
    }
    if kind == SCRIPT {
        let (name, there, octets) = (r.text()?.to_owned(), r.u8()? != 0, usize::try_from(r.int()?).ok()?);
        return Some(Change::Script { name, octets: there.then_some(octets) });
    }
    if kind == SCRIPT_ACTIVE {
        let name = r.text()?;
        return Some(Change::ScriptActive { name: (!name.is_empty()).then(|| name.to_owned()) });
    }
    let mailbox = MailboxId(r.int32()?);
    Some(match kind {
        CREATED => Change::Created {
            mailbox,
            name: r.text()?.to_owned(),
            uid_validity: UidValidity(r.u32()?),
            special_use: special_use_of(r.u8()?)?,
            no_select: r.u8()? != 0,
        },
        DELETED => Change::Deleted { mailbox },
        ACL => Change::Acl { mailbox, acl: read_acl(r)? },
        SEEN => {
            let (viewer, seen) = (AccountId(r.int()?), r.u8()? != 0);
            Change::Seen { mailbox, viewer, uids: read_uids(r)?, seen }
        }
        RENAMED => Change::Renamed { mailbox, name: r.text()?.to_owned() },
        APPENDED => Change::Appended { mailbox, keywords: read_keywords(r)?, rows: read_rows(r)? },
        FLAGS => Change::Flags {
            mailbox,
            keywords: read_keywords(r)?,
            uids: read_uids(r)?,
            clear: (Flags(r.int()?.try_into().ok()?), KeywordBits(r.int()?)),
            set: (Flags(r.int()?.try_into().ok()?), KeywordBits(r.int()?)),
        },
        EXPUNGED => Change::Expunged { mailbox, uids: read_uids(r)? },
        ANNOTATED => {
            let mailbox = (mailbox.0 != 0).then_some(mailbox);
            let count = r.count()?;
            let entries: Option<Vec<_>> = (0..count).map(|_| read_annotation(r)).collect();
            Change::Annotated { mailbox, entries: entries? }
        }
        _ => return None,
    })
}

fn read_annotation(r: &mut Reader<'_>) -> Option<(String, Option<Arc<[u8]>>)> {
    let name = r.text()?.to_owned();
    let is_set = r.u8()? != 0;
    let value = r.octets()?;
    Some((name, is_set.then(|| value.into())))
}

fn write_keywords(w: &mut Writer, keywords: &[Keyword]) {
    w.int(keywords.len() as u64);
    for keyword in keywords {
        w.octets(keyword.as_str().as_bytes());
    }
}

fn read_keywords(r: &mut Reader<'_>) -> Option<Vec<Keyword>> {
    let count = r.count()?;
    (0..count).map(|_| Keyword::new(r.text()?)).collect()
}

fn write_uids(w: &mut Writer, uids: &UidSet) {
    w.int(uids.ranges().len() as u64);
    let mut last = 0;
    for (from, to) in uids.ranges() {
        w.int(u64::from(from.wrapping_sub(last)));
        w.int(u64::from(to.wrapping_sub(*from)));
        last = *to;
    }
}

fn read_uids(r: &mut Reader<'_>) -> Option<UidSet> {
    let count = r.count()?;
    let mut last = 0u32;
    let mut ranges = Vec::with_capacity(count);
    for _ in 0..count {
        let from = last.checked_add(r.int32()?)?;
        let to = from.checked_add(r.int32()?)?;
        ranges.push((from, to));
        last = to;
    }
    Some(UidSet::from_ranges(ranges))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DocId, Row, SpecialUse, ThreadId, Uid};

    fn entry() -> LogEntry {
        let mailbox = MailboxId(3);
        LogEntry {
            modseq: ModSeq(9),
            at: UnixMs(1),
            tag: 2,
            changes: vec![
                Change::Created {
                    mailbox,
                    name: "a".into(),
                    uid_validity: UidValidity(7),
                    special_use: Some(SpecialUse::Junk),
                    no_select: true,
                },
                Change::Renamed { mailbox, name: "b".into() },
                Change::Subscribed { name: "b".into(), subscribed: true },
                Change::Appended {
                    mailbox,
                    keywords: vec![Keyword::new("$MDNSent").unwrap()],
                    rows: vec![Row {
                        uid: Uid(1),
                        doc: DocId(2),
                        flags: Flags::SEEN,
                        keywords: KeywordBits(1),
                        modseq: ModSeq(9),
                        internal_date: UnixMs(5),
                        save_date: UnixMs(6),
                        size_octets: 7,
                        thread: ThreadId(1),
                    }],
                },
                Change::Flags {
                    mailbox,
                    keywords: vec![],
                    uids: UidSet::from_ranges([(1, 4), (9, 9)]),
                    clear: (Flags(1), KeywordBits(2)),
                    set: (Flags(3), KeywordBits(4)),
                },
                Change::Expunged { mailbox, uids: UidSet::from_ranges([(2, 3)]) },
                Change::Deleted { mailbox },
            ],
        }
    }

    #[test]
    fn version_1_stays_readable() {
        let value = encode(&entry());
        let hex: String = value[..value.len() - 4].iter().map(|b| format!("{b:02x}")).collect();
        let golden = "01000000000000000100000000000000020701030161000000070301\
                      0303016204016201\
                      05030108244d444e53656e7401010401011\
                      20a020701\
                      0603000201030500010203040703010201\
                      0203";
        assert_eq!(hex, golden);
        assert_eq!(decode(9, &value), Some(entry()));
    }

    #[test]
    fn a_list_of_rights_stays_readable() {
        let who = crate::Who::Account(AccountId(2));
        let acl = crate::Acl::new([crate::AclEntry { who, negative: false, rights: crate::Rights(3) }]);
        let entry = LogEntry { changes: vec![Change::Acl { mailbox: MailboxId(3), acl }], ..entry() };
        let value = encode(&entry);
        assert_eq!(value[17..value.len() - 4], [1, ACL, 3, 1, 1, 2, 3]);
        assert_eq!(decode(9, &value), Some(entry));
    }

    #[test]
    fn changes_of_scripts_stay_readable() {
        let changes = vec![
            Change::Script { name: "s".into(), octets: Some(5) },
            Change::Script { name: "t".into(), octets: None },
            Change::ScriptActive { name: Some("s".into()) },
            Change::ScriptActive { name: None },
        ];
        let entry = LogEntry { changes, ..entry() };
        let value = encode(&entry);
        let hex: String = value[17..value.len() - 4].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "0410017301051001740000110173\
                         1100"
        );
        assert_eq!(decode(9, &value), Some(entry));
    }

    #[test]
    fn annotations_stay_readable() {
        let set = ("/a/b".to_owned(), Some(Arc::from(&b"x"[..])));
        let changes = vec![
            Change::Annotated { mailbox: Some(MailboxId(3)), entries: vec![set, ("/c/d".to_owned(), None)] },
            Change::Annotated { mailbox: None, entries: vec![] },
        ];
        let entry = LogEntry { changes, ..entry() };
        let value = encode(&entry);
        let hex: String = value[18..value.len() - 4].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "090302042f612f620101780\
                         42f632f640000090000"
        );
        assert_eq!(decode(9, &value), Some(entry));
    }

    #[test]
    fn marks_of_a_reader_stay_readable() {
        let seen = Change::Seen {
            mailbox: MailboxId(3),
            viewer: AccountId(2),
            uids: UidSet::from_ranges([(1, 4)]),
            seen: true,
        };
        let entry = LogEntry { changes: vec![seen], ..entry() };
        let value = encode(&entry);
        assert_eq!(value[17..value.len() - 4], [1, SEEN, 3, 2, 1, 1, 1, 3]);
        assert_eq!(decode(9, &value), Some(entry));
    }

    #[test]
    fn a_large_entry_is_cut_and_joined() {
        let ranges = (0..40_000u32).map(|n| (n * 1000, n * 1000));
        let entry = LogEntry {
            changes: vec![Change::Expunged { mailbox: MailboxId(1), uids: UidSet::from_ranges(ranges) }],
            ..entry()
        };
        let mut ops = Vec::new();
        puts(AccountId(1), &entry, &mut ops);
        assert!(ops.len() > 1);
        let mut pairs: Vec<(Key, Val)> = ops
            .into_iter()
            .map(|op| if let Op::Put(k, v) = op { (k, v) } else { panic!("no put") })
            .collect();
        assert_eq!(entries(&pairs, false), Some(vec![entry]));
        assert_eq!(entries(&pairs, true), Some(vec![]));
        pairs.pop();
        assert_eq!(entries(&pairs, false), None);
    }
}
