//! What structure a message is read into.

use proptest::prelude::*;
use yubin_formats::mail::{self, DefectKind, Mail, Parser, Part, PartKind, Structure};

/// The tree as text: `multipart/mixed[text/plain "a" message/rfc822{text/plain "b"}]`.
fn draw(part: &Part, message: &[u8]) -> String {
    let name = format!("{}/{}", part.content_type.main, part.content_type.sub).to_lowercase();
    let children = || part.children.iter().map(|child| draw(child, message)).collect::<Vec<_>>().join(" ");
    match part.kind {
        PartKind::Leaf => {
            let body = &message[part.body_start as usize..part.body_end as usize];
            format!("{name} {:?}", String::from_utf8_lossy(body))
        }
        PartKind::Multipart => format!("{name}[{}]", children()),
        PartKind::Message => format!("{name}{{{}}}", children()),
    }
}

pub fn read_by(message: &[u8], chunk: usize) -> Mail {
    let mut parser = Parser::new();
    message.chunks(chunk).for_each(|octets| parser.push(octets));
    parser.finish()
}

fn check(message: &str, tree: &str, defects: &[DefectKind]) {
    let mail = mail::parse(message.as_bytes());
    assert_eq!(draw(&mail.root, message.as_bytes()), tree, "{message:?}");
    let found: Vec<_> = mail.defects.iter().map(|defect| defect.kind).collect();
    assert_eq!(found, defects, "{message:?}");
    for chunk in 1..=5 {
        assert_eq!(read_by(message.as_bytes(), chunk), mail, "{message:?} by {chunk}");
    }
    check_nesting(&mail.root, 0, mail.octets);
    let structure = Structure::from(&mail);
    assert_eq!(Structure::decode(&structure.encode()), Some(structure));
}

/// Parts lie inside their parents, in order, and do not overlap.
pub fn check_nesting(part: &Part, start: u64, end: u64) {
    assert!(start <= part.header_start && part.header_start <= part.body_start);
    assert!(part.body_start <= part.body_end && part.body_end <= end, "{part:?}");
    assert!(part.header.is_empty() || part.header.len() as u64 <= part.body_start - part.header_start);
    let mut from = part.body_start;
    for child in &part.children {
        check_nesting(child, from, part.body_end);
        from = child.body_end;
    }
    if part.kind == PartKind::Message {
        let child = &part.children[0];
        assert_eq!((child.header_start, child.body_end), (part.body_start, part.body_end));
    }
}

#[test]
fn plain_messages() {
    check("", "text/plain \"\"", &[]);
    check("\r\n", "text/plain \"\"", &[]);
    check("A: b\r\n\r\n", "text/plain \"\"", &[]);
    check("A: b\r\n", "text/plain \"\"", &[]);
    check("A: b", "text/plain \"\"", &[]);
    check("A: b\r\n\r\nhello\r\n", "text/plain \"hello\\r\\n\"", &[]);
    check("A: b\n\nhello\n", "text/plain \"hello\\n\"", &[DefectKind::BareLf]);
    check("A: b\r\n\r\n\r\nhello", "text/plain \"\\r\\nhello\"", &[]);
    check("\r\nA: b\r\n", "text/plain \"A: b\\r\\n\"", &[]);
    check("A: b\rc\r\n\r\nx\ry\r\n", "text/plain \"x\\ry\\r\\n\"", &[DefectKind::BareCr]);
    check("A: b\0\r\n\r\n", "text/plain \"\"", &[DefectKind::Nul]);
    check("From a@b Mon Jan  4\r\nA: b\r\n\r\nx", "text/plain \"x\"", &[DefectKind::StrayLine]);
    check(" x\r\nA: b\r\n\r\nx", "text/plain \"x\"", &[DefectKind::StrayLine]);
}

