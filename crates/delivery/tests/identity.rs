//! Mail from strangers: what is found out about its sender, what is written on top of it, and what becomes of it. RFC 8601, RFC 9989.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use yubin_base::{
    Address, Peer, UnixMs,
    dns::{Answer, AnyResolver, DnsError, Lookup, Mx, Resolver, Tlsa},
    ports::{Clock, InPlace, Random},
    sasl::Authenticated,
};
use yubin_delivery::{Delivery, DeliveryOptions, DmarcAction, Judging};
use yubin_directory::{Directory, DirectoryOptions, NewAccount, NewDomain, NewPassword};
use yubin_engine::{Engine, memory::MemoryEngine};
use yubin_smtp::{
    envelope::{Envelope, ForwardPath, MailFrom, RcptTo},
    server::{Accepted, BodyFacts, BodySink, Reception, Refusal, Service, SessionFacts},
};
use yubin_store::{Store, StoreOptions};
use yubin_testkit::{SimClock, SimRandom, block_on};

const NOW: UnixMs = UnixMs(1_790_000_000_000);

/// bank.test asks for refusal, shop.test for junk, plain.test for nothing; 192.0.2.7 may send for all of them.
struct Zone {
    clock: Arc<SimClock>,
    /// Whether nothing is ever answered, and every question takes five seconds.
    dead: bool,
    asked: Arc<AtomicU32>,
}

impl Zone {
    fn find<T>(&self, records: &[(&str, T)], name: &str) -> Lookup<T>
    where
        T: Clone,
    {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.dead {
            self.clock.advance_ms(5_000);
            return Err(DnsError::Temporary);
        }
        let found: Vec<T> =
            records.iter().filter(|(of, _)| *of == name).map(|(_, record)| record.clone()).collect();
        if found.is_empty() { Err(DnsError::NxDomain { secure: false }) } else { Ok(Answer::insecure(found)) }
    }
}

impl Resolver for Zone {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        let text = |name, text: &str| (name, text.as_bytes().to_vec());
        let all = [
            text("bank.test", "v=spf1 ip4:192.0.2.7 -all"),
            text("shop.test", "v=spf1 ip4:192.0.2.7 -all"),
            text("_dmarc.bank.test", "v=DMARC1; p=reject"),
            text("_dmarc.shop.test", "v=DMARC1; p=quarantine"),
        ];
        self.find(&all, name)
    }
    async fn a(&self, name: &str) -> Lookup<Ipv4Addr> {
        self.find(&[("out.bank.test", Ipv4Addr::new(192, 0, 2, 7))], name)
    }
    async fn aaaa(&self, name: &str) -> Lookup<Ipv6Addr> {
        self.find(&[], name)
    }
    async fn mx(&self, name: &str) -> Lookup<Mx> {
        self.find(&[], name)
    }
    async fn ptr(&self, name: &str) -> Lookup<String> {
        self.find(&[("7.2.0.192.in-addr.arpa", "out.bank.test".to_owned())], name)
    }
    async fn tlsa(&self, name: &str) -> Lookup<Tlsa> {
        self.find(&[], name)
    }
}

struct World {
    directory: Directory,
    store: Store,
    delivery: Delivery,
    clock: Arc<SimClock>,
    asked: Arc<AtomicU32>,
}

impl World {
    fn new(dmarc: DmarcAction, dead: bool) -> Self {
        let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
        let random: Arc<dyn Random> = Arc::new(SimRandom::new(7));
        let clock = Arc::new(SimClock::new(NOW));
        let open =
            Directory::open(engine.clone(), DirectoryOptions::dev(), random.clone(), Arc::new(InPlace));
        let directory = block_on(open).expect("directory");
        let options =
            StoreOptions { message_octets_max: 2 << 20, cache_octets: 1 << 20, expunged_keep_s: 3_600 };
        let store = Store::new(engine.clone(), random.clone(), options);
        let asked = Arc::new(AtomicU32::new(0));
        let zone = Zone { clock: clock.clone(), dead, asked: asked.clone() };
        let judging = Judging::new(AnyResolver::new(zone), dmarc, Vec::new());
        let options = DeliveryOptions { judging: Some(judging), ..DeliveryOptions::new("mail.example.test") };
        let open = Delivery::open(
            engine,
            store.clone(),
            directory.clone(),
            random,
            clock.clone() as Arc<dyn Clock>,
            options,
        );
        let delivery = block_on(open).expect("delivery");
        block_on(async {
            directory.add_domain(NewDomain::named("example.test")).await.expect("domain");
            for name in ["ann@example.test", "bob@example.test"] {
                let password = NewPassword::Plain("secret".into());
                let new = NewAccount { address: name.into(), password, ..NewAccount::default() };
                let account = directory.add_account(new).await.expect("account");
                store.create_account(account.id, NOW).await.expect("mailboxes");
            }
        });
        Self { directory, store, delivery, clock, asked }
    }

