//! The differences to Python's email package: none but those that are named here.

use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use yubin_formats::mail::{self, Part, PartKind, StructurePart, TransferDecoder};

#[test]
fn generated_messages_are_read_as_python_reads_them() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/main/generate.py");
    let output = Command::new("python3").args([script, "400", "7"]).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 400);
    for line in lines.lines() {
        compare(&serde_json::from_str(line).unwrap());
    }
}

fn compare(expected: &Value) {
    let raw = STANDARD.decode(expected["raw"].as_str().unwrap()).unwrap();
    let mail = mail::parse(&raw);
    let shown = || String::from_utf8_lossy(&raw).into_owned();
    assert_eq!(mail.subject(), same_characters(expected["subject"].as_str().unwrap()), "{}", shown());
    let from = mail::parse_addresses(mail::first_field(mail.header(), b"From").unwrap());
    let senders: Vec<_> = from
        .iter()
        .filter_map(|address| address.mailbox())
        .map(|mailbox| (mailbox.decoded_name().unwrap_or_default(), mailbox.address()))
        .collect();
    let expected_senders: Vec<_> = expected["from"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (same_characters(pair[0].as_str().unwrap()), pair[1].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(senders, expected_senders, "{}", shown());
    let date = mail::parse_date(mail::first_field(mail.header(), b"Date").unwrap()).unwrap();
    assert_eq!(Some(date.unix_seconds), expected["date"].as_i64(), "{}", shown());
    compare_tree(&mail.root, &expected["tree"], &raw);
}

fn compare_tree(part: &Part, expected: &Value, raw: &[u8]) {
    let shown = || String::from_utf8_lossy(raw).into_owned();
    let name = format!("{}/{}", part.content_type.main, part.content_type.sub).to_lowercase();
    assert_eq!(Some(name.as_str()), expected[0].as_str(), "{}", shown());
    if let Some(children) = expected[1].as_array() {
        assert_ne!(part.kind, PartKind::Leaf);
        assert_eq!(part.children.len(), children.len(), "{}", shown());
        part.children.iter().zip(children).for_each(|(child, expected)| compare_tree(child, expected, raw));
        return;
    }
    assert_eq!(part.kind, PartKind::Leaf, "{}", shown());
    let body = &raw[part.body_start as usize..part.body_end as usize];
    let (mut decoder, mut octets) = (TransferDecoder::new(part.encoding), Vec::new());
    decoder.push(body, &mut octets);
    decoder.finish(&mut octets);
    assert_eq!(STANDARD.encode(&octets), expected[1].as_str().unwrap(), "{}", shown());
    if let Some(text) = expected[2].as_str() {
        let found = mail::decode_text(&StructurePart::from(part), body, usize::MAX);
        assert_eq!(found, same_characters(text), "{}", shown());
    }
}

/// Python maps the wave dash, the minus and their like of the Japanese sets as JIS does; we do as Windows and the browsers do.
fn same_characters(text: &str) -> String {
    text.replace('\u{301c}', "\u{ff5e}").replace('\u{2212}', "\u{ff0d}").replace('\u{2016}', "\u{2225}")
}
