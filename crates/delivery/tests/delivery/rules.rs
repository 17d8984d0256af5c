//! Delivery by rules: where copies go, what is sent on, refused and answered, and that no step is done twice where once is promised.

use super::*;

const MX: Service = Service::Mx;

fn world(script: &str) -> World {
    let world = World::new();
    rule(&world, "ann@example.test", "main", script, true);
    world
}

fn rule(world: &World, account: &str, name: &str, script: &str, active: bool) {
    yubin_sieve_check(script);
    block_on(async {
        let account = world.store.account(world.id(account)).await.expect("account");
        account.put_script(name, script, active, NOW).await.expect("script");
    });
}

/// A script of a test must compile, or the test says nothing.
fn yubin_sieve_check(script: &str) {
    yubin_sieve::compile(script).expect("the script compiles");
}

fn mail(world: &World, from: &str, to: &str, fields: &str) {
    let body = format!("From: {from}\r\nTo: {to}\r\n{fields}\r\nHi.\r\n");
    world.send(&world.session(MX, None), from, &[to], body.as_bytes()).expect("250");
    world.work();
}

/// What waits for other hosts: sender and recipient.
fn waiting(world: &World) -> Vec<String> {
    let listed = block_on(world.delivery.queue().list(&Filter::default(), 100)).expect("queue");
    let mut out: Vec<String> = listed
        .iter()
        .flat_map(|message| {
            let from = message.entry.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
            message.recipients.iter().map(move |r| format!("<{from}> to {}", r.target.address()))
        })
        .collect();
    out.sort();
    out
}

#[test]
fn copies_go_where_the_script_says() {
    let world = world(
        "require [\"fileinto\", \"imap4flags\", \"mailbox\"];
         if header :contains \"subject\" \"invoice\" { fileinto :create :flags [\"\\\\Seen\", \"$Work\"] \"Bills/2026\"; }
         elsif header :contains \"subject\" \"spam\" { discard; }
         elsif header :contains \"subject\" \"nowhere\" { fileinto \"Missing\"; }
         elsif header :contains \"subject\" \"both\" { fileinto \"Archive\"; keep; }",
    );
    for subject in ["an invoice", "spam", "nowhere", "both", "hello"] {
        mail(&world, "x@elsewhere.test", "ann@example.test", &format!("Subject: {subject}\r\n"));
    }
    assert_eq!(world.mailbox("ann@example.test", "Bills/2026").len(), 1);
    assert_eq!(world.mailbox("ann@example.test", "Archive").len(), 1);
    // A mailbox that is not there: kept rather than lost (RFC 5228 §4.1).
    assert_eq!(world.inbox("ann@example.test").len(), 3);
    assert!(world.delivery.queue().is_empty());
    let account = block_on(world.store.account(world.id("ann@example.test"))).expect("account");
    let bills = block_on(account.open(account.mailbox_named("Bills/2026").expect("made").id)).expect("open");
    assert_eq!(bills.counts.unseen, 0);
    assert_eq!(bills.keywords.iter().map(|k| k.as_str()).collect::<Vec<_>>(), ["$Work"]);
}

#[test]
fn a_script_that_fails_keeps_the_message() {
    let world = world("require \"ihave\"; error \"no\";");
    mail(&world, "x@elsewhere.test", "ann@example.test", "Subject: a\r\n");
    assert_eq!(world.inbox("ann@example.test").len(), 1);
}

#[test]
fn redirected_mail_keeps_its_sender_and_ends_when_it_comes_back() {
    let world = world("redirect \"someone@elsewhere.test\";");
    mail(&world, "x@elsewhere.test", "ann@example.test", "Subject: a\r\n");
    assert_eq!(waiting(&world), ["<x@elsewhere.test> to someone@elsewhere.test"]);
    assert!(world.inbox("ann@example.test").is_empty());
    // As the other server sends it back.
    let back = b"Delivered-To: ann@example.test\r\nSubject: a\r\n\r\nHi.\r\n";
    let result = world.send(&world.session(MX, None), "x@elsewhere.test", &["ann@example.test"], back);
    assert_eq!(code(&result), 554);
}

#[test]
fn a_redirection_to_an_account_here_is_delivered_here() {
    let world = world("require \"copy\"; redirect :copy \"bob@example.test\";");
    mail(&world, "x@elsewhere.test", "ann@example.test", "Subject: a\r\n");
    world.work();
    assert_eq!(world.inbox("ann@example.test").len(), 1);
    let copies = world.inbox("bob@example.test");
    assert_eq!(copies.len(), 1);
    assert!(
        copies[0].contains("Delivered-To: bob@example.test\r\nDelivered-To: ann@example.test\r\n"),
        "{}",
        copies[0]
    );
}

