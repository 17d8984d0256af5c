//! Domains: add, change, remove, list.

use std::sync::Arc;

use yubin_base::AccountId;

use super::retarget;
use crate::{
    Directory, DirectoryError, DirectoryOptions, limits, names, resolve,
    snapshot::{Change, Snapshot},
    tables::domain::{Domain, DomainKind},
    text::Escaped,
};

/// What a new domain is like.
#[derive(Clone, Debug)]
pub struct NewDomain {
    /// Its name, in A-label or U-label form.
    pub name: String,
    /// The domain it is an alias of.
    pub alias_of: Option<String>,
    /// The characters of which each parts a local part from its detail.
    pub separators: String,
    /// Whether `Ann` and `ann` are two local parts. Cannot be changed later.
    pub case_sensitive: bool,
}

impl NewDomain {
    /// A domain of its own, with `+` as separator, comparing names without case.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), alias_of: None, separators: "+".to_owned(), case_sensitive: false }
    }
}

impl Directory {
    /// Adds a domain.
    pub async fn add_domain(&self, new: NewDomain) -> Result<Domain, DirectoryError> {
        let name = names::domain_a_label(&new.name)?;
        check_separators(&new.separators)?;
        let kind = match &new.alias_of {
            Some(target) => DomainKind::AliasOf(names::domain_a_label(target)?),
            None => DomainKind::Own,
        };
        let domain = Domain {
            unicode: names::domain_u_label(&name),
            name,
            kind,
            catch_all: None,
            separators: new.separators,
            case_sensitive: new.case_sensitive,
        };
        self.change("domain added", |now| {
            if now.domains.contains_key(&domain.name) {
                return Err(DirectoryError::DomainExists(domain.name.clone()));
            }
            if let DomainKind::AliasOf(target) = &domain.kind {
                own(now, target)?;
            }
            Ok((vec![Change::PutDomain(domain.clone())], domain.clone()))
        })
        .await
    }

    /// Sets where mail to unknown local parts of the domain goes; none: it is refused.
    pub async fn set_catch_all(&self, name: &str, target: Option<&str>) -> Result<(), DirectoryError> {
        let name = names::domain_a_label(name)?;
        let target = target.map(names::address).transpose()?;
        let options = self.0.options.clone();
        self.change("catch-all set", |now| {
            let domain = own(now, &name)?;
            if let Some(target) = &target {
                // Asked without the present catch-all, so that it must lead somewhere by itself.
                let mut without = now.clone();
                without.apply(vec![Change::PutDomain(Domain { catch_all: None, ..domain.clone() })]);
                leads_somewhere(&without, &options, target)?;
            }
            Ok((vec![Change::PutDomain(Domain { catch_all: target.clone(), ..domain.clone() })], ()))
        })
        .await
    }

    /// Sets the characters of which each parts a local part from its detail; empty: no subaddresses.
    pub async fn set_separators(&self, name: &str, separators: &str) -> Result<(), DirectoryError> {
        let name = names::domain_a_label(name)?;
        check_separators(separators)?;
        self.change("separators set", |now| {
            let domain = own(now, &name)?;
            let changed = Domain { separators: separators.to_owned(), ..domain.clone() };
            Ok((vec![Change::PutDomain(changed)], ()))
        })
        .await
    }

    /// Removes a domain. With addresses in it this is refused, unless forced: then its accounts and aliases go with it. Returns the
    /// accounts removed, whose mail the store is to erase.
    pub async fn remove_domain(&self, name: &str, forced: bool) -> Result<Vec<AccountId>, DirectoryError> {
        let name = names::domain_a_label(name)?;
        self.change("domain removed", |now| {
            if !now.domains.contains_key(&name) {
                return Err(DirectoryError::NoSuchDomain(name.clone()));
            }
            let alias_of_it = DomainKind::AliasOf(name.clone());
            if let Some(other) = now.domains.values().find(|domain| domain.kind == alias_of_it) {
                return Err(DirectoryError::DomainHasAliases(name.clone(), other.name.clone()));
            }
            let accounts: Vec<_> =
                now.accounts.values().filter(|account| account.address.domain() == name).collect();
            let aliases: Vec<_> = now.aliases().filter(|alias| alias.address.domain() == name).collect();
            let empty = accounts.is_empty() && aliases.is_empty();
            if !forced && !empty {
                return Err(DirectoryError::DomainInUse(name.clone(), accounts.len(), aliases.len()));
            }
            // Whatever pointed into the domain would send mail out into the world from now on.
            let mut changes = retarget(
                now,
                |domain| domain != name,
                |target| (target.domain() != name).then(|| target.clone()),
            )
            .changes;
            changes.extend(aliases.iter().map(|alias| Change::DelAlias(alias.address.clone())));
            changes.extend(accounts.iter().map(|account| Change::DelAccount(account.id)));
            changes.push(Change::DelDomain(name.clone()));
            Ok((changes, accounts.iter().map(|account| account.id).collect()))
        })
        .await
    }

    /// All domains, by name.
    pub fn domains(&self) -> Vec<Arc<Domain>> {
        self.snapshot().domains.values().cloned().collect()
    }

    /// One domain, its name in any form.
    pub fn domain(&self, name: &str) -> Result<Arc<Domain>, DirectoryError> {
        let name = names::domain_a_label(name)?;
        self.snapshot().domains.get(&name).cloned().ok_or(DirectoryError::NoSuchDomain(name))
    }
}

/// A domain of ours with addresses of its own.
pub(super) fn own<'s>(now: &'s Snapshot, name: &str) -> Result<&'s Domain, DirectoryError> {
    let domain = now.domains.get(name).ok_or_else(|| DirectoryError::NoSuchDomain(name.to_owned()))?;
    match &domain.kind {
        DomainKind::Own => Ok(domain),
        DomainKind::AliasOf(target) => Err(DirectoryError::DomainIsAlias(name.to_owned(), target.clone())),
    }
}

/// Refuses a target in a domain of ours that leads to nobody.
pub(super) fn leads_somewhere(
    now: &Snapshot,
    options: &DirectoryOptions,
    target: &yubin_base::Address,
) -> Result<(), DirectoryError> {
    match resolve::resolve(now, options, target) {
        resolve::Resolution::UnknownUser => Err(DirectoryError::NoSuchTarget(target.clone())),
        resolve::Resolution::TooManyTargets => Err(DirectoryError::AliasTooDeep),
        _ => Ok(()),
    }
}

fn check_separators(typed: &str) -> Result<(), DirectoryError> {
    let usable = |c: char| c.is_ascii_punctuation() && !".@\"\\<>()[],;:".contains(c);
    if typed.chars().count() <= limits::SEPARATORS && typed.chars().all(usable) {
        Ok(())
    } else {
        Err(DirectoryError::BadSeparators(Escaped(typed).to_string()))
    }
}
