//! Deliveries: straight into the store, as local delivery does it, and repeated with the same name when the answer was lost.

use std::sync::Arc;

use yubin_base::UnixMs;
use yubin_store::{Appended, Flags, NewMessage, Quota, StoreError};

use super::{Env, Numbers};
use crate::{
    content,
    judge::{Act, Acts, Told},
    model::{FlagNames, Op},
    rng::Rng,
};

/// What is delivered.
#[derive(Debug)]
pub(crate) enum Plan {
    /// One message, or several in one call.
    New(Vec<u64>),
    /// A delivery whose outcome is not known, once more.
    Again(u64),
}

/// A deliverer.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Not acknowledged yet.
    doubtful: Vec<u64>,
}

impl Delivery {
    pub(crate) fn plan(&mut self, rng: &mut Rng, numbers: &mut Numbers) -> Plan {
        if let Some(number) = self.doubtful.pop() {
            return Plan::Again(number);
        }
        let count = if rng.one_in(4) { 1 + rng.below(5) } else { 1 };
        Plan::New((0..count).map(|_| numbers.delivered()).collect())
    }

    pub(crate) async fn act(&mut self, plan: Plan, env: &Env<'_>) -> Result<Acts, String> {
        let (numbers, again) = match plan {
            Plan::New(numbers) => (numbers, false),
            Plan::Again(number) => (vec![number], true),
        };
        let result = append(&numbers, env).await;
        let told = match &result {
            Ok(appended) if appended.len() == numbers.len() => Told::Done,
            Ok(appended) => return Err(format!("{} messages appended as {}", numbers.len(), appended.len())),
            Err(_) => env.refused(),
        };
        if told != Told::Done {
            self.doubtful.extend(numbers.iter().copied());
        }
        let repeated = result.iter().flatten().any(|appended| appended.committed.repeated());
        if repeated && !again {
            return Err("a first delivery is told to be a repeated one".to_owned());
        }
        let messages = numbers.iter().map(|number| (FlagNames::new(), *number)).collect();
        Ok(vec![Act { op: Op::Append { to: "INBOX".to_owned(), messages, once: true }, told }])
    }
}

async fn append(numbers: &[u64], env: &Env<'_>) -> Result<Vec<Appended>, StoreError> {
    let account = env.store.account(env.account).await?;
    let inbox = account.mailbox_named("INBOX").ok_or(StoreError::NoMailbox)?.id;
    let mut messages = Vec::new();
    for number in numbers {
        let mut stager = env.store.stager();
        for piece in content::body(*number).chunks(7_001) {
            stager.write(piece)?;
        }
        let mut idem = [0; 16];
        for (to, from) in idem.iter_mut().zip(number.to_be_bytes()) {
            *to = from;
        }
        messages.push(NewMessage {
            staged: Arc::new(stager.finish()?),
            prefix: content::prefix(*number),
            flags: Flags::default(),
            keywords: Vec::new(),
            internal_date: UnixMs(env.now.0 / 1000 * 1000),
            idem: Some(idem),
        });
    }
    account.append(inbox, messages, Quota::default(), env.now).await
}
