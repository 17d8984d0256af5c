//! Receiving and the queue over an engine in memory: who may send what to whom, and that every accepted message
//! arrives once, wherever the process dies.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{net::SocketAddr, sync::Arc};

use yubin_base::{
    AccountId, Address, Peer, UnixMs,
    ports::{Clock, InPlace, Random},
    sasl::Authenticated,
};
use yubin_delivery::{Delivery, DeliveryOptions, Filter, State};
use yubin_directory::{Directory, DirectoryOptions, NewAccount, NewDomain, NewPassword};
use yubin_engine::{
    Engine,
    memory::{Fault, Faults, MemoryEngine},
};
use yubin_smtp::{
    envelope::{Envelope, ForwardPath, MailFrom, Notify, Orcpt, RcptTo},
    server::{Accepted, BodyFacts, BodySink, Delivered, Reception, Refusal, Service, SessionFacts},
};
use yubin_store::{Store, StoreOptions};
use yubin_testkit::{SimClock, SimRandom, block_on};

#[path = "delivery/rules.rs"]
mod rules;

const NOW: UnixMs = UnixMs(1_790_000_000_000);
const BODY: &[u8] = b"From: ann@example.test\r\nSubject: hello\r\n\r\nHi.\r\n";

struct World {
    engine: MemoryEngine,
    directory: Directory,
    store: Store,
    delivery: Delivery,
    clock: Arc<SimClock>,
}

impl World {
    /// Opens everything over an engine, as a start of the process does.
    fn open(engine: MemoryEngine) -> Self {
        let shared: Arc<dyn Engine> = Arc::new(engine.clone());
        let random: Arc<dyn Random> = Arc::new(SimRandom::new(7));
        let clock = Arc::new(SimClock::new(NOW));
        let directory = block_on(Directory::open(
            shared.clone(),
            DirectoryOptions::dev(),
            random.clone(),
            Arc::new(InPlace),
        ))
        .expect("directory");
        let options =
            StoreOptions { message_octets_max: 2 << 20, cache_octets: 1 << 20, expunged_keep_s: 3_600 };
        let store = Store::new(shared.clone(), random.clone(), options);
        let delivery = block_on(Delivery::open(
            shared,
            store.clone(),
            directory.clone(),
            random,
            clock.clone() as Arc<dyn Clock>,
            DeliveryOptions::new("mail.example.test"),
        ))
        .expect("delivery");
        Self { engine, directory, store, delivery, clock }
    }

    /// Ann and bob, an alias for both, one to the outside, and one for ann alone.
    fn new() -> Self {
        let world = Self::open(MemoryEngine::new());
        block_on(async {
            world.directory.add_domain(NewDomain::named("example.test")).await.expect("domain");
            for name in ["ann@example.test", "bob@example.test"] {
                let new = NewAccount {
                    address: name.into(),
                    password: NewPassword::Plain("secret".into()),
                    ..NewAccount::default()
                };
                let account = world.directory.add_account(new).await.expect("account");
                world.store.create_account(account.id, NOW).await.expect("mailboxes");
            }
            for (alias, targets) in [
                ("team@example.test", &["ann@example.test", "bob@example.test"][..]),
                ("out@example.test", &["someone@elsewhere.test"][..]),
                ("info@example.test", &["ann@example.test"][..]),
            ] {
                world.directory.add_alias(alias, targets).await.expect("alias");
            }
        });
        world
    }

    /// The process dies and starts again.
    fn restart(&self) -> Self {
        Self::open(self.engine.crash())
    }

    fn id(&self, name: &str) -> AccountId {
        self.directory.account_by_name(name).expect("account").id
    }

    fn session(&self, service: Service, user: Option<&str>) -> SessionFacts {
        let at = |text: &str| text.parse::<SocketAddr>().expect("address");
        SessionFacts {
            service,
            peer: Peer { remote: at("192.0.2.7:4711"), local: at("192.0.2.1:25"), tls: None },
            helo: "client.elsewhere.test".into(),
            extended: true,
            authenticated: user.map(|name| Authenticated { account: self.id(name), name: name.into() }),
            now: self.clock.now(),
        }
    }

