//! What only the embedded engine has: files that get damaged, disks that fail, a lock, a format.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use yubin_base::UnixMs;
use yubin_engine::{
    Batch, BlobError, BlobRef, CommitError, Engine, Health, Op, ReadError, check_blob,
    embedded::{Disk, EmbeddedEngine, EmbeddedOptions, GarbageReport, Level, OpenError, RealDisk, Space},
};

use crate::world::{blob, commit, get, keys, noise, ops, put, scan, small, text, view, wait};

/// A disk of which each promise can be broken.
struct BadDisk {
    /// Counts down; the flush that reaches zero fails.
    file_syncs_left: AtomicI64,
    commits_left: AtomicI64,
    full: AtomicBool,
    /// The length each file had when it was last flushed, by inode.
    flushed: Mutex<BTreeMap<u64, u64>>,
}

impl BadDisk {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            file_syncs_left: AtomicI64::new(i64::MAX),
            commits_left: AtomicI64::new(i64::MAX),
            full: AtomicBool::new(false),
            flushed: Mutex::default(),
        })
    }
}

fn count_down(left: &AtomicI64) -> io::Result<()> {
    if left.fetch_sub(1, Ordering::Relaxed) == 1 { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
}

impl Disk for BadDisk {
    fn sync_file(&self, file: &File) -> io::Result<()> {
        count_down(&self.file_syncs_left)?;
        let file_now = file.metadata()?;
        RealDisk.sync_file(file)?;
        let mut flushed = self.flushed.lock().unwrap();
        let length = flushed.entry(file_now.ino()).or_default();
        *length = file_now.len().max(*length);
        Ok(())
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.sync_folder(folder)
    }
    fn before_metadata_commit(&self) -> io::Result<()> {
        count_down(&self.commits_left)
    }
    fn allocate(&self, file: &File, offset: u64, octets: u64) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        RealDisk.allocate(file, offset, octets)
    }
    fn space(&self, _folder: &Path) -> io::Result<Space> {
        let free_octets = if self.full.load(Ordering::Relaxed) { 10_000 } else { 1 << 40 };
        Ok(Space { free_octets, total_octets: 1 << 41 })
    }
}

fn open_on(folder: &Path, disk: &Arc<BadDisk>) -> EmbeddedEngine {
    let options = EmbeddedOptions { reserve_octets: Some(1 << 20), disk: disk.clone(), ..small() };
    EmbeddedEngine::open(folder, options).unwrap()
}

fn open(folder: &Path) -> EmbeddedEngine {
    EmbeddedEngine::open(folder, small()).unwrap()
}

fn keep(engine: &EmbeddedEngine, key: &str, content: &[u8]) -> BlobRef {
    let blob = blob(engine, content);
    let batch = Batch { blobs: vec![blob.clone()], ..ops(vec![Op::Put(key.into(), blob.encode())]) };
    commit(engine, batch).unwrap();
    blob
}

fn segment(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("segments/{number:08}.seg"))
}

/// Turns over one octet of a file.
fn damage(path: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut octet = [0];
    file.read_exact_at(&mut octet, offset).unwrap();
    file.write_all_at(&[octet[0] ^ 0x40], offset).unwrap();
}

#[test]
fn a_failed_flush_of_bodies_acknowledges_nothing_and_ends_writing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = BadDisk::new();
    let engine = open_on(folder.path(), &disk);
    keep(&engine, "a", &noise(1, 10_000));
    disk.file_syncs_left.store(1, Ordering::Relaxed);
    let body = blob(&engine, &noise(2, 10_000));
    let batch = Batch { blobs: vec![body], ..ops(vec![put("b", "")]) };
    assert_eq!(commit(&engine, batch), Err(CommitError::ReadOnly));
    assert!(matches!(engine.health(), Health::ReadOnly(why) if why.contains("bodies")));
    assert_eq!(commit(&engine, ops(vec![put("c", "")])), Err(CommitError::ReadOnly));
    assert_eq!(wait(engine.commit_many(vec![ops(vec![]); 2])), vec![Err(CommitError::ReadOnly); 2]);
    assert_eq!(engine.room_for(1), Err(CommitError::ReadOnly));
    let mut writer = engine.blob_writer();
    writer.write(&noise(3, 10_000)).unwrap();
    assert_eq!(writer.finish(), Err(BlobError::ReadOnly));
    assert_eq!(keys(&engine), "a", "reading goes on");
    drop(engine);
    assert_eq!(keys(&open(folder.path())), "a");
}

