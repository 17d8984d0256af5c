//! Appending: ids, quota, repeated deliveries, shared commits.

use yubin_engine::memory::{Fault, Faults};
use yubin_store::{Appended, Flags, Keyword, NewMessage, Quota, StoreError, Uid, Usage};

use crate::support::*;

#[test]
fn a_message_comes_back_as_it_went_in() {
    let mut world = world();
    let text = "Subject: hello\r\n\r\nbody\r\n";
    let prefix = b"Return-Path: <>\r\n".to_vec();
    let new = NewMessage {
        prefix: prefix.clone(),
        flags: Flags::SEEN,
        keywords: vec![Keyword::new("$Label1").unwrap()],
        ..message(world.stage(text))
    };
    let done = world.try_append("inbox", vec![new], Quota::default()).unwrap();
    assert_eq!(done[0].uid, Uid(1));
    for _ in 0..2 {
        let inbox = world.opened("INBOX");
        let row = rows(&inbox)[0];
        assert_eq!((row.uid, row.flags, row.keywords.0), (Uid(1), Flags::SEEN, 1));
        assert_eq!(inbox.keywords[0].as_str(), "$Label1");
        assert_eq!((inbox.counts.messages, inbox.counts.unseen, inbox.uid_next), (1, 0, Uid(2)));
        let record = run(world.ann.record(row.doc)).unwrap();
        let whole = [&prefix[..], text.as_bytes()].concat();
        assert_eq!(record.size_octets(), whole.len() as u64);
        assert_eq!(u64::from(row.size_octets), record.size_octets());
        for from in 0..whole.len() {
            let to = (from + 9).min(whole.len());
            let read = run(world.ann.read(&record, from as u64..from as u64 + 9)).unwrap();
            assert_eq!(read, whole[from..to]);
        }
        assert!(run(world.ann.read(&record, 1000..2000)).unwrap().is_empty());
        world.restart();
    }
}

#[test]
fn a_full_account_takes_no_more_and_others_in_the_same_commit_are_not_harmed() {
    let world = world();
    let staged = world.stage("0123456789");
    let quota = Quota { octets: Some(25), messages: None };
    let inbox = world.mailbox("INBOX");
    let one = |quota| {
        let (ann, staged) = (world.ann.clone(), staged.clone());
        Box::pin(async move { ann.append(inbox, vec![message(staged)], quota, NOW).await }) as Task<'_, _>
    };
    let results: Vec<Result<Vec<Appended>, StoreError>> =
        run_all(vec![one(quota), one(quota), one(quota), one(Quota::default())]);
    let uids: Vec<_> = results.iter().map(|r| r.as_ref().map(|done| done[0].uid.0)).collect();
    assert_eq!(uids, [Ok(1), Ok(2), Err(&StoreError::OverQuota), Ok(3)]);
    assert_eq!(world.ann.state().usage, Usage { octets: 30, messages: 3 });
    let two = vec![message(staged.clone()), message(staged)];
    let quota = Quota { octets: None, messages: Some(4) };
    assert_eq!(world.try_append("INBOX", two, quota).err(), Some(StoreError::OverQuota));
    assert_eq!(world.rows("INBOX").len(), 3);
}

#[test]
fn appends_that_wait_share_commits() {
    let world = world();
    let inbox = world.mailbox("INBOX");
    world.engine.set_faults(Faults { delay_polls_max: 5, ..Faults::default() });
    let staged = world.stage("text");
    let before = world.engine.attempts();
    let one = |_| {
        let (ann, staged) = (world.ann.clone(), staged.clone());
        Box::pin(
            async move { ann.append(inbox, vec![message(staged)], Quota::default(), NOW).await.unwrap()[0] },
        ) as Task<'_, _>
    };
    let done: Vec<Appended> = run_all((0..50).map(one).collect());
    let mut uids: Vec<u32> = done.iter().map(|a| a.uid.0).collect();
    uids.sort_unstable();
    assert_eq!(uids, (1..=50).collect::<Vec<_>>());
    assert!(world.engine.attempts() - before <= 2);
    assert!(world.rows("INBOX").windows(2).all(|w| w[0].uid < w[1].uid && w[0].modseq <= w[1].modseq));
}

