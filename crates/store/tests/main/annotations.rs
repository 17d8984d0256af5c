//! Annotations: set, kept, copied and removed with their mailboxes; limits.

use std::collections::BTreeMap;

use yubin_store::{MailboxId, StoreError, limits};

use crate::support::*;

fn set(
    world: &World,
    mailbox: Option<MailboxId>,
    entries: &[(&str, Option<&str>)],
) -> Result<u64, StoreError> {
    let owned: Vec<_> =
        entries.iter().map(|(n, v)| ((*n).to_owned(), v.map(|v| v.as_bytes().to_vec()))).collect();
    run(world.ann.annotate(mailbox, &owned, NOW)).map(|modseq| modseq.0)
}

fn of(world: &World, mailbox: Option<MailboxId>) -> BTreeMap<String, String> {
    let state = world.ann.state();
    let text = |v: &[u8]| String::from_utf8(v.to_vec()).unwrap();
    state.annotations.get(&mailbox).into_iter().flatten().map(|(n, v)| (n.clone(), text(v))).collect()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn annotations_are_kept_and_follow_their_mailbox() {
    let mut world = world();
    let sent = Some(world.mailbox("Sent"));
    let before = world.ann.state().modseq.0;
    assert_eq!(
        set(&world, sent, &[("/Shared/Comment", Some("a")), ("/private/x/y", Some(""))]),
        Ok(before + 1)
    );
    assert_eq!(set(&world, None, &[("/private/vendor/x/y", Some("b"))]), Ok(before + 2));
    // Nothing changes, and nothing is written.
    assert_eq!(set(&world, sent, &[("/shared/comment", Some("a")), ("/shared/none", None)]), Ok(before + 2));
    let both = map(&[("/shared/comment", "a"), ("/private/x/y", "")]);
    run(world.ann.rename_mailbox(&world.known("Sent"), "Gone out", NOW)).unwrap();
    for _ in 0..2 {
        assert_eq!(of(&world, sent), both);
        assert_eq!(of(&world, None), map(&[("/private/vendor/x/y", "b")]));
        world.restart();
    }
    set(&world, sent, &[("/SHARED/comment", None)]).unwrap();
    assert_eq!(of(&world, sent), map(&[("/private/x/y", "")]));
    run(world.ann.delete_mailbox(&world.known("Gone out"), NOW)).unwrap();
    for _ in 0..2 {
        assert_eq!(of(&world, sent), map(&[]));
        assert!(run(world.store.verify_account(ANN, false)).unwrap().problems.is_empty());
        world.restart();
    }
    assert_eq!(set(&world, sent, &[("/shared/comment", Some("a"))]), Err(StoreError::NoMailbox));
}

#[test]
fn a_renamed_inbox_keeps_its_annotations_and_gives_them_to_the_new_mailbox() {
    let mut world = world();
    let inbox = Some(world.mailbox("INBOX"));
    set(&world, inbox, &[("/shared/comment", Some("a"))]).unwrap();
    let new = run(world.ann.rename_mailbox(&world.known("INBOX"), "Old", NOW)).unwrap().id;
    for _ in 0..2 {
        assert_eq!(of(&world, inbox), map(&[("/shared/comment", "a")]));
        assert_eq!(of(&world, Some(new)), map(&[("/shared/comment", "a")]));
        world.restart();
    }
}

#[test]
fn there_are_limits_and_all_or_nothing() {
    let world = world();
    let inbox = Some(world.mailbox("INBOX"));
    let many: Vec<String> = (0..limits::ANNOTATIONS_PER_MAILBOX).map(|n| format!("/shared/{n}")).collect();
    let all: Vec<(&str, Option<&str>)> = many.iter().map(|n| (n.as_str(), Some("x"))).collect();
    set(&world, inbox, &all).unwrap();
    let limit = |result| assert!(matches!(result, Err(StoreError::Limit(_))), "{result:?}");
    limit(set(&world, inbox, &[("/shared/0", Some("y")), ("/shared/more", Some("x"))]));
    assert_eq!(of(&world, inbox)["/shared/0"], "x");
    set(&world, inbox, &[("/shared/0", None), ("/shared/more", Some("x"))]).unwrap();
    let large = "x".repeat(limits::ANNOTATION_OCTETS);
    limit(set(&world, None, &[("/shared/large", Some(&format!("{large}x")))]));
    limit(set(&world, None, &[(&"/".repeat(limits::ANNOTATION_NAME_OCTETS + 1), Some("x"))]));
    let mut given = 0;
    while set(&world, None, &[(&format!("/private/{given}"), Some(&large))]).is_ok() {
        given += 1;
    }
    assert_eq!(given, limits::ANNOTATIONS_PER_ACCOUNT_OCTETS / (limits::ANNOTATION_OCTETS + 64));
}
