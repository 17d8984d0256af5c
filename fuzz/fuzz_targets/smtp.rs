//! Speaks arbitrary octets to an SMTP, submission or LMTP session, cut into arbitrary segments: no panic, no endless loop, replies that are
//! well formed, and no bare newline in a text that was taken.
#![no_main]

use std::{net::SocketAddr, pin::pin, sync::Arc, task::Context, task::Poll, task::Waker};

use libfuzzer_sys::fuzz_target;
use yubin_base::{
    AccountId, BoxFuture, Next, Peer, Protocol, TlsInfo, TraceId, UnixMs,
    sasl::{AuthFailure, Authenticated, Authenticator, SaslContext, SaslExchange, SaslStep},
};
use yubin_smtp::{
    codec::reply,
    envelope::{BodyType, Envelope, MailFrom, RcptTo},
    server::{
        Accepted, BareNewlinePolicy, BodyFacts, BodySink, Delivered, Listener, Login, Options, Reception,
        Refusal, Service, Session, SessionFacts,
    },
};

fuzz_target!(|data: &[u8]| {
    let Some((setup, input)) = data.split_first() else { return };
    let mut session = session(*setup);
    let mut out = Vec::new();
    now(session.greet(UnixMs(0), &mut out));
    // The upper bits of the first octet choose how the input is cut.
    let segment = [1, 2, 3, 7, 61, 1_024, 70_000, usize::MAX][usize::from(setup >> 5)];
    let mut buffer: Vec<u8> = Vec::new();
    'session: for octets in input.chunks(segment) {
        buffer.extend_from_slice(octets);
        while !buffer.is_empty() {
            let (used, next) = now(session.command(&buffer, UnixMs(0), &mut out));
            buffer.drain(..used);
            match next {
                Next::Close => break 'session,
                Next::StartTls => {
                    buffer.clear();
                    session.tls_started(TlsInfo::default());
                }
                Next::Read if used == 0 => {
                    assert!(
                        buffer.len() <= session.input_octets_max(),
                        "long input must be taken or refused"
                    );
                    break;
                }
                _ => assert!(used > 0, "a session that takes nothing has nothing to say"),
            }
        }
    }
    now(session.closed());
    assert_well_formed(&out);
});

fn session(setup: u8) -> Session<Desk> {
    let service = [Service::Mx, Service::Submission, Service::Lmtp, Service::Mx][usize::from(setup & 3)];
    let mut options = Options::new(service, "mx.example.test");
    options.message_octets_max = 10_000;
    options.plaintext_login = true;
    if setup & 3 == 3 {
        options.login = Login::Offered;
    }
    if setup & 4 != 0 {
        options.bare_newlines = BareNewlinePolicy::Normalise;
    }
    options.require_tls = setup & 8 != 0;
    let address = SocketAddr::from(([192, 0, 2, 1], 25));
    let peer = Peer { remote: address, local: address, tls: None };
    Session::new(Arc::new(Listener::new(options, Arc::new(Desk), Some(Arc::new(Users)))), peer)
}

/// Nothing here ever waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing waits"),
    }
}

fn assert_well_formed(out: &[u8]) {
    let text = std::str::from_utf8(out).expect("replies are text");
    assert!(text.ends_with("\r\n"));
    let mut more_of: Option<&str> = None;
    for line in text.split_terminator("\r\n") {
        let (code, rest) = line.split_at(3);
        assert!(code.bytes().all(|b| b.is_ascii_digit()) && rest.starts_with([' ', '-']), "{line:?}");
        assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)), "{line:?}");
        assert!(more_of.is_none_or(|earlier| earlier == code), "{line:?}");
        more_of = rest.starts_with('-').then_some(code);
    }
    assert!(more_of.is_none());
}

/// Takes everything but what its name forbids.
struct Desk;

impl Reception for Desk {
    type Body = Sink;
    async fn sender(&self, _: &SessionFacts, mail: &MailFrom) -> Result<(), Refusal> {
        match &mail.reverse_path {
            Some(address) if address.local() == "no" => Err(reply::SENDER_REFUSED.into()),
            _ => Ok(()),
        }
    }
    async fn recipient(
        &self,
        _: &SessionFacts,
        _: &MailFrom,
        _: &[RcptTo],
        rcpt: &RcptTo,
    ) -> Result<(), Refusal> {
        assert!(!rcpt.original.chars().any(char::is_control));
        match rcpt.forward_path.mailbox() {
            Some(address) if address.local() == "no" => Err(reply::MAILBOX_UNKNOWN.into()),
            _ => Ok(()),
        }
    }
    async fn begin(&self, _: &SessionFacts, envelope: &Envelope) -> Result<Sink, Refusal> {
        assert!(!envelope.recipients.is_empty());
        Ok(Sink { text: envelope.mail.body != BodyType::BinaryMime, body: Vec::new() })
    }
}

struct Sink {
    text: bool,
    body: Vec<u8>,
}

impl BodySink for Sink {
    async fn write(&mut self, octets: &[u8]) -> Result<(), Refusal> {
        self.body.extend_from_slice(octets);
        Ok(())
    }
    async fn finish(self, facts: BodyFacts) -> Result<Accepted, Refusal> {
        assert_eq!(facts.octets, self.body.len() as u64);
        if self.text {
            for (at, octet) in self.body.iter().enumerate() {
                let crlf = match octet {
                    b'\r' => self.body.get(at + 1) == Some(&b'\n'),
                    b'\n' => at > 0 && self.body.get(at - 1) == Some(&b'\r'),
                    _ => true,
                };
                assert!(crlf, "a bare newline in {:?}", self.body.escape_ascii().to_string());
            }
        }
        Ok(Accepted { trace_id: TraceId(1), delivered: Delivered::ToEach(vec![Ok(())]) })
    }
}

/// Asks twice, then takes whoever says the same twice.
struct Users;

struct Exchange(Option<Vec<u8>>);

impl Authenticator for Users {
    fn mechanisms(&self, _: &SaslContext) -> Vec<&'static str> {
        vec!["PLAIN", "LOGIN"]
    }
    fn start(&self, mechanism: &str, _: SaslContext) -> Result<Box<dyn SaslExchange>, AuthFailure> {
        match mechanism {
            "PLAIN" | "LOGIN" => Ok(Box::new(Exchange(None))),
            _ => Err(AuthFailure::UnknownMechanism),
        }
    }
    fn server_first(&self, mechanism: &str) -> bool {
        mechanism == "LOGIN"
    }
    fn login<'a>(
        &'a self,
        _: &'a str,
        _: &'a [u8],
        _: SaslContext,
    ) -> BoxFuture<'a, Result<Authenticated, AuthFailure>> {
        Box::pin(async { Err(AuthFailure::Unavailable) })
    }
}

impl SaslExchange for Exchange {
    fn step<'a>(&'a mut self, response: &'a [u8], _: UnixMs) -> BoxFuture<'a, SaslStep> {
        let step = match &self.0 {
            None => {
                self.0 = Some(response.to_vec());
                SaslStep::Challenge(response.to_vec())
            }
            Some(earlier) if earlier == response => {
                SaslStep::Done(Ok(Authenticated { account: AccountId(1), name: "ann@example.test".into() }))
            }
            Some(_) => SaslStep::Done(Err(AuthFailure::Refused { delay_ms: 1 })),
        };
        Box::pin(std::future::ready(step))
    }
}
