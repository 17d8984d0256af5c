//! What BODY and BODYSTRUCTURE say.

use yubin_formats::mail;

/// Reads an IMAP value and panics if it is none: lists, quoted strings, literals, numbers, NIL.
pub fn check_wellformed(value: &[u8]) {
    let mut rest = value;
    let mut depth = 0;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b' ' | b'0'..=b'9' => {}
            b'N' => rest = rest.strip_prefix(b"IL").expect("NIL"),
            b'"' => loop {
                let (&octet, after) = rest.split_first().expect("closing quote");
                rest = after;
                match octet {
                    b'"' => break,
                    b'\\' => rest = &rest[1..],
                    _ => assert!((1..0x80).contains(&octet) && octet != b'\r' && octet != b'\n'),
                }
            },
            b'{' => {
                let end = rest.iter().position(|&c| c == b'}').expect("closing brace");
                let length: usize = std::str::from_utf8(&rest[..end]).unwrap().parse().unwrap();
                assert!(rest[end..].starts_with(b"}\r\n"));
                let literal = &rest[end + 3..end + 3 + length];
                assert!(!literal.contains(&0));
                rest = &rest[end + 3 + length..];
            }
            other => panic!("{:?} in {}", other as char, value.escape_ascii()),
        }
        assert!(depth >= 1 || rest.is_empty(), "{}", value.escape_ascii());
    }
    assert_eq!(depth, 0, "{}", value.escape_ascii());
}

fn check(message: &str, body: &str, bodystructure: &str) {
    let mail = mail::parse(message.as_bytes());
    for (extended, expected) in [(false, body), (true, bodystructure)] {
        let rendered = mail::render_bodystructure(&mail.root, extended);
        check_wellformed(&rendered);
        assert_eq!(String::from_utf8_lossy(&rendered), expected, "{message:?}");
    }
}

#[test]
fn leaves() {
    check(
        "\r\nhello\r\n",
        "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 7 1)",
        "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 7 1 NIL NIL NIL NIL)",
    );
    check(
        "Content-Type: text/html; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\nx",
        "(\"text\" \"html\" (\"charset\" \"UTF-8\") NIL NIL \"QUOTED-PRINTABLE\" 1 0)",
        "(\"text\" \"html\" (\"charset\" \"UTF-8\") NIL NIL \"QUOTED-PRINTABLE\" 1 0 NIL NIL NIL NIL)",
    );
    check(
        "Content-Type: image/png; name=a.png\r\nContent-ID: <i@d>\r\nContent-Description: a\r\n picture\r\nContent-MD5: abc==\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"a \\\"b\\\".png\"; size=3\r\n\
         Content-Language: de, en\r\nContent-Location: http://x/\r\n\r\nQUJD",
        "(\"image\" \"png\" (\"name\" \"a.png\") \"<i@d>\" \"a picture\" \"BASE64\" 4)",
        "(\"image\" \"png\" (\"name\" \"a.png\") \"<i@d>\" \"a picture\" \"BASE64\" 4 \"abc==\" (\"attachment\" (\"filename\" \"a \\\"b\\\".png\" \
         \"size\" \"3\")) (\"de\" \"en\") \"http://x/\")",
    );
    check(
        "Content-Type: application/x; a=b\r\nContent-Disposition: inline\r\nContent-Transfer-Encoding: x-odd\r\n\r\n",
        "(\"application\" \"x\" (\"a\" \"b\") NIL NIL \"x-odd\" 0)",
        "(\"application\" \"x\" (\"a\" \"b\") NIL NIL \"x-odd\" 0 NIL (\"inline\" NIL) NIL NIL)",
    );
}

#[test]
fn parameters_are_rejoined_but_not_decoded() {
    for (parameters, expected) in [
        ("name*0=\"a b\"; name*1=c", "(\"name\" \"a bc\")"),
        ("name*=utf-8''%E3%81%82", "(\"name*\" \"utf-8''%E3%81%82\")"),
        (
            "x=y; name*1*=%82; name*0*=utf-8''%E3%81; z=1",
            "(\"x\" \"y\" \"name*\" \"utf-8''%E3%81%82\" \"z\" \"1\")",
        ),
        ("name*0*=utf-8''%E3%81%82; name*1=\" %b\"", "(\"name*\" \"utf-8''%E3%81%82%20%25b\")"),
        ("name*1=b", "(\"name*1\" \"b\")"),
        ("name==?utf-8?b?44GC?=", "(\"name\" \"=?utf-8?b?44GC?=\")"),
        ("name=two words.txt; x=y", "(\"name\" \"two words.txt\" \"x\" \"y\")"),
        ("name=a x=y", "(\"name\" \"a\" \"x\" \"y\")"),
        ("name=あ", "(\"name\" {3}\r\nあ)"),
        ("; ;name=\"a\\\\b\";;", "(\"name\" \"a\\\\b\")"),
        ("novalue; x=y", "(\"x\" \"y\")"),
        ("name=", "(\"name\" \"\")"),
    ] {
        let message = format!("Content-Type: application/x; {parameters}\r\n\r\n");
        let rendered = mail::render_bodystructure(&mail::parse(message.as_bytes()).root, false);
        check_wellformed(&rendered);
        let rendered = String::from_utf8_lossy(&rendered).into_owned();
        assert_eq!(
            rendered,
            format!("(\"application\" \"x\" {expected} NIL NIL \"7BIT\" 0)"),
            "{parameters:?}"
        );
    }
}

#[test]
fn parameters_are_decoded_for_us() {
    for (parameters, expected) in [
        ("filename=plain.txt", Some("plain.txt")),
        ("filename*=UTF-8''%E8%B3%87%E6%96%99.pdf", Some("資料.pdf")),
        ("filename=fallback; filename*=utf-8'ja'%E8%B3%87", Some("資")),
        ("filename*0*=iso-2022-jp''%1B%24B%3B3; filename*1*=ED%1B%28B", Some("山田")),
        ("filename*0*=utf-8''%E8%B3; filename*1*=%87.pdf", Some("資.pdf")),
        ("filename*0=\"=?UTF-8?B?6LO\"; filename*1=\"H?=\"", Some("資")),
        ("filename=\"=?UTF-8?B?6LOH?= =?UTF-8?B?5paZ?=\"", Some("資料")),
        ("filename=\"=?ISO-2022-JP?B?GyRCOzNFRBsoQg==?=.txt\"", Some("山田.txt")),
        ("filename=\"資料.pdf\"", Some("資料.pdf")),
        ("filename=\"\x1b$B;3ED\x1b(B\"", Some("山田")),
        ("filename*=nonsense''%E8%B3%87", Some("資")),
        ("filename*=%41%zz", Some("A%zz")),
        ("x=y", None),
    ] {
        let message = format!("Content-Disposition: attachment; {parameters}\r\n\r\n");
        assert_eq!(mail::parse(message.as_bytes()).root.file_name().as_deref(), expected, "{parameters:?}");
    }
}

#[test]
fn composites() {
    check(
        "Content-Type: multipart/mixed; boundary=b\r\nContent-Disposition: inline; a=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--",
        "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1 0)(\"text\" \"html\" NIL NIL NIL \"7BIT\" 3 0) \"mixed\")",
        "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1 0 NIL NIL NIL NIL)(\"text\" \"html\" NIL NIL NIL \"7BIT\" 3 0 NIL NIL NIL NIL) \
         \"mixed\" (\"boundary\" \"b\") (\"inline\" (\"a\" \"b\")) NIL NIL)",
    );
    check(
        "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n",
        "(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 18 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) \
         (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 1) 3)",
        "(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 18 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) \
         (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)",
    );
}
