//! SMTP, LMTP and submission: the codec and both session machines, the server's and the client's. No socket, no store, no DNS.

pub mod client;
pub mod codec;
pub mod envelope;
pub mod events;
pub mod limits;
pub mod server;
