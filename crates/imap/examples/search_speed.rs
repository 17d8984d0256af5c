//! How fast SEARCH is on the embedded engine, without and with the search index, and what the index costs.
//! `cargo run --release --example search_speed -p yubin-imap [MESSAGES] [RUNS WITHOUT THE INDEX] [FOLDER]`.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

use std::{path::PathBuf, sync::Arc, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use yubin_base::{
    AccountId, BoxFuture, Next, Protocol as _, UnixMs,
    ports::Random as _,
    sasl::{AuthFailure, Authenticated, Authenticator, SaslContext, SaslExchange},
};
use yubin_engine::embedded::{EmbeddedEngine, EmbeddedOptions};
use yubin_imap::{ImapOptions, ImapServices, Quotas, Session};
use yubin_store::{Flags, NewMessage, Quota, Store, StoreOptions};
use yubin_testkit::{SimRandom, block_on};

const NOW: UnixMs = UnixMs(1_700_000_000_000);
const ANN: AccountId = AccountId(1);

struct Anybody;
impl Authenticator for Anybody {
    fn mechanisms(&self, _: &SaslContext) -> Vec<&'static str> {
        Vec::new()
    }
    fn start(&self, _: &str, _: SaslContext) -> Result<Box<dyn SaslExchange>, AuthFailure> {
        Err(AuthFailure::UnknownMechanism)
    }
    fn server_first(&self, _: &str) -> bool {
        false
    }
    fn login<'a>(
        &'a self,
        _: &'a str,
        _: &'a [u8],
        _: SaslContext,
    ) -> BoxFuture<'a, Result<Authenticated, AuthFailure>> {
        Box::pin(async { Ok(Authenticated { account: ANN, name: "ann".into() }) })
    }
}

struct NoQuota;
impl Quotas for NoQuota {
    fn quota(&self, _: AccountId) -> BoxFuture<'_, Quota> {
        Box::pin(async { Quota::default() })
    }
}

/// Mail as it is: words of which few are frequent and most are rare, and headers full of keys.
struct Mail {
    random: SimRandom,
    words: Vec<String>,
}

impl Mail {
    fn new() -> Self {
        let random = SimRandom::new(5);
        let syllables =
            ["ta", "ko", "re", "mi", "ing", "er", "st", "on", "al", "de", "pro", "ma", "ti", "us", "con"];
        let word = |_| {
            let count = 1 + random.u64() % 4;
            (0..count).map(|_| syllables[(random.u64() % 15) as usize]).collect::<String>()
        };
        let words = (0..40_000).map(word).collect();
        Self { random, words }
    }
    fn below(&self, n: u64) -> u64 {
        self.random.u64() % n
    }
    fn word(&self) -> String {
        // The n-th word comes about 1/n as often as the first.
        let x = (self.random.u64() >> 11) as f64 / (1u64 << 53) as f64;
        let at = (self.words.len() as f64).powf(x) as usize - 1;
        self.words[at.min(self.words.len() - 1)].clone()
    }
    fn japanese(&self) -> String {
        const KANJI: &str =
            "会議資料株式東京都契約見積書請求年月日時間本社部課長様御中件送付確認連絡報告予定変更担当";
        const KANA: &str = "のにはをがでとしますたいるおりてこそれくだきせん";
        let pick = |text: &str| text.chars().nth(self.below(text.chars().count() as u64) as usize).unwrap();
        (0..6).map(|n| pick(if n < 3 { KANJI } else { KANA })).collect()
    }
    fn key(&self, octets: usize) -> String {
        let mut raw = vec![0; octets];
        yubin_base::ports::Random::fill(&self.random, &mut raw);
        STANDARD.encode(raw)
    }
    fn message(&self, n: u64) -> Vec<u8> {
        let mut body = String::new();
        let japanese = n.is_multiple_of(3);
        while body.len() < 3_000 {
            for _ in 0..9 {
                body.push_str(&if japanese { self.japanese() } else { self.word() });
                body.push(' ');
            }
            body.push_str("\r\n");
        }
        // Rare, and in one of a hundred.
        if n % 20_000 == 77 {
            body.push_str("quixotry 稀覯本");
        }
        if n % 100 == 5 {
            body.push_str("perhapsword");
        }
        let (coding, body) = match japanese {
            true => {
                let digits = STANDARD.encode(&body);
                let lines =
                    digits.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned());
                ("base64", lines.collect::<Vec<_>>().join("\r\n"))
            }
            false => ("8bit", body),
        };
        format!(
            "Received: from mx{n}.example.net (mx.example.net [192.0.2.{}]) by mail.example.test with ESMTPS id {};\r\n Tue, 14 Nov 2023 22:13:20 +0000\r\n\
             DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=k{}; bh={};\r\n b={}\r\n\
             From: \"{} {}\" <{}@example{}.net>\r\nTo: ann@example.test\r\nSubject: {} {} {n}\r\n\
             Message-ID: <{}@example.net>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {coding}\r\n\r\n{body}\r\n",
            self.below(250), self.key(9), self.below(9), self.key(32), self.key(256), self.word(), self.word(), self.word(),
            self.below(500), self.word(), self.word(), self.key(15).replace(['+', '/', '='], "x")
        )
        .into_bytes()
    }
}

/// CPU time of this process, in seconds.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn folder_octets(folder: &std::path::Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() { folder_octets(&entry.path()) } else { meta.blocks() * 512 }
        })
        .sum()
}

