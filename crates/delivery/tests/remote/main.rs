//! Sending to simulated hosts: who gets what, when it is tried again, what the sender is told, and that no message is lost wherever the process dies.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod world;

use std::collections::BTreeMap;

use world::{Host, NOW, World};
use yubin_base::{
    dns::{DnsError, Tlsa},
    ports::Clock,
};
use yubin_delivery::{
    State,
    remote::{RetrySchedule, RouteRule, RouteTls, SendOptions},
};
use yubin_engine::memory::{Fault, Faults};
use yubin_smtp::{envelope::Notify, server::Service};
use yubin_testkit::block_on;

fn refusing(address: &str, reply: &str) -> Host {
    Host { rcpt: BTreeMap::from([(address.to_owned(), reply.to_owned())]), ..Host::default() }
}

#[test]
fn a_message_goes_to_the_mx_and_leaves_the_queue() {
    let world = World::new();
    let accepted = world.submit(&["bob@far.test", "eve@far.test"]);
    assert_eq!(world.work(), None);
    let taken = world.net.taken(1);
    assert_eq!(taken.len(), 1, "one transaction for both");
    assert_eq!(taken[0].0, ["bob@far.test", "eve@far.test"]);
    assert!(taken[0].1.ends_with("\r\nHi.\r\n..\r\n"), "dots are stuffed: {}", taken[0].1);
    assert!(
        taken[0].1.starts_with("Received: from mail.example.test (authenticated user)"),
        "{}",
        taken[0].1
    );
    assert!(world.queue().is_empty());
    assert!(world.inbox().is_empty(), "nothing to report");
    let history = world.history(&accepted.trace_id.to_string());
    assert!(
        history[0].starts_with("accepted ann@example.test: by submission from 198.51.100.7"),
        "{history:?}"
    );
    let sent = history.iter().filter(|line| line.starts_with("sent ")).count();
    assert_eq!(sent, 2, "{history:?}");
    assert!(
        history.last().unwrap().ends_with("mx.far.test [192.0.2.1] (no TLS): 250 2.0.0 taken"),
        "{history:?}"
    );
    assert_eq!(world.history("<1@example.test>"), history);
    assert_eq!(world.history("BOB@far.test"), history);
}

#[test]
fn hosts_are_tried_in_order_and_a_refused_connection_leads_to_the_next() {
    let world = World::new();
    world.mx("far.test", &[(20, "mx.far.test"), (10, "down.far.test"), (15, "busy.far.test")]);
    world.net.host("down.far.test", 2, Host { refuses: true, ..Host::default() });
    world.net.host("busy.far.test", 3, Host { greeting: Some("421 4.3.2 busy".into()), ..Host::default() });
    world.submit(&["bob@far.test"]);
    assert_eq!(world.work(), None);
    assert_eq!((world.net.taken(1).len(), world.net.connections(3)), (1, 1));
}

#[test]
fn domains_that_take_no_mail_are_told_at_once() {
    for (dns, words) in [
        (Err(DnsError::NxDomain { secure: false }), "does not exist"),
        (Ok(vec![(0, "")]), "null MX"),
        (Ok(vec![(10, "mail.example.test"), (20, "mx.far.test")]), "leads back to this server"),
    ] {
        let world = World::new();
        world.net.0.lock().unwrap().mx.insert("far.test".into(), dns);
        world.submit(&["bob@far.test"]);
        assert_eq!(world.work(), None);
        assert!(world.queue().is_empty());
        let inbox = world.inbox();
        assert_eq!(inbox.len(), 1);
        assert!(inbox[0].contains(words), "{words}: {}", inbox[0]);
        assert_eq!(world.net.connections(1), 0);
    }
}

#[test]
fn without_mx_the_domain_itself_is_the_host() {
    let world = World::new();
    world.net.0.lock().unwrap().mx.insert("bare.test".into(), Err(DnsError::NoRecords { secure: false }));
    world.net.host("bare.test", 2, Host::default());
    world.submit(&["bob@bare.test", "eve@[192.0.2.1]"]);
    assert_eq!(world.work(), None);
    assert_eq!((world.net.taken(1).len(), world.net.taken(2).len()), (1, 1));
}