#[test]
fn a_failed_flush_of_metadata_is_answered_unknown_and_ends_writing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = BadDisk::new();
    let engine = open_on(folder.path(), &disk);
    commit(&engine, ops(vec![put("a", "")])).unwrap();
    disk.commits_left.store(1, Ordering::Relaxed);
    assert_eq!(commit(&engine, ops(vec![put("b", "")])), Err(CommitError::Unknown));
    assert!(matches!(engine.health(), Health::ReadOnly(why) if why.contains("metadata")));
    assert_eq!(commit(&engine, ops(vec![put("c", "")])), Err(CommitError::ReadOnly));
    drop(engine);
    let engine = open(folder.path());
    assert_eq!(engine.health(), Health::Writable);
    commit(&engine, ops(vec![put("c", "")])).unwrap();
}

#[test]
fn a_full_disk_refuses_mail_takes_deletions_and_recovers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let disk = BadDisk::new();
    let engine = open_on(folder.path(), &disk);
    keep(&engine, "a", &noise(1, 10_000));
    disk.full.store(true, Ordering::Relaxed);
    assert_eq!(engine.room_for(64 << 20), Err(CommitError::Full));
    let mut writer = engine.blob_writer();
    let content = noise(2, 17 << 20);
    let written = writer.write(&content).and_then(|()| writer.finish().map(|_| ()));
    assert_eq!(written, Err(BlobError::Full));
    let large = ops((0..60u8).map(|n| Op::Put(vec![b'l', n], noise(3, 60_000))).collect());
    let answers: Vec<_> = (0..8).map(|_| commit(&engine, large.clone())).collect();
    assert!(answers.contains(&Err(CommitError::Full)), "{answers:?}");
    commit(&engine, ops(vec![Op::Del("a".into())])).unwrap();
    assert_eq!(get(&engine, "a"), None);
    assert_eq!(engine.health(), Health::Writable);
    disk.full.store(false, Ordering::Relaxed);
    engine.room_for(64 << 20).unwrap();
    commit(&engine, large).unwrap();
}

#[test]
fn a_folder_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    let refused = EmbeddedEngine::open(folder.path(), small()).err().unwrap();
    assert!(matches!(refused, OpenError::InUse(_)));
    assert!(refused.to_string().ends_with("is open in another process"));
    let view = view(&engine);
    drop(engine);
    assert!(EmbeddedEngine::open(folder.path(), small()).is_err(), "a view still reads it");
    drop(view);
    open(folder.path());
}

#[test]
fn a_newer_format_and_strange_folders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    std::fs::write(folder.path().join("format"), "yubin-store 2\n").unwrap();
    let refused = EmbeddedEngine::open(folder.path(), small()).err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 2, known: 1 }), "{refused}");
    std::fs::write(folder.path().join("format"), "something else").unwrap();
    assert!(matches!(EmbeddedEngine::open(folder.path(), small()), Err(OpenError::NotAStore(_))));
    let strange = tempfile::tempdir().unwrap();
    std::fs::write(strange.path().join("letter.txt"), "dear").unwrap();
    assert!(matches!(EmbeddedEngine::open(strange.path(), small()), Err(OpenError::NotAStore(_))));
}

