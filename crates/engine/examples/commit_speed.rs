//! Measures durable commits: a 4 KiB body and a few keys each, as a delivery has, from 1, 16 and 64 writers.
//!
//! `cargo run --release -p yubin-engine --example commit_speed -- [FOLDER] [SECONDS] [random|text|none]`
//! The folder must be on a real disk and is not removed.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and its arguments")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark stops at the first surprise")]

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::{Duration, Instant},
};

use yubin_engine::{
    Batch, Engine, Op, Pre,
    embedded::{EmbeddedEngine, EmbeddedOptions},
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "commit-speed".into()));
    let seconds: u64 = arguments.next().map_or(3, |s| s.parse().unwrap());
    let body = arguments.next().unwrap_or_else(|| "random".into());
    println!("body: {body}, {seconds} s per row");
    println!(
        "{:>8} {:>10} {:>9} {:>9} {:>11} {:>8} {:>10}",
        "writers", "commits/s", "p50 ms", "p99 ms", "CPU us each", "group", "disk/body"
    );
    for (row, writers) in [1u64, 16, 64].into_iter().enumerate() {
        let engine = EmbeddedEngine::open(folder.join(row.to_string()), EmbeddedOptions::default()).unwrap();
        measure(&engine, writers, Duration::from_secs(seconds), &body);
        engine.close();
    }
}

fn measure(engine: &EmbeddedEngine, writers: u64, time: Duration, body: &str) {
    let stop = AtomicBool::new(false);
    let done = AtomicU64::new(0);
    let (cpu, start, written) = (cpu_us(), Instant::now(), written_octets());
    let mut waits: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                let (stop, done) = (&stop, &done);
                scope.spawn(move || {
                    let mut waits = Vec::new();
                    let mut modseq = 0u64;
                    while !stop.load(Ordering::Relaxed) {
                        let begun = Instant::now();
                        deliver(engine, writer, modseq, body);
                        waits.push(begun.elapsed().as_micros() as u64);
                        modseq += 1;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    waits
                })
            })
            .collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let (took, count) = (start.elapsed().as_secs_f64(), done.load(Ordering::Relaxed));
    waits.sort_unstable();
    let at = |part: usize| waits[waits.len() * part / 100] as f64 / 1000.0;
    let stats = engine.stats();
    println!(
        "{writers:>8} {:>10.0} {:>9.2} {:>9.2} {:>11.1} {:>8.1} {:>10.1}",
        count as f64 / took,
        at(50),
        at(99),
        (cpu_us() - cpu) as f64 / count as f64,
        stats.batches as f64 / stats.groups.max(1) as f64,
        (written_octets() - written) as f64 / (count as f64 * 4096.0),
    );
}

/// What a delivery commits: a body, the message's row, the change log's row, and the account's head, which is expected to be as
/// it was.
fn deliver(engine: &EmbeddedEngine, account: u64, modseq: u64, body: &str) {
    let mut writer = engine.blob_writer();
    let mut content = vec![0; if body == "none" { 0 } else { 4096 }];
    match body {
        "text" => {
            let line =
                format!("Account {account} gets its message number {modseq}, which is not very long.\r\n");
            content.iter_mut().zip(line.bytes().cycle()).for_each(|(octet, from)| *octet = from);
        }
        // Larger than its reference may hold once the header of zstd is added: goes to a segment.
        "segment" => {
            content.resize(4200, 0);
            fill(&mut content, account, modseq);
        }
        _ => fill(&mut content, account, modseq),
    }
    writer.write(&content).unwrap();
    let blob = writer.finish().unwrap();
    let key = |kind: u8, n: u64| [&[b'a'][..], &account.to_be_bytes(), &[kind], &n.to_be_bytes()].concat();
    let head = key(b'h', 0);
    let version = if modseq == 0 { Pre::Absent(head.clone()) } else { Pre::Version(head.clone(), modseq) };
    let mut message = blob.encode();
    message.extend_from_slice(&[b'e'; 400]);
    let new_head = [&(modseq + 1).to_be_bytes()[..], &[b'h'; 120]].concat();
    let ops = vec![
        Op::Put(head, new_head),
        Op::Put(key(b'l', modseq), vec![b'l'; 60]),
        Op::Put(key(b'm', modseq), message),
    ];
    let batch = Batch { pre: vec![version], ops, blobs: vec![blob], ..Batch::default() };
    wait(engine.commit(batch)).unwrap();
}

fn fill(content: &mut [u8], account: u64, modseq: u64) {
    let mut state = account << 32 | modseq;
    for octets in content.chunks_mut(8) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        octets.copy_from_slice(&(state ^ state >> 29).to_le_bytes()[..octets.len()]);
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// User and system time of this process.
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |n: usize| fields[n].parse::<u64>().unwrap();
    (ticks(11) + ticks(12)) * 10_000
}

/// What this process wrote to files. (`write_bytes` counts whole folios of the page cache, several times what reaches the disk.)
fn written_octets() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}
