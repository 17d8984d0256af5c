//! Reads arbitrary octets as mail, in two chunkings, and renders, resolves and decodes all of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yubin_formats::mail::{self, Parser, Section, Structure};

fuzz_target!(|data: &[u8]| {
    let mail = mail::parse(data);

    // The first octet chooses a chunking; it must make no difference.
    let chunk = data.first().map_or(1, |octet| usize::from(*octet) % 64 + 1);
    let mut parser = Parser::new();
    data.chunks(chunk).for_each(|octets| parser.push(octets));
    assert_eq!(parser.finish(), mail);

    for extended in [false, true] {
        mail::render_bodystructure(&mail.root, extended);
    }
    for part in mail.root.walk() {
        assert!(part.header_start <= part.body_start && part.body_start <= part.body_end);
        assert!(part.body_end <= data.len() as u64);
        mail::render_envelope(part);
        for field in mail::fields(&part.header) {
            mail::decode_header(field.value);
            mail::parse_date(field.value);
            mail::parse_addresses(field.value);
            mail::message_ids(field.value);
        }
    }
    mail::base_subject(&mail.subject());

    let structure = Structure::from(&mail);
    assert_eq!(Structure::decode(&structure.encode()).as_ref(), Some(&structure));
    Structure::decode(data);
    for section in ["", "HEADER", "TEXT", "1", "1.MIME", "2.HEADER", "1.1.TEXT"] {
        if let Some(range) = Section::parse(section).and_then(|section| structure.resolve(&section)) {
            assert!(range.start <= range.end && range.end <= data.len() as u64);
        }
    }
    for part in structure.text_parts() {
        let body = &data[part.body_start as usize..part.body_end as usize];
        let text = mail::decode_text(part, body, 64 * 1024);
        yubin_formats::fold_for_search(&mail::html_to_text(&text));
    }
});
