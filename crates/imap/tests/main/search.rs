//! SEARCH against an oracle: a generated corpus in many charsets and encodings of which the plain text is known; what SEARCH finds
//! must be what a plain `contains` on the whole folded text finds, no more and no less.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use encoding_rs::Encoding;
use yubin_base::ports::Random as _;
use yubin_formats::fold_for_search;
use yubin_testkit::{SimRandom, block_on, transcript::START};

use crate::{session::talk, world::World};

const CHARSETS: [&str; 14] = [
    "utf-8",
    "iso-2022-jp",
    "shift_jis",
    "euc-jp",
    "gb18030",
    "gbk",
    "big5",
    "euc-kr",
    "koi8-r",
    "windows-1251",
    "windows-1252",
    "iso-8859-2",
    "iso-8859-15",
    "utf-16",
];

const WORDS: &str = "the meeting report station Invoice budget straße Größe café naïve señor ŁÓDŹ żółw Привет мир отчёт Счёт \
    会議 資料 株式会社 東京都 お世話になっております テスト ﾃｽﾄ データ ガイド ぱんだ ﾊﾟﾝﾀﾞ 見積書 第①回 ＡＢＣ ㈱山田 \
    你好 世界 发票 報告 會議 안녕하세요 회의 보고서 naïvete x86 2024-11-25 a@b.example 100,000円 \u{2014}dash e\u{301}t\u{e9} Ωμέγα \
    ﬁne longwordwithoutanyspaces1234567890abcdef AAAA---BBBB foo_bar ... !? ★☆ ☎ 🎉";

/// One message: its octets, and the texts that SEARCH looks at, not folded.
#[derive(Default)]
struct Made {
    octets: Vec<u8>,
    /// Name and decoded value.
    fields: Vec<(String, String)>,
    bodies: Vec<String>,
    part_headers: Vec<String>,
}

struct Maker {
    random: SimRandom,
    words: Vec<&'static str>,
}

