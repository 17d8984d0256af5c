//! The server's side: sessions and what they ask of the rest of the server.

mod command;
mod options;
mod ports;
mod session;
mod shown;
mod transaction;

pub use options::{BareNewlinePolicy, Listener, Login, Options};
pub use ports::{Accepted, BodyFacts, BodySink, Delivered, Reception, Refusal, Service, SessionFacts};
pub use session::Session;
pub use shown::shown;
