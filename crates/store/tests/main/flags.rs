//! Flags, keywords, expunge, copy and move.

use yubin_engine::memory::Faults;
use yubin_store::{FlagChange, FlagOp, Flags, Keyword, ModSeq, Quota, StoreError, Uid, UidSet, Usage};

use crate::support::*;

fn set(ranges: &[(u32, u32)]) -> UidSet {
    UidSet::from_ranges(ranges.iter().copied())
}

fn uids(uids: &[Uid]) -> Vec<u32> {
    uids.iter().map(|uid| uid.0).collect()
}

fn change(op: FlagOp, flags: Flags, keywords: &[&str]) -> FlagChange {
    FlagChange {
        op,
        flags,
        keywords: keywords.iter().map(|k| Keyword::new(k).unwrap()).collect(),
        unchanged_since: None,
    }
}

#[test]
fn flags_are_added_removed_and_replaced() {
    let mut world = world();
    world.append_many("INBOX", 5);
    let inbox = world.mailbox("INBOX");
    let store = |world: &World, ranges: &[(u32, u32)], c| {
        run(world.ann.store_flags(inbox, &set(ranges), &c, NOW)).unwrap()
    };
    let done = store(&world, &[(2, 3), (5, 900)], change(FlagOp::Add, Flags::SEEN, &["Work"]));
    assert_eq!(uids(&done.changed), [2, 3, 5]);
    assert_eq!(done.modseq, Some(world.ann.state().modseq));
    let done = store(&world, &[(1, 5)], change(FlagOp::Add, Flags::SEEN, &["WORK"]));
    assert_eq!(uids(&done.changed), [1, 4]);
    let done = store(&world, &[(1, 5)], change(FlagOp::Add, Flags::SEEN, &["work"]));
    assert_eq!((done.changed.len(), done.modseq), (0, None));
    store(&world, &[(1, 2)], change(FlagOp::Remove, Flags::SEEN, &["unheard", "work"]));
    store(&world, &[(2, 2)], change(FlagOp::Replace, Flags::DELETED, &["Home"]));
    for _ in 0..2 {
        let inbox = world.opened("INBOX");
        let found: Vec<_> = rows(&inbox).iter().map(|r| (r.flags.0, r.keywords.0)).collect();
        assert_eq!(found, [(0, 0), (8, 2), (1, 1), (1, 1), (1, 1)]);
        assert_eq!(inbox.keywords.iter().map(Keyword::as_str).collect::<Vec<_>>(), ["Work", "Home"]);
        assert_eq!((inbox.counts.unseen, inbox.counts.deleted), (2, 1));
        world.restart();
    }
}

#[test]
fn a_conditional_store_leaves_newer_ones_alone() {
    let world = world();
    world.append_many("INBOX", 3);
    let rows = world.rows("INBOX");
    let mut change = change(FlagOp::Add, Flags::FLAGGED, &[]);
    change.unchanged_since = Some(rows[1].modseq);
    let done = run(world.ann.store_flags(world.mailbox("INBOX"), &set(&[(1, 9)]), &change, NOW)).unwrap();
    assert_eq!((uids(&done.changed), uids(&done.modified)), (vec![1, 2], vec![3]));
    change.unchanged_since = Some(ModSeq(0));
    let done = run(world.ann.store_flags(world.mailbox("INBOX"), &set(&[(1, 9)]), &change, NOW)).unwrap();
    assert_eq!((uids(&done.changed), uids(&done.modified)), (vec![], vec![1, 2, 3]));
}

#[test]
fn expunge_removes_what_is_deleted() {
    let mut world = world();
    world.append_many("INBOX", 6);
    let inbox = world.mailbox("INBOX");
    run(world.ann.store_flags(inbox, &set(&[(2, 5)]), &change(FlagOp::Add, Flags::DELETED, &[]), NOW))
        .unwrap();
    let doc = world.rows("INBOX")[1].doc;
    let gone = run(world.ann.expunge(inbox, Some(&set(&[(1, 3)])), false, NOW)).unwrap();
    assert_eq!(uids(&gone.uids), [2, 3]);
    assert!(run(world.ann.record(doc)).is_ok(), "kept for a while");
    let gone = run(world.ann.expunge(inbox, None, false, NOW)).unwrap();
    assert_eq!(uids(&gone.uids), [4, 5]);
    assert!(run(world.ann.expunge(inbox, None, false, NOW)).unwrap().uids.is_empty());
    let gone = run(world.ann.expunge(inbox, Some(&set(&[(6, 6)])), true, NOW)).unwrap();
    assert_eq!(uids(&gone.uids), [6]);
    world.restart();
    assert_eq!(world.rows("INBOX").len(), 1);
    assert_eq!(world.append("INBOX", "x").uid, Uid(7), "UIDs are not given again");
    assert_eq!(world.ann.state().usage.messages, 2);
}

