//! What an operator may set. Values only; where they come from is the server's business.

use yubin_base::Address;
use yubin_engine::Part;

use crate::limits;

/// The cost of one Argon2id hash (RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Argon2Cost {
    /// For servers: 19 MiB, two passes, one lane.
    pub const STANDARD: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    /// For `yubin dev` and tests: as little as the algorithm allows. Protects nothing.
    pub const CHEAP: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };
}

/// Which aliases give the right to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AliasSenders {
    /// None: an account sends from its own address only.
    Nobody,
    /// The account that an alias leads to, if it leads to nobody else.
    #[default]
    SoleTarget,
    /// Every account that an alias leads to.
    AnyTarget,
}

/// Options of the directory.
#[derive(Clone, Debug)]
pub struct DirectoryOptions {
    /// The engine's global part.
    pub part: Part,
    /// The domain of login names without one. Without it, such names work while there is exactly one domain.
    pub default_domain: Option<String>,
    /// Where mail for `postmaster` goes when a domain has no such account or alias (RFC 5321 §4.5.1). Without it: the account created
    /// first in that domain, else the account created first of all.
    pub postmaster: Option<Address>,
    /// Whether the first account stands in for a missing postmaster at all.
    pub postmaster_falls_to_first: bool,
    /// Which aliases give the right to send.
    pub alias_senders: AliasSenders,
    /// What one password hash costs.
    pub argon2: Argon2Cost,
    /// SCRAM iterations of passwords set from now on.
    pub scram_iterations: u32,
    /// Whether SCRAM is offered. Accounts whose imported hash was not used yet cannot log in by SCRAM; turn it off while
    /// many are in that state and clients do not fall back.
    pub scram: bool,
    /// The fewest characters of a new password.
    pub password_chars_min: usize,
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        Self {
            part: Part::default(),
            default_domain: None,
            postmaster: None,
            postmaster_falls_to_first: true,
            alias_senders: AliasSenders::default(),
            argon2: Argon2Cost::STANDARD,
            scram_iterations: limits::SCRAM_ITERATIONS_MIN,
            scram: true,
            password_chars_min: 8,
        }
    }
}

impl DirectoryOptions {
    /// For `yubin dev` and tests: hashes that cost next to nothing, and any password that is not empty.
    pub fn dev() -> Self {
        Self { argon2: Argon2Cost::CHEAP, password_chars_min: 1, ..Self::default() }
    }
}