#[test]
fn a_damaged_body_is_told_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    let content = noise(1, 700_000);
    let large = keep(&engine, "a", &content);
    assert_eq!(engine.verify(Level::Everything).unwrap().problems, 0);
    damage(&segment(folder.path(), 1), 300_000); // in the second of three frames
    assert!(matches!(wait(engine.blob_read(&large, 0..u64::MAX)), Err(ReadError::Corrupt(_))));
    assert!(matches!(wait(engine.blob_read(&large, 300_000..300_001)), Err(ReadError::Corrupt(_))));
    assert!(
        wait(engine.blob_read(&large, 0..200_000)).unwrap() == content[..200_000],
        "other frames are fine"
    );
    let report = engine.verify(Level::Everything).unwrap();
    assert_eq!((report.problems, report.listed.len()), (1, 1), "{report:?}");
    assert_eq!(report.records, 3, "the records behind the damage are found: {report:?}");
    damage(&segment(folder.path(), 1), 3); // its header
    assert_eq!(engine.verify(Level::Everything).unwrap().problems, 2);
    assert_eq!(engine.verify(Level::Metadata).unwrap().problems, 0);
}

#[test]
fn a_damaged_value_is_told_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    let needle = b"a value that is easily found in the file";
    commit(&engine, ops(vec![put("a", "fine"), Op::Put(b"b".to_vec(), needle.to_vec()), put("c", "fine")]))
        .unwrap();
    drop(engine);
    let path = folder.path().join("metadata/data.mdb");
    let file = std::fs::read(&path).unwrap();
    let places: Vec<_> =
        (0..file.len() - needle.len()).filter(|at| file[*at..].starts_with(needle)).collect();
    assert!(!places.is_empty());
    for at in places {
        damage(&path, at as u64 + 3);
    }
    let engine = open(folder.path());
    assert!(matches!(wait(view(&engine).get(b"b")), Err(ReadError::Corrupt(_))));
    assert!(matches!(wait(view(&engine).scan(b"a", b"z", false, 9)), Err(ReadError::Corrupt(_))));
    assert_eq!(get(&engine, "c").as_deref(), Some(&b"fine"[..]));
    let report = engine.verify(Level::Metadata).unwrap();
    assert_eq!(report.problems, 1, "{report:?}");
}

#[test]
fn a_torn_tail_that_was_never_acknowledged_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    let kept = keep(&engine, "a", &noise(1, 50_000));
    let orphan = blob(&engine, &noise(2, 50_000)); // whole, and named by nobody
    drop(engine);
    let path = segment(folder.path(), 1);
    let whole = std::fs::metadata(&path).unwrap().len();
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&noise(3, 700), whole).unwrap(); // the torn one
    let engine = open(folder.path());
    assert_eq!(std::fs::metadata(&path).unwrap().len(), whole);
    assert!(wait(engine.blob_read(&kept, 0..u64::MAX)).unwrap() == noise(1, 50_000));
    assert!(wait(engine.blob_read(&orphan, 0..u64::MAX)).unwrap() == noise(2, 50_000));
    let next = keep(&engine, "b", &noise(4, 50_000));
    assert!(wait(engine.blob_read(&next, 0..u64::MAX)).unwrap() == noise(4, 50_000));
    assert_eq!(engine.verify(Level::Everything).unwrap().problems, 0);
}

/// Any number of octets behind the last acknowledged record may be missing, or be rubbish.
#[test]
fn whatever_lies_behind_what_was_acknowledged_does_no_harm() {
    for seed in 0..12u64 {
        let folder = tempfile::tempdir().unwrap();
        let engine = open(folder.path());
        let kept: Vec<_> = (0..3).map(|n| keep(&engine, &n.to_string(), &noise(n, 9_000))).collect();
        let path = segment(folder.path(), 1);
        let acknowledged = std::fs::metadata(&path).unwrap().len();
        blob(&engine, &noise(8, 300_000));
        blob(&engine, &noise(9, 20_000));
        drop(engine);
        let file = File::options().write(true).open(&path).unwrap();
        let dice = noise(seed, 8);
        let behind = file.metadata().unwrap().len() - acknowledged;
        let cut = u64::from(u32::from_be_bytes(dice[..4].try_into().unwrap())) % (behind + 1);
        file.set_len(acknowledged + cut).unwrap();
        if dice[4].is_multiple_of(2) {
            let rubbish = noise(seed + 1, 1 + usize::from(dice[5]) * 40);
            file.write_all_at(&rubbish, acknowledged + cut * u64::from(dice[6]) / 256).unwrap();
        }
        if dice[7].is_multiple_of(3) {
            std::fs::write(segment(folder.path(), 2), noise(seed, usize::from(dice[7]))).unwrap();
        }
        let engine = open(folder.path());
        assert_eq!(engine.verify(Level::Everything).unwrap().problems, 0, "seed {seed}");
        let next = keep(&engine, "next", &noise(10, 50_000));
        for blob in kept.iter().chain([&next]) {
            wait(check_blob(&engine, blob)).unwrap();
        }
    }
}

