//! The world of the transcripts: a reception that keeps what it takes, users with one password, and an inspector that tells what was taken.
//!
//! Listeners: `""` or `mx`, `submission`, `submissions`, `lmtp`, and `inspector`, whose command `taken` shows the messages since it was asked last.
//! Mailboxes: everything at `example.test` and 192.0.2.1 but `nobody`; `full` is full (told after the body in LMTP). Logged-in clients may send anywhere.

mod login;
mod reception;

use std::{net::SocketAddr, sync::Arc};

use yubin_base::{Farewell, Next, Peer, Protocol, TlsInfo, UnixMs};
use yubin_smtp::server::{BareNewlinePolicy, Listener, Login, Options, Service, Session};
use yubin_testkit::transcript::Subject;

pub use login::Users;
pub use reception::{Desk, Taken};

/// The subject of the transcripts.
pub struct World {
    desk: Arc<Desk>,
    changes: Vec<String>,
}

impl World {
    /// An empty world.
    pub fn new() -> Self {
        Self { desk: Arc::default(), changes: Vec::new() }
    }

    fn options(&self, service: Service) -> Options {
        let mut options = Options::new(service, "mx.example.test");
        for change in &self.changes {
            let (name, value) = change.split_once(' ').unwrap_or((change, ""));
            match name {
                "size" => options.message_octets_max = value.parse().expect("a number"),
                "rcptmax" => options.recipients_max = value.parse().expect("a number"),
                "mailmax" => options.messages_max = value.parse().expect("a number"),
                "require-tls" => options.require_tls = true,
                "no-starttls" => options.starttls = false,
                "plaintext-login" => options.plaintext_login = true,
                "login-offered" => options.login = Login::Offered,
                "normalise" => options.bare_newlines = BareNewlinePolicy::Normalise,
                _ => panic!("unknown option {change}"),
            }
        }
        options
    }
}

/// A peer somewhere.
pub fn peer() -> Peer {
    let remote = SocketAddr::from(([192, 0, 2, 7], 40_000));
    Peer { remote, local: SocketAddr::from(([192, 0, 2, 1], 25)), tls: None }
}

impl Subject for World {
    type Session = Either;

    fn given(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("option", change)) => self.changes.push(change.to_owned()),
            _ => self.desk.given(line),
        }
    }

    fn connect(&mut self, _: usize, listener: &str) -> Either {
        let (service, tls) = match listener {
            "" | "mx" => (Service::Mx, false),
            "submission" => (Service::Submission, false),
            "submissions" => (Service::Submission, true),
            "lmtp" => (Service::Lmtp, false),
            "inspector" => return Either::Inspector(self.desk.clone()),
            other => panic!("unknown listener {other}"),
        };
        let listener = Listener::new(self.options(service), self.desk.clone(), Some(Arc::new(Users)));
        let mut session = Session::new(Arc::new(listener), peer());
        if tls {
            session.tls_started(TlsInfo { version: "TLSv1.3".into(), ..TlsInfo::default() });
        }
        Either::Smtp(Box::new(session))
    }
}

/// A session, or the inspector.
pub enum Either {
    Smtp(Box<Session<Desk>>),
    Inspector(Arc<Desk>),
}

impl Protocol for Either {
    async fn greet(&mut self, now: UnixMs, out: &mut Vec<u8>) -> Next {
        match self {
            Self::Smtp(session) => session.greet(now, out).await,
            Self::Inspector(_) => Next::Read,
        }
    }

    async fn command(&mut self, input: &[u8], now: UnixMs, out: &mut Vec<u8>) -> (usize, Next) {
        match self {
            Self::Smtp(session) => session.command(input, now, out).await,
            Self::Inspector(desk) => {
                let Some(lf) = input.iter().position(|b| *b == b'\n') else { return (0, Next::Read) };
                let messages = desk.take();
                if messages.is_empty() {
                    out.extend_from_slice(b"nothing\r\n");
                }
                for message in messages {
                    out.extend_from_slice(message.shown().as_bytes());
                }
                (lf + 1, Next::Read)
            }
        }
    }

    fn tls_started(&mut self, tls: TlsInfo) {
        if let Self::Smtp(session) = self {
            session.tls_started(tls);
        }
    }

    fn patience_s(&self) -> u32 {
        match self {
            Self::Smtp(session) => session.patience_s(),
            Self::Inspector(_) => u32::MAX,
        }
    }

    fn input_octets_max(&self) -> usize {
        match self {
            Self::Smtp(session) => session.input_octets_max(),
            Self::Inspector(_) => 100,
        }
    }

    fn farewell(&mut self, why: Farewell, out: &mut Vec<u8>) {
        if let Self::Smtp(session) = self {
            session.farewell(why, out);
        }
    }

    async fn closed(&mut self) {
        if let Self::Smtp(session) = self {
            session.closed().await;
        }
    }
}
