//! Digests: the few words of a message that sorting and threading go by, made from its record once and kept in memory up to a limit.
//! A message never changes, so they never do. Reads nothing itself. RFC 5256, RFC 5957; collation RFC 5051.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use yubin_base::AccountId;
use yubin_formats::{
    casemap,
    mail::{self, Envelope, EnvelopeAddress},
};

use crate::{DocId, limits, threads};

/// The digest of one message. Cheap to clone; holds its neighbours in memory as well.
#[derive(Clone, Debug)]
pub struct Digest {
    page: Arc<DigestPage>,
    at: usize,
}

/// What is in a digest. Texts are as the collation i;unicode-casemap compares them, cut to [`limits::DIGEST_TEXT_OCTETS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestWords<'a> {
    /// The moment that `Date` names, in seconds since 1970. None when it is missing or says nothing.
    pub sent_s: Option<i64>,
    /// Whether the base subject was found behind `Re:` or the like.
    pub is_reply: bool,
    /// A hash of the Message-ID.
    pub id: Option<u64>,
    references: &'a [u8],
    /// The base subject (RFC 5256 §2.1).
    pub subject: &'a [u8],
    /// The local part of the first `From`.
    pub from: &'a [u8],
    /// The local part of the first `To`.
    pub to: &'a [u8],
    /// The local part of the first `Cc`.
    pub cc: &'a [u8],
    /// The first `From` as it is shown (RFC 5957 §3).
    pub display_from: &'a [u8],
    /// The first `To` as it is shown.
    pub display_to: &'a [u8],
}

impl DigestWords<'_> {
    /// Hashes of the Message-IDs it refers to, the oldest first: `References`, or the first of `In-Reply-To` (RFC 5256 §3).
    pub fn references(&self) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator {
        self.references.as_chunks::<8>().0.iter().map(|octets| u64::from_le_bytes(*octets))
    }
}

impl Digest {
    /// What is in it.
    pub fn read(&self) -> DigestWords<'_> {
        self.page.octets.get(self.at..).and_then(decode).unwrap_or_default()
    }
}

/// What is read from a record for its digest.
pub(crate) struct Source<'a> {
    pub(crate) envelope: &'a [u8],
    pub(crate) message_id: Option<&'a str>,
    /// Of `References` and `In-Reply-To`.
    pub(crate) references: &'a [&'a str],
}

/// ```text
/// flags u8 | sent i64 | id u64 | references u8 | subject, from, to, cc, display-from, display-to: length u16 | references u64 … | texts
/// ```
fn encode(source: &Source<'_>, out: &mut Vec<u8>) {
    let envelope = Envelope::read(source.envelope);
    let sent = envelope.date.as_deref().and_then(mail::parse_date).map(|date| date.unix_seconds);
    let subject = mail::base_subject(&mail::decode_phrase(envelope.subject.as_deref().unwrap_or_default()));
    let id = source.message_id.map(hash_of);
    let in_reply_to = envelope.in_reply_to.as_deref().map(mail::message_ids).unwrap_or_default();
    // In-Reply-To counts where there are no References, and then only its first.
    let alone = !in_reply_to.is_empty()
        && in_reply_to.len() == source.references.len()
        && in_reply_to.iter().zip(source.references).all(|(a, b)| a == b.as_bytes());
    let references = source.references.get(..if alone { 1 } else { source.references.len() });
    let mut references: Vec<u64> = references.unwrap_or_default().iter().map(|id| hash_of(id)).collect();
    if references.len() > limits::DIGEST_REFERENCES {
        references.drain(1..=references.len() - limits::DIGEST_REFERENCES);
    }
    out.push(
        u8::from(sent.is_some()) | u8::from(subject.is_reply_or_forward) << 1 | u8::from(id.is_some()) << 2,
    );
    out.extend_from_slice(&sent.unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&id.unwrap_or(0).to_le_bytes());
    out.push(references.len() as u8);
    let mailbox = |address: &Option<EnvelopeAddress<'_>>| {
        collated(address.as_ref().and_then(|a| a.mailbox.as_deref()).unwrap_or_default())
    };
    let texts = [
        casemap(&subject.text),
        mailbox(&envelope.from),
        mailbox(&envelope.to),
        mailbox(&envelope.cc),
        shown(&envelope.from),
        shown(&envelope.to),
    ];
    let cut = |text: &[u8]| text.len().min(limits::DIGEST_TEXT_OCTETS);
    for text in &texts {
        out.extend_from_slice(&(cut(text) as u16).to_le_bytes());
    }
    for id in references {
        out.extend_from_slice(&id.to_le_bytes());
    }
    for text in &texts {
        out.extend_from_slice(text.get(..cut(text)).unwrap_or_default());
    }
}

