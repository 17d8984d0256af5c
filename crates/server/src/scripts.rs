//! The users' Sieve scripts: ManageSieve's port over the store.

use yubin_base::{AccountId, BoxFuture};
use yubin_sieve::manage::{Scripts, ScriptsError};
use yubin_store::{ScriptError, Store, StoreError, limits};

use crate::{clock, events};

/// The scripts in the store.
pub struct StoredScripts(pub Store);

type Done<T> = Result<T, ScriptsError>;

impl Scripts for StoredScripts {
    fn list(&self, account: AccountId) -> BoxFuture<'_, Done<Vec<(String, bool)>>> {
        Box::pin(async move {
            let open = self.0.account(account).await.map_err(unavailable)?;
            let state = open.state();
            let active = |name: &String| state.active_script.as_deref() == Some(name);
            Ok(state.scripts.keys().map(|name| (name.clone(), active(name))).collect())
        })
    }

    fn get<'a>(&'a self, account: AccountId, name: &'a str) -> BoxFuture<'a, Done<String>> {
        Box::pin(async move {
            let open = self.0.account(account).await.map_err(unavailable)?;
            open.script(name).await.map_err(refused)
        })
    }

    fn have_space<'a>(&'a self, account: AccountId, name: &'a str, octets: u64) -> BoxFuture<'a, Done<()>> {
        Box::pin(async move {
            let open = self.0.account(account).await.map_err(unavailable)?;
            let state = open.state();
            if octets > limits::SCRIPT_OCTETS as u64 {
                return Err(ScriptsError::MaxSize);
            }
            if !state.scripts.contains_key(name) && state.scripts.len() >= limits::SCRIPTS_PER_ACCOUNT {
                return Err(ScriptsError::MaxScripts);
            }
            Ok(())
        })
    }

    fn put<'a>(&'a self, account: AccountId, name: &'a str, text: &'a str) -> BoxFuture<'a, Done<()>> {
        Box::pin(async move {
            let open = self.0.account(account).await.map_err(unavailable)?;
            open.put_script(name, text, false, clock::now()).await.map_err(refused)?;
            yubin_base::event!(events::SCRIPT, account = %account, script = name, what = "written");
            Ok(())
        })
    }

    fn activate<'a>(&'a self, account: AccountId, name: Option<&'a str>) -> BoxFuture<'a, Done<()>> {
        Box::pin(async move {
            let open = self.0.account(account).await.map_err(unavailable)?;
            open.activate_script(name, clock::now()).await.map_err(refused)?;
            let script = name.unwrap_or_default();
            yubin_base::event!(events::SCRIPT, account = %account, script = script, what = "activated");
            Ok(())
        })
    }

    fn rename<'a>(&'a self, account: AccountId, old: &'a str, new: &'a str) -> BoxFuture<'a, Done<()>> {
        Box::pin(async move {
            let open = self.0.account(account).await.map_err(unavailable)?;
            open.rename_script(old, new, clock::now()).await.map_err(refused)?;
            yubin_base::event!(events::SCRIPT, account = %account, script = new, what = "renamed");
            Ok(())
        })
    }

    fn delete<'a>(&'a self, account: AccountId, name: &'a str) -> BoxFuture<'a, Done<()>> {
        Box::pin(async move {
            let open = self.0.account(account).await.map_err(unavailable)?;
            open.delete_script(name, clock::now()).await.map_err(refused)?;
            yubin_base::event!(events::SCRIPT, account = %account, script = name, what = "deleted");
            Ok(())
        })
    }
}

fn unavailable(error: StoreError) -> ScriptsError {
    refused(error.into())
}

fn refused(error: ScriptError) -> ScriptsError {
    match error {
        ScriptError::NoScript => ScriptsError::NonExistent,
        ScriptError::ScriptExists => ScriptsError::AlreadyExists,
        ScriptError::Active => ScriptsError::Active,
        ScriptError::BadName => ScriptsError::BadName,
        ScriptError::TooLong => ScriptsError::MaxSize,
        ScriptError::TooMany => ScriptsError::MaxScripts,
        ScriptError::Store(error) => {
            yubin_base::event!(events::SCRIPTS_FAILED, why = %error);
            ScriptsError::Unavailable
        }
    }
}
