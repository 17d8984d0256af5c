//! BODY and BODYSTRUCTURE, ready to send. RFC 9051 §7.5.2 and §9; parameters rejoined but not decoded.

use super::{
    Parameters, Part, PartKind, TransferEncoding,
    envelope::push_envelope,
    fields,
    imap_string::{push_nstring, push_number, push_string},
    unfold,
};
use crate::mail::Disposition;

/// Renders the structure of a message or part: BODYSTRUCTURE when `extended`, else BODY.
pub fn render_bodystructure(part: &Part, extended: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    push_body(&mut out, part, extended);
    out
}

/// The fields of a part's header that its structure shows.
#[derive(Default)]
struct PartFields<'a> {
    id: Option<&'a [u8]>,
    description: Option<&'a [u8]>,
    md5: Option<&'a [u8]>,
    disposition: Option<&'a [u8]>,
    language: Option<&'a [u8]>,
    location: Option<&'a [u8]>,
}

fn push_body(out: &mut Vec<u8>, part: &Part, extended: bool) {
    let found = PartFields::find(&part.header);
    out.push(b'(');
    match part.kind {
        PartKind::Multipart => push_multipart(out, part, &found, extended),
        PartKind::Leaf | PartKind::Message => push_single(out, part, &found, extended),
    }
    out.push(b')');
}

/// ```abnf
/// body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
/// body-ext-mpart  = body-fld-param [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc]]]
/// ```
fn push_multipart(out: &mut Vec<u8>, part: &Part, found: &PartFields, extended: bool) {
    for child in &part.children {
        push_body(out, child, extended);
    }
    out.push(b' ');
    push_string(out, part.content_type.sub.as_bytes());
    if extended {
        out.push(b' ');
        push_parameters(out, &part.content_type.parameters);
        push_common_extension(out, found);
    }
}

/// ```abnf
/// body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
/// body-fields     = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets
/// body-ext-1part  = body-fld-md5 [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc]]]
/// ```
fn push_single(out: &mut Vec<u8>, part: &Part, found: &PartFields, extended: bool) {
    let content_type = &part.content_type;
    push_string(out, content_type.main.as_bytes());
    out.push(b' ');
    push_string(out, content_type.sub.as_bytes());
    out.push(b' ');
    if content_type.is("text", "plain") && content_type.parameters.is_empty() {
        // RFC 2045 §5.2: what text without a charset is.
        out.extend_from_slice(b"(\"CHARSET\" \"US-ASCII\")");
    } else {
        push_parameters(out, &content_type.parameters);
    }
    for field in [found.id, found.description] {
        out.push(b' ');
        push_field(out, field);
    }
    out.push(b' ');
    match (part.encoding, &part.unknown_encoding) {
        (TransferEncoding::Unknown, Some(raw)) => push_string(out, raw),
        (encoding, _) => push_string(out, encoding.name().unwrap_or("7BIT").as_bytes()),
    }
    out.push(b' ');
    push_number(out, part.body_octets());
    if let (PartKind::Message, Some(message)) = (part.kind, part.children.first()) {
        out.push(b' ');
        push_envelope(out, &message.header);
        out.push(b' ');
        push_body(out, message, extended);
        out.push(b' ');
        push_number(out, part.lines);
    } else if content_type.is_main("text") {
        out.push(b' ');
        push_number(out, part.lines);
    }
    if extended {
        out.push(b' ');
        push_field(out, found.md5);
        push_common_extension(out, found);
    }
}

/// ```abnf
/// body-fld-dsp  = "(" string SP body-fld-param ")" / nil
/// body-fld-lang = nstring / "(" string *(SP string) ")"
/// body-fld-loc  = nstring
/// ```
fn push_common_extension(out: &mut Vec<u8>, found: &PartFields) {
    out.push(b' ');
    match found.disposition.and_then(Disposition::parse) {
        Some(disposition) => {
            out.push(b'(');
            push_string(out, disposition.kind.as_bytes());
            out.push(b' ');
            push_parameters(out, &disposition.parameters);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b' ');
    push_languages(out, found.language);
    out.push(b' ');
    push_field(out, found.location);
}

/// ```abnf
/// body-fld-param = "(" string SP string *(SP string SP string) ")" / nil
/// ```
fn push_parameters(out: &mut Vec<u8>, parameters: &Parameters) {
    let mut first = true;
    for (name, value) in parameters.rejoined() {
        out.push(if first { b'(' } else { b' ' });
        first = false;
        push_string(out, &name);
        out.push(b' ');
        push_string(out, &value);
    }
    out.extend_from_slice(if first { b"NIL" } else { b")" });
}

/// Content-Language is a list of tags (RFC 3282).
fn push_languages(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let value = value.map(unfold).unwrap_or_default();
    let tags = value.split(|&c| c == b',').map(<[u8]>::trim_ascii).filter(|tag| !tag.is_empty());
    let mut first = true;
    for tag in tags.take(crate::limits::PARAMETERS) {
        out.push(if first { b'(' } else { b' ' });
        first = false;
        push_string(out, tag);
    }
    out.extend_from_slice(if first { b"NIL" } else { b")" });
}

fn push_field(out: &mut Vec<u8>, value: Option<&[u8]>) {
    push_nstring(out, value.map(unfold).as_deref().filter(|text| !text.is_empty()));
}

impl<'a> PartFields<'a> {
    fn find(header: &'a [u8]) -> Self {
        let mut found = Self::default();
        for field in fields(header) {
            let Some(rest) = field.name.split_at_checked(8) else { continue };
            if !rest.0.eq_ignore_ascii_case(b"Content-") {
                continue;
            }
            let slot = match rest.1.to_ascii_lowercase().as_slice() {
                b"id" => &mut found.id,
                b"description" => &mut found.description,
                b"md5" => &mut found.md5,
                b"disposition" => &mut found.disposition,
                b"language" => &mut found.language,
                b"location" => &mut found.location,
                _ => continue,
            };
            slot.get_or_insert(field.value);
        }
        found
    }
}