fn decode(octets: &[u8]) -> Option<DigestWords<'_>> {
    let (flags, rest) = octets.split_first()?;
    let (sent, rest) = rest.split_first_chunk::<8>()?;
    let (id, rest) = rest.split_first_chunk::<8>()?;
    let (count, rest) = rest.split_first()?;
    let (lengths, rest) = rest.split_first_chunk::<12>()?;
    let (references, mut rest) = rest.split_at_checked(usize::from(*count) * 8)?;
    let mut texts = [&[][..]; 6];
    for (text, length) in texts.iter_mut().zip(lengths.as_chunks::<2>().0) {
        (*text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    }
    let [subject, from, to, cc, display_from, display_to] = texts;
    Some(DigestWords {
        sent_s: (flags & 1 != 0).then_some(i64::from_le_bytes(*sent)),
        is_reply: flags & 2 != 0,
        id: (flags & 4 != 0).then_some(u64::from_le_bytes(*id)),
        references,
        subject,
        from,
        to,
        cc,
        display_from,
        display_to,
    })
}

fn collated(text: &[u8]) -> Vec<u8> {
    casemap(&mail::decode_phrase(text))
}

/// RFC 5957 §3: the display name; a group's name; else the address.
fn shown(address: &Option<EnvelopeAddress<'_>>) -> Vec<u8> {
    let Some(address) = address else { return Vec::new() };
    let mailbox = address.mailbox.as_deref().unwrap_or_default();
    match (&address.name, &address.host) {
        (Some(name), Some(_)) if !name.trim_ascii().is_empty() => collated(name),
        (_, Some(host)) if !host.is_empty() => {
            let mut shown = collated(mailbox);
            shown.push(b'@');
            shown.extend(collated(host));
            shown
        }
        _ => collated(mailbox),
    }
}

/// RFC 5256 §3: quotes that are not needed make no difference between Message-IDs.
fn hash_of(id: &str) -> u64 {
    let unquoted = id.strip_prefix('"').and_then(|rest| rest.split_once("\"@")).filter(|(local, _)| {
        !local.is_empty() && local.bytes().all(|c| c.is_ascii_graphic() && !b"\"\\()<>[]:;@,".contains(&c))
    });
    match unquoted {
        Some((local, domain)) => threads::hash(&format!("{local}@{domain}")),
        None => threads::hash(id),
    }
}

/// The digests of neighbouring documents.
#[derive(Clone, Debug, Default)]
pub(crate) struct DigestPage {
    /// Where each begins, ascending by document.
    entries: Vec<(DocId, u32)>,
    octets: Vec<u8>,
}

impl DigestPage {
    /// The page that a document belongs to.
    pub(crate) fn of(doc: DocId) -> u64 {
        doc.0 >> 8
    }
    pub(crate) fn has(&self, doc: DocId) -> bool {
        self.entries.binary_search_by_key(&doc, |(doc, _)| *doc).is_ok()
    }
    pub(crate) fn add(&mut self, doc: DocId, source: &Source<'_>) {
        if let Err(at) = self.entries.binary_search_by_key(&doc, |(doc, _)| *doc)
            && let Ok(start) = u32::try_from(self.octets.len())
        {
            encode(source, &mut self.octets);
            self.entries.insert(at, (doc, start));
        }
    }
    pub(crate) fn digest(self: &Arc<Self>, doc: DocId) -> Option<Digest> {
        let at = self.entries.binary_search_by_key(&doc, |(doc, _)| *doc).ok()?;
        let (_, start) = self.entries.get(at)?;
        Some(Digest { page: Arc::clone(self), at: *start as usize })
    }
    fn size(&self) -> usize {
        128 + self.entries.capacity() * size_of::<(DocId, u32)>() + self.octets.capacity()
    }
}

/// Pages of all accounts: the least recently used give way to the limit.
#[derive(Default)]
pub(crate) struct DigestCache {
    pages: BTreeMap<(AccountId, u64), Kept>,
    by_use: BTreeMap<u64, (AccountId, u64)>,
    uses: u64,
    octets: usize,
}

struct Kept {
    page: Arc<DigestPage>,
    last_use: u64,
}

