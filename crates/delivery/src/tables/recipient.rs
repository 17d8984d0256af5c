//! One recipient of a queue entry, and how far it has come.
//!
//! | state | what it means | what leads out of it | after a crash |
//! |---|---|---|---|
//! | `Pending` | local, to be tried at the entry's due time | an attempt | tried again; a local delivery that had happened is found by its name |
//! | `WaitingRemote` | for another host, not tried yet | an attempt, where sending is switched on; otherwise it waits | tried |
//! | `Deferred` | failed for now | the next attempt; the end of the message's life; an administrator | tried when due |
//! | `Sending` | the whole message is about to be sent, or was, and no answer is written down yet | the answer; when there is none within [`limits::IN_DOUBT_PAUSE_S`], another attempt: the other server may get it twice (RFC 1047) | the same |
//! | `Delivered` | stands in a mailbox, or another server took it | nothing | stays; the entry goes when all are here or settled |
//! | `Failed` | failed for good; `settled` when its sender was told or nobody is to be told | an administrator; the end of the message's life | stays while it is not settled |
//!
//! Every arrow is one transaction of [`crate::Queue`]; what is reported to a sender is enqueued in the transaction that says `settled`.

use serde::{Deserialize, Serialize};
use yubin_base::{AccountId, Address, UnixMs};
use yubin_smtp::envelope::{Notify, Orcpt, RcptTo};

use crate::limits;

const VERSION: u8 = 2;

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
    /// What version 2 added.
    #[serde(skip)]
    pub told: Told,
}

/// Whom was told what of a recipient, and what the other server said last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The sender knows that it takes long (RFC 3464, `delayed`). Set once.
    pub delay: bool,
    /// A failure was reported, or nobody is to be told. Set with `Failed`, or later.
    pub settled: bool,
    /// The host of the last attempt; empty when there was none.
    pub host: String,
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
    /// The whole message is on its way to another server, whose answer is not known.
    Sending {
        /// Since when.
        since: UnixMs,
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
            Self::Sending { .. } => "sending",
        }
    }

    /// When it is to be tried; none when it is not. `sending` is whether mail for other hosts is sent at all.
    pub fn due(&self, accepted: UnixMs, sending: bool) -> Option<UnixMs> {
        match self {
            Self::Pending => Some(accepted),
            Self::Deferred { until, .. } => Some(*until),
            Self::WaitingRemote => sending.then_some(accepted),
            Self::Sending { since } => sending.then(|| since.plus_ms(limits::IN_DOUBT_PAUSE_S * 1_000)),
            Self::Delivered { .. } | Self::Failed { .. } => None,
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
            told: Told::default(),
        }
    }

    /// NOTIFY as RCPT said it.
    pub fn notify(&self) -> Option<Notify> {
        self.notify.map(|bits| Notify {
            success: bits & 1 != 0,
            failure: bits & 2 != 0,
            delay: bits & 4 != 0,
        })
    }

    /// When something is to be done for it.
    pub fn due(&self, accepted: UnixMs, sending: bool) -> Option<UnixMs> {
        match self.state {
            State::Failed { at, .. } if !self.told.settled => {
                Some(at.plus_ms(limits::UNSETTLED_KEPT_S * 1_000))
            }
            _ => self.state.due(accepted, sending),
        }
    }

    /// Whether nothing is left to do for it.
    pub fn is_finished(&self) -> bool {
        match self.state {
            State::Delivered { .. } => true,
            State::Failed { .. } => self.told.settled,
            _ => false,
        }
    }

    /// The domain of another host.
    pub fn remote_domain(&self) -> Option<&str> {
        match &self.target {
            Target::Remote { address } => Some(address.domain()),
            Target::Local { .. } => None,
        }
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        // These types always serialise; an empty tail would be read as damage.
        out.extend(postcard::to_stdvec(self).unwrap_or_default());
        out.extend(postcard::to_stdvec(&self.told).unwrap_or_default());
        out
    }

    /// Reads the stored form; nothing when it is damaged or of a later version.
    pub fn decode(value: &[u8]) -> Option<Self> {
        match value.split_first()? {
            (1, rest) => postcard::from_bytes(rest).ok(),
            (&VERSION, rest) => {
                let (first, rest) = postcard::take_from_bytes::<Self>(rest).ok()?;
                Some(Self { told: postcard::from_bytes(rest).ok()?, ..first })
            }
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
            State::Sending { since: UnixMs(8) },
        ];
        for state in states {
            let recipient = Recipient {
                target: Target::Remote { address: Address::parse_plain("a..b@docomo.ne.jp").unwrap() },
                original: "a..b@docomo.ne.jp".into(),
                notify: Some(3),
                orcpt: Some(("rfc822".into(), "a..b@docomo.ne.jp".into())),
                state,
                attempts: 2,
                told: Told { delay: true, settled: false, host: "mx.far.test".into() },
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
        assert_eq!(read.told, Told::default());
    }

    /// Written by version 2; must be readable for ever.
    #[test]
    fn version_2_stays_readable() {
        let golden = [2, 1, 1, b'b', 1, b'x', 3, b'b', b'@', b'x', 0, 0, 5, 8, 1, 1, 0, 2, b'm', b'x'];
        let read = Recipient::decode(&golden).expect("readable");
        assert_eq!((read.state.clone(), read.attempts), (State::Sending { since: UnixMs(8) }, 1));
        assert_eq!(read.told, Told { delay: true, settled: false, host: "mx".into() });
        assert_eq!(read.encode(), golden);
    }

    #[test]
    fn only_what_is_to_be_done_is_due() {
        let due = |state: State, sending| state.due(UnixMs(1), sending).map(|at| at.0);
        let failed = State::Failed { at: UnixMs(2), reason: String::new() };
        let deferred = State::Deferred { until: UnixMs(9), reason: String::new() };
        assert_eq!(due(State::Pending, false), Some(1));
        assert_eq!(due(State::WaitingRemote, true), Some(1));
        assert_eq!(due(State::WaitingRemote, false), None);
        assert_eq!(due(deferred, true), Some(9));
        assert_eq!(due(State::Sending { since: UnixMs(0) }, true), Some(limits::IN_DOUBT_PAUSE_S * 1_000));
        assert_eq!(due(State::Delivered { at: UnixMs(2) }, true), None);
        assert_eq!(due(failed, true), None);
    }
}