    /// A whole transaction as a session drives it.
    fn send(
        &self,
        session: &SessionFacts,
        from: &str,
        to: &[&str],
        body: &[u8],
    ) -> Result<Accepted, Refusal> {
        let mail = MailFrom { reverse_path: Address::parse_plain(from), ..MailFrom::default() };
        block_on(async {
            self.delivery.sender(session, &mail).await?;
            let mut recipients: Vec<RcptTo> = Vec::new();
            for address in to {
                let rcpt = rcpt(address);
                self.delivery.recipient(session, &mail, &recipients, &rcpt).await?;
                recipients.push(rcpt);
            }
            let mut sink = self.delivery.begin(session, &Envelope { mail, recipients }).await?;
            for piece in body.chunks(if body.len() > 10_000 { 4_096 } else { 7 }) {
                sink.write(piece).await?;
            }
            sink.finish(BodyFacts::default()).await
        })
    }

    /// The raw messages in an INBOX, oldest first.
    fn inbox(&self, name: &str) -> Vec<String> {
        self.mailbox(name, "INBOX")
    }

    /// The raw messages in a mailbox, oldest first.
    fn mailbox(&self, name: &str, mailbox: &str) -> Vec<String> {
        block_on(async {
            let account = self.store.account(self.id(name)).await.expect("account");
            let inbox = account.mailbox_named(mailbox).expect("mailbox").id;
            let state = account.open(inbox).await.expect("open");
            let mut out = Vec::new();
            for page in state.pages.iter().flat_map(|pages| pages.iter()) {
                for row in &page.rows {
                    let record = account.record(row.doc).await.expect("record");
                    let octets = account.read(&record, 0..u64::MAX).await.expect("body");
                    out.push(String::from_utf8(octets).expect("text"));
                }
            }
            out
        })
    }

    fn work(&self) -> Option<UnixMs> {
        block_on(self.delivery.work(self.clock.now()))
    }
}

fn rcpt(address: &str) -> RcptTo {
    let forward_path = match Address::parse_plain(address) {
        Some(address) => ForwardPath::Mailbox(address),
        None => ForwardPath::Postmaster,
    };
    RcptTo {
        forward_path,
        original: address.to_owned(),
        // Elsewhere keeps what was asked.
        notify: address.starts_with("y@").then_some(Notify { success: true, ..Notify::NEVER }),
        orcpt: Some(Orcpt { address_type: "rfc822".into(), address: address.to_owned() }),
    }
}

fn code(result: &Result<Accepted, Refusal>) -> u16 {
    result.as_ref().map_or_else(|refusal| refusal.reply().code, |_| 250)
}

#[test]
fn mail_for_one_account_is_delivered_at_once_with_its_trace_fields() {
    let world = World::new();
    let session = world.session(Service::Mx, None);
    let accepted = world.send(&session, "x@elsewhere.test", &["ann+lists@example.test"], BODY).expect("250");
    assert!(world.delivery.queue().is_empty());
    let expected = format!(
        "Return-Path: <x@elsewhere.test>\r\nDelivered-To: ann+lists@example.test\r\n\
         Received: from client.elsewhere.test ([192.0.2.7])\r\n\tby mail.example.test (Yubin) with ESMTP id {}\r\n\
         \tfor <ann+lists@example.test>;\r\n\tMon, 21 Sep 2026 14:13:20 +0000\r\n{}",
        accepted.trace_id,
        String::from_utf8_lossy(BODY)
    );
    assert_eq!(world.inbox("ann@example.test"), [expected]);
}

