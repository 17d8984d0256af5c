//! Wire syntax: frames, commands in, responses out. Knows nothing of the store or the session.

pub mod acl;
pub mod append;
pub mod cursor;
pub mod date;
pub mod esearch;
pub mod fetch;
pub mod frame;
pub mod list;
pub mod metadata;
pub mod name;
pub mod notify;
pub mod parse;
pub mod request;
pub mod search;
pub mod set;
pub mod sort;
pub mod url;
pub mod write;

pub use cursor::SyntaxError;
pub use parse::parse;
pub use request::{Command, Dialect, Request};
pub use set::Set;
pub use write::{Code, Writer};
