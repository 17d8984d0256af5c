//! What a check finds, and what purge leaves.

use super::*;
use crate::{DocId, Flags, LogEntry, ModSeq, NewMessage, Quota, Staged, Store, StoreOptions, UidSet};
use std::task::{Context, Poll, Waker};
use yubin_base::{AccountId, ports::Random};
use yubin_engine::{Engine, memory::MemoryEngine};

const ANN: AccountId = AccountId(1);
const NOW: UnixMs = UnixMs(1_700_000_000_000);

struct Same;
impl Random for Same {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits"),
    }
}

fn store(engine: &MemoryEngine) -> Store {
    let options = StoreOptions { message_octets_max: 1000, cache_octets: 1 << 20, expunged_keep_s: 3600 };
    let engine: Arc<dyn Engine> = Arc::new(engine.clone());
    Store::new(engine, Arc::new(Same), options)
}

fn append(store: &Store, account: &Account, text: &str) {
    let mut stager = store.stager();
    stager.write(text.as_bytes()).unwrap();
    let staged: Arc<Staged> = Arc::new(stager.finish().unwrap());
    let (flags, idem) = (Flags::default(), Some([text.len() as u8; 16]));
    let message = NewMessage { staged, prefix: vec![], flags, keywords: vec![], internal_date: NOW, idem };
    let inbox = account.mailbox_named("INBOX").unwrap().id;
    run(account.append(inbox, vec![message], Quota::default(), NOW)).unwrap();
}

/// An account with three messages, folded; then the damage; then what a check says before and after a repair.
fn check(damage: impl FnOnce(&mut Head, &mut Vec<Op>), expected: &str, repairs: bool) {
    let engine = MemoryEngine::new();
    {
        let store = store(&engine);
        run(store.create_account(ANN, NOW)).unwrap();
        let account = run(store.account(ANN)).unwrap();
        for n in 1..4 {
            append(&store, &account, &"x".repeat(n));
        }
        let mut writer = run(account.write()).unwrap();
        run(account.fold(&mut writer)).unwrap();
        let (mut head, mut ops) = (writer.head, vec![]);
        damage(&mut head, &mut ops);
        ops.push(Op::Put(head::key(ANN), head.encode()));
        run(engine.commit(Batch { part: tables::part(ANN), ops, ..Batch::default() })).unwrap();
    }
    let store = store(&engine);
    let report = run(store.verify_account(ANN, true)).unwrap();
    let text = report.problems.join("\n");
    assert!(text.contains(expected) && (!expected.is_empty() || text.is_empty()), "{expected:?}: {text}");
    assert_eq!(report.repaired > 0, repairs, "{expected:?}: {report:?}");
    if repairs {
        let again = run(store.verify_account(ANN, false)).unwrap();
        assert_eq!(again.problems, Vec::<String>::new(), "{expected:?}");
    }
}

fn inbox(change: impl FnOnce(&mut MailboxState)) -> Op {
    let mut inbox = MailboxState {
        id: MailboxId(1),
        name: "INBOX".into(),
        uid_validity: crate::UidValidity(1_700_000_000),
        uid_next: Uid(4),
        highest_modseq: ModSeq(4),
        counts: Counts { messages: 3, unseen: 3, deleted: 0, octets: 6 },
        ..MailboxState::default()
    };
    change(&mut inbox);
    Op::Put(mailbox::key(ANN, MailboxId(1)), mailbox::encode(&inbox))
}

#[test]
fn each_kind_of_damage_is_found_and_what_follows_from_the_rest_is_put_right() {
    check(|_, _| {}, "", false);
    check(|_, ops| ops.push(inbox(|_| {})), "", false);
    check(|head, _| head.usage.octets += 1, "the head is", true);
    check(|head, _| head.next_doc = 1, "the head is", true);
    check(|head, _| head.next_uid_validity = 1, "the head is", true);
    check(|_, ops| ops.push(inbox(|m| m.counts.unseen = 0)), "the count is", true);
    check(|_, ops| ops.push(inbox(|m| m.counts.messages = 9)), "the count is", true);
    check(|_, ops| ops.push(inbox(|m| m.uid_next = Uid(2))), "UIDNEXT is 2, should be 4", true);
    check(|_, ops| ops.push(inbox(|m| m.highest_modseq = ModSeq(1))), "HIGHESTMODSEQ", true);
    check(|_, ops| ops.push(inbox(|m| m.name = "Sent".into())), "has the name of another", false);
    check(|_, ops| ops.push(inbox(|m| m.name = "a//b".into())), "breaks a rule", false);
    check(|_, ops| ops.push(Op::Del(message::key(ANN, DocId(2)))), "message 2 has no record", false);
    check(
        |_, ops| ops.push(Op::Put(message::key(ANN, DocId(2)), vec![1; 40])),
        "message 2 is damaged",
        false,
    );
    check(|_, ops| ops.push(Op::Del(log::key(ANN, 3, 0))), "the log has no entry 3", false);
    let entry = LogEntry { modseq: ModSeq(9), at: NOW, tag: 0, changes: vec![] };
    check(|_, ops| log::puts(ANN, &entry, ops), "goes on after the head", false);
    let empty = crate::Page::default();
    check(
        |_, ops| ops.push(Op::Put(chunk::key(ANN, MailboxId(99), Uid(1)), chunk::encode(&empty))),
        "a mailbox that is not there",
        false,
    );
    check(|_, ops| ops.push(Op::Put(delivery::key(ANN, &[1; 16]), vec![0; 9])), "are damaged", false);
    let stray = message::encode(crate::ThreadId(1), b"", &staged());
    check(|_, ops| ops.push(Op::Put(message::key(ANN, DocId(50)), stray)), "in no mailbox", true);
}

