//! What a submission lacks and has too much: Date and Message-ID are added, Bcc is taken out. RFC 6409 §8.2, RFC 5322 §3.6.3.
//! Never touches the body, nor a header that is longer than it looks at.

use yubin_base::{TraceId, UnixMs};
use yubin_formats::mail::fields;

use crate::{limits, receive::date};

/// Holds the header back until it is whole, then gives it out mended.
pub(super) struct Completion {
    header: Vec<u8>,
    passed: bool,
    date: String,
    message_id: String,
}

impl Completion {
    pub fn new(now: UnixMs, id: TraceId, hostname: &str) -> Self {
        Self {
            header: Vec::new(),
            passed: false,
            date: format!("Date: {}\r\n", date(now)),
            message_id: format!("Message-ID: <{id}@{hostname}>\r\n"),
        }
    }

    /// Takes the next octets, gives out what is ready.
    pub fn push(&mut self, octets: &[u8]) -> Vec<u8> {
        if self.passed {
            return octets.to_vec();
        }
        let before = self.header.len().saturating_sub(3);
        self.header.extend_from_slice(octets);
        let empty = self.header.starts_with(b"\r\n");
        let new = self.header.get(before..).unwrap_or_default();
        let end = if empty {
            Some(0)
        } else {
            new.windows(4).position(|w| w == b"\r\n\r\n").map(|at| before + at + 2)
        };
        match end {
            Some(end) => self.mended(end),
            // Not a header that somebody wrote: it goes as it is.
            None if self.header.len() > limits::HEADER_OCTETS_CHECKED => {
                self.passed = true;
                std::mem::take(&mut self.header)
            }
            None => Vec::new(),
        }
    }

    /// The message ended: what is held is all of it, and all header.
    pub fn finish(&mut self) -> Vec<u8> {
        if self.passed || self.header.is_empty() {
            return Vec::new();
        }
        if !self.header.ends_with(b"\r\n") {
            self.header.extend_from_slice(b"\r\n");
        }
        self.mended(self.header.len())
    }

    fn mended(&mut self, end: usize) -> Vec<u8> {
        self.passed = true;
        let held = std::mem::take(&mut self.header);
        let (header, rest) = held.split_at_checked(end).unwrap_or((&held, &[]));
        let has = |name: &[u8]| fields(header).any(|field| field.is(name));
        let mut out = Vec::with_capacity(held.len() + 200);
        if !has(b"date") {
            out.extend_from_slice(self.date.as_bytes());
        }
        if !has(b"message-id") {
            out.extend_from_slice(self.message_id.as_bytes());
        }
        if has(b"bcc") {
            for field in whole_fields(header) {
                if !names_bcc(field) {
                    out.extend_from_slice(field);
                }
            }
        } else {
            out.extend_from_slice(header);
        }
        out.extend_from_slice(rest);
        out
    }
}

/// The fields with all their lines, as they stand.
fn whole_fields(header: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while let Some(offset) = header.get(at..).and_then(|rest| rest.windows(2).position(|w| w == b"\r\n")) {
        at += offset + 2;
        let goes_on = matches!(header.get(at), Some(b' ' | b'\t'));
        if !goes_on {
            found.extend(header.get(start..at));
            start = at;
        }
    }
    found.extend(header.get(start..).filter(|rest| !rest.is_empty()));
    found
}

fn names_bcc(field: &[u8]) -> bool {
    let name = field.split(|b| *b == b':').next().unwrap_or_default();
    let name = name.trim_ascii_end();
    name.eq_ignore_ascii_case(b"bcc") || name.eq_ignore_ascii_case(b"resent-bcc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(message: &str) -> String {
        let mut last = None;
        for cut in 0..=message.len() {
            let mut completion = Completion::new(UnixMs(0), TraceId(7), "mail.test");
            let mut out = completion.push(&message.as_bytes()[..cut]);
            out.extend(completion.push(&message.as_bytes()[cut..]));
            out.extend(completion.finish());
            let out = String::from_utf8(out).unwrap();
            assert_eq!(*last.get_or_insert_with(|| out.clone()), out, "cut at {cut}");
        }
        last.unwrap()
    }

    #[test]
    fn what_is_missing_is_added_and_bcc_taken_out() {
        let id = format!("Message-ID: <{}@mail.test>\r\n", TraceId(7));
        let date = "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n";
        assert_eq!(
            mended("Subject: x\r\n\r\nBcc: body\r\n"),
            format!("{date}{id}Subject: x\r\n\r\nBcc: body\r\n")
        );
        let whole = "Date: x\r\nmessage-id: <a@b>\r\nTo: c\r\n\r\n";
        assert_eq!(mended(whole), whole);
        assert_eq!(
            mended(
                "Date: x\r\nMessage-ID: <a@b>\r\nBcc: secret@x,\r\n\tmore@x\r\nBCC : y\r\nTo: c\r\n d\r\n\r\nHi"
            ),
            "Date: x\r\nMessage-ID: <a@b>\r\nTo: c\r\n d\r\n\r\nHi"
        );
        assert_eq!(mended("\r\nbody"), format!("{date}{id}\r\nbody"));
        assert_eq!(mended("Subject: no end"), format!("{date}{id}Subject: no end\r\n"));
        assert_eq!(mended(""), "");
    }
}
