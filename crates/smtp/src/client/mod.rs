//! The client's side: hands messages to another server. RFC 5321, 1870, 2920, 3030, 3207, 3461, 4954, 6152, 6531, 8689, 9422.
//! Has no socket and no clock: octets in, octets and a [`Step`] out. Never decides where a message goes or when it is tried again.

mod command;
mod login;
mod results;
mod session;

pub use login::Credentials;
pub use results::{Ambiguity, Class, RecipientResult, SessionFailure, Stage};
pub use session::{Client, ClientOptions, Outgoing, Step, TlsUse};
