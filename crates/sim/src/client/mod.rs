//! The clients: each plans a command from what it has been told, plays it through its machine, and says what it asked for and was told.

mod delivery;
mod drive;
mod imap;
mod pop3;
mod wire;

use std::{collections::BTreeMap, sync::Arc};

use yubin_base::{AccountId, UnixMs};
use yubin_imap::ImapServices;
use yubin_pop3::Pop3Services;
use yubin_store::Store;

use crate::{
    judge::{Acts, Told},
    model::Model,
    rng::Rng,
};

pub(crate) use delivery::Delivery;
pub(crate) use imap::ImapClient;
pub(crate) use pop3::Pop3Client;

/// The world as the clients of one round have it.
pub(crate) struct Env<'a> {
    pub(crate) store: Store,
    pub(crate) account: AccountId,
    pub(crate) imap: Arc<ImapServices>,
    pub(crate) pop3: Arc<Pop3Services>,
    pub(crate) now: UnixMs,
    /// Nobody else acts in this round: reads must show exactly the model's state.
    pub(crate) alone: bool,
    /// The engine may fail: an error need not mean that nothing was done.
    pub(crate) faulty: bool,
    /// The state before the round.
    pub(crate) model: &'a Model,
    /// Every message there ever was, by mailbox id and UID: its content.
    pub(crate) ever: &'a BTreeMap<(u32, u32), u64>,
}

impl Env<'_> {
    /// What a refusal means.
    pub(crate) fn refused(&self) -> Told {
        if self.faulty { Told::Doubtful } else { Told::Refused }
    }
}

/// One client.
pub(crate) enum Client {
    Imap(Box<ImapClient>),
    Pop3(Box<Pop3Client>),
    Delivery(Delivery),
}

/// What a client will do next.
#[derive(Debug)]
pub(crate) enum Plan {
    Imap(imap::Plan),
    Pop3(pop3::Plan),
    Delivery(delivery::Plan),
}

/// Hands out numbers for new messages.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    next: u64,
}

impl Numbers {
    /// For a message to append: even.
    pub(crate) fn appended(&mut self) -> u64 {
        self.next += 1;
        self.next * 2
    }
    /// For a message to deliver: odd.
    pub(crate) fn delivered(&mut self) -> u64 {
        self.next += 1;
        self.next * 2 + 1
    }
}

impl Client {
    pub(crate) fn plan(&mut self, rng: &mut Rng, model: &Model, numbers: &mut Numbers) -> Plan {
        match self {
            Self::Imap(client) => Plan::Imap(client.plan(rng, model, numbers)),
            Self::Pop3(client) => Plan::Pop3(client.plan(rng)),
            Self::Delivery(client) => Plan::Delivery(client.plan(rng, numbers)),
        }
    }

    /// Does it. An error is a finding.
    pub(crate) async fn act(&mut self, plan: Plan, env: &Env<'_>) -> Result<Acts, String> {
        match (self, plan) {
            (Self::Imap(client), Plan::Imap(plan)) => client.act(plan, env).await,
            (Self::Pop3(client), Plan::Pop3(plan)) => client.act(plan, env).await,
            (Self::Delivery(client), Plan::Delivery(plan)) => client.act(plan, env).await,
            _ => Err("a plan for another client".to_owned()),
        }
    }

    /// The server died, or the network.
    pub(crate) fn disconnect(&mut self) {
        match self {
            Self::Imap(client) => client.disconnect(),
            Self::Pop3(client) => client.disconnect(),
            Self::Delivery(_) => {}
        }
    }
}
