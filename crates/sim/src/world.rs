//! The world of one seed: engine, store, clients, rounds. In a round one to three clients act at once; then the state is read and judged.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use yubin_base::{
    AccountId, BoxFuture, UnixMs,
    sasl::{AuthFailure, Authenticated, Authenticator, SaslContext, SaslExchange},
};
use yubin_engine::{
    Engine as _, Health,
    memory::{Faults, MemoryEngine},
};
use yubin_imap::{ImapOptions, ImapServices, NoQuotas};
use yubin_pop3::Pop3Services;
use yubin_store::{Store, StoreOptions};
use yubin_testkit::SimRandom;

use crate::{
    Failure,
    client::{Client, Delivery, Env, ImapClient, Numbers, Plan, Pop3Client},
    content,
    judge::{self, Acts, Told},
    observe::{self, Documents, Observed},
    rng::Rng,
};

/// How a seed is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Rounds of one to three commands.
    pub rounds: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 80 }
    }
}

/// What a seed did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every step, oldest first.
    pub trace: Vec<String>,
    /// Commands and deliveries.
    pub commands: u32,
    /// How often the server died and came back.
    pub restarts: u32,
}

/// How often each client is chosen, by its place in the list.
const TURNS: [usize; 12] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4];
const ACCOUNT: AccountId = AccountId(1);
/// A future polled so often waits for something that never comes.
const POLLS_MAX: u32 = 1_000_000;

struct World {
    seed: u64,
    rng: Rng,
    engine: MemoryEngine,
    /// The faults of this seed, in force while clients act.
    faults: Faults,
    store: Store,
    imap: Arc<ImapServices>,
    pop3: Arc<Pop3Services>,
    now: UnixMs,
    clients: Vec<(&'static str, Client)>,
    numbers: Numbers,
    seen: Observed,
    documents: Documents,
    ever: BTreeMap<(u32, u32), u64>,
    /// Which mailbox had a name and UIDVALIDITY.
    identities: BTreeMap<(String, u32), u32>,
    /// Doubtful acts of earlier rounds that the state does not show: the next write may bring them to light.
    pending: Acts,
    report: Report,
}

/// Runs one seed.
pub(crate) fn run(seed: u64, options: &Options) -> Result<Report, Failure> {
    let mut world = World::new(seed);
    for round in 0..options.rounds {
        if let Err(what) = world.begin(round).and_then(|()| world.round(round)) {
            return Err(Failure { seed, round, what, trace: world.report.trace });
        }
    }
    Ok(world.report)
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let faults = draw_faults(&mut rng);
        let engine = MemoryEngine::with_faults(seed, quiet(&faults));
        let (store, imap, pop3) = serve(&engine, seed);
        let clients = vec![
            ("imap1", Client::Imap(Box::<ImapClient>::default())),
            ("imap2", Client::Imap(Box::<ImapClient>::default())),
            ("imap3", Client::Imap(Box::<ImapClient>::default())),
            ("pop3", Client::Pop3(Box::<Pop3Client>::default())),
            ("lmtp", Client::Delivery(Delivery::default())),
        ];
        Self {
            seed,
            rng,
            engine,
            faults,
            store,
            imap,
            pop3,
            now: UnixMs(1_767_225_600_000),
            clients,
            numbers: Numbers::default(),
            seen: Observed::default(),
            documents: Documents::new(),
            ever: BTreeMap::new(),
            identities: BTreeMap::new(),
            pending: Acts::new(),
            report: Report::default(),
        }
    }

    /// Before the first round: the account.
    fn begin(&mut self, round: u32) -> Result<(), String> {
        if round > 0 {
            return Ok(());
        }
        let made = complete(self.store.create_account(ACCOUNT, self.now))?;
        made.map_err(|e| format!("the account cannot be made: {e}"))?;
        self.seen = self.observe()?;
        self.report.trace.push(format!("seed {}: {:?}", self.seed, self.faults));
        Ok(())
    }

    fn round(&mut self, round: u32) -> Result<(), String> {
        self.now = self.now.plus_ms(self.rng.below(3_000) as u64);
        let failing = self.faults != Faults::default() && !self.rng.one_in(3);
        let plans = self.plan(round, failing);
        let mut acts = self.act(plans, failing)?;
        let written = acts.iter().flatten().any(|act| act.told == Told::Done);
        let doubtful: Acts =
            acts.iter().flatten().filter(|act| act.told == Told::Doubtful).cloned().collect();
        acts.push(std::mem::take(&mut self.pending));
        let fell = self.fall_and_rise();
        let after = self.observe()?;
        if !judge::explains(&self.seen.model, &acts, &after.model) {
            let acts: Vec<String> = acts.iter().flatten().map(|act| format!("\n  {act:?}")).collect();
            let difference = judge::difference(&self.seen.model, &after.model);
            let fell = if fell { "after a restart, " } else { "" };
            return Err(format!("{fell}no order of these explains the state:{}{difference}", acts.concat()));
        }
        observe::check_progress(&self.seen, &after)?;
        // A write that succeeds settles what was in doubt before it, and so does a restart.
        if !fell {
            let before = if written { Acts::new() } else { acts.pop().unwrap_or_default() };
            self.pending = before.into_iter().chain(doubtful).collect();
        }
        self.remember(&after)?;
        if self.rng.one_in(6) {
            self.try_restart(&after)?;
        }
        self.seen = after;
        self.seen.model.delivered =
            self.ever.values().copied().filter(|content| content::is_delivered(*content)).collect();
        Ok(())
    }

