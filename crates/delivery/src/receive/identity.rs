//! Whether the From field of a submission names only addresses that its sender owns. RFC 6409 §6.1, §8.1; RFC 5322 §3.6.2.

use yubin_base::{AccountId, Address};
use yubin_formats::mail::{Address as Named, Mailbox, fields, parse_addresses};
use yubin_smtp::{codec::reply::Enhanced, server::Refusal};

use crate::{
    Delivery, limits,
    receive::policy::{first_not_owned, not_yours, refuse},
};

/// The beginning of a message's header, kept until it ends or is long enough.
pub(super) struct HeaderWatch {
    block: Vec<u8>,
    room: usize,
    ended: bool,
}

impl HeaderWatch {
    pub fn new(room: usize) -> Self {
        Self { block: Vec::new(), room, ended: false }
    }

    /// Takes the next octets of the message; those after the header are passed over.
    pub fn push(&mut self, octets: &[u8]) {
        if self.ended {
            return;
        }
        let before = self.block.len().saturating_sub(3);
        let take = octets.len().min(self.room - self.block.len());
        self.block.extend_from_slice(octets.get(..take).unwrap_or_default());
        let new = self.block.get(before..).unwrap_or_default();
        let end = new.windows(4).position(|w| w == b"\r\n\r\n").map(|at| before + at + 2);
        if let Some(end) = end {
            self.block.truncate(end);
        }
        self.ended = end.is_some() || self.block.starts_with(b"\r\n") || self.block.len() >= self.room;
    }

    /// Every address in every From and Sender field must be the account's own. A message without From is left as it is.
    pub fn check(&self, delivery: &Delivery, account: AccountId) -> Result<(), Refusal> {
        let mut from_fields = 0;
        let mut found: Vec<Address> = Vec::new();
        for field in fields(&self.block) {
            let from = field.is(b"from");
            from_fields += u32::from(from);
            if !from && !field.is(b"sender") {
                continue;
            }
            for mailbox in parse_addresses(field.value).iter().filter_map(Named::mailbox) {
                found.push(owned_form(mailbox).ok_or_else(not_yours)?);
                if found.len() > limits::FROM_ADDRESSES {
                    return Err(too_many_from());
                }
            }
        }
        if from_fields > 1 {
            return Err(too_many_from());
        }
        match first_not_owned(delivery, account, &found) {
            None => Ok(()),
            Some(_) => Err(not_yours()),
        }
    }
}

/// The address of a mailbox in a field; none for half an address, which nobody could own.
fn owned_form(mailbox: &Mailbox) -> Option<Address> {
    Address::parse_plain(&mailbox.address())
}

/// Counts the octets of a message's header without keeping them.
#[derive(Default)]
pub(super) struct HeaderLength {
    octets: u64,
    /// Octets of the line so far; a line end on an empty line ends the header.
    line: u64,
    ended: bool,
}

impl HeaderLength {
    /// How long the header is so far.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Takes the next octets of the message. Tells how long the header is so far.
    pub fn push(&mut self, octets: &[u8]) -> u64 {
        for octet in octets {
            if self.ended {
                break;
            }
            self.octets += 1;
            match octet {
                b'\n' => {
                    self.ended = self.line == 0;
                    self.line = 0;
                }
                b'\r' => {}
                _ => self.line += 1,
            }
        }
        self.octets
    }
}

pub(super) fn header_too_long() -> Refusal {
    refuse(552, Enhanced(5, 3, 4), "The header is longer than we accept")
}

fn too_many_from() -> Refusal {
    refuse(550, Enhanced(5, 7, 1), "One From field, with your own addresses")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_counted_to_its_end() {
        for (message, expected) in
            [(&b"A: b\r\n\r\nbody\r\n\r\n"[..], 8), (b"\r\nbody", 2), (b"A: b\n c\n", 8), (b"A: b\n\nx", 6)]
        {
            let mut length = HeaderLength::default();
            for octet in message {
                length.push(&[*octet]);
            }
            assert_eq!(length.push(b""), expected);
        }
    }

    #[test]
    fn the_header_is_kept_to_its_end_in_any_cut() {
        let message = b"From: a@b\r\nTo: c@d\r\n\r\nFrom: evil@x\r\n";
        for cut in 0..message.len() {
            let mut watch = HeaderWatch::new(1_000);
            watch.push(&message[..cut]);
            watch.push(&message[cut..]);
            assert_eq!(watch.block, b"From: a@b\r\nTo: c@d\r\n", "cut at {cut}");
        }
        let mut watch = HeaderWatch::new(10);
        watch.push(message);
        assert_eq!(watch.block, b"From: a@b\r");
        watch.push(b"more");
        assert_eq!(watch.block.len(), 10);
    }
}
