//! Rights, who shares with whom, and everybody's own `\Seen`.

use proptest::prelude::*;
use yubin_base::AccountId;
use yubin_store::{
    Access, AclChange, FlagChange, FlagOp, Flags, ModSeq, Quota, Rights, StoreError, Uid, UidSet, Viewer,
    Who, diff,
};

use crate::support::*;

const BOB: AccountId = AccountId(2);
const AS_BOB: Viewer = Viewer { id: BOB, neighbour: true };

fn rights(text: &str) -> AclChange {
    AclChange::Replace(Rights::parse(text).unwrap())
}

fn grant(world: &World, mailbox: &str, who: Who, text: &str) {
    run(world.store.set_acl(&world.ann, world.mailbox(mailbox), (who, false), rights(text), NOW)).unwrap();
}

fn sharers(world: &World, viewer: Viewer) -> Vec<AccountId> {
    run(world.store.sharers(viewer)).unwrap().iter().map(|account| account.id()).collect()
}

fn seen(op: FlagOp, flags: Flags) -> FlagChange {
    FlagChange { op, flags, keywords: vec![], unchanged_since: None }
}

fn set(ranges: &[(u32, u32)]) -> UidSet {
    UidSet::from_ranges(ranges.iter().copied())
}

#[test]
fn a_list_survives_a_restart_and_is_inherited() {
    let mut world = world();
    run(world.ann.create_mailbox("Work", None, NOW)).unwrap();
    grant(&world, "Work", Who::Account(BOB), "lrk");
    grant(&world, "Work", Who::Anyone, "l");
    run(world.ann.create_mailbox("Work/a/b", None, NOW)).unwrap();
    run(world.ann.create_mailbox("Other", None, NOW)).unwrap();
    for _ in 0..2 {
        let of = |name: &str| {
            let state = world.ann.state();
            Access::viewer(world.ann.clone(), AS_BOB).rights(state.named(name).unwrap()).to_string()
        };
        assert_eq!([of("Work"), of("Work/a"), of("Work/a/b"), of("Other")], ["lrk", "lrk", "lrk", ""]);
        world.restart();
    }
    assert_eq!(run(world.store.verify_account(ANN, false)).unwrap().problems, Vec::<String>::new());
}

#[test]
fn whoever_is_let_in_finds_the_owner_and_no_others() {
    let mut world = world();
    run(world.store.create_account(BOB, NOW)).unwrap();
    let stranger = Viewer { id: AccountId(3), neighbour: false };
    assert_eq!(sharers(&world, AS_BOB), []);
    grant(&world, "INBOX", Who::Account(BOB), "r");
    assert_eq!((sharers(&world, AS_BOB), sharers(&world, stranger)), (vec![ANN], vec![]));
    world.restart();
    assert_eq!(sharers(&world, AS_BOB), [ANN]);
    grant(&world, "INBOX", Who::Account(BOB), "");
    assert_eq!(sharers(&world, AS_BOB), []);
    // Again, after the way to it was forgotten.
    grant(&world, "INBOX", Who::Account(BOB), "lr");
    assert_eq!(sharers(&world, AS_BOB), [ANN]);
    grant(&world, "Sent", Who::Anyone, "lr");
    assert_eq!(sharers(&world, AS_BOB), [ANN]);
    assert_eq!(sharers(&world, Viewer { id: AccountId(3), neighbour: true }), [ANN]);
    assert_eq!(sharers(&world, stranger), []);
    // What is kept for everybody is no account.
    assert_eq!(run(world.store.accounts()).unwrap(), [ANN, BOB]);
    run(world.store.remove_account(ANN)).unwrap();
    assert_eq!(sharers(&world, AS_BOB), []);
}

#[test]
fn a_deleted_mailbox_is_shared_no_more() {
    let world = world();
    run(world.ann.create_mailbox("Work", None, NOW)).unwrap();
    grant(&world, "Work", Who::Account(BOB), "lr");
    let work = world.ann.mailbox_named("Work").unwrap();
    run(world.ann.rename_mailbox(&work, "Plans", NOW)).unwrap();
    assert_eq!(sharers(&world, AS_BOB), [ANN]);
    let plans = world.ann.mailbox_named("Plans").unwrap();
    run(world.ann.delete_mailbox(&plans, NOW)).unwrap();
    assert_eq!(sharers(&world, AS_BOB), []);
    run(world.ann.create_mailbox("Plans", None, NOW)).unwrap();
    let again = world.ann.mailbox_named("Plans").unwrap();
    assert!(again.acl.is_empty());
}

#[test]
fn flags_that_a_viewer_may_not_change_stay() {
    let world = world();
    world.append_many("INBOX", 2);
    let inbox = world.mailbox("INBOX");
    let bob = Access::viewer(world.ann.clone(), AS_BOB);
    let all = Flags::SEEN.with(Flags::DELETED).with(Flags::FLAGGED);
    let store = |change: &FlagChange| run(bob.store_flags(inbox, &set(&[(1, 1)]), change, NOW));
    grant(&world, "INBOX", Who::Account(BOB), "lr");
    assert_eq!(store(&seen(FlagOp::Add, all)).unwrap_err(), StoreError::NoPermission);
    grant(&world, "INBOX", Who::Account(BOB), "lrst");
    store(&seen(FlagOp::Replace, all)).unwrap();
    assert_eq!(world.rows("INBOX")[0].flags, Flags::DELETED);
    assert_eq!(rows(&run(bob.open(inbox)).unwrap())[0].flags, Flags::SEEN.with(Flags::DELETED));
    run(world.ann.store_flags(inbox, &set(&[(1, 1)]), &seen(FlagOp::Add, Flags::ANSWERED), NOW)).unwrap();
    store(&seen(FlagOp::Replace, Flags(0))).unwrap();
    assert_eq!(world.rows("INBOX")[0].flags, Flags::ANSWERED);
    assert_eq!(rows(&run(bob.open(inbox)).unwrap())[0].flags, Flags::ANSWERED);
}

