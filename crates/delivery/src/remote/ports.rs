//! What sending asks of the world: names, connections, tasks. Decides nothing.

use std::{net::SocketAddr, sync::Arc};

use yubin_base::{BoxFuture, TlsInfo, dns::AnyResolver};

use super::options::SendOptions;
use crate::remote::dane::TlsaUse;

/// Everything that sending needs. Without it, mail for other hosts waits.
#[derive(Clone)]
pub struct Sending {
    /// Names.
    pub resolver: AnyResolver,
    /// Connections.
    pub connector: Arc<dyn Connector>,
    /// Tasks.
    pub spawn: Arc<dyn Spawn>,
    /// Settings.
    pub options: SendOptions,
}

/// Makes connections.
pub trait Connector: Send + Sync + 'static {
    /// Connects; gives up after `patience_s` seconds.
    fn connect(
        &self,
        to: SocketAddr,
        patience_s: u32,
    ) -> BoxFuture<'_, Result<Box<dyn Connection>, ConnectFault>>;

    /// Fetches `https://host/path` from one of these addresses, with a certificate that is valid for the host. Follows no redirect, and takes
    /// no more than `octets_max` octets of `text/plain` (RFC 8461 §3.3).
    fn fetch<'a>(
        &'a self,
        host: &'a str,
        addresses: &'a [SocketAddr],
        path: &'a str,
        octets_max: usize,
    ) -> BoxFuture<'a, Result<Vec<u8>, String>>;
}

/// One connection to another server.
pub trait Connection: Send {
    /// Reads what is there into the end of the buffer, waiting at most `patience_s` seconds. Zero octets are the end.
    fn read<'a>(
        &'a mut self,
        buffer: &'a mut Vec<u8>,
        patience_s: u32,
    ) -> BoxFuture<'a, Result<usize, ConnectionFault>>;

    /// Writes all of it.
    fn write<'a>(
        &'a mut self,
        octets: &'a [u8],
        patience_s: u32,
    ) -> BoxFuture<'a, Result<(), ConnectionFault>>;

    /// Does the TLS handshake.
    fn start_tls<'a>(
        &'a mut self,
        demand: &'a TlsDemand,
        patience_s: u32,
    ) -> BoxFuture<'a, Result<TlsInfo, ConnectionFault>>;
}

/// Runs work beside what is going on. Work that is cut off by the end of the process is found again at the next start.
pub trait Spawn: Send + Sync + 'static {
    /// Runs it soon.
    fn spawn(&self, work: BoxFuture<'static, ()>);
}

/// What a TLS handshake must prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsDemand {
    /// The name sent in SNI.
    pub server_name: String,
    /// How the certificate is judged.
    pub check: TlsCheck,
}

/// How a certificate is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsCheck {
    /// Not at all: TLS is better than none (RFC 7435).
    Nothing,
    /// By a trusted authority, for one of these names.
    Names(Vec<String>),
    /// By one of these TLSA records; where a record names an authority, for one of the names (RFC 7672 §3.1, §3.2).
    Dane {
        /// The usable records.
        records: Vec<TlsaUse>,
        /// Reference identifiers.
        names: Vec<String>,
    },
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectFault {
    /// Refused, unreachable, timed out: in words.
    Failed(String),
    /// It leads to this very server.
    Ourselves,
}

/// Why a connection broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionFault(pub String);