    fn session(&self, service: Service, remote: &str, user: Option<&str>) -> SessionFacts {
        let remote = SocketAddr::new(remote.parse().unwrap(), 4711);
        let login = |name: &str| Authenticated {
            account: self.directory.account_by_name(name).unwrap().id,
            name: name.into(),
        };
        SessionFacts {
            service,
            peer: Peer { remote, local: "192.0.2.1:25".parse().unwrap(), tls: None },
            helo: "out.bank.test".into(),
            extended: true,
            authenticated: user.map(login),
            now: self.clock.now(),
        }
    }

    fn deliver(
        &self,
        session: &SessionFacts,
        from: &str,
        to: &[&str],
        message: &str,
    ) -> Result<Accepted, Refusal> {
        let mail = MailFrom { reverse_path: Address::parse_plain(from), ..MailFrom::default() };
        let recipients = to
            .iter()
            .map(|to| RcptTo {
                forward_path: ForwardPath::Mailbox(Address::parse_plain(to).unwrap()),
                original: (*to).to_owned(),
                notify: None,
                orcpt: None,
            })
            .collect();
        let accepted = block_on(async {
            let mut sink = self.delivery.begin(session, &Envelope { mail, recipients }).await?;
            for piece in message.as_bytes().chunks(13) {
                sink.write(piece).await?;
            }
            sink.finish(BodyFacts::default()).await
        });
        block_on(self.delivery.work(self.clock.now()));
        accepted
    }

    /// From a stranger at this address to ann.
    fn from(&self, remote: &str, sender: &str, message: &str) -> Result<Accepted, Refusal> {
        self.deliver(&self.session(Service::Mx, remote, None), sender, &["ann@example.test"], message)
    }

    fn mailbox(&self, name: &str, mailbox: &str) -> Vec<String> {
        block_on(async {
            let account = self.directory.account_by_name(name).unwrap().id;
            let account = self.store.account(account).await.unwrap();
            let id = account.mailbox_named(mailbox).unwrap().id;
            let state = account.open(id).await.unwrap();
            let mut out = Vec::new();
            for row in state.pages.iter().flat_map(|pages| pages.iter()).flat_map(|page| page.rows.iter()) {
                let record = account.record(row.doc).await.unwrap();
                out.push(String::from_utf8(account.read(&record, 0..u64::MAX).await.unwrap()).unwrap());
            }
            out
        })
    }

    fn found(&self) -> (Vec<String>, Vec<String>) {
        (self.mailbox("ann@example.test", "INBOX"), self.mailbox("ann@example.test", "Junk"))
    }
}

fn reply(result: &Result<Accepted, Refusal>) -> (u16, &str) {
    match result {
        Ok(_) => (250, ""),
        Err(refusal) => (refusal.reply().code, &refusal.reply().text),
    }
}

const FROM_BANK: &str = "From: Bank <info@bank.test>\r\nSubject: x\r\n\r\nHi.\r\n";
const FROM_SHOP: &str = "From: info@shop.test\r\n\r\nHi.\r\n";
const HOME: &str = "192.0.2.7";
const ELSEWHERE: &str = "198.51.100.9";