#[test]
fn headers_without_an_empty_line() {
    check(
        "A: b\r\nno field\r\nC: d\r\n",
        "text/plain \"no field\\r\\nC: d\\r\\n\"",
        &[DefectKind::NoBlankLine],
    );
    check("garbage", "text/plain \"garbage\"", &[DefectKind::NoBlankLine]);
    check(
        "Content-Type: multipart/mixed; boundary=b\r\n--b\r\n\r\nx\r\n--b--\r\n",
        "multipart/mixed[text/plain \"x\"]",
        &[DefectKind::NoBlankLine],
    );
    check(
        "Content-Type: message/rfc822\r\nno field",
        "message/rfc822{text/plain \"no field\"}",
        &[DefectKind::NoBlankLine],
    );
    check(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA: b\r\n--b\r\nhello\r\n--b--",
        "multipart/mixed[text/plain \"\" text/plain \"hello\"]",
        &[DefectKind::NoBlankLine, DefectKind::NoBlankLine],
    );
}

#[test]
fn multiparts() {
    let head = "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n";
    let of = |body: &str| format!("{head}{body}");
    check(&of("--b\r\n\r\nx\r\n--b--\r\n"), "multipart/mixed[text/plain \"x\"]", &[]);
    check(
        &of("before\r\n--b\r\n\r\nx\r\n\r\n--b--\r\nafter"),
        "multipart/mixed[text/plain \"x\\r\\n\"]",
        &[],
    );
    check(&of("--b\r\n\r\nx\r\n--b\r\n\r\n--b--"), "multipart/mixed[text/plain \"x\" text/plain \"\"]", &[]);
    check(&of("--b \t\r\n\r\nx\r\n--b-- \r\n"), "multipart/mixed[text/plain \"x\"]", &[]);
    check(
        &of("--b\r\n\r\nx\r\n--bc\r\n --b\r\ny--b\r\n--b--"),
        "multipart/mixed[text/plain \"x\\r\\n--bc\\r\\n --b\\r\\ny--b\"]",
        &[],
    );
    check(&of("--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny"), "multipart/mixed[text/plain \"x\"]", &[]);
    check(&of("--b\r\n\r\nx\r\n"), "multipart/mixed[text/plain \"x\\r\\n\"]", &[DefectKind::NotClosed]);
    check(&of("--b\r\n\r\nx\r\n-"), "multipart/mixed[text/plain \"x\\r\\n-\"]", &[DefectKind::NotClosed]);
    check(&of("--b\r\nA: b"), "multipart/mixed[text/plain \"\"]", &[DefectKind::NotClosed]);
    check(
        &of("no delimiter\r\n"),
        "text/plain \"no delimiter\\r\\n\"",
        &[DefectKind::NotClosed, DefectKind::NoParts],
    );
    check(&of("--b--\r\n"), "text/plain \"--b--\\r\\n\"", &[DefectKind::NoParts]);
    check(&of("--b\n\nx\n--b--\n"), "multipart/mixed[text/plain \"x\"]", &[DefectKind::BareLf]);
    check(&of("--b\r\nContent-Type: text/html\r\n\r\n--b--"), "multipart/mixed[text/html \"\"]", &[]);
}

#[test]
fn multiparts_with_impossible_types() {
    check(
        "Content-Type: multipart/mixed\r\n\r\n--b\r\n",
        "text/plain \"--b\\r\\n\"",
        &[DefectKind::NoBoundary],
    );
    check(
        "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\nx",
        "text/plain \"x\"",
        &[DefectKind::NoBoundary],
    );
    check("Content-Type: ;\r\n\r\nx", "text/plain \"x\"", &[DefectKind::BadContentType]);
    check("Content-Type: text\r\n\r\nx", "text/plain \"x\"", &[]);
    check("Content-Type: what ever/x\r\n\r\nx", "text/plain \"x\"", &[DefectKind::BadContentType]);
    check(
        "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\nx\r\n--b--",
        "multipart/mixed[text/plain \"x\"]",
        &[DefectKind::EncodedComposite],
    );
    check("Content-Transfer-Encoding: odd\r\n\r\nx", "text/plain \"x\"", &[DefectKind::UnknownEncoding]);
    check(
        "Content-Type: multipart/mixed; boundary*0=lo; boundary*1=ng\r\n\r\n--long\r\n\r\nx\r\n--long--",
        "multipart/mixed[text/plain \"x\"]",
        &[],
    );
    check(
        "Content-Type: multipart/mixed (why) ; (not) boundary = \"a \\\"q\\\"\" (x)\r\n\r\n--a \"q\"\r\n\r\nx\r\n--a \"q\"--",
        "multipart/mixed[text/plain \"x\"]",
        &[],
    );
}

