//! Documents and bytes: mail (RFC 5322, MIME) and charsets. Reading mail never fails; it yields defects.
//! Never touches a socket, a file or a clock, and knows nothing of mailboxes.

pub mod charset;
mod collate;
mod fold;
pub mod limits;
pub mod mail;
pub mod report;

pub use collate::{casemap, push_casemap};
pub use fold::{SearchFolder, fold_for_search};
