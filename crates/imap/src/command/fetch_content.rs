//! `BODY[…]`, the RFC822 items and `BINARY[…]`: octets of a message, whole or in part. RFC 9051 §6.4.5, RFC 3516, RFC 8970.
//! Short ones are read at once, long ones in pieces.

use std::ops::Range;

use yubin_formats::mail::{
    Section, SectionText, Structure, TransferDecoder, TransferEncoding, preview_of, select_fields,
};
use yubin_store::{Record, StoreError};

use crate::{
    codec::{
        Writer,
        fetch::{Content, Partial, Spelling},
        write::Code,
    },
    limits,
    session::{reply::Reply, user::Context},
};

use super::{Message, Written};

/// Octets that follow the head of a literal.
pub(crate) struct Piece {
    source: Source,
    /// Octets still promised.
    left: u64,
}

/// Where octets come from.
pub(crate) enum Source {
    /// The message as it is.
    Raw(Range<u64>),
    /// A part with its transfer encoding taken off; the first `skip` octets are left out.
    Decoded { range: Range<u64>, decoder: Option<Box<TransferDecoder>>, skip: u64 },
}

impl Piece {
    /// Sends the next octets. True: there are more.
    pub(crate) async fn send(&mut self, cx: &mut Context<'_>, message: &Message) -> Result<bool, StoreError> {
        let Some(record) = &message.record else { return Err(StoreError::Gone) };
        let octets = self.source.next(cx, record).await?;
        let Some(octets) = octets else {
            // The literal is as long as was said, or the connection is lost.
            return if self.left == 0 { Ok(false) } else { Err(StoreError::Gone) };
        };
        let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(octets.len());
        cx.out.extend_from_slice(octets.get(..take).unwrap_or_default());
        self.left -= take as u64;
        Ok(self.left > 0)
    }
}

impl Source {
    /// The next octets; none at the end.
    async fn next(&mut self, cx: &Context<'_>, record: &Record) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Raw(range) => read_piece(cx, record, range).await,
            Self::Decoded { range, decoder, skip } => {
                let mut out = Vec::new();
                match (read_piece(cx, record, range).await?, decoder.as_mut()) {
                    (Some(octets), Some(decoder)) => decoder.push(&octets, &mut out),
                    (None, Some(_)) => {
                        if let Some(decoder) = decoder.take() {
                            decoder.finish(&mut out);
                        }
                    }
                    (_, None) => return Ok(None),
                }
                let cut = usize::try_from(*skip).unwrap_or(usize::MAX).min(out.len());
                *skip -= cut as u64;
                out.drain(..cut);
                Ok(Some(out))
            }
        }
    }
}

async fn read_piece(
    cx: &Context<'_>,
    record: &Record,
    range: &mut Range<u64>,
) -> Result<Option<Vec<u8>>, StoreError> {
    if range.start >= range.end {
        return Ok(None);
    }
    let end = range.end.min(range.start.saturating_add(limits::BODY_PIECE_OCTETS as u64));
    let octets = cx.access().read(record, range.start..end).await?;
    if octets.is_empty() {
        return Err(StoreError::Gone);
    }
    range.start += octets.len() as u64;
    Ok(Some(octets))
}

/// `BODY[…]` and its other spellings.
pub(super) async fn write(
    wanted: &Content,
    record: &Record,
    message: &mut Message,
    cx: &mut Context<'_>,
) -> Written {
    write_name(wanted, &mut cx.w());
    let Some(range) = resolve(&wanted.section, record, &mut message.structure) else {
        // RFC 3501 §7.4.2: a section that is not there is NIL.
        cx.out.extend_from_slice(b"NIL");
        return Written::Whole;
    };
    if let Some((names, keep)) = &wanted.fields {
        let range = range.start..range.end.min(range.start.saturating_add(limits::HEADER_OCTETS));
        return match cx.access().read(record, range).await {
            Ok(header) => {
                let fields = select_fields(&header, names, *keep);
                let cut = clip(0..fields.len() as u64, wanted.partial);
                let cut = usize::try_from(cut.start).unwrap_or(0)..usize::try_from(cut.end).unwrap_or(0);
                cx.w().literal(fields.get(cut).unwrap_or_default());
                Written::Whole
            }
            Err(error) => Written::Failed(error.into()),
        };
    }
    let range = clip(range, wanted.partial);
    write_raw(range, record, cx).await
}

