//! One recipient of a queue entry, and how far it has come.
//!
//! | state | what it means | what leads out of it | after a crash |
//! |---|---|---|---|
//! | `Pending` | to be tried at the entry's due time | an attempt | tried again; a local delivery that had happened is found by its name |
//! | `Deferred` | failed for now | the next attempt | as `Pending` |
//! | `WaitingRemote` | for another host | remote delivery | stays |
//! | `Delivered` | stands in a mailbox | nothing | stays; the entry goes when all are here |
//! | `Failed` | failed for good | an administrator | stays |

use serde::{Deserialize, Serialize};
use yubin_base::{AccountId, Address, UnixMs};
use yubin_smtp::envelope::{Notify, Orcpt, RcptTo};

const VERSION: u8 = 1;

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Where it goes.
    pub target: Target,
    /// The path as RCPT said it.
    pub original: String,
    /// NOTIFY as bits: 1 success, 2 failure, 4 delay; none when not said (RFC 3461 §4.1).
    pub notify: Option<u8>,
    /// ORCPT: type and address (RFC 3461 §4.2).
    pub orcpt: Option<(String, String)>,
    /// How far it has come.
    pub state: State,
    /// Attempts so far.
    pub attempts: u32,
}

/// Where a recipient's copy goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// An account here.
    Local {
        /// The account.
        account: AccountId,
        /// The address by which it was reached.
        address: Address,
    },
    /// An address elsewhere.
    Remote {
        /// The address.
        address: Address,
    },
}

/// How far a recipient has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// To be tried.
    Pending,
    /// Failed for now.
    Deferred {
        /// When it is tried next.
        until: UnixMs,
        /// Why, in words for the operator.
        reason: String,
    },
    /// Waits for remote delivery.
    WaitingRemote,
    /// Stands in a mailbox.
    Delivered {
        /// Since when.
        at: UnixMs,
    },
    /// Failed for good.
    Failed {
        /// Since when.
        at: UnixMs,
        /// Why, in words for the operator.
        reason: String,
    },
}

impl State {
    /// The state's name in listings.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Deferred { .. } => "deferred",
            Self::WaitingRemote => "waiting for remote delivery",
            Self::Delivered { .. } => "delivered",
            Self::Failed { .. } => "failed",
        }
    }

    /// When it is to be tried; none when it is not.
    pub fn due(&self, accepted: UnixMs) -> Option<UnixMs> {
        match self {
            Self::Pending => Some(accepted),
            Self::Deferred { until, .. } => Some(*until),
            Self::WaitingRemote | Self::Delivered { .. } | Self::Failed { .. } => None,
        }
    }
}

impl Target {
    /// The address.
    pub fn address(&self) -> &Address {
        match self {
            Self::Local { address, .. } | Self::Remote { address } => address,
        }
    }
}

impl Recipient {
    /// A new one, not tried yet.
    pub fn new(target: Target, rcpt: &RcptTo) -> Self {
        let state = match target {
            Target::Local { .. } => State::Pending,
            Target::Remote { .. } => State::WaitingRemote,
        };
        Self {
            target,
            original: rcpt.original.clone(),
            notify: rcpt.notify.map(notify_bits),
            orcpt: rcpt
                .orcpt
                .as_ref()
                .map(|Orcpt { address_type, address }| (address_type.clone(), address.clone())),
            state,
            attempts: 0,
        }
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        // These types always serialise; an empty tail would be read as damage.
        out.extend(postcard::to_stdvec(self).unwrap_or_default());
        out
    }

    /// Reads the stored form; nothing when it is damaged or of a later version.
    pub fn decode(value: &[u8]) -> Option<Self> {
        match value.split_first()? {
            (&VERSION, rest) => postcard::from_bytes(rest).ok(),
            _ => None,
        }
    }
}

fn notify_bits(notify: Notify) -> u8 {
    u8::from(notify.success) | u8::from(notify.failure) << 1 | u8::from(notify.delay) << 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_read_back_in_every_state() {
        let states = [
            State::Pending,
            State::Deferred { until: UnixMs(5), reason: "over quota".into() },
            State::WaitingRemote,
            State::Delivered { at: UnixMs(6) },
            State::Failed { at: UnixMs(7), reason: "no such account".into() },
        ];
        for state in states {
            let recipient = Recipient {
                target: Target::Remote { address: Address::parse_plain("a..b@docomo.ne.jp").unwrap() },
                original: "a..b@docomo.ne.jp".into(),
                notify: Some(3),
                orcpt: Some(("rfc822".into(), "a..b@docomo.ne.jp".into())),
                state,
                attempts: 2,
            };
            assert_eq!(Recipient::decode(&recipient.encode()), Some(recipient));
        }
        assert_eq!(Recipient::decode(&[9, 0]), None);
    }

    /// Written by version 1; must be readable for ever.
    #[test]
    fn version_1_stays_readable() {
        let golden = [1, 1, 1, b'b', 1, b'x', 3, b'b', b'@', b'x', 0, 0, 2, 0];
        let read = Recipient::decode(&golden).expect("readable");
        assert_eq!(read.target, Target::Remote { address: Address::parse_plain("b@x").unwrap() });
        assert_eq!((read.original.as_str(), read.state), ("b@x", State::WaitingRemote));
    }
}
