//! How fast the store is on the embedded engine: appends, opening, flags, records. `cargo run --release --example store_speed -p yubin-store [FOLDER]`.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

use std::{
    path::Path,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::Instant,
};

use yubin_base::{AccountId, UnixMs, ports::Random};
use yubin_engine::embedded::{EmbeddedEngine, EmbeddedOptions};
use yubin_store::{FlagChange, FlagOp, Flags, NewMessage, Quota, Staged, Store, StoreOptions, UidSet};

const NOW: UnixMs = UnixMs(1_700_000_000_000);
const MESSAGE_OCTETS: usize = 4096;

struct Unpark(Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

struct Seeded(Mutex<u64>);
impl Seeded {
    fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z ^ (z >> 31)
    }
}
impl Random for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// CPU time of this process, in seconds.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// A message of words, so that it compresses as mail does.
fn text(random: &Seeded, n: u64) -> Vec<u8> {
    let mut out = format!(
        "Received: from mx.example.net (mx.example.net [192.0.2.7]) by mail.example.test with ESMTPS id {n:016x}; Tue, 14 Nov 2023 22:13:20 +0000\r\n\
         From: \"Sender {n}\" <sender{n}@example.net>\r\nTo: ann@example.test\r\nSubject: Message number {n}\r\n\
         Message-ID: <{n}.{}@example.net>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n",
        random.next()
    );
    while out.len() < MESSAGE_OCTETS - 2 {
        let word = random.next() % 4000;
        out.push_str(&format!(
            "{:x}{}",
            word * 2_654_435,
            if random.next().is_multiple_of(12) { "\r\n" } else { " " }
        ));
    }
    out.truncate(MESSAGE_OCTETS - 2);
    out.push_str("\r\n");
    out.into_bytes()
}

fn stage(store: &Store, text: &[u8]) -> Staged {
    let mut stager = store.stager();
    stager.write(text).unwrap();
    stager.finish().unwrap()
}

fn message(staged: Staged) -> NewMessage {
    let (flags, keywords) = (Flags::default(), Vec::new());
    NewMessage { staged: Arc::new(staged), prefix: vec![], flags, keywords, internal_date: NOW, idem: None }
}

fn folder_octets(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| {
            let data = entry.metadata().unwrap();
            if data.is_dir() { folder_octets(&entry.path()) } else { data.blocks() * 512 }
        })
        .sum()
}

/// Appends from threads; each prepares its messages first when `staged` is false the intake is measured too.
fn appends(store: &Store, threads: u64, accounts: u64, per_thread: u64, base: u64) {
    let random = Seeded(Mutex::new(base));
    let texts: Vec<Vec<u8>> = (0..threads * per_thread).map(|n| text(&random, base + n)).collect();
    for n in 0..accounts {
        block_on(store.create_account(AccountId(base + n), NOW)).unwrap();
    }
    let (cpu, start) = (cpu_s(), Instant::now());
    std::thread::scope(|scope| {
        for (thread, texts) in texts.chunks(per_thread as usize).enumerate() {
            scope.spawn(move || {
                block_on(async {
                    for (n, text) in texts.iter().enumerate() {
                        let account =
                            store.account(AccountId(base + (thread + n) as u64 % accounts)).await.unwrap();
                        let inbox = account.mailbox_named("INBOX").unwrap().id;
                        account
                            .append(inbox, vec![message(stage(store, text))], Quota::default(), NOW)
                            .await
                            .unwrap();
                    }
                })
            });
        }
    });
    let (count, seconds) = ((threads * per_thread) as f64, start.elapsed().as_secs_f64());
    println!(
        "append   {threads:>3} threads {accounts:>3} accounts: {:>8.0} /s {:>7.1} us CPU each",
        count / seconds,
        (cpu_s() - cpu) * 1e6 / count
    );
}

fn timed<T>(what: &str, count: f64, f: impl FnOnce() -> T) -> T {
    let (cpu, start) = (cpu_s(), Instant::now());
    let value = f();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what:<44} {:>9.2} ms {:>10.0} /s {:>8.2} us each, CPU {:>6.2} us each",
        seconds * 1e3,
        count / seconds,
        seconds * 1e6 / count,
        (cpu_s() - cpu) * 1e6 / count
    );
    value
}

