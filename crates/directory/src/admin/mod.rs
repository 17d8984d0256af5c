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

/// Takes the targets that go out of every alias and catch-all that stays. An alias left without targets goes too.
fn prune(now: &Snapshot, stays: impl Fn(&str) -> bool, goes: impl Fn(&Address) -> bool) -> Pruned {
    let mut pruned = Pruned::default();
    let aliases = now.aliases().filter(|alias| stays(alias.address.domain()));
    for alias in aliases.filter(|alias| alias.targets.iter().any(&goes)) {
        let targets: Vec<_> = alias.targets.iter().filter(|target| !goes(target)).cloned().collect();
        let address = alias.address.clone();
        if targets.is_empty() {
            pruned.aliases_removed.push(address.clone());
            pruned.changes.push(Change::DelAlias(address));
        } else {
            pruned.aliases_changed.push(address.clone());
            pruned.changes.push(Change::PutAlias(Alias { address, targets }));
        }
    }
    let domains = now.domains.values().filter(|domain| stays(&domain.name));
    for domain in domains.filter(|domain| domain.catch_all.as_ref().is_some_and(&goes)) {
        pruned.catch_alls_cleared.push(domain.name.clone());
        pruned.changes.push(Change::PutDomain(Domain { catch_all: None, ..Domain::clone(domain) }));
    }
    pruned
}
