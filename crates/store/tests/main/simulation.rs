//! Random operations of two nodes on one account, with faults, crashes and restarts, against the model. A seed replays exactly.

use std::{collections::BTreeMap, sync::Arc};

use yubin_base::UnixMs;
use yubin_engine::{
    CommitError, ReadError,
    memory::{Faults, MemoryEngine},
};
use yubin_store::{
    Account, Appended, FlagChange, FlagOp, Flags, Keyword, NewMessage, Quota, Store, StoreError, UidSet, diff,
};

use crate::{
    model::{Mailbox, Message, Model},
    support::*,
};

const NAMES: [&str; 9] = ["INBOX", "Trash", "a", "a/b", "a/b/c", "a/d", "b", "b/x", "INBOX/y"];
const KEYWORDS: [&str; 3] = ["$Forwarded", "work", "Home"];

struct Simulation {
    rng: Seeded,
    seed: u64,
    engine: MemoryEngine,
    nodes: Vec<(Store, Arc<Account>)>,
    node: usize,
    model: Model,
    now: UnixMs,
    /// UIDs and UIDVALIDITYs that sessions have seen.
    seen: BTreeMap<String, (u32, u32)>,
    messages: u64,
    /// Deliveries that were acknowledged, by idem: where they went.
    delivered: Vec<([u8; 16], Appended)>,
    trace: Vec<String>,
    /// Contents that were read in this life of the process, by document.
    hashes: std::cell::RefCell<BTreeMap<u64, [u8; 16]>>,
}

/// What an operation said.
enum Said {
    Done,
    Refused,
    Failed,
    Unclear,
}

fn said<T>(result: &Result<T, StoreError>) -> Said {
    match result {
        Ok(_) => Said::Done,
        Err(StoreError::Commit(CommitError::Unknown | CommitError::Unavailable | CommitError::ReadOnly)) => {
            Said::Unclear
        }
        // A read failed before anything was tried, or the disk was full: no effect.
        Err(StoreError::Commit(CommitError::Full) | StoreError::Read(ReadError::Unavailable(_))) => {
            Said::Failed
        }
        Err(StoreError::NoMailbox | StoreError::MailboxExists | StoreError::Cannot(_)) => Said::Refused,
        Err(error) => panic!("{error:?}"),
    }
}