/// A literal of octets as they are.
async fn write_raw(range: Range<u64>, record: &Record, cx: &mut Context<'_>) -> Written {
    let octets = range.end - range.start;
    if octets > limits::ANSWER_OCTETS as u64 {
        cx.w().literal_head(octets);
        return Written::Long(Piece { source: Source::Raw(range), left: octets });
    }
    if octets == 0 {
        cx.w().raw("\"\"");
        return Written::Whole;
    }
    match cx.access().read(record, range).await {
        Ok(text) if text.len() as u64 == octets => {
            cx.w().literal(&text);
            Written::Whole
        }
        Ok(_) => Written::Failed(StoreError::Gone.into()),
        Err(error) => Written::Failed(error.into()),
    }
}

/// A section's octets in the raw message: its trace fields stand before what the structure was read from.
pub(in crate::command) fn resolve(
    section: &Section,
    record: &Record,
    known: &mut Option<Structure>,
) -> Option<Range<u64>> {
    if section.part.is_empty() && section.text == SectionText::Whole {
        return Some(0..record.size_octets());
    }
    let prefix = record.prefix.len() as u64;
    let range = structure(record, known)?.resolve(section)?;
    let is_first_header = section.part.is_empty() && section.text == SectionText::Header;
    let start = if is_first_header { 0 } else { range.start + prefix };
    Some(start..(range.end + prefix).max(start))
}

fn structure<'k>(record: &Record, known: &'k mut Option<Structure>) -> Option<&'k Structure> {
    if known.is_none() {
        *known = Structure::decode(&record.staged.structure);
    }
    known.as_ref()
}

/// RFC 9051 §6.4.5: what lies beyond the end is left out; a begin beyond it gives an empty string.
pub(in crate::command) fn clip(range: Range<u64>, partial: Option<Partial>) -> Range<u64> {
    let Some(partial) = partial else { return range };
    let start = range.start.saturating_add(partial.offset).min(range.end);
    start..start.saturating_add(partial.octets).min(range.end)
}

fn write_name(wanted: &Content, w: &mut Writer<'_>) {
    match wanted.spelling {
        Spelling::Rfc822 => w.raw("RFC822 "),
        Spelling::Rfc822Header => w.raw("RFC822.HEADER "),
        Spelling::Rfc822Text => w.raw("RFC822.TEXT "),
        Spelling::Body => {
            w.raw("BODY[");
            write_section(wanted, w);
            w.raw("]");
            write_origin(wanted.partial, w);
            w.raw(" ")
        }
    };
}

fn write_section(wanted: &Content, w: &mut Writer<'_>) {
    write_part(&wanted.section.part, w);
    let word = match (wanted.section.text, &wanted.fields) {
        (SectionText::Whole, _) => return,
        (SectionText::Header, None) => "HEADER",
        (SectionText::Header, Some((_, true))) => "HEADER.FIELDS",
        (SectionText::Header, Some((_, false))) => "HEADER.FIELDS.NOT",
        (SectionText::Text, _) => "TEXT",
        (SectionText::Mime, _) => "MIME",
    };
    w.raw(if wanted.section.part.is_empty() { "" } else { "." }).raw(word);
    if let Some((names, _)) = &wanted.fields {
        w.raw(" (");
        for (n, name) in names.iter().enumerate() {
            w.raw(if n > 0 { " " } else { "" }).astring(name);
        }
        w.raw(")");
    }
}

fn write_part(part: &[u32], w: &mut Writer<'_>) {
    for (n, number) in part.iter().enumerate() {
        w.raw(if n > 0 { "." } else { "" }).number(*number);
    }
}

fn write_origin(partial: Option<Partial>, w: &mut Writer<'_>) {
    if let Some(partial) = partial {
        w.raw("<").number(partial.offset).raw(">");
    }
}

/// PREVIEW (RFC 8970 §3.2, §4.1): made when the message came, or else now, unless the client is in a hurry.
pub(super) async fn write_preview(
    lazy: bool,
    record: &Record,
    message: &mut Message,
    cx: &mut Context<'_>,
) -> Written {
    if let Some(preview) = &record.staged.preview {
        cx.w().raw("PREVIEW ").string(preview.as_bytes());
        return Written::Whole;
    }
    if lazy {
        cx.w().raw("PREVIEW NIL");
        return Written::Whole;
    }
    let mut preview = String::new();
    if let Some(part) = structure(record, &mut message.structure).and_then(Structure::preview_part) {
        let prefix = record.prefix.len() as u64;
        let start = part.body_start + prefix;
        let end = (part.body_end + prefix).min(start.saturating_add(limits::PREVIEW_OCTETS));
        match cx.access().read(record, start..end).await {
            Ok(body) => preview = preview_of(part, &body),
            Err(error) => return Written::Failed(error.into()),
        }
    }
    cx.w().raw("PREVIEW ").string(preview.as_bytes());
    Written::Whole
}