fn say(session: &mut Session, line: &str) -> String {
    let (mut said, mut out) = (Vec::new(), Vec::new());
    let (_, mut next) = block_on(session.command(line.as_bytes(), NOW, &mut out));
    loop {
        said.append(&mut out);
        match next {
            Next::More => next = block_on(session.more(NOW, &mut out)),
            _ => return String::from_utf8_lossy(&said).into_owned(),
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let messages: u64 = arguments.next().map_or(10_000, |n| n.parse().unwrap());
    let runs: usize = arguments.next().map_or(3, |n| n.parse().unwrap());
    let folder = arguments.next().map_or_else(
        || std::env::temp_dir().join(format!("yubin-search-{}", std::process::id())),
        PathBuf::from,
    );
    let engine = EmbeddedEngine::open(&folder, EmbeddedOptions::default()).unwrap();
    let options = StoreOptions { message_octets_max: 1 << 26, cache_octets: 1 << 26, expunged_keep_s: 0 };
    let store = Store::new(Arc::new(engine.clone()), Arc::new(SimRandom::new(1)), options);
    block_on(store.create_account(ANN, NOW)).unwrap();
    let account = block_on(store.account(ANN)).unwrap();
    let inbox = account.mailbox_named("INBOX").unwrap().id;
    let mail = Mail::new();
    let mut octets = 0;
    for first in (0..messages).step_by(500) {
        let batch = (first..messages.min(first + 500))
            .map(|n| {
                let text = mail.message(n);
                octets += text.len() as u64;
                let mut stager = store.stager();
                stager.write(&text).unwrap();
                NewMessage {
                    staged: Arc::new(stager.finish().unwrap()),
                    prefix: Vec::new(),
                    flags: Flags::default(),
                    keywords: Vec::new(),
                    internal_date: NOW,
                    idem: None,
                }
            })
            .collect();
        block_on(account.append(inbox, batch, Quota::default(), NOW)).unwrap();
    }
    println!(
        "{messages} messages of {} octets on average; the store takes {} octets a message",
        octets / messages,
        folder_octets(&folder) / messages
    );
    let services = Arc::new(ImapServices {
        store: store.clone(),
        authenticator: Arc::new(Anybody),
        quotas: Arc::new(NoQuota),
        people: Arc::new(yubin_imap::NoPeople),
        options: ImapOptions { plaintext_allowed: true, ..ImapOptions::default() },
    });
    let peer = yubin_base::Peer {
        remote: "192.0.2.1:40000".parse().unwrap(),
        local: "192.0.2.2:143".parse().unwrap(),
        tls: None,
    };
    let mut session = Session::new(services, peer);
    block_on(session.greet(NOW, &mut Vec::new()));
    say(&mut session, "a LOGIN ann secret\r\n");
    say(&mut session, "b SELECT INBOX\r\n");
    let common = mail.words[3].clone();
    let searches = [
        ("rare word", "BODY quixotry".to_owned()),
        ("part of a rare word", "TEXT uixotr".to_owned()),
        ("rare word, Japanese", "BODY 稀覯本".to_owned()),
        ("word of 1 in 100", "BODY perhapsword".to_owned()),
        ("frequent word", format!("BODY {common}")),
        ("two Japanese characters", "BODY 会議".to_owned()),
        ("four Japanese characters", "BODY 会議資料".to_owned()),
        ("phrase", format!("BODY {} {}", mail.words[0], mail.words[1])),
        ("nothing has it", "TEXT zzzzqqqq".to_owned()),
        ("a key of a header", "TEXT Tue14x".to_owned()),
        ("subject", format!("SUBJECT {}", mail.words[900])),
        ("sender", "FROM example77.net".to_owned()),
    ];
    let measure = |session: &mut Session, title: &str, runs: usize| {
        println!("\n{title}");
        for (name, keys) in &searches {
            let (key, text) = keys.split_once(' ').unwrap();
            let length = text.len();
            let line = format!("c SEARCH RETURN (COUNT) CHARSET UTF-8 {key} {{{length}+}}\r\n{text}\r\n");
            let cpu = cpu_s();
            let mut times: Vec<f64> = (0..runs)
                .map(|_| {
                    let start = Instant::now();
                    let said = say(session, &line);
                    assert!(said.contains("COUNT"), "{said}");
                    start.elapsed().as_secs_f64() * 1_000.0
                })
                .collect();
            let cpu = (cpu_s() - cpu) / runs as f64 * 1_000.0;
            times.sort_by(f64::total_cmp);
            let said = say(session, &line);
            let count =
                said.split("COUNT ").nth(1).and_then(|n| n.split_whitespace().next()).unwrap().to_owned();
            println!(
                "  {name:28} best {:9.2} ms, median {:9.2} ms, CPU {cpu:7.0} ms, {count:>7} found",
                times[0],
                times[runs / 2]
            );
        }
    };
    if runs > 0 {
        measure(&mut session, "Without the index:", runs);
    }
    let start = Instant::now();
    while block_on(account.index_step()).unwrap().more {}
    let took = start.elapsed().as_secs_f64();
    let stats = block_on(account.index_stats()).unwrap();
    println!(
        "\nThe index: {} messages in {took:.1} s ({:.0} a second), {} segments, {} octets a message; the store takes {} octets a message",
        stats.messages,
        stats.messages as f64 / took,
        stats.segments,
        stats.octets / stats.messages.max(1),
        folder_octets(&folder) / messages
    );
    measure(&mut session, "With the index:", 9);
    drop(session);
    engine.close();
    if std::env::args().nth(3).is_none() {
        let _ = std::fs::remove_dir_all(&folder);
    }
}