fn staged() -> Vec<u8> {
    let store = store(&MemoryEngine::new());
    let mut stager = store.stager();
    stager.write(b"stray").unwrap();
    stager.finish().unwrap().encode()
}

#[test]
fn content_goes_after_a_while_unless_a_copy_holds_it_and_deliveries_are_forgotten() {
    let engine = MemoryEngine::new();
    let store = store(&engine);
    run(store.create_account(ANN, NOW)).unwrap();
    let account = run(store.account(ANN)).unwrap();
    (1..5).for_each(|n| append(&store, &account, &"x".repeat(n)));
    let (inbox, trash) =
        (account.mailbox_named("INBOX").unwrap().id, account.mailbox_named("Trash").unwrap().id);
    let set = |from, to| UidSet::from_ranges([(from, to)]);
    run(account.copy(inbox, &set(2, 3), trash, Quota::default(), NOW)).unwrap();
    run(account.expunge(inbox, Some(&set(1, 2)), true, NOW)).unwrap();
    let count = || {
        let mut blobs = 0;
        run(store.live_blobs(&mut |_| blobs += 1)).unwrap();
        blobs
    };
    assert_eq!(run(account.purge(NOW.plus_ms(3_599_000))).unwrap(), Default::default());
    assert_eq!(count(), 4);
    assert_eq!(run(account.purge(NOW.plus_ms(3_600_000))).unwrap().messages, 1);
    assert_eq!((count(), run(account.record(DocId(1))).err()), (3, Some(StoreError::Gone)));
    run(account.expunge(trash, Some(&set(1, 1)), true, NOW)).unwrap();
    assert_eq!(run(account.purge(NOW.plus_ms(3_600_000))).unwrap().messages, 1);
    assert!(run(account.record(DocId(2))).is_err() && run(account.record(DocId(3))).is_ok());
    assert_eq!(run(account.purge(NOW.plus_ms(limits::IDEM_KEPT_S * 1000))).unwrap().deliveries, 4);
    assert_eq!(run(store.accounts()).unwrap(), [ANN]);
    let report = run(store.verify_account(ANN, false)).unwrap();
    assert_eq!((report.problems, report.messages), (vec![], 3));
    assert_eq!(run(store.recount(ANN)).unwrap().usage, account.state().usage);
}

#[test]
fn the_log_is_trimmed_when_it_is_long_and_old() {
    let engine = MemoryEngine::new();
    {
        let store = store(&engine);
        run(store.create_account(ANN, NOW)).unwrap();
        let account = run(store.account(ANN)).unwrap();
        let writer = run(account.write()).unwrap();
        let mut head = writer.head;
        let mut ops = vec![];
        // 60,000 more commits, of which the first 4,000 are old.
        for modseq in head.modseq + 1..=60_000 {
            let at = if modseq <= 4_000 { NOW } else { NOW.plus_ms(86_400_000) };
            log::puts(ANN, &LogEntry { modseq: ModSeq(modseq), at, tag: 0, changes: vec![] }, &mut ops);
        }
        (head.modseq, head.base) = (60_000, 60_000);
        ops.push(Op::Put(head::key(ANN), head.encode()));
        for ops in ops.chunks(9_000) {
            run(engine.commit(Batch { part: tables::part(ANN), ops: ops.to_vec(), ..Batch::default() }))
                .unwrap();
        }
    }
    let store = store(&engine);
    let account = run(store.account(ANN)).unwrap();
    let month = NOW.plus_ms(limits::LOG_KEPT_S * 1000);
    assert_eq!(run(account.purge(NOW)).unwrap().log_entries, 0, "long, but not old");
    assert_eq!(
        run(account.purge(month)).unwrap(),
        crate::Purged { log_entries: 2_000, more: true, ..Default::default() }
    );
    assert_eq!(run(account.purge(month)).unwrap().log_entries, 2_000);
    assert_eq!(run(account.purge(month)).unwrap().log_entries, 0);
    assert_eq!(run(account.log(ModSeq(3_999))).unwrap(), None);
    assert_eq!(run(account.log(ModSeq(4_000))).unwrap().unwrap().len(), 56_002);
    let later = month.plus_ms(86_400_000);
    while run(account.purge(later)).unwrap().more {}
    let kept = run(account.log(run(account.log_floor()).unwrap())).unwrap().unwrap().len() as u64;
    assert!((limits::LOG_KEPT_ENTRIES..limits::LOG_KEPT_ENTRIES + 10).contains(&kept), "{kept}");
    assert_eq!(run(store.verify_account(ANN, false)).unwrap().problems, Vec::<String>::new());
}
