//! The one connection loop: reads, feeds the protocol machine, writes, and waits. Drives every line protocol.
//! Knows no protocol; never parses an octet.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use yubin_base::{Farewell, Next, Protocol, TlsInfo};

use crate::{clock, deflate::Deflate, events, limits};

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
    /// The peer's octets could not be decompressed.
    Inflate,
}

/// One connection.
pub struct Connection<P> {
    /// The wire.
    pub stream: Stream,
    /// The machine.
    pub session: P,
    /// For STARTTLS; none where TLS is not configured.
    pub tls: Option<Arc<TlsAcceptor>>,
    /// Between the wire and the machine, once the session asked for it. Boxed: most connections have none.
    pub deflate: Option<Box<Deflate>>,
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
        if self.has_spoken() && self.session.spoke_early(&mut out) {
            return match self.send(&mut out).await {
                Ok(()) => Ended::Closed,
                Err(ended) => ended,
            };
        }
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
                Next::Compress => {
                    if let Err(ended) = self.send(&mut out).await {
                        return ended;
                    }
                    // The peer's stream begins behind the command (RFC 4978 §3): what came with it already is part of it.
                    self.deflate = Some(Box::new(Deflate::new(input.waiting().to_vec())));
                    input.drop_all();
                    Next::Read
                }
                Next::Uncompress => {
                    if let Err(ended) = self.send(&mut out).await {
                        return ended;
                    }
                    if let Some(deflate) = self.deflate.take() {
                        input.add(&deflate.end());
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

    /// Whether octets of the peer wait on a plain connection already.
    fn has_spoken(&self) -> bool {
        let Stream::Plain(tcp) = &self.stream else { return false };
        let mut octet = [std::mem::MaybeUninit::uninit()];
        matches!(socket2::SockRef::from(tcp).peek(&mut octet), Ok(octets) if octets > 0)
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
                Waited::Input | Waited::Silent => hungry = false,
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
        let since = Instant::now();
        loop {
            if let Some(deflate) = &mut self.deflate
                && deflate.has_more()
            {
                match deflate.inflate(input.space()) {
                    Ok(0) => {}
                    Ok(_) => return Ok(Waited::Input),
                    Err(error) => {
                        yubin_base::event!(events::INFLATE_REFUSED, why = ?error);
                        return Err(self.say_farewell(Farewell::Inflate, Vec::new()).await);
                    }
                }
            }
            match (self.wait_for_octets(input, since).await?, &mut self.deflate) {
                (Waited::Silent, Some(deflate)) => deflate.rest(),
                (Waited::Input, Some(_)) => {}
                (waited, _) => return Ok(waited),
            }
        }
    }

    /// Waits until there is something to do: octets from the wire, or a session that has something to say.
    async fn wait_for_octets(&mut self, input: &mut Input, since: Instant) -> Result<Waited, Ended> {
        let patience = since + Duration::from_secs(u64::from(self.session.patience_s()));
        let Self { stream, session, stop, deflate, .. } = self;
        let Some(io) = stream.io() else { return Err(Ended::PeerGone) };
        if *stop.borrow() {
            return Err(self.say_farewell(Farewell::Shutdown, Vec::new()).await);
        }
        let holds_encoder = deflate.as_ref().is_some_and(|d| !d.is_resting());
        let space = match deflate {
            Some(deflate) => deflate.space(),
            None => input.space(),
        };
        let waited = tokio::select! {
            read = io.read_buf(space) => match read {
                Ok(0) | Err(_) => Err(Ended::PeerGone),
                Ok(_) => Ok(Waited::Input),
            },
            () = session.wake() => Ok(Waited::Woken),
            () = sleep(Duration::from_secs(limits::DEFLATE_KEPT_S)), if holds_encoder => Ok(Waited::Silent),
            () = sleep_until(patience) => Err(Ended::Timeout),
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
        let mut packed = Vec::new();
        if let Some(deflate) = &mut self.deflate {
            deflate.deflate(out, &mut packed);
        }
        let octets = if self.deflate.is_some() { &packed } else { &*out };
        let write = async {
            io.write_all(octets).await?;
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
            (Ok(()), Farewell::Inflate) => Ended::Inflate,
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
    /// Neither, for so long that the encoder can go.
    Silent,
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

    /// Octets that came by another way than [`Input::space`].
    fn add(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    fn drop_all(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::net::TcpListener;
    use yubin_base::UnixMs;

    /// A protocol of one-word lines: echoes, counts to many, starts TLS, waits, closes.
    struct Toy {
        said: Arc<Mutex<Vec<String>>>,
        left: u32,
        tls: bool,
        knock: Arc<tokio::sync::Notify>,
        patience_s: u32,
    }

    impl Protocol for Toy {
        async fn greet(&mut self, _: UnixMs, out: &mut Vec<u8>) -> Next {
            out.extend_from_slice(b"hello\n");
            Next::Read
        }
        async fn command(&mut self, input: &[u8], _: UnixMs, out: &mut Vec<u8>) -> (usize, Next) {
            let Some(end) = input.iter().position(|b| *b == b'\n') else { return (0, Next::Read) };
            let word = String::from_utf8_lossy(&input[..end]).into_owned();
            if word.starts_with('-') {
                return (end + 1, Next::Read);
            }
            self.said.lock().unwrap().push(word.clone());
            let next = match word.as_str() {
                "count" => {
                    self.left = 100_000;
                    Next::More
                }
                "tls" => Next::StartTls,
                "late" => Next::Delay(1),
                "pack" => Next::Compress,
                "plain" => Next::Uncompress,
                "close" => Next::Close,
                "panic" => panic!("a bug in a session"),
                _ => Next::Read,
            };
            out.extend_from_slice(format!("{word} ok\n").as_bytes());
            (end + 1, next)
        }
        async fn more(&mut self, _: UnixMs, out: &mut Vec<u8>) -> Next {
            let piece = self.left.min(10_000);
            out.extend(std::iter::repeat_n(b'.', piece as usize));
            self.left -= piece;
            if self.left > 0 { Next::More } else { Next::Read }
        }
        async fn wake(&mut self) {
            self.knock.notified().await;
        }
        async fn woken(&mut self, _: UnixMs, out: &mut Vec<u8>) -> Next {
            out.extend_from_slice(b"knock\n");
            Next::Read
        }
        fn tls_started(&mut self, _: TlsInfo) {
            self.tls = true;
        }
        fn patience_s(&self) -> u32 {
            self.patience_s
        }
        fn input_octets_max(&self) -> usize {
            5_000
        }
        fn farewell(&mut self, why: Farewell, out: &mut Vec<u8>) {
            out.extend_from_slice(format!("bye {why:?}\n").as_bytes());
        }
    }

    struct Scene {
        client: TcpStream,
        said: Arc<Mutex<Vec<String>>>,
        knock: Arc<tokio::sync::Notify>,
        stop: watch::Sender<bool>,
        ended: tokio::task::JoinHandle<Ended>,
    }

    async fn scene(patience_s: u32) -> Scene {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (tcp, _) = listener.accept().await.unwrap();
        let (said, knock) = (Arc::default(), Arc::new(tokio::sync::Notify::new()));
        let session = Toy { said: Arc::clone(&said), left: 0, tls: false, knock: knock.clone(), patience_s };
        let (certificate, _) = crate::tls::Certificate::self_signed(vec!["localhost".into()]).unwrap();
        let tls = Some(certificate.acceptor().unwrap());
        let stop = watch::Sender::new(false);
        let connection =
            Connection { stream: Stream::Plain(tcp), session, tls, deflate: None, stop: stop.subscribe() };
        let ended = tokio::spawn(connection.run());
        Scene { client, said, knock, stop, ended }
    }

    async fn everything(client: &mut TcpStream) -> String {
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn pipelined_commands_are_answered_in_order_and_long_answers_whole() {
        let mut scene = scene(60).await;
        scene.client.write_all(b"a\nb\ncount\nlate\nc\nclose\nnever\n").await.unwrap();
        let text = everything(&mut scene.client).await;
        let dots = ".".repeat(100_000);
        assert_eq!(text, format!("hello\na ok\nb ok\ncount ok\n{dots}late ok\nc ok\nclose ok\n"));
        assert_eq!(scene.ended.await.unwrap(), Ended::Closed);
    }

    #[tokio::test]
    async fn what_was_sent_before_the_handshake_is_dropped() {
        let mut scene = scene(60).await;
        scene.client.write_all(b"a\ntls\ninjected\n").await.unwrap();
        let mut start = [0; 17];
        scene.client.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"hello\na ok\ntls ok");
        drop(scene.client);
        assert_eq!(scene.ended.await.unwrap(), Ended::TlsFailed);
        assert_eq!(*scene.said.lock().unwrap(), ["a", "tls"]);
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut_off() {
        let mut scene = scene(60).await;
        scene.client.write_all(&[b'x'; 6_000]).await.unwrap();
        assert_eq!(everything(&mut scene.client).await, "hello\nbye InputTooLong\n");
        assert_eq!(scene.ended.await.unwrap(), Ended::InputTooLong);
    }

    #[tokio::test]
    async fn a_silent_peer_is_told_and_let_go() {
        let mut scene = scene(0).await;
        assert_eq!(everything(&mut scene.client).await, "hello\nbye Timeout\n");
        assert_eq!(scene.ended.await.unwrap(), Ended::Timeout);
    }

    #[tokio::test]
    async fn a_session_speaks_unasked_and_ends_with_the_server() {
        let mut scene = scene(60).await;
        scene.knock.notify_one();
        let mut start = [0; 12];
        scene.client.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"hello\nknock\n");
        scene.stop.send_replace(true);
        assert_eq!(everything(&mut scene.client).await, "bye Shutdown\n");
        assert_eq!(scene.ended.await.unwrap(), Ended::Shutdown);
    }

    /// Reads until the client's stream says `end`, decompressing.
    async fn read_packed(client: &mut TcpStream, deflate: &mut Deflate, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            if !deflate.has_more() && client.read_buf(deflate.space()).await.unwrap() == 0 {
                break;
            }
            let mut piece = Vec::with_capacity(1_000);
            deflate.inflate(&mut piece).unwrap();
            text.extend(piece);
        }
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn after_compress_both_directions_are_deflate() {
        let mut scene = scene(60).await;
        let (mut here, mut packed) = (Deflate::new(Vec::new()), Vec::new());
        // The first compressed command comes in one segment with the command before it.
        here.deflate(b"a\ncount\nb\n", &mut packed);
        scene.client.write_all(&[b"pack\n", &packed[..]].concat()).await.unwrap();
        let mut start = [0; 14];
        scene.client.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"hello\npack ok\n");
        let text = read_packed(&mut scene.client, &mut here, "b ok\n").await;
        assert_eq!(text, format!("a ok\ncount ok\n{}b ok\n", ".".repeat(100_000)));
        scene.knock.notify_one();
        assert_eq!(read_packed(&mut scene.client, &mut here, "knock\n").await, "knock\n");
        packed.clear();
        here.deflate(b"close\n", &mut packed);
        scene.client.write_all(&packed).await.unwrap();
        assert_eq!(read_packed(&mut scene.client, &mut here, "close ok\n").await, "close ok\n");
        assert_eq!(scene.ended.await.unwrap(), Ended::Closed);
    }

    #[tokio::test]
    async fn the_layer_ends_and_what_follows_is_plain() {
        let mut scene = scene(60).await;
        let (mut here, mut packed) = (Deflate::new(Vec::new()), Vec::new());
        here.deflate(b"a\nplain\n", &mut packed);
        // All at once: plain, compressed, plain again.
        scene.client.write_all(&[b"pack\n", &packed[..], b"b\nclose\n"].concat()).await.unwrap();
        let mut start = [0; 14];
        scene.client.read_exact(&mut start).await.unwrap();
        assert_eq!(read_packed(&mut scene.client, &mut here, "plain ok\n").await, "a ok\nplain ok\n");
        let mut rest = here.end();
        scene.client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"b ok\nclose ok\n");
        assert_eq!(scene.ended.await.unwrap(), Ended::Closed);
    }

    #[tokio::test]
    async fn a_peer_that_sends_no_deflate_is_told_and_let_go() {
        let mut scene = scene(60).await;
        scene.client.write_all(b"pack\na quite plain command\n").await.unwrap();
        let mut start = [0; 14];
        scene.client.read_exact(&mut start).await.unwrap();
        let text = read_packed(&mut scene.client, &mut Deflate::new(Vec::new()), "Inflate\n").await;
        assert_eq!(text, "bye Inflate\n");
        assert_eq!(scene.ended.await.unwrap(), Ended::Inflate);
    }

    #[tokio::test]
    async fn a_bomb_is_told_and_let_go() {
        let mut scene = scene(60).await;
        scene.client.write_all(b"pack\n").await.unwrap();
        let mut start = [0; 14];
        scene.client.read_exact(&mut start).await.unwrap();
        let (mut read, mut write) = scene.client.into_split();
        let bomb = tokio::spawn(async move {
            // Lines that are short enough, so that nothing but the budget ends it.
            let lines = [&[b'-'; 4_000][..], b"\n"].concat().repeat(250);
            let mut encoder = flate2::Compress::new(flate2::Compression::best(), false);
            loop {
                let mut packed = Vec::with_capacity(1 << 16);
                encoder.compress_vec(&lines, &mut packed, flate2::FlushCompress::Sync).unwrap();
                if write.write_all(&packed).await.is_err() {
                    return;
                }
            }
        });
        let mut octets = Vec::new();
        // The connection is closed with octets of ours unread, so the end may be a reset.
        while matches!(read.read_buf(&mut octets).await, Ok(n) if n > 0) {
            octets.clear();
        }
        bomb.await.unwrap();
        assert_eq!(scene.ended.await.unwrap(), Ended::Inflate);
    }
}
