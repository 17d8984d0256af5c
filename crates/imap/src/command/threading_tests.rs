//! Threads of messages written as `id subject date references`, and hostile ones. RFC 5256 §3.

use super::*;

/// A message: id, subject (with `Re:` when it is a reply), date, references.
type Mail<'a> = (&'a str, &'a str, i64, &'a [&'a str]);

fn hash(text: &str) -> u64 {
    text.bytes().fold(7, |h, c| (h ^ u64::from(c)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
}

fn messages(mails: &[Mail<'_>]) -> Messages {
    let mut messages = Messages::default();
    for (seq, (id, subject, sent_s, references)) in (1..).zip(mails) {
        let base = subject.trim_start_matches("Re: ");
        let message = Message {
            seq,
            sent_s: *sent_s,
            subject: if base.is_empty() { 0 } else { hash(base) },
            is_reply: base != *subject,
            id: (!id.is_empty()).then(|| hash(id)),
            references: references.len() as u32,
        };
        messages.push(message, references.iter().map(|id| hash(id)));
    }
    messages
}

fn finish(messages: Messages) -> Forest {
    let mut references = References::new(messages);
    loop {
        if let Some(forest) = references.step() {
            return forest;
        }
    }
}

/// Threads as THREAD writes them.
fn written(forest: &Forest) -> String {
    let (mut all, mut out) = (Vec::new(), Vec::new());
    let mut writer = super::super::ThreadWriter::default();
    loop {
        let ended = writer.write(forest, &mut out, |seq| seq);
        all.append(&mut out);
        if ended {
            return String::from_utf8(all).unwrap();
        }
    }
}

fn check(mails: &[Mail<'_>], expected: &str) {
    assert_eq!(written(&finish(messages(mails))), expected);
}

#[test]
fn references_make_threads() {
    check(&[], "");
    check(&[("a", "x", 1, &[])], "(1)");
    check(&[("a", "x", 1, &[]), ("b", "Re: x", 2, &["a"]), ("c", "Re: x", 3, &["a", "b"])], "(1 2 3)");
    check(&[("a", "x", 1, &[]), ("b", "Re: x", 3, &["a"]), ("c", "Re: x", 2, &["a"])], "(1 (3)(2))");
    // Threads are in the order of their first dates; equal ones in that of their numbers.
    check(&[("a", "x", 5, &[]), ("b", "y", 1, &[]), ("c", "z", 5, &[])], "(2)(1)(3)");
}

#[test]
fn messages_that_are_not_there_are_taken_out() {
    // In the middle: their children go up.
    check(
        &[("a", "x", 1, &[]), ("d", "Re: x", 2, &["a", "b", "c"]), ("e", "Re: x", 3, &["a", "b"])],
        "(1 (2)(3))",
    );
    // At the top: one child takes their place, several stay together.
    check(&[("b", "Re: x", 1, &["a"]), ("c", "Re: x", 2, &["a", "b"])], "(1 2)");
    check(&[("b", "Re: x", 2, &["a"]), ("c", "Re: y", 1, &["a"])], "((2)(1))");
    // Several above one another at the top are one.
    check(&[("c", "1", 1, &["a", "b"]), ("d", "2", 2, &["a", "x"])], "((1)(2))");
}

#[test]
fn message_ids_may_be_missing_or_not_unique() {
    check(&[("", "x", 1, &[]), ("", "y", 2, &[])], "(1)(2)");
    check(&[("a", "x", 1, &[]), ("a", "y", 2, &[]), ("b", "Re: x", 3, &["a"])], "(1 3)(2)");
    check(&[("", "Re: y", 2, &["a"]), ("a", "x", 1, &[])], "(2 1)");
}

#[test]
fn loops_are_not_made() {
    check(&[("a", "x", 1, &["a"])], "(1)");
    check(&[("a", "x", 1, &["b"]), ("b", "y", 2, &["a"])], "(2 1)");
    check(&[("a", "x", 1, &["b", "c", "a"]), ("b", "y", 2, &[]), ("c", "z", 3, &["b"])], "(1)(2 3)");
}

#[test]
fn a_message_knows_its_parent_better_than_others_do() {
    // c's references say that b is below a; b itself says that it is below d.
    check(
        &[("c", "1", 3, &["a", "b"]), ("a", "2", 1, &[]), ("b", "3", 2, &["d"]), ("d", "4", 4, &[])],
        "(2)(4 3 1)",
    );
    // A message without references has no parent, whatever others say.
    check(&[("c", "1", 3, &["a", "b"]), ("a", "2", 1, &[]), ("b", "3", 2, &[])], "(2)(3 1)");
}

#[test]
fn threads_of_one_subject_become_one() {
    // A reply goes below the message that is none.
    check(&[("a", "x", 2, &[]), ("b", "Re: x", 1, &[])], "(1 2)");
    // Two that are both replies, or both none, stand side by side.
    check(&[("a", "x", 1, &[]), ("b", "x", 2, &[])], "((1)(2))");
    check(&[("a", "Re: x", 1, &[]), ("b", "Re: x", 2, &[]), ("c", "Re: x", 3, &[])], "((1)(2)(3))");
    check(&[("a", "x", 1, &[]), ("b", "x", 2, &[]), ("c", "Re: x", 3, &[])], "((1)(2)(3))");
    // Empty subjects are not gathered.
    check(&[("a", "", 1, &[]), ("b", "", 2, &[])], "(1)(2)");
    // What is side by side below a message that is not there takes others in.
    check(&[("a", "Re: x", 1, &["z"]), ("b", "Re: x", 2, &["z"]), ("c", "x", 3, &[])], "((1)(2)(3))");
    check(
        &[
            ("a", "Re: x", 1, &["z"]),
            ("b", "Re: x", 4, &["z"]),
            ("c", "Re: x", 2, &["y"]),
            ("d", "Re: x", 3, &["y"]),
        ],
        "((1)(3)(4)(2))",
    );
}

#[test]
fn ordered_subject_has_no_grandchildren() {
    let check = |mails: &[Mail<'_>], expected| {
        assert_eq!(written(&ordered_subject(messages(mails))), expected);
    };
    check(&[], "");
    check(&[("", "y", 5, &[]), ("", "Re: x", 3, &[]), ("", "x", 1, &[])], "(3 2)(1)");
    check(
        &[("", "x", 1, &[]), ("", "Re: x", 4, &[]), ("", "Re: x", 3, &[]), ("", "y", 2, &[])],
        "(1 (3)(2))(4)",
    );
}

/// Threads with many messages, of which each refers to these numbers.
fn many(count: u32, references: impl Fn(u32) -> Vec<u32>) -> Messages {
    let mut messages = Messages::default();
    let id = |n: u32| hash(&n.to_string());
    for n in 0..count {
        let refers: Vec<u64> = references(n).into_iter().map(id).collect();
        let message = Message {
            seq: n + 1,
            sent_s: i64::from(n),
            subject: 0,
            is_reply: false,
            id: Some(id(n)),
            references: refers.len() as u32,
        };
        messages.push(message, refers.into_iter());
    }
    messages
}

#[test]
fn a_thread_may_be_as_deep_as_it_likes() {
    let count = 200_000;
    let forest = finish(many(count, |n| n.checked_sub(1).into_iter().collect()));
    assert_eq!(forest.roots(), [forest.roots()[0]]);
    let (mut node, mut depth) = (forest.roots()[0], 1);
    while let [child] = forest.children(node) {
        node = *child;
        depth += 1;
    }
    assert_eq!(depth, count);
    assert_eq!(written(&forest).split(' ').count(), count as usize);
}

#[test]
fn hostile_references_cost_no_more_than_their_length() {
    // A deep chain, each message of which then claims to be below the deepest: every claim is a loop that must be walked to be seen.
    let count = 100_000;
    let chain = |n: u32| if n == 0 { (1..50_000).collect() } else { vec![49_999] };
    let messages = many(count, chain);
    let places = u64::from(messages.places);
    let mut references = References::new(messages);
    let budget = references.walk_steps;
    assert!(budget <= THREAD_WALK_STEPS + 8 * places);
    let forest = loop {
        if let Some(forest) = references.step() {
            break forest;
        }
    };
    let mut seqs: Vec<u32> = forest.seqs.iter().copied().filter(|seq| *seq > 0).collect();
    seqs.sort_unstable();
    assert!(seqs == (1..=count).collect::<Vec<_>>(), "each message is in one place");
    assert_eq!(
        written(&forest).split(|c: char| !c.is_ascii_digit()).filter(|w| !w.is_empty()).count(),
        count as usize
    );
}

proptest::proptest! {
    #[test]
    fn every_message_is_written_once(
        mails in proptest::collection::vec((0u32..12, 0u32..3, 0i64..5, proptest::collection::vec(0u32..12, 0..5)), 0..25),
    ) {
        let mut messages = Messages::default();
        for (seq, (id, subject, sent_s, references)) in (1..).zip(&mails) {
            let message = Message {
                seq,
                sent_s: *sent_s,
                subject: u64::from(*subject / 2),
                is_reply: subject % 2 == 1,
                id: (*id > 0).then_some(u64::from(*id) << 57),
                references: references.len() as u32,
            };
            messages.push(message, references.iter().map(|id| u64::from(*id) << 57));
        }
        let text = written(&finish(messages));
        let mut seqs: Vec<u32> = text.split(|c: char| !c.is_ascii_digit()).filter_map(|w| w.parse().ok()).collect();
        seqs.sort_unstable();
        proptest::prop_assert_eq!(seqs, (1..=mails.len() as u32).collect::<Vec<_>>());
        proptest::prop_assert_eq!(text.matches('(').count(), text.matches(')').count());
        proptest::prop_assert!(!text.contains("()") && !text.contains("( "));
    }
}
