//! The accounts in memory: those with sessions stay; of the others the least recently used give way to the budget.

use std::{collections::BTreeMap, sync::Arc};

use async_lock::OnceCell;
use yubin_base::AccountId;

use crate::{Account, limits};

/// Where an account is or will be, so that two who ask at once load it once.
pub(crate) type Slot = Arc<OnceCell<Arc<Account>>>;

/// The accounts in memory, by id and by age of their last use.
#[derive(Default)]
pub(crate) struct Cache {
    slots: BTreeMap<AccountId, Entry>,
    by_use: BTreeMap<u64, AccountId>,
    uses: u64,
    octets: usize,
}

struct Entry {
    slot: Slot,
    last_use: u64,
    octets: usize,
}

impl Cache {
    /// The slot of an account; it counts as used now.
    pub(crate) fn slot(&mut self, id: AccountId) -> Slot {
        self.uses += 1;
        let last_use = self.uses;
        let fresh = || Entry { slot: Slot::default(), last_use, octets: 0 };
        let entry = self.slots.entry(id).or_insert_with(fresh);
        self.by_use.remove(&entry.last_use);
        entry.last_use = last_use;
        self.by_use.insert(last_use, id);
        entry.slot.clone()
    }

    /// Notes how large an account is now, and makes room.
    pub(crate) fn weigh(&mut self, id: AccountId, octets: usize, budget: usize) {
        if let Some(entry) = self.slots.get_mut(&id) {
            self.octets = self.octets - entry.octets + octets;
            entry.octets = octets;
        }
        if self.octets <= budget {
            return;
        }
        // Accounts in use go to the back, so that they are not looked at again and again.
        for _ in 0..limits::EVICTION_LOOKS {
            let Some((_, oldest)) = self.by_use.first_key_value() else { return };
            let oldest = *oldest;
            if self.is_idle(oldest) {
                self.remove(oldest);
            } else {
                drop(self.slot(oldest));
            }
            if self.octets <= budget {
                return;
            }
        }
    }

    /// Nobody but the cache holds the account, and nobody is about to.
    fn is_idle(&self, id: AccountId) -> bool {
        self.slots.get(&id).is_some_and(|entry| {
            Arc::strong_count(&entry.slot) == 1
                && entry.slot.get().is_none_or(|account| Arc::strong_count(account) == 1)
        })
    }

    /// Forgets an account.
    pub(crate) fn remove(&mut self, id: AccountId) {
        if let Some(entry) = self.slots.remove(&id) {
            self.by_use.remove(&entry.last_use);
            self.octets -= entry.octets;
        }
    }

    /// Forgets an account that could not be loaded, unless another caller is trying.
    pub(crate) fn remove_empty(&mut self, id: AccountId, mine: Slot) {
        drop(mine);
        if self.slots.get(&id).is_some_and(|e| e.slot.get().is_none() && Arc::strong_count(&e.slot) == 1) {
            self.remove(id);
        }
    }

    /// How many accounts there are, and their octets.
    pub(crate) fn loaded(&self) -> (usize, usize) {
        (self.slots.len(), self.octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_go_first_and_those_in_use_stay() {
        let mut cache = Cache::default();
        let held = cache.slot(AccountId(1));
        for n in 1..=10 {
            drop(cache.slot(AccountId(n)));
            cache.weigh(AccountId(n), 10, 1000);
        }
        drop(cache.slot(AccountId(2)));
        cache.weigh(AccountId(2), 10, 30);
        assert_eq!(cache.loaded(), (3, 30));
        assert_eq!(cache.slots.keys().map(|id| id.0).collect::<Vec<_>>(), [1, 2, 10]);
        drop(held);
        cache.weigh(AccountId(10), 10, 0);
        assert_eq!(cache.loaded(), (0, 0));
        assert!(cache.by_use.is_empty());
    }
}
