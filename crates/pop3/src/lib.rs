//! POP3: codec, session, one file per command. No socket, clock, task or randomness; nothing is deleted but by a clean QUIT.
//!
//! RFC 1939 (POP3), 2449 (CAPA, response codes), 2595 (STLS), 3206 (SYS and AUTH codes), 5034 (SASL), 6856 (UTF8, LANG).

pub mod codec;
mod command;
pub mod events;
pub mod limits;
mod login_delay;
mod maildrop;
mod options;
mod session;
mod transfer;

pub use login_delay::LoginDelay;
pub use options::Options;
pub use session::{Policies, Pop3Services, Session};