#[test]
fn copies_share_content_and_moves_take_it_along() {
    let mut world = world();
    world.append_many("INBOX", 4);
    let (inbox, work) =
        (world.mailbox("INBOX"), run(world.ann.create_mailbox("Work", None, NOW)).unwrap().id);
    run(world.ann.store_flags(inbox, &set(&[(2, 2)]), &change(FlagOp::Add, Flags::SEEN, &["a", "b"]), NOW))
        .unwrap();
    run(world.ann.store_flags(inbox, &set(&[(3, 3)]), &change(FlagOp::Add, Flags::SEEN, &["b"]), NOW))
        .unwrap();
    let before = world.ann.state().usage;
    let full = Quota { octets: None, messages: Some(5) };
    assert_eq!(
        run(world.ann.copy(inbox, &set(&[(2, 3)]), work, full, NOW)).err(),
        Some(StoreError::OverQuota)
    );
    let done = run(world.ann.copy(inbox, &set(&[(3, 3)]), work, Quota::default(), NOW)).unwrap();
    assert_eq!(done.uids, [(Uid(3), Uid(1))]);
    let done = run(world.ann.copy(inbox, &set(&[(2, 3)]), work, Quota::default(), NOW)).unwrap();
    assert_eq!(done.uids, [(Uid(2), Uid(2)), (Uid(3), Uid(3))]);
    assert!(
        run(world.ann.copy(inbox, &set(&[(9, 9)]), work, Quota::default(), NOW)).unwrap().committed.is_none()
    );
    let done = run(world.ann.move_messages(inbox, &set(&[(1, 1), (4, 4)]), work, NOW)).unwrap();
    assert_eq!(done.uids, [(Uid(1), Uid(4)), (Uid(4), Uid(5))]);
    let done = run(world.ann.move_messages(inbox, &set(&[(2, 2)]), inbox, NOW)).unwrap();
    assert_eq!(done.uids, [(Uid(2), Uid(5))]);
    for _ in 0..2 {
        let work = world.opened("Work");
        let words = |bits: u64| -> Vec<&str> {
            work.keywords
                .iter()
                .enumerate()
                .filter(|(n, _)| bits >> n & 1 == 1)
                .map(|(_, k)| k.as_str())
                .collect()
        };
        let found: Vec<_> =
            rows(&work).iter().map(|r| (r.uid.0, r.doc.0, r.flags.0, words(r.keywords.0))).collect();
        assert_eq!(
            found,
            [
                (1, 3, 1, vec!["b"]),
                (2, 2, 1, vec!["b", "a"]),
                (3, 3, 1, vec!["b"]),
                (4, 1, 0, vec![]),
                (5, 4, 0, vec![])
            ]
        );
        assert_eq!(
            world.rows("INBOX").iter().map(|r| (r.uid.0, r.doc.0)).collect::<Vec<_>>(),
            [(3, 3), (5, 2)]
        );
        assert_eq!(world.ann.state().usage.messages, before.messages + 3);
        world.restart();
    }
    assert_ne!(world.ann.state().usage, Usage::default());
}

#[test]
fn ten_thousand_flags_are_one_small_record() {
    let world = world();
    let inbox = world.mailbox("INBOX");
    let staged = world.stage("x");
    for _ in 0..20 {
        world.try_append("INBOX", vec![message(staged.clone()); 500], Quota::default()).unwrap();
    }
    run(world.ann.open(inbox)).unwrap();
    let size = |world: &World| world.engine.dump().iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
    let before = size(&world);
    let done =
        run(world.ann.store_flags(inbox, &set(&[(1, 10_000)]), &change(FlagOp::Add, Flags::SEEN, &[]), NOW));
    assert_eq!(done.unwrap().changed.len(), 10_000);
    assert!(size(&world) - before < 200, "{}", size(&world) - before);
}

#[test]
fn an_account_survives_lost_lazy_commits_at_any_size() {
    let mut world = world();
    world.engine.set_faults(Faults { lose_lazy: true, ..Faults::default() });
    for round in 0..4 {
        world.append_many("INBOX", 300);
        let inbox = world.mailbox("INBOX");
        run(world.ann.open(inbox)).unwrap();
        run(world.ann.expunge(inbox, Some(&set(&[(round * 100, round * 100 + 50)])), true, NOW)).unwrap();
        let (before, state) = (world.rows("INBOX"), world.ann.state());
        world.restart();
        assert_eq!(world.rows("INBOX"), before);
        assert_eq!(world.ann.state().usage, state.usage);
        assert_eq!(world.ann.state().modseq, state.modseq);
    }
}
