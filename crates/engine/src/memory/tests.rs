//! What each fault does.

use super::*;
use crate::Durability::{Lazy, Sync};

fn now<T: Unpin>(pending: Pending<T>) -> T {
    match pending {
        Pending::Ready(Some(value)) => value,
        Pending::Ready(None) => panic!("taken already"),
        Pending::Later(mut future) => loop {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                return value;
            }
        },
    }
}

fn put(key: &str, durability: Durability) -> Batch {
    let ops = vec![Op::Put(key.into(), b"v".to_vec())];
    Batch { ops, durability, idem: Some([key.as_bytes()[0]; 16]), ..Batch::default() }
}

fn keys(engine: &MemoryEngine) -> String {
    engine.dump().iter().map(|(k, _)| String::from_utf8_lossy(k).into_owned()).collect()
}

/// One batch `a` without trouble, then `b` with the fault; what it answered, and what is there after a restart.
fn check(fault: Fault, answer: CommitError, after: &[&str]) {
    for seed in 0..20 {
        let faults = Faults { plan: vec![(1, fault)], lose_lazy: true, ..Faults::default() };
        let engine = MemoryEngine::with_faults(seed, faults);
        now(engine.commit(put("a", Sync))).unwrap();
        let mut b = put("b", Sync);
        b.pre.push(Pre::Absent(b"b".to_vec()));
        assert_eq!(now(engine.commit(b)), Err(answer.clone()), "{fault:?} {seed}");
        let found = keys(&engine.crash());
        assert!(after.contains(&found.as_str()), "{fault:?} {seed}: {found}");
    }
}

#[test]
fn planned_faults() {
    check(Fault::CrashBeforeApply, CommitError::Unknown, &["a"]);
    check(Fault::CrashAfterApply, CommitError::Unknown, &["a", "ab"]);
    check(Fault::CrashAfterFlush, CommitError::Unknown, &["ab"]);
    check(Fault::Conflict, CommitError::Conflict(0), &["a"]);
    check(Fault::UnknownWithEffect, CommitError::Unknown, &["a", "ab"]);
    check(Fault::UnknownWithoutEffect, CommitError::Unknown, &["a"]);
    check(Fault::Full, CommitError::Full, &["a"]);
    check(Fault::FlushError, CommitError::Unknown, &["a", "ab"]);
}

#[test]
fn both_ends_of_an_uncertain_batch_happen() {
    for fault in [Fault::CrashAfterApply, Fault::FlushError] {
        let found: std::collections::BTreeSet<String> = (0..40)
            .map(|seed| {
                let faults = Faults { plan: vec![(0, fault)], lose_lazy: true, ..Faults::default() };
                let engine = MemoryEngine::with_faults(seed, faults);
                assert_eq!(now(engine.commit(put("a", Sync))), Err(CommitError::Unknown));
                keys(&engine.crash())
            })
            .collect();
        assert_eq!(found.len(), 2, "{fault:?}");
    }
}

#[test]
fn a_failed_flush_makes_the_store_read_only_until_a_restart() {
    let engine =
        MemoryEngine::with_faults(1, Faults { plan: vec![(0, Fault::FlushError)], ..Faults::default() });
    assert_eq!(now(engine.commit(put("a", Sync))), Err(CommitError::Unknown));
    assert!(matches!(engine.health(), Health::ReadOnly(_)));
    assert_eq!(now(engine.commit(put("b", Sync))), Err(CommitError::ReadOnly));
    assert_eq!(engine.room_for(1), Err(CommitError::ReadOnly));
    let engine = engine.crash();
    assert_eq!(engine.health(), Health::Writable);
    now(engine.commit(put("b", Sync))).unwrap();
}

#[test]
fn a_repeated_attempt_finds_the_first_also_after_a_restart() {
    let faults = Faults { plan: vec![(0, Fault::CrashAfterFlush)], ..Faults::default() };
    let engine = MemoryEngine::with_faults(1, faults);
    assert_eq!(now(engine.commit(put("a", Sync))), Err(CommitError::Unknown));
    assert!(engine.crashed());
    assert_eq!(now(engine.commit(put("a", Sync))), Err(CommitError::Unavailable));
    let engine = engine.crash();
    assert!(now(engine.commit(put("a", Sync))).unwrap().repeated());
}

