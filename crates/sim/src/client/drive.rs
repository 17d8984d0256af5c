//! The connection loop in small: octets in, octets out, no socket. As `server` drives its sessions.

use std::net::{Ipv4Addr, SocketAddr};

use yubin_base::{Next, Peer, Protocol, UnixMs};

/// A session and its connection.
pub(crate) struct Wire<S> {
    pub(crate) session: S,
    pub(crate) open: bool,
}

/// What came back.
pub(crate) struct Said {
    pub(crate) octets: Vec<u8>,
    /// Octets of the input that the session has not taken.
    pub(crate) left: usize,
}

/// The peer of every simulated session.
pub(crate) fn peer() -> Peer {
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Peer { remote: local(40_000), local: local(143), tls: None }
}

impl<S: Protocol> Wire<S> {
    /// Connects; returns the greeting.
    pub(crate) async fn connect(mut session: S, now: UnixMs) -> (Self, Vec<u8>) {
        let mut out = Vec::new();
        let next = session.greet(now, &mut out).await;
        (Self { session, open: next != Next::Close }, out)
    }

    /// Sends these octets, and reads until the session wants more.
    pub(crate) async fn say(&mut self, input: &[u8], now: UnixMs) -> Said {
        let mut octets = Vec::new();
        let mut rest = input;
        while self.open {
            let (used, next) = self.session.command(rest, now, &mut octets).await;
            rest = rest.get(used..).unwrap_or_default();
            self.follow(next, now, &mut octets).await;
            if used == 0 || rest.is_empty() {
                break;
            }
        }
        Said { octets, left: rest.len() }
    }

    /// What [`Protocol::wake`] woke for.
    pub(crate) async fn woken(&mut self, now: UnixMs) -> Vec<u8> {
        let mut octets = Vec::new();
        let next = self.session.woken(now, &mut octets).await;
        self.follow(next, now, &mut octets).await;
        octets
    }

    /// The connection goes away.
    pub(crate) async fn hang_up(&mut self) {
        self.open = false;
        self.session.closed().await;
    }

    async fn follow(&mut self, mut next: Next, now: UnixMs, out: &mut Vec<u8>) {
        while next == Next::More {
            next = self.session.more(now, out).await;
        }
        if next == Next::Close {
            self.open = false;
            self.session.closed().await;
        }
    }
}
