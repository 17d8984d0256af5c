//! The Sieve scripts of accounts.

use serde_json::{Value, json};
use yubin_store::ScriptError;

use super::{AdminError, AdminErrorClass, Reply, Request, people::find_account};
use crate::{app::App, clock};

impl From<ScriptError> for AdminError {
    fn from(error: ScriptError) -> Self {
        match error {
            ScriptError::Store(error) => error.into(),
            ScriptError::NoScript => Self::new(AdminErrorClass::NotFound, error),
            error => Self::new(AdminErrorClass::Refused, error),
        }
    }
}

pub(super) async fn execute(app: &App, request: Request) -> Reply {
    match request {
        Request::SieveList { account } => {
            let open = app.store.account(find_account(app, &account)?.id).await?;
            let state = open.state();
            let row = |(name, octets): (&String, &usize)| {
                let active = state.active_script.as_deref() == Some(name);
                json!({ "name": name, "octets": octets, "active": active })
            };
            Ok(Value::Array(state.scripts.iter().map(row).collect()))
        }
        Request::SieveShow { account, name } => {
            let open = app.store.account(find_account(app, &account)?.id).await?;
            let text = open.script(&name).await?;
            let active = open.state().active_script.as_deref() == Some(name.as_str());
            Ok(json!({ "name": name, "active": active, "text": text }))
        }
        Request::SievePut { account, name, text, activate } => {
            let open = app.store.account(find_account(app, &account)?.id).await?;
            if let Err(error) = yubin_sieve::compile(&text) {
                return Err(AdminError::new(AdminErrorClass::Refused, error));
            }
            open.put_script(&name, &text, activate, clock::now()).await?;
            Ok(
                json!({ "written": name, "active": open.state().active_script.as_deref() == Some(name.as_str()) }),
            )
        }
        Request::SieveActivate { account, name } => {
            let open = app.store.account(find_account(app, &account)?.id).await?;
            open.activate_script(name.as_deref(), clock::now()).await?;
            Ok(json!({ "active": name }))
        }
        Request::SieveRemove { account, name } => {
            let open = app.store.account(find_account(app, &account)?.id).await?;
            open.delete_script(&name, clock::now()).await?;
            Ok(json!({ "removed": name }))
        }
        _ => Err(AdminError::new(AdminErrorClass::Failed, "this request belongs elsewhere")),
    }
}
