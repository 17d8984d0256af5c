//! Who may do what with whose mailbox (RFC 4314), and which accounts are public.

use serde_json::{Value, json};
use yubin_store::{Acl, AclChange, Rights, StoreError, Who};

use super::{AdminError, AdminErrorClass, Reply, Request, people::find_account};
use crate::{app::App, clock};

pub(super) async fn execute(app: &App, request: Request) -> Reply {
    match request {
        Request::AccountPublic { name, public } => {
            let account = app.directory.set_public(&name, public).await?;
            Ok(json!({ "name": account.address.to_string(), "public": public }))
        }
        Request::MailboxAcl { account, mailbox } => {
            let account = app.store.account(find_account(app, &account)?.id).await?;
            let found = account.mailbox_named(&mailbox).ok_or(StoreError::NoMailbox)?;
            Ok(shown(app, &found.name, &found.acl))
        }
        Request::MailboxAclSet { account, mailbox, identifier, rights } => {
            let owner = find_account(app, &account)?.id;
            let account = app.store.account(owner).await?;
            let found = account.mailbox_named(&mailbox).ok_or(StoreError::NoMailbox)?;
            let (who, negative) = whom(app, &identifier)?;
            if who == Who::Account(owner) {
                return Err(AdminError::new(AdminErrorClass::Refused, "The owner has every right, always."));
            }
            let change = change(&rights)?;
            let acl = app.store.set_acl(&account, found.id, (who, negative), change, clock::now()).await?;
            Ok(shown(app, &found.name, &acl))
        }
        _ => Err(AdminError::new(AdminErrorClass::Failed, "this request belongs elsewhere")),
    }
}

fn shown(app: &App, mailbox: &str, acl: &Acl) -> Value {
    let entry = |entry: &yubin_store::AclEntry| {
        let name = match entry.who {
            Who::Anyone => "anyone".to_owned(),
            Who::Account(id) => app.directory.account(id).map(|a| a.address.to_string())?,
        };
        let sign = if entry.negative { "-" } else { "" };
        Some(json!({ "identifier": format!("{sign}{name}"), "rights": entry.rights.to_string() }))
    };
    json!({ "mailbox": mailbox, "acl": acl.entries().iter().filter_map(entry).collect::<Vec<_>>() })
}

/// `ann@example.com`, `anyone`, or one of these behind `-`.
fn whom(app: &App, identifier: &str) -> Result<(Who, bool), AdminError> {
    let (negative, name) = match identifier.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, identifier),
    };
    match name {
        "anyone" => Ok((Who::Anyone, negative)),
        name => Ok((Who::Account(find_account(app, name)?.id), negative)),
    }
}

/// `lrs` sets, `+lrs` adds, `-lrs` takes away.
fn change(text: &str) -> Result<AclChange, AdminError> {
    let (make, letters): (fn(Rights) -> AclChange, &str) = match text.split_at_checked(1) {
        Some(("+", letters)) => (AclChange::Add, letters),
        Some(("-", letters)) => (AclChange::Remove, letters),
        _ => (AclChange::Replace, text),
    };
    let wrong = || {
        let all = Rights::ALL;
        AdminError::new(
            AdminErrorClass::Refused,
            format!("Rights are letters of {all}, after + or - or neither."),
        )
    };
    Rights::parse(letters).map(make).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_set_added_and_taken_away() {
        let rights = |text| Rights::parse(text).unwrap();
        assert_eq!(change("lr").unwrap(), AclChange::Replace(rights("lr")));
        assert_eq!(change("+lr").unwrap(), AclChange::Add(rights("lr")));
        assert_eq!(change("-lr").unwrap(), AclChange::Remove(rights("lr")));
        assert_eq!(change("").unwrap(), AclChange::Replace(Rights::NONE));
        assert!(change("full").unwrap_err().message.contains("lrswipkxtea"));
    }
}
