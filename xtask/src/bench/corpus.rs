//! Generated mail that looks like mail: trace fields, signatures, threads, HTML beside text, attachments, Japanese in
//! ISO-2022-JP and UTF-8. The same seed gives the same octets.

use crate::client::Rng;

pub struct Corpus {
    /// One to twelve KiB, as most mail is.
    pub mixed: Vec<Vec<u8>>,
    /// 4 KiB each.
    pub small: Vec<Vec<u8>>,
    /// 64 KiB each.
    pub large: Vec<Vec<u8>>,
}

impl Corpus {
    pub fn generate(seed: u64, count: usize) -> Corpus {
        let mut rng = Rng::new(seed);
        let mut list = |count: usize, size: &mut dyn FnMut(&mut Rng) -> usize| -> Vec<Vec<u8>> {
            (0..count).map(|number| message(&mut rng, number, size)).collect()
        };
        Corpus {
            mixed: list(count, &mut |rng| 1_000 + usize::try_from(rng.below(11_000)).unwrap_or(0)),
            small: list(count.min(200), &mut |_| 4_096),
            large: list(count.min(50), &mut |_| 65_536),
        }
    }
}

static WORDS: Words = Words::new(|| {
    "the of and to in that for it was with be by on not this have from or had an they which one you were all there would \
    their we when who will no more if out so up said what its about than into them can only other time new some could these two may first \
    meeting report budget invoice project schedule update review contract customer please attached regards thanks monday friday deadline \
    draft version team office server issue request order payment delivery quote price total amount question answer confirm tomorrow week".split_whitespace().collect()
});

static JAPANESE: Words = Words::new(|| {
    "お世話になっております 株式会社 山田商事 営業部 見積書 請求書 納品 契約 会議 資料 添付 ご確認 よろしくお願いいたします 本日 明日 来週 \
    予定 変更 連絡 出張 報告 予算 承認 至急 打ち合わせ ありがとうございました 東京 大阪 製品 開発 設計 品質 在庫 発注 受注 担当者様 について の件 金額 期限 \
    まで です ます いたします ください 。 カタカナ メール サーバ システム".split_whitespace().collect()
});

static NAMES: Words = Words::new(|| {
    "Alice Bob Carol David Emma Frank Grace Henry Irene Jack Karen Liam Mary Nina Oscar Paula Quinn Rita Sam Tina".split_whitespace().collect()
});

type Words = std::sync::LazyLock<Vec<&'static str>>;

fn pick(rng: &mut Rng, words: &Words) -> &'static str {
    rng.pick(words).copied().unwrap_or_default()
}

/// One message of about the size that is asked for.
fn message(rng: &mut Rng, number: usize, size: &mut dyn FnMut(&mut Rng) -> usize) -> Vec<u8> {
    let octets = size(rng);
    let japanese = rng.percent(30);
    let mut out = header(rng, number, japanese).into_bytes();
    let left = octets.saturating_sub(out.len() + 200).max(64);
    match rng.below(10) {
        0..5 => single(rng, &mut out, japanese, left),
        5..8 => alternative(rng, &mut out, japanese, left),
        _ => attachment(rng, &mut out, japanese, left),
    }
    out
}

fn header(rng: &mut Rng, number: usize, japanese: bool) -> String {
    let mut head = String::new();
    for hop in 0..2 + rng.below(2) {
        head.push_str(&format!(
            "Received: from host{}.example.com (host{}.example.com [192.0.2.{}])\r\n\tby mx{hop}.example.net (Postfix) with ESMTPS id {:X}\r\n\tfor <user@lab.test>; Sat, 14 Nov 2026 10:00:{:02} +0900\r\n",
            rng.below(99), rng.below(99), rng.below(254), rng.next() >> 24, rng.below(60)
        ));
    }
    if rng.percent(60) {
        head.push_str("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=sel1;\r\n\th=from:to:subject:date:message-id;\r\n\tb=");
        for _ in 0..5 {
            head.push_str(&format!("{:016x}{:016x}{:016x}\r\n\t ", rng.next(), rng.next(), rng.next()));
        }
        head.push_str("==\r\n");
    }
    let subject = if japanese {
        encoded_word(&(0..4).map(|_| pick(rng, &JAPANESE)).collect::<String>())
    } else {
        sentence(rng, 6)
    };
    let sender = pick(rng, &NAMES);
    head.push_str(&format!(
        "From: {sender} <{}.{}@corp{}.example.com>\r\nTo: {} <user@lab.test>\r\nSubject: {subject}\r\nDate: Sat, 14 Nov 2026 10:{:02}:{:02} +0900\r\nMessage-ID: <{number}.{:x}@mid.lab.test>\r\n",
        sender.to_lowercase(), rng.below(400), rng.below(37), pick(rng, &NAMES), rng.below(60), rng.below(60), rng.next()
    ));
    if rng.percent(45) {
        let parent = format!("<{}@mid.lab.test>", rng.below(1_000));
        head.push_str(&format!(
            "In-Reply-To: {parent}\r\nReferences: <{}@mid.lab.test>\r\n\t{parent}\r\n",
            rng.below(1_000)
        ));
    }
    if rng.percent(20) {
        head.push_str("List-Id: <list.lists.example.org>\r\nList-Unsubscribe: <https://lists.example.org/u/1>\r\nPrecedence: list\r\n");
    }
    head.push_str("MIME-Version: 1.0\r\n");
    head
}

