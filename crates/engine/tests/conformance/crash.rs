//! Kills a writing process again and again: whatever it was told is durable must be there.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use yubin_engine::{
    Batch, BlobRef, Op,
    embedded::{EmbeddedEngine, Level},
};

use crate::world::{blob, commit, get, noise, ops, scan, small, wait};

const FOLDER: &str = "YUBIN_CRASH_WRITER_FOLDER";
const ROUNDS: u64 = 6;

/// The sizes cover blobs within references, in one record, and in several.
fn content(id: u64) -> Vec<u8> {
    noise(id, [300, 9_000, 40_000, 3_000, 600_000][(id % 5) as usize])
}

fn key(id: u64) -> Vec<u8> {
    [b"m", &id.to_be_bytes()[..]].concat()
}

/// The process that gets killed: this test binary, told by its environment to write until then.
#[test]
#[allow(clippy::disallowed_methods, reason = "the parent test speaks to its child through the environment")]
fn writer_process() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let engine = EmbeddedEngine::open(Path::new(&folder), small()).unwrap();
    let newest = scan(&engine, b"m", b"n", true, 1);
    let next =
        AtomicU64::new(newest.first().map_or(0, |(k, _)| u64::from_be_bytes(k[1..].try_into().unwrap()) + 1));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    let body = blob(&engine, &content(id));
                    let counted = vec![Op::Put(key(id), body.encode()), Op::Add(b"count".to_vec(), 1)];
                    commit(&engine, Batch { blobs: vec![body], ..ops(counted) }).unwrap();
                    writeln!(std::io::stdout(), "ACK {id}").unwrap();
                }
            });
        }
    });
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::writer_process", "--exact", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let before = acknowledged.len() as u64;
        let id_of = |line: String| line.rsplit_once("ACK ").map(|(_, id)| id.parse::<u64>().unwrap());
        while (acknowledged.len() as u64) < before + 20 + round * 17 {
            acknowledged.extend(id_of(lines.next().expect("the writer stopped by itself").unwrap()));
        }
        child.kill().unwrap();
        // What it had said before it died counts as well; the last line may be cut off.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        for line in rest {
            acknowledged.extend(line.rsplit_once("ACK ").and_then(|(_, id)| id.parse::<u64>().ok()).filter(
                |id| {
                    // A cut-off number is another number; only those that were started can have been said.
                    !acknowledged.contains(id)
                },
            ));
        }
        child.wait().unwrap();
        check(folder.path(), &acknowledged);
    }
}

fn check(folder: &Path, acknowledged: &[u64]) {
    let engine = EmbeddedEngine::open(folder, small()).unwrap();
    for id in acknowledged {
        let row = wait(crate::world::view(&engine).get(&key(*id))).unwrap();
        let body = BlobRef::decode(&row.unwrap_or_else(|| panic!("{id} is lost"))).unwrap();
        assert!(
            wait(yubin_engine::Engine::blob_read(&engine, &body, 0..u64::MAX)).unwrap() == content(*id),
            "{id}"
        );
    }
    let rows = scan(&engine, b"m", b"n", false, usize::MAX);
    assert_eq!(
        get(&engine, "count").unwrap(),
        (rows.len() as i64).to_be_bytes(),
        "a batch took effect by half"
    );
    let report = engine.verify(Level::Everything).unwrap();
    assert_eq!(report.problems, 0, "{report:?}");
}
