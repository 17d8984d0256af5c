//! What administrators do. Each verb reads what was typed, plans against the directory as it is, and answers after it is stored.

pub(crate) mod account;
pub(crate) mod alias;
pub(crate) mod domain;

use yubin_base::Address;

use crate::{
    snapshot::{Change, Snapshot},
    tables::{alias::Alias, domain::Domain},
};

/// What pointed at addresses that go.
#[derive(Debug, Default)]
struct Pruned {
    changes: Vec<Change>,
    aliases_changed: Vec<Address>,
    aliases_removed: Vec<Address>,
    catch_alls_cleared: Vec<String>,
}

/// Puts each target of every alias and catch-all that stays through `new`: the same, another, or none. An alias left
/// without targets goes too.
fn retarget(
    now: &Snapshot,
    stays: impl Fn(&str) -> bool,
    new: impl Fn(&Address) -> Option<Address>,
) -> Pruned {
    let mut pruned = Pruned::default();
    for alias in now.aliases().filter(|alias| stays(alias.address.domain())) {
        let mut targets: Vec<Address> = Vec::with_capacity(alias.targets.len());
        for target in alias.targets.iter().filter_map(&new) {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        let address = alias.address.clone();
        if targets.is_empty() {
            pruned.aliases_removed.push(address.clone());
            pruned.changes.push(Change::DelAlias(address));
        } else if targets != alias.targets {
            pruned.aliases_changed.push(address.clone());
            pruned.changes.push(Change::PutAlias(Alias { address, targets }));
        }
    }
    for domain in now.domains.values().filter(|domain| stays(&domain.name)) {
        let catch_all = domain.catch_all.as_ref().and_then(&new);
        if catch_all == domain.catch_all {
            continue;
        }
        if catch_all.is_none() {
            pruned.catch_alls_cleared.push(domain.name.clone());
        }
        pruned.changes.push(Change::PutDomain(Domain { catch_all, ..Domain::clone(domain) }));
    }
    pruned
}