fn single(rng: &mut Rng, out: &mut Vec<u8>, japanese: bool, octets: usize) {
    let (charset, encoding, body) = text(rng, japanese, octets);
    out.extend_from_slice(
        format!(
            "Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        )
        .as_bytes(),
    );
    out.extend_from_slice(&body);
}

fn alternative(rng: &mut Rng, out: &mut Vec<u8>, japanese: bool, octets: usize) {
    let boundary = format!("=_{:016x}", rng.next());
    let (charset, encoding, plain) = text(rng, japanese, octets / 3);
    let mut html = String::from("<!DOCTYPE html>\r\n<html><body>\r\n");
    while html.len() < octets * 2 / 3 {
        html.push_str(&format!("<p style=\"margin:0 0 12px 0;font-size:14px\">{}</p>\r\n", sentence(rng, 9)));
    }
    html.push_str("</body></html>\r\n");
    out.extend_from_slice(format!("Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n").as_bytes());
    out.extend_from_slice(&plain);
    out.extend_from_slice(
        format!("--{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}--{boundary}--\r\n")
            .as_bytes(),
    );
}

fn attachment(rng: &mut Rng, out: &mut Vec<u8>, japanese: bool, octets: usize) {
    let boundary = format!("=_{:016x}", rng.next());
    let (charset, encoding, plain) = text(rng, japanese, octets.min(1_500) / 2);
    let left = octets.saturating_sub(plain.len()).max(100) * 3 / 4;
    let data: Vec<u8> = (0..left.div_ceil(8)).flat_map(|_| rng.next().to_le_bytes()).collect();
    out.extend_from_slice(format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n").as_bytes());
    out.extend_from_slice(&plain);
    let name = pick(rng, &WORDS);
    out.extend_from_slice(format!("--{boundary}\r\nContent-Type: application/pdf; name=\"{name}.pdf\"\r\nContent-Disposition: attachment; filename=\"{name}.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n").as_bytes());
    out.extend_from_slice(&base64_lines(&data));
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
}

/// Charset, transfer encoding, and lines.
fn text(rng: &mut Rng, japanese: bool, octets: usize) -> (&'static str, &'static str, Vec<u8>) {
    let mut words = String::new();
    while words.len() < octets {
        if japanese {
            for _ in 0..5 {
                words.push_str(pick(rng, &JAPANESE));
            }
        } else {
            words.push_str(&sentence(rng, 11));
        }
        words.push_str("\r\n");
    }
    if !japanese {
        return ("us-ascii", "7bit", words.into_bytes());
    }
    if rng.percent(50) {
        let (encoded, _, _) = encoding_rs::ISO_2022_JP.encode(&words);
        return ("iso-2022-jp", "7bit", encoded.into_owned());
    }
    ("utf-8", "base64", base64_lines(words.as_bytes()))
}

fn sentence(rng: &mut Rng, words: usize) -> String {
    let words: Vec<&str> = (0..words).map(|_| pick(rng, &WORDS)).collect();
    words.join(" ")
}

/// RFC 2047, in pieces of at most 13 characters.
fn encoded_word(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let words = characters
        .chunks(13)
        .map(|piece| format!("=?UTF-8?B?{}?=", base64(piece.iter().collect::<String>().as_bytes())));
    words.collect::<Vec<_>>().join("\r\n ")
}

fn base64_lines(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() * 4 / 3 + octets.len() / 28);
    for line in octets.chunks(57) {
        out.extend_from_slice(base64(line).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// RFC 4648 §4.
fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(octets.len().div_ceil(3) * 4);
    for group in octets.chunks(3) {
        let three =
            group.iter().chain([&0, &0]).take(3).fold(0_u32, |sum, octet| sum << 8 | u32::from(*octet));
        for place in 0..4 {
            let digit = DIGITS.get((three >> (18 - 6 * place)) as usize & 63).copied().unwrap_or(b'=');
            out.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_base64() {
        for (octets, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(octets.as_bytes()), expected);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_mail_of_the_size_asked_for() {
        let (one, two) = (Corpus::generate(1, 20), Corpus::generate(1, 20));
        assert_eq!(one.mixed, two.mixed);
        let mean = |list: &[Vec<u8>]| list.iter().map(Vec::len).sum::<usize>() / list.len();
        assert!((3_500..5_200).contains(&mean(&one.small)), "{}", mean(&one.small));
        assert!((60_000..70_000).contains(&mean(&one.large)), "{}", mean(&one.large));
        for message in one.mixed.iter().chain(&one.small) {
            assert!(message.ends_with(b"\r\n"));
            let text = String::from_utf8_lossy(message).replace("\r\n", "");
            assert!(!text.contains('\n') && !text.contains('\r'), "a bare line end");
            assert!(message.split(|octet| *octet == b'\n').all(|line| line.len() < 999), "a line too long");
        }
    }
}
