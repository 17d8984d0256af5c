//! An account's credentials: key `gc` + id (u64, big-endian). Beside the account, so that what is shown never holds a secret.

use std::fmt;

use serde::{Deserialize, Serialize};
use yubin_base::AccountId;

use super::Record;

/// The first octets of the key.
pub(crate) const PREFIX: &[u8] = b"gc";

/// What an account may log in with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// Grows whenever a secret is set or taken away; what was remembered of an earlier version is void. Stays when the same password
    /// is only stored in another form.
    pub(crate) version: u64,
    /// At most one of kind [`CredentialKind::Password`].
    pub(crate) entries: Vec<Credential>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credential {
    /// Unique within the account; never changes.
    pub(crate) id: u32,
    /// What it is.
    pub(crate) kind: CredentialKind,
    /// What the owner calls it. Empty for the password.
    pub(crate) label: String,
    /// The stored hash: a PHC string, or a legacy hash with its `{SCHEME}` or `$id$`.
    pub(crate) hash: String,
    /// The keys for SCRAM-SHA-256. None until the plain password was seen.
    pub(crate) scram: Option<ScramKeys>,
}

/// What a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CredentialKind {
    /// The account's password.
    Password,
    /// A password for one program.
    App,
}

/// What SCRAM needs of a password (RFC 5802 §3). Who steals it can impersonate the server, not the user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ScramKeys {
    /// Iterations of PBKDF2.
    pub(crate) iterations: u32,
    /// Random octets, new with every password.
    pub(crate) salt: Vec<u8>,
    /// H(ClientKey).
    pub(crate) stored_key: [u8; 32],
    /// ServerKey.
    pub(crate) server_key: [u8; 32],
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScramKeys({} iterations)", self.iterations)
    }
}

impl Record for Credentials {
    const VERSION: u8 = 1;
}

impl Credentials {
    /// The account's password.
    pub(crate) fn password(&self) -> Option<&Credential> {
        self.entries.iter().find(|entry| entry.kind == CredentialKind::Password)
    }
    /// The same with another password (or none), as the next version.
    pub(crate) fn with_password(&self, hash: Option<(String, Option<ScramKeys>)>) -> Self {
        let mut entries: Vec<_> =
            self.entries.iter().filter(|entry| entry.kind != CredentialKind::Password).cloned().collect();
        if let Some((hash, scram)) = hash {
            let id = self.entries.iter().map(|entry| entry.id).max().map_or(0, |id| id.saturating_add(1));
            let label = String::new();
            entries.push(Credential { id, kind: CredentialKind::Password, label, hash, scram });
        }
        Self { version: self.version.saturating_add(1), entries }
    }
    /// The same password in another form.
    pub(crate) fn with_upgrade(&self, hash: (String, Option<ScramKeys>)) -> Self {
        Self { version: self.version, ..self.with_password(Some(hash)) }
    }
}

/// The key of an account's credentials.
pub(crate) fn key(id: AccountId) -> Vec<u8> {
    [PREFIX, &id.0.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::{super::golden::check, *};

    #[test]
    fn golden() {
        let keys =
            ScramKeys { iterations: 4096, salt: vec![1, 2, 3], stored_key: [4; 32], server_key: [5; 32] };
        let first = Credentials::default().with_password(Some(("{SHA}x".into(), None)));
        check(&first, "010101000000067b5348417d7800");
        check(
            &first.with_password(Some(("y".into(), Some(keys)))),
            "01020101000001790180200301020304040404040404040404040404040404040404040404040404040404040404040505050505050505050505050505050505050505050505050505050505050505",
        );
        check(&first.with_password(None), "010200");
        assert_eq!(key(AccountId(1)), b"gc\0\0\0\0\0\0\0\x01");
    }
}
