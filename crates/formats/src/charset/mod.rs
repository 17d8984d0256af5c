//! Charsets: from a label and octets to UTF-8. The tables are encoding_rs's; the aliases, ISO-2022-JP and the guessing are ours.
//! Never fails and never decodes UTF-7, whatever the label says: it would make markup of text that every filter read as plain.

mod label;
mod seven_bit;
mod stream;

use encoding_rs::{CoderResult, Encoding};

pub use stream::TextDecoder;

/// A charset we can decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// ASCII by label; what is not ASCII is looked at as if nothing were declared.
    Ascii,
    /// ISO-2022-JP with the habits of CP50220: half-width kana, NEC and IBM extensions, JIS X 0212.
    Iso2022Jp,
    /// ISO-2022-KR, read as EUC-KR.
    Iso2022Kr,
    /// HZ, read as GBK.
    Hz,
    /// UTF-16 without a byte order in its label.
    Utf16,
    /// One that encoding_rs decodes as we want it.
    Table(&'static Encoding),
}

impl Charset {
    /// UTF-8.
    pub const UTF_8: Charset = Charset(Kind::Table(encoding_rs::UTF_8));
    /// US-ASCII.
    pub const US_ASCII: Charset = Charset(Kind::Ascii);

    /// The charset a label names, by any of the names seen in mail. Nothing for one that is unknown, or says that it is.
    pub fn for_label(label: &str) -> Option<Self> {
        label::find(label).map(Self)
    }
    /// The name IANA prefers, or that of the charset it is read as.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Ascii => "US-ASCII",
            Kind::Iso2022Jp => "ISO-2022-JP",
            Kind::Iso2022Kr => "ISO-2022-KR",
            Kind::Hz => "HZ-GB-2312",
            Kind::Utf16 => "UTF-16",
            Kind::Table(encoding) => encoding.name(),
        }
    }
    /// The charset undeclared octets seem to be in: ISO-2022-JP by its escapes, UTF-8 if they are valid, else a guess, which
    /// ends with windows-1252. Looks at no more than [`crate::limits::GUESS_OCTETS`] to guess.
    pub fn guess(octets: &[u8]) -> Self {
        Self(stream::guess(octets))
    }
    /// Decodes octets that are all there. What cannot be decoded becomes U+FFFD.
    pub fn decode(self, octets: &[u8]) -> String {
        decode_all(Some(self), octets)
    }
}

/// Decodes octets of which no charset is known: ISO-2022-JP by its escapes, UTF-8 if it is valid, else a guess, which ends
/// with windows-1252.
pub fn decode_undeclared(octets: &[u8]) -> String {
    decode_all(None, octets)
}

fn decode_all(charset: Option<Charset>, octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    let mut decoder = TextDecoder::new(charset);
    decoder.push(octets, &mut out);
    decoder.finish(&mut out);
    out
}

/// Feeds a table decoder and makes room as it needs it.
fn feed(decoder: &mut encoding_rs::Decoder, mut octets: &[u8], last: bool, out: &mut String) {
    loop {
        // encoding_rs fills only what is reserved.
        out.reserve(
            decoder.max_utf8_buffer_length(octets.len()).unwrap_or(octets.len() * 3 + 16).min(1 << 20),
        );
        let (result, read, _) = decoder.decode_to_string(octets, out, last);
        octets = octets.get(read..).unwrap_or_default();
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}
