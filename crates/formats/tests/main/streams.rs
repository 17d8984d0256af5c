//! Decoders give the same in any chunking, and never panic.

use proptest::prelude::*;
use yubin_formats::{
    charset::{Charset, TextDecoder},
    fold_for_search,
    mail::{self, TransferDecoder, TransferEncoding},
};

const PIECES: &[&[u8]] = &[
    b"a",
    b"z=",
    b"=",
    b"=3D",
    b"=e3",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"QUJD",
    b"==",
    b"QQ",
    b"_",
    b"begin 644 x\n",
    b"end\n",
    b"#86)C\n",
    b"\x1b$B",
    b"\x1b(B",
    b"\x1b(I",
    b"\x1b$(D",
    b"\x1b",
    b"\x0e",
    b"\x0f",
    b";3",
    b"ED",
    b"~{",
    b"~}",
    b"~",
    b"\x93\xfa",
    b"\xc6\xfc",
    b"\xe3\x81\x82",
    b"\xe3",
    b"\xff",
    b"\0",
    b"\xb6",
    b"\xfe\xff",
    b"=?utf-8?q?a?=",
    b"=?iso-2022-jp?b?GyRC?=",
    b"\x1b$)C",
];

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..PIECES.len(), 0..40)
        .prop_map(|pieces| pieces.into_iter().flat_map(|piece| PIECES[piece].iter().copied()).collect())
}

fn transferred(encoding: TransferEncoding, octets: &[u8], chunk: usize) -> Vec<u8> {
    let (mut decoder, mut out) = (TransferDecoder::new(encoding), Vec::new());
    octets.chunks(chunk).for_each(|piece| decoder.push(piece, &mut out));
    decoder.finish(&mut out);
    out
}

fn decoded(charset: Option<Charset>, octets: &[u8], chunk: usize) -> String {
    let (mut decoder, mut out) = (TextDecoder::new(charset), String::new());
    octets.chunks(chunk).for_each(|piece| decoder.push(piece, &mut out));
    decoder.finish(&mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn transfer_encodings_in_any_chunking(octets in octets(), chunk in 1usize..9) {
        use TransferEncoding::*;
        for encoding in [SevenBit, Base64, QuotedPrintable, Uuencode, Unknown] {
            let whole = transferred(encoding, &octets, usize::MAX);
            prop_assert!(whole.len() <= octets.len());
            prop_assert_eq!(transferred(encoding, &octets, chunk), whole, "{:?}", encoding);
        }
    }

    #[test]
    fn charsets_in_any_chunking(octets in octets(), chunk in 1usize..9) {
        let labels = ["us-ascii", "utf-8", "iso-2022-jp", "iso-2022-kr", "hz", "shift_jis", "euc-jp", "gb18030", "big5", "utf-16", "utf-16le", "koi8-r"];
        for charset in labels.into_iter().map(Charset::for_label).chain([None]) {
            let whole = decoded(charset, &octets, usize::MAX);
            prop_assert_eq!(decoded(charset, &octets, chunk), whole, "{:?}", charset.map(Charset::name));
        }
    }

    #[test]
    fn fields_of_any_octets(octets in octets()) {
        let text = mail::decode_header(&octets);
        prop_assert!(!text.contains(['\r', '\n', '\0']));
        let folded = fold_for_search(&text);
        prop_assert_eq!(fold_for_search(&folded), folded.clone());
        mail::base_subject(&text);
        mail::parse_addresses(&octets);
        mail::parse_date(&octets);
        mail::message_ids(&octets);
        mail::preview(&mail::html_to_text(&text), false);
    }

    #[test]
    fn what_is_a_part_of_a_text_is_a_part_of_the_folded_text(before in "[a-zA-Zあ-んア-ン一-龥 ]{0,8}", sought in "[a-zA-Zあ-んア-ン一-龥Ａ-Ｚ]{1,8}", after in "[ a-zあ-ん一-龥]{0,8}") {
        let text = format!("{before}{sought}{after}");
        prop_assert!(fold_for_search(&text).contains(&fold_for_search(&sought)));
    }
}

#[test]
fn long_text_is_guessed_from_its_start() {
    // "日本語のメール" in Shift_JIS, far over the octets that are looked at
    let line = b"\x93\xfa\x96\x7b\x8c\xea\x82\xcc\x83\x81\x81\x5b\x83\x8b\r\n";
    let text = line.repeat(3_000);
    let expected = "日本語のメール\r\n".repeat(3_000);
    assert_eq!(decoded(None, &text, 1_000), expected);
    assert_eq!(
        decoded(None, &[b"plain first\r\n".repeat(3_000), text].concat(), 777),
        format!("{}{expected}", "plain first\r\n".repeat(3_000))
    );
    // A character that the end of the octets looked at cuts does not make UTF-8 something else.
    for lead in 0..3 {
        let text = format!("{}{}", "a".repeat(lead), "あ".repeat(10_000));
        assert_eq!(decoded(None, text.as_bytes(), 4_096), text);
    }
}
