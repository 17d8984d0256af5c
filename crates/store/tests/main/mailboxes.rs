//! Mailboxes: names, levels, special uses, renames, subscriptions.

use yubin_store::{SpecialUse, StoreError};

use crate::support::*;

fn names(world: &World) -> Vec<String> {
    let mut names: Vec<String> = world
        .ann
        .state()
        .mailboxes
        .values()
        .map(|m| if m.no_select { format!("({})", m.name) } else { m.name.clone() })
        .filter(|n| !["INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"].contains(&n.as_str()))
        .collect();
    names.sort();
    names
}

fn create(world: &World, name: &str) {
    run(world.ann.create_mailbox(name, None, NOW)).unwrap();
}

fn rename(world: &World, from: &str, to: &str) -> Result<(), StoreError> {
    run(world.ann.rename_mailbox(&world.known(from), to, NOW)).map(|_| ())
}

fn delete(world: &World, name: &str) -> Result<(), StoreError> {
    run(world.ann.delete_mailbox(&world.known(name), NOW)).map(|_| ())
}

#[test]
fn an_account_begins_with_its_special_mailboxes() {
    let mut world = world();
    run(world.store.create_account(ANN, NOW)).unwrap();
    for _ in 0..2 {
        let state = world.ann.state();
        let mut roles: Vec<_> = state.mailboxes.values().map(|m| (m.name.as_str(), m.special_use)).collect();
        roles.sort_by_key(|r| r.0);
        use SpecialUse::*;
        assert_eq!(
            roles,
            [
                ("Archive", Some(Archive)),
                ("Drafts", Some(Drafts)),
                ("INBOX", None),
                ("Junk", Some(Junk)),
                ("Sent", Some(Sent)),
                ("Trash", Some(Trash)),
            ]
        );
        assert_eq!(&*state.subscribed, ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]);
        let mut validities: Vec<u32> = state.mailboxes.values().map(|m| m.uid_validity.0).collect();
        validities.dedup();
        assert_eq!(validities.len(), 6);
        world.restart();
    }
}

#[test]
fn making_and_deleting_keeps_the_tree_whole() {
    let world = world();
    create(&world, "a/b/c");
    assert_eq!(names(&world), ["a", "a/b", "a/b/c"]);
    assert_eq!(run(world.ann.create_mailbox("a/b", None, NOW)).err(), Some(StoreError::MailboxExists));
    let old = world.opened("a").uid_validity;
    delete(&world, "a").unwrap();
    delete(&world, "a/b").unwrap();
    assert_eq!(names(&world), ["(a)", "(a/b)", "a/b/c"]);
    assert!(matches!(delete(&world, "a"), Err(StoreError::Cannot(_))));
    assert!(matches!(run(world.ann.open(world.mailbox("a"))), Err(StoreError::Cannot(_))));
    create(&world, "a/");
    assert!(world.opened("a").uid_validity > old);
    assert_eq!(names(&world), ["(a/b)", "a", "a/b/c"]);
    delete(&world, "a/b/c").unwrap();
    assert_eq!(names(&world), ["a"]);
    assert!(matches!(delete(&world, "INBOX"), Err(StoreError::Cannot(_))));
    for bad in ["", "a//b", "/a", "a\r", "#x"] {
        assert!(
            matches!(run(world.ann.create_mailbox(bad, None, NOW)), Err(StoreError::BadName(_))),
            "{bad:?}"
        );
    }
    let taken = run(world.ann.create_mailbox("More sent", Some(SpecialUse::Sent), NOW));
    assert!(matches!(taken, Err(StoreError::Cannot(_))));
}

#[test]
fn deleting_gives_back_the_quota() {
    let mut world = world();
    create(&world, "a");
    world.append_many("a", 3);
    world.append("INBOX", "0123456789");
    delete(&world, "a").unwrap();
    assert_eq!(world.ann.state().usage.octets, 10);
    world.restart();
    assert_eq!(world.ann.state().usage.octets, 10);
    create(&world, "a");
    assert_eq!(world.rows("a").len(), 0);
}

