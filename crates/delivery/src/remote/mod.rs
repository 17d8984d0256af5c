//! Delivery to other hosts: where mail goes, over which TLS, and what came of it. RFC 5321 §5, 7505, 7672, 8461.
//! Never opens a socket itself: it asks the ports below, which `server` implements and tests simulate.

pub(crate) mod attempt;
pub mod dane;
pub mod mta_sts;
mod options;
mod policy;
mod ports;
pub(crate) mod route;

pub use options::{RetrySchedule, RouteRule, RouteTls, SendOptions};
pub use ports::{ConnectFault, Connection, ConnectionFault, Connector, Sending, Spawn, TlsCheck, TlsDemand};
