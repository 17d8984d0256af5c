//! One file per command. Each checks order and arguments, changes the session, and writes the answer.

pub(super) mod auth;
pub(super) mod bdat;
pub(super) mod data;
pub(super) mod ehlo;
pub(super) mod expn;
pub(super) mod help;
pub(super) mod mail;
pub(super) mod noop;
pub(super) mod quit;
pub(super) mod rcpt;
pub(super) mod rset;
pub(super) mod starttls;
pub(super) mod vrfy;