impl Maker {
    fn below(&self, n: usize) -> usize {
        (self.random.u64() % n as u64) as usize
    }
    fn phrase(&self, most: usize) -> String {
        let count = 1 + self.below(most);
        let between = ["", " ", " ", " ", "、", "\r\n"];
        let mut out = String::new();
        for n in 0..count {
            if n > 0 {
                out.push_str(between[self.below(between.len())]);
            }
            out.push_str(self.words[self.below(self.words.len())]);
        }
        out
    }
    /// The octets of the text in a charset that has all of it.
    fn encoded(&self, text: &str) -> (&'static str, Vec<u8>) {
        for _ in 0..8 {
            let label = CHARSETS[self.below(CHARSETS.len())];
            if label == "utf-16" {
                let octets = text.encode_utf16().flat_map(u16::to_be_bytes);
                return (label, [0xfe, 0xff].into_iter().chain(octets).collect());
            }
            let (octets, _, failed) = Encoding::for_label(label.as_bytes()).unwrap().encode(text);
            let (back, _) =
                Encoding::for_label(label.as_bytes()).unwrap().decode_without_bom_handling(&octets);
            if !failed && back == text {
                return (label, octets.into_owned());
            }
        }
        ("utf-8", text.as_bytes().to_vec())
    }
    /// A header value, encoded one way or another.
    fn header_value(&self, text: &str) -> String {
        if self.below(4) == 0 {
            return text.to_owned(); // RFC 6532
        }
        let (label, octets) = self.encoded(text);
        if self.below(2) == 0 {
            return format!("=?{label}?B?{}?=", STANDARD.encode(octets));
        }
        // Two words, cut anywhere: some mailers do.
        let q = |octets: &[u8]| {
            let body: String =
                octets.iter().map(|c| if *c == b' ' { "_".into() } else { format!("={c:02X}") }).collect();
            format!("=?{label}?Q?{body}?=")
        };
        let (a, b) = octets.split_at(self.below(octets.len()));
        format!("{}\r\n {}", q(a), q(b))
    }
    /// Header lines of a part and its body, with a transfer encoding.
    fn body(&self, kind: &str, text: &str, extra: &str) -> Vec<u8> {
        let (label, octets) = self.encoded(text);
        let (name, body) = match self.below(3) {
            0 => ("base64", {
                let digits = STANDARD.encode(&octets);
                let size = [76, 75, 7][self.below(3)];
                digits.as_bytes().chunks(size).map(|c| [c, b"\r\n"].concat()).collect::<Vec<_>>().concat()
            }),
            1 => ("quoted-printable", {
                let mut out = String::new();
                for (n, octet) in octets.iter().enumerate() {
                    if n % 20 == 19 {
                        out.push_str("=\r\n");
                    }
                    match octet {
                        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(*octet)),
                        _ => out.push_str(&format!("={octet:02X}")),
                    }
                }
                out.into_bytes()
            }),
            // Line ends are part of the text, so the boundary gets one of its own.
            _ if label != "utf-16" => ("8bit", octets),
            _ => ("base64", STANDARD.encode(&octets).into_bytes()),
        };
        let head =
            format!("Content-Type: {kind}; charset={label}{extra}\r\nContent-Transfer-Encoding: {name}\r\n");
        [head.as_bytes(), b"\r\n", &body].concat()
    }
    /// HTML that shows the text: its source, as sent.
    fn html(&self, text: &str) -> String {
        let mut out = String::from("<p>");
        for c in text.chars() {
            match self.below(12) {
                0 => out.push_str("<b class=q>"),
                1 => out.push_str("</b>"),
                2 if !c.is_ascii_control() => {
                    out.push_str(&format!("&#{};", c as u32));
                    continue;
                }
                _ => {}
            }
            out.push(c);
        }
        out + "</p><script>var hidden = 1;</script>"
    }
    fn leaf(&self, made: &mut Made) -> Vec<u8> {
        let text = self.phrase(30);
        match self.below(6) {
            0 => {
                let html = self.html(&text);
                made.bodies.extend([html.clone(), format!("\n{text}\n\n")]);
                self.body("text/html", &html, "")
            }
            1 => {
                // A picture that happens to hold words is no text.
                let head = "Content-Type: image/png\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
                [head.as_bytes(), "zebra 会議室 report".as_bytes()].concat()
            }
            2 => {
                let name = self.phrase(2).replace("\r\n", " ");
                let escaped: String = name.bytes().map(|octet| format!("%{octet:02X}")).collect();
                made.bodies.push(text.clone());
                made.part_headers.push(name);
                let extra = format!("\r\nContent-Disposition: attachment; filename*=utf-8''{escaped}");
                self.body("text/plain", &text, &extra)
            }
            _ => {
                made.bodies.push(text.clone());
                self.body("text/plain", &text, "")
            }
        }
    }
    fn entity(&self, made: &mut Made, depth: usize) -> Vec<u8> {
        match self.below(4 + depth) {
            0 | 1 => {
                let boundary = format!("b{depth}x{}", self.below(1_000_000));
                let mut out =
                    format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n").into_bytes();
                for _ in 0..1 + self.below(3) {
                    out.extend(format!("--{boundary}\r\n").bytes());
                    let part = self.entity(made, depth + 1);
                    made.part_headers.extend(header_lines(&part));
                    out.extend(part);
                    out.extend(b"\r\n");
                }
                out.extend(format!("--{boundary}--\r\n").bytes());
                out
            }
            2 => {
                let mut inner = Made::default();
                self.message(&mut inner, depth + 1);
                made.bodies.extend(inner.fields.iter().map(|(name, value)| format!("{name}: {value}")));
                made.bodies.extend(inner.bodies);
                made.part_headers.extend(inner.part_headers);
                [&b"Content-Type: message/rfc822\r\n\r\n"[..], &inner.octets].concat()
            }
            _ => self.leaf(made),
        }
    }
    fn message(&self, made: &mut Made, depth: usize) {
        for name in ["Subject", "From", "X-Note"] {
            let mut text = self.phrase(4).replace("\r\n", " ");
            let mut value = self.header_value(text.trim());
            if name == "From" {
                value = format!("{value} <who@{}.example>", self.below(50));
                text = format!("{} {}", text.trim(), &value[value.rfind('<').unwrap()..]);
            }
            made.octets.extend(format!("{name}: {value}\r\n").bytes());
            made.fields.push((name.to_owned(), text.trim().to_owned()));
        }
        made.octets.extend(b"MIME-Version: 1.0\r\n");
        made.fields.push(("MIME-Version".into(), "1.0".into()));
        let entity = self.entity(made, depth);
        for line in header_lines(&entity) {
            let (name, value) = line.split_once(": ").unwrap();
            made.fields.push((name.to_owned(), value.to_owned()));
        }
        made.octets.extend(entity);
    }
    /// A part of some text of some message, perhaps written another way; or words that are perhaps nowhere.
    fn needle(&self, corpus: &[Made]) -> String {
        let made = &corpus[self.below(corpus.len())];
        let texts: Vec<&str> = made
            .bodies
            .iter()
            .chain(made.fields.iter().map(|(_, value)| value))
            .chain(&made.part_headers)
            .map(String::as_str)
            .collect();
        let chars: Vec<char> = texts[self.below(texts.len())].chars().collect();
        let from = self.below(chars.len());
        let len = [1, 2, 3, 4, 6, 9, 15, 40][self.below(8)];
        let part: String = chars[from..].iter().take(len).collect();
        match self.below(6) {
            0 => part.to_uppercase(),
            1 => part.to_lowercase(),
            2 => self.phrase(2),
            3 => fold_for_search(&part),
            _ => part,
        }
    }
}

