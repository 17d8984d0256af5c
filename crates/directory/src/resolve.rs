//! Where mail for an address goes, and who may send from it. Pure look-ups in one snapshot.
//! RFC 5321 §4.5.1 (postmaster), RFC 5233 (subaddresses).

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use yubin_base::{AccountId, Address, event};

use crate::{
    Account, AliasSenders, Directory, DirectoryOptions, events, limits, names,
    snapshot::{Named, Snapshot},
    tables::domain::Domain,
    text::Escaped,
};

/// Where mail for an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// To these. At least one of both together; each account and address once.
    Local {
        /// Accounts here.
        deliveries: Vec<LocalRecipient>,
        /// Addresses elsewhere.
        remote: Vec<Address>,
    },
    /// The domain is ours and the local part is nobody's.
    UnknownUser,
    /// The domain is not ours.
    NotOurs,
    /// All it leads to is disabled.
    Disabled,
    /// It leads to more addresses than allowed.
    TooManyTargets,
}

/// One account that mail goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalRecipient {
    /// The account.
    pub account: AccountId,
    /// The address by which it was reached: the recipient itself, or the last alias target. For Delivered-To.
    pub address: Address,
    /// The subaddress: `x` of `ann+x`.
    pub detail: Option<String>,
}

impl Directory {
    /// Where mail for the address goes: to an account or alias of this name; else of the name before the separator; else
    /// to the domain's catch-all; else, for postmaster, to the first account.
    pub fn resolve(&self, address: &Address) -> Resolution {
        resolve(&self.snapshot(), &self.0.options, address)
    }

    /// Where mail for `<postmaster>` without a domain goes (RFC 5321 §4.5.1).
    pub fn resolve_postmaster(&self) -> Resolution {
        let snapshot = self.snapshot();
        let domain = snapshot
            .bare_domain(self.0.options.default_domain.as_deref())
            .or_else(|| snapshot.accounts.values().find_map(|a| snapshot.domains.get(a.address.domain())))
            .or_else(|| snapshot.domains.values().next());
        match domain.and_then(|domain| Address::new("postmaster", &domain.name)) {
            Some(address) => resolve(&snapshot, &self.0.options, &address),
            None => Resolution::NotOurs,
        }
    }

    /// Whether the domain is ours, by its own name or as a domain alias.
    pub fn is_ours(&self, domain: &str) -> bool {
        self.snapshot().domain_of_wire(domain).is_some()
    }

    /// Whether the account may send from the address: its own, with any subaddress, and, as the options say, those of aliases and
    /// catch-alls that lead to it.
    pub fn owns(&self, account: AccountId, address: &Address) -> bool {
        owns(&self.snapshot(), &self.0.options, account, address)
    }

    /// The account, if there is one with this id.
    pub fn account(&self, id: AccountId) -> Option<Arc<Account>> {
        self.snapshot().accounts.get(&id).cloned()
    }

    /// The account that a login name means; the name alone is enough while there is one domain or a default.
    pub fn account_by_name(&self, name: &str) -> Option<Arc<Account>> {
        self.snapshot().login(name, self.0.options.default_domain.as_deref()).cloned()
    }
}

/// See [`Directory::resolve`].
pub(crate) fn resolve(snapshot: &Snapshot, options: &DirectoryOptions, address: &Address) -> Resolution {
    if snapshot.domain_of_wire(address.domain()).is_none() {
        return Resolution::NotOurs;
    }
    let mut expansion = Expansion::new(snapshot, options);
    expansion.run(address);
    expansion.verdict(address)
}

/// See [`Directory::owns`].
pub(crate) fn owns(
    snapshot: &Snapshot,
    options: &DirectoryOptions,
    account: AccountId,
    address: &Address,
) -> bool {
    let Some(record) = snapshot.accounts.get(&account).filter(|record| record.enabled) else {
        return false;
    };
    let Some(domain) = snapshot.domain_of_wire(address.domain()) else {
        return false;
    };
    if let Some((Found::Account(found), _)) = find(snapshot, domain, address.local()) {
        return found.id == record.id;
    }
    let Resolution::Local { deliveries, remote } = resolve(snapshot, options, address) else {
        return false;
    };
    let leads_here = deliveries.iter().any(|delivery| delivery.account == account);
    match options.alias_senders {
        AliasSenders::Nobody => false,
        AliasSenders::SoleTarget => leads_here && deliveries.len() == 1 && remote.is_empty(),
        AliasSenders::AnyTarget => leads_here,
    }
}

/// The account whose primary address this is, and the subaddress if there is one; not through aliases.
pub(crate) fn account_of<'s>(
    snapshot: &'s Snapshot,
    address: &Address,
) -> Option<(&'s Arc<Account>, Option<String>)> {
    let domain = snapshot.domain_of_wire(address.domain())?;
    match find(snapshot, domain, address.local())? {
        (Found::Account(account), detail) => Some((account, detail)),
        (Found::Targets(_), _) => None,
    }
}

/// What a local part is.
enum Found<'s> {
    Account(&'s Arc<Account>),
    /// The alias's targets.
    Targets(Cow<'s, [Address]>),
}

/// Looks a local part up: as it stands; then without its subaddress, the longest name first; then the catch-all.
fn find<'s>(snapshot: &'s Snapshot, domain: &Domain, local: &str) -> Option<(Found<'s>, Option<String>)> {
    if let Some(found) = find_exact(snapshot, domain, local) {
        return Some((found, None));
    }
    for (at, separator) in local.char_indices().rev().filter(|(_, c)| domain.separators.contains(*c)) {
        let (base, rest) = local.split_at(at);
        let detail = rest.strip_prefix(separator).unwrap_or(rest);
        if let Some(found) = find_exact(snapshot, domain, base).filter(|_| !base.is_empty()) {
            return Some((found, Some(detail.to_owned())));
        }
    }
    None
}

