//! Reading: records, the log, waiting for changes, the cache.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use yubin_engine::memory::{Fault, Faults};
use yubin_store::{Change, DocId, ModSeq, Staged, StoreError, diff};

use crate::support::*;

#[test]
fn records_come_in_the_order_asked() {
    let world = world();
    world.append_many("INBOX", 3);
    let found = run(world.ann.records(&[DocId(3), DocId(99), DocId(1)])).unwrap();
    assert_eq!(
        found.iter().map(|r| r.as_ref().map(|r| r.doc.0)).collect::<Vec<_>>(),
        [Some(3), None, Some(1)]
    );
    assert_eq!(run(world.ann.record(DocId(99))).err(), Some(StoreError::Gone));
}

#[test]
fn a_record_too_large_for_a_value_lies_in_a_blob() {
    let mut world = world();
    let staged = Staged { envelope: vec![b'e'; 150_000], ..world.stage("text") };
    let done = world.try_append("INBOX", vec![message(staged.clone())], Default::default()).unwrap();
    world.restart();
    let record = run(world.ann.record(done[0].doc)).unwrap();
    assert_eq!(record.staged, staged);
    assert_eq!(run(world.ann.read(&record, 0..99)).unwrap(), b"text");
}

#[test]
fn the_log_tells_every_change_once() {
    let mut world = world();
    let since = world.ann.state().modseq;
    world.append_many("INBOX", 2);
    run(world.ann.expunge(world.mailbox("INBOX"), None, true, NOW)).unwrap();
    for _ in 0..2 {
        let log = run(world.ann.log(since)).unwrap().unwrap();
        assert_eq!(log.iter().map(|e| e.modseq.0 - since.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(matches!(log[2].changes[..], [Change::Expunged { .. }]));
        assert!(run(world.ann.log(ModSeq(since.0 + 3))).unwrap().unwrap().is_empty());
        world.restart();
    }
    assert_eq!(run(world.ann.log(ModSeq(0))).unwrap().unwrap().len() as u64, world.ann.state().modseq.0);
}

#[test]
fn waiting_ends_with_a_change() {
    let world = world();
    let since = world.ann.state().modseq;
    let mut waiting = pin!(world.ann.changed(since));
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Pending);
    let old = world.opened("INBOX");
    assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Pending);
    world.append("INBOX", "x");
    assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Ready(()));
    run(world.ann.changed(since));
    assert_eq!(diff(&old, &world.opened("INBOX")).added.len(), 1);
}

#[test]
fn accounts_without_sessions_give_way() {
    let world = world();
    for n in 2..2000 {
        run(world.store.create_account(yubin_base::AccountId(n), NOW)).unwrap();
        run(world.store.account(yubin_base::AccountId(n))).unwrap();
    }
    let loaded = world.store.loaded();
    assert!(loaded.octets <= options().cache_octets && loaded.accounts > 100, "{loaded:?}");
    assert!(Arc::ptr_eq(&world.ann, &run(world.store.account(ANN)).unwrap()), "one with a session stays");
}

#[test]
fn replies_find_the_thread_and_other_subjects_do_not() {
    let world = world();
    let append = |id: &str, references: &[&str], subject: &str| {
        let staged = Staged {
            message_id: Some(id.into()),
            references: references.iter().map(|r| r.to_string()).collect(),
            base_subject: subject.into(),
            ..world.stage("x")
        };
        let done = world.try_append("INBOX", vec![message(staged)], Default::default()).unwrap()[0];
        world.rows("INBOX").into_iter().find(|r| r.uid == done.uid).unwrap().thread.0
    };
    let first = append("1@x", &[], "lunch");
    assert_eq!(append("2@x", &["1@x"], "Lunch"), first);
    assert_eq!(append("3@x", &["0@x", "2@x"], "lunch"), first);
    assert_ne!(append("4@x", &["3@x"], "dinner"), first);
    assert_eq!(append("5@x", &["0@x"], "lunch"), first, "a sibling through an unseen parent");
    assert_ne!(append("6@x", &[], "lunch"), first);
}

#[test]
fn what_is_not_proven_durable_is_never_shown_and_the_rest_can_be_read() {
    let mut world = world();
    world.append("INBOX", "first");
    run(world.store.account(ANN)).unwrap();
    // A second process life on the same disk, so that nothing is loaded.
    world.restart();
    let (inbox, modseq) = (world.mailbox("INBOX"), world.ann.state().modseq);
    let at = world.engine.attempts();
    world.engine.set_faults(Faults { plan: vec![(at, Fault::FlushError)], ..Faults::default() });
    let staged = world.stage("second");
    for _ in 0..3 {
        assert!(
            run(world.ann.append(inbox, vec![message(staged.clone())], Default::default(), NOW)).is_err()
        );
        assert_eq!(world.ann.state().modseq, modseq);
    }
    let rows = world.rows("INBOX");
    assert_eq!(rows.len(), 1);
    assert_eq!(run(world.ann.record(rows[0].doc)).unwrap().size_octets(), 5);
    assert_eq!(run(world.ann.log(ModSeq(modseq.0 - 1))).unwrap().unwrap().len(), 1);
    assert_eq!(world.ann.state().modseq, modseq);
}

#[test]
fn a_mailbox_is_read_back_after_many_lives() {
    let mut world = world();
    for round in 0..5 {
        world.append_many("INBOX", 150);
        if round % 2 == 0 {
            world.restart();
        }
        assert_eq!(world.opened("INBOX").counts.messages, (round + 1) * 150);
    }
    let report = run(world.store.verify_account(ANN, false)).unwrap();
    assert_eq!((report.problems, report.messages, report.bodies), (vec![], 750, 750));
}