#[test]
fn what_was_found_stands_above_the_message() {
    let world = World::new(DmarcAction::Reject, false);
    assert_eq!(reply(&world.from(HOME, "bounce@bank.test", FROM_BANK)).0, 250);
    let (inbox, junk) = world.found();
    assert!(junk.is_empty());
    let expected = "Return-Path: <bounce@bank.test>\r\nDelivered-To: ann@example.test\r\n\
         Authentication-Results: mail.example.test;\r\n\
         \tiprev=pass (out.bank.test) policy.iprev=192.0.2.7;\r\n\
         \tspf=pass smtp.mailfrom=bank.test;\r\n\
         \tdmarc=pass (p=reject) header.from=bank.test;\r\n\
         \tdkim=none\r\nReceived: from out.bank.test ([192.0.2.7])";
    assert!(inbox[0].starts_with(expected), "{}", inbox[0]);
    assert!(inbox[0].ends_with(FROM_BANK), "{}", inbox[0]);
}

#[test]
fn each_action_does_what_it_says() {
    for (action, bank, shop) in [
        (DmarcAction::Reject, "refused", "junk"),
        (DmarcAction::Quarantine, "junk", "junk"),
        (DmarcAction::Mark, "inbox", "inbox"),
    ] {
        for (message, expected) in
            [(FROM_BANK, bank), (FROM_SHOP, shop), ("From: a@plain.test\r\n\r\n", "inbox")]
        {
            let world = World::new(action, false);
            let result = world.from(ELSEWHERE, "x@elsewhere.test", message);
            let (inbox, junk) = world.found();
            let became = match (reply(&result).0, inbox.len(), junk.len()) {
                (250, 1, 0) => "inbox",
                (250, 0, 1) => "junk",
                (550, 0, 0) => "refused",
                other => panic!("{other:?}"),
            };
            assert_eq!(became, expected, "{action:?} {message}");
            if message == FROM_BANK && expected != "refused" {
                assert!(
                    inbox
                        .iter()
                        .chain(&junk)
                        .all(|m| m.contains("dmarc=fail (p=reject) header.from=bank.test"))
                );
            }
        }
    }
}

#[test]
fn junk_for_several_goes_through_the_queue_with_its_results() {
    let world = World::new(DmarcAction::Quarantine, false);
    let session = world.session(Service::Mx, ELSEWHERE, None);
    let both = ["ann@example.test", "bob@example.test"];
    assert_eq!(reply(&world.deliver(&session, "x@elsewhere.test", &both, FROM_SHOP)).0, 250);
    for name in both {
        let junk = world.mailbox(name, "Junk");
        assert!(junk.len() == 1 && junk[0].contains("dmarc=fail"), "{name}: {junk:?}");
    }
}

/// S/M rows of the catalogue of attacks: From confusion.
#[test]
fn strangers_must_show_one_author() {
    for (header, text) in [
        ("Subject: x\r\n", "A message needs a From field with an address"),
        ("From: Ann\r\n", "A message needs a From field with an address"),
        ("From: a@plain.test\r\nFrom: b@bank.test\r\n", "A message needs one From field"),
        ("From: a@plain.test, b@bank.test\r\n", "A message needs one From field"),
        (" From: a@plain.test\r\nFrom: b@bank.test\r\n", "A message needs one From field"),
        ("From: <@bank.test:a@plain.test>\r\n", "A message needs one From field"),
    ] {
        let message = format!("{header}\r\nHi.\r\n");
        let world = World::new(DmarcAction::Quarantine, false);
        let result = world.from(HOME, "x@elsewhere.test", &message);
        assert!(reply(&result).0 == 550 && reply(&result).1.starts_with(text), "{header}: {result:?}");
        assert_eq!(world.found(), (vec![], vec![]));
        // Our own users, and transfer agents that are trusted, are not asked.
        let lmtp = world.session(Service::Lmtp, "127.0.0.1", None);
        assert_eq!(reply(&world.deliver(&lmtp, "x@elsewhere.test", &["ann@example.test"], &message)).0, 250);
    }
}

