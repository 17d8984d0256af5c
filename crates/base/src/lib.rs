//! Words every crate uses: ids, time, limits, events, the [`Protocol`] trait and the ports.
//! Never does input or output, and knows no protocol.

mod address;
pub mod calendar;
pub mod dns;
mod event;
mod ids;
mod limit;
mod pending;
pub mod ports;
mod protocol;
pub mod sasl;

pub use address::Address;
pub use event::{Event, Level};
pub use ids::{AccountId, TraceId, UnixMs};
pub use limit::Limit;
pub use pending::Pending;
pub use protocol::{Farewell, Next, Peer, Protocol, TlsInfo};

/// For the macros of this crate only.
#[doc(hidden)]
pub use tracing as __tracing;

/// A boxed future, for the few ports that must be usable as `dyn`.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
