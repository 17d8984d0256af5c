//! Listeners: binds or inherits sockets, accepts within the limits, and starts one task per connection.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use socket2::{Domain, Protocol as Transport, Socket, Type};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;
use yubin_base::{Farewell, Peer, Protocol};

use crate::{
    config::{Listener, ListenerProtocol},
    events, limits,
    metrics::Metrics,
    serve::{Connection, Stream, handshake},
};

/// Counts connections, in all and by address, and says when there are too many.
pub struct Gate {
    total_max: u32,
    per_address_max: u32,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: u32,
    by_address: BTreeMap<IpAddr, u32>,
}

/// A connection's place. Given back when dropped.
pub struct Place {
    gate: Arc<Gate>,
    address: IpAddr,
}

impl Gate {
    /// With these ceilings.
    pub fn new(total_max: u32, per_address_max: u32) -> Arc<Self> {
        Arc::new(Self { total_max, per_address_max, open: Mutex::default() })
    }

    /// Takes a place for a peer; none when there are too many.
    pub fn enter(self: &Arc<Self>, remote: IpAddr) -> Option<Place> {
        let address = network(remote);
        let mut open = self.open.lock();
        let here = open.by_address.get(&address).copied().unwrap_or(0);
        if open.total >= self.total_max || here >= self.per_address_max {
            return None;
        }
        open.total += 1;
        open.by_address.insert(address, here + 1);
        Some(Place { gate: self.clone(), address })
    }

    /// Connections now.
    pub fn open(&self) -> u32 {
        self.open.lock().total
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.gate.open.lock();
        open.total = open.total.saturating_sub(1);
        match open.by_address.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: an IPv4 address, or an IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

/// Sockets that systemd opened for us.
pub struct Inherited(Vec<(SocketAddr, std::net::TcpListener)>);

impl Inherited {
    /// Takes them over. Without systemd there are none.
    pub fn take() -> Self {
        let mut fds = listenfd::ListenFd::from_env();
        let mut found = Vec::new();
        for at in 0..fds.len() {
            if let Ok(Some(listener)) = fds.take_tcp_listener(at)
                && let Ok(address) = listener.local_addr()
            {
                found.push((address, listener));
            }
        }
        Self(found)
    }

    fn matching(&mut self, wanted: SocketAddr) -> Option<std::net::TcpListener> {
        let at = self.0.iter().position(|(address, _)| *address == wanted)?;
        Some(self.0.swap_remove(at).1)
    }
}

/// Opens one listener: the inherited socket of that address, or a new one.
pub fn bind(listener: &Listener, inherited: &mut Inherited) -> io::Result<TcpListener> {
    let socket = match inherited.matching(listener.address) {
        Some(socket) => socket,
        None => {
            let socket =
                Socket::new(Domain::for_address(listener.address), Type::STREAM, Some(Transport::TCP))?;
            socket.set_reuse_address(true)?;
            if listener.address.is_ipv6() {
                socket.set_only_v6(false)?;
            }
            socket.bind(&listener.address.into())?;
            socket.listen(limits::LISTEN_BACKLOG as i32)?;
            socket.into()
        }
    };
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

/// What every connection of every listener shares.
#[derive(Clone)]
pub struct Shared {
    /// The ceilings.
    pub gate: Arc<Gate>,
    /// None where TLS is not configured.
    pub tls: Option<Arc<TlsAcceptor>>,
    /// Turns true when the server stops.
    pub stop: watch::Receiver<bool>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// Accepts until the server stops. `session` makes the machine for a new connection.
pub async fn accept<P, F>(socket: TcpListener, protocol: ListenerProtocol, shared: Shared, session: F)
where
    P: Protocol + 'static,
    F: Fn(Peer) -> P + Send + Sync + 'static,
{
    let session = Arc::new(session);
    let mut stop = shared.stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = stop.changed() => return,
        };
        let (tcp, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely. Trying again at once would burn the processor and help nobody.
                yubin_base::event!(events::ACCEPT_FAILED, protocol = protocol.name(), error = %error);
                tokio::time::sleep(Duration::from_millis(limits::ACCEPT_BACKOFF_MS)).await;
                continue;
            }
        };
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        let place = shared.gate.enter(remote.ip());
        let connection = one(tcp, remote, protocol, shared.clone(), session.clone(), place);
        // Boxed on the heap by spawn: its size counts against the memory of a connection.
        tokio::spawn(watched(connection, remote, protocol));
    }
}

/// A panic in a session ends that connection and nothing else.
async fn watched(
    connection: impl Future<Output = ()> + Send + 'static,
    remote: SocketAddr,
    protocol: ListenerProtocol,
) {
    use futures_util::FutureExt;
    let caught = std::panic::AssertUnwindSafe(connection).catch_unwind().await;
    if caught.is_err() {
        yubin_base::event!(events::SESSION_PANICKED, protocol = protocol.name(), remote = %remote);
    }
}

async fn one<P, F>(
    tcp: TcpStream,
    remote: SocketAddr,
    protocol: ListenerProtocol,
    shared: Shared,
    session: Arc<F>,
    place: Option<Place>,
) where
    P: Protocol,
    F: Fn(Peer) -> P + Send + Sync,
{
    let Ok(local) = tcp.local_addr() else { return };
    let local = SocketAddr::new(local.ip().to_canonical(), local.port());
    // Answers are written whole; waiting to fill a packet only delays them.
    let _ = tcp.set_nodelay(true);
    let peer = Peer { remote, local, tls: None };
    let mut machine = session(peer);
    let Some(_place) = place else {
        yubin_base::event!(events::TOO_BUSY, protocol = protocol.name(), remote = %remote);
        shared.metrics.refused(protocol);
        if !protocol.implicit_tls() {
            turn_away(tcp, &mut machine).await;
        }
        return;
    };
    let _counted = shared.metrics.connection(protocol);
    yubin_base::event!(events::CONNECTED, protocol = protocol.name(), remote = %remote);
    let stream = if protocol.implicit_tls() {
        let Some(acceptor) = &shared.tls else { return };
        let Some((stream, info)) = handshake(acceptor, tcp).await else { return };
        machine.tls_started(info);
        stream
    } else {
        Stream::Plain(tcp)
    };
    let connection =
        Connection { stream, session: machine, tls: shared.tls, deflate: None, stop: shared.stop };
    let ended = Box::pin(connection.run()).await;
    yubin_base::event!(events::DISCONNECTED, protocol = protocol.name(), remote = %remote, why = ?ended);
}

async fn turn_away<P: Protocol>(mut tcp: TcpStream, machine: &mut P) {
    let mut out = Vec::new();
    machine.farewell(Farewell::TooBusy, &mut out);
    let send = async {
        tcp.write_all(&out).await?;
        tcp.shutdown().await
    };
    let _ = tokio::time::timeout(Duration::from_secs(limits::CLOSE_S), send).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_in_all_and_by_network_and_given_back() {
        let gate = Gate::new(3, 2);
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = gate.enter(v6("2001:db8::1")).expect("room");
        let _second = gate.enter(v6("2001:db8::2")).expect("room");
        assert!(gate.enter(v6("2001:db8::3")).is_none(), "one /64 has two places");
        let _third = gate.enter(v6("192.0.2.1")).expect("another address");
        assert!(gate.enter(v6("192.0.2.2")).is_none(), "three in all");
        drop(first);
        assert!(gate.enter(v6("::ffff:192.0.2.1")).is_some());
        assert_eq!(gate.open(), 2);
    }
}