#[test]
fn a_repeated_delivery_finds_the_first() {
    let mut world = world();
    let new = |n: u8, world: &World| NewMessage { idem: Some([n; 16]), ..message(world.stage("text")) };
    let first = world.try_append("INBOX", vec![new(1, &world)], Quota::default()).unwrap()[0];
    for _ in 0..2 {
        // Whatever the mailbox and the quota: it is there already.
        let again = world
            .try_append("Trash", vec![new(1, &world)], Quota { octets: Some(0), messages: None })
            .unwrap()[0];
        assert_eq!((again.uid, again.doc, again.modseq), (first.uid, first.doc, first.modseq));
        world.restart();
    }
    let both = world
        .try_append("INBOX", vec![new(1, &world), new(2, &world), new(2, &world)], Quota::default())
        .unwrap();
    assert_eq!(both.iter().map(|a| a.uid.0).collect::<Vec<_>>(), [1, 2, 2]);
    assert_eq!(world.rows("INBOX").len(), 2);
}

#[test]
fn faults_of_one_commit_neither_lose_nor_double() {
    use Fault::*;
    for (fault, succeeds) in [
        (Conflict, true),
        (UnknownWithEffect, true),
        (UnknownWithoutEffect, true),
        (Full, false),
        (FlushError, false),
        (CrashBeforeApply, false),
        (CrashAfterApply, false),
        (CrashAfterFlush, false),
    ] {
        let mut world = world();
        world.append("INBOX", "first");
        let staged = world.stage("second");
        let new = || vec![NewMessage { idem: Some([9; 16]), ..message(staged.clone()) }];
        let at = world.engine.attempts();
        world.engine.set_faults(Faults { plan: vec![(at, fault)], ..Faults::default() });
        let result = world.try_append("INBOX", new(), Quota::default());
        assert_eq!(result.is_ok(), succeeds, "{fault:?} {result:?}");
        assert_eq!(
            world.ann.state().mailboxes[&world.mailbox("INBOX")].counts.messages,
            1 + u32::from(succeeds)
        );
        world.restart();
        let again = world.try_append(
            "INBOX",
            vec![NewMessage { idem: Some([9; 16]), ..message(world.stage("second")) }],
            Quota::default(),
        );
        assert_eq!(again.unwrap()[0].uid, Uid(2), "{fault:?}");
        assert_eq!(world.rows("INBOX").len(), 2, "{fault:?}");
    }
}

#[test]
fn what_cannot_be_appended_is_refused() {
    let world = world();
    let staged = world.stage("text");
    let long =
        NewMessage { prefix: vec![b'x'; yubin_store::limits::PREFIX_OCTETS + 1], ..message(staged.clone()) };
    assert!(matches!(world.try_append("INBOX", vec![long], Quota::default()), Err(StoreError::Limit(_))));
    let keywords = |n: usize| (0..n).map(|n| Keyword::new(&format!("k{n}")).unwrap()).collect();
    let many = NewMessage { keywords: keywords(65), ..message(staged.clone()) };
    assert!(matches!(world.try_append("INBOX", vec![many], Quota::default()), Err(StoreError::Limit(_))));
    let enough = NewMessage { keywords: keywords(64), ..message(staged.clone()) };
    assert!(world.try_append("INBOX", vec![enough], Quota::default()).is_ok());
    let gone =
        run(world.ann.append(yubin_store::MailboxId(99), vec![message(staged)], Quota::default(), NOW));
    assert_eq!(gone.err(), Some(StoreError::NoMailbox));
    let mut stager = world.store.stager();
    assert!(stager.write(&vec![b'x'; 1_000_001]).is_err());
    assert!(stager.finish().is_err());
}

#[test]
fn an_append_given_up_half_way_harms_nobody() {
    for polls in 0..8 {
        let world = world();
        let inbox = world.mailbox("INBOX");
        world.engine.set_faults(Faults { delay_polls_max: 6, ..Faults::default() });
        let staged = [world.stage("first"), world.stage("second"), world.stage("third")];
        let [first, second, third] = staged.map(|staged| {
            let ann = world.ann.clone();
            Box::pin(async move { ann.append(inbox, vec![message(staged)], Quota::default(), NOW).await })
        });
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        // The first commits for the second as well, and is dropped meanwhile.
        let (mut first, mut second) = (first, second);
        let mut answers = 0;
        for _ in 0..=polls {
            answers += usize::from(answers == 0 && first.as_mut().poll(&mut cx).is_ready());
        }
        let waits = second.as_mut().poll(&mut cx).is_pending();
        drop(first);
        let second = if waits { run(second) } else { continue };
        let third = run(third).unwrap()[0];
        let found = world.rows("INBOX");
        assert!(found.iter().any(|row| row.uid == third.uid));
        if let Ok(second) = second {
            assert!(found.iter().any(|row| row.uid == second[0].uid && row.doc == second[0].doc));
        }
        assert!(found.len() <= 3);
        assert_eq!(run(world.store.verify_account(ANN, false)).unwrap().problems, Vec::<String>::new());
    }
}

