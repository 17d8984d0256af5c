//! A small name server on loopback with one signed zone, that can be told to leave signatures out, or to spoil them.

use std::{
    cell::RefCell,
    fmt::Debug,
    io::Write as _,
    sync::{Mutex, Once, atomic::Ordering},
    time::{Duration, UNIX_EPOCH},
};

use hickory_resolver::proto::{
    dnssec::{
        DnssecSigner, SigningKey,
        crypto::Ed25519SigningKey,
        rdata::{DNSKEY, DNSSECRData, RRSIG},
    },
    op::{Message, MessageType},
    rr::{DNSClass, Record, RecordSet, rdata::MX},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};
use tracing::field::{Field, Visit};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

use super::*;
use crate::clock;

const ZONE: &str = "home.test.";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    /// Signatures to who asks for them.
    Passes,
    /// As old forwarders do.
    Strips,
    /// Signatures of mail hosts do not hold.
    Spoils,
    /// Over UDP only that there is more over TCP.
    Truncates,
    /// The one answer to everything.
    Says(ResponseCode),
}

struct Fake {
    at: SocketAddr,
    mode: Arc<Mutex<Mode>>,
    key: DNSKEY,
}

impl Fake {
    async fn start(mode: Mode) -> Self {
        let pkcs8 = Ed25519SigningKey::generate_pkcs8().unwrap();
        let key = Ed25519SigningKey::from_pkcs8(&pkcs8).unwrap();
        let dnskey = DNSKEY::new(true, true, false, key.to_public_key().unwrap());
        let signer = DnssecSigner::new(dnskey.clone(), Box::new(key), zone(), Duration::from_secs(86_400));
        let (at, socket, listener) = sockets().await;
        let fake = Self { at, mode: Arc::new(Mutex::new(mode)), key: dnskey };
        let mode = fake.mode.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            loop {
                tokio::select! {
                    datagram = socket.recv_from(&mut buffer) => {
                        let (length, from) = datagram.unwrap();
                        let now = *mode.lock().unwrap();
                        let mut reply = reply(&buffer[..length], now, &signer);
                        if now == Mode::Truncates {
                            reply.answers.clear();
                            reply.metadata.truncation = true;
                        }
                        socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
                    }
                    stream = listener.accept() => {
                        let (mut stream, _) = stream.unwrap();
                        let length = usize::from(stream.read_u16().await.unwrap());
                        stream.read_exact(&mut buffer[..length]).await.unwrap();
                        let reply = reply(&buffer[..length], *mode.lock().unwrap(), &signer).to_vec().unwrap();
                        stream.write_u16(reply.len() as u16).await.unwrap();
                        stream.write_all(&reply).await.unwrap();
                    }
                }
            }
        });
        fake
    }

    fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// The server's resolver, with this zone's key as its anchor.
    fn resolver(&self) -> AnyResolver {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{ZONE} 3600 IN DNSKEY {}", self.key).unwrap();
        resolver(&Dns { servers: vec![self.at], dnssec: true, trust_anchors: file.path().to_owned() })
            .unwrap()
    }

    fn signatures(&self, every: Duration) -> Signatures {
        Signatures::new(vec![self.at], zone(), every)
    }
}

fn zone() -> Name {
    Name::from_ascii(ZONE).unwrap()
}

/// UDP and TCP on one free port.
async fn sockets() -> (SocketAddr, UdpSocket, TcpListener) {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        if let Ok(socket) = UdpSocket::bind(at).await {
            return (at, socket, listener);
        }
    }
}

fn reply(question: &[u8], mode: Mode, signer: &DnssecSigner) -> Message {
    let question = Message::from_vec(question).unwrap();
    let query = &question.queries[0];
    let mut reply = question.clone();
    reply.metadata.message_type = MessageType::Response;
    if let Mode::Says(code) = mode {
        reply.metadata.response_code = code;
        return reply;
    }
    let data = match query.query_type() {
        RecordType::DNSKEY if *query.name() == zone() => {
            RData::DNSSEC(DNSSECRData::DNSKEY(signer.to_dnskey()))
        }
        RecordType::MX if *query.name() == zone() => {
            RData::MX(MX::new(10, Name::from_ascii("mx.home.test.").unwrap()))
        }
        _ => return reply,
    };
    let mut set = RecordSet::with_ttl(zone(), query.query_type(), 300);
    set.add_rdata(data);
    let wants = question.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
    if wants && mode != Mode::Strips {
        let now = UNIX_EPOCH + Duration::from_millis(clock::now().0);
        let mut signature = RRSIG::from_rrset(&set, DNSClass::IN, now.into(), signer).unwrap();
        if mode == Mode::Spoils && query.query_type() == RecordType::MX {
            signature = RRSIG::from_sig(signature.input().clone(), vec![7; 64]);
        }
        let rrsig = RData::DNSSEC(DNSSECRData::RRSIG(signature));
        reply.answers.push(Record::from_rdata(zone(), 300, rrsig));
    }
    reply.answers.extend(set.records_without_rrsigs().cloned());
    reply
}

