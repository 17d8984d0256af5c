//! Accounts: add, change, remove, list.

use std::{fmt, sync::Arc};

use yubin_base::{AccountId, Address};
use zeroize::Zeroizing;

use super::{Pruned, domain::own, retarget};
use crate::{
    Account, Directory, DirectoryError, limits, names,
    password::{self, Made},
    resolve,
    snapshot::{Change, Snapshot},
    tables::{alias::Alias, credential::Credentials},
    text::Escaped,
};

/// A password as an administrator gives it.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum NewPassword {
    /// None: nobody can log in.
    #[default]
    None,
    /// The password itself.
    Plain(String),
    /// A hash from another system: `$argon2id$`, `{SSHA}`, `{SHA}`, `{SHA512-CRYPT}`, `{SHA256-CRYPT}`, `{BLF-CRYPT}`. `{PLAIN}` is hashed at once.
    Hash(String),
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Plain(_) => "Plain(…)",
            Self::Hash(_) => "Hash(…)",
        })
    }
}

/// What a new account is like.
#[derive(Clone, Debug, Default)]
pub struct NewAccount {
    /// The primary address.
    pub address: String,
    /// As people call them.
    pub display_name: String,
    /// The password.
    pub password: NewPassword,
    /// The most octets it may store.
    pub quota_octets: Option<u64>,
    /// The most messages it may store.
    pub quota_messages: Option<u64>,
    /// The largest message it takes.
    pub message_octets_max: Option<u64>,
}

/// What went with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The account, whose mail the store is to erase.
    pub account: AccountId,
    /// Aliases that led to it and to others; they no longer lead to it.
    pub aliases_changed: Vec<Address>,
    /// Aliases that led to it alone; they are gone.
    pub aliases_removed: Vec<Address>,
    /// Domains whose catch-all it was; they have none now.
    pub catch_alls_cleared: Vec<String>,
}

impl Directory {
    /// Adds an account. Its mailboxes are the store's to make.
    pub async fn add_account(&self, new: NewAccount) -> Result<Account, DirectoryError> {
        let address = names::address(&new.address)?;
        check_display_name(&new.display_name)?;
        // Before the hash is made, which takes long; once more when the change is planned.
        check_free(&self.snapshot(), &address)?;
        let made = self.make_password(new.password).await?;
        self.change("account added", |now| {
            check_free(now, &address)?;
            let account = Account {
                id: AccountId(now.next_account),
                address: address.clone(),
                display_name: new.display_name.clone(),
                enabled: true,
                quota_octets: new.quota_octets,
                quota_messages: new.quota_messages,
                message_octets_max: new.message_octets_max,
                pop3_delete_to_trash: false,
            };
            let credentials = Credentials::default().with_password(made.clone().map(Made::into_parts));
            let changes = vec![
                Change::NextAccount(now.next_account.saturating_add(1)),
                Change::PutAccount(account.clone()),
                Change::PutCredentials(account.id, credentials),
            ];
            Ok((changes, account))
        })
        .await
    }

    /// Sets the password, or takes it away. Logins remembered under the old one are void at once.
    pub async fn set_password(&self, name: &str, password: NewPassword) -> Result<(), DirectoryError> {
        self.find_account(&self.snapshot(), name)?;
        let made = self.make_password(password).await?;
        self.change("password set", |now| {
            let id = self.find_account(now, name)?.id;
            let before = now.credentials.get(&id).map(|c| Credentials::clone(c)).unwrap_or_default();
            let after = before.with_password(made.clone().map(Made::into_parts));
            Ok((vec![Change::PutCredentials(id, after)], ()))
        })
        .await
    }

    /// Enables or disables an account.
    pub async fn set_enabled(&self, name: &str, enabled: bool) -> Result<Account, DirectoryError> {
        self.edit_account("account enabled or disabled", name, |account| account.enabled = enabled).await
    }

    /// Sets the most an account may store; none: no limit.
    pub async fn set_quota(
        &self,
        name: &str,
        octets: Option<u64>,
        messages: Option<u64>,
    ) -> Result<Account, DirectoryError> {
        self.edit_account("quota set", name, |account| {
            account.quota_octets = octets;
            account.quota_messages = messages;
        })
        .await
    }

    /// Sets the largest message an account takes; none: the server's limit only.
    pub async fn set_message_octets_max(
        &self,
        name: &str,
        octets: Option<u64>,
    ) -> Result<Account, DirectoryError> {
        self.edit_account("message size set", name, |account| account.message_octets_max = octets).await
    }

    /// Says whether what the account's POP3 clients delete goes to Trash.
    pub async fn set_pop3_delete_to_trash(
        &self,
        name: &str,
        to_trash: bool,
    ) -> Result<Account, DirectoryError> {
        self.edit_account("POP3 deletion set", name, |account| account.pop3_delete_to_trash = to_trash).await
    }

    /// Makes the account one that stands for nobody, whose mailboxes are shown in the public namespace; or an ordinary one again.
    pub async fn set_public(&self, name: &str, public: bool) -> Result<Account, DirectoryError> {
        self.change("account made public or private", |now| {
            let account = Account::clone(self.find_account(now, name)?);
            let changes = match now.public.contains(&account.id) == public {
                true => vec![],
                false => vec![Change::Public(account.id, public)],
            };
            Ok((changes, account))
        })
        .await
    }

    /// Whether the account is public.
    pub fn is_public(&self, id: AccountId) -> bool {
        self.snapshot().public.contains(&id)
    }

    /// Sets what people call the account's owner.
    pub async fn set_display_name(&self, name: &str, display_name: &str) -> Result<Account, DirectoryError> {
        check_display_name(display_name)?;
        self.edit_account("display name set", name, |account| {
            display_name.clone_into(&mut account.display_name)
        })
        .await
    }