#[test]
fn flushed_octets_that_are_gone_are_reported_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    let first = keep(&engine, "a", &noise(1, 50_000));
    let second = keep(&engine, "b", &noise(2, 50_000));
    drop(engine);
    let path = segment(folder.path(), 1);
    File::options().write(true).open(&path).unwrap().set_len(60_000).unwrap();
    let engine = open(folder.path());
    let report = engine.verify(Level::Everything).unwrap();
    assert!(report.listed.iter().any(|what| what.contains("lost")), "{report:?}");
    assert!(wait(engine.blob_read(&first, 0..u64::MAX)).unwrap() == noise(1, 50_000));
    assert!(matches!(wait(engine.blob_read(&second, 0..u64::MAX)), Err(ReadError::Corrupt(_))));
    let third = keep(&engine, "c", &noise(3, 50_000));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 60_000, "new records go to a new segment");
    drop(engine);
    let engine = open(folder.path());
    assert!(wait(engine.blob_read(&third, 0..u64::MAX)).unwrap() == noise(3, 50_000));
}

/// Collects garbage; alive is what the rows name.
fn collect(engine: &EmbeddedEngine, since: u64) -> GarbageReport {
    let rows = scan(engine, b"", b"\xff", false, usize::MAX);
    let mut live = |tell: &mut dyn FnMut(&BlobRef)| {
        rows.iter().filter_map(|(_, v)| BlobRef::decode(v)).for_each(|blob| tell(&blob));
        Ok(())
    };
    engine.collect_garbage(UnixMs(since), &mut live).unwrap()
}

/// Far in the future, and at the epoch.
const NOW: u64 = u64::MAX / 2_000_000;
const LONG_AGO: u64 = 0;

/// Opening expects the segment of the high water; it stays until a later one is in its place.
#[test]
fn the_segment_of_the_high_water_is_not_collected() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    keep(&engine, "a", &noise(1, 3_000_000));
    blob(&engine, &noise(2, 3_000_000)); // begins the second segment, and is never named
    commit(&engine, ops(vec![Op::Del("a".into())])).unwrap();
    for _ in 0..3 {
        assert!(collect(&engine, NOW).deleted.is_empty());
    }
    drop(engine);
    let engine = open(folder.path());
    assert_eq!(engine.verify(Level::Everything).unwrap().problems, 0);
    keep(&engine, "b", &noise(3, 50_000));
    assert_eq!(collect(&engine, NOW).condemned, [1]);
    assert_eq!(collect(&engine, NOW).deleted, [1]);
    drop(engine);
    assert_eq!(open(folder.path()).verify(Level::Everything).unwrap().problems, 0);
}

#[test]
fn segments_roll_over_and_dead_ones_are_collected_at_the_second_look() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    let blobs: Vec<_> = (0..20u64).map(|n| keep(&engine, &format!("{n:02}"), &noise(n, 1_000_000))).collect();
    let before = engine.stats();
    assert!(before.segments >= 5, "{before:?}");
    let report = collect(&engine, NOW);
    assert!(report.deleted.is_empty() && report.condemned.is_empty(), "{report:?}");
    // The first ten messages go.
    commit(&engine, ops(vec![Op::DelRange("00".into(), "10".into())])).unwrap();
    assert!(collect(&engine, LONG_AGO).condemned.is_empty(), "too young");
    let condemned = collect(&engine, NOW).condemned;
    assert!(condemned.len() >= 2);
    let report = collect(&engine, NOW);
    assert_eq!(report.deleted, condemned);
    assert_eq!(engine.stats().segment_octets, before.segment_octets - report.freed_octets);
    for (n, blob) in blobs.iter().enumerate().skip(10) {
        assert!(wait(engine.blob_read(blob, 0..u64::MAX)).unwrap() == noise(n as u64, 1_000_000));
    }
    drop(engine);
    let engine = open(folder.path());
    assert_eq!(engine.verify(Level::Everything).unwrap().problems, 0);
}