/// Spoofed results: nobody but us speaks in our name.
#[test]
fn forged_results_are_taken_out_on_every_way_in_but_a_trusted_one() {
    let forged = "Authentication-Results: mail.example.test; dmarc=pass header.from=bank.test\r\nX-Yubin-Verdict: fine\r\n";
    let other = "Authentication-Results: mail.other.test; dmarc=fail\r\n";
    let message = format!("{forged}From: ann@example.test\r\n{other}\r\n{forged}Hi.\r\n");
    let world = World::new(DmarcAction::Quarantine, false);
    for session in [
        world.session(Service::Mx, HOME, None),
        world.session(Service::Submission, HOME, Some("ann@example.test")),
    ] {
        assert_eq!(
            reply(&world.deliver(&session, "ann@example.test", &["bob@example.test"], &message)).0,
            250
        );
        let stored = world.mailbox("bob@example.test", "INBOX").pop().unwrap();
        let (header, body) = stored.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, format!("{forged}Hi.\r\n"));
        assert!(!header.contains("X-Yubin") && !header.contains("dmarc=pass"), "{header}");
        assert!(header.contains(other.trim_end()), "{header}");
    }
    let lmtp = world.session(Service::Lmtp, "127.0.0.1", None);
    assert_eq!(reply(&world.deliver(&lmtp, "x@elsewhere.test", &["bob@example.test"], &message)).0, 250);
    assert!(world.mailbox("bob@example.test", "INBOX").pop().unwrap().contains("X-Yubin-Verdict"));
}

#[test]
fn our_own_users_and_lmtp_are_not_judged() {
    let world = World::new(DmarcAction::Reject, false);
    let ann = world.session(Service::Submission, ELSEWHERE, Some("ann@example.test"));
    let message = "From: ann@example.test\r\n\r\nHi.\r\n";
    assert_eq!(reply(&world.deliver(&ann, "ann@example.test", &["bob@example.test"], message)).0, 250);
    let lmtp = world.session(Service::Lmtp, ELSEWHERE, None);
    assert_eq!(reply(&world.deliver(&lmtp, "x@bank.test", &["bob@example.test"], FROM_BANK)).0, 250);
    assert!(world.mailbox("bob@example.test", "INBOX").iter().all(|m| !m.contains("Authentication-Results")));
    assert_eq!(world.asked.load(Ordering::Relaxed), 0);
}

#[test]
fn a_silent_dns_neither_loses_nor_holds_up_mail() {
    let world = World::new(DmarcAction::Reject, true);
    assert_eq!(reply(&world.from(ELSEWHERE, "x@bank.test", FROM_BANK)).0, 250);
    let (inbox, _) = world.found();
    assert!(inbox[0].contains("spf=temperror") && inbox[0].contains("dmarc=temperror"), "{}", inbox[0]);
    // Two questions took the ten seconds there are, and one told that nobody answers. The next messages do not wait.
    assert_eq!(world.asked.load(Ordering::Relaxed), 3);
    assert_eq!(world.clock.now().since(NOW), 15_000);
    assert_eq!(reply(&world.from(ELSEWHERE, "x@bank.test", FROM_BANK)).0, 250);
    assert_eq!(world.asked.load(Ordering::Relaxed), 3);
    world.clock.advance_ms(30_000);
    assert_eq!(reply(&world.from(ELSEWHERE, "x@bank.test", FROM_BANK)).0, 250);
    assert_eq!(world.asked.load(Ordering::Relaxed), 6);
}

#[test]
fn a_header_that_cannot_be_judged_is_refused() {
    let world = World::new(DmarcAction::Mark, false);
    let hidden =
        format!("From: a@plain.test\r\n{}From: b@bank.test\r\n\r\n", "X: 0123456789\r\n".repeat(20_000));
    assert_eq!(reply(&world.from(HOME, "x@plain.test", &hidden)).0, 552);
    // A header without a body, and a body without a header, arrive as they are.
    assert_eq!(reply(&world.from(HOME, "x@plain.test", "From: a@plain.test\r\n")).0, 250);
    assert_eq!(reply(&world.from(HOME, "x@plain.test", "\r\nOnly a body.\r\n")).0, 250);
    let (inbox, _) = world.found();
    assert!(inbox[0].ends_with("+0000\r\nFrom: a@plain.test\r\n"), "{}", inbox[0]);
    assert!(inbox[1].ends_with("+0000\r\n\r\nOnly a body.\r\n"), "{}", inbox[1]);
}
