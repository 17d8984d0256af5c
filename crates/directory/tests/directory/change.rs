//! Changes from several sides, and an engine that says no.

use yubin_base::{AccountId, Address};
use yubin_directory::{DirectoryError, NewAccount, NewDomain};
use yubin_engine::{
    CommitError,
    memory::{Fault, Faults},
};

use crate::world::{World, now};

#[test]
fn two_handles_see_each_others_changes_after_a_conflict() {
    let world = World::small();
    let (one, two) = (&world.directory, world.another());
    let add = |d: &yubin_directory::Directory, address: &str| {
        now(d.add_account(NewAccount { address: address.into(), ..NewAccount::default() })).map(|a| a.id)
    };
    assert_eq!(add(one, "carol@example.test"), Ok(AccountId(3)));
    assert!(two.account_by_name("carol").is_none(), "not told yet");
    assert_eq!(add(&two, "dave@example.test"), Ok(AccountId(4)), "planned anew on what the other did");
    assert!(two.account_by_name("carol").is_some());
    // Each takes the same name; the one that comes second finds out.
    let taken = Address::parse_plain("dave@example.test").unwrap();
    assert_eq!(add(one, "dave@example.test"), Err(DirectoryError::AddressInUse(taken)));
    assert!(one.account_by_name("dave").is_some());
    now(two.remove_account("carol")).unwrap();
    assert!(one.account_by_name("carol").is_some());
    now(one.refresh()).unwrap();
    assert!(one.account_by_name("carol").is_none());
    assert_eq!(one.version(), two.version());
}

#[test]
fn an_unknown_outcome_is_asked_again_and_done_once() {
    for fault in [Fault::UnknownWithEffect, Fault::UnknownWithoutEffect, Fault::Conflict] {
        let world = World::small();
        let plan = vec![(world.engine.attempts(), fault)];
        world.engine.set_faults(Faults { plan, ..Faults::default() });
        let new = NewAccount { address: "carol@example.test".into(), ..NewAccount::default() };
        assert_eq!(now(world.directory.add_account(new)).unwrap().id, AccountId(3), "{fault:?}");
        assert_eq!(world.another().accounts().len(), 3, "{fault:?}");
        assert_eq!(world.another().version(), world.directory.version(), "{fault:?}");
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_changes() {
    let world = World::small();
    world.engine.set_faults(Faults { full_ppm: 1_000_000, ..Faults::default() });
    let before = world.directory.version();
    let outcome = now(world.directory.set_enabled("ann", false));
    assert_eq!(outcome, Err(DirectoryError::NotStored(CommitError::Full)));
    assert_eq!(outcome.unwrap_err().to_string(), "the change was not stored: the disk is full");
    assert!(world.directory.account_by_name("ann").unwrap().enabled && world.directory.version() == before);
}

#[test]
fn endless_conflicts_end() {
    let world = World::small();
    world.engine.set_faults(Faults { conflict_ppm: 1_000_000, ..Faults::default() });
    assert_eq!(now(world.directory.set_enabled("ann", false)), Err(DirectoryError::Busy));
}

#[test]
fn changes_survive_a_crash() {
    let world = World::small();
    let engine = world.engine.crash();
    let world = World { engine, ..world };
    let again = world.another();
    assert_eq!(again.accounts().len(), 2);
    now(again.add_domain(NewDomain::named("b.test"))).unwrap();
}

#[test]
fn many_records_are_read_in_pages() {
    let world = World::small();
    for n in 0..1200 {
        now(world.directory.add_alias(&format!("a{n}@example.test"), &["ann@example.test"])).unwrap();
    }
    assert_eq!(world.another().aliases().len(), 1200);
}
