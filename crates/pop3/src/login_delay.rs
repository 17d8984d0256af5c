//! Remembers when accounts last logged in, for LOGIN-DELAY (RFC 2449 §6.5, §8.1.1). Kept in memory only: after a restart the first login is free.

use std::{collections::BTreeMap, sync::Mutex};

use yubin_base::{AccountId, UnixMs};

use crate::limits::LOGIN_DELAY_ACCOUNTS;

/// When accounts last logged in. Shared by the sessions.
#[derive(Debug, Default)]
pub struct LoginDelay {
    last: Mutex<BTreeMap<AccountId, UnixMs>>,
}

impl LoginDelay {
    /// Notes a login; false when the last one was less than `delay_s` seconds ago. A refused login does not count as one.
    pub fn admit(&self, account: AccountId, delay_s: u32, now: UnixMs) -> bool {
        let delay_ms = u64::from(delay_s) * 1000;
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.get(&account).is_some_and(|then| now.since(*then) < delay_ms) {
            return false;
        }
        if last.len() >= LOGIN_DELAY_ACCOUNTS {
            last.retain(|_, then| now.since(*then) < delay_ms);
        }
        // Full of recent logins: this one goes unremembered rather than refused.
        if last.len() < LOGIN_DELAY_ACCOUNTS {
            last.insert(account, now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_login_waits_for_the_delay() {
        let delay = LoginDelay::default();
        let (ann, bob) = (AccountId(1), AccountId(2));
        assert!(delay.admit(ann, 60, UnixMs(1_000_000)));
        assert!(!delay.admit(ann, 60, UnixMs(1_059_999)));
        assert!(delay.admit(bob, 60, UnixMs(1_059_999)));
        assert!(delay.admit(ann, 60, UnixMs(1_060_000)), "a refused login does not start the delay again");
    }
}
