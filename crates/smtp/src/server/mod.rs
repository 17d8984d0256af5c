//! The server's side: sessions and what they ask of the rest of the server.

mod ports;

pub use ports::{Accepted, BodyFacts, BodySink, Delivered, Reception, Refusal, Service, SessionFacts};