fn header_lines(entity: &[u8]) -> Vec<String> {
    let end = entity.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    String::from_utf8_lossy(&entity[..end]).lines().map(str::to_owned).collect()
}

/// Where a needle is sought.
#[derive(Clone, Copy, Debug, PartialEq)]
enum In {
    Body,
    Text,
    Field(&'static str),
}

struct Folded {
    fields: Vec<(String, String)>,
    bodies: Vec<String>,
    part_headers: Vec<String>,
}

impl Folded {
    fn of(made: &Made) -> Self {
        let fold = |texts: &[String]| texts.iter().map(|t| fold_for_search(t)).collect();
        let fields = made.fields.iter().map(|(n, v)| (fold_for_search(n), fold_for_search(v))).collect();
        Self { fields, bodies: fold(&made.bodies), part_headers: fold(&made.part_headers) }
    }
    fn has(&self, place: In, needle: &str) -> bool {
        let is = |text: &String| text.contains(needle);
        match place {
            In::Body => self.bodies.iter().any(is),
            In::Text => {
                self.bodies.iter().any(is)
                    || self.part_headers.iter().any(is)
                    || self.fields.iter().any(|(n, v)| is(&format!("{n}: {v}")))
            }
            In::Field(name) => self.fields.iter().any(|(n, v)| n == name && is(v)),
        }
    }
}

/// Asks for each needle, in each place; gives the sequence numbers found.
fn ask(world: &World, questions: &[(In, String)]) -> Vec<Vec<usize>> {
    let mut input = b"a LOGIN ann secret\r\nb SELECT INBOX\r\n".to_vec();
    for (place, needle) in questions {
        let key = match place {
            In::Body => "BODY".to_owned(),
            In::Text => "TEXT".to_owned(),
            In::Field(name) => format!("HEADER {name}"),
        };
        input.extend(format!("q SEARCH CHARSET UTF-8 {key} {{{}+}}\r\n", needle.len()).bytes());
        input.extend(needle.bytes());
        input.extend(b"\r\n");
    }
    let mut session = world.session();
    let segments: Vec<&[u8]> = input.chunks(16_384).collect();
    let (said, _) = talk(&mut session, &segments);
    let said = String::from_utf8_lossy(&said);
    let answers = said.lines().filter_map(|line| line.strip_prefix("* SEARCH"));
    answers.map(|line| line.split_whitespace().map(|n| n.parse().unwrap()).collect()).collect()
}

fn corpus(seed: u64, count: usize) -> (Maker, Vec<Made>) {
    let maker = Maker { random: SimRandom::new(seed), words: WORDS.split_whitespace().collect() };
    let corpus = (0..count)
        .map(|_| {
            let mut made = Made::default();
            maker.message(&mut made, 0);
            made
        })
        .collect();
    (maker, corpus)
}

fn questions(maker: &Maker, corpus: &[Made], count: usize) -> Vec<(In, String)> {
    let places = [In::Body, In::Body, In::Text, In::Field("subject"), In::Field("from"), In::Field("x-note")];
    let mut questions = Vec::new();
    while questions.len() < count {
        let needle = maker.needle(corpus);
        if !fold_for_search(&needle).is_empty() {
            questions.push((places[maker.below(places.len())], needle));
        }
    }
    questions
}

/// Compares, and tells how many were found in all. The mailbox holds the corpus `times` times.
fn compare(world: &World, corpus: &[Made], times: usize, questions: &[(In, String)]) -> usize {
    let folded: Vec<Folded> = corpus.iter().map(Folded::of).collect();
    let answers = ask(world, questions);
    assert_eq!(answers.len(), questions.len());
    let mut hits = 0;
    for ((place, needle), found) in questions.iter().zip(answers) {
        let sought = fold_for_search(needle);
        let expected: Vec<usize> =
            (1..).zip(&folded).filter(|(_, f)| f.has(*place, &sought)).map(|(n, _)| n).collect();
        let again = |time: usize| expected.iter().map(move |n| n + time * corpus.len());
        let expected: Vec<usize> = (0..times).flat_map(again).collect();
        if found != expected {
            let odd =
                found.iter().chain(&expected).find(|n| found.contains(n) != expected.contains(n)).unwrap();
            panic!(
                "{place:?} {needle:?}: found {found:?}, expected {expected:?}; message {odd}:\n{}",
                corpus[(odd - 1) % corpus.len()].octets.escape_ascii()
            );
        }
        hits += found.len();
    }
    hits
}

#[test]
fn search_finds_what_is_there_and_nothing_else() {
    let (maker, corpus) = corpus(7, 80);
    let world = World::new();
    corpus.iter().for_each(|made| world.append("INBOX", &made.octets, START));
    let questions = questions(&maker, &corpus, 300);
    let hits = compare(&world, &corpus, 1, &questions);
    assert!(hits > 1_000, "the needles must be there often enough: {hits}");
}

/// The same questions, answered by the index: of several segments, of merged ones, with a tail that is not in it, with messages gone.
#[test]
fn the_index_makes_no_difference() {
    let (maker, corpus) = corpus(8, 66);
    let world = World::new();
    let account = world.account();
    let index = || {
        let mut merged = false;
        loop {
            let step = block_on(account.index_step()).unwrap();
            merged |= step.merged;
            if !step.more {
                return merged;
            }
        }
    };
    let mut times = 0;
    let mut fill = |count: usize| {
        for _ in 0..count {
            corpus.iter().for_each(|made| world.append("INBOX", &made.octets, START));
        }
        times += count;
        times
    };
    let asked = questions(&maker, &corpus, 70);
    // Too few to be worth it.
    let times = fill(1);
    assert!(!index());
    assert_eq!(block_on(account.index_stats()).unwrap().messages, 0);
    compare(&world, &corpus, times, &asked[..20]);
    for round in 0..4 {
        let times = fill(4);
        assert_eq!(index(), round == 3, "four segments alike are merged");
        let stats = block_on(account.index_stats()).unwrap();
        assert_eq!((stats.messages, stats.waiting), (times as u64 * 66, 0));
        assert_eq!(stats.segments, [1, 2, 3, 1][round]);
        if round % 2 == 0 {
            compare(&world, &corpus, times, &asked);
        }
    }
    // A tail that every search reads, and which of the others nobody must read any more.
    let times = fill(1);
    assert!(!index());
    assert_eq!(block_on(account.index_stats()).unwrap().waiting, 66);
    compare(&world, &corpus, times, &asked[..25]);
    // Without the index it is the same.
    block_on(account.drop_index()).unwrap();
    assert_eq!(block_on(account.index_stats()).unwrap().messages, 0);
    compare(&world, &corpus, times, &asked[..10]);
    assert!(!index());
    assert_eq!(block_on(account.index_stats()).unwrap().waiting, 0);
    compare(&world, &corpus, times, &asked[..25]);
    let report = block_on(world.store.verify_account(crate::world::ANN, false)).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
}

/// Texts longer than a piece, in which every character where pieces meet belongs to a needle.
#[test]
fn nothing_is_missed_where_pieces_meet() {
    let world = World::new();
    let mut input = b"a LOGIN ann secret\r\nb SELECT INBOX\r\n".to_vec();
    let marks: Vec<String> = (10..70).map(|n| format!("目{n}印ガ点")).collect();
    let labels = ["utf-8", "iso-2022-jp", "shift_jis", "utf-8 base64"];
    for label in labels {
        let (name, coding) = label.split_once(' ').unwrap_or((label, "8bit"));
        let head = format!(
            "Subject: {label}\r\nContent-Type: text/plain; charset={name}\r\nContent-Transfer-Encoding: {coding}\r\n\r\n"
        );
        let encode = |text: &str| {
            let octets = Encoding::for_label(name.as_bytes()).unwrap().encode(text).0;
            match coding {
                "base64" => {
                    let digits = STANDARD.encode(&octets);
                    digits.as_bytes().chunks(76).map(|c| [c, b"\r\n"].concat()).collect::<Vec<_>>().concat()
                }
                _ => octets.into_owned(),
            }
        };
        // The marks lie around the end of the first piece.
        let line = "some words of no meaning\r\n";
        let octets_of_line = encode(&line.repeat(1_000)).len() as f64 / 1_000.0;
        let lines = (262_144.0 / octets_of_line) as usize - 10;
        let text = line.repeat(lines) + &marks.concat() + line;
        let octets = [head.as_bytes(), &encode(&text)].concat();
        assert!(octets.len() > 262_500 && encode(&text[..line.len() * lines]).len() < 262_000);
        world.append("INBOX", &octets, START);
    }
    // All marks in one search: a message in which one is missed is not found.
    input.extend(b"q SEARCH CHARSET UTF-8");
    for mark in &marks {
        input.extend(format!(" BODY {{{}+}}\r\n{mark}", mark.len()).bytes());
    }
    // As they are written elsewhere, and one that is not there.
    input.extend("\r\nq SEARCH CHARSET UTF-8 BODY {21+}\r\n目５０印か\u{3099}点\r\n".bytes());
    input.extend("q SEARCH CHARSET UTF-8 BODY {14+}\r\n目50印か点\r\n".bytes());
    let (said, _) = talk(&mut world.session(), &input.chunks(16_384).collect::<Vec<_>>());
    let said = String::from_utf8_lossy(&said);
    let found: Vec<&str> = said.lines().filter(|line| line.starts_with("* SEARCH")).collect();
    assert_eq!(found, ["* SEARCH 1 2 3 4", "* SEARCH 1 2 3 4", "* SEARCH"]);
}