#[test]
fn a_refused_recipient_is_reported_and_the_others_get_their_copy() {
    let world = World::new();
    world.net.host("mx.far.test", 1, refusing("nobody@far.test", "550 5.1.1 no such user"));
    let accepted = world.submit(&["bob@far.test", "nobody@far.test"]);
    assert_eq!(world.work(), None);
    assert_eq!(world.net.taken(1)[0].0, ["bob@far.test"]);
    let inbox = world.inbox();
    assert_eq!(inbox.len(), 1);
    for part in [
        "Return-Path: <>\r\n",
        "Content-Type: multipart/report; report-type=delivery-status;",
        "Final-Recipient: rfc822;nobody@far.test\r\n",
        "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.far.test\r\n",
        "Diagnostic-Code: smtp; 550 5.1.1 no such user",
        "Message-ID: <1@example.test>",
        &accepted.trace_id.to_string(),
    ] {
        assert!(inbox[0].contains(part), "{part:?} in\n{}", inbox[0]);
    }
    assert!(!inbox[0].contains("bob@far.test"), "only failures are told: {}", inbox[0]);
    assert!(world.history(&accepted.trace_id.to_string()).iter().any(|line| line.starts_with("reported")));
}

#[test]
fn reports_follow_what_was_asked() {
    let notify = |success, failure, delay| Some(Notify { success, failure, delay });
    let failing = |notify| {
        let world = World::new();
        world.net.host("mx.far.test", 1, refusing("bob@far.test", "550 5.1.1 no"));
        world.submit_with(&["bob@far.test"], notify);
        assert_eq!(world.work(), None);
        assert!(world.queue().is_empty());
        world.inbox().len()
    };
    assert_eq!(failing(None), 1);
    assert_eq!(failing(notify(false, true, false)), 1);
    assert_eq!(failing(Some(Notify::NEVER)), 0);
    assert_eq!(failing(notify(true, false, false)), 0);
    let succeeding = |offers: &[&'static str], to: &str| {
        let world = World::new();
        world.net.host("mx.far.test", 1, Host { offers: offers.to_vec(), ..Host::default() });
        world.submit_with(&[to], notify(true, false, false));
        assert_eq!(world.work(), None);
        world.inbox()
    };
    let relayed = succeeding(&[], "bob@far.test");
    assert!(relayed.len() == 1 && relayed[0].contains("Action: relayed"), "{relayed:?}");
    assert!(succeeding(&["DSN"], "bob@far.test").is_empty(), "the next server reports");
    let local = succeeding(&[], "ann@example.test");
    assert!(local.iter().any(|message| message.contains("Action: delivered")), "{local:?}");
}

#[test]
fn nobody_is_told_about_a_report_and_no_stranger_is_told_anything() {
    let world = World::new();
    world.net.host("mx.far.test", 1, refusing("bob@far.test", "550 5.1.1 no"));
    let ann = world.session(Service::Submission, true);
    world.send(&ann, "", &["bob@far.test"], None, world::BODY);
    assert_eq!(world.work(), None);
    assert!(world.queue().is_empty() && world.inbox().is_empty(), "the null sender hears nothing");
    // A stranger's mail, forwarded by an alias: the sender may be forged. It stays for the operator to see, and goes in the end.
    let stranger = world.session(Service::Mx, false);
    world.send(&stranger, "victim@other.test", &["out@example.test"], None, world::BODY);
    world.work();
    let queue = world.queue();
    assert!(matches!(queue[0].recipients[0].state, State::Failed { .. }), "{queue:?}");
    assert_eq!(queue.len(), 1, "no report to the victim");
    world.work_when_due();
    assert!(world.queue().is_empty());
    assert_eq!(world.clock_s(), 5 * 24 * 3_600);
}