fn main() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::args().nth(1).map_or(temporary.path().to_owned(), Into::into);
    let engine = EmbeddedEngine::open(&folder, EmbeddedOptions::default()).unwrap();
    let options = StoreOptions { message_octets_max: 1 << 26, cache_octets: 1 << 28, expunged_keep_s: 3600 };
    let new_store = || Store::new(Arc::new(engine.clone()), Arc::new(Seeded(Mutex::new(7))), options.clone());
    let store = new_store();

    let random = Seeded(Mutex::new(3));
    let one = text(&random, 1);
    timed("intake (blob and parser), 4 KiB", 2000.0, || (0..2000).for_each(|_| drop(stage(&store, &one))));

    let before = folder_octets(&folder);
    appends(&store, 1, 1, 1500, 1000);
    appends(&store, 16, 1, 400, 2000);
    appends(&store, 50, 1, 200, 3000);
    appends(&store, 50, 20, 200, 4000);
    let raw = ((1500 + 16 * 400 + 50 * 200 * 2) * MESSAGE_OCTETS) as f64;
    println!("disk: {:.2} of the raw size", (folder_octets(&folder) - before) as f64 / raw);

    let big = AccountId(9);
    block_on(store.create_account(big, NOW)).unwrap();
    let account = block_on(store.account(big)).unwrap();
    let inbox = account.mailbox_named("INBOX").unwrap().id;
    let staged: Vec<Staged> = (0..500).map(|n| stage(&store, &text(&random, n))).collect();
    timed("append 100,000 in commits of 500", 1e5, || {
        for _ in 0..200 {
            let messages = staged.iter().cloned().map(message).collect();
            block_on(account.append(inbox, messages, Quota::default(), NOW)).unwrap();
        }
    });
    drop(account);
    drop(store);
    let store = new_store();
    let account = timed("load the account", 1.0, || block_on(store.account(big)).unwrap());
    timed("append at 100,000, not opened", 300.0, || {
        for staged in staged.iter().take(300).cloned() {
            block_on(account.append(inbox, vec![message(staged)], Quota::default(), NOW)).unwrap();
        }
    });
    let opened = timed("open 100,000", 1e5, || block_on(account.open(inbox)).unwrap());
    timed("append at 100,000, opened", 1000.0, || {
        for staged in staged.iter().cycle().take(1000).cloned() {
            block_on(account.append(inbox, vec![message(staged)], Quota::default(), NOW)).unwrap();
        }
    });
    let change = |op| FlagChange { op, flags: Flags::SEEN, keywords: vec![], unchanged_since: None };
    for (what, ranges) in [
        ("+FLAGS of 10,000 in a row", vec![(1, 10_000)]),
        ("+FLAGS of 10,000, every other", (0..10_000).map(|n| (20_001 + n * 2, 20_001 + n * 2)).collect()),
    ] {
        let set = UidSet::from_ranges(ranges);
        for op in [FlagOp::Add, FlagOp::Remove] {
            timed(what, 1e4, || block_on(account.store_flags(inbox, &set, &change(op), NOW)).unwrap());
        }
    }
    let docs: Vec<_> =
        opened.pages.as_ref().unwrap().iter().flat_map(|p| p.rows.iter().map(|r| r.doc)).collect();
    timed("records of 100,000 in pieces of 100", docs.len() as f64, || {
        for piece in docs.chunks(100) {
            assert!(block_on(account.records(piece)).unwrap().iter().all(Option::is_some));
        }
    });
    timed("records of 10,000, one by one", 1e4, || {
        docs.iter().take(10_000).for_each(|doc| drop(block_on(account.record(*doc)).unwrap()));
    });
    let records = block_on(account.records(&docs[..5000])).unwrap();
    timed("bodies of 5,000", 5000.0, || {
        records.iter().flatten().for_each(|r| drop(block_on(account.read(r, 0..1 << 20)).unwrap()));
    });
    let set = UidSet::from_ranges([(30_001, 40_000)]);
    let trash = account.mailbox_named("Trash").unwrap().id;
    timed("copy 10,000", 1e4, || block_on(account.copy(inbox, &set, trash, Quota::default(), NOW)).unwrap());
    timed("move 10,000", 1e4, || block_on(account.move_messages(inbox, &set, trash, NOW)).unwrap());
    timed("expunge 10,000", 1e4, || block_on(account.expunge(trash, None, true, NOW)).unwrap());
    timed("purge", 1.0, || block_on(account.purge(NOW.plus_ms(7_200_000))).unwrap());
    let report = timed("verify", 1e5, || block_on(store.verify_account(big, false)).unwrap());
    println!("{} messages, problems: {:?}", report.messages, report.problems);
}
