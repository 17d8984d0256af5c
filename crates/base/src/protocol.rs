//! Protocols are machines: bytes and time in, bytes and a verdict out. One loop (`server/src/serve.rs`) drives them all.

use std::{future::Future, net::SocketAddr};

use crate::UnixMs;

/// What the loop does next. Whatever stands in `out` is sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read more input, for at most [`Protocol::patience_s`] seconds.
    Read,
    /// There is more to say: send `out`, then call [`Protocol::more`]. Keeps long answers out of memory and other sessions served.
    More,
    /// Wait this many milliseconds before `out` is sent (slows down guessing), then read.
    Delay(u32),
    /// Send `out`, drop all plaintext received so far, and do the TLS handshake; then [`Protocol::tls_started`] is called.
    /// Dropping the plaintext is what closes STARTTLS injection for every protocol.
    StartTls,
    /// Send `out` as it is; from then on everything in both directions is raw DEFLATE (RFC 1951), what was received already but not
    /// consumed included.
    Compress,
    /// Send `out` compressed still; from then on both directions are plain again. The peer's stream ends at the flush behind what was
    /// consumed.
    Uncompress,
    /// Send `out` and close.
    Close,
}

/// Why the server ends a session the peer did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The peer said nothing for too long.
    Timeout,
    /// The server stops.
    Shutdown,
    /// The peer sent more than [`Protocol::command`] was willing to take from the buffer.
    InputTooLong,
    /// Too many connections, in all or from this address. Said instead of a greeting.
    TooBusy,
    /// What the peer sent after [`Next::Compress`] is not DEFLATE, or grows beyond all measure.
    Inflate,
    /// Our own fault: the session panicked.
    Internal,
}

/// Who is at the other end. Set at accept.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address the peer connects from.
    pub remote: SocketAddr,
    /// Our address that it connected to.
    pub local: SocketAddr,
    /// The TLS session, once there is one.
    pub tls: Option<TlsInfo>,
}

/// What a session needs to know of its TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsInfo {
    /// As the Received field and the logs write it: `TLSv1.3`.
    pub version: String,
    /// As the logs write it: `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The `tls-exporter` channel binding (RFC 9266), 32 octets; empty when the version has none that is safe.
    pub exporter: Vec<u8>,
    /// The server name the client asked for.
    pub server_name: Option<String>,
}

/// One session of a line protocol. Has no socket, clock, task or randomness of its own.
pub trait Protocol: Send {
    /// Called once, before anything is read. Writes the greeting.
    fn greet(&mut self, now: UnixMs, out: &mut Vec<u8>) -> impl Future<Output = Next> + Send;

    /// The peer sent octets before the greeting, without TLS. True when that ends the session: `out` is sent, and nothing is read.
    /// For protocols whose clients must wait, so that only robots do not.
    fn spoke_early(&mut self, out: &mut Vec<u8>) -> bool {
        let _ = out;
        false
    }

    /// Takes at most one complete command, or a piece of a body in transit, from the front of `input`.
    /// Returns the number of octets consumed (zero means: not complete yet, read more) and what is next.
    /// Called again at once while input remains and the answer is [`Next::Read`] with octets consumed.
    fn command(
        &mut self,
        input: &[u8],
        now: UnixMs,
        out: &mut Vec<u8>,
    ) -> impl Future<Output = (usize, Next)> + Send;

    /// Goes on with a long answer after [`Next::More`].
    fn more(&mut self, now: UnixMs, out: &mut Vec<u8>) -> impl Future<Output = Next> + Send {
        let _ = (now, out);
        async { Next::Read }
    }

    /// Resolves when the session has something to say unasked (IDLE). Never resolves for sessions that have not.
    /// Must be safe to drop and call again.
    fn wake(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Says what [`Protocol::wake`] woke for.
    fn woken(&mut self, now: UnixMs, out: &mut Vec<u8>) -> impl Future<Output = Next> + Send {
        let _ = (now, out);
        async { Next::Read }
    }

    /// The handshake after [`Next::StartTls`] (or before [`Protocol::greet`] on an implicit-TLS port) is done.
    fn tls_started(&mut self, tls: TlsInfo);

    /// Seconds the peer may stay silent now.
    fn patience_s(&self) -> u32;

    /// The most input, in octets, the loop buffers when [`Protocol::command`] consumes nothing.
    fn input_octets_max(&self) -> usize;

    /// Writes the protocol's last word (`421`, `* BYE`, `-ERR`).
    fn farewell(&mut self, why: Farewell, out: &mut Vec<u8>);

    /// The connection is gone (or about to be). Gives up what the session holds; for POP3 without QUIT: nothing is deleted.
    fn closed(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}
