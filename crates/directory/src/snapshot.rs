//! The whole directory in memory, and the changes it is made of. The same changes are what is stored and what is applied.
//! Never reads or writes by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use yubin_base::{AccountId, Address};
use yubin_engine::{Key, Op, Val};

use crate::{
    DirectoryError, names,
    tables::{
        Record,
        account::{self, Account},
        alias::{self, Alias},
        credential::{self, Credentials},
        domain::{self, Domain, DomainKind},
        meta, public,
    },
    text::Escaped,
};

/// Everything at one version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// The version; 0 before the first change.
    pub(crate) version: u64,
    /// The id the next account gets.
    pub(crate) next_account: u64,
    /// Makes the salts of unknown users. None before the first change.
    pub(crate) secret: Option<[u8; 32]>,
    /// By A-label name.
    pub(crate) domains: BTreeMap<String, Arc<Domain>>,
    /// By id.
    pub(crate) accounts: BTreeMap<AccountId, Arc<Account>>,
    /// By account.
    pub(crate) credentials: BTreeMap<AccountId, Arc<Credentials>>,
    /// Accounts that stand for nobody.
    pub(crate) public: BTreeSet<AccountId>,
    /// By name key: what an address of ours is.
    pub(crate) names: BTreeMap<String, Named>,
}

/// What an address of ours is.
#[derive(Clone, Debug)]
pub(crate) enum Named {
    /// An account's primary address.
    Account(AccountId),
    /// An alias.
    Alias(Arc<Alias>),
}

/// One change of one record.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    PutDomain(Domain),
    DelDomain(String),
    PutAccount(Account),
    DelAccount(AccountId),
    PutCredentials(AccountId, Credentials),
    Public(AccountId, bool),
    PutAlias(Alias),
    DelAlias(Address),
    NextAccount(u64),
    Secret([u8; 32]),
}

