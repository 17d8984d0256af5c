//! Feeds arbitrary octets to POP3 sessions over a small maildrop, in two cuttings that must give the same answers, and to the stuffer.
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
use yubin_pop3::{
    Options, Pop3Services, Session,
    codec::multiline::{LineEndCounter, Stuffer},
};
use yubin_store::{Flags, NewMessage, Quota, Store, StoreOptions};

const NOW: UnixMs = UnixMs(1_767_225_600_000);
const ANN: AccountId = AccountId(1);

fuzz_target!(|data: &[u8]| {
    let (cut, data) = data.split_first().map_or((1, data), |(cut, rest)| (usize::from(*cut).max(1), rest));
    stuff(data, cut);
    let whole = talk(data, data.len().max(1));
    assert_eq!(whole, talk(data, cut), "cutting the input changes the answers");
});

/// What is sent is as long as was announced, and ends with its only final dot.
fn stuff(message: &[u8], cut: usize) {
    let (mut stuffer, mut counter, mut out) = (Stuffer::whole(), LineEndCounter::default(), Vec::new());
    for piece in message.chunks(cut) {
        stuffer.write(piece, &mut out);
        counter.write(piece);
    }
    stuffer.finish(&mut out);
    assert_eq!(stuffer.octets(), message.len() as u64 + counter.finish());
    let end = if out.starts_with(b".\r\n") {
        Some(0)
    } else {
        out.windows(5).position(|w| w == b"\r\n.\r\n").map(|at| at + 2)
    };
    assert_eq!(end, Some(out.len() - 3));
}

/// Plays the input as a connection's octets; returns what the session said.
fn talk(input: &[u8], cut: usize) -> Vec<u8> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 110));
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
    said
}

fn services() -> Arc<Pop3Services> {
    let options = StoreOptions { message_octets_max: 1 << 20, cache_octets: 1 << 20, expunged_keep_s: 60 };
    let store = Store::new(Arc::new(MemoryEngine::new()), Arc::new(Zero), options);
    run(store.create_account(ANN, NOW)).unwrap();
    let account = run(store.account(ANN)).unwrap();
    let inbox = account.mailbox_named("INBOX").unwrap().id;
    for text in ["Subject: 1\r\n\r\n.one\r\n", "Subject: 2\n\n.\n", ""] {
        let mut stager = store.stager();
        stager.write(text.as_bytes()).unwrap();
        let message = NewMessage {
            staged: Arc::new(stager.finish().unwrap()),
            prefix: Vec::new(),
            flags: Flags::default(),
            keywords: Vec::new(),
            internal_date: NOW,
            idem: None,
        };
        run(account.append(inbox, vec![message], Quota::default(), NOW)).unwrap();
    }
    let options = Options { plaintext_allowed: true, tls_available: true, ..Options::default() };
    Arc::new(Pop3Services::new(store, Arc::new(Anybody), options))
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

/// Lets everybody in who has a password; EXTERNAL asks once.
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