#[test]
fn a_redirection_to_nobody_here_keeps_the_message() {
    let world = world("redirect \"nobody@example.test\";");
    mail(&world, "x@elsewhere.test", "ann@example.test", "Subject: a\r\n");
    assert_eq!(world.inbox("ann@example.test").len(), 1);
    assert!(world.delivery.queue().is_empty());
}

#[test]
fn accounts_that_send_on_to_one_another_end_the_round() {
    let world = world("redirect \"bob@example.test\";");
    rule(&world, "bob@example.test", "main", "redirect \"ann@example.test\";", true);
    mail(&world, "x@elsewhere.test", "ann@example.test", "Subject: a\r\n");
    assert_eq!(world.work(), None, "the queue comes to rest");
    assert!(world.delivery.queue().is_empty());
    assert_eq!((world.inbox("ann@example.test").len(), world.inbox("bob@example.test").len()), (1, 0));
}

#[test]
fn an_account_that_sends_on_under_ever_new_names_of_its_own_ends_too() {
    let world = world(
        "require [\"envelope\", \"variables\", \"subaddress\"];
         if envelope :matches :localpart \"to\" \"*\" { redirect \"${1}+x@example.test\"; }",
    );
    mail(&world, "x@elsewhere.test", "ann+a@example.test", "Subject: a\r\n");
    assert_eq!(world.work(), None, "the queue comes to rest");
    assert!(world.delivery.queue().is_empty());
    assert_eq!(world.inbox("ann@example.test").len(), 1);
}

#[test]
fn a_rejection_is_told_before_the_message_is_ours() {
    let world = world("require \"reject\"; reject \"No room\r\nfor this.\";");
    let refused = world.send(&world.session(MX, None), "x@elsewhere.test", &["ann@example.test"], BODY);
    let reply = refused.expect_err("refused").reply().clone();
    assert_eq!((reply.code, reply.text.as_ref()), (550, "No room for this."));
    assert!(world.delivery.queue().is_empty());
}

#[test]
fn a_rejection_by_one_of_several_is_reported_to_users_and_not_to_strangers() {
    let world = world("require \"reject\"; reject \"No room\r\nfor this.\";");
    let both = ["ann@example.test", "bob@example.test"];
    world.send(&world.session(MX, None), "x@elsewhere.test", &both, BODY).expect("250");
    world.work();
    assert!(world.delivery.queue().is_empty(), "nobody is told, nothing stays");
    let session = world.session(Service::Submission, Some("bob@example.test"));
    let body = b"From: bob@example.test\r\nSubject: a\r\n\r\nHi.\r\n";
    world.send(&session, "bob@example.test", &both, body).expect("250");
    world.work();
    world.work();
    let got = world.inbox("bob@example.test");
    let reports: Vec<_> = got.iter().filter(|m| m.contains("Status: 5.7.1\r\n")).collect();
    assert_eq!((got.len(), reports.len()), (3, 1));
    assert!(reports[0].contains("No room for this."), "{}", reports[0]);
    assert!(world.inbox("ann@example.test").is_empty());
}

#[test]
fn lmtp_says_the_rejection_itself() {
    let world = world("require \"ereject\"; ereject \"No room\";");
    let session = world.session(Service::Lmtp, None);
    let accepted = world.send(&session, "x@elsewhere.test", &["ann@example.test", "bob@example.test"], BODY);
    let Delivered::ToEach(results) = accepted.expect("accepted").delivered else { panic!("LMTP tells each") };
    let reply = results[0].as_ref().expect_err("refused").reply();
    assert_eq!((reply.code, reply.text.as_ref()), (550, "No room"));
    assert!(results[1].is_ok());
}

#[test]
fn people_are_answered_once_in_a_while_and_machines_never() {
    let world = world("require \"vacation\"; vacation :days 1 :subject \"休暇中\" \"Back on Monday.\";");
    let arrive =
        |from: &str, to: &str, fields: &str| mail(&world, from, to, &format!("Subject: a\r\n{fields}"));
    arrive("x@elsewhere.test", "ann@example.test", "Message-ID: <1@elsewhere.test>\r\n");
    assert_eq!(waiting(&world), ["<> to x@elsewhere.test"]);
    arrive("x@elsewhere.test", "ann@example.test", "");
    assert_eq!(waiting(&world).len(), 1, "not twice within a day");
    // Lists, machines, and mail that is for somebody else by its header: no answer.
    arrive("y@elsewhere.test", "ann@example.test", "List-Id: <l.elsewhere.test>\r\n");
    arrive("y@elsewhere.test", "ann@example.test", "Auto-Submitted: auto-replied\r\n");
    arrive("mailer-daemon@elsewhere.test", "ann@example.test", "");
    let blind = b"From: y@elsewhere.test\r\nTo: others@elsewhere.test\r\n\r\nHi.\r\n";
    world.send(&world.session(MX, None), "y@elsewhere.test", &["ann@example.test"], blind).expect("250");
    world.work();
    assert_eq!(waiting(&world).len(), 1);
    // An alias is the account's own address.
    arrive("y@elsewhere.test", "info@example.test", "");
    assert_eq!(waiting(&world).len(), 2);
    world.clock.advance_ms(25 * 3_600_000);
    arrive("x@elsewhere.test", "ann@example.test", "");
    assert_eq!(waiting(&world).len(), 3, "a day later once more");
    assert_eq!(world.inbox("ann@example.test").len(), 8, "all of it is kept");
}