impl Snapshot {
    /// Takes one stored pair in. Pairs come in key order: accounts before aliases before domains, so names are made in `finish`.
    pub(crate) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), DirectoryError> {
        let bad = || DirectoryError::BadRecord(Escaped(&String::from_utf8_lossy(key)).to_string());
        let id = || {
            let octets = key.get(2..).and_then(|rest| <[u8; 8]>::try_from(rest).ok()).ok_or_else(bad)?;
            Ok::<_, DirectoryError>(AccountId(u64::from_be_bytes(octets)))
        };
        if key == meta::VERSION_KEY {
            let octets = value.first_chunk::<8>().ok_or_else(bad)?;
            self.version = u64::from_be_bytes(*octets);
        } else if key == meta::NEXT_KEY {
            self.next_account = meta::NextAccount::decode(value).ok_or_else(bad)?.id;
        } else if key == meta::SECRET_KEY {
            self.secret = Some(meta::Secret::decode(value).ok_or_else(bad)?.octets);
        } else if key.starts_with(account::PREFIX) {
            let account = Account::decode(value).ok_or_else(bad)?;
            self.accounts.insert(id()?, Arc::new(account));
        } else if key.starts_with(credential::PREFIX) {
            self.credentials.insert(id()?, Arc::new(Credentials::decode(value).ok_or_else(bad)?));
        } else if key.starts_with(public::PREFIX) {
            public::Public::decode(value).ok_or_else(bad)?;
            self.public.insert(id()?);
        } else if key.starts_with(domain::PREFIX) {
            let domain = Domain::decode(value).ok_or_else(bad)?;
            self.domains.insert(domain.name.clone(), Arc::new(domain));
        } else if key.starts_with(alias::PREFIX) {
            // Under its stored spelling until `finish` knows how its domain compares names.
            let alias = Alias::decode(value).ok_or_else(bad)?;
            self.names.insert(alias.address.to_string(), Named::Alias(Arc::new(alias)));
        } else {
            return Err(bad());
        }
        Ok(())
    }

    /// Ends loading: makes the names.
    pub(crate) fn finish(&mut self) {
        let loaded = std::mem::take(&mut self.names);
        for named in loaded.into_values() {
            if let Named::Alias(alias) = &named {
                self.names.insert(self.key_of(&alias.address), named);
            }
        }
        for (id, account) in &self.accounts {
            let key = self.key_of(&account.address);
            self.names.insert(key, Named::Account(*id));
        }
    }

    /// Takes changes in, in memory.
    pub(crate) fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::PutDomain(domain) => {
                    self.domains.insert(domain.name.clone(), Arc::new(domain));
                }
                Change::DelDomain(name) => {
                    self.domains.remove(&name);
                }
                Change::PutAccount(account) => {
                    if let Some(before) = self.accounts.get(&account.id) {
                        self.names.remove(&self.key_of(&before.address));
                    }
                    self.names.insert(self.key_of(&account.address), Named::Account(account.id));
                    self.accounts.insert(account.id, Arc::new(account));
                }
                Change::DelAccount(id) => {
                    if let Some(before) = self.accounts.remove(&id) {
                        self.names.remove(&self.key_of(&before.address));
                    }
                    self.credentials.remove(&id);
                    self.public.remove(&id);
                }
                Change::Public(id, true) => drop(self.public.insert(id)),
                Change::Public(id, false) => drop(self.public.remove(&id)),
                Change::PutCredentials(id, credentials) => {
                    self.credentials.insert(id, Arc::new(credentials));
                }
                Change::PutAlias(alias) => {
                    self.names.insert(self.key_of(&alias.address), Named::Alias(Arc::new(alias)));
                }
                Change::DelAlias(address) => {
                    self.names.remove(&self.key_of(&address));
                }
                Change::NextAccount(id) => self.next_account = id,
                Change::Secret(octets) => self.secret = Some(octets),
            }
        }
    }

    /// The changes as the engine takes them.
    pub(crate) fn ops(&self, changes: &[Change]) -> Result<Vec<Op>, DirectoryError> {
        fn put<R: Record>(key: Key, record: &R) -> Result<Op, DirectoryError> {
            let value: Val = record.encode().ok_or(DirectoryError::Internal("a record cannot be encoded"))?;
            Ok(Op::Put(key, value))
        }
        let mut ops = Vec::with_capacity(changes.len() + 1);
        for change in changes {
            let op = match change {
                Change::PutDomain(domain) => put(domain::key(&domain.name), domain)?,
                Change::DelDomain(name) => Op::Del(domain::key(name)),
                Change::PutAccount(account) => put(account::key(account.id), account)?,
                Change::DelAccount(id) => {
                    ops.push(Op::Del(credential::key(*id)));
                    ops.push(Op::Del(public::key(*id)));
                    Op::Del(account::key(*id))
                }
                Change::PutCredentials(id, credentials) => put(credential::key(*id), credentials)?,
                Change::Public(id, true) => put(public::key(*id), &public::Public {})?,
                Change::Public(id, false) => Op::Del(public::key(*id)),
                Change::PutAlias(alias) => {
                    put(alias::key(&alias.address, self.case_sensitive(alias.address.domain())), alias)?
                }
                Change::DelAlias(address) => {
                    Op::Del(alias::key(address, self.case_sensitive(address.domain())))
                }
                Change::NextAccount(id) => put(meta::NEXT_KEY.to_vec(), &meta::NextAccount { id: *id })?,
                Change::Secret(octets) => put(meta::SECRET_KEY.to_vec(), &meta::Secret { octets: *octets })?,
            };
            ops.push(op);
        }
        Ok(ops)
    }

    /// Whether a domain of ours compares local parts with their case.
    fn case_sensitive(&self, domain: &str) -> bool {
        self.domains.get(domain).is_some_and(|domain| domain.case_sensitive)
    }

    /// The name key of an address whose domain is in table form.
    pub(crate) fn key_of(&self, address: &Address) -> String {
        names::name_key(address.local(), address.domain(), self.case_sensitive(address.domain()))
    }

    /// The domain that has the addresses of `name`: itself, or the one it is an alias of.
    pub(crate) fn own_domain(&self, name: &str) -> Option<&Arc<Domain>> {
        let domain = self.domains.get(name)?;
        match &domain.kind {
            DomainKind::Own => Some(domain),
            DomainKind::AliasOf(target) => {
                self.domains.get(target).filter(|domain| domain.kind == DomainKind::Own)
            }
        }
    }

    /// The same for a name off the wire, in any case or form.
    pub(crate) fn domain_of_wire(&self, name: &str) -> Option<&Arc<Domain>> {
        self.own_domain(&names::domain_of_wire(name)?)
    }

    /// All aliases, by name.
    pub(crate) fn aliases(&self) -> impl Iterator<Item = &Arc<Alias>> {
        self.names.values().filter_map(|named| match named {
            Named::Alias(alias) => Some(alias),
            Named::Account(_) => None,
        })
    }

    /// The account that a login name means: a primary address, at its domain or a domain alias, or its local part alone.
    pub(crate) fn login(&self, typed: &str, default_domain: Option<&str>) -> Option<&Arc<Account>> {
        match self.names.get(&self.login_key(typed, default_domain))? {
            Named::Account(id) => self.accounts.get(id),
            Named::Alias(_) => None,
        }
    }

    /// The name key that a login name means; of names in no domain of ours one that nobody has.
    pub(crate) fn login_key(&self, typed: &str, default_domain: Option<&str>) -> String {
        let (local, domain) = match typed.rsplit_once('@') {
            Some((local, domain)) => {
                let ascii = names::domain_a_label(domain).unwrap_or_default();
                (local, self.own_domain(&ascii))
            }
            None => (typed, self.bare_domain(default_domain)),
        };
        match domain {
            Some(domain) => names::name_key(local, &domain.name, domain.case_sensitive),
            None => format!("{}@?", names::fold_local(typed, false)),
        }
    }

    /// The domain of names without one: the default, or the only one that has addresses.
    pub(crate) fn bare_domain(&self, default_domain: Option<&str>) -> Option<&Arc<Domain>> {
        if let Some(name) = default_domain {
            return self.own_domain(name);
        }
        let mut own = self.domains.values().filter(|domain| domain.kind == DomainKind::Own);
        own.next().filter(|_| own.next().is_none())
    }
}