#[test]
fn a_large_body_streams_and_is_read_in_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { reserve_octets: Some(0), ..EmbeddedOptions::default() };
    let engine = EmbeddedEngine::open(folder.path(), options).unwrap();
    let chunk = text(1, 1 << 20);
    let mut writer = engine.blob_writer();
    let mut hasher = blake3::Hasher::new();
    for _ in 0..50 {
        writer.write(&chunk).unwrap();
        hasher.update(&chunk);
    }
    let large = writer.finish().unwrap();
    assert_eq!(large.size_octets, 50 << 20);
    assert_eq!(large.hash[..], hasher.finalize().as_bytes()[..16]);
    commit(&engine, Batch { blobs: vec![large.clone()], ..ops(vec![Op::Put("a".into(), large.encode())]) })
        .unwrap();
    for n in 0..50u64 {
        let range = (n << 20)..((n + 1) << 20);
        assert!(wait(engine.blob_read(&large, range)).unwrap() == chunk);
    }
    assert!(engine.stats().segment_octets < 10 << 20, "it is packed");
}

/// A power cut takes every octet of the segments that was not flushed; what was acknowledged must not need it.
#[test]
fn acknowledged_bodies_were_flushed_before_their_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let disk = BadDisk::new();
    let engine = open_on(folder.path(), &disk);
    let acknowledged: Vec<BlobRef> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8u64)
            .map(|thread| {
                let engine = &engine;
                scope.spawn(move || {
                    let keep_one = |n: u64| {
                        let id = thread * 100 + n;
                        let len = [5_000, 40_000, 600_000][(id % 3) as usize];
                        keep(engine, &format!("{id}"), &noise(id, len))
                    };
                    (0..12).map(keep_one).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    blob(&engine, &noise(9_999, 3 << 20)); // never named, never flushed
    drop(engine);
    let flushed = disk.flushed.lock().unwrap().clone();
    let mut cut = 0;
    for entry in std::fs::read_dir(folder.path().join("segments")).unwrap() {
        let path = entry.unwrap().path();
        let file = File::options().write(true).open(&path).unwrap();
        let length = file.metadata().unwrap();
        let kept = flushed.get(&length.ino()).copied().unwrap_or(0);
        cut += length.len() - kept;
        file.set_len(kept).unwrap();
    }
    assert!(cut > 1 << 20);
    let engine = open(folder.path());
    assert_eq!(acknowledged.len(), 96);
    for blob in &acknowledged {
        wait(check_blob(&engine, blob)).unwrap();
    }
    assert_eq!(engine.verify(Level::Everything).unwrap().problems, 0);
}

#[test]
fn closing_answers_what_waits_and_refuses_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    let waiting: Vec<_> = (0..50u8).map(|n| engine.commit(ops(vec![Op::Put(vec![n], vec![])]))).collect();
    engine.close();
    for answer in waiting {
        wait(answer).unwrap();
    }
    assert_eq!(commit(&engine, ops(vec![])), Err(CommitError::Unavailable));
    assert_eq!(scan(&engine, b"", b"\xff", false, 99).len(), 50);
    assert_eq!(engine.stats().batches, 50);
}

#[test]
fn more_than_the_queue_holds_waits_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    let answers: Vec<_> = (0..40u8)
        .map(|n| engine.commit(ops((0..60u8).map(|k| Op::Put(vec![n, k], vec![k; 60_000])).collect())))
        .collect(); // 140 MB
    let done = answers.into_iter().map(|answer| wait(answer).is_ok()).filter(|ok| *ok).count();
    assert_eq!(done, 40);
    assert!(engine.stats().groups >= 8);
}

#[test]
fn a_new_store_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    commit(&engine, ops(vec![put("a", "1")])).unwrap();
    let stats = engine.stats();
    assert!(stats.metadata_octets <= 8 << 20, "{stats:?}");
    assert_eq!(stats.segments, 0);
}