    /// Chooses who acts and what they do. Clients by their place in the list.
    fn plan(&mut self, round: u32, failing: bool) -> Vec<Option<Plan>> {
        let count = if self.rng.one_in(2) { 1 } else { 2 + self.rng.below(2) };
        let mut plans: Vec<Option<Plan>> = self.clients.iter().map(|_| None).collect();
        for _ in 0..count {
            let at = self.rng.pick(&TURNS).copied().unwrap_or(0);
            let (Some(slot), Some((name, client))) = (plans.get_mut(at), self.clients.get_mut(at)) else {
                continue;
            };
            if slot.is_none() {
                let plan = client.plan(&mut self.rng, &self.seen.model, &mut self.numbers);
                let mark = if failing { '!' } else { ' ' };
                self.report.trace.push(format!("{round:4}{mark} {name}: {plan:?}"));
                self.report.commands += 1;
                *slot = Some(plan);
            }
        }
        plans
    }

    /// Lets them act, in turns that the seed chooses.
    fn act(&mut self, plans: Vec<Option<Plan>>, failing: bool) -> Result<Vec<Acts>, String> {
        let env = Env {
            store: self.store.clone(),
            account: ACCOUNT,
            imap: Arc::clone(&self.imap),
            pop3: Arc::clone(&self.pop3),
            now: self.now,
            alone: plans.iter().flatten().count() == 1,
            faulty: failing,
            model: &self.seen.model,
            ever: &self.ever,
        };
        let mut faults = if failing { self.faults.clone() } else { quiet(&self.faults) };
        faults.disk_full = failing && self.faults.full_ppm > 0 && self.rng.one_in(10);
        faults.delay_polls_max = 3;
        self.engine.set_faults(faults);
        let mut names = Vec::new();
        let mut under_way: Vec<BoxFuture<'_, Result<Acts, String>>> = Vec::new();
        for ((name, client), plan) in self.clients.iter_mut().zip(plans) {
            if let Some(plan) = plan {
                names.push(*name);
                under_way.push(Box::pin(client.act(plan, &env)));
            }
        }
        let done = in_turns(under_way, &mut self.rng)?;
        self.engine.set_faults(quiet(&self.faults));
        let mut acts = Vec::new();
        for (name, result) in names.iter().zip(done) {
            let of_one = result.map_err(|e| format!("{name}: {e}"))?;
            for act in &of_one {
                self.report.trace.push(format!("       {name} {:?}", act.told));
            }
            acts.push(of_one);
        }
        Ok(acts)
    }

    /// When the process died, or took no writes any more, or by chance: it ends, and starts again on the same disk.
    fn fall_and_rise(&mut self) -> bool {
        let dead = self.engine.crashed();
        let stuck = self.engine.health() != Health::Writable;
        let by_chance = self.rng.one_in(50) || self.pending.len() > 8;
        if !dead && !stuck && !by_chance {
            return false;
        }
        let why = if dead {
            "died"
        } else if stuck {
            "read-only"
        } else {
            "killed"
        };
        self.report.trace.push(format!("       {why}; restart"));
        self.report.restarts += 1;
        self.engine = self.engine.crash();
        let life = self.seed.wrapping_add(u64::from(self.report.restarts) << 32);
        (self.store, self.imap, self.pop3) = serve(&self.engine, life);
        self.documents.clear();
        for (_, client) in &mut self.clients {
            client.disconnect();
        }
        true
    }

    fn observe(&mut self) -> Result<Observed, String> {
        complete(observe::observe(&self.store, ACCOUNT, &mut self.documents))?
    }

    /// Notes every message; a UID never stands for another one.
    fn remember(&mut self, after: &Observed) -> Result<(), String> {
        for (name, mailbox) in &after.model.mailboxes {
            let Some(identity) = mailbox.identity else { continue };
            // RFC 9051 §2.3.1.1: a mailbox made anew under an old name has another UIDVALIDITY.
            let before = self.identities.insert((name.clone(), identity.uid_validity), identity.id);
            if before.is_some_and(|before| before != identity.id) {
                return Err(format!(
                    "{name:?}: UIDVALIDITY {} was that of another mailbox",
                    identity.uid_validity
                ));
            }
            for message in &mailbox.messages {
                let before = self.ever.insert((identity.id, message.uid), message.content);
                if before.is_some_and(|before| before != message.content) {
                    return Err(format!("{name:?}: UID {} was used before, for {before:?}", message.uid));
                }
            }
        }
        Ok(())
    }

