//! Domains, accounts and aliases.

use serde_json::{Value, json};
use yubin_base::{AccountId, Address};
use yubin_delivery::SigningKeys;
use yubin_directory::{
    Account, Alias, DirectoryError, Domain, DomainKind, NewAccount, NewDomain, NewPassword,
};
use yubin_filter::dkim::{KeyKind, SigningKey};
use yubin_store::StoreError;

use super::{AdminError, AdminErrorClass, DkimKind, Reply, Request};
use crate::app::{App, create_mailboxes};

impl From<DirectoryError> for AdminError {
    fn from(error: DirectoryError) -> Self {
        let class = match &error {
            DirectoryError::NoSuchDomain(_)
            | DirectoryError::NoSuchAccount(_)
            | DirectoryError::NoSuchAlias(_) => AdminErrorClass::NotFound,
            DirectoryError::Busy => AdminErrorClass::Failed,
            _ => AdminErrorClass::Refused,
        };
        Self::new(class, error)
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        let class = match &error {
            StoreError::NoAccount | StoreError::NoMailbox => AdminErrorClass::NotFound,
            StoreError::Commit(_) | StoreError::Read(_) | StoreError::Blob(_) => AdminErrorClass::Failed,
            _ => AdminErrorClass::Refused,
        };
        Self::new(class, error)
    }
}

pub(super) async fn execute(app: &App, request: Request) -> Reply {
    let directory = &app.directory;
    match request {
        Request::DomainAdd { name, alias_of } => {
            let mut new = NewDomain { alias_of, ..NewDomain::named(&name) };
            new.separators = app.config.mail.subaddress_separator.clone();
            Ok(domain(&directory.add_domain(new).await?))
        }
        Request::DomainSet { name, catch_all, separators } => {
            if let Some(separators) = separators {
                directory.set_separators(&name, &separators).await?;
            }
            if let Some(target) = catch_all {
                directory.set_catch_all(&name, Some(target.as_str()).filter(|t| !t.is_empty())).await?;
            }
            Ok(domain(&*directory.domain(&name)?))
        }
        Request::DomainRemove { name, force } => {
            let removed = directory.remove_domain(&name, force).await?;
            for account in &removed {
                app.store.remove_account(*account).await?;
            }
            Ok(json!({ "removed": name, "accounts_removed": removed.len() }))
        }
        Request::DomainList => Ok(directory.domains().iter().map(|d| domain(d)).collect()),
        Request::DomainShow { name } => Ok(domain(&*directory.domain(&name)?)),
        Request::DkimAdd { name, selector, kind } => {
            if !app.directory.is_ours(&name) {
                return Err(AdminError::new(AdminErrorClass::NotFound, format!("there is no domain {name}")));
            }
            let kind = match kind {
                DkimKind::Rsa => KeyKind::Rsa,
                DkimKind::Ed25519 => KeyKind::Ed25519,
            };
            let made = app.dkim.add(&name, &selector, kind);
            let made = made.map_err(|e| AdminError::new(AdminErrorClass::Refused, e))?;
            dkim_key(made.as_ref())
        }
        Request::DkimList { name } => {
            let keys = app.dkim.keys(&name.to_ascii_lowercase());
            keys.iter().map(|key| dkim_key(key)).collect::<Result<Vec<Value>, _>>().map(Value::Array)
        }
        Request::DkimRemove { name, selector } => {
            match app.dkim.remove(&name.to_ascii_lowercase(), &selector) {
                Ok(true) => Ok(json!({ "removed": format!("{selector}._domainkey.{name}") })),
                Ok(false) => {
                    Err(AdminError::new(AdminErrorClass::NotFound, format!("{name} has no key {selector}")))
                }
                Err(error) => Err(AdminError::new(AdminErrorClass::Failed, error)),
            }
        }
        Request::AccountAdd {
            address,
            password,
            password_hash,
            display_name,
            quota_octets,
            quota_messages,
        } => {
            let new = NewAccount {
                address,
                display_name: display_name.unwrap_or_default(),
                password: new_password(password, password_hash)?,
                quota_octets,
                quota_messages,
                message_octets_max: None,
            };
            let added = directory.add_account(new).await?;
            if let Err(error) = create_mailboxes(app, added.id).await {
                // An account without mailboxes would take no mail: better none.
                directory.remove_account(&added.address.to_string()).await?;
                return Err(error.into());
            }
            Ok(account(app, &added).await)
        }
        Request::AccountSet {
            name,
            enabled,
            display_name,
            quota,
            message_octets_max,
            pop3_delete_to_trash,
        } => {
            if let Some(to_trash) = pop3_delete_to_trash {
                directory.set_pop3_delete_to_trash(&name, to_trash).await?;
            }
            if let Some(enabled) = enabled {
                directory.set_enabled(&name, enabled).await?;
            }
            if let Some(display_name) = display_name {
                directory.set_display_name(&name, &display_name).await?;
            }
            if let Some(quota) = quota {
                directory.set_quota(&name, quota.octets, quota.messages).await?;
            }
            if let Some(octets) = message_octets_max {
                directory.set_message_octets_max(&name, Some(octets).filter(|o| *o > 0)).await?;
            }
            show(app, &name).await
        }
        Request::AccountPassword { name, password, password_hash } => {
            directory.set_password(&name, new_password(password, password_hash)?).await?;
            show(app, &name).await
        }
        Request::AccountRename { name, address, keep_alias } => {
            directory.rename_account(&name, &address, keep_alias).await?;
            show(app, &address).await
        }
        Request::AccountRemove { name } => {
            let removed = directory.remove_account(&name).await?;
            app.store.remove_account(removed.account).await?;
            let texts = |list: &[Address]| list.iter().map(Address::to_string).collect::<Vec<_>>();
            Ok(json!({
                "removed": name,
                "aliases_changed": texts(&removed.aliases_changed),
                "aliases_removed": texts(&removed.aliases_removed),
                "catch_alls_cleared": removed.catch_alls_cleared,
            }))
        }
        Request::AccountList => {
            let mut list = Vec::new();
            for found in directory.accounts() {
                list.push(account(app, &found).await);
            }
            Ok(Value::Array(list))
        }
        Request::AccountShow { name } => show(app, &name).await,
        Request::AliasAdd { address, targets } => {
            let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
            Ok(alias(&directory.add_alias(&address, &targets).await?))
        }
        Request::AliasRemove { address } => {
            directory.remove_alias(&address).await?;
            Ok(json!({ "removed": address }))
        }
        Request::AliasList => Ok(directory.aliases().iter().map(|a| alias(a)).collect()),
        _ => Err(AdminError::new(AdminErrorClass::Failed, "this request belongs elsewhere")),
    }
}