fn find_exact<'s>(snapshot: &'s Snapshot, domain: &Domain, local: &str) -> Option<Found<'s>> {
    let key = names::name_key(local, &domain.name, domain.case_sensitive);
    match snapshot.names.get(&key) {
        Some(Named::Account(id)) => snapshot.accounts.get(id).map(Found::Account),
        Some(Named::Alias(alias)) => Some(Found::Targets(Cow::Borrowed(&alias.targets))),
        // RFC 5321 §4.5.1: postmaster in any case, also where case counts.
        None if domain.case_sensitive
            && local.eq_ignore_ascii_case("postmaster")
            && local != "postmaster" =>
        {
            find_exact(snapshot, domain, "postmaster")
        }
        None => None,
    }
}

/// Who stands in where a domain has no postmaster.
fn postmaster<'s>(
    snapshot: &'s Snapshot,
    options: &'s DirectoryOptions,
    domain: &Domain,
) -> Option<Found<'s>> {
    if let Some(address) = &options.postmaster {
        return Some(Found::Targets(Cow::Owned(vec![address.clone()])));
    }
    let mut enabled = snapshot.accounts.values().filter(|account| account.enabled);
    let first = enabled.clone().find(|account| account.address.domain() == domain.name);
    first.or_else(|| enabled.next()).filter(|_| options.postmaster_falls_to_first).map(Found::Account)
}

/// An expansion under way.
struct Expansion<'s> {
    snapshot: &'s Snapshot,
    options: &'s DirectoryOptions,
    /// Name keys of the aliases and addresses met, so that cycles end and nobody gets two copies.
    met: BTreeSet<String>,
    accounts: BTreeSet<AccountId>,
    deliveries: Vec<LocalRecipient>,
    remote: Vec<Address>,
    disabled: bool,
    too_many: bool,
}

impl<'s> Expansion<'s> {
    fn new(snapshot: &'s Snapshot, options: &'s DirectoryOptions) -> Self {
        Self {
            snapshot,
            options,
            met: BTreeSet::new(),
            accounts: BTreeSet::new(),
            deliveries: Vec::new(),
            remote: Vec::new(),
            disabled: false,
            too_many: false,
        }
    }

    /// Goes level by level through what the address leads to.
    fn run(&mut self, address: &Address) {
        let mut level = vec![(address.clone(), None)];
        for depth in 0..=limits::ALIAS_DEPTH {
            let mut next = Vec::new();
            for (address, detail) in level {
                self.one(&address, detail, depth, &mut next);
                if self.met.len() > limits::EXPANDED_TARGETS {
                    self.too_many = true;
                    return;
                }
            }
            if next.is_empty() {
                return;
            }
            level = next;
        }
        self.too_many = true;
    }

    /// One address: an account, elsewhere, or what comes on the next level. An alias hands its detail on to its targets.
    fn one(
        &mut self,
        address: &Address,
        inherited: Option<String>,
        depth: usize,
        next: &mut Vec<(Address, Option<String>)>,
    ) {
        let Some(domain) = self.snapshot.domain_of_wire(address.domain()) else {
            if self.met.insert(names::name_key(address.local(), address.domain(), true)) {
                self.remote.push(address.clone());
            }
            return;
        };
        if !self.met.insert(names::name_key(address.local(), &domain.name, domain.case_sensitive)) {
            return;
        }
        let (found, detail) = match self.find(domain, address.local()) {
            Some((found, detail)) => (found, detail.or(inherited)),
            None => {
                if depth > 0 {
                    event!(events::ALIAS_TARGET_SKIPPED, target = %Escaped(&address.to_string()), reason = "unknown");
                }
                return;
            }
        };
        match found {
            Found::Targets(targets) => {
                next.extend(targets.iter().map(|target| (target.clone(), detail.clone())));
            }
            Found::Account(account) if !account.enabled => {
                if depth > 0 {
                    event!(events::ALIAS_TARGET_SKIPPED, target = %Escaped(&address.to_string()), reason = "disabled");
                }
                self.disabled = true;
            }
            Found::Account(account) => {
                if self.accounts.insert(account.id) {
                    self.deliveries.push(LocalRecipient {
                        account: account.id,
                        address: address.clone(),
                        detail,
                    });
                }
            }
        }
    }

    fn find(&self, domain: &'s Domain, local: &str) -> Option<(Found<'s>, Option<String>)> {
        if let Some(found) = find(self.snapshot, domain, local) {
            return Some(found);
        }
        if let Some(target) = &domain.catch_all {
            return Some((Found::Targets(Cow::Borrowed(std::slice::from_ref(target))), None));
        }
        if local.eq_ignore_ascii_case("postmaster") {
            return postmaster(self.snapshot, self.options, domain).map(|found| (found, None));
        }
        None
    }

    fn verdict(self, address: &Address) -> Resolution {
        if self.too_many {
            event!(events::ALIAS_TOO_LARGE, address = %Escaped(&address.to_string()));
            Resolution::TooManyTargets
        } else if !self.deliveries.is_empty() || !self.remote.is_empty() {
            Resolution::Local { deliveries: self.deliveries, remote: self.remote }
        } else if self.disabled {
            Resolution::Disabled
        } else {
            Resolution::UnknownUser
        }
    }
}
