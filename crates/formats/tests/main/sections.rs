//! Which octets a section names.

use yubin_formats::mail::{self, Section, Structure};

fn check(message: &str, cases: &[(&str, Option<&str>)]) {
    let stored = Structure::from(&mail::parse(message.as_bytes())).encode();
    let structure = Structure::decode(&stored).unwrap();
    for (section, expected) in cases {
        let range = structure.resolve(&Section::parse(section).unwrap());
        let found = range.map(|range| &message[range.start as usize..range.end as usize]);
        assert_eq!(found, *expected, "{section:?} of {message:?}");
    }
}

#[test]
fn of_a_plain_message() {
    check(
        "A: b\r\n\r\nhello",
        &[
            ("", Some("A: b\r\n\r\nhello")),
            ("HEADER", Some("A: b\r\n\r\n")),
            ("TEXT", Some("hello")),
            ("1", Some("hello")),
            ("1.MIME", Some("A: b\r\n\r\n")),
            ("1.HEADER", None),
            ("1.TEXT", None),
            ("1.1", None),
            ("2", None),
            ("0", None),
        ],
    );
}

#[test]
fn of_the_example_in_rfc_9051() {
    // RFC 9051 §6.4.5.1: 1 text, 2 data, 3 message (3.1 text, 3.2 data), 4 multipart (4.1 image, 4.2 message (4.2.1 text, 4.2.2 multipart))
    let message = "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\none\r\n--m\r\nContent-Type: application/octet-stream\r\n\r\ntwo\r\n--m\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: three\r\nContent-Type: multipart/mixed; boundary=t\r\n\r\n--t\r\n\r\n3.1\r\n--t\r\nContent-Type: a/b\r\n\r\n3.2\r\n--t--\r\n--m\r\n\
        Content-Type: multipart/mixed; boundary=f\r\n\r\n--f\r\nContent-Type: image/gif\r\n\r\n4.1\r\n--f\r\nContent-Type: message/rfc822\r\n\r\n\
        Subject: four\r\nContent-Type: multipart/mixed; boundary=ft\r\n\r\n--ft\r\n\r\n4.2.1\r\n--ft\r\nContent-Type: multipart/alternative; boundary=ftt\r\n\r\n\
        --ftt\r\n\r\n4.2.2.1\r\n--ftt\r\nContent-Type: text/richtext\r\n\r\n4.2.2.2\r\n--ftt--\r\n--ft--\r\n--f--\r\n--m--\r\n";
    check(
        message,
        &[
            ("1", Some("one")),
            ("1.MIME", Some("\r\n")),
            ("2", Some("two")),
            ("2.MIME", Some("Content-Type: application/octet-stream\r\n\r\n")),
            ("3.HEADER", Some("Subject: three\r\nContent-Type: multipart/mixed; boundary=t\r\n\r\n")),
            ("3.TEXT", Some("--t\r\n\r\n3.1\r\n--t\r\nContent-Type: a/b\r\n\r\n3.2\r\n--t--")),
            ("3.MIME", Some("Content-Type: message/rfc822\r\n\r\n")),
            ("3.1", Some("3.1")),
            ("3.2", Some("3.2")),
            ("3.2.MIME", Some("Content-Type: a/b\r\n\r\n")),
            ("3.3", None),
            ("3.1.1", None),
            ("4.MIME", Some("Content-Type: multipart/mixed; boundary=f\r\n\r\n")),
            ("4.HEADER", None),
            ("4.1", Some("4.1")),
            ("4.1.MIME", Some("Content-Type: image/gif\r\n\r\n")),
            ("4.2.HEADER", Some("Subject: four\r\nContent-Type: multipart/mixed; boundary=ft\r\n\r\n")),
            ("4.2.1", Some("4.2.1")),
            ("4.2.2.1", Some("4.2.2.1")),
            ("4.2.2.2", Some("4.2.2.2")),
            ("4.2.2.MIME", Some("Content-Type: multipart/alternative; boundary=ftt\r\n\r\n")),
        ],
    );
}

#[test]
fn of_messages_that_are_messages() {
    check(
        "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhello",
        &[
            ("1", Some("Subject: in\r\n\r\nhello")),
            ("1.HEADER", Some("Subject: in\r\n\r\n")),
            ("1.TEXT", Some("hello")),
            ("1.1", Some("hello")),
            ("1.1.MIME", Some("Subject: in\r\n\r\n")),
            ("1.1.1", None),
            ("1.2", None),
        ],
    );
}

#[test]
fn sections_that_are_none_are_not_read() {
    for text in ["MIME", "1.HEADER.2", "HEADER.TEXT", "x", "1..2", "1.", "-1", "99999999999"] {
        assert_eq!(Section::parse(text), None, "{text:?}");
    }
}