fn faults(rng: &Seeded) -> Faults {
    let mut faults = Faults {
        lose_lazy: true,
        lose_blobs: true,
        delay_polls_max: rng.below(4) as u32,
        ..Faults::default()
    };
    let rate = |rate: &mut u32| *rate = if rng.below(2) == 0 { 0 } else { rng.below(40_000) as u32 };
    rate(&mut faults.crash_before_apply_ppm);
    rate(&mut faults.crash_after_apply_ppm);
    rate(&mut faults.crash_after_flush_ppm);
    rate(&mut faults.conflict_ppm);
    rate(&mut faults.unknown_with_effect_ppm);
    rate(&mut faults.unknown_without_effect_ppm);
    rate(&mut faults.full_ppm);
    rate(&mut faults.flush_error_ppm);
    rate(&mut faults.read_error_ppm);
    faults
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let rng = Seeded::new(seed);
        let engine = MemoryEngine::with_faults(seed, Faults::default());
        let mut sim = Self {
            rng,
            seed,
            engine,
            nodes: vec![],
            node: 0,
            model: Model::new(),
            now: NOW,
            seen: BTreeMap::new(),
            messages: 0,
            delivered: vec![],
            trace: vec![],
            hashes: Default::default(),
        };
        let store = store_on(&sim.engine, seed);
        run(store.create_account(ANN, NOW)).unwrap();
        sim.open();
        sim
    }

    fn open(&mut self) {
        self.hashes.take();
        self.engine.set_faults(Faults::default());
        self.nodes = (0..2)
            .map(|n| {
                let store = store_on(&self.engine, self.seed ^ (n << 32) ^ self.rng.next());
                let account = run(store.account(ANN)).unwrap();
                (store, account)
            })
            .collect();
        self.node = 0;
        let faults = faults(&self.rng);
        self.engine.set_faults(faults);
    }

    fn crash(&mut self) {
        self.trace.push("crash".into());
        self.engine = self.engine.crash();
        self.open();
    }

    fn account(&self) -> Arc<Account> {
        self.nodes[self.node].1.clone()
    }

    fn store(&self) -> &Store {
        &self.nodes[self.node].0
    }

    fn name(&self) -> &'static str {
        NAMES[self.rng.below(NAMES.len() as u64) as usize]
    }

    /// A new message, as the store and the model see it. Nothing when the blob could not be written.
    fn message(&mut self) -> Option<(NewMessage, Message)> {
        self.messages += 1;
        let text =
            format!("Subject: {}\r\n\r\n{}\r\n", self.messages, "x".repeat(self.rng.below(300) as usize));
        let mut stager = self.store().stager();
        stager.write(text.as_bytes()).ok()?;
        let staged = stager.finish().ok()?;
        let flags = self.rng.below(32) as u16;
        let keywords: Vec<&str> = KEYWORDS.into_iter().filter(|_| self.rng.below(3) == 0).collect();
        let model = Message {
            uid: 0,
            flags,
            keywords: keywords.iter().map(|k| k.to_string()).collect(),
            hash: staged.blob.hash,
            size: text.len() as u32,
        };
        let keywords = keywords.into_iter().filter_map(Keyword::new).collect();
        Some((NewMessage { flags: Flags(flags), keywords, ..message(staged) }, model))
    }

    /// The account as stored, read through the node's own state.
    fn actual(&self) -> Result<Model, StoreError> {
        let account = self.account();
        let mut model =
            Model { subscribed: account.state().subscribed.iter().cloned().collect(), ..Model::default() };
        for (id, mailbox) in &account.state().mailboxes {
            let mut found =
                Mailbox { no_select: mailbox.no_select, uid_next: mailbox.uid_next.0, messages: vec![] };
            if !mailbox.no_select {
                let opened = run(account.open(*id))?;
                let rows = rows(&opened);
                let mut hashes = self.hashes.borrow_mut();
                let docs: Vec<_> =
                    rows.iter().map(|r| r.doc).filter(|doc| !hashes.contains_key(&doc.0)).collect();
                for (doc, record) in docs.iter().zip(run(account.records(&docs))?) {
                    hashes.insert(
                        doc.0,
                        record.unwrap_or_else(|| panic!("{doc} has no record")).staged.blob.hash,
                    );
                }
                for row in &rows {
                    let keyword = |n: usize| opened.keywords[n].as_str().to_owned();
                    found.messages.push(Message {
                        uid: row.uid.0,
                        flags: row.flags.0 & Flags::ALL.0,
                        keywords: (0..64).filter(|n| row.keywords.0 >> n & 1 == 1).map(keyword).collect(),
                        hash: hashes[&row.doc.0],
                        size: row.size_octets,
                    });
                }
            }
            assert!(model.mailboxes.insert(mailbox.name.clone(), found).is_none(), "a name twice");
        }
        Ok(model)
    }

    /// Runs without faults for a look.
    fn look<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        if self.engine.crashed() {
            self.crash();
        }
        let faults = self.engine.faults();
        self.engine.set_faults(Faults::default());
        let value = f(self);
        self.engine.set_faults(faults);
        value
    }

    /// Compares after an operation that the model has done as well (`after`), or not (`before`).
    fn settle(&mut self, said: Said, allowed: bool, before: Model, after: Model) {
        let crashed = self.engine.crashed();
        let actual = match said {
            Said::Done | Said::Refused | Said::Failed if !crashed => self.look(|sim| sim.actual()).unwrap(),
            // A process that failed to flush stays read-only: it must be restarted.
            _ => {
                self.engine = self.engine.crash();
                self.open();
                self.look(|sim| sim.actual()).unwrap()
            }
        };
        let expected = match said {
            Said::Done => {
                assert!(allowed, "done though not allowed\n{}", self.story());
                &after
            }
            Said::Refused => {
                assert!(!allowed, "refused though allowed\n{}", self.story());
                &before
            }
            Said::Failed => &before,
            Said::Unclear => {
                if actual == after {
                    &after
                } else {
                    &before
                }
            }
        };
        assert_eq!(&actual, expected, "\n{}", self.story());
        self.model = actual;
        self.observe();
    }

    /// What must hold whatever happened.
    fn observe(&mut self) {
        let state = self.account().state();
        assert_eq!((state.usage.octets, state.usage.messages), self.model.usage(), "\n{}", self.story());
        for mailbox in state.mailboxes.values() {
            let now = (mailbox.uid_validity.0, mailbox.uid_next.0);
            let story = self.story();
            let seen = self.seen.entry(mailbox.name.clone()).or_insert(now);
            // A renamed mailbox may bring another UIDVALIDITY to a name, but UIDs never go back under one.
            assert!(now.0 != seen.0 || now.1 >= seen.1, "UIDs went back in {}\n{story}", mailbox.name);
            *seen = now;
        }
    }

    fn story(&self) -> String {
        format!("seed {}:\n{}", self.seed, self.trace.join("\n"))
    }

    fn set(&self, name: &str) -> UidSet {
        let last = self.model.mailboxes.get(name).map_or(1, |m| u64::from(m.uid_next));
        let from = 1 + self.rng.below(last) as u32;
        let second = 1 + self.rng.below(last) as u32;
        UidSet::from_ranges([(from, from + self.rng.below(4) as u32), (second, second)])
    }

    fn step(&mut self) {
        self.now = self.now.plus_ms(self.rng.below(600_000));
        let (before, mut after) = (self.model.clone(), self.model.clone());
        let (account, now, name, other) = (self.account(), self.now, self.name(), self.name());
        let known = account.mailbox_named(name);
        let id = known.as_ref().map(|m| m.id);
        let other_id = account.mailbox_named(other).map(|m| m.id);
        let kind = self.rng.below(22);
        self.trace.push(format!("{kind} node {} {name} {other}", self.node));
        let (said, allowed) = match (kind, id) {
            (0..=5, Some(id)) => {
                let count = 1 + self.rng.below(3);
                let Some(messages) = (0..count).map(|_| self.message()).collect::<Option<Vec<_>>>() else {
                    return;
                };
                let (new, model): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
                let allowed = after.append(name, &model);
                (said(&run(account.append(id, new, Quota::default(), now))), allowed)
            }
            (6, Some(id)) => return self.burst(name, id),
            (7, Some(id)) => return self.deliver(name, id),
            (8..=10, Some(id)) => {
                let (set, op) = (
                    self.set(name),
                    [FlagOp::Add, FlagOp::Remove, FlagOp::Replace][self.rng.below(3) as usize],
                );
                let (flags, keyword) = (self.rng.below(32) as u16, KEYWORDS[self.rng.below(3) as usize]);
                let allowed = after.flags(
                    name,
                    &|uid| set.contains(yubin_store::Uid(uid)),
                    &|m: &mut Message| match op {
                        FlagOp::Add => {
                            m.flags |= flags;
                            m.keywords.insert(keyword.to_owned());
                        }
                        FlagOp::Remove => {
                            m.flags &= !flags;
                            m.keywords.remove(keyword);
                        }
                        FlagOp::Replace => {
                            m.flags = flags;
                            m.keywords = [keyword.to_owned()].into();
                        }
                    },
                );
                let keywords = vec![Keyword::new(keyword).unwrap()];
                let change = FlagChange { op, flags: Flags(flags), keywords, unchanged_since: None };
                (said(&run(account.store_flags(id, &set, &change, now))), allowed)
            }
            (11 | 12, Some(id)) => {
                let (set, any) = (self.set(name), self.rng.below(2) == 0);
                let allowed = after.expunge(name, &|uid| set.contains(yubin_store::Uid(uid)), any);
                (said(&run(account.expunge(id, Some(&set), any, now))), allowed)
            }
            (13 | 14, Some(id)) if other_id.is_some() => {
                let (set, to, moves) = (self.set(name), other_id.unwrap(), kind == 14);
                let allowed = after.transfer(name, &|uid| set.contains(yubin_store::Uid(uid)), other, moves);
                let result = match moves {
                    true => run(account.move_messages(id, &set, to, now)),
                    false => run(account.copy(id, &set, to, Quota::default(), now)),
                };
                (said(&result), allowed)
            }
            (15, _) => {
                let allowed = after.create(name);
                (said(&run(account.create_mailbox(name, None, now))), allowed)
            }
            (16, Some(_)) => {
                let allowed = after.delete(name);
                (said(&run(account.delete_mailbox(known.as_ref().unwrap(), now))), allowed)
            }
            (17, Some(_)) => {
                let allowed = after.rename(name, other);
                (said(&run(account.rename_mailbox(known.as_ref().unwrap(), other, now))), allowed)
            }
            (18, _) => {
                let on = self.rng.below(2) == 0;
                if on {
                    after.subscribed.insert(name.to_owned())
                } else {
                    after.subscribed.remove(name)
                };
                (said(&run(account.subscribe(name, on))), true)
            }
            (19, _) => {
                self.now = self.now.plus_ms(1_800_000);
                (said(&run(account.purge(self.now))), true)
            }
            (20, _) => {
                if self.rng.below(4) == 0 {
                    self.crash();
                    let actual = self.look(|sim| sim.actual()).unwrap();
                    assert_eq!(actual, self.model, "\n{}", self.story());
                    self.observe();
                }
                return;
            }
            (21, _) => return self.switch(),
            _ => return,
        };
        let after = if allowed { after } else { before.clone() };
        self.settle(said, allowed, before, after);
    }

    /// Several appends at once. Those acknowledged are there once, those unclear at most once.
    fn burst(&mut self, name: &str, id: yubin_store::MailboxId) {
        let Some(messages) = (0..8).map(|_| self.message()).collect::<Option<Vec<_>>>() else { return };
        let account = self.account();
        let task = |new: NewMessage| {
            let (account, now) = (account.clone(), self.now);
            Box::pin(async move { account.append(id, vec![new], Quota::default(), now).await }) as Task<'_, _>
        };
        let results: Vec<Result<Vec<Appended>, StoreError>> =
            run_all(messages.iter().map(|(new, _)| task(new.clone())).collect());
        let unclear = results.iter().any(|r| matches!(said(r), Said::Unclear)) || self.engine.crashed();
        if unclear {
            self.crash();
        }
        let actual = self.look(|sim| sim.actual()).unwrap();
        let mut expected = self.model.clone();
        for (result, (_, model)) in results.iter().zip(&messages) {
            let found = actual.mailboxes[name].messages.iter().filter(|m| m.hash == model.hash).count();
            match said(result) {
                Said::Done => assert_eq!(found, 1, "\n{}", self.story()),
                Said::Refused | Said::Failed => assert_eq!(found, 0, "\n{}", self.story()),
                Said::Unclear => assert!(found <= 1, "\n{}", self.story()),
            }
            if found == 1 {
                expected.append(name, std::slice::from_ref(model));
            }
        }
        assert_eq!(actual, expected, "\n{}", self.story());
        self.model = actual;
        self.observe();
    }

    /// A delivery, repeated until it is acknowledged, and once more later.
    fn deliver(&mut self, name: &str, id: yubin_store::MailboxId) {
        if self.model.mailboxes[name].no_select {
            return;
        }
        let mut idem = [0; 16];
        idem[..8].copy_from_slice(&self.messages.to_le_bytes());
        for _ in 0..20 {
            let Some((new, model)) = self.message() else { continue };
            let new = NewMessage { idem: Some(idem), ..new };
            let result = run(self.account().append(id, vec![new], Quota::default(), self.now));
            if result.is_err() || self.engine.crashed() {
                self.crash();
            }
            let actual = self.look(|sim| sim.actual()).unwrap();
            // It may be there from an attempt before, with that attempt's content; in any case once.
            let mut expected = self.model.clone();
            expected.append(name, &[model]);
            assert!(actual == expected || actual == self.model, "\n{}", self.story());
            self.model = actual;
            self.observe();
            if let Ok(done) = result {
                self.delivered.push((idem, done[0]));
                break;
            }
        }
        let again = self.delivered[self.rng.below(self.delivered.len() as u64) as usize..].first().copied();
        if let (Some((idem, first)), Some((new, _))) = (again, self.message()) {
            let result = run(self.account().append(
                id,
                vec![NewMessage { idem: Some(idem), ..new }],
                Quota::default(),
                self.now,
            ));
            if let Ok(done) = &result {
                assert_eq!((done[0].uid, done[0].doc), (first.uid, first.doc), "\n{}", self.story());
            }
            let same = self.model.clone();
            self.settle(said(&result), true, same.clone(), same);
        }
    }

    /// The other node goes on, not knowing what this one did: its first write finds out. Its sessions then see a
    /// difference that leads from what they knew to what is.
    fn switch(&mut self) {
        self.node = 1 - self.node;
        let account = self.account();
        let inbox = account.mailbox_named("INBOX").unwrap().id;
        let Ok(old) = run(account.open(inbox)) else { return self.node = 1 - self.node };
        let Some((new, model)) = self.message() else { return self.node = 1 - self.node };
        let (before, mut after) = (self.model.clone(), self.model.clone());
        after.append("INBOX", &[model]);
        let result = run(account.append(inbox, vec![new], Quota::default(), self.now));
        if matches!(said(&result), Said::Failed) && !self.engine.crashed() {
            // It may not know yet; the first node does.
            self.node = 1 - self.node;
        }
        let is_done = result.is_ok();
        self.settle(said(&result), true, before, after);
        if is_done && Arc::ptr_eq(&account, &self.account()) {
            let new = run(account.open(inbox)).unwrap();
            let diff = diff(&old, &new);
            let mut uids: Vec<u32> = rows(&old).iter().map(|r| r.uid.0).collect();
            uids.retain(|uid| !diff.vanished.iter().any(|v| v.0 == *uid));
            uids.extend(diff.added.iter().map(|u| u.0));
            uids.sort_unstable();
            assert_eq!(uids, rows(&new).iter().map(|r| r.uid.0).collect::<Vec<_>>(), "\n{}", self.story());
        }
    }
}