#[test]
fn what_fails_for_now_is_tried_again_then_warned_about_then_given_back() {
    let world = World::new();
    world.net.host("mx.far.test", 1, refusing("bob@far.test", "451 4.7.1 greylisted"));
    world.submit(&["bob@far.test", "eve@far.test"]);
    let mut tried = vec![];
    while !world.queue().is_empty() {
        world.work_when_due();
        tried.push(world.clock_s());
        assert!(tried.len() < 200, "{tried:?}");
    }
    assert_eq!(world.net.taken(1).len(), 1, "eve's copy went at once, and once");
    assert!((60..70).contains(&tried[1]), "{tried:?}");
    let inbox = world.inbox();
    assert_eq!(inbox.len(), 2, "a warning and a failure");
    assert!(inbox[0].contains("Action: delayed") && inbox[0].contains("Will-Retry-Until: "), "{}", inbox[0]);
    assert!(inbox[1].contains("Action: failed") && inbox[1].contains("451 4.7.1 greylisted"), "{}", inbox[1]);
    let last = *tried.last().unwrap();
    assert!((432_000..433_000).contains(&last), "five days: {last}");
}

#[test]
fn greylisting_ends_and_the_message_goes() {
    let world = World::new();
    world.net.host("mx.far.test", 1, refusing("bob@far.test", "450 4.2.0 come back"));
    world.submit(&["bob@far.test"]);
    world.work();
    world.net.change(1, |host| host.rcpt.clear());
    assert_eq!(world.work_when_due(), None);
    assert_eq!(world.net.taken(1).len(), 1);
    assert!(world.inbox().is_empty());
}

#[test]
fn one_dead_destination_does_not_hold_up_the_others() {
    let world = World::new();
    world.mx("dead.test", &[(10, "mx.dead.test")]);
    world.net.host("mx.dead.test", 9, Host { refuses: true, ..Host::default() });
    for n in 0..50 {
        world.submit(&[&format!("u{n}@dead.test"), &format!("u{n}@far.test")]);
    }
    world.work();
    assert_eq!(world.net.taken(1).len(), 50);
    assert!(world.net.connections(1) <= 3, "connections are used again: {}", world.net.connections(1));
    assert_eq!(world.queue().len(), 50);
    let attempts: u32 = world.queue().iter().flat_map(|m| &m.recipients).map(|r| r.attempts).sum();
    assert!(attempts <= 52, "the rest waited in line: {attempts}");
    world.net.change(9, |host| host.refuses = false);
    for _ in 0..20 {
        if world.queue().is_empty() {
            break;
        }
        world.work_when_due();
    }
    assert_eq!(world.net.taken(9).len(), 50);
}

#[test]
fn a_host_that_dies_after_the_dot_leaves_the_message_in_doubt() {
    let world = World::new();
    world.net.change(1, |host| host.dies_after_dot = true);
    let accepted = world.submit(&["bob@far.test"]);
    let next = world.work().expect("tried again");
    assert_eq!(next.since(NOW), 900_000, "not before the other server has given up");
    assert!(world.history(&accepted.trace_id.to_string()).iter().any(|line| line.starts_with("in doubt")));
    world.net.change(1, |host| host.dies_after_dot = false);
    assert_eq!(world.work_when_due(), None);
    assert_eq!(world.net.taken(1).len(), 2, "at least once; here the first had arrived");
}

#[test]
fn routes_smart_hosts_holds_and_orders() {
    let options = SendOptions {
        routes: vec![RouteRule {
            domain: "*".into(),
            sender_domain: None,
            hosts: vec!["smart.test".into()],
            port: 25,
            tls: RouteTls::Opportunistic,
            login: None,
        }],
        ..SendOptions::default()
    };
    let world = World::with(options);
    world.net.host("smart.test", 1, Host::default());
    world.net.host("other.test", 2, Host::default());
    world.submit(&["bob@far.test", "eve@near.test"]);
    world.work();
    let mut rcpts: Vec<String> = world.net.taken(1).into_iter().flat_map(|(rcpts, _)| rcpts).collect();
    rcpts.sort();
    assert_eq!(rcpts, ["bob@far.test", "eve@near.test"]);
    let queue = world.delivery.queue();
    let held = world.submit(&["bob@far.test"]).trace_id;
    block_on(queue.hold(held, NOW)).unwrap();
    assert_eq!(world.work(), None);
    assert_eq!(world.queue().len(), 1);
    let world = world.restart();
    assert_eq!(world.work(), None, "held over a restart");
    let queue = world.delivery.queue();
    block_on(queue.route(held, Some("other.test".into()), NOW)).unwrap();
    block_on(queue.release(held, NOW)).unwrap();
    assert_eq!(world.work(), None);
    assert_eq!(world.net.taken(2).len(), 1);
    assert!(world.history(&held.to_string()).iter().any(|line| line.contains("goes to other.test by order")));
}

