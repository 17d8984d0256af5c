//! Whether the name servers pass DNSSEC signatures on: many home routers and old forwarders leave them out, and then nothing can be validated.
//! Never judges a signature: a name server that passes on wrong ones passes them on. RFC 3225 (the DO bit), RFC 4035 §3.2.1, RFC 6891.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use hickory_resolver::proto::{
    op::{Edns, Message, MessageType, Query, ResponseCode},
    rr::{Name, RecordType},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    sync::Mutex,
    time::timeout,
};

use yubin_base::UnixMs;

use crate::{clock, events, limits};

/// What is known of the name servers. They are asked at the first lookup; and again, not too often, while they leave signatures out,
/// while none answers, and when a signature does not hold.
pub(super) struct Signatures {
    servers: Vec<SocketAddr>,
    /// Signed for certain: that of a trust anchor.
    zone: Name,
    every: Duration,
    /// Signatures came from all that answered. Stays for good: who could take them out of the way later could switch DANE off.
    pub(super) passed: AtomicBool,
    /// Some name server leaves them out, and always did.
    stripped: AtomicBool,
    /// When they were asked last; held while they are asked.
    asked: Mutex<Option<UnixMs>>,
}

impl Signatures {
    pub(super) fn new(servers: Vec<SocketAddr>, zone: Name, every: Duration) -> Self {
        Self {
            servers,
            zone,
            every,
            passed: AtomicBool::new(false),
            stripped: AtomicBool::new(false),
            asked: Mutex::new(None),
        }
    }

    /// Whether answers are to be validated. Yes while no name server has said anything.
    pub(super) async fn wanted(&self) -> bool {
        if self.passed.load(Ordering::Relaxed) {
            return true;
        }
        if self.stripped.load(Ordering::Relaxed) {
            // One lookup asks again, the others go on.
            self.doubt().await;
        } else {
            self.ask_if_due(&mut *self.asked.lock().await).await;
        }
        !self.stripped.load(Ordering::Relaxed)
    }

    /// Asks again when it is time; not if somebody does already.
    pub(super) async fn doubt(&self) {
        if let Ok(mut asked) = self.asked.try_lock() {
            self.ask_if_due(&mut asked).await;
        }
    }

    async fn ask_if_due(&self, asked: &mut Option<UnixMs>) {
        let now = clock::now();
        // A clock that was set back must not make this wait.
        if asked.is_some_and(|at| at <= now && u128::from(now.since(at)) < self.every.as_millis()) {
            return;
        }
        let answers = join_all(self.servers.iter().map(|server| passes(*server, &self.zone))).await;
        *asked = Some(clock::now());
        let stripping = self.servers.iter().zip(&answers).find(|(_, answer)| **answer == Some(false));
        if let Some((server, _)) = stripping {
            self.note_stripped(*server);
        } else if answers.contains(&Some(true)) {
            self.passed.store(true, Ordering::Relaxed);
            if self.stripped.swap(false, Ordering::Relaxed) {
                yubin_base::event!(events::DNSSEC_BACK, zone = %self.zone);
            }
        }
    }

    fn note_stripped(&self, server: SocketAddr) {
        let lookups = if self.passed.load(Ordering::Relaxed) {
            "fail"
        } else if !self.stripped.swap(true, Ordering::Relaxed) {
            "unproven"
        } else {
            return;
        };
        yubin_base::event!(
            events::DNSSEC_STRIPPED,
            server = %server,
            zone = %self.zone,
            lookups,
            hint = "set dns.servers to name servers that do DNSSEC, or dns.dnssec = false"
        );
    }
}

/// Whether a name server passes on the signatures of a signed zone's keys; nothing when it does not say.
async fn passes(server: SocketAddr, zone: &Name) -> Option<bool> {
    for _ in 0..limits::DNS_ATTEMPTS {
        if let Ok(Ok(answer)) = timeout(Duration::from_secs(limits::DNS_TIMEOUT_S), ask(server, zone)).await {
            return verdict(&answer);
        }
    }
    None
}

fn verdict(answer: &Message) -> Option<bool> {
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => {
            Some(answer.answers.iter().any(|record| record.record_type() == RecordType::RRSIG))
        }
        // It does not know EDNS (RFC 6891 §7), or gives no keys out: nothing can be validated.
        ResponseCode::FormErr | ResponseCode::NotImp | ResponseCode::Refused => Some(false),
        _ => None,
    }
}

/// Asks for the keys of a zone, with the DO bit; over TCP what does not fit.
async fn ask(server: SocketAddr, zone: &Name) -> io::Result<Message> {
    let mut edns = Edns::new();
    edns.set_max_payload(u16::try_from(limits::DNS_UDP_OCTETS).unwrap_or(u16::MAX)).set_dnssec_ok(true);
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(zone.clone(), RecordType::DNSKEY)).set_edns(edns);
    let octets = question.to_vec().map_err(io::Error::other)?;
    let answer = over_udp(server, &question, &octets).await?;
    if answer.metadata.truncation { over_tcp(server, &question, &octets).await } else { Ok(answer) }
}

async fn over_udp(server: SocketAddr, question: &Message, octets: &[u8]) -> io::Result<Message> {
    let any = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(server).await?;
    socket.send(octets).await?;
    let mut buffer = [0; limits::DNS_UDP_OCTETS];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // Who guesses is not listened to; the timeout ends this.
        if let Some(answer) = buffer.get(..length).and_then(|octets| answer_to(question, octets)) {
            return Ok(answer);
        }
    }
}

/// RFC 1035 §4.2.2.
async fn over_tcp(server: SocketAddr, question: &Message, octets: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_u16(u16::try_from(octets.len()).map_err(io::Error::other)?).await?;
    stream.write_all(octets).await?;
    let mut buffer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut buffer).await?;
    answer_to(question, &buffer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// FORMERR may come without the question.
fn answer_to(question: &Message, octets: &[u8]) -> Option<Message> {
    let answer = Message::from_vec(octets).ok()?;
    let asked = answer.queries == question.queries
        || (answer.queries.is_empty() && answer.metadata.response_code == ResponseCode::FormErr);
    (answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == question.metadata.id
        && asked)
        .then_some(answer)
}
