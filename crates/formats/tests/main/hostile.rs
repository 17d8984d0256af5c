//! Mail made to harm: the work stays linear, the tree bounded, and nothing panics.

use yubin_formats::{
    fold_for_search, limits,
    mail::{self, DefectKind, Mail, Parser, Structure},
};

/// Reads in chunks of 16 KiB, checks that no octet was looked at more than a few times, and renders everything.
fn read(message: &[u8]) -> Mail {
    let mut parser = Parser::new();
    message.chunks(16 * 1024).for_each(|octets| parser.push(octets));
    let work = parser.work();
    assert!(work <= 8 * message.len() as u64 + 100_000, "{work} steps for {} octets", message.len());
    let mail = parser.finish();
    super::structure::check_nesting(&mail.root, 0, mail.octets);
    let rendered = mail::render_bodystructure(&mail.root, true);
    super::bodystructure::check_wellformed(&rendered);
    super::bodystructure::check_wellformed(&mail::render_envelope(&mail.root));
    let structure = Structure::from(&mail);
    assert_eq!(Structure::decode(&structure.encode()).as_ref(), Some(&structure));
    assert!(mail.defects.len() <= limits::DEFECTS);
    mail
}

fn has(mail: &Mail, kind: DefectKind) -> bool {
    mail.defects.iter().any(|defect| defect.kind == kind)
}

#[test]
fn depth_is_bounded() {
    let mut message = String::new();
    for level in 0..5_000 {
        message.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"));
    }
    let mail = read(message.as_bytes());
    assert!(has(&mail, DefectKind::TooDeep));
    assert_eq!(mail.root.walk().count(), limits::PART_DEPTH);

    let mail = read("Content-Type: message/rfc822\r\n\r\n".repeat(10_000).as_bytes());
    assert!(has(&mail, DefectKind::TooDeep));
    assert_eq!(mail.root.walk().count(), limits::PART_DEPTH);
}

#[test]
fn parts_are_bounded() {
    let message =
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\n".repeat(200_000));
    let mail = read(message.as_bytes());
    assert!(has(&mail, DefectKind::TooManyParts));
    assert_eq!(mail.root.walk().count(), limits::PARTS + 1);
    let message =
        format!("Content-Type: multipart/digest; boundary=b\r\n\r\n{}", "--b\r\n\r\n".repeat(50_000));
    assert!(read(message.as_bytes()).root.walk().count() <= limits::PARTS + 2);
}

#[test]
fn many_lines_that_almost_delimit_cost_little() {
    let mut message = String::new();
    let long = "x".repeat(60);
    for level in 0..63 {
        message.push_str(&format!(
            "Content-Type: multipart/mixed; boundary={long}{level:02}\r\n\r\n--{long}{level:02}\r\n"
        ));
    }
    message.push_str("\r\n");
    message.push_str(&format!("--{long}--\r\n").repeat(20_000));
    read(message.as_bytes());
}

#[test]
fn headers_are_bounded() {
    let mail = read(format!("Subject: {}\r\nTo: a@b\r\n\r\nx", "x".repeat(3 << 20)).as_bytes());
    assert!(has(&mail, DefectKind::HeaderTooLong));
    assert_eq!(mail.root.body_octets(), 1);
    let mail = read("X: y\r\n".repeat(500_000).as_bytes());
    assert!(has(&mail, DefectKind::HeaderTooLong) && mail.root.header.len() <= limits::HEADER_OCTETS);

    let part = format!("--b\r\nContent-Type: image/png\r\nX: {}\r\n\r\nx\r\n", "x".repeat(900_000));
    let mail =
        read(format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", part.repeat(6)).as_bytes());
    assert!(has(&mail, DefectKind::HeaderNotKept));
    assert!(mail.root.walk().map(|part| part.header.len()).sum::<usize>() <= limits::HEADER_OCTETS_TOTAL);
    assert!(mail.root.children.iter().all(|part| part.content_type.is("image", "png")));
}

#[test]
fn boundaries_are_bounded() {
    let mail =
        read(format!("Content-Type: multipart/mixed; boundary={}\r\n\r\nx", "b".repeat(100_000)).as_bytes());
    assert!(has(&mail, DefectKind::NoBoundary));
    let b = "b".repeat(limits::BOUNDARY_OCTETS);
    let mail = read(
        format!("Content-Type: multipart/mixed; boundary={b}\r\n\r\n--{b}\r\n\r\nx\r\n--{b}--").as_bytes(),
    );
    assert_eq!(mail.root.children.len(), 1);
    let spaces = " ".repeat(2_000);
    let message = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b{spaces}\r\n\r\nx\r\n--b--");
    assert!(has(&read(message.as_bytes()), DefectKind::NoParts));
    assert_eq!(super::structure::read_by(message.as_bytes(), 7), mail::parse(message.as_bytes()));
}

#[test]
fn fields_full_of_anything_are_read_in_time() {
    let size = 240_000;
    for piece in [
        "(",
        ")",
        "((a)",
        "\"",
        "\\",
        "<",
        ">",
        "@",
        ",",
        ";",
        ":",
        "a@b,",
        "<a@b>",
        "g:;",
        "=?",
        "=?=",
        "=?a?b?",
        "=?a?q?",
        "=?utf-8?q?=?=",
        "=?utf-8?b?QUJDR?= ",
        "=?x?q?=ff?= ",
        "\u{3042}=?utf-8?q?a?=",
        "\x1b",
        "\x1b$B",
        "\x1b$B;3\x1b(B",
        "[a]",
        "[",
        "re:",
        "[fwd:",
        "a=b;",
        "name*0=",
        "name*0*=a;",
        "a (",
        "1 ",
        "1:",
        "-",
        "%",
        "\r\n ",
        "\t",
        "x",
        "'",
        "*",
        "\u{e9}",
    ] {
        let value = piece.repeat(size / piece.len() / 4);
        for name in [
            "To",
            "Subject",
            "Content-Type: a/b; x",
            "Content-Disposition: a; filename",
            "References",
            "Date",
            "Content-Language",
        ] {
            let message = format!("{name}: {value}\r\n\r\n");
            if name == "To" || name == "Content-Type: a/b; x" || name == "Content-Disposition: a; filename" {
                read(message.as_bytes());
            }
        }
        let raw = value.as_bytes();
        mail::base_subject(&mail::decode_header(raw));
        assert!(mail::parse_addresses(raw).len() <= limits::ADDRESSES + 1, "{piece:?}");
        assert!(mail::message_ids(raw).len() <= limits::MESSAGE_IDS);
        mail::parse_date(raw);
        fold_for_search(&mail::html_to_text(&value));
        mail::preview(&value, true);
    }
}

#[test]
fn counts_in_fields_are_bounded() {
    let mail = read(format!("To: {}\r\n\r\n", "a@b,".repeat(100_000)).as_bytes());
    let envelope = String::from_utf8(mail::render_envelope(&mail.root)).unwrap();
    assert_eq!(envelope.matches("(NIL NIL \"a\" \"b\")").count(), limits::ADDRESSES);
    let many: String = (0..50_000).map(|n| format!("; name*{n}=x")).collect();
    let mail = read(format!("Content-Type: text/plain{many}\r\n\r\n").as_bytes());
    assert_eq!(mail.root.content_type.parameters.0.len(), limits::PARAMETERS);
}