/// A part and how it is encoded.
fn binary_part(
    part: &[u32],
    record: &Record,
    message: &mut Message,
) -> Option<(Range<u64>, TransferEncoding)> {
    if part.is_empty() {
        return Some((0..record.size_octets(), TransferEncoding::SevenBit));
    }
    let prefix = record.prefix.len() as u64;
    let found = structure(record, &mut message.structure)?.part(part)?;
    let range = found.body_range();
    // Multiparts and messages are never encoded, whatever they say (RFC 2045 §6.4).
    let encoding = if found.children.is_empty() { found.encoding } else { TransferEncoding::SevenBit };
    Some((range.start + prefix..range.end + prefix, encoding))
}

/// RFC 3516 §4.3: the command fails; the rest of its answer is as good as ever.
fn unknown_encoding() -> Written {
    Written::Empty(Reply::no(Code::UnknownCte, "the part's transfer encoding is not known"))
}

/// `BINARY[…]` (RFC 3516 §4.2): decoded twice, first to learn how long it is.
pub(super) async fn write_binary(
    part: &[u32],
    partial: Option<Partial>,
    record: &Record,
    message: &mut Message,
    cx: &mut Context<'_>,
) -> Written {
    let Some((range, encoding)) = binary_part(part, record, message) else {
        write_binary_name(part, partial, cx);
        cx.out.extend_from_slice(b"NIL");
        return Written::Whole;
    };
    write_binary_name(part, partial, cx);
    if encoding.name().is_none() {
        cx.out.extend_from_slice(b"NIL");
        return unknown_encoding();
    }
    if encoding.is_identity() {
        return write_raw(clip(range, partial), record, cx).await;
    }
    let (octets, has_nul) = match measure(range.clone(), encoding, record, cx).await {
        Ok(measured) => measured,
        Err(error) => return Written::Failed(error.into()),
    };
    let wanted = clip(0..octets, partial);
    let left = wanted.end - wanted.start;
    if left == 0 {
        cx.w().raw("\"\"");
        return Written::Whole;
    }
    // RFC 3516 §4.2: a literal8 only where there is NUL.
    cx.w().raw(if has_nul { "~" } else { "" }).literal_head(left);
    let decoder = Some(Box::new(TransferDecoder::new(encoding)));
    Written::Long(Piece { source: Source::Decoded { range, decoder, skip: wanted.start }, left })
}

/// `BINARY.SIZE[…]` (RFC 3516 §4.3).
pub(super) async fn write_binary_size(
    part: &[u32],
    record: &Record,
    message: &mut Message,
    cx: &mut Context<'_>,
) -> Written {
    let Some((range, encoding)) = binary_part(part, record, message) else {
        write_binary_size_name(part, 0, cx);
        return Written::Whole;
    };
    if encoding.name().is_none() {
        write_binary_size_name(part, range.end - range.start, cx);
        return unknown_encoding();
    }
    if encoding.is_identity() {
        write_binary_size_name(part, range.end - range.start, cx);
        return Written::Whole;
    }
    match measure(range, encoding, record, cx).await {
        Ok((octets, _)) => {
            write_binary_size_name(part, octets, cx);
            Written::Whole
        }
        Err(error) => Written::Failed(error.into()),
    }
}

fn write_binary_name(part: &[u32], partial: Option<Partial>, cx: &mut Context<'_>) {
    let mut w = cx.w();
    w.raw("BINARY[");
    write_part(part, &mut w);
    w.raw("]");
    write_origin(partial, &mut w);
    w.raw(" ");
}

fn write_binary_size_name(part: &[u32], octets: u64, cx: &mut Context<'_>) {
    let mut w = cx.w();
    w.raw("BINARY.SIZE[");
    write_part(part, &mut w);
    w.raw("] ").number(octets);
}

/// How long a part is once decoded, and whether there is NUL in it.
async fn measure(
    range: Range<u64>,
    encoding: TransferEncoding,
    record: &Record,
    cx: &Context<'_>,
) -> Result<(u64, bool), StoreError> {
    let decoder = Some(Box::new(TransferDecoder::new(encoding)));
    let mut source = Source::Decoded { range, decoder, skip: 0 };
    let (mut octets, mut has_nul) = (0u64, false);
    while let Some(text) = source.next(cx, record).await? {
        octets += text.len() as u64;
        has_nul |= memchr::memchr(0, &text).is_some();
    }
    Ok((octets, has_nul))
}
