//! Prints how long reading a message takes, in nanoseconds per message. `cargo run --release --example parse_speed`
#![allow(clippy::disallowed_methods)] // measures with the wall clock; it is no part of the server

use std::{hint::black_box, time::Instant};

use yubin_formats::mail::{self, Structure};

fn main() {
    let small = small_message();
    let large = large_message();
    println!("{:>24} {:>8} octets", "small message", small.len());
    println!("{:>24} {:>8} octets", "large message", large.len());
    measure("small: structure", 20_000, || mail::parse(&small).octets);
    let parsed = mail::parse(&small);
    measure("small: ENVELOPE", 20_000, || mail::render_envelope(&parsed.root).len() as u64);
    measure("small: BODYSTRUCTURE", 20_000, || mail::render_bodystructure(&parsed.root, true).len() as u64);
    let structure = Structure::from(&parsed);
    measure("small: stored form", 20_000, || Structure::from(&parsed).encode().len() as u64);
    let text = structure.root.children.first().unwrap_or(&structure.root);
    let body = small.get(text.body_start as usize..text.body_end as usize).unwrap_or_default();
    measure("small: text", 20_000, || mail::decode_text(text, body, usize::MAX).len() as u64);
    measure("large: structure", 500, || mail::parse(&large).octets);
    // For scale, in the same run: what others need who also decode.
    let mail_parser = mail_parser::MessageParser::default();
    for (what, message, rounds) in [("small", &small, 20_000), ("large", &large, 200)] {
        measure(&format!("{what}: mail-parser"), rounds, || {
            mail_parser.parse(message).map_or(0, |m| m.parts.len() as u64)
        });
        measure(&format!("{what}: mailparse"), rounds, || {
            mailparse::parse_mail(message).map_or(0, |m| m.subparts.len() as u64)
        });
    }
}

fn measure(what: &str, rounds: u32, mut work: impl FnMut() -> u64) {
    let mut best = u128::MAX;
    for _ in 0..7 {
        let start = Instant::now();
        for _ in 0..rounds {
            black_box(work());
        }
        best = best.min(start.elapsed().as_nanos() / u128::from(rounds));
    }
    println!("{what:>24} {best:>8} ns");
}

/// 2.7 KB: what a mail client sends, after three hops.
fn small_message() -> Vec<u8> {
    let mut message = String::new();
    for hop in 0..3 {
        message.push_str(&format!(
            "Received: from host{hop}.example.com (host{hop}.example.com [192.0.2.{hop}])\r\n\tby mx.example.net (Postfix) with ESMTPS id 4ABCDEF{hop}\r\n\
             \tfor <user@example.test>; Mon, 04 Jan 2021 00:00:0{hop} +0900\r\n"
        ));
    }
    message.push_str(
        "From: =?UTF-8?B?5bGx55Sw5aSq6YOO?= <taro@example.jp>\r\nTo: \"Smith, Ann\" <ann@example.test>,\r\n\tBob Jones <bob@example.test>\r\n\
         Subject: =?UTF-8?B?6KaL56mN5pu444Gu5Lu2?= the quotation\r\nDate: Mon, 04 Jan 2021 00:00:00 +0900\r\n\
         Message-ID: <1.1@mid.example.jp>\r\nIn-Reply-To: <0.1@mid.example.jp>\r\nReferences: <0.0@mid.example.jp>\r\n\t<0.1@mid.example.jp>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"----=_0123456789abcdef\"\r\n\r\n\
         ------=_0123456789abcdef\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
    );
    for _ in 0..8 {
        message.push_str("the quick brown fox jumps over the lazy dog, caf=C3=A9 and all the rest\r\n");
    }
    message.push_str("\r\n------=_0123456789abcdef\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n");
    for _ in 0..10 {
        message.push_str("<p style=\"margin:0\">the quick brown fox jumps over the lazy dog</p>\r\n");
    }
    message.push_str("------=_0123456789abcdef--\r\n");
    message.into_bytes()
}

/// A text and 1 MB of base64.
fn large_message() -> Vec<u8> {
    let mut message = b"From: a@example.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n\
        Content-Type: application/pdf; name=\"a.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        .to_vec();
    while message.len() < 1_000_000 {
        message.extend_from_slice(
            b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\r\n",
        );
    }
    message.extend_from_slice(b"--b--\r\n");
    message
}
