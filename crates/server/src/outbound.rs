//! Connections to other servers: tokio and rustls behind the ports of `delivery`. Decides nothing about mail.

mod fetch;
mod verify;

use std::{collections::BTreeSet, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rustls::{RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use yubin_base::{BoxFuture, TlsInfo};
use yubin_delivery::remote::{ConnectFault, Connection, ConnectionFault, Connector, Spawn, TlsDemand};

use crate::{limits, tls};

/// Makes connections.
pub struct TokioConnector {
    roots: Arc<RootCertStore>,
    /// Our own SMTP ports: a connection to one of them at our own address leads in circles.
    own_ports: BTreeSet<u16>,
}

impl TokioConnector {
    /// Trusts the system's authorities, or those of a PEM file.
    pub fn new(roots: &Path, own_ports: BTreeSet<u16>) -> Result<Self, String> {
        Ok(Self { roots: Arc::new(verify::roots(roots)?), own_ports })
    }
}

impl Connector for TokioConnector {
    fn connect(
        &self,
        to: SocketAddr,
        patience_s: u32,
    ) -> BoxFuture<'_, Result<Box<dyn Connection>, ConnectFault>> {
        Box::pin(async move {
            let failed = |why: String| ConnectFault::Failed(why);
            let stream = timeout(seconds(patience_s), TcpStream::connect(to))
                .await
                .map_err(|_| failed("no connection within the time".into()))?
                .map_err(|error| failed(error.to_string()))?;
            let _ = stream.set_nodelay(true);
            let local = stream.local_addr().map(|local| local.ip());
            if local.is_ok_and(|local| local == to.ip()) && self.own_ports.contains(&to.port()) {
                return Err(ConnectFault::Ourselves);
            }
            let connection = TokioConnection { stream: Stream::Plain(stream), roots: self.roots.clone() };
            Ok(Box::new(connection) as Box<dyn Connection>)
        })
    }

    fn fetch<'a>(
        &'a self,
        host: &'a str,
        addresses: &'a [SocketAddr],
        path: &'a str,
        octets_max: usize,
    ) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        Box::pin(async move {
            let fetched = fetch::get(&self.roots, host, addresses, path, octets_max);
            timeout(Duration::from_secs(limits::POLICY_FETCH_S), fetched)
                .await
                .unwrap_or_else(|_| Err("no answer within the time".into()))
        })
    }
}

struct TokioConnection {
    stream: Stream,
    roots: Arc<RootCertStore>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// While the handshake runs, and after it failed.
    Gone,
}

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}

impl Stream {
    fn io(&mut self) -> Result<&mut dyn Both, ConnectionFault> {
        match self {
            Self::Plain(stream) => Ok(stream),
            Self::Tls(stream) => Ok(stream.as_mut()),
            Self::Gone => Err(ConnectionFault("the connection is gone".into())),
        }
    }
}

fn fault(error: std::io::Error) -> ConnectionFault {
    ConnectionFault(format!("The connection broke: {error}"))
}

fn too_slow() -> ConnectionFault {
    ConnectionFault("The other server was silent for too long".into())
}

fn seconds(patience_s: u32) -> Duration {
    Duration::from_secs(u64::from(patience_s))
}

impl Connection for TokioConnection {
    fn read<'a>(
        &'a mut self,
        buffer: &'a mut Vec<u8>,
        patience_s: u32,
    ) -> BoxFuture<'a, Result<usize, ConnectionFault>> {
        Box::pin(async move {
            let mut piece = [0; limits::ANSWER_PIECE_OCTETS];
            let io = self.stream.io()?;
            let octets = timeout(seconds(patience_s), io.read(&mut piece))
                .await
                .map_err(|_| too_slow())?
                .map_err(fault)?;
            buffer.extend_from_slice(piece.get(..octets).unwrap_or_default());
            Ok(octets)
        })
    }

    fn write<'a>(
        &'a mut self,
        octets: &'a [u8],
        patience_s: u32,
    ) -> BoxFuture<'a, Result<(), ConnectionFault>> {
        Box::pin(async move {
            let io = self.stream.io()?;
            // Piece by piece, so that a slow server that still takes something is not taken for a silent one.
            for piece in octets.chunks(limits::ANSWER_PIECE_OCTETS) {
                timeout(seconds(patience_s), io.write_all(piece))
                    .await
                    .map_err(|_| too_slow())?
                    .map_err(fault)?;
            }
            timeout(seconds(patience_s), io.flush()).await.map_err(|_| too_slow())?.map_err(fault)
        })
    }

    fn start_tls<'a>(
        &'a mut self,
        demand: &'a TlsDemand,
        patience_s: u32,
    ) -> BoxFuture<'a, Result<TlsInfo, ConnectionFault>> {
        Box::pin(async move {
            let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Gone) else {
                return Err(ConnectionFault("there is TLS already".into()));
            };
            let config = verify::client(&self.roots, &demand.check).map_err(ConnectionFault)?;
            let bare = demand.server_name.trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(bare)
                .map_err(|_| ConnectionFault(format!("{} is no host name", demand.server_name)))?;
            let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
            let stream = timeout(seconds(patience_s), handshake)
                .await
                .map_err(|_| too_slow())?
                .map_err(|error| ConnectionFault(error.to_string()))?;
            let info = tls::client_info(stream.get_ref().1);
            self.stream = Stream::Tls(Box::new(stream));
            Ok(info)
        })
    }
}

/// Tasks of the runtime, ended with the server.
#[derive(Default)]
pub struct Tasks(Mutex<JoinSet<()>>);

impl Spawn for Tasks {
    fn spawn(&self, work: BoxFuture<'static, ()>) {
        let mut tasks = self.0.lock();
        // Those that ended are let go.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }
}

impl Tasks {
    /// Ends them. What was under way is found in the queue at the next start.
    pub fn stop(&self) {
        self.0.lock().abort_all();
    }
}
