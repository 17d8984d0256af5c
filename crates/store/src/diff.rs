//! What changed between two states of one mailbox. Pure; unchanged pages cost nothing.

use crate::{MailboxState, Uid};

/// The difference. Each list ascending by UID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// In the old state only.
    pub vanished: Vec<Uid>,
    /// In both, with other flags, keywords or modseq.
    pub changed: Vec<Uid>,
    /// In the new state only.
    pub added: Vec<Uid>,
}

/// Compares two states of one mailbox, both with pages loaded (missing pages count as empty).
#[allow(unused_variables, clippy::todo)]
pub fn diff(old: &MailboxState, new: &MailboxState) -> Diff {
    todo!()
}
