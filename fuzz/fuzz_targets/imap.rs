//! Feeds arbitrary octets to IMAP sessions over a small mailbox, before login and after, in two cuttings that must give the same answers,
//! and to the parser. Every answer is made of whole lines and literals.
#![no_main]

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use libfuzzer_sys::fuzz_target;
use yubin_base::{
    AccountId, BoxFuture, Next, Peer, Protocol, UnixMs,
    ports::Random,
    sasl::{AuthFailure, Authenticated, Authenticator, SaslContext, SaslExchange, SaslStep},
};
use yubin_engine::memory::MemoryEngine;
use yubin_imap::{
    ImapOptions, ImapServices, NoQuotas, Session,
    codec::{Dialect, frame::literal_head, parse},
};
use yubin_store::{Flags, NewMessage, Quota, Store, StoreOptions};

const NOW: UnixMs = UnixMs(1_767_225_600_000);
const ANN: AccountId = AccountId(1);

fuzz_target!(|data: &[u8]| {
    let _ = parse(data, Dialect { utf8: data.len() % 2 == 0 });
    let (head, data) = data.split_at(data.len().min(2));
    let cut = head.first().map_or(1, |cut| usize::from(*cut).max(1));
    let login = match head.get(1).map_or(0, |octet| octet % 3) {
        0 => &b""[..],
        1 => b"a LOGIN ann x\r\n",
        _ => b"a LOGIN ann x\r\nb SELECT INBOX\r\n",
    };
    let input = [login, data].concat();
    let whole = talk(&input, input.len().max(1));
    assert_eq!(whole, talk(&input, cut), "cutting the input changes the answers");
    check_lines(&whole);
});

/// Follows literals, so that what stands in them is not taken for lines; every line is an answer to somebody.
fn check_lines(mut said: &[u8]) {
    let mut begins = true;
    while !said.is_empty() {
        let end = said.iter().position(|c| *c == b'\n').expect("an answer ends with its line") + 1;
        let (line, rest) = said.split_at(end);
        assert!(line.ends_with(b"\r\n"));
        assert!(!begins || line.contains(&b' '));
        said = rest;
        begins = true;
        // Texts for people may end in a brace; only FETCH and names have literals.
        if let Some((_, octets, ..)) = literal_head(line).filter(|_| !line.starts_with(b"+")) {
            said = said.get(octets as usize..).expect("a literal is as long as was said");
            begins = false;
        }
    }
}

/// Plays the input as a connection's octets; returns what the session said.
fn talk(input: &[u8], cut: usize) -> Vec<u8> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 143));
    let mut session = Session::new(services(), Peer { remote: peer, local: peer, tls: None });
    let (mut said, mut buffer) = (Vec::new(), Vec::new());
    run(session.greet(NOW, &mut said));
    for piece in input.chunks(cut) {
        buffer.extend_from_slice(piece);
        loop {
            let (used, mut next) = run(session.command(&buffer, NOW, &mut said));
            buffer.drain(..used);
            while next == Next::More {
                next = run(session.more(NOW, &mut said));
            }
            match next {
                Next::Close | Next::StartTls => return said,
                _ if used == 0 => break,
                _ => {}
            }
        }
        // The loop ends a session here; how long the line was depends on the cutting.
        if buffer.len() > session.input_octets_max() {
            return Vec::new();
        }
    }
    run(session.woken(NOW, &mut said));
    said
}

fn services() -> Arc<ImapServices> {
    let options = StoreOptions { message_octets_max: 1 << 20, cache_octets: 1 << 20, expunged_keep_s: 60 };
    let store = Store::new(Arc::new(MemoryEngine::new()), Arc::new(Zero), options);
    run(store.create_account(ANN, NOW)).unwrap();
    let account = run(store.account(ANN)).unwrap();
    let inbox = account.mailbox_named("INBOX").unwrap().id;
    let parts = "Subject: =?utf-8?q?=E6=97=A5?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: x\r\n\r\ny\r\n--b--\r\n";
    for text in ["Subject: 1\r\n\r\none\r\n", parts, ""] {
        let mut stager = store.stager();
        stager.write(text.as_bytes()).unwrap();
        let message = NewMessage {
            staged: Arc::new(stager.finish().unwrap()),
            prefix: b"Return-Path: <>\r\n".to_vec(),
            flags: Flags::default(),
            keywords: Vec::new(),
            internal_date: NOW,
            idem: None,
        };
        run(account.append(inbox, vec![message], Quota::default(), NOW)).unwrap();
    }
    Arc::new(ImapServices {
        store,
        authenticator: Arc::new(Anybody),
        quotas: Arc::new(NoQuotas),
        people: Arc::new(yubin_imap::NoPeople),
        options: ImapOptions { plaintext_allowed: true, ..ImapOptions::default() },
    })
}

fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

struct Zero;

impl Random for Zero {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// Lets everybody in who has a password; other mechanisms ask once.
struct Anybody;

impl Authenticator for Anybody {
    fn mechanisms(&self, _: &SaslContext) -> Vec<&'static str> {
        vec!["EXTERNAL"]
    }
    fn start(&self, _: &str, _: SaslContext) -> Result<Box<dyn SaslExchange>, AuthFailure> {
        Ok(Box::new(Once))
    }
    fn server_first(&self, mechanism: &str) -> bool {
        mechanism.len() % 2 == 1
    }
    fn login<'a>(
        &'a self,
        _: &'a str,
        _: &'a [u8],
        _: SaslContext,
    ) -> BoxFuture<'a, Result<Authenticated, AuthFailure>> {
        Box::pin(std::future::ready(Ok(Authenticated { account: ANN, name: String::new() })))
    }
}

struct Once;

impl SaslExchange for Once {
    fn step<'a>(&'a mut self, response: &'a [u8], _: UnixMs) -> BoxFuture<'a, SaslStep> {
        let step = match response {
            [] => SaslStep::Challenge(b"?".to_vec()),
            [b'a', ..] => SaslStep::Done(Ok(Authenticated { account: ANN, name: String::new() })),
            _ => SaslStep::Done(Err(AuthFailure::Refused { delay_ms: 1 })),
        };
        Box::pin(std::future::ready(step))
    }
}
