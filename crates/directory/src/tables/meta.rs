//! The directory's own rows: its version, the next account id, and the server's secret.
//! The version is a bare big-endian number, because the engine compares it; it grows by one with every change.

use serde::{Deserialize, Serialize};

use super::Record;

/// Key of the version.
pub(crate) const VERSION_KEY: &[u8] = b"gv";
/// Key of the next account id.
pub(crate) const NEXT_KEY: &[u8] = b"gn";
/// Key of the secret.
pub(crate) const SECRET_KEY: &[u8] = b"gs";

/// The next account id. Grows with every account; never goes back, also not when accounts are removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NextAccount {
    /// The id the next account gets. From 1.
    pub(crate) id: u64,
}

impl Record for NextAccount {
    const VERSION: u8 = 1;
}

/// Makes the salts that unknown users seem to have. Set when the directory is first opened; never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secret {
    /// Random octets.
    pub(crate) octets: [u8; 32],
}

impl Record for Secret {
    const VERSION: u8 = 1;
}

#[cfg(test)]
mod tests {
    use super::{super::golden::check, *};

    #[test]
    fn golden() {
        check(&NextAccount { id: 300 }, "01ac02");
        check(&Secret { octets: [7; 32] }, &format!("01{}", "07".repeat(32)));
    }
}