#[test]
fn what_is_refused_and_how() {
    let world = World::new();
    let mx = world.session(Service::Mx, None);
    let ann = world.session(Service::Submission, Some("ann@example.test"));
    let two_from = b"From: ann@example.test\r\nFrom: bob@example.test\r\n\r\n";
    let others = b"From: Ann <ann@example.test>, <bob@example.test>\r\n\r\n";
    let sender = b"From: ann@example.test\r\nSender: boss@elsewhere.test\r\n\r\n";
    let hidden = b"From: \"ann@example.test\" <boss@elsewhere.test>\r\n\r\n";
    let alias = b"From: info@example.test\r\n\r\n";
    type Case<'a> = (&'a str, &'a SessionFacts, &'a str, &'a [&'a str], &'a [u8], u16);
    let cases: &[Case<'_>] = &[
        ("no relaying", &mx, "x@elsewhere.test", &["y@elsewhere.test"], BODY, 550),
        ("unknown user", &mx, "x@elsewhere.test", &["nobody@example.test"], BODY, 550),
        ("percent is no route", &mx, "x@elsewhere.test", &["y%elsewhere.test@example.test"], BODY, 550),
        ("postmaster", &mx, "x@elsewhere.test", &["postmaster"], BODY, 250),
        ("null sender", &mx, "", &["ann@example.test"], BODY, 250),
        ("own address", &ann, "ann@example.test", &["y@elsewhere.test"], BODY, 250),
        ("own subaddress", &ann, "ann+x@example.test", &["bob@example.test"], BODY, 250),
        ("own alias", &ann, "info@example.test", &["bob@example.test"], alias, 250),
        ("null sender of a client", &ann, "", &["bob@example.test"], BODY, 250),
        ("another's address", &ann, "bob@example.test", &["y@elsewhere.test"], BODY, 553),
        ("a shared alias", &ann, "team@example.test", &["y@elsewhere.test"], BODY, 553),
        ("an outside address", &ann, "x@elsewhere.test", &["y@elsewhere.test"], BODY, 553),
        ("another's From", &ann, "ann@example.test", &["bob@example.test"], others, 553),
        ("two From fields", &ann, "ann@example.test", &["bob@example.test"], two_from, 550),
        ("another's Sender", &ann, "ann@example.test", &["bob@example.test"], sender, 553),
        ("a name that looks like ours", &ann, "ann@example.test", &["bob@example.test"], hidden, 553),
        ("half an address", &ann, "ann@example.test", &["bob@example.test"], b"From: ann\r\n\r\n", 553),
    ];
    for (what, session, from, to, body, expected) in cases {
        let result = world.send(session, from, to, body);
        assert_eq!(code(&result), *expected, "{what}: {result:?}");
    }
}

#[test]
fn a_header_without_end_is_refused() {
    let world = World::new();
    let mx = world.session(Service::Mx, None);
    let long = [b"X: y\r\n".repeat(200_000), b"\r\nbody\r\n".to_vec()].concat();
    assert_eq!(code(&world.send(&mx, "x@elsewhere.test", &["ann@example.test"], &long)), 552);
    let body = [BODY.to_vec(), b"a long body\r\n".repeat(90_000)].concat();
    assert_eq!(code(&world.send(&mx, "x@elsewhere.test", &["ann@example.test"], &body)), 250);
}

#[test]
fn loops_end() {
    let world = World::new();
    let mx = world.session(Service::Mx, None);
    let hops = |n: usize| [b"Received: from a by b\r\n".repeat(n), BODY.to_vec()].concat();
    assert_eq!(code(&world.send(&mx, "x@elsewhere.test", &["ann@example.test"], &hops(49))), 250);
    assert_eq!(code(&world.send(&mx, "x@elsewhere.test", &["ann@example.test"], &hops(50))), 554);
    let seen = [b"Delivered-To: Ann@Example.test\r\n".to_vec(), BODY.to_vec()].concat();
    assert_eq!(code(&world.send(&mx, "x@elsewhere.test", &["ann@example.test"], &seen)), 554);
    assert_eq!(code(&world.send(&mx, "x@elsewhere.test", &["info@example.test"], &seen)), 554, "by an alias");
    assert_eq!(code(&world.send(&mx, "x@elsewhere.test", &["bob@example.test"], &seen)), 250);
}