#[test]
fn what_was_read_from_a_message_is_kept() {
    let world = world();
    let text = "Received: from a by b; Tue, 14 Nov 2023 22:13:20 +0000\r\nReceived: from c\r\nDelivered-To: ann@example.test\r\n\
        Message-ID: <1@x>\r\nReferences: <a@x>\r\n <b@x>\r\nIn-Reply-To: <b@x> <c@x>\r\nSubject: Re: [list] =?utf-8?q?l=C3=BCnch?=\r\n\
        Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\nbody\r\n";
    let staged = world.stage(text);
    assert_eq!(staged.message_id.as_deref(), Some("1@x"));
    assert_eq!(staged.references, ["a@x", "b@x", "c@x"]);
    assert_eq!(staged.base_subject.to_lowercase(), "lünch");
    assert_eq!(staged.sent_date, Some(NOW));
    assert_eq!((staged.received_fields, &staged.delivered_to[..]), (2, &["ann@example.test".to_owned()][..]));
    assert!(
        staged.envelope.starts_with(b"(\"Tue, 14 Nov 2023")
            && staged.body_structure.starts_with(b"(\"TEXT\""),
        "{staged:?}"
    );
    assert!(staged.body_structure.len() > staged.body.len());
    let structure = yubin_formats::mail::Structure::decode(&staged.structure).unwrap();
    assert_eq!(structure.root.body_range(), text.len() as u64 - 6..text.len() as u64);
    assert!(!staged.line_ends && world.stage("a\nb\r\n").line_ends);
    let done =
        world.try_append("INBOX", vec![message(world.stage("no line end"))], Quota::default()).unwrap();
    let row = world.rows("INBOX")[0];
    assert!(row.uid == done[0].uid && row.flags == Flags::LINE_ENDS);
}

#[test]
fn a_message_is_replaced_in_one_commit_and_only_the_difference_counts() {
    let mut world = world();
    world.append("INBOX", "0123456789");
    world.append("INBOX", "abcdefghij");
    let (inbox, sent) = (world.mailbox("INBOX"), world.mailbox("Sent"));
    let replace = |world: &World, old: u32, to, text: &str, octets| {
        let quota = Quota { octets: Some(octets), messages: Some(2) };
        run(world.ann.replace((inbox, Uid(old)), to, message(world.stage(text)), quota, NOW))
    };
    let before = world.ann.state().modseq;
    let done = replace(&world, 1, inbox, "0123456789abc", 23).unwrap();
    assert_eq!((done.uid, done.modseq.0), (Uid(3), before.0 + 1));
    assert_eq!(world.ann.state().usage, Usage { octets: 23, messages: 2 });
    assert_eq!(replace(&world, 2, inbox, "0123456789abc", 25).err(), Some(StoreError::OverQuota));
    // What is no larger is taken even of one who has too much already.
    replace(&world, 2, sent, "0123456789", 1).unwrap();
    assert_eq!(replace(&world, 2, inbox, "x", 100).err(), Some(StoreError::Gone));
    assert_eq!(replace(&world, 9, inbox, "x", 100).err(), Some(StoreError::Gone));
    for _ in 0..2 {
        let uids = |name: &str| world.rows(name).iter().map(|row| row.uid.0).collect::<Vec<_>>();
        assert_eq!((uids("INBOX"), uids("Sent")), (vec![3], vec![1]));
        assert_eq!(world.ann.state().usage, Usage { octets: 23, messages: 2 });
        world.restart();
    }
}

#[test]
fn of_two_that_replace_one_message_at_once_one_fails() {
    let world = world();
    world.append("INBOX", "old");
    let inbox = world.mailbox("INBOX");
    let one = |text: &str| {
        let (ann, staged) = (world.ann.clone(), world.stage(text));
        Box::pin(
            async move { ann.replace((inbox, Uid(1)), inbox, message(staged), Quota::default(), NOW).await },
        ) as Task<'_, _>
    };
    let results: Vec<Result<Appended, StoreError>> = run_all(vec![one("new"), one("newer")]);
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert!(results.iter().any(|r| r.as_ref().err() == Some(&StoreError::Gone)));
    assert_eq!(world.rows("INBOX").len(), 1);
}

#[test]
fn what_was_replaced_is_purged_in_time() {
    let world = world();
    let old = world.append("INBOX", "old");
    let inbox = world.mailbox("INBOX");
    let new = message(world.stage("new"));
    run(world.ann.replace((inbox, Uid(1)), inbox, new, Quota::default(), NOW)).unwrap();
    assert!(run(world.ann.record(old.doc)).is_ok());
    let purged = run(world.ann.purge(NOW.plus_ms(1 << 40))).unwrap();
    assert_eq!(purged.messages, 1);
    assert_eq!(run(world.ann.record(old.doc)).err(), Some(StoreError::Gone));
}
