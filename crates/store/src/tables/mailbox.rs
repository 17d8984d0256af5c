//! One row a mailbox: all of it but its messages. Always current, unlike the chunks.

use std::sync::Arc;

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};
use crate::{
    Acl, AclEntry, Counts, Keyword, MailboxId, MailboxState, ModSeq, Readers, Rights, SpecialUse, Uid,
    UidValidity, Who,
};

/// Without the list of who may what.
const V1: u8 = 1;
const V2: u8 = 2;

pub(crate) fn key(account: AccountId, mailbox: MailboxId) -> Key {
    let mut key = super::table(account, b'b');
    key.extend_from_slice(&mailbox.0.to_be_bytes());
    key
}

/// The bounds of the table.
pub(crate) fn range(account: AccountId) -> (Key, Key) {
    (super::table(account, b'b'), super::table_end(account, b'b'))
}

pub(crate) fn special_use_code(role: Option<SpecialUse>) -> u8 {
    match role {
        None => 0,
        Some(SpecialUse::Archive) => 1,
        Some(SpecialUse::Drafts) => 2,
        Some(SpecialUse::Junk) => 3,
        Some(SpecialUse::Sent) => 4,
        Some(SpecialUse::Trash) => 5,
    }
}

pub(crate) fn special_use_of(code: u8) -> Option<Option<SpecialUse>> {
    Some(match code {
        0 => None,
        1 => Some(SpecialUse::Archive),
        2 => Some(SpecialUse::Drafts),
        3 => Some(SpecialUse::Junk),
        4 => Some(SpecialUse::Sent),
        5 => Some(SpecialUse::Trash),
        _ => return None,
    })
}

/// The row of a mailbox. Its pages are no part of it.
pub(crate) fn encode(mailbox: &MailboxState) -> Val {
    let mut w = Writer::version(V2);
    w.u32(mailbox.id.0);
    w.octets(mailbox.name.as_bytes());
    w.u8(special_use_code(mailbox.special_use));
    w.u8(u8::from(mailbox.no_select));
    w.u32(mailbox.uid_validity.0);
    w.int(u64::from(mailbox.uid_next.0));
    w.int(mailbox.highest_modseq.0);
    w.int(u64::from(mailbox.counts.messages));
    w.int(u64::from(mailbox.counts.unseen));
    w.int(u64::from(mailbox.counts.deleted));
    w.int(mailbox.counts.octets);
    w.int(mailbox.keywords.len() as u64);
    for keyword in &*mailbox.keywords {
        w.octets(keyword.as_str().as_bytes());
    }
    write_acl(&mut w, &mailbox.acl);
    w.sealed()
}

/// The mailbox without its pages.
pub(crate) fn decode(value: &[u8]) -> Option<MailboxState> {
    let mut r = Reader::sealed(value)?;
    let version = r.u8().filter(|version| matches!(*version, V1 | V2))?;
    let mut mailbox = MailboxState {
        id: MailboxId(r.u32()?),
        name: r.text()?.to_owned(),
        special_use: special_use_of(r.u8()?)?,
        no_select: r.u8()? != 0,
        uid_validity: UidValidity(r.u32()?),
        uid_next: Uid(r.int32()?),
        highest_modseq: ModSeq(r.int()?),
        counts: Counts { messages: r.int32()?, unseen: r.int32()?, deleted: r.int32()?, octets: r.int()? },
        acl: Acl::default(),
        readers: Readers::default(),
        keywords: Arc::from([]),
        pages: None,
    };
    let count = r.count()?;
    let keywords: Option<Vec<Keyword>> = (0..count).map(|_| Keyword::new(r.text()?)).collect();
    mailbox.keywords = keywords?.into();
    if version >= V2 {
        mailbox.acl = read_acl(&mut r)?;
    }
    r.end().map(|()| mailbox)
}

const ANYONE: u8 = 0;
const ACCOUNT: u8 = 1;
const NEGATIVE: u8 = 1 << 7;

/// The list in the form that mailboxes and the log share.
pub(crate) fn write_acl(w: &mut Writer, acl: &Acl) {
    w.int(acl.entries().len() as u64);
    for entry in acl.entries() {
        let sign = if entry.negative { NEGATIVE } else { 0 };
        match entry.who {
            Who::Anyone => w.u8(ANYONE | sign),
            Who::Account(id) => {
                w.u8(ACCOUNT | sign);
                w.int(id.0);
            }
        }
        w.int(u64::from(entry.rights.0));
    }
}

/// Reads what [`write_acl`] wrote.
pub(crate) fn read_acl(r: &mut Reader<'_>) -> Option<Acl> {
    let count = r.count()?;
    let entry = |r: &mut Reader<'_>| {
        let kind = r.u8()?;
        let who = match kind & !NEGATIVE {
            ANYONE => Who::Anyone,
            ACCOUNT => Who::Account(AccountId(r.int()?)),
            _ => return None,
        };
        let rights = Rights(r.int()?.try_into().ok()?);
        Some(AclEntry { who, negative: kind & NEGATIVE != 0, rights })
    };
    let entries: Option<Vec<AclEntry>> = (0..count).map(|_| entry(r)).collect();
    entries.map(Acl::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox() -> MailboxState {
        MailboxState {
            id: MailboxId(2),
            name: "Sent".into(),
            special_use: Some(SpecialUse::Sent),
            uid_validity: UidValidity(5),
            uid_next: Uid(300),
            highest_modseq: ModSeq(9),
            no_select: false,
            acl: Acl::new([
                AclEntry { who: Who::Anyone, negative: false, rights: Rights::READ },
                AclEntry { who: Who::Account(AccountId(300)), negative: true, rights: Rights::ALL },
            ]),
            readers: Readers::default(),
            counts: Counts { messages: 4, unseen: 1, deleted: 0, octets: 1000 },
            keywords: Arc::from([Keyword::new("$Forwarded").unwrap()]),
            pages: None,
        }
    }

    fn hex(value: &[u8]) -> String {
        value[..value.len() - 4].iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn version_1_stays_readable() {
        let mut w = Writer::version(V1);
        w.raw(b"\0\0\0\x02\x04Sent\x04\0\0\0\0\x05\xac\x02\x09\x04\x01\0\xe8\x07\x01\x0a$Forwarded");
        let value = w.sealed();
        assert_eq!(hex(&value), "01000000020453656e74040000000005ac0209040100e807010a24466f72776172646564");
        let old = MailboxState { acl: Acl::default(), ..mailbox() };
        assert_eq!(format!("{:?}", decode(&value).unwrap()), format!("{old:?}"));
    }

    #[test]
    fn version_2_stays_readable() {
        let value = encode(&mailbox());
        assert_eq!(
            hex(&value),
            "02000000020453656e74040000000005ac0209040100e807010a24466f72776172646564\
             02000281ac02ff0f"
        );
        assert_eq!(format!("{:?}", decode(&value).unwrap()), format!("{:?}", mailbox()));
    }
}