async fn show(app: &App, name: &str) -> Reply {
    let found = find_account(app, name)?;
    Ok(account(app, &found).await)
}

/// The account of that name.
pub(super) fn find_account(app: &App, name: &str) -> Result<std::sync::Arc<Account>, AdminError> {
    let missing = || {
        AdminError::new(
            AdminErrorClass::NotFound,
            format!("There is no account {name:?}; `yubin account list` shows those there are."),
        )
    };
    app.directory.account_by_name(name).ok_or_else(missing)
}

fn new_password(plain: Option<String>, hash: Option<String>) -> Result<NewPassword, AdminError> {
    match (plain, hash) {
        (None, None) => Ok(NewPassword::None),
        (Some(plain), None) => Ok(NewPassword::Plain(plain)),
        (None, Some(hash)) => Ok(NewPassword::Hash(hash)),
        (Some(_), Some(_)) => {
            Err(AdminError::new(AdminErrorClass::Refused, "Give a password or a hash of one, not both."))
        }
    }
}

fn domain(domain: &Domain) -> Value {
    let alias_of = match &domain.kind {
        DomainKind::Own => None,
        DomainKind::AliasOf(target) => Some(target.clone()),
    };
    json!({
        "name": domain.name,
        "unicode": domain.unicode,
        "alias_of": alias_of,
        "catch_all": domain.catch_all.as_ref().map(Address::to_string),
        "separators": domain.separators,
    })
}

async fn account(app: &App, account: &Account) -> Value {
    let usage = usage(app, account.id).await;
    json!({
        "name": account.address.to_string(),
        "id": account.id.0,
        "display_name": account.display_name,
        "enabled": account.enabled,
        "public": app.directory.is_public(account.id),
        "has_password": app.directory.has_password(account.id),
        "quota_octets": account.quota_octets,
        "quota_messages": account.quota_messages,
        "message_octets_max": account.message_octets_max,
        "pop3_delete_to_trash": account.pop3_delete_to_trash,
        "octets": usage.map(|u| u.octets),
        "messages": usage.map(|u| u.messages),
    })
}

async fn usage(app: &App, id: AccountId) -> Option<yubin_store::Usage> {
    Some(app.store.account(id).await.ok()?.state().usage)
}

fn alias(alias: &Alias) -> Value {
    json!({
        "address": alias.address.to_string(),
        "targets": alias.targets.iter().map(Address::to_string).collect::<Vec<_>>(),
    })
}

/// A key as shown: never its private half.
fn dkim_key(key: &SigningKey) -> Reply {
    let failed = |e| AdminError::new(AdminErrorClass::Failed, e);
    Ok(json!({
        "selector": key.selector(),
        "kind": key.kind().name(),
        "record_name": key.record_name(),
        "record_text": key.record_text().map_err(failed)?,
        "zone_line": key.zone_line().map_err(failed)?,
    }))
}
