//! Aliases: add, remove, list.

use std::sync::Arc;

use yubin_base::Address;

use super::domain::{leads_somewhere, own};
use crate::{
    Directory, DirectoryError, DirectoryOptions, limits, names,
    snapshot::{Change, Named, Snapshot},
    tables::alias::Alias,
};

impl Directory {
    /// Adds an alias. Targets are addresses here or elsewhere; those here must lead to somebody, and none back to the alias.
    pub async fn add_alias(&self, address: &str, targets: &[&str]) -> Result<Alias, DirectoryError> {
        let alias = read_alias(address, targets)?;
        self.change("alias added", |now| {
            own(now, alias.address.domain())?;
            if now.names.contains_key(&now.key_of(&alias.address)) {
                return Err(DirectoryError::AddressInUse(alias.address.clone()));
            }
            check_targets(now, &self.0.options, &alias)?;
            Ok((vec![Change::PutAlias(alias.clone())], alias.clone()))
        })
        .await
    }

    /// Replaces the targets of an alias.
    pub async fn set_alias_targets(&self, address: &str, targets: &[&str]) -> Result<Alias, DirectoryError> {
        let alias = read_alias(address, targets)?;
        self.change("alias changed", |now| {
            let before = existing(now, &alias.address)?;
            let changed = Alias { address: before.address.clone(), targets: alias.targets.clone() };
            check_targets(now, &self.0.options, &changed)?;
            Ok((vec![Change::PutAlias(changed.clone())], changed))
        })
        .await
    }

    /// Removes an alias. Other aliases that lead to it skip it from then on.
    pub async fn remove_alias(&self, address: &str) -> Result<(), DirectoryError> {
        let address = names::address(address)?;
        self.change("alias removed", |now| {
            let alias = existing(now, &address)?;
            Ok((vec![Change::DelAlias(alias.address.clone())], ()))
        })
        .await
    }

    /// All aliases, by name.
    pub fn aliases(&self) -> Vec<Arc<Alias>> {
        let mut aliases: Vec<_> = self.snapshot().aliases().cloned().collect();
        aliases.sort_by(|a, b| {
            (a.address.domain(), a.address.local()).cmp(&(b.address.domain(), b.address.local()))
        });
        aliases
    }

    /// One alias.
    pub fn alias(&self, address: &str) -> Result<Arc<Alias>, DirectoryError> {
        existing(&self.snapshot(), &names::address(address)?).cloned()
    }
}

fn read_alias(address: &str, targets: &[&str]) -> Result<Alias, DirectoryError> {
    let address = names::address(address)?;
    let mut read: Vec<Address> = Vec::with_capacity(targets.len());
    for target in targets {
        let target = names::address(target)?;
        if !read.contains(&target) {
            read.push(target);
        }
    }
    match read.len() {
        0 => Err(DirectoryError::NoTargets),
        n if n > limits::ALIAS_TARGETS => Err(DirectoryError::TooManyTargets(n)),
        _ => Ok(Alias { address, targets: read }),
    }
}

fn existing<'s>(now: &'s Snapshot, address: &Address) -> Result<&'s Arc<Alias>, DirectoryError> {
    match now.names.get(&now.key_of(address)) {
        Some(Named::Alias(alias)) => Ok(alias),
        _ => Err(DirectoryError::NoSuchAlias(address.clone())),
    }
}

/// Each target leads somewhere, none to the alias itself.
fn check_targets(now: &Snapshot, options: &DirectoryOptions, alias: &Alias) -> Result<(), DirectoryError> {
    let start = now.key_of(&alias.address);
    let mut path = vec![alias.address.clone()];
    let mut met = std::collections::BTreeSet::new();
    for target in &alias.targets {
        find_cycle(now, &start, target, &mut path, &mut met)?;
        leads_somewhere(now, options, target)?;
    }
    Ok(())
}

/// Follows the target depth first; `met` holds what was followed to its end already.
fn find_cycle(
    now: &Snapshot,
    start: &str,
    target: &Address,
    path: &mut Vec<Address>,
    met: &mut std::collections::BTreeSet<String>,
) -> Result<(), DirectoryError> {
    let Some(domain) = now.domain_of_wire(target.domain()) else { return Ok(()) };
    let key = names::name_key(target.local(), &domain.name, domain.case_sensitive);
    path.push(target.clone());
    if key == start {
        return Err(DirectoryError::AliasCycle(path.clone()));
    }
    if path.len() > limits::ALIAS_DEPTH + 1 {
        return Err(DirectoryError::AliasTooDeep);
    }
    if met.insert(key.clone()) {
        let next = match now.names.get(&key) {
            Some(Named::Alias(alias)) => alias.targets.clone(),
            _ => Vec::new(),
        };
        for target in &next {
            find_cycle(now, start, target, path, met)?;
        }
    }
    path.pop();
    Ok(())
}
