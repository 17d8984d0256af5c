//! The search index: what it says, what it forgets, and that it may be lost at any time.

use yubin_engine::{Batch, Engine as _, Op, Part};
use yubin_store::{DocId, Sought};

use crate::support::{ANN, NOW, World, run, world};

/// Indexes as the server's job does.
fn index(world: &World) -> u64 {
    let mut messages = 0;
    loop {
        let step = run(world.ann.index_step()).unwrap();
        messages += step.messages;
        if !step.more {
            return messages;
        }
    }
}

/// What the index says of documents; nothing when it cannot help.
fn ask(world: &World, sought: Sought, needle: &str, docs: &[u64]) -> Option<Vec<Option<bool>>> {
    let answer = run(world.ann.ask_index(&[(sought, needle)])).unwrap().remove(0)?;
    Some(docs.iter().map(|doc| answer.holds(DocId(*doc))).collect())
}

/// 300 messages of which number 7 is special.
fn filled() -> World {
    let world = world();
    for n in 1..=300 {
        let special = if n == 7 { "quixotic 稀覯本 a1b2c3d4e5" } else { "ordinary 会議資料" };
        world.append(
            "INBOX",
            &format!("Subject: letter {n}\r\nX-Key: k9{n}zz8y7\r\n\r\nwords, {special}\r\n"),
        );
    }
    world
}

/// The keys of the index table.
fn keys(world: &World) -> Vec<Vec<u8>> {
    let view = run(world.engine.view(Part(0x910))).unwrap();
    let table = |kind: u8| vec![b'a', 9, 16, 0, 0, 0, 0, 0, 0, 0, 1, kind];
    run(view.scan(&table(b'w'), &table(b'x'), false, 10_000))
        .unwrap()
        .into_iter()
        .map(|(key, _)| key)
        .collect()
}

#[test]
fn what_is_sure_and_what_must_be_read() {
    let world = filled();
    let check = |sought: &Sought, needle: &str, expected: [Option<bool>; 2]| {
        assert_eq!(ask(&world, sought.clone(), needle, &[7, 8]), Some(expected.to_vec()), "{needle}");
    };
    assert_eq!(ask(&world, Sought::Body, "quixotic", &[7]), None, "nothing is indexed yet");
    assert_eq!(index(&world), 300);
    let (yes, no, read) = (Some(true), Some(false), None);
    // A part of one word proves it.
    check(&Sought::Body, "uixo", [yes, no]);
    check(&Sought::Anywhere, "uixo", [yes, no]);
    check(&Sought::Body, "words", [yes, yes]);
    check(&Sought::Body, "z", [no, no]);
    check(&Sought::Body, "letter", [no, no]);
    check(&Sought::Anywhere, "letter", [yes, yes]);
    check(&Sought::Field("subject".into()), "etter", [yes, yes]);
    check(&Sought::Field("from".into()), "letter", [no, no]);
    check(&Sought::Body, "稀覯", [yes, no]);
    check(&Sought::Body, "覯", [yes, no]);
    // Several pieces only narrow it down.
    check(&Sought::Body, "稀覯本", [read, no]);
    check(&Sought::Body, "words, qui", [read, no]);
    check(&Sought::Body, "a1b2c3", [read, no]);
    check(&Sought::Body, "b2c", [yes, no]);
    check(&Sought::Field("x-key".into()), "k97zz", [read, no]);
    check(&Sought::Field("x-key".into()), "", [read, read]);
    check(&Sought::Field("x-other".into()), "k97zz", [no, no]);
    // What is after the index must be read; separators alone are in no term.
    let later = world.append("INBOX", "Subject: later\r\n\r\nquixotic\r\n");
    assert_eq!(ask(&world, Sought::Body, "quixotic", &[later.doc.0]), Some(vec![None]));
    assert_eq!(ask(&world, Sought::Body, "--", &[7]), None);
    assert_eq!(ask(&world, Sought::Field("subject".into()), "", &[7]), None);
}

#[test]
fn purged_messages_are_taken_out() {
    let world = filled();
    index(&world);
    let uids = yubin_store::UidSet::from_ranges([(1, 200)]);
    run(world.ann.expunge(world.mailbox("INBOX"), Some(&uids), true, NOW)).unwrap();
    assert_eq!(run(world.ann.purge(NOW.plus_ms(3_601_000))).unwrap().messages, 200);
    assert_eq!(ask(&world, Sought::Body, "quixotic", &[7]), Some(vec![Some(true)]));
    let before = run(world.ann.index_stats()).unwrap();
    assert_eq!(index(&world), 0);
    let after = run(world.ann.index_stats()).unwrap();
    assert_eq!((before.messages, after.messages), (300, 100));
    assert!(after.octets < before.octets);
    assert_eq!(ask(&world, Sought::Body, "quixotic", &[7, 201]), Some(vec![Some(false), Some(false)]));
    assert_eq!(ask(&world, Sought::Body, "ordinary", &[7, 201]), Some(vec![Some(false), Some(true)]));
    assert!(!keys(&world).iter().any(|key| key[12] == b'g'), "nothing is left to take out");
    assert_eq!(run(world.store.verify_account(ANN, false)).unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_damaged_index_helps_nobody_and_is_built_anew() {
    for kind in [b'h', b'd', b'p'] {
        let world = filled();
        index(&world);
        let damage = || {
            let ops =
                keys(&world).into_iter().filter(|key| key[12] == kind).map(|key| Op::Put(key, vec![1, 2, 3]));
            let batch = Batch { part: Part(0x910), ops: ops.collect(), ..Batch::default() };
            run(world.engine.commit(batch)).unwrap();
        };
        damage();
        // The part of it that is damaged is met by this text.
        assert_eq!(ask(&world, Sought::Body, "quixotic", &[7]), None);
        let report = run(world.store.verify_account(ANN, false)).unwrap();
        assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
        let report = run(world.store.verify_account(ANN, true)).unwrap();
        assert_eq!(report.repaired, 1);
        assert_eq!(run(world.store.verify_account(ANN, false)).unwrap().problems, Vec::<String>::new());
        assert_eq!(index(&world), 300);
        assert_eq!(ask(&world, Sought::Body, "quixotic", &[7]), Some(vec![Some(true)]));
        // Without fsck the head's damage is met by the next step, which begins anew.
        if kind == b'h' {
            damage();
            assert_eq!(index(&world), 300);
            assert_eq!(ask(&world, Sought::Body, "quixotic", &[7]), Some(vec![Some(true)]));
        }
    }
}

#[test]
fn a_crash_loses_the_index_at_most() {
    let mut world = filled();
    index(&world);
    world.restart();
    let indexed = run(world.ann.index_stats()).unwrap().messages;
    assert!(indexed == 0 || indexed == 300);
    assert_eq!(index(&world), 300 - indexed);
    assert_eq!(ask(&world, Sought::Body, "quixotic", &[7]), Some(vec![Some(true)]));
    assert_eq!(run(world.store.verify_account(ANN, false)).unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_removed_account_leaves_no_index() {
    let world = filled();
    index(&world);
    assert!(keys(&world).len() > 3);
    run(world.store.remove_account(ANN)).unwrap();
    assert_eq!(keys(&world), Vec::<Vec<u8>>::new());
    let step = run(world.ann.index_step()).unwrap();
    assert_eq!(step, yubin_store::IndexStep::default());
    assert_eq!(keys(&world), Vec::<Vec<u8>>::new());
}
