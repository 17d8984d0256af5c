//! Sieve scripts of an account (RFC 5804 §1.3): at most one runs. The store keeps texts; whether they compile is for others to say.

use yubin_base::UnixMs;
use yubin_engine::{CommitError, Op, ReadError};

use super::{
    Account,
    commit::{Outcome, Plan},
};
use crate::{
    AccountState, Change, ModSeq, StoreError, limits,
    tables::{self, codec::damaged, script},
};

/// Why a script was not read or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptError {
    /// No such script (any more): `(NONEXISTENT)`.
    NoScript,
    /// A script has this name already: `(ALREADYEXISTS)`.
    ScriptExists,
    /// The script that runs cannot be deleted: `(ACTIVE)`.
    Active,
    /// The name is empty, too long or has control characters.
    BadName,
    /// It is longer than [`limits::SCRIPT_OCTETS`]: `(QUOTA/MAXSIZE)`.
    TooLong,
    /// There are [`limits::SCRIPTS_PER_ACCOUNT`] already: `(QUOTA/MAXSCRIPTS)`.
    TooMany,
    /// The store.
    Store(StoreError),
}

impl std::fmt::Display for ScriptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoScript => f.write_str("there is no such script"),
            Self::ScriptExists => f.write_str("a script of this name exists already"),
            Self::Active => f.write_str("the script is active; activate another one, or none, first"),
            Self::BadName => f.write_str("a script's name has 1 to 400 octets and no control characters"),
            Self::TooLong => write!(f, "a script has at most {} octets", limits::SCRIPT_OCTETS),
            Self::TooMany => write!(f, "an account has at most {} scripts", limits::SCRIPTS_PER_ACCOUNT),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ScriptError {}

impl From<StoreError> for ScriptError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ReadError> for ScriptError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl Account {
    /// The text of a script.
    pub async fn script(&self, name: &str) -> Result<String, ScriptError> {
        let key = script::key(self.id, &checked(name)?);
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let value = view.get(&key).await?.ok_or(ScriptError::NoScript)?;
        script::decode(&key, &value).map(|(_, text)| text).ok_or_else(|| damaged("a script", &key).into())
    }

    /// Writes a script, and makes it the one that runs when `activate`.
    pub async fn put_script(
        &self,
        name: &str,
        text: &str,
        activate: bool,
        now: UnixMs,
    ) -> Result<ModSeq, ScriptError> {
        let name = checked(name)?;
        if text.len() > limits::SCRIPT_OCTETS {
            return Err(ScriptError::TooLong);
        }
        self.change_scripts(now, |account, state, plan| {
            if !state.scripts.contains_key(&name) && state.scripts.len() >= limits::SCRIPTS_PER_ACCOUNT {
                return Err(ScriptError::TooMany);
            }
            account.write_script(plan, &name, text);
            if activate {
                account.run_script(plan, Some(&name));
            }
            Ok(())
        })
        .await
    }

    /// Deletes a script. RFC 5804 §2.10: not the one that runs.
    pub async fn delete_script(&self, name: &str, now: UnixMs) -> Result<ModSeq, ScriptError> {
        let name = checked(name)?;
        self.change_scripts(now, |account, state, plan| {
            if !state.scripts.contains_key(&name) {
                return Err(ScriptError::NoScript);
            }
            if state.active_script.as_deref() == Some(&name) {
                return Err(ScriptError::Active);
            }
            account.remove_script(plan, &name);
            Ok(())
        })
        .await
    }

    /// Gives a script another name; it goes on running. RFC 5804 §2.11.1.
    pub async fn rename_script(&self, old: &str, new: &str, now: UnixMs) -> Result<ModSeq, ScriptError> {
        let (old, new) = (checked(old)?, checked(new)?);
        let text = self.script(&old).await?;
        self.change_scripts(now, |account, state, plan| {
            // A text written meanwhile is not the one that was read.
            if state.scripts.get(&old).copied() != Some(text.len()) {
                return Err(ScriptError::NoScript);
            }
            if state.scripts.contains_key(&new) {
                return Err(ScriptError::ScriptExists);
            }
            account.write_script(plan, &new, &text);
            account.remove_script(plan, &old);
            if state.active_script.as_deref() == Some(&old) {
                account.run_script(plan, Some(&new));
            }
            Ok(())
        })
        .await
    }

    /// Chooses the script that runs at delivery; nothing: none does. RFC 5804 §2.8.
    pub async fn activate_script(&self, name: Option<&str>, now: UnixMs) -> Result<ModSeq, ScriptError> {
        let name = name.map(checked).transpose()?;
        self.change_scripts(now, |account, state, plan| {
            if name.as_ref().is_some_and(|name| !state.scripts.contains_key(name)) {
                return Err(ScriptError::NoScript);
            }
            if state.active_script.as_deref() != name.as_deref() {
                account.run_script(plan, name.as_deref());
            }
            Ok(())
        })
        .await
    }

    /// Commits what `make` plans, made anew when another writer came first. A plan without changes is done already.
    async fn change_scripts(
        &self,
        now: UnixMs,
        make: impl Fn(&Self, &AccountState, &mut Plan) -> Result<(), ScriptError>,
    ) -> Result<ModSeq, ScriptError> {
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let state = self.state();
            let mut plan = Plan::new(&writer);
            make(self, &state, &mut plan)?;
            if plan.changes.is_empty() {
                return Ok(state.modseq);
            }
            let modseq = plan.modseq();
            if let Outcome::Done(_) = self.commit(&mut writer, plan, now).await? {
                return Ok(modseq);
            }
        }
        Err(StoreError::from(CommitError::Conflict(0)).into())
    }

    fn write_script(&self, plan: &mut Plan, name: &str, text: &str) {
        plan.changes.push(Change::Script { name: name.to_owned(), octets: Some(text.len()) });
        plan.ops.push(Op::Put(script::key(self.id, name), script::value(text)));
    }

    fn remove_script(&self, plan: &mut Plan, name: &str) {
        plan.changes.push(Change::Script { name: name.to_owned(), octets: None });
        plan.ops.push(Op::Del(script::key(self.id, name)));
    }

    fn run_script(&self, plan: &mut Plan, name: Option<&str>) {
        plan.changes.push(Change::ScriptActive { name: name.map(str::to_owned) });
        let key = script::key(self.id, "");
        plan.ops.push(match name {
            Some(name) => Op::Put(key, script::value(name)),
            None => Op::Del(key),
        });
    }
}

/// RFC 5804 §1.6: at least one character, no controls; a name is a name, never a path.
fn checked(name: &str) -> Result<String, ScriptError> {
    let control = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if name.is_empty() || name.len() > limits::SCRIPT_NAME_OCTETS || name.chars().any(control) {
        return Err(ScriptError::BadName);
    }
    Ok(name.to_owned())
}
