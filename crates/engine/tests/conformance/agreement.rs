//! Random stories told to both engines: every answer and every row must be the same.

use proptest::{prelude::*, test_runner::RngSeed};
use yubin_engine::{Batch, Durability, Op, Pre};

use crate::world::{World, get, scan, view, wait};

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => "[abc]{1,2}", 1 => "[abc]{200}"].prop_map(String::into_bytes)
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..12),
        1 => (0u64..3).prop_map(|n| n.to_be_bytes().to_vec()),
        1 => (any::<u8>(), 1_000usize..9_000).prop_map(|(octet, len)| vec![octet; len]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (key(), value()).prop_map(|(k, v)| Op::Put(k, v)),
        2 => key().prop_map(Op::Del),
        1 => (key(), key()).prop_map(|(from, to)| Op::DelRange(from, to)),
        2 => (key(), -3i64..4).prop_map(|(k, by)| Op::Add(k, by)),
    ]
}

fn pre() -> impl Strategy<Value = Pre> {
    prop_oneof![
        key().prop_map(Pre::Absent),
        (key(), 0u64..3).prop_map(|(k, n)| Pre::Version(k, n)),
        (key(), value()).prop_map(|(k, v)| Pre::Equals(k, v)),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    let idem = prop::option::weighted(0.3, (0u8..6).prop_map(|n| [n; 16]));
    (prop::collection::vec(pre(), 0..2), prop::collection::vec(op(), 0..6), idem, any::<bool>()).prop_map(
        |(pre, ops, idem, lazy)| {
            let durability = if lazy { Durability::Lazy } else { Durability::Sync };
            Batch { pre, ops, idem, durability, ..Batch::default() }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn both_engines_give_the_same_answers(
        groups in prop::collection::vec(prop::collection::vec(batch(), 1..4), 1..12),
        reopen_after in 0usize..12,
        (from, to) in (key(), key()),
        limit in 0usize..9,
    ) {
        let (mut left, mut right) = (World::memory(), World::embedded());
        for (n, group) in groups.into_iter().enumerate() {
            let before = (view(left.engine()), view(right.engine()));
            let was = wait(before.0.scan(b"", b"\xff", false, 999)).unwrap();
            let answers = wait(left.engine().commit_many(group.clone()));
            prop_assert_eq!(answers, wait(right.engine().commit_many(group)));
            prop_assert_eq!(&was, &wait(before.0.scan(b"", b"\xff", false, 999)).unwrap());
            prop_assert_eq!(&was, &wait(before.1.scan(b"", b"\xff", false, 999)).unwrap());
            drop(before);
            if n == reopen_after {
                (left, right) = (left.reopen(), right.reopen());
            }
            for reverse in [false, true] {
                let (l, r) = (left.engine(), right.engine());
                prop_assert_eq!(scan(l, b"", b"\xff", reverse, 999), scan(r, b"", b"\xff", reverse, 999));
                prop_assert_eq!(scan(l, &from, &to, reverse, limit), scan(r, &from, &to, reverse, limit));
            }
            prop_assert_eq!(get(left.engine(), "a"), get(right.engine(), "a"));
        }
    }
}
