//! The differences to mail-parser 0.11.9 and mailparse 0.16 on mail as it is in Japan and elsewhere. Where they are right we
//! agree; where they are known to be wrong, the case says what is right and why they differ.

use base64::{Engine, engine::general_purpose::STANDARD};
use mailparse::MailHeaderMap;
use yubin_formats::mail::{self, Structure};

/// Who reads this message's subject and text as it was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// All three.
    All,
    /// Only we; why.
    Us(&'static str),
    /// We and mailparse; why not mail-parser.
    Mailparse(&'static str),
}

fn check(message: &[u8], subject: &str, text: &str, right: Right) {
    let read = mail::parse(message);
    let structure = Structure::from(&read);
    let part = structure.preview_part().expect("a text");
    let body = &message[part.body_start as usize..part.body_end as usize];
    let ours = (read.subject(), mail::decode_text(part, body, usize::MAX));
    let meant = (subject.to_owned(), text.to_owned());
    assert_eq!(ours, meant, "{}", message.escape_ascii());

    let parsed = mail_parser::MessageParser::default().parse(message);
    let theirs = parsed.map(|m| {
        (m.subject().unwrap_or_default().to_owned(), m.body_text(0).unwrap_or_default().into_owned())
    });
    let mail_parser = theirs.as_ref() == Some(&meant);
    let parsed = mailparse::parse_mail(message).ok();
    let others = parsed.map(|m| {
        let leaf = m
            .parts()
            .find(|part| part.ctype.mimetype.starts_with("text/"))
            .and_then(|part| part.get_body().ok());
        (m.headers.get_first_value("Subject").unwrap_or_default(), leaf.unwrap_or_default())
    });
    let mailparse = others.as_ref() == Some(&meant);
    let expected = match right {
        Right::All => (true, true),
        Right::Us(_) => (false, false),
        Right::Mailparse(_) => (false, true),
    };
    assert_eq!(
        (mail_parser, mailparse),
        expected,
        "{right:?}\n{}\n{theirs:?}\n{others:?}",
        message.escape_ascii()
    );
}

fn message(subject: &str, charset: &str, encoding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "Subject: {subject}\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn messages_that_all_read() {
    check(b"Subject: plain\r\n\r\nhello\r\n", "plain", "hello\r\n", Right::All);
    check(
        &message("=?UTF-8?B?6KaL56mN5pu4?=", "utf-8", "8bit", "見積書です".as_bytes()),
        "見積書",
        "見積書です",
        Right::All,
    );
    check(
        &message("=?ISO-2022-JP?B?GyRCOzNFRBsoQg==?=", "ISO-2022-JP", "7bit", b"\x1b$B;3ED\x1b(B desu"),
        "山田",
        "山田 desu",
        Right::All,
    );
    check(
        &message("=?Shift_JIS?B?jlKTYw==?=", "Shift_JIS", "8bit", b"\x8eR\x93c"),
        "山田",
        "山田",
        Right::All,
    );
    check(
        &message("=?EUC-JP?B?u7PFxA==?=", "EUC-JP", "8bit", b"\xbb\xb3\xc5\xc4"),
        "山田",
        "山田",
        Right::All,
    );
    check(
        &message("=?iso-8859-1?q?caf=E9_au_lait?=", "iso-8859-1", "quoted-printable", b"caf=E9 =\r\nau lait"),
        "café au lait",
        "café au lait",
        Right::All,
    );
    check(
        &message(
            "=?gb18030?b?xOO6ww==?=",
            "gb18030",
            "base64",
            STANDARD.encode(b"\xc4\xe3\xba\xc3").as_bytes(),
        ),
        "你好",
        "你好",
        Right::All,
    );
    check(
        b"Subject: a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo\r\n--b--\r\n",
        "a",
        "one",
        Right::All,
    );
}

#[test]
fn messages_that_only_some_read() {
    check(
        &message(
            "=?ISO-2022-JP?B?GyRCOzNFRBsoQg==?= =?ISO-2022-JP?B?GyRCQkBPOhsoQg==?=",
            "utf-8",
            "7bit",
            b"x",
        ),
        "山田太郎",
        "x",
        Right::All,
    );
    check(
        &message("=?UTF-8?Q?=E3=81?= =?UTF-8?Q?=82?=", "utf-8", "7bit", b"x"),
        "あ",
        "x",
        Right::Us("a character split between words"),
    );
    check(
        &message("=?cp932?B?jlKTYw==?=", "cp932", "8bit", b"\x8eR\x93c"),
        "山田",
        "山田",
        Right::Us("the label cp932"),
    );
    check(
        &message("=?cp50220?B?GyRCOzNFRBsoQg==?=", "cp50221", "7bit", b"\x1b(I6@6E\x1b(B"),
        "山田",
        "ｶﾀｶﾅ",
        Right::Us("the labels cp50220 and cp50221"),
    );
    check(
        &message("a", "iso-2022-jp", "7bit", b"\x1b$B-!\x1b(B \x0e6@6E\x0f"),
        "a",
        "① ｶﾀｶﾅ",
        Right::Us("half-width kana by SO and SI"),
    );
    check(
        &message("a", "iso-2022-jp", "7bit", b"\x1b(B\x1b$B;3ED\x1b(B"),
        "a",
        "山田",
        Right::Us("a designation followed by another at once"),
    );
    check(&message("a", "eucjp-ms", "8bit", b"\xad\xa1"), "a", "①", Right::Us("the label eucjp-ms"));
    check(
        b"Subject: \x1b$B;3ED\x1b(B\r\n\r\n\x1b$B;3ED\x1b(B",
        "山田",
        "山田",
        Right::Us("undeclared ISO-2022-JP"),
    );
    check(
        &[b"Subject: ".as_slice(), b"\x93\xfa\x96\x7b\x8c\xea\x82\xcc\x83\x81\x81\x5b\x83\x8b", b"\r\n\r\nx"]
            .concat(),
        "日本語のメール",
        "x",
        Right::Us("raw Shift_JIS in a header"),
    );
    check(
        "Subject: 山田\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n山田".as_bytes(),
        "山田",
        "山田",
        Right::Us("UTF-8 under the label us-ascii"),
    );
    check(
        &message("a", "utf-7", "7bit", b"+ADw-b+AD4-"),
        "a",
        "+ADw-b+AD4-",
        Right::Us("UTF-7 is never decoded"),
    );
    check(
        b"Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none--b\r\ntwo\r\n--b--\r\n",
        "a",
        "one--b\r\ntwo",
        Right::Mailparse("a delimiter in the middle of a line is none"),
    );
}

#[test]
fn random_texts_are_read_alike() {
    let texts = [
        "お世話になっております。",
        "株式会社 山田商事 様",
        "①②③㈱",
        "ｶﾀｶﾅ",
        "表示ソース能",
        "請求書\r\n見積書\r\n",
        "plain ascii",
        "～－",
    ];
    for text in texts {
        for (label, encoding) in [
            ("utf-8", encoding_rs::UTF_8),
            ("shift_jis", encoding_rs::SHIFT_JIS),
            ("euc-jp", encoding_rs::EUC_JP),
        ] {
            let (octets, _, unmappable) = encoding.encode(text);
            assert!(!unmappable);
            for transfer in ["8bit", "base64"] {
                let body = if transfer == "base64" {
                    STANDARD.encode(&octets).into_bytes()
                } else {
                    octets.to_vec()
                };
                let subject = format!("=?{label}?B?{}?=", STANDARD.encode(encoding.encode("件名").0));
                check(&message(&subject, label, transfer, &body), "件名", text, Right::All);
            }
        }
    }
}