#[test]
fn nested_multiparts() {
    let head = "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/alternative; boundary=oi\r\n\r\n";
    let of = |body: &str| format!("{head}{body}");
    check(
        &of("--oi\r\n\r\nx\r\n--oi\r\n\r\ny\r\n--oi--\r\n\r\n--o\r\n\r\nz\r\n--o--\r\n"),
        "multipart/mixed[multipart/alternative[text/plain \"x\" text/plain \"y\"] text/plain \"z\"]",
        &[],
    );
    check(
        &of("--oi\r\n\r\nx\r\n--o\r\n\r\nz\r\n--o--\r\n"),
        "multipart/mixed[multipart/alternative[text/plain \"x\"] text/plain \"z\"]",
        &[DefectKind::NotClosed],
    );
    check(
        &of("--oi\r\n\r\n--o\r\n\r\nz\r\n--o--\r\n"),
        "multipart/mixed[multipart/alternative[text/plain \"\"] text/plain \"z\"]",
        &[DefectKind::NotClosed],
    );
    check(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--b--\r\n",
        "multipart/mixed[multipart/mixed[text/plain \"x\"]]",
        &[],
    );
}

#[test]
fn messages_inside() {
    let head = "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n";
    check(
        &format!("{head}Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n--o--"),
        "multipart/mixed[message/rfc822{text/plain \"x\"}]",
        &[],
    );
    check(
        &format!(
            "{head}Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nx\r\n--i--\r\n--o--"
        ),
        "multipart/mixed[message/rfc822{multipart/mixed[text/plain \"x\"]}]",
        &[],
    );
    check(
        &format!("{head}Content-Type: message/rfc822\r\n\r\n--o--"),
        "multipart/mixed[message/rfc822{text/plain \"\"}]",
        &[DefectKind::NoBlankLine],
    );
    check(
        &format!(
            "{head}Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTogYg==\r\n--o--"
        ),
        "multipart/mixed[message/rfc822{text/plain \"QTogYg==\"}]",
        &[DefectKind::EncodedComposite],
    );
    check(
        "Content-Type: multipart/digest; boundary=o\r\n\r\n--o\r\n\r\nSubject: a\r\n\r\nx\r\n--o\r\nContent-Type: text/plain\r\n\r\ny\r\n--o--",
        "multipart/digest[message/rfc822{text/plain \"x\"} text/plain \"y\"]",
        &[],
    );
    check("Content-Type: message/global\r\n\r\nA: b\r\n\r\nx", "message/global{text/plain \"x\"}", &[]);
    check(
        "Content-Type: message/delivery-status\r\n\r\nA: b\r\n\r\nx",
        "message/delivery-status \"A: b\\r\\n\\r\\nx\"",
        &[],
    );
}

#[test]
fn line_ends_are_counted() {
    let lines = |message: &str| {
        mail::parse(message.as_bytes()).root.walk().map(|part| part.lines).collect::<Vec<_>>()
    };
    assert_eq!(lines("A: b\r\n\r\none\r\ntwo\r\nthree"), [2]);
    assert_eq!(
        lines(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\ny\r\n\r\n--b\r\n\r\n--b--\r\n"
        ),
        [8, 2, 0]
    );
    assert_eq!(lines("Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx\r\n"), [3, 1]);
}

