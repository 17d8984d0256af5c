//! What an administrator may be told. Each text is one helpful sentence; none holds a secret.

use std::fmt;

use yubin_base::Address;
use yubin_engine::{CommitError, ReadError};

use crate::limits;

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryError {
    /// No domain name.
    BadDomain(String),
    /// No address.
    BadAddress(String),
    /// The domain exists.
    DomainExists(String),
    /// No such domain here.
    NoSuchDomain(String),
    /// The domain still has addresses (how many accounts, how many aliases).
    DomainInUse(String, usize, usize),
    /// Other domains are aliases of this one (one of them).
    DomainHasAliases(String, String),
    /// A domain that is an alias of another has no addresses of its own (its name, the other's).
    DomainIsAlias(String, String),
    /// A separator that is a letter, digit or not printable, or too many.
    BadSeparators(String),
    /// An account or alias has this address.
    AddressInUse(Address),
    /// No such account.
    NoSuchAccount(String),
    /// A login name without a domain, while there are several domains.
    AmbiguousName(String),
    /// No such alias.
    NoSuchAlias(Address),
    /// An alias without targets.
    NoTargets,
    /// More targets than allowed.
    TooManyTargets(usize),
    /// A target in a domain of ours that leads nowhere.
    NoSuchTarget(Address),
    /// The alias would lead to itself, by way of these.
    AliasCycle(Vec<Address>),
    /// Aliases nested too deep.
    AliasTooDeep,
    /// The display name is too long or has control characters.
    BadDisplayName,
    /// The password is empty.
    EmptyPassword,
    /// The password is shorter than the options ask (their minimum).
    PasswordTooShort(usize),
    /// The password is too long.
    PasswordTooLong,
    /// The password has a NUL or another control character.
    PasswordHasControls,
    /// The imported hash is of no kind we know, damaged, or asks for too much.
    BadHash,
    /// The options ask for hashes that Argon2 cannot make.
    BadArgon2Cost,
    /// Others change the directory all the time.
    Busy,
    /// The change could not be stored.
    NotStored(CommitError),
    /// The directory could not be read.
    NotRead(ReadError),
    /// A stored record is damaged or of a later version (its key).
    BadRecord(String),
    /// Hashing was given up, because the server stops.
    Stopping,
    /// A value could not be written; our bug.
    Internal(&'static str),
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadDomain(typed) => write!(f, "“{typed}” is no domain name"),
            Self::BadAddress(typed) => write!(f, "“{typed}” is no address of the form name@domain"),
            Self::DomainExists(name) => write!(f, "the domain {name} exists already"),
            Self::NoSuchDomain(name) => {
                write!(f, "there is no domain {name} here; add it first (yubin domain add {name})")
            }
            Self::DomainInUse(name, accounts, aliases) => write!(
                f,
                "the domain {name} still has {accounts} accounts and {aliases} aliases; remove these first, or force its removal, which removes them all with their mail"
            ),
            Self::DomainHasAliases(name, other) => {
                write!(f, "the domain {other} is an alias of {name}; remove {other} first")
            }
            Self::DomainIsAlias(name, target) => {
                write!(f, "the domain {name} is an alias of {target}; use an address at {target}")
            }
            Self::BadSeparators(typed) => write!(
                f,
                "“{typed}” cannot part a name from its detail; give up to {} of the ASCII punctuation characters but . and @",
                limits::SEPARATORS
            ),
            Self::AddressInUse(address) => {
                write!(f, "{address} is taken by an account or alias; remove that first")
            }
            Self::NoSuchAccount(name) => write!(f, "there is no account {name}"),
            Self::AmbiguousName(name) => {
                write!(f, "there are several domains here; write {name}@ and the domain")
            }
            Self::NoSuchAlias(address) => write!(f, "there is no alias {address}"),
            Self::NoTargets => f.write_str("an alias needs at least one target"),
            Self::TooManyTargets(n) => write!(
                f,
                "{n} targets are more than the {} an alias may have; nest aliases or use a mailing list",
                limits::ALIAS_TARGETS
            ),
            Self::NoSuchTarget(address) => {
                write!(f, "{address} is an address here, but no account or alias has it; add that first")
            }
            Self::AliasCycle(path) => {
                f.write_str("the alias would lead to itself: ")?;
                for (i, address) in path.iter().enumerate() {
                    write!(f, "{}{address}", if i > 0 { " → " } else { "" })?;
                }
                Ok(())
            }
            Self::AliasTooDeep => {
                write!(f, "aliases may lead to aliases at most {} levels deep", limits::ALIAS_DEPTH)
            }
            Self::BadDisplayName => write!(
                f,
                "a display name has at most {} octets and no control characters",
                limits::DISPLAY_NAME_OCTETS
            ),
            Self::EmptyPassword => f.write_str("the password is empty"),
            Self::PasswordTooShort(min) => write!(f, "the password has fewer than {min} characters"),
            Self::PasswordTooLong => {
                write!(f, "the password has more than {} octets", limits::PASSWORD_OCTETS)
            }
            Self::PasswordHasControls => f.write_str("the password has control characters"),
            Self::BadHash => f.write_str(
                "the password hash is damaged, asks for too much, or is none of $argon2id$, {SSHA}, {SHA}, {SHA512-CRYPT}, {SHA256-CRYPT}, {BLF-CRYPT}, {PLAIN}",
            ),
            Self::BadArgon2Cost => write!(
                f,
                "the cost of password hashes is out of range: at most {} KiB, {} passes and {} lanes, and at least 8 KiB for each lane",
                limits::ARGON2_MEMORY_KIB,
                limits::ARGON2_PASSES,
                limits::ARGON2_LANES
            ),
            Self::Busy => f.write_str("the directory is being changed by others all the time; try again"),
            Self::NotStored(error) => write!(f, "the change was not stored: {error}"),
            Self::NotRead(error) => write!(f, "the directory could not be read: {error}"),
            Self::BadRecord(key) => write!(
                f,
                "the stored record {key} is damaged or was written by a later version of this program"
            ),
            Self::Stopping => f.write_str("the server is stopping"),
            Self::Internal(what) => write!(f, "internal error: {what}"),
        }
    }
}

impl std::error::Error for DirectoryError {}

impl From<CommitError> for DirectoryError {
    fn from(error: CommitError) -> Self {
        Self::NotStored(error)
    }
}

impl From<ReadError> for DirectoryError {
    fn from(error: ReadError) -> Self {
        Self::NotRead(error)
    }
}
