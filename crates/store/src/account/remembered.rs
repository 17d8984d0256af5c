//! What an account's rules remember for a while, so that a sender is answered once and a copy is known as one.

use std::collections::BTreeSet;

use yubin_base::UnixMs;
use yubin_engine::{CommitError, Op};

use super::{
    Account,
    commit::{Outcome, Plan},
};
use crate::{
    StoreError, limits,
    tables::{self, codec::damaged, remembered},
};

impl Account {
    /// Whether an id is remembered now. Ids are hashes, made by whoever asks.
    pub async fn remembers(&self, id: &[u8; 16], now: UnixMs) -> Result<bool, StoreError> {
        let key = remembered::key(self.id, id);
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let Some(value) = view.get(&key).await? else { return Ok(false) };
        let until = remembered::decode(&value).ok_or_else(|| damaged("what rules remember", &key))?;
        Ok(until > now)
    }

    /// Every id that is remembered now.
    pub async fn remembered(&self, now: UnixMs) -> Result<BTreeSet<[u8; 16]>, StoreError> {
        let (from, to) = remembered::range(self.id);
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let pairs = view.scan(&from, &to, false, limits::REMEMBERED_PER_ACCOUNT).await?;
        let holds = |value: &[u8]| remembered::decode(value).is_some_and(|until| until > now);
        let id = |key: &[u8]| key.get(tables::PREFIX_OCTETS..)?.try_into().ok();
        Ok(pairs.iter().filter(|(_, value)| holds(value)).filter_map(|(key, _)| id(key)).collect())
    }

    /// Remembers ids until a moment each. Forgets some whose time is over.
    pub async fn remember(&self, ids: &[([u8; 16], UnixMs)], now: UnixMs) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut ops: Vec<Op> = Vec::new();
        let (from, to) = remembered::range(self.id);
        let view = self.core.engine.view(tables::part(self.id)).await?;
        let known = view.scan(&from, &to, false, limits::REMEMBERED_PER_ACCOUNT).await?;
        drop(view);
        let full = known.len() >= limits::REMEMBERED_PER_ACCOUNT;
        let over = |value: &[u8]| remembered::decode(value).is_none_or(|until| until <= now);
        // When there is no room, whatever lies first goes: its sender may be answered once more.
        let goes = known.iter().enumerate().filter(|(n, (_, value))| over(value) || full && *n < ids.len());
        ops.extend(goes.take(limits::FORGOTTEN_AT_ONCE).map(|(_, (key, _))| Op::Del(key.clone())));
        ops.extend(
            ids.iter().map(|(id, until)| Op::Put(remembered::key(self.id, id), remembered::value(*until))),
        );
        let mut writer = self.write().await?;
        for _ in 0..limits::COMMIT_TRIES {
            let plan = Plan { ops: ops.clone(), ..Plan::new(&writer) };
            if let Outcome::Done(_) = self.commit(&mut writer, plan, now).await? {
                return Ok(());
            }
        }
        Err(CommitError::Conflict(0).into())
    }
}