impl DigestCache {
    pub(crate) fn get(&mut self, account: AccountId, number: u64) -> Option<Arc<DigestPage>> {
        let kept = self.pages.get_mut(&(account, number))?;
        self.uses += 1;
        self.by_use.remove(&kept.last_use);
        kept.last_use = self.uses;
        self.by_use.insert(self.uses, (account, number));
        Some(Arc::clone(&kept.page))
    }
    pub(crate) fn put(&mut self, account: AccountId, number: u64, page: Arc<DigestPage>) {
        let key = (account, number);
        self.remove(key);
        self.uses += 1;
        self.octets += page.size();
        self.by_use.insert(self.uses, key);
        self.pages.insert(key, Kept { page, last_use: self.uses });
        while self.octets > limits::DIGEST_CACHE_OCTETS {
            let Some((_, oldest)) = self.by_use.pop_first() else { return };
            self.remove(oldest);
        }
    }
    fn remove(&mut self, key: (AccountId, u64)) {
        if let Some(kept) = self.pages.remove(&key) {
            self.by_use.remove(&kept.last_use);
            self.octets -= kept.page.size();
        }
    }
    /// Forgets an account that was removed.
    pub(crate) fn forget(&mut self, account: AccountId) {
        let all: Range<(AccountId, u64)> = (account, 0)..(account, u64::MAX);
        let keys: Vec<_> = self.pages.range(all).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.remove(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(header: &str, references: &[&str]) -> Arc<DigestPage> {
        let envelope = mail::render_envelope_of(header.as_bytes());
        let mut page = DigestPage::default();
        page.add(DocId(1), &Source { envelope: &envelope, message_id: Some("1@x"), references });
        Arc::new(page)
    }

    #[test]
    fn a_digest_holds_what_sorting_needs() {
        let page = page(
            "Date: Thu, 01 Jan 1970 01:00:10 +0100\r\nSubject: Re: =?utf-8?q?caf=C3=A9?=\r\n\
             From: =?utf-8?q?Bob?= <bOb@b.test>\r\nTo: ann@a.test\r\nCc: Friends: x@y;\r\n\r\n",
            &["a@b", "\"c\"@d"],
        );
        let digest = page.digest(DocId(1)).unwrap();
        let words = digest.read();
        assert_eq!((words.sent_s, words.is_reply), (Some(10), true));
        assert_eq!(words.subject, "CAFE\u{301}".as_bytes());
        assert_eq!((words.from, words.to, words.cc), (&b"BOB"[..], &b"ANN"[..], &b"FRIENDS"[..]));
        assert_eq!((words.display_from, words.display_to), (&b"BOB"[..], &b"ANN@A.TEST"[..]));
        assert_eq!(words.references().collect::<Vec<_>>(), [threads::hash("a@b"), threads::hash("c@d")]);
        assert!(page.digest(DocId(2)).is_none());
    }

    #[test]
    fn in_reply_to_counts_alone_and_only_its_first() {
        let count = |header: &str, references: &[&str]| {
            page(header, references).digest(DocId(1)).unwrap().read().references().len()
        };
        assert_eq!(count("In-Reply-To: <a@b> <c@d>\r\n\r\n", &["a@b", "c@d"]), 1);
        assert_eq!(count("In-Reply-To: <c@d>\r\n\r\n", &["a@b", "c@d"]), 2);
        let many: Vec<String> = (0..200).map(|n| format!("{n}@x")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let page = page("\r\n", &many);
        let digest = page.digest(DocId(1)).unwrap();
        let kept: Vec<u64> = digest.read().references().collect();
        assert_eq!(kept.len(), limits::DIGEST_REFERENCES);
        assert_eq!((kept[0], kept[63]), (threads::hash("0@x"), threads::hash("199@x")));
    }

    #[test]
    fn the_least_recently_used_pages_go() {
        let mut cache = DigestCache::default();
        let large =
            Arc::new(DigestPage { entries: vec![], octets: vec![0; limits::DIGEST_CACHE_OCTETS / 3] });
        for number in 0..3 {
            cache.put(AccountId(1), number, Arc::clone(&large));
            cache.get(AccountId(1), 0);
        }
        let there: Vec<bool> = (0..3).map(|n| cache.get(AccountId(1), n).is_some()).collect();
        assert_eq!(there, [true, false, true]);
        cache.forget(AccountId(1));
        assert_eq!((cache.octets, cache.pages.len(), cache.by_use.len()), (0, 0, 0));
    }
}