    /// Gives the account another primary address; its mail and password stay. With `keep_alias` the old address leads to it; without,
    /// aliases and catch-alls that led to the old address lead to the new one.
    pub async fn rename_account(
        &self,
        name: &str,
        address: &str,
        keep_alias: bool,
    ) -> Result<Account, DirectoryError> {
        let address = names::address(address)?;
        self.change("account renamed", |now| {
            let before = self.find_account(now, name)?;
            let account = Account { address: address.clone(), ..Account::clone(before) };
            let mut changes = vec![Change::PutAccount(account.clone())];
            if now.key_of(&before.address) == now.key_of(&address) {
                return Ok((changes, account));
            }
            check_free(now, &address)?;
            if keep_alias {
                let targets = vec![address.clone()];
                changes.push(Change::PutAlias(Alias { address: before.address.clone(), targets }));
            } else {
                let new = |target: &Address| match resolve::account_of(now, target) {
                    Some((found, detail)) if found.id == account.id => {
                        Some(with_detail(now, &address, detail.as_deref()))
                    }
                    _ => Some(target.clone()),
                };
                changes.extend(retarget(now, |_| true, new).changes);
            }
            Ok((changes, account))
        })
        .await
    }

    /// Removes an account, and it from all aliases. Its id is never given again.
    pub async fn remove_account(&self, name: &str) -> Result<Removed, DirectoryError> {
        self.change("account removed", |now| {
            let account = self.find_account(now, name)?;
            let id = account.id;
            let keep = |target: &Address| match resolve::account_of(now, target) {
                Some((account, _)) if account.id == id => None,
                _ => Some(target.clone()),
            };
            let Pruned { mut changes, aliases_changed, aliases_removed, catch_alls_cleared } =
                retarget(now, |_| true, keep);
            let removed = Removed { account: id, aliases_changed, aliases_removed, catch_alls_cleared };
            changes.push(Change::DelAccount(id));
            Ok((changes, removed))
        })
        .await
    }

    /// All accounts, by id.
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.snapshot().accounts.values().cloned().collect()
    }

    /// Whether the account has a password, for lists.
    pub fn has_password(&self, id: AccountId) -> bool {
        self.snapshot().credentials.get(&id).is_some_and(|credentials| credentials.password().is_some())
    }

    /// The account that an administrator names, or a sentence that helps.
    fn find_account<'s>(&self, now: &'s Snapshot, name: &str) -> Result<&'s Arc<Account>, DirectoryError> {
        let default = self.0.options.default_domain.as_deref();
        now.login(name, default).ok_or_else(|| {
            let shown = Escaped(name).to_string();
            if !name.contains('@') && now.bare_domain(default).is_none() && !now.domains.is_empty() {
                DirectoryError::AmbiguousName(shown)
            } else {
                DirectoryError::NoSuchAccount(shown)
            }
        })
    }

    async fn edit_account(
        &self,
        what: &'static str,
        name: &str,
        edit: impl Fn(&mut Account) + Send + Sync,
    ) -> Result<Account, DirectoryError> {
        self.change(what, |now| {
            let before = self.find_account(now, name)?;
            let mut account = Account::clone(before);
            edit(&mut account);
            let changes =
                if account == **before { vec![] } else { vec![Change::PutAccount(account.clone())] };
            Ok((changes, account))
        })
        .await
    }

    /// Checks and hashes a password, away from the sessions.
    async fn make_password(&self, new: NewPassword) -> Result<Option<Made>, DirectoryError> {
        let plain = match new {
            NewPassword::None => return Ok(None),
            NewPassword::Plain(plain) => {
                if plain.chars().count() < self.0.options.password_chars_min && !plain.is_empty() {
                    return Err(DirectoryError::PasswordTooShort(self.0.options.password_chars_min));
                }
                plain
            }
            NewPassword::Hash(hash) => match password::import(&hash)? {
                password::Import::Plain(plain) => plain,
                password::Import::Hash(hash) => return Ok(Some(Made { hash, scram: None })),
            },
        };
        password::check_new(&plain)?;
        self.hash_password(Zeroizing::new(plain.into_bytes())).await.ok_or(DirectoryError::Stopping).map(Some)
    }

    /// Hashes a checked password into today's forms; nothing when the offload port gave it up.
    pub(crate) async fn hash_password(&self, plain: Zeroizing<Vec<u8>>) -> Option<Made> {
        let recipe = password::Recipe::new(&self.0.options, self.0.random.as_ref());
        self.offload(move || password::make(&recipe, &plain)).await.flatten()
    }
}

/// The address with a subaddress, if its domain has such and there is room.
fn with_detail(now: &Snapshot, address: &Address, detail: Option<&str>) -> Address {
    let separator = now.domains.get(address.domain()).and_then(|domain| domain.separators.chars().next());
    let made = detail.zip(separator).and_then(|(detail, separator)| {
        Address::new(&format!("{}{separator}{detail}", address.local()), address.domain())
    });
    made.unwrap_or_else(|| address.clone())
}

fn check_free(now: &Snapshot, address: &Address) -> Result<(), DirectoryError> {
    own(now, address.domain())?;
    if now.names.contains_key(&now.key_of(address)) {
        return Err(DirectoryError::AddressInUse(address.clone()));
    }
    Ok(())
}

fn check_display_name(name: &str) -> Result<(), DirectoryError> {
    if name.len() > limits::DISPLAY_NAME_OCTETS || name.chars().any(char::is_control) {
        return Err(DirectoryError::BadDisplayName);
    }
    Ok(())
}