#[test]
fn a_full_or_gone_target_leaves_messages_where_they_are() {
    let world = world();
    run(world.store.create_account(BOB, NOW)).unwrap();
    world.append_many("INBOX", 3);
    let bob = Access::owner(run(world.store.account(BOB)).unwrap());
    let ann = Access::owner(world.ann.clone());
    let (here, there) = (world.mailbox("INBOX"), bob.mailbox_named("INBOX").unwrap().id);
    let quota = Quota { messages: Some(2), ..Quota::default() };
    let moved = run(ann.move_messages(here, &set(&[(1, 3)]), (&bob, there), quota, NOW));
    assert_eq!(moved.unwrap_err(), StoreError::OverQuota);
    assert_eq!((world.rows("INBOX").len(), bob.state().usage.messages), (3, 0));
    let moved = run(ann.move_messages(here, &set(&[(1, 2)]), (&bob, there), quota, NOW)).unwrap();
    assert_eq!(moved.uids, [(Uid(1), Uid(1)), (Uid(2), Uid(2))]);
    assert!(moved.committed.is_some());
    assert_eq!((world.rows("INBOX").len(), bob.state().usage.messages), (1, 2));
    let text = |access: &Access, mailbox| {
        let row = rows(&run(access.open(mailbox)).unwrap())[0];
        let record = run(access.record(row.doc)).unwrap();
        run(access.read(&record, 0..1_000)).unwrap()
    };
    assert!(!text(&bob, there).is_empty());
    for id in [ANN, BOB] {
        assert_eq!(run(world.store.verify_account(id, false)).unwrap().problems, Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Whatever owner and viewer do, the viewer's rows are the owner's with the viewer's marks, modseqs never go back, what changed
    /// since a state is what has a greater modseq, and a restart changes nothing.
    #[test]
    fn a_viewers_mailbox_is_the_owners_with_other_marks(
        steps in prop::collection::vec((0u8..7, 1u32..40, 0u32..20), 1..25),
    ) {
        let mut world = world();
        grant(&world, "INBOX", Who::Account(BOB), "lrswte");
        let mut marked = std::collections::BTreeSet::new();
        let mut before = run(Access::viewer(world.ann.clone(), AS_BOB).open(world.mailbox("INBOX"))).unwrap();
        for (kind, from, len) in steps {
            let inbox = world.mailbox("INBOX");
            let bob = Access::viewer(world.ann.clone(), AS_BOB);
            let uids = set(&[(from, from + len)]);
            let there: Vec<u32> = world.rows("INBOX").iter().map(|r| r.uid.0).filter(|u| uids.contains(Uid(*u))).collect();
            match kind {
                0 | 1 => world.append_many("INBOX", len as usize),
                2 => drop(run(world.ann.store_flags(inbox, &uids, &seen(FlagOp::Add, Flags::SEEN), NOW)).unwrap()),
                3 => {
                    run(bob.store_flags(inbox, &uids, &seen(FlagOp::Add, Flags::SEEN.with(Flags::FLAGGED)), NOW)).unwrap();
                    marked.extend(there);
                }
                4 => {
                    run(bob.store_flags(inbox, &uids, &seen(FlagOp::Remove, Flags::SEEN), NOW)).unwrap();
                    marked.retain(|u| !there.contains(u));
                }
                5 => drop(run(world.ann.expunge(inbox, Some(&uids), true, NOW)).unwrap()),
                _ => world.restart(),
            }
            let bob = Access::viewer(world.ann.clone(), AS_BOB);
            let now = run(bob.open(world.mailbox("INBOX"))).unwrap();
            let (mine, owners) = (rows(&now), world.rows("INBOX"));
            prop_assert_eq!(mine.len(), owners.len());
            for (mine, owners) in mine.iter().zip(&owners) {
                prop_assert_eq!(mine.flags.has(Flags::SEEN), marked.contains(&mine.uid.0));
                prop_assert_eq!(mine.flags.without(Flags::SEEN), owners.flags.without(Flags::SEEN));
                prop_assert!(mine.modseq >= owners.modseq && mine.modseq <= now.highest_modseq);
            }
            let unseen = mine.iter().filter(|r| !r.flags.has(Flags::SEEN)).count();
            prop_assert_eq!(now.counts.unseen as usize, unseen);
            prop_assert!(now.highest_modseq >= before.highest_modseq);
            let since: ModSeq = before.highest_modseq;
            let told: Vec<Uid> = diff(&before, &now).changed;
            for row in &mine {
                let old = rows(&before).into_iter().find(|old| old.uid == row.uid);
                let other_flags = old.is_some_and(|old| old.flags != row.flags);
                prop_assert!(!other_flags || row.modseq > since, "{:?} after {:?}", row, since);
                prop_assert!(!other_flags || told.contains(&row.uid));
            }
            before = now;
        }
        let problems = run(world.store.verify_account(ANN, false)).unwrap().problems;
        prop_assert_eq!(problems, Vec::<String>::new());
    }
}
