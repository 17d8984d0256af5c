//! SMTP, LMTP and submission: the codec and the server's session machine. No socket, no store, no DNS.

pub mod codec;
pub mod envelope;
pub mod events;
pub mod limits;
pub mod server;