#[test]
fn an_answer_to_an_account_here_reads_as_it_should() {
    let world = world("require \"vacation\"; vacation :subject \"休暇中\" \"月曜に戻ります。\";");
    mail(&world, "bob@example.test", "ann@example.test", "Subject: a\r\nMessage-ID: <1@example.test>\r\n");
    world.work();
    let answers = world.inbox("bob@example.test");
    assert_eq!(answers.len(), 1);
    let parsed = yubin_formats::mail::parse(answers[0].as_bytes());
    assert_eq!(parsed.subject(), "休暇中");
    for line in [
        "Return-Path: <>\r\n",
        "From: ann@example.test\r\n",
        "To: bob@example.test\r\n",
        "In-Reply-To: <1@example.test>\r\n",
        "Auto-Submitted: auto-replied (vacation)\r\n",
        "5pyI5puc44Gr5oi744KK44G+44GZ44CCDQo=\r\n",
    ] {
        assert!(answers[0].contains(line), "{line} is not in {}", answers[0]);
    }
}

#[test]
fn a_duplicate_is_known_by_its_id() {
    let world = world("require \"duplicate\"; if duplicate { discard; }");
    for id in ["<1@x.test>", "<1@x.test>", "<2@x.test>"] {
        mail(&world, "x@elsewhere.test", "ann@example.test", &format!("Message-ID: {id}\r\n"));
    }
    assert_eq!(world.inbox("ann@example.test").len(), 2);
}

#[test]
fn a_changed_header_stands_in_the_copy_and_the_body_stays() {
    let world = world(
        "require [\"editheader\", \"body\"]; deleteheader \"X-Old\"; addheader \"X-New\" \"yes\";
         if not body :contains \"Hi.\" { discard; }",
    );
    mail(&world, "x@elsewhere.test", "ann@example.test", "X-Old: 1\r\nSubject: a\r\n");
    let copies = world.inbox("ann@example.test");
    assert!(copies[0].contains("X-New: yes\r\n") && !copies[0].contains("X-Old"), "{}", copies[0]);
    assert!(copies[0].ends_with("Subject: a\r\n\r\nHi.\r\n"), "{}", copies[0]);
}

#[test]
fn scripts_include_one_another() {
    let world = world("require \"include\"; include \"lists\"; include :optional \"missing\";");
    rule(&world, "ann@example.test", "lists", "require \"fileinto\"; fileinto \"Archive\";", false);
    mail(&world, "x@elsewhere.test", "ann@example.test", "Subject: a\r\n");
    assert_eq!(world.mailbox("ann@example.test", "Archive").len(), 1);
    assert!(world.inbox("ann@example.test").is_empty());
}

#[test]
fn wherever_the_process_dies_rules_store_each_copy_once() {
    let faults =
        [Fault::CrashBeforeApply, Fault::CrashAfterApply, Fault::CrashAfterFlush, Fault::UnknownWithEffect];
    let mut died = 0;
    for fault in faults {
        for step in 0..8 {
            let world = world(
                "require [\"fileinto\", \"copy\"]; fileinto \"Archive\"; keep; redirect :copy \"z@elsewhere.test\";",
            );
            let body = b"Subject: a\r\n\r\nHi.\r\n";
            world
                .send(&world.session(MX, None), "x@elsewhere.test", &["ann@example.test"], body)
                .expect("250");
            let plan = vec![(world.engine.attempts() + step, fault)];
            world.engine.set_faults(Faults { plan, lose_blobs: true, lose_lazy: true, ..Faults::default() });
            let (clock, delivery) = (world.clock.clone(), world.delivery.clone());
            let mut work = Box::pin(async move { delivery.work(clock.now()).await });
            for _ in 0..200 {
                if yubin_testkit::poll_once(work.as_mut()).is_some() {
                    break;
                }
            }
            drop(work);
            died += u32::from(world.engine.crashed());
            let world = world.restart();
            world.engine.set_faults(Faults::default());
            world.clock.advance_ms(3_600_000);
            world.work();
            let at = format!("{fault:?} at step {step}");
            assert_eq!(world.inbox("ann@example.test").len(), 1, "INBOX, {at}");
            assert_eq!(world.mailbox("ann@example.test", "Archive").len(), 1, "Archive, {at}");
            assert_eq!(waiting(&world), ["<x@elsewhere.test> to z@elsewhere.test"], "{at}");
        }
    }
    assert!(died >= 6, "the plan hit: {died}");
}
