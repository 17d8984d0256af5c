//! What every engine must do.

use std::sync::atomic::{AtomicUsize, Ordering};

use yubin_engine::{Batch, BlobRef, CommitError, Durability, Op, Pre, ReadError, check_blob, limits};

use crate::world::{World, blob, commit, get, keys, noise, ops, pre, put, scan, text, view, wait};

pub fn a_committed_batch_is_visible_and_an_older_view_does_not_see_it(world: World) {
    let engine = world.engine();
    commit(engine, ops(vec![put("a", "1"), put("b", "1")])).unwrap();
    let old = view(engine);
    commit(engine, ops(vec![put("a", "2"), Op::Del("b".into()), put("c", "2")])).unwrap();
    assert_eq!(get(engine, "a").as_deref(), Some(&b"2"[..]));
    assert_eq!(keys(engine), "ac");
    assert_eq!(wait(old.get(b"a")).unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(wait(old.get(b"b")).unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(wait(old.get(b"c")).unwrap(), None);
    assert_eq!(wait(old.scan(b"a", b"z", false, 9)).unwrap().len(), 2);
}

pub fn a_batch_takes_effect_wholly_or_not_at_all(world: World) {
    let engine = world.engine();
    let mut batch = ops(vec![put("a", "1"), put("b", "1")]);
    batch.pre = vec![Pre::Absent("x".into()), Pre::Equals("y".into(), "1".into())];
    assert_eq!(commit(engine, batch), Err(CommitError::Conflict(1)));
    assert_eq!(keys(engine), "");
    let too_large = ops(vec![put("a", "1"), Op::Put(b"b".to_vec(), vec![0; limits::VALUE_OCTETS + 1])]);
    assert_eq!(commit(engine, too_large), Err(CommitError::TooLarge));
    assert_eq!(keys(engine), "");
}

pub fn expectations_hold_or_name_the_one_that_does_not(world: World) {
    let engine = world.engine();
    let seven = [&7u64.to_be_bytes()[..], b"tail"].concat();
    commit(engine, ops(vec![put("a", "1"), Op::Put("v".into(), seven), put("short", "7")])).unwrap();
    let holds = |expectation: Pre| commit(engine, pre(expectation, put("z", ""))).is_ok();
    assert!(holds(Pre::Absent("none".into())));
    assert!(!holds(Pre::Absent("a".into())));
    assert!(holds(Pre::Equals("a".into(), "1".into())));
    assert!(!holds(Pre::Equals("a".into(), "10".into())));
    assert!(!holds(Pre::Equals("none".into(), "".into())));
    assert!(holds(Pre::Version("v".into(), 7)));
    assert!(!holds(Pre::Version("v".into(), 8)));
    assert!(!holds(Pre::Version("short".into(), 7)));
    assert!(!holds(Pre::Version("none".into(), 0)));
}

pub fn operations_apply_in_their_order(world: World) {
    let engine = world.engine();
    let batch = vec![
        put("a", "1"),
        Op::Del("a".into()),
        put("b", "1"),
        put("b", "2"),
        put("c", "1"),
        Op::DelRange("c".into(), "d".into()),
        put("d", "x"),
        Op::DelRange("d".into(), "e".into()),
        put("d", "y"),
        Op::Del("never".into()),
    ];
    commit(engine, ops(batch)).unwrap();
    assert_eq!(keys(engine), "bd");
    assert_eq!(get(engine, "b").as_deref(), Some(&b"2"[..]));
    assert_eq!(get(engine, "d").as_deref(), Some(&b"y"[..]));
}

pub fn ranges_are_removed_without_their_end(world: World) {
    let check = |from: &str, to: &str, left: &str| {
        let engine = world.engine();
        commit(engine, ops("abcdef".chars().map(|c| put(&c.to_string(), "")).collect())).unwrap();
        commit(engine, ops(vec![Op::DelRange(from.into(), to.into())])).unwrap();
        assert_eq!(keys(engine), left, "{from}..{to}");
    };
    check("b", "d", "adef");
    check("b", "b", "abcdef");
    check("d", "b", "abcdef");
    check("", "c", "cdef");
    check("a0", "zz", "a");
    check("", "", "abcdef");
    let engine = world.engine();
    commit(engine, ops((0..3000u32).map(|n| Op::Put(n.to_be_bytes().to_vec(), vec![1; 50])).collect()))
        .unwrap();
    commit(engine, ops(vec![Op::DelRange(vec![], vec![0xff])])).unwrap();
    assert_eq!(keys(engine), "");
}

pub fn counters_add_and_stop_at_their_ends(world: World) {
    let engine = world.engine();
    commit(engine, ops(vec![Op::Add("n".into(), 5), Op::Add("n".into(), -7)])).unwrap();
    assert_eq!(get(engine, "n").unwrap(), (-2i64).to_be_bytes());
    commit(engine, ops(vec![Op::Add("n".into(), i64::MIN), Op::Add("n".into(), -1)])).unwrap();
    assert_eq!(get(engine, "n").unwrap(), i64::MIN.to_be_bytes());
}

pub fn scans_are_ordered_limited_and_reversible(world: World) {
    let engine = world.engine();
    commit(engine, ops(["b", "a", "c", "aa", "d"].map(|k| put(k, k)).to_vec())).unwrap();
    let check = |from: &str, to: &str, reverse: bool, limit: usize, found: &str| {
        let pairs = scan(engine, from.as_bytes(), to.as_bytes(), reverse, limit);
        assert!(pairs.iter().all(|(k, v)| k == v));
        let names: Vec<_> = pairs.iter().map(|(k, _)| String::from_utf8_lossy(k)).collect();
        assert_eq!(names.join(" "), found, "{from}..{to} {reverse} {limit}");
    };
    check("", "z", false, 99, "a aa b c d");
    check("", "z", true, 99, "d c b aa a");
    check("a", "c", false, 99, "a aa b");
    check("a", "c", true, 99, "b aa a");
    check("a0", "d", false, 2, "aa b");
    check("a0", "d", true, 2, "c b");
    check("a", "z", false, 0, "");
    check("a", "z", true, 0, "");
    check("c", "c", false, 9, "");
    check("z", "a", false, 9, "");
    check("z", "a", true, 9, "");
    check("x", "z", true, 9, "");
}

pub fn several_keys_are_read_in_their_order(world: World) {
    let engine = world.engine();
    commit(engine, ops(vec![put("a", "1"), put("b", "2")])).unwrap();
    let found =
        wait(view(engine).get_many(&["b".into(), "x".into(), "a".into(), "b".into(), vec![]])).unwrap();
    assert_eq!(found, [Some(b"2".to_vec()), None, Some(b"1".to_vec()), Some(b"2".to_vec()), None]);
}

pub fn a_repeated_batch_changes_nothing_and_answers_the_same(world: World) {
    let batch = |op: Op| Batch { idem: Some([9; 16]), ..pre(Pre::Absent("a".into()), op) };
    let first = commit(world.engine(), batch(put("a", "1"))).unwrap();
    assert!(!first.repeated());
    let world = world.reopen();
    let again = commit(world.engine(), batch(put("a", "2"))).unwrap();
    assert!(again.repeated());
    assert_eq!(again.version(), first.version());
    assert_eq!(get(world.engine(), "a").as_deref(), Some(&b"1"[..]));
    // A batch that failed may be tried again under its name.
    let mut other = Batch { idem: Some([8; 16]), ..pre(Pre::Absent("a".into()), put("b", "1")) };
    assert_eq!(commit(world.engine(), other.clone()), Err(CommitError::Conflict(0)));
    other.pre.clear();
    assert!(!commit(world.engine(), other).unwrap().repeated());
    // Also within one group.
    let twin = Batch { idem: Some([7; 16]), ..ops(vec![Op::Add("n".into(), 1)]) };
    let answers = wait(world.engine().commit_many(vec![twin.clone(), twin]));
    assert_eq!(answers.iter().map(|a| a.as_ref().unwrap().repeated()).collect::<Vec<_>>(), [false, true]);
    assert_eq!(get(world.engine(), "n").unwrap(), 1i64.to_be_bytes());
}

pub fn batches_of_one_group_succeed_or_fail_for_themselves(world: World) {
    let engine = world.engine();
    let answers = wait(engine.commit_many(vec![
        pre(Pre::Absent("a".into()), put("a", "1")),
        pre(Pre::Absent("a".into()), put("b", "1")),
        pre(Pre::Equals("a".into(), "1".into()), put("c", "1")),
        ops(vec![Op::Put(vec![], vec![])]),
        ops(vec![put("d", "1")]),
    ]));
    let brief: Vec<_> = answers.iter().map(|a| a.as_ref().err().cloned()).collect();
    assert_eq!(brief, [None, Some(CommitError::Conflict(0)), None, Some(CommitError::TooLarge), None]);
    assert_eq!(keys(engine), "acd");
    assert!(wait(engine.commit_many(vec![])).is_empty());
}

pub fn versions_grow(world: World) {
    let mut last = commit(world.engine(), ops(vec![])).unwrap().version();
    let world = world.reopen();
    for n in 0..20 {
        let next = commit(world.engine(), ops(vec![put("a", &n.to_string())])).unwrap().version();
        assert!(next > last);
        last = next;
    }
}

pub fn limits_are_enforced(world: World) {
    let engine = world.engine();
    let key = |len: usize| vec![b'k'; len];
    let check = |op: Op, fits: bool| {
        let expected = if fits { None } else { Some(CommitError::TooLarge) };
        assert_eq!(commit(engine, ops(vec![op])).err(), expected);
    };
    check(Op::Put(key(limits::KEY_OCTETS), vec![]), true);
    check(Op::Put(key(limits::KEY_OCTETS + 1), vec![]), false);
    check(Op::Put(vec![], vec![]), false);
    check(Op::Del(vec![]), false);
    check(Op::Add(key(limits::KEY_OCTETS + 1), 1), false);
    check(Op::Put(b"v".to_vec(), vec![7; limits::VALUE_OCTETS]), true);
    check(Op::Put(b"v".to_vec(), vec![7; limits::VALUE_OCTETS + 1]), false);
    check(Op::DelRange(key(limits::KEY_OCTETS + 1), b"z".to_vec()), false);
    assert_eq!(commit(engine, pre(Pre::Absent(vec![]), put("a", ""))), Err(CommitError::TooLarge));
    assert_eq!(get(engine, "v").unwrap(), vec![7; limits::VALUE_OCTETS]);
    let many = |n: usize| ops((0..n as u32).map(|n| Op::Del(n.to_be_bytes().to_vec())).collect());
    commit(engine, many(limits::BATCH_OPS)).unwrap();
    assert_eq!(commit(engine, many(limits::BATCH_OPS + 1)), Err(CommitError::TooLarge));
    let heavy = (0..70u8).map(|n| Op::Put(vec![n], vec![0; 60_000])).collect();
    assert_eq!(commit(engine, ops(heavy)), Err(CommitError::TooLarge));
}

pub fn the_largest_batch_is_taken(world: World) {
    let engine = world.engine();
    let values = (0..63u8).map(|n| Op::Put(vec![n], noise(u64::from(n), limits::VALUE_OCTETS))).collect();
    commit(engine, ops(values)).unwrap();
    for (key, value) in scan(engine, &[], &[0xff], false, usize::MAX) {
        assert_eq!(value, noise(u64::from(key[0]), limits::VALUE_OCTETS));
    }
}

pub fn blobs_of_every_size_are_read_back(world: World) {
    const FRAME: usize = limits::BLOB_FRAME_OCTETS;
    let mut kept = Vec::new();
    for (n, len) in
        [0, 1, 63, 4095, 4096, 4097, 65_536, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME + 7]
            .iter()
            .enumerate()
    {
        for content in [noise(n as u64, *len), text(n as u64, *len)] {
            let blob = blob(world.engine(), &content);
            assert_eq!(blob.size_octets, *len as u64);
            assert_eq!(blob.hash[..], blake3::hash(&content).as_bytes()[..16]);
            assert!(blob.encode().len() <= limits::BLOB_REF_OCTETS);
            let key = format!("{len} {}", kept.len());
            let batch = Batch { blobs: vec![blob.clone()], ..ops(vec![Op::Put(key.into(), blob.encode())]) };
            commit(world.engine(), batch).unwrap();
            assert_eq!(wait(world.engine().blob_read(&blob, 0..u64::MAX)).unwrap(), content, "{len}");
            wait(check_blob(world.engine(), &blob)).unwrap();
            let mut other = blob.clone();
            other.hash = [0; 16];
            assert!(matches!(wait(check_blob(world.engine(), &other)), Err(ReadError::Corrupt(_))));
            kept.push((blob, content));
        }
    }
    let world = world.reopen();
    for (blob, content) in kept {
        assert!(wait(world.engine().blob_read(&blob, 0..u64::MAX)).unwrap() == content, "{}", content.len());
    }
}

pub fn ranges_of_blobs_are_clipped(world: World) {
    let engine = world.engine();
    for len in [10usize, 5_000, 700_000] {
        let content = noise(1, len);
        let blob = blob(engine, &content);
        let full = len as u64;
        let frame = limits::BLOB_FRAME_OCTETS as u64;
        for (start, end) in [
            (0, 0),
            (0, 1),
            (3, 9),
            (full - 1, full),
            (full, full + 9),
            (full - 1, u64::MAX),
            (full + 5, full + 9),
            (frame - 1, frame + 1),
            (frame, frame * 2),
            (frame * 2 - 1, frame * 2 + 1),
        ] {
            let expected = &content[(start.min(full)) as usize..(end.min(full)) as usize];
            assert_eq!(wait(engine.blob_read(&blob, start..end)).unwrap(), expected, "{len}: {start}..{end}");
        }
        let (start, end) = (9, 3);
        assert_eq!(wait(engine.blob_read(&blob, start..end)).unwrap(), b"");
    }
}

pub fn references_survive_their_encoding(world: World) {
    let engine = world.engine();
    for len in [0, 100, 100_000, 300_000] {
        let content = noise(2, len);
        let decoded = BlobRef::decode(&blob(engine, &content).encode()).unwrap();
        assert_eq!(wait(engine.blob_read(&decoded, 0..u64::MAX)).unwrap(), content);
    }
    assert_eq!(BlobRef::decode(b"too short"), None);
}

pub fn references_of_rubbish_are_refused_without_harm(world: World) {
    let engine = world.engine();
    let real = blob(engine, &noise(3, 100_000)).encode();
    for seed in 0..300u64 {
        let mut bytes = real.clone();
        let dice = noise(seed, 8);
        for pair in dice.chunks(2) {
            let at = 24 + usize::from(pair[0]) % (bytes.len() - 24);
            bytes[at] ^= pair[1];
        }
        let Some(reference) = BlobRef::decode(&bytes) else { continue };
        if let Ok(content) = wait(engine.blob_read(&reference, 0..200_000)) {
            assert!(content == noise(3, 100_000), "seed {seed}");
        }
    }
    let nothing = BlobRef::decode(&[&10u64.to_be_bytes()[..], &[0; 16], b"?"].concat()).unwrap();
    assert!(matches!(wait(engine.blob_read(&nothing, 0..10)), Err(ReadError::Corrupt(_))));
}

pub fn what_was_committed_survives_reopening(world: World) {
    let content = noise(4, 300_000);
    let large = blob(world.engine(), &content);
    let batch = Batch { blobs: vec![large.clone()], ..ops(vec![put("a", "1"), Op::Add("n".into(), 3)]) };
    commit(world.engine(), batch).unwrap();
    let world = world.reopen().reopen();
    assert_eq!(keys(world.engine()), "an");
    assert_eq!(get(world.engine(), "n").unwrap(), 3i64.to_be_bytes());
    assert!(wait(world.engine().blob_read(&large, 0..u64::MAX)).unwrap() == content);
    commit(world.engine(), ops(vec![put("b", "1")])).unwrap();
    assert_eq!(keys(world.engine()), "abn");
}

pub fn lazy_batches_are_ordered_with_the_others(world: World) {
    let lazy = |op: Op| Batch { durability: Durability::Lazy, ..ops(vec![op]) };
    let first = commit(world.engine(), lazy(put("a", "1"))).unwrap();
    assert_eq!(keys(world.engine()), "a");
    let second = commit(world.engine(), ops(vec![put("a", "2")])).unwrap();
    assert!(second.version() > first.version());
    let world = world.reopen();
    assert_eq!(get(world.engine(), "a").as_deref(), Some(&b"2"[..]));
}

pub fn concurrent_writers_count_correctly(world: World) {
    const THREADS: usize = 16;
    const TIMES: u64 = 25;
    let engine = world.engine();
    commit(engine, ops(vec![Op::Put(b"n".to_vec(), 0u64.to_be_bytes().to_vec())])).unwrap();
    let conflicts = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..TIMES {
                    loop {
                        let seen = u64::from_be_bytes(get(engine, "n").unwrap().try_into().unwrap());
                        let next = Op::Put(b"n".to_vec(), (seen + 1).to_be_bytes().to_vec());
                        match commit(engine, pre(Pre::Version(b"n".to_vec(), seen), next)) {
                            Ok(_) => break,
                            Err(CommitError::Conflict(0)) => conflicts.fetch_add(1, Ordering::Relaxed),
                            Err(other) => panic!("{other}"),
                        };
                    }
                }
            });
        }
    });
    assert_eq!(get(engine, "n").unwrap(), (THREADS as u64 * TIMES).to_be_bytes());
}

pub fn the_engines_own_keys_are_hidden(world: World) {
    let engine = world.engine();
    commit(engine, Batch { idem: Some([1; 16]), ..ops(vec![put("a", "")]) }).unwrap();
    assert_eq!(commit(engine, ops(vec![Op::Put(vec![0xff, b'm'], vec![])])), Err(CommitError::TooLarge));
    assert_eq!(wait(view(engine).get(&[0xff, b'm'])).unwrap(), None);
    assert_eq!(scan(engine, b"", &[0xff; 200], false, 99).len(), 1);
    commit(engine, ops(vec![Op::DelRange(vec![], vec![0xff; 200])])).unwrap();
    let again = commit(engine, Batch { idem: Some([1; 16]), ..ops(vec![put("a", "")]) }).unwrap();
    assert!(again.repeated());
}
