//! The same store on disk: what goes in is there after the folder was closed and opened again.

use std::{
    pin::pin,
    sync::{Arc, Condvar, Mutex},
    task::{Context, Poll, Wake, Waker},
};

use yubin_engine::embedded::{EmbeddedEngine, EmbeddedOptions};
use yubin_store::{FlagChange, FlagOp, Flags, Quota, Store, UidSet};

use crate::support::{ANN, NOW, Seeded, message, options, rows, stage};

/// Wakes a thread that waits for the committer's.
#[derive(Default)]
struct Bell(Mutex<bool>, Condvar);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        let mut rung = bell.0.lock().unwrap();
        while !*rung {
            rung = bell.1.wait(rung).unwrap();
        }
        *rung = false;
    }
}

#[test]
fn an_account_is_there_after_the_folder_was_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let engine = EmbeddedEngine::open(folder.path(), EmbeddedOptions::default()).unwrap();
        let store = Store::new(Arc::new(engine.clone()), Arc::new(Seeded::new(3)), options());
        (engine, store)
    };
    let (engine, store) = open();
    block_on(store.create_account(ANN, NOW)).unwrap();
    let ann = block_on(store.account(ANN)).unwrap();
    let inbox = ann.mailbox_named("INBOX").unwrap().id;
    let long = "long line\r\n".repeat(60_000);
    for text in ["short\r\n", &long] {
        let staged = stage(&store, text);
        block_on(ann.append(inbox, vec![message(staged); 200], Quota::default(), NOW)).unwrap();
    }
    block_on(ann.open(inbox)).unwrap();
    let seen = FlagChange { op: FlagOp::Add, flags: Flags::SEEN, keywords: vec![], unchanged_since: None };
    for n in 0..260 {
        block_on(ann.store_flags(inbox, &UidSet::from_ranges([(n + 1, n + 1)]), &seen, NOW)).unwrap();
    }
    let before = rows(&block_on(ann.open(inbox)).unwrap());
    drop((ann, store));
    engine.close();
    drop(engine);

    let (_engine, store) = open();
    let ann = block_on(store.account(ANN)).unwrap();
    let opened = block_on(ann.open(inbox)).unwrap();
    assert_eq!(rows(&opened), before);
    assert_eq!((opened.counts.messages, opened.counts.unseen), (400, 140));
    let record = block_on(ann.record(before[399].doc)).unwrap();
    let end = long.len() as u64;
    assert_eq!(block_on(ann.read(&record, end - 11..end + 9)).unwrap(), b"long line\r\n");
    let report = block_on(store.verify_account(ANN, false)).unwrap();
    assert_eq!((report.problems, report.messages), (vec![], 400));
    let mut blobs = 0;
    block_on(store.live_blobs(&mut |_| blobs += 1)).unwrap();
    assert_eq!(blobs, 400);
}
