//! The one connection loop: reads, feeds the protocol machine, writes, and waits. Drives every line protocol.
//! Knows no protocol; never parses an octet.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use yubin_base::{Farewell, Next, Protocol, TlsInfo};

use crate::{clock, events, limits};

/// A connection before and after TLS.
pub enum Stream {
    /// Plain.
    Plain(TcpStream),
    /// Within TLS. Boxed: a TLS session is large, and most fields of this enum are not.
    Tls(Box<TlsStream<TcpStream>>),
    /// Between the two, while the handshake runs, and after it failed.
    Gone,
}

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}

impl Stream {
    fn io(&mut self) -> Option<&mut dyn Both> {
        match self {
            Self::Plain(s) => Some(s),
            Self::Tls(s) => Some(s.as_mut()),
            Self::Gone => None,
        }
    }
}

/// How a connection ended; for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The session closed it.
    Closed,
    /// The peer went away.
    PeerGone,
    /// The peer was silent, or did not read its answers, for too long.
    Timeout,
    /// The TLS handshake failed.
    TlsFailed,
    /// The server stops.
    Shutdown,
    /// The peer sent more than a command may be.
    InputTooLong,
}

/// One connection.
pub struct Connection<P> {
    /// The wire.
    pub stream: Stream,
    /// The machine.
    pub session: P,
    /// For STARTTLS; none where TLS is not configured.
    pub tls: Option<Arc<TlsAcceptor>>,
    /// Turns true when the server stops.
    pub stop: watch::Receiver<bool>,
}

impl<P: Protocol> Connection<P> {
    /// Drives the session from its greeting to its end.
    pub async fn run(mut self) -> Ended {
        let ended = self.drive().await;
        self.session.closed().await;
        if let Some(io) = self.stream.io() {
            // The peer may be gone; a failed close harms nobody.
            let _ = timeout(Duration::from_secs(limits::CLOSE_S), io.shutdown()).await;
        }
        ended
    }

    async fn drive(&mut self) -> Ended {
        let mut input = Input::default();
        let mut out = Vec::new();
        let mut next = self.session.greet(clock::now(), &mut out).await;
        loop {
            next = match next {
                Next::Read => match self.read(&mut input, &mut out).await {
                    Ok(next) => next,
                    Err(ended) => return ended,
                },
                Next::More => {
                    if let Err(ended) = self.send(&mut out).await {
                        return ended;
                    }
                    // Others get their turn between the pieces of a long answer.
                    tokio::task::yield_now().await;
                    self.session.more(clock::now(), &mut out).await
                }
                Next::Delay(ms) => {
                    if self.pause(ms).await {
                        return self.say_farewell(Farewell::Shutdown, out).await;
                    }
                    if let Err(ended) = self.send(&mut out).await {
                        return ended;
                    }
                    Next::Read
                }
                Next::StartTls => {
                    if let Err(ended) = self.send(&mut out).await {
                        return ended;
                    }
                    input.drop_all();
                    if let Err(ended) = self.start_tls().await {
                        return ended;
                    }
                    Next::Read
                }
                Next::Close => {
                    return match self.send(&mut out).await {
                        Ok(()) => Ended::Closed,
                        Err(ended) => ended,
                    };
                }
            };
        }
    }

    /// Feeds what is buffered; when the session wants more, sends its answers and reads.
    async fn read(&mut self, input: &mut Input, out: &mut Vec<u8>) -> Result<Next, Ended> {
        let mut hungry = input.waiting().is_empty();
        loop {
            if !hungry {
                let (used, next) = self.session.command(input.waiting(), clock::now(), out).await;
                input.consume(used);
                if used > 0 || next != Next::Read {
                    // Answers to pipelined commands leave together, but not without bound.
                    if out.len() >= limits::OUTPUT_OCTETS {
                        self.send(out).await?;
                    }
                    if *self.stop.borrow() && next == Next::Read && input.waiting().is_empty() {
                        return Err(self.say_farewell(Farewell::Shutdown, std::mem::take(out)).await);
                    }
                    if next != Next::Read {
                        return Ok(next);
                    }
                    hungry = input.waiting().is_empty();
                    continue;
                }
                if input.waiting().len() >= self.session.input_octets_max() {
                    return Err(self.say_farewell(Farewell::InputTooLong, std::mem::take(out)).await);
                }
            }
            self.send(out).await?;
            match self.wait(input).await? {
                Waited::Input => hungry = false,
                Waited::Woken => {
                    let next = self.session.woken(clock::now(), out).await;
                    if next != Next::Read {
                        return Ok(next);
                    }
                    hungry = true;
                }
            }
        }
    }

