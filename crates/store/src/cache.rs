//! The accounts in memory: those with sessions stay; of the others the least recently used give way to the budget.

use std::{collections::BTreeMap, sync::Arc};

use async_lock::OnceCell;
use yubin_base::AccountId;

use crate::Account;

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
        let idle: Vec<AccountId> = self.by_use.values().copied().filter(|id| self.is_idle(*id)).collect();
        for id in idle {
            if self.octets <= budget {
                return;
            }
            self.remove(id);
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
