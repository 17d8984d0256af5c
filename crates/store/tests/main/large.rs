//! Changes of more messages than one batch of the engine holds: all or nothing, also when the process dies halfway.

use yubin_engine::memory::{Fault, Faults};
use yubin_store::{FlagChange, FlagOp, Flags, Keyword, NewMessage, Quota, Uid, UidSet};

use crate::support::*;

fn all() -> UidSet {
    UidSet::from_ranges([(1, u32::MAX)])
}

const COUNT: u32 = (1 << 17) + 100_000;

/// INBOX with that many messages, each a copy of one.
fn filled() -> World {
    let world = world();
    // Many keywords make the rows large.
    let keywords = (0..60).map(|n| Keyword::new(&format!("k{n}")).unwrap()).collect();
    let message = NewMessage { keywords, ..message(world.stage("Subject: one\r\n\r\nx\r\n")) };
    world.try_append("INBOX", vec![message], Quota::default()).unwrap();
    let inbox = world.mailbox("INBOX");
    for n in 0..=17 {
        let uids = UidSet::from_ranges([(1, if n < 17 { 1 << n } else { 100_000 })]);
        run(world.ann.copy(inbox, &uids, inbox, Quota::default(), NOW)).unwrap();
    }
    world
}

fn counts(world: &World, name: &str) -> (u32, u32, u32) {
    let counts = world.known(name).counts;
    (counts.messages, counts.unseen, counts.deleted)
}

fn check(world: &World) {
    assert_eq!(run(world.store.verify_account(ANN, false)).unwrap().problems, Vec::<String>::new());
}

#[test]
fn very_many_messages_are_copied_flagged_moved_and_removed() {
    let mut world = filled();
    let (inbox, archive) = (world.mailbox("INBOX"), world.mailbox("Archive"));
    let (before, batches) = (world.ann.state().modseq.0, world.engine.attempts());
    let copied = run(world.ann.copy(inbox, &all(), archive, Quota::default(), NOW)).unwrap();
    assert_eq!(copied.uids.len(), COUNT as usize);
    // One change to the account, however many batches it takes (and those that bring the chunks up to it).
    assert!(world.engine.attempts() > batches + 4);
    assert_eq!(world.ann.state().modseq.0, before + 1);
    assert_eq!(counts(&world, "Archive"), (COUNT, COUNT, 0));
    world.restart();
    check(&world);
    assert_eq!(world.rows("Archive").len(), COUNT as usize);
    // Every second one gets a flag, and goes.
    let odd = UidSet::from_uids((0..COUNT / 2).map(|n| Uid(2 * n + 1)));
    let change =
        FlagChange { op: FlagOp::Add, flags: Flags::DELETED, keywords: Vec::new(), unchanged_since: None };
    assert_eq!(
        run(world.ann.store_flags(archive, &odd, &change, NOW)).unwrap().changed.len() as u32,
        COUNT / 2
    );
    let expunged = run(world.ann.expunge(archive, None, false, NOW)).unwrap();
    assert_eq!(expunged.uids.len() as u32, COUNT / 2);
    let moved = run(world.ann.move_messages(inbox, &all(), archive, NOW)).unwrap();
    assert_eq!(moved.uids.len(), COUNT as usize);
    assert_eq!((counts(&world, "INBOX").0, counts(&world, "Archive").0), (0, COUNT + COUNT / 2));
    world.restart();
    check(&world);
    run(world.ann.delete_mailbox(&world.known("Archive"), NOW)).unwrap();
    assert_eq!(world.ann.state().usage.messages, 0);
    check(&world);
}

#[test]
fn a_copy_that_is_cut_short_leaves_nothing_behind() {
    let mut world = filled();
    let (inbox, archive) = (world.mailbox("INBOX"), world.mailbox("Archive"));
    for (after, fault) in [(1, Fault::Full), (2, Fault::CrashAfterFlush), (3, Fault::CrashBeforeApply)] {
        let plan = vec![(world.engine.attempts() + after, fault)];
        world.engine.set_faults(Faults { plan, ..Faults::default() });
        run(world.ann.copy(inbox, &all(), archive, Quota::default(), NOW)).unwrap_err();
        if fault != Fault::Full {
            world.restart();
        }
        world.engine.set_faults(Faults::default());
        assert_eq!(counts(&world, "Archive").0, 0, "{fault:?}");
        check(&world);
        // The next change clears up, whatever it is.
        run(world.ann.subscribe(&format!("x{after}"), true)).unwrap();
        check(&world);
    }
    run(world.ann.copy(inbox, &all(), archive, Quota::default(), NOW)).unwrap();
    assert_eq!(counts(&world, "Archive").0, COUNT);
    check(&world);
}
