//! Automatic answers: to a person who wrote to this very recipient, once in a while, never to a machine. RFC 5230 §4, RFC 3834 §2 to §5.

use base64::Engine as _;
use yubin_base::{Address, event};
use yubin_formats::mail;
use yubin_sieve::VacationDeed;
use yubin_store::{Staged, StoreError};

use super::{Copy, Rules, hashed};
use crate::{Delivery, events, limits, receive::date};

impl Delivery {
    /// Answers the sender, if it is to be answered and was not a short while ago. Tells whether.
    pub(super) async fn answer_once(
        &self,
        copy: &Copy<'_>,
        number: usize,
        rules: &Rules,
        vacation: &VacationDeed,
        staged: &Staged,
    ) -> Result<bool, StoreError> {
        let header = self.header_of(staged).await?;
        let Some(sender) = copy.entry.reverse_path.as_ref() else { return Ok(false) };
        if copy.entry.findings.junk || !is_a_person(sender) || is_automatic(&header) {
            return Ok(false);
        }
        let own = |address: &Address| {
            let also = |text: &String| text.eq_ignore_ascii_case(&address.to_string());
            address == copy.recipient
                || self.0.directory.owns(copy.account, address)
                || vacation.addresses.iter().any(also)
        };
        if own(sender) || !addressed_to(&header).iter().any(own) {
            return Ok(false);
        }
        let id =
            hashed("vacation", &format!("{}\0{}", vacation.handle, sender.to_string().to_ascii_lowercase()));
        if copy.open.remembers(&id, copy.now).await? {
            return Ok(false);
        }
        let text = self.answer_text(copy, &header, sender, vacation);
        let mut stager = self.0.store.stager();
        stager.write(&text)?;
        let answer = stager.finish()?;
        // RFC 3834 §3.3: the null reverse path, so that nobody answers the answer.
        if !self.enqueue_child(copy, number, None, sender, answer).await? {
            return Ok(false);
        }
        copy.open.remember(&[(id, copy.now.plus_ms(vacation.seconds * 1_000))], copy.now).await?;
        event!(
            events::ANSWERED,
            trace = %copy.entry.id,
            account = %copy.account,
            to = %sender,
            script = %rules.name,
        );
        Ok(true)
    }

    /// RFC 3834 §3.1; RFC 5230 §5.
    fn answer_text(&self, copy: &Copy<'_>, header: &[u8], to: &Address, vacation: &VacationDeed) -> Vec<u8> {
        let hostname = &self.0.options.hostname;
        let original = mail::first_field(header, b"Subject").map(mail::decode_header).unwrap_or_default();
        let subject = match &vacation.subject {
            Some(subject) => subject.clone(),
            None => format!("Auto: {}", original.trim()),
        };
        let from = match vacation.from.as_deref().filter(|from| is_mailbox(from)) {
            Some(from) => encoded_from(from),
            None => copy.recipient.to_string(),
        };
        let mut text = format!(
            "From: {from}\r\nTo: {to}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}.{:x}@{hostname}>\r\n",
            encoded(&subject),
            date(copy.now),
            copy.entry.id,
            copy.account.0,
        );
        if let Some(id) = mail::message_id(header) {
            let id = String::from_utf8_lossy(&id).trim_matches(['<', '>']).to_owned();
            let mut references: Vec<String> = mail::references(header)
                .iter()
                .map(|id| String::from_utf8_lossy(id).trim_matches(['<', '>']).to_owned())
                .collect();
            let surplus = references.len().saturating_sub(limits::ANSWER_REFERENCES);
            references.drain(..surplus);
            references.push(id.clone());
            let listed: Vec<String> = references.iter().map(|id| format!("<{id}>")).collect();
            text.push_str(&format!("In-Reply-To: <{id}>\r\nReferences: {}\r\n", listed.join("\r\n ")));
        }
        text.push_str("Auto-Submitted: auto-replied (vacation)\r\nMIME-Version: 1.0\r\n");
        match vacation.mime {
            // RFC 5230 §4.1: the script wrote header and body of the entity.
            true => text.push_str(&crlf(&vacation.reason)),
            false => {
                text.push_str(
                    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
                );
                let body = base64::engine::general_purpose::STANDARD.encode(crlf(&vacation.reason));
                for line in body.as_bytes().chunks(76) {
                    text.push_str(&String::from_utf8_lossy(line));
                    text.push_str("\r\n");
                }
            }
        }
        text.into_bytes()
    }
}