#[test]
fn each_account_gets_one_copy_however_often_it_is_named() {
    let world = World::new();
    let mx = world.session(Service::Mx, None);
    let to = ["team@example.test", "ann@example.test", "ann+x@example.test", "bob@example.test"];
    world.send(&mx, "x@elsewhere.test", &to, BODY).expect("250");
    assert_eq!(world.delivery.queue().len(), 1);
    assert_eq!(world.work(), None);
    assert!(world.delivery.queue().is_empty());
    for name in ["ann@example.test", "bob@example.test"] {
        let inbox = world.inbox(name);
        assert_eq!(inbox.len(), 1, "{name}");
        assert!(!inbox[0].contains("for <"), "several recipients: Received tells of none");
    }
}

#[test]
fn mail_for_elsewhere_waits_in_the_queue_with_all_it_came_with() {
    let world = World::new();
    let ann = world.session(Service::Submission, Some("ann@example.test"));
    let accepted =
        world.send(&ann, "ann@example.test", &["y@elsewhere.test", "bob@example.test"], BODY).expect("250");
    assert_eq!(world.work(), None, "nothing to do until remote delivery");
    assert_eq!(world.inbox("bob@example.test").len(), 1);
    let world = world.restart();
    let shown = block_on(world.delivery.queue().show(accepted.trace_id)).expect("in the queue");
    assert_eq!(shown.entry.reverse_path, Address::parse_plain("ann@example.test"));
    assert_eq!(shown.entry.origin.name.as_deref(), Some("ann@example.test"));
    let waiting: Vec<_> = shown.recipients.iter().filter(|r| r.state == State::WaitingRemote).collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].original, "y@elsewhere.test");
    assert_eq!(waiting[0].notify, Some(1));
    assert_eq!(waiting[0].orcpt, Some(("rfc822".into(), "y@elsewhere.test".into())));
    let mut blobs = 0;
    block_on(world.delivery.queue().live_blobs(&mut |_| blobs += 1)).expect("blobs");
    assert_eq!(blobs, 1);
    assert_eq!(block_on(world.delivery.queue().list(&Filter::default(), 10)).expect("list").len(), 1);
    block_on(world.delivery.queue().drop_message(accepted.trace_id, NOW)).expect("dropped");
    assert!(world.delivery.queue().is_empty());
    assert!(block_on(world.delivery.queue().show(accepted.trace_id)).is_err());
}

#[test]
fn an_alias_to_elsewhere_is_forwarded_through_the_queue() {
    let world = World::new();
    let mx = world.session(Service::Mx, None);
    world.send(&mx, "x@elsewhere.test", &["out@example.test"], BODY).expect("250");
    let list = block_on(world.delivery.queue().list(&Filter::default(), 10)).expect("list");
    assert_eq!(list[0].recipients[0].target.address().to_string(), "someone@elsewhere.test");
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let world = World::new();
    block_on(world.directory.set_quota("bob@example.test", Some(10), None)).expect("quota");
    let lmtp = world.session(Service::Lmtp, None);
    let accepted = world
        .send(&lmtp, "x@elsewhere.test", &["ann@example.test", "ann+x@example.test"], BODY)
        .expect("accepted");
    assert_eq!(accepted.delivered, Delivered::ToEach(vec![Ok(()), Ok(())]));
    assert_eq!(world.inbox("ann@example.test").len(), 1, "one copy for an account");
    // Bob fits when asked (no size is declared), and not when his copy is stored.
    let accepted = world
        .send(&lmtp, "x@elsewhere.test", &["bob@example.test", "ann@example.test"], BODY)
        .expect("accepted");
    let Delivered::ToEach(results) = accepted.delivered else { panic!("one answer for each") };
    assert_eq!(results[0].as_ref().map_err(|r| r.reply().code), Err(452));
    assert_eq!(results[1], Ok(()));
    assert_eq!(world.inbox("bob@example.test").len(), 0);
    assert!(world.delivery.queue().is_empty());
}