fn simulate(seed: u64, steps: usize) {
    let mut sim = Simulation::new(seed);
    for _ in 0..steps {
        if sim.engine.crashed() {
            sim.crash();
        }
        sim.step();
    }
    sim.crash();
    sim.engine.set_faults(Faults::default());
    assert_eq!(sim.actual().unwrap(), sim.model, "\n{}", sim.story());
    let report = run(sim.store().verify_account(ANN, false)).unwrap();
    assert_eq!(report.problems, Vec::<String>::new(), "\n{}", sim.story());
}

#[test]
fn random_operations_with_faults_follow_the_model() {
    for seed in 0..240 {
        simulate(seed, 70);
    }
}

#[test]
fn long_runs_fold_and_follow_the_model() {
    for seed in 1000..1004 {
        simulate(seed, 900);
    }
}

#[test]
fn read_errors_are_told_and_pass() {
    let world = world();
    world.append("INBOX", "x");
    world.engine.set_faults(Faults { read_error_ppm: 1_000_000, ..Faults::default() });
    let result = run(world.ann.open(world.mailbox("INBOX")));
    assert!(matches!(result, Ok(_) | Err(StoreError::Read(ReadError::Unavailable(_)))));
    world.engine.set_faults(Faults::default());
    assert_eq!(world.rows("INBOX").len(), 1);
}
