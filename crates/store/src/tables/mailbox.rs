//! One row a mailbox: all of it but its messages. Always current, unlike the chunks.

use std::sync::Arc;

use yubin_base::AccountId;
use yubin_engine::{Key, Val};

use super::codec::{Reader, Writer};
use crate::{Counts, Keyword, MailboxId, MailboxState, ModSeq, SpecialUse, Uid, UidValidity};

const V1: u8 = 1;

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
    let mut w = Writer::version(V1);
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
    w.sealed()
}

/// The mailbox without its pages.
pub(crate) fn decode(value: &[u8]) -> Option<MailboxState> {
    let mut r = Reader::sealed_version(value, V1)?;
    let mut mailbox = MailboxState {
        id: MailboxId(r.u32()?),
        name: r.text()?.to_owned(),
        special_use: special_use_of(r.u8()?)?,
        no_select: r.u8()? != 0,
        uid_validity: UidValidity(r.u32()?),
        uid_next: Uid(r.int32()?),
        highest_modseq: ModSeq(r.int()?),
        counts: Counts { messages: r.int32()?, unseen: r.int32()?, deleted: r.int32()?, octets: r.int()? },
        keywords: Arc::from([]),
        pages: None,
    };
    let count = r.count()?;
    let keywords: Option<Vec<Keyword>> = (0..count).map(|_| Keyword::new(r.text()?)).collect();
    mailbox.keywords = keywords?.into();
    r.end().map(|()| mailbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_stays_readable() {
        let mailbox = MailboxState {
            id: MailboxId(2),
            name: "Sent".into(),
            special_use: Some(SpecialUse::Sent),
            uid_validity: UidValidity(5),
            uid_next: Uid(300),
            highest_modseq: ModSeq(9),
            no_select: false,
            counts: Counts { messages: 4, unseen: 1, deleted: 0, octets: 1000 },
            keywords: Arc::from([Keyword::new("$Forwarded").unwrap()]),
            pages: None,
        };
        let value = encode(&mailbox);
        let hex: String = value[..value.len() - 4].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "01000000020453656e74040000000005ac0209040100e807010a24466f72776172646564");
        let back = decode(&value).unwrap();
        assert_eq!(format!("{back:?}"), format!("{mailbox:?}"));
    }
}