#[test]
fn lazy_batches_are_lost_as_a_suffix_and_never_before_a_later_synchronous_one() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let engine = MemoryEngine::with_faults(seed, Faults { lose_lazy: true, ..Faults::default() });
        for (key, how) in [("a", Lazy), ("b", Sync), ("c", Lazy), ("d", Lazy)] {
            now(engine.commit(put(key, how))).unwrap();
        }
        let engine = engine.crash();
        let left = keys(&engine);
        now(engine.commit(put("x", Sync))).unwrap();
        now(engine.commit(put("y", Sync))).unwrap();
        assert_eq!(keys(&engine), format!("{left}xy"), "what was lost does not come back");
        seen.insert(left);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["ab", "abc", "abcd"]);
}

#[test]
fn what_survives_a_failed_flush_has_everything_before_it() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let plan = vec![(1, Fault::FlushError)];
        let engine = MemoryEngine::with_faults(seed, Faults { lose_lazy: true, plan, ..Faults::default() });
        now(engine.commit(put("a", Lazy))).unwrap();
        now(engine.commit(put("b", Sync))).unwrap_err();
        seen.insert(keys(&engine.crash()));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["", "a", "ab"]);
}

#[test]
fn unnamed_blobs_may_be_lost_and_named_ones_never() {
    let mut lost = 0;
    for seed in 0..40 {
        let engine = MemoryEngine::with_faults(seed, Faults { lose_blobs: true, ..Faults::default() });
        let blob = |octet: u8| {
            let mut writer = engine.blob_writer();
            writer.write(&[octet; 10_000]).unwrap();
            writer.finish().unwrap()
        };
        let (named, unnamed) = (blob(1), blob(2));
        now(engine.commit(Batch { blobs: vec![named.clone()], ..put("a", Sync) })).unwrap();
        let engine = engine.crash();
        assert_eq!(now(engine.blob_read(&named, 0..10_000)).unwrap(), [1; 10_000]);
        lost += usize::from(now(engine.blob_read(&unnamed, 0..1)).is_err());
    }
    assert!(lost > 5 && lost < 35, "{lost}");
}

#[test]
fn a_full_disk_still_takes_deletions() {
    let engine = MemoryEngine::new();
    now(engine.commit(put("a", Sync))).unwrap();
    engine.set_faults(Faults { disk_full: true, ..Faults::default() });
    assert_eq!(engine.room_for(1), Err(CommitError::Full));
    assert_eq!(engine.blob_writer().write(b"x"), Err(BlobError::Full));
    let large = Batch { ops: vec![Op::Put(b"l".to_vec(), vec![0; 60_000])], ..Batch::default() };
    assert_eq!(now(engine.commit(large.clone())), Err(CommitError::Full));
    now(engine.commit(Batch { ops: vec![Op::Del(b"a".to_vec())], ..Batch::default() })).unwrap();
    engine.set_faults(Faults::default());
    now(engine.commit(large)).unwrap();
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let story = |seed| {
        let faults = Faults {
            conflict_ppm: 100_000,
            unknown_with_effect_ppm: 100_000,
            unknown_without_effect_ppm: 100_000,
            full_ppm: 100_000,
            delay_polls_max: 3,
            ..Faults::default()
        };
        let engine = MemoryEngine::with_faults(seed, faults);
        (0..100u8)
            .map(|n| {
                let pre = vec![Pre::Absent(vec![n])];
                let ops = vec![Op::Put(vec![n], vec![])];
                now(engine.commit(Batch { pre, ops, ..Batch::default() }))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(story(5), story(5));
    assert_ne!(story(5), story(6));
}

#[test]
fn old_handles_and_views_get_no_answers_after_a_restart() {
    let old = MemoryEngine::new();
    let view = now(old.view(Part(0))).unwrap();
    let new = old.crash();
    assert!(matches!(now(view.get(b"a")), Err(ReadError::Unavailable(_))));
    assert!(matches!(now(old.view(Part(0))), Err(ReadError::Unavailable(_))));
    assert!(now(new.view(Part(0))).is_ok());
    drop(view);
    now(new.commit(put("a", Sync))).unwrap();
    assert_eq!(keys(&new), "a");
}

#[test]
fn superseded_versions_are_forgotten() {
    let engine = MemoryEngine::new();
    for n in 0..1000u64 {
        let ops = vec![Op::Put(b"k".to_vec(), n.to_be_bytes().to_vec())];
        now(engine.commit(Batch { ops, ..Batch::default() })).unwrap();
    }
    assert_eq!(engine.disk.lock().table.rows_kept(), 1);
}