    /// A restart on a copy of the disk finds what the running store shows.
    fn try_restart(&mut self, after: &Observed) -> Result<(), String> {
        let copy = self.engine.fork().crash();
        let (store, ..) = serve(&copy, self.seed);
        let found = complete(observe::observe(&store, ACCOUNT, &mut Documents::new()))?
            .map_err(|e| format!("after a restart: {e}"))?;
        let report = complete(store.verify_account(ACCOUNT, false))?.map_err(|e| format!("verify: {e}"))?;
        if !report.problems.is_empty() {
            return Err(format!("verify finds {:?}", report.problems));
        }
        let same = found.model == after.model
            && found.row_modseqs == after.row_modseqs
            && found.modseq == after.modseq;
        let settled = !self.pending.is_empty()
            && judge::explains(&after.model, std::slice::from_ref(&self.pending), &found.model);
        if !same && !settled {
            let difference = judge::difference(&after.model, &found.model);
            return Err(format!(
                "memory and disk differ (modseq {} and {}):{difference}",
                after.modseq, found.modseq
            ));
        }
        Ok(())
    }
}

/// What a process sets up when it starts.
fn serve(engine: &MemoryEngine, seed: u64) -> (Store, Arc<ImapServices>, Arc<Pop3Services>) {
    let options = StoreOptions { message_octets_max: 1 << 20, cache_octets: 1 << 20, expunged_keep_s: 3_600 };
    let store = Store::new(Arc::new(engine.clone()), Arc::new(SimRandom::new(seed)), options);
    let authenticator: Arc<dyn Authenticator> = Arc::new(OneUser);
    let imap = ImapServices {
        store: store.clone(),
        authenticator: Arc::clone(&authenticator),
        quotas: Arc::new(NoQuotas),
        people: Arc::new(yubin_imap::NoPeople),
        options: ImapOptions { plaintext_allowed: true, ..ImapOptions::default() },
    };
    let options = yubin_pop3::Options { plaintext_allowed: true, ..yubin_pop3::Options::default() };
    let pop3 = Pop3Services::new(store.clone(), authenticator, options);
    (store, Arc::new(imap), Arc::new(pop3))
}

/// Every fourth seed has no faults; the others have some of them, each more or less often.
fn draw_faults(rng: &mut Rng) -> Faults {
    if rng.one_in(4) {
        return Faults::default();
    }
    let mut ppm = || if rng.one_in(2) { 0 } else { 2_000 + rng.below(30_000) as u32 };
    Faults {
        crash_before_apply_ppm: ppm(),
        crash_after_apply_ppm: ppm(),
        crash_after_flush_ppm: ppm(),
        conflict_ppm: ppm(),
        unknown_with_effect_ppm: ppm(),
        unknown_without_effect_ppm: ppm(),
        full_ppm: ppm(),
        read_error_ppm: ppm(),
        flush_error_ppm: ppm(),
        lose_lazy: rng.one_in(2),
        lose_blobs: rng.one_in(2),
        ..Faults::default()
    }
}

/// The same, while nobody may fail; what a crash takes away stays.
fn quiet(faults: &Faults) -> Faults {
    Faults { lose_lazy: faults.lose_lazy, lose_blobs: faults.lose_blobs, ..Faults::default() }
}

/// Polls them in an order that the seed chooses, until all are done.
fn in_turns<T>(mut futures: Vec<BoxFuture<'_, T>>, rng: &mut Rng) -> Result<Vec<T>, String> {
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        let left: Vec<usize> =
            (0..done.len()).filter(|n| done.get(*n).is_some_and(Option::is_none)).collect();
        let Some(at) = rng.pick(&left).copied() else { return Ok(done.into_iter().flatten().collect()) };
        if let (Some(future), Some(slot)) = (futures.get_mut(at), done.get_mut(at))
            && let Poll::Ready(result) = Pin::as_mut(future).poll(&mut context)
        {
            *slot = Some(result);
        }
    }
    Err("a command waits for something that never comes".to_owned())
}

/// Runs one future to its end.
fn complete<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return Ok(result);
        }
    }
    Err("the store waits for something that never comes".to_owned())
}

/// Everybody is ann.
struct OneUser;

impl Authenticator for OneUser {
    fn mechanisms(&self, _: &SaslContext) -> Vec<&'static str> {
        Vec::new()
    }
    fn start(&self, _: &str, _: SaslContext) -> Result<Box<dyn SaslExchange>, AuthFailure> {
        Err(AuthFailure::UnknownMechanism)
    }
    fn server_first(&self, _: &str) -> bool {
        false
    }
    fn login<'a>(
        &'a self,
        _: &'a str,
        _: &'a [u8],
        _: SaslContext,
    ) -> BoxFuture<'a, Result<Authenticated, AuthFailure>> {
        Box::pin(std::future::ready(Ok(Authenticated {
            account: ACCOUNT,
            name: "ann@example.test".to_owned(),
        })))
    }
}