thread_local! {
    /// Which events were logged by this thread's test, and what they say of lookups.
    static HEARD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Hears;

/// One for the process: those of threads come too late now and then when another thread reaches an event first.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Hears)).unwrap();
    });
}

fn heard() -> Vec<String> {
    HEARD.take()
}

impl<S: tracing::Subscriber> Layer<S> for Hears {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "yubin" {
            event.record(&mut Self);
        }
    }
}

impl Visit for Hears {
    fn record_str(&mut self, field: &Field, value: &str) {
        if ["event", "lookups"].contains(&field.name()) {
            HEARD.with_borrow_mut(|heard| heard.push(value.to_owned()));
        }
    }
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

fn mx() -> Vec<Mx> {
    vec![Mx { preference: 10, exchange: "mx.home.test".into() }]
}

#[tokio::test]
async fn signatures_that_come_through_are_verified() {
    listen();
    let fake = Fake::start(Mode::Passes).await;
    let answer = fake.resolver().mx("home.test").await.unwrap();
    assert_eq!((answer.records, answer.secure), (mx(), true));
    assert_eq!(heard(), [""; 0]);
}

#[tokio::test]
async fn where_signatures_are_left_out_mail_goes_on_without_proof() {
    listen();
    let fake = Fake::start(Mode::Strips).await;
    let resolver = fake.resolver();
    let answer = resolver.mx("home.test").await.unwrap();
    assert_eq!((answer.records, answer.secure), (mx(), false));
    assert_eq!(resolver.tlsa("_25._tcp.mx.home.test").await, Err(DnsError::NoRecords { secure: false }));
    assert_eq!(heard(), ["server.dnssec_stripped", "unproven"], "said once");
}

#[tokio::test]
async fn signatures_that_do_not_hold_still_fail() {
    listen();
    let fake = Fake::start(Mode::Spoils).await;
    assert_eq!(fake.resolver().mx("home.test").await, Err(DnsError::Temporary));
    assert_eq!(heard(), [""; 0]);
}

#[tokio::test]
async fn signatures_that_came_once_are_insisted_on() {
    listen();
    let fake = Fake::start(Mode::Passes).await;
    let signatures = fake.signatures(Duration::ZERO);
    assert!(signatures.wanted().await);
    fake.set(Mode::Strips);
    signatures.doubt().await;
    assert!(signatures.wanted().await);
    assert_eq!(heard(), ["server.dnssec_stripped", "fail"]);
}

#[tokio::test]
async fn an_answer_too_long_for_udp_is_had_over_tcp() {
    let fake = Fake::start(Mode::Truncates).await;
    let signatures = fake.signatures(Duration::ZERO);
    assert!(signatures.wanted().await);
    assert!(signatures.passed.load(Ordering::Relaxed));
}

#[tokio::test]
async fn signatures_that_come_back_are_verified_again() {
    listen();
    let fake = Fake::start(Mode::Strips).await;
    let signatures = fake.signatures(Duration::ZERO);
    assert!(!signatures.wanted().await);
    fake.set(Mode::Passes);
    assert!(signatures.wanted().await);
    assert_eq!(heard(), ["server.dnssec_stripped", "unproven", "server.dnssec_back"]);
}

#[tokio::test]
async fn name_servers_are_not_asked_all_the_time() {
    let fake = Fake::start(Mode::Strips).await;
    let signatures = fake.signatures(Duration::from_secs(600));
    assert!(!signatures.wanted().await);
    fake.set(Mode::Passes);
    assert!(!signatures.wanted().await);
}

#[tokio::test]
async fn one_name_server_that_leaves_them_out_is_enough() {
    let (good, bad) = (Fake::start(Mode::Passes).await, Fake::start(Mode::Strips).await);
    let signatures = Signatures::new(vec![good.at, bad.at], zone(), Duration::from_secs(600));
    assert!(!signatures.wanted().await);
}

#[tokio::test]
async fn what_a_code_means() {
    for (code, wanted) in [
        (ResponseCode::FormErr, false),
        (ResponseCode::NotImp, false),
        (ResponseCode::Refused, false),
        (ResponseCode::NXDomain, false),
        // Nothing is known: nothing is given up.
        (ResponseCode::ServFail, true),
    ] {
        let fake = Fake::start(Mode::Says(code)).await;
        assert_eq!(fake.signatures(Duration::ZERO).wanted().await, wanted, "{code}");
    }
}