/// A stored form that was written once must be readable for ever: never change this file, add another for the next version.
#[test]
fn stored_forms_of_version_1_are_read() {
    let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=ISO-2022-JP\r\n\r\none\r\n--b\r\n\
        Content-Type: application/vnd.x\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename*=utf-8''%E8%B3%87\r\n\r\nQUJD\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nx\r\ny\r\n--b--\r\n";
    let structure = Structure::from(&mail::parse(message.as_bytes()));
    let digits = include_str!("structure-v1.hex").trim();
    let stored: Vec<u8> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    assert_eq!(Structure::decode(&stored), Some(structure.clone()));
    let written: String = structure.encode().iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(written, digits);
    for cut in 0..stored.len() {
        assert_eq!(Structure::decode(&stored[..cut]), None, "cut at {cut}");
    }
}

/// Pieces that make many shapes when put together at random.
const PIECES: &[&str] = &[
    "Content-Type: multipart/mixed; boundary=b\r\n",
    "Content-Type: multipart/digest; boundary=c\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: text/plain; charset=iso-2022-jp\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Subject: =?utf-8?q?x?=\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "--b\r\n",
    "--c\r\n",
    "--b--\r\n",
    "--c--\n",
    "--b",
    "-",
    "--",
    "text\r\n",
    "text",
    "\r",
    "\0",
    " folded\r\n",
    "To: a@b, g: c@d;\r\n",
    "Content-Disposition: attachment; filename*0*=utf-8''%e3; filename*1=b\r\n",
    "\x1b$B",
    "日本",
    "(",
    "\"",
    "<",
    ";",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_in_any_chunking_give_the_same_mail(
        pieces in prop::collection::vec(0..PIECES.len(), 0..60),
        noise in prop::collection::vec(any::<u8>(), 0..40),
        at in any::<prop::sample::Index>(),
        chunks in prop::collection::vec(1usize..40, 1..20),
    ) {
        let mut message: Vec<u8> = pieces.iter().flat_map(|&piece| PIECES[piece].bytes()).collect();
        let at = at.index(message.len() + 1);
        message.splice(at..at, noise);
        let mail = mail::parse(&message);
        let mut parser = Parser::new();
        let mut rest = message.as_slice();
        for chunk in chunks.iter().cycle() {
            if rest.is_empty() { break }
            let (octets, after) = rest.split_at((*chunk).min(rest.len()));
            parser.push(octets);
            rest = after;
        }
        prop_assert_eq!(parser.finish(), mail.clone());
        prop_assert_eq!(mail.octets, message.len() as u64);
        prop_assert_eq!((mail.root.header_start, mail.root.body_end), (0, mail.octets));
        check_nesting(&mail.root, 0, mail.octets);
        for part in mail.root.walk() {
            let body = &message[part.body_start as usize..part.body_end as usize];
            prop_assert_eq!(part.lines, body.iter().filter(|&&c| c == b'\n').count() as u64);
            let header = &message[part.header_start as usize..part.body_start as usize];
            prop_assert_eq!(part.header.as_slice(), header);
        }
        let structure = Structure::from(&mail);
        prop_assert_eq!(Structure::decode(&structure.encode()), Some(structure.clone()));
        for part in structure.text_parts() {
            let body = &message[part.body_start as usize..part.body_end as usize];
            mail::decode_text(part, body, 1000);
        }
        super::bodystructure::check_wellformed(&mail::render_bodystructure(&mail.root, true));
        super::bodystructure::check_wellformed(&mail::render_bodystructure(&mail.root, false));
        super::bodystructure::check_wellformed(&mail::render_envelope(&mail.root));
    }

    #[test]
    fn damaged_stored_forms_are_refused_or_read(stored in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut stored = stored;
        stored.insert(0, 1);
        if let Some(structure) = Structure::decode(&stored) {
            structure.leaves();
        }
    }
}