#[test]
fn tls_is_used_when_offered_and_done_without_when_it_is_broken() {
    let world = World::new();
    world.net.change(1, |host| host.offers = vec!["STARTTLS"]);
    let accepted = world.submit(&["bob@far.test"]);
    world.work();
    assert!(
        world.history(&accepted.trace_id.to_string()).last().unwrap().contains("(TLSv1.3 , opportunistic)")
    );
    world.net.change(1, |host| host.tls_broken = true);
    world.submit(&["bob@far.test"]);
    world.work();
    assert_eq!(world.net.taken(1).len(), 2);
}

#[test]
fn dane_is_followed() {
    let good = Tlsa { usage: 3, selector: 0, matching: 0, data: b"certificate".to_vec() };
    let bad = Tlsa { data: b"another".to_vec(), ..good.clone() };
    let unusable = Tlsa { usage: 0, ..good.clone() };
    let none = || Err(DnsError::NoRecords { secure: true });
    for (records, offers, secure, goes) in [
        (Ok(vec![good.clone()]), true, true, true),
        (Ok(vec![bad.clone()]), true, true, false),
        (Ok(vec![bad.clone()]), true, false, true),
        (Ok(vec![unusable.clone()]), true, true, true),
        (Ok(vec![unusable]), false, true, false),
        (Ok(vec![good]), false, true, false),
        (Err(DnsError::Temporary), true, true, false),
        (none(), false, true, true),
    ] {
        let world = World::new();
        world.net.change(1, |host| host.offers = if offers { vec!["STARTTLS"] } else { vec![] });
        let mut state = world.net.0.lock().unwrap();
        state.tlsa.insert("_25._tcp.mx.far.test".into(), records.clone());
        state.secure = secure;
        drop(state);
        world.submit(&["bob@far.test"]);
        world.work();
        assert_eq!(
            world.net.taken(1).len(),
            usize::from(goes),
            "{records:?} offers {offers} secure {secure}"
        );
        assert_eq!(world.queue().len(), usize::from(!goes));
    }
}

#[test]
fn mta_sts_is_followed_tested_and_remembered() {
    let policy = |mode: &str, mx: &str| format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n");
    for (policy, certificate, goes) in [
        (policy("enforce", "mx.far.test"), "mx.far.test", true),
        (policy("enforce", "*.far.test"), "mx.far.test", true),
        (policy("enforce", "mx.far.test"), "other.test", false),
        (policy("enforce", "other.test"), "mx.far.test", false),
        (policy("testing", "other.test"), "other.test", true),
        (policy("none", ""), "other.test", true),
    ] {
        let world = World::new();
        world.net.change(1, |host| {
            host.offers = vec!["STARTTLS"];
            host.certificate = vec![certificate.into()];
        });
        world.net.host("mta-sts.far.test", 8, Host::default());
        let mut state = world.net.0.lock().unwrap();
        state.txt.insert("_mta-sts.far.test".into(), "v=STSv1; id=1;".into());
        state.policy = Some(policy.clone());
        drop(state);
        world.submit(&["bob@far.test"]);
        world.work();
        assert_eq!(world.net.taken(1).len(), usize::from(goes), "{policy} {certificate}");
        // Gone from DNS and from the web: what is known still holds.
        let mut state = world.net.0.lock().unwrap();
        state.txt.clear();
        state.policy = None;
        drop(state);
        world.clock.advance_ms(3_600_000);
        world.submit(&["eve@far.test"]);
        world.work();
        let again =
            world.net.taken(1).iter().filter(|(rcpts, _)| rcpts.contains(&"eve@far.test".into())).count();
        assert_eq!(again, usize::from(goes), "{policy} {certificate}, remembered");
    }
}