#[test]
fn a_full_mailbox_is_told_at_rcpt_and_retried_from_the_queue() {
    let world = World::new();
    let mx = world.session(Service::Mx, None);
    block_on(world.directory.set_quota("bob@example.test", None, Some(1))).expect("quota");
    let both = ["ann@example.test", "bob@example.test"];
    world.send(&mx, "x@elsewhere.test", &both, BODY).expect("room when asked");
    world.send(&mx, "x@elsewhere.test", &both, BODY).expect("still room: the first waits in the queue");
    let next = world.work().expect("one of bob's waits");
    assert_eq!(next, NOW.plus_ms(60_000));
    assert_eq!(world.inbox("bob@example.test").len(), 1);
    assert_eq!(code(&world.send(&mx, "x@elsewhere.test", &["bob@example.test"], BODY)), 452);
    let list = block_on(world.delivery.queue().list(&Filter::default(), 10)).expect("list");
    let deferred = list[0].recipients.iter().filter(|r| matches!(r.state, State::Deferred { .. })).count();
    assert_eq!((list.len(), deferred), (1, 1));
    block_on(world.directory.set_quota("bob@example.test", None, None)).expect("quota");
    world.clock.advance_ms(60_000);
    assert_eq!(world.work(), None);
    assert_eq!(world.inbox("bob@example.test").len(), 2);
    assert_eq!(world.inbox("ann@example.test").len(), 2, "ann's copies were not repeated");
}

#[test]
fn a_full_disk_is_told_before_the_body() {
    let world = World::new();
    world.engine.set_faults(Faults { disk_full: true, ..Faults::default() });
    let mx = world.session(Service::Mx, None);
    assert_eq!(code(&world.send(&mx, "x@elsewhere.test", &["ann@example.test"], BODY)), 452);
}

#[test]
fn wherever_the_process_dies_each_recipient_gets_exactly_one_copy() {
    let faults = [
        Fault::CrashBeforeApply,
        Fault::CrashAfterApply,
        Fault::CrashAfterFlush,
        Fault::UnknownWithEffect,
        Fault::UnknownWithoutEffect,
        Fault::Conflict,
        Fault::FlushError,
    ];
    let mut died = 0;
    for fault in faults {
        for step in 0..6 {
            let world = World::new();
            let mx = world.session(Service::Mx, None);
            world.send(&mx, "x@elsewhere.test", &["team@example.test"], BODY).expect("250");
            let plan = vec![(world.engine.attempts() + step, fault)];
            world.engine.set_faults(Faults { plan, lose_blobs: true, lose_lazy: true, ..Faults::default() });
            // A crashed engine answers nobody any more: the work may never end.
            let clock = world.clock.clone();
            let delivery = world.delivery.clone();
            let mut work = Box::pin(async move { delivery.work(clock.now()).await });
            for _ in 0..100 {
                if yubin_testkit::poll_once(work.as_mut()).is_some() {
                    break;
                }
            }
            drop(work);
            died += u32::from(world.engine.crashed());
            let world = world.restart();
            world.engine.set_faults(Faults::default());
            world.clock.advance_ms(3_600_000);
            assert_eq!(world.work(), None, "{fault:?} at step {step}");
            for name in ["ann@example.test", "bob@example.test"] {
                assert_eq!(world.inbox(name).len(), 1, "{name} after {fault:?} at step {step}");
            }
            assert!(world.delivery.queue().is_empty(), "{fault:?} at step {step}");
        }
    }
    assert!(died >= 6, "the plan hit: {died}");
}

#[test]
fn nothing_is_promised_when_the_commit_is_in_doubt() {
    for fault in [Fault::UnknownWithoutEffect, Fault::FlushError, Fault::Full] {
        for to in [&["ann@example.test"][..], &["team@example.test"][..]] {
            let world = World::new();
            let plan = (0..12).map(|n| (world.engine.attempts() + n, fault)).collect();
            world.engine.set_faults(Faults { plan, ..Faults::default() });
            let mx = world.session(Service::Mx, None);
            let result = world.send(&mx, "x@elsewhere.test", to, BODY);
            let refusal = result.expect_err("no promise");
            assert!(refusal.is_temporary(), "{fault:?}: {refusal:?}");
        }
    }
}