/// RFC 5230 §4.6, RFC 3834 §2: addresses behind which nobody reads.
fn is_a_person(sender: &Address) -> bool {
    let local = sender.local().to_ascii_lowercase();
    const NAMES: [&str; 8] = [
        "mailer-daemon",
        "postmaster",
        "listserv",
        "majordomo",
        "noreply",
        "no-reply",
        "donotreply",
        "bounce",
    ];
    !NAMES.contains(&local.as_str())
        && !local.starts_with("owner-")
        && !local.ends_with("-request")
        && !local.ends_with("-owner")
        && !local.ends_with("-bounces")
        && !local.starts_with("bounces+")
}

/// RFC 3834 §2, RFC 5230 §4.6: mail of machines and lists.
fn is_automatic(header: &[u8]) -> bool {
    mail::fields(header).any(|field| {
        let name = String::from_utf8_lossy(field.name).to_ascii_lowercase();
        let value = String::from_utf8_lossy(&mail::unfold(field.value)).trim().to_ascii_lowercase();
        match name.as_str() {
            "auto-submitted" => !value.starts_with("no"),
            "precedence" => ["bulk", "list", "junk"].contains(&value.as_str()),
            "x-auto-response-suppress" => {
                value.contains("oof") || value.contains("all") || value.contains("autoreply")
            }
            name => name.starts_with("list-"),
        }
    })
}

/// The addresses in the fields that say whom a message is for. RFC 5230 §4.5.
fn addressed_to(header: &[u8]) -> Vec<Address> {
    let names: [&[u8]; 6] = [b"To", b"Cc", b"Bcc", b"Resent-To", b"Resent-Cc", b"Resent-Bcc"];
    mail::fields(header)
        .filter(|field| names.iter().any(|name| field.is(name)))
        .flat_map(|field| mail::parse_addresses(field.value))
        .filter_map(|address| {
            let mailbox = address.mailbox()?;
            Address::new(&String::from_utf8_lossy(&mailbox.local), &String::from_utf8_lossy(&mailbox.domain))
        })
        .collect()
}

/// Whether a From of a script is one mailbox.
fn is_mailbox(text: &str) -> bool {
    let addresses = mail::parse_addresses(text.as_bytes());
    let one = matches!(addresses.as_slice(), [mail::Address::Mailbox(mailbox)] if !mailbox.domain.is_empty());
    one && !text.chars().any(char::is_control)
}

/// `name <address>`, the name in encoded words.
fn encoded_from(text: &str) -> String {
    let addresses = mail::parse_addresses(text.as_bytes());
    match addresses.first().and_then(|address| address.mailbox()) {
        Some(mailbox) => match mailbox.decoded_name() {
            Some(name) if !name.is_ascii() => format!("{} <{}>", encoded(&name), mailbox.address()),
            _ => text.trim().to_owned(),
        },
        None => text.trim().to_owned(),
    }
}

/// RFC 2047: encoded words of at most 75 characters where the text is not plain ASCII; no line end survives.
fn encoded(text: &str) -> String {
    let text = text.split(char::is_control).collect::<Vec<_>>().join(" ");
    let text = text.get(..text.floor_char_boundary(limits::ANSWER_SUBJECT_OCTETS)).unwrap_or_default();
    if text.is_ascii() {
        return text.trim().to_owned();
    }
    let mut words = Vec::new();
    let mut left = text;
    while !left.is_empty() {
        let (word, rest) = left.split_at(left.floor_char_boundary(45));
        words.push(format!("=?utf-8?B?{}?=", base64::engine::general_purpose::STANDARD.encode(word)));
        left = rest;
    }
    words.join("\r\n ")
}

/// Every line end as CRLF, also at the end.
fn crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for line in text.lines() {
        out.push_str(line);
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_get_no_answer() {
        for field in [
            "Auto-Submitted: auto-generated",
            "Precedence: bulk",
            "List-Id: <x.example.test>",
            "X-Auto-Response-Suppress: All",
        ] {
            assert!(is_automatic(format!("{field}\r\n\r\n").as_bytes()), "{field}");
        }
        assert!(!is_automatic(b"Auto-Submitted: no\r\nPrecedence: first-class\r\n\r\n"));
        let person = |text| is_a_person(&Address::parse_plain(text).unwrap());
        assert!(
            person("ann@example.test") && !person("MAILER-DAEMON@x.test") && !person("owner-list@x.test")
        );
        assert!(!person("list-request@x.test"));
    }

    #[test]
    fn subjects_are_encoded_and_begin_no_field() {
        assert_eq!(encoded("away"), "away");
        assert_eq!(encoded("a\r\nBcc: eve@x.test"), "a  Bcc: eve@x.test");
        let long = encoded(&"休暇".repeat(20));
        assert!(long.lines().all(|line| line.trim().len() <= 75 && line.trim().ends_with("?=")), "{long}");
        assert_eq!(mail::decode_header(long.as_bytes()), "休暇".repeat(20));
    }
}