#[test]
fn a_submission_is_completed_before_it_goes() {
    let world = World::new();
    let session = world.session(Service::Submission, true);
    let body = b"From: ann@example.test\r\nBcc: secret@far.test\r\nSubject: x\r\n\r\nHi.\r\n";
    world.send(&session, "ann@example.test", &["secret@far.test"], None, body);
    world.work();
    let taken = world.net.taken(1);
    let content = &taken[0].1;
    assert!(!content.contains("Bcc:"), "{content}");
    assert_eq!(
        (content.matches("\r\nDate: ").count(), content.matches("\r\nMessage-ID: <").count()),
        (1, 1),
        "{content}"
    );
}

#[test]
fn wherever_the_process_dies_no_message_is_lost_and_no_report_made_twice() {
    let faults = [
        Fault::CrashBeforeApply,
        Fault::CrashAfterApply,
        Fault::CrashAfterFlush,
        Fault::UnknownWithEffect,
        Fault::UnknownWithoutEffect,
        Fault::Conflict,
    ];
    let (mut died, mut twice) = (0, 0);
    for fault in faults {
        for step in 0..8 {
            let world = World::new();
            world.net.host("mx.far.test", 1, refusing("nobody@far.test", "550 5.1.1 no such user"));
            world.submit(&["bob@far.test", "nobody@far.test"]);
            let plan = vec![(world.engine.attempts() + step, fault)];
            world.engine.set_faults(Faults { plan, lose_blobs: true, lose_lazy: true, ..Faults::default() });
            let mut work = Box::pin(async { world.delivery.work(world.clock.now()).await });
            for _ in 0..100 {
                let done = yubin_testkit::poll_once(work.as_mut()).is_some();
                let mut spawned = std::mem::take(&mut world.net.0.lock().unwrap().spawned);
                spawned.retain_mut(|task| yubin_testkit::poll_once(std::pin::Pin::new(task)).is_none());
                world.net.0.lock().unwrap().spawned.extend(spawned);
                if done && world.net.0.lock().unwrap().spawned.is_empty() {
                    break;
                }
            }
            drop(work);
            died += u32::from(world.engine.crashed());
            let world = world.restart();
            world.engine.set_faults(Faults::default());
            world.work();
            for _ in 0..20 {
                if world.queue().is_empty() {
                    break;
                }
                world.work_when_due();
            }
            assert!(world.queue().is_empty(), "{fault:?} at step {step}: {:?}", world.queue());
            let copies =
                world.net.taken(1).iter().filter(|(rcpts, _)| rcpts.contains(&"bob@far.test".into())).count();
            assert!((1..=2).contains(&copies), "{copies} copies after {fault:?} at step {step}");
            twice += usize::from(copies > 1);
            let reports = world.inbox().len();
            assert_eq!(reports, 1, "reports after {fault:?} at step {step}");
        }
    }
    assert!(died >= 6, "the plan hit: {died}");
    assert!(twice <= died as usize + 4, "second copies only of what was under way: {twice}");
}

#[test]
fn the_schedule_is_the_options() {
    let retry = RetrySchedule { pauses_s: vec![10], lifetime_s: 35, warn_after_s: None };
    let world = World::with(SendOptions { retry, ..SendOptions::default() });
    world.mx("far.test", &[(10, "mx.far.test")]);
    world.net.host("mx.far.test", 1, refusing("bob@far.test", "450 later"));
    world.submit(&["bob@far.test"]);
    let mut attempts = 0;
    while !world.queue().is_empty() {
        attempts = world.queue().first().map_or(attempts, |m| m.recipients[0].attempts);
        world.work_when_due();
    }
    assert!((3..=4).contains(&attempts), "{attempts}");
    assert!(world.inbox()[0].contains("Action: failed"));
}

impl World {
    fn clock_s(&self) -> u64 {
        self.clock.now().since(NOW) / 1_000
    }
}
