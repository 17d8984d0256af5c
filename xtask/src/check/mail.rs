//! Messages that can be made again from their number: whoever knows the number knows what SEARCH and FETCH must say.

use crate::client::Rng;

/// What stands behind the number in `Message-ID` and `X-Check`.
pub const TOKEN_END: &str = ".check";

/// One message, as it was appended.
pub struct Mail {
    pub token: u64,
    pub octets: Vec<u8>,
    pub subject: String,
    pub from: &'static str,
    pub body: String,
    /// Day of January 2026 in its Date field.
    pub sent_day: u32,
    /// Day of February 2026 that is given as INTERNALDATE.
    pub internal_day: u32,
}

pub const WORDS: [&str; 12] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "gravel", "harbor", "island", "juniper", "kettle",
    "lantern",
];
pub const SENDERS: [&str; 4] = ["ann@a.example", "bob@b.example", "carol@c.example", "dave@d.example"];

impl Mail {
    /// The message of this number.
    pub fn of(token: u64) -> Mail {
        let mut rng = Rng::new(token.wrapping_mul(0x5851_F42D_4C95_7F2D));
        let mut words = |count: u64| {
            let words: Vec<&str> = (0..count).filter_map(|_| rng.pick(&WORDS).copied()).collect();
            words.join(" ")
        };
        let (subject, first, second) = (words(2), words(6), words(8));
        let mut body = format!("{first}\r\n{second}\r\n");
        let from = rng.pick(&SENDERS).copied().unwrap_or_default();
        let (sent_day, internal_day) = (day(&mut rng), day(&mut rng));
        if rng.percent(5) {
            // Long ones, so that bodies leave the record and literals come in pieces.
            for line in 0..2_000 {
                body.push_str(&format!("line {line} of a long message, nothing to be found here\r\n"));
            }
        }
        let octets = format!(
            "From: {from}\r\nTo: check@lab.test\r\nSubject: {subject}\r\nDate: {sent_day:02} Jan 2026 12:00:00 +0000\r\n\
             Message-ID: <{token}{TOKEN_END}>\r\nX-Check: {token}{TOKEN_END}\r\n\r\n{body}"
        );
        Mail { token, octets: octets.into_bytes(), subject, from, body, sent_day, internal_day }
    }

    /// As APPEND and FETCH write it.
    pub fn internal_date(&self) -> String {
        format!("{:>2}-Feb-2026 12:00:00 +0000", self.internal_day)
    }

    pub fn size(&self) -> u64 {
        self.octets.len() as u64
    }
}

fn day(rng: &mut Rng) -> u32 {
    u32::try_from(1 + rng.below(28)).unwrap_or(1)
}