#[test]
fn renaming_takes_those_below_along() {
    let mut world = world();
    create(&world, "a/b/c");
    create(&world, "ab");
    world.append("a/b", "x");
    let id = world.mailbox("a/b");
    rename(&world, "a/b", "x/y").unwrap();
    assert_eq!(names(&world), ["a", "ab", "x", "x/y", "x/y/c"]);
    assert_eq!(world.mailbox("x/y"), id);
    assert!(matches!(rename(&world, "x", "x/y/z"), Err(StoreError::Cannot(_))));
    assert_eq!(rename(&world, "x", "ab"), Err(StoreError::MailboxExists));
    delete(&world, "x").unwrap();
    rename(&world, "x/y", "top").unwrap();
    assert_eq!(names(&world), ["a", "ab", "top", "top/c"]);
    world.restart();
    assert_eq!(names(&world), ["a", "ab", "top", "top/c"]);
    assert_eq!(world.rows("top").len(), 1);
}

#[test]
fn renaming_inbox_moves_its_messages() {
    let mut world = world();
    create(&world, "INBOX/sub");
    world.append_many("INBOX", 3);
    rename(&world, "inbox", "old/mail").unwrap();
    for _ in 0..2 {
        assert_eq!(names(&world), ["INBOX/sub", "old", "old/mail"]);
        assert_eq!(world.rows("old/mail").len(), 3);
        assert_eq!(world.rows("INBOX").len(), 0);
        assert_eq!(world.ann.state().usage.messages, 3);
        world.restart();
    }
    assert_eq!(world.append("INBOX", "x").uid.0, 4);
}

#[test]
fn subscriptions_outlive_their_mailboxes() {
    let mut world = world();
    create(&world, "a");
    run(world.ann.subscribe("a", true)).unwrap();
    let modseq = run(world.ann.subscribe("a", true)).unwrap();
    assert_eq!(modseq, world.ann.state().modseq);
    delete(&world, "a").unwrap();
    run(world.ann.subscribe("Sent", false)).unwrap();
    world.restart();
    assert_eq!(&*world.ann.state().subscribed, ["Archive", "Drafts", "INBOX", "Junk", "Trash", "a"]);
}

#[test]
fn a_removed_account_is_gone_for_its_sessions() {
    let world = world();
    world.append("INBOX", "x");
    let inbox = world.mailbox("INBOX");
    run(world.store.remove_account(ANN)).unwrap();
    assert!(world.ann.state().mailboxes.is_empty());
    let staged = world.stage("x");
    assert_eq!(
        run(world.ann.append(inbox, vec![message(staged)], Default::default(), NOW)).err(),
        Some(StoreError::NoAccount)
    );
    assert!(world.engine.dump().is_empty());
    assert_eq!(run(world.store.account(ANN)).err().map(|e| e.to_string()), Some("no such account".into()));
    run(world.store.remove_account(ANN)).unwrap();
    run(world.store.create_account(ANN, NOW)).unwrap();
    assert_eq!(run(world.store.account(ANN)).unwrap().state().mailboxes.len(), 6);
}

#[test]
fn a_mailbox_found_under_a_name_it_has_no_more_is_left_alone() {
    let world = world();
    create(&world, "a");
    let found = world.known("a");
    rename(&world, "a", "b").unwrap();
    // Whoever looked before the change of name comes too late, as if it had come first.
    assert_eq!(run(world.ann.delete_mailbox(&found, NOW)).err(), Some(StoreError::NoMailbox));
    assert_eq!(run(world.ann.rename_mailbox(&found, "c", NOW)).err(), Some(StoreError::NoMailbox));
    assert_eq!(names(&world), ["b"]);
}

#[test]
fn names_are_found_after_every_change_and_after_a_restart() {
    let mut world = world();
    for name in ["a", "a/b", "a/b/c", "a0", "ab"] {
        create(&world, name);
    }
    rename(&world, "a/b", "x").unwrap();
    delete(&world, "x").unwrap();
    create(&world, "a/b");
    for restarted in [false, true] {
        if restarted {
            world.restart();
        }
        let state = world.ann.state();
        let below = |name: &str| state.below(name).map(|m| m.name.clone()).collect::<Vec<_>>();
        assert_eq!(below("a"), ["a/b"]);
        assert_eq!(below("x"), ["x/c"]);
        assert!(state.named("x").is_some_and(|m| m.no_select) && state.named("x/b").is_none());
        let by_id = state.mailboxes.values().map(|m| (m.name.clone(), m.id));
        let mut by_id: Vec<_> = by_id.collect();
        by_id.sort();
        assert_eq!(state.by_name().map(|m| (m.name.clone(), m.id)).collect::<Vec<_>>(), by_id);
    }
}
