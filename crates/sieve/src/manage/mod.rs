//! ManageSieve: how users put their scripts on the server (RFC 5804). Knows no store: scripts come and go through [`Scripts`].

mod codec;
mod commands;
mod session;

use yubin_base::{AccountId, BoxFuture};

pub use session::{ManageSieveServices, Options, Session};

/// The scripts of accounts; `server` implements it over the store.
pub trait Scripts: Send + Sync {
    /// Names, and whether each is the one that runs.
    fn list(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<(String, bool)>, ScriptsError>>;
    /// A script's text.
    fn get<'a>(&'a self, account: AccountId, name: &'a str) -> BoxFuture<'a, Result<String, ScriptsError>>;
    /// Whether a script of this size would fit.
    fn have_space<'a>(
        &'a self,
        account: AccountId,
        name: &'a str,
        octets: u64,
    ) -> BoxFuture<'a, Result<(), ScriptsError>>;
    /// Writes a script; durable when it is done.
    fn put<'a>(
        &'a self,
        account: AccountId,
        name: &'a str,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), ScriptsError>>;
    /// Chooses the script that runs; nothing: none does.
    fn activate<'a>(
        &'a self,
        account: AccountId,
        name: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), ScriptsError>>;
    /// Gives a script another name.
    fn rename<'a>(
        &'a self,
        account: AccountId,
        old: &'a str,
        new: &'a str,
    ) -> BoxFuture<'a, Result<(), ScriptsError>>;
    /// Deletes a script that does not run.
    fn delete<'a>(&'a self, account: AccountId, name: &'a str) -> BoxFuture<'a, Result<(), ScriptsError>>;
}

/// Why not. RFC 5804 §1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptsError {
    /// There is no such script.
    NonExistent,
    /// A script has this name already.
    AlreadyExists,
    /// The script runs.
    Active,
    /// It can be no script's name.
    BadName,
    /// The script is too long.
    MaxSize,
    /// There are too many scripts.
    MaxScripts,
    /// The store cannot do that now.
    Unavailable,
}