    async fn wait(&mut self, input: &mut Input) -> Result<Waited, Ended> {
        let patience = Duration::from_secs(u64::from(self.session.patience_s()));
        let Self { stream, session, stop, .. } = self;
        let Some(io) = stream.io() else { return Err(Ended::PeerGone) };
        if *stop.borrow() {
            return Err(self.say_farewell(Farewell::Shutdown, Vec::new()).await);
        }
        let waited = tokio::select! {
            read = timeout(patience, io.read_buf(input.space())) => match read {
                Ok(Ok(0)) | Ok(Err(_)) => Err(Ended::PeerGone),
                Ok(Ok(_)) => Ok(Waited::Input),
                Err(_) => Err(Ended::Timeout),
            },
            () = session.wake() => Ok(Waited::Woken),
            _ = stop.changed() => Err(Ended::Shutdown),
        };
        match waited {
            Err(Ended::Timeout) => Err(self.say_farewell(Farewell::Timeout, Vec::new()).await),
            Err(Ended::Shutdown) => Err(self.say_farewell(Farewell::Shutdown, Vec::new()).await),
            other => other,
        }
    }

    async fn send(&mut self, out: &mut Vec<u8>) -> Result<(), Ended> {
        if out.is_empty() {
            return Ok(());
        }
        let Some(io) = self.stream.io() else { return Err(Ended::PeerGone) };
        let write = async {
            io.write_all(out).await?;
            io.flush().await
        };
        match timeout(Duration::from_secs(limits::WRITE_S), write).await {
            Ok(Ok(())) => {
                out.clear();
                if out.capacity() > limits::OUTPUT_OCTETS_KEPT {
                    *out = Vec::new();
                }
                Ok(())
            }
            Ok(Err(_)) => Err(Ended::PeerGone),
            Err(_) => Err(Ended::Timeout),
        }
    }

    /// Sends what is left to say and the protocol's last word. Tells why the connection ended.
    async fn say_farewell(&mut self, why: Farewell, mut out: Vec<u8>) -> Ended {
        self.session.farewell(why, &mut out);
        match (self.send(&mut out).await, why) {
            (Err(ended), _) => ended,
            (Ok(()), Farewell::Timeout) => Ended::Timeout,
            (Ok(()), Farewell::InputTooLong) => Ended::InputTooLong,
            (Ok(()), Farewell::Shutdown) => Ended::Shutdown,
            (Ok(()), Farewell::TooBusy | Farewell::Internal) => Ended::Closed,
        }
    }

    /// Waits; true when the server stops meanwhile.
    async fn pause(&mut self, ms: u32) -> bool {
        tokio::select! {
            () = sleep(Duration::from_millis(u64::from(ms))) => false,
            _ = self.stop.changed() => true,
        }
    }

    /// The handshake, on a connection that was plain so far.
    async fn start_tls(&mut self) -> Result<(), Ended> {
        let Some(acceptor) = self.tls.clone() else { return Err(Ended::TlsFailed) };
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Plain(tcp) => {
                let (stream, info) = handshake(&acceptor, tcp).await.ok_or(Ended::TlsFailed)?;
                self.stream = stream;
                self.session.tls_started(info);
                Ok(())
            }
            other => {
                self.stream = other;
                Err(Ended::TlsFailed)
            }
        }
    }
}

enum Waited {
    Input,
    Woken,
}

/// Does the TLS handshake within its time limit.
pub async fn handshake(acceptor: &TlsAcceptor, tcp: TcpStream) -> Option<(Stream, TlsInfo)> {
    let accepted = timeout(Duration::from_secs(limits::HANDSHAKE_S), acceptor.accept(tcp)).await;
    let tls = match accepted {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => {
            yubin_base::event!(events::TLS_FAILED, error = %error);
            return None;
        }
        Err(_) => {
            yubin_base::event!(events::TLS_FAILED, error = "the handshake took too long");
            return None;
        }
    };
    let info = crate::tls::info(tls.get_ref().1);
    Some((Stream::Tls(Box::new(tls)), info))
}

/// What has been read and not yet taken. Holds nothing while a connection is idle.
#[derive(Default)]
struct Input {
    buffer: Vec<u8>,
    taken: usize,
}

impl Input {
    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    fn consume(&mut self, octets: usize) {
        self.taken = (self.taken + octets).min(self.buffer.len());
        if self.taken == self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
        }
    }

    /// Where to read to: room after what waits. Grows while a peer sends in bulk.
    fn space(&mut self) -> &mut Vec<u8> {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        let bulk = self.buffer.len() >= limits::INPUT_OCTETS;
        self.buffer.reserve(if bulk || self.buffer.capacity() >= limits::INPUT_OCTETS_BULK {
            limits::INPUT_OCTETS_BULK
        } else {
            limits::INPUT_OCTETS
        });
        &mut self.buffer
    }

    fn drop_all(&mut self) {
        *self = Self::default();
    }
}
