//! The segment files: appended to, flushed, read at random, recovered after a crash. Knows records, not blobs.
//!
//! A segment is `segments/NNNNNNNN.seg`: a header of 16 octets, then records without gaps. Octets up to the *high water* (kept in
//! LMDB, moved within each commit) were flushed and may be named by metadata; what lies behind it is nobody's yet.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io,
    ops::Range,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use super::{
    disk::Disk,
    record::{self, Header},
};
use crate::place::At;

pub(super) const FILE_HEADER_OCTETS: u32 = 16;
const FILE_MAGIC: &[u8; 8] = b"YUBINSEG";
const FILE_FORMAT: u32 = 1;
/// Files kept open for reading.
const OPEN_FILES_MAX: usize = 256;

/// A place in the row of segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) segment: u32,
    pub(super) offset: u32,
}

impl Position {
    /// Just behind a record.
    pub(super) fn behind(at: At) -> Self {
        Self { segment: at.segment, offset: at.offset.saturating_add(at.octets) }
    }
}

pub(super) struct Segments {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    segment_octets: u32,
    append: Mutex<Append>,
    files: RwLock<BTreeMap<u32, Arc<File>>>,
}

/// The growing end.
struct Append {
    /// Where the next record goes; segment 0 means that there is no segment yet.
    end: Position,
    file: Option<Arc<File>>,
    /// Up to here everything is flushed.
    synced: Position,
    /// Full segments with records that are not flushed.
    sealed_unsynced: Vec<Arc<File>>,
}

impl Segments {
    /// Opens the folder and cuts off what a crash left half-written behind the high water. Damage before it is returned as
    /// sentences for the operator, and nothing is cut.
    pub(super) fn open(
        folder: PathBuf,
        disk: Arc<dyn Disk>,
        segment_octets: u32,
        high_water: Position,
    ) -> io::Result<(Self, Vec<String>)> {
        std::fs::create_dir_all(&folder)?;
        let mut damage = Vec::new();
        let numbers = list(&folder)?;
        let mut end = high_water;
        if high_water.segment > 0 && !numbers.contains(&high_water.segment) {
            damage.push(format!("segment {:08} is missing", high_water.segment));
        }
        let mut last_file = None;
        for number in numbers.iter().copied().filter(|n| *n >= high_water.segment) {
            let path = path_of(&folder, number);
            let file = OpenOptions::new().read(true).write(true).open(&path)?;
            let length = u32::try_from(file.metadata()?.len()).unwrap_or(u32::MAX);
            let from = if number == high_water.segment {
                if length < high_water.offset || !has_header(&file, number) {
                    let lost = high_water.offset.saturating_sub(length);
                    damage.push(format!("segment {number:08} lost {lost} flushed octets or its header"));
                    end = Position { segment: number, offset: u32::MAX };
                    continue;
                }
                high_water.offset
            } else if !has_header(&file, number) {
                // Made just before the crash, and nothing in it was ever flushed.
                std::fs::remove_file(&path)?;
                disk.sync_folder(&folder)?;
                continue;
            } else {
                FILE_HEADER_OCTETS
            };
            let whole = walk(&file, number, from, length, |_, _| ())?;
            if whole < length {
                file.set_len(u64::from(whole))?;
            }
            end = Position { segment: number, offset: whole };
            last_file = Some(Arc::new(file));
        }
        if end.offset == u32::MAX || last_file.is_none() {
            // Never append to a damaged segment, nor under a number that was used.
            end = Position {
                segment: numbers.last().copied().unwrap_or(0).max(high_water.segment),
                offset: u32::MAX,
            };
            last_file = None;
        }
        let append = Append { end, file: last_file, synced: high_water, sealed_unsynced: Vec::new() };
        let segments = Self {
            folder,
            disk,
            segment_octets,
            append: Mutex::new(append),
            files: RwLock::new(BTreeMap::new()),
        };
        Ok((segments, damage))
    }

    /// Appends one record. It is durable only after [`Segments::sync`].
    pub(super) fn append(&self, record: &[u8]) -> io::Result<At> {
        let mut append = self.append.lock();
        let octets = record.len() as u32;
        let fits = append.end.offset.checked_add(octets).is_some_and(|end| end <= self.segment_octets);
        let file = match &append.file {
            Some(file) if fits || append.end.offset == FILE_HEADER_OCTETS => file.clone(),
            _ => self.start_next(&mut append)?,
        };
        // A write that fails leaves `end` where it was: the next record overwrites the torn one.
        file.write_all_at(record, u64::from(append.end.offset))?;
        let at = At { segment: append.end.segment, offset: append.end.offset, octets };
        append.end.offset += octets;
        Ok(at)
    }

    fn start_next(&self, append: &mut Append) -> io::Result<Arc<File>> {
        let number =
            append.end.segment.checked_add(1).ok_or_else(|| io::Error::other("no segment numbers left"))?;
        let path = path_of(&self.folder, number);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let started =
            file.write_all_at(&file_header(number), 0).and_then(|()| self.disk.sync_folder(&self.folder));
        if let Err(error) = started {
            let _ = std::fs::remove_file(&path); // so that the next attempt can make it anew
            return Err(error);
        }
        let file = Arc::new(file);
        if let Some(old) = append.file.replace(file.clone())
            && append.end > append.synced
        {
            append.sealed_unsynced.push(old);
        }
        append.end = Position { segment: number, offset: FILE_HEADER_OCTETS };
        self.remember(number, file.clone());
        Ok(file)
    }

    /// Up to where everything is flushed.
    pub(super) fn synced(&self) -> Position {
        self.append.lock().synced
    }

    /// Flushes everything appended so far. For one caller at a time. After an error nothing may be acknowledged any more.
    pub(super) fn sync(&self) -> io::Result<Position> {
        let (end, sealed, current) = {
            let append = self.append.lock();
            (append.end, append.sealed_unsynced.clone(), append.file.clone())
        };
        for file in sealed.iter().chain(&current) {
            self.disk.sync_file(file)?;
        }
        let mut append = self.append.lock();
        append.sealed_unsynced.drain(..sealed.len());
        append.synced = end;
        Ok(end)
    }

    /// The record at a place, unchecked.
    pub(super) fn read(&self, at: At) -> io::Result<Vec<u8>> {
        let too_long = at.octets as usize > record::HEADER_OCTETS + record::STORED_OCTETS_MAX;
        if too_long || at.offset < FILE_HEADER_OCTETS {
            return Err(io::Error::other("not the place of a record"));
        }
        let mut octets = vec![0; at.octets as usize];
        self.file(at.segment)?.read_exact_at(&mut octets, u64::from(at.offset))?;
        Ok(octets)
    }

    fn file(&self, number: u32) -> io::Result<Arc<File>> {
        if let Some(file) = self.files.read().get(&number) {
            return Ok(file.clone());
        }
        let file = Arc::new(File::open(path_of(&self.folder, number))?);
        self.remember(number, file.clone());
        Ok(file)
    }

    fn remember(&self, number: u32, file: Arc<File>) {
        let mut files = self.files.write();
        if files.len() >= OPEN_FILES_MAX {
            files.clear();
        }
        files.insert(number, file);
    }

    /// The numbers and lengths of all segments.
    pub(super) fn list(&self) -> io::Result<Vec<(u32, u64)>> {
        let numbers = list(&self.folder)?;
        numbers.into_iter().map(|n| Ok((n, std::fs::metadata(path_of(&self.folder, n))?.len()))).collect()
    }

    /// The segment that grows; 0 when there is none.
    pub(super) fn growing(&self) -> u32 {
        self.append.lock().end.segment
    }

    /// When a segment was last written to.
    pub(super) fn modified(&self, number: u32) -> io::Result<std::time::SystemTime> {
        std::fs::metadata(path_of(&self.folder, number))?.modified()
    }

    /// Deletes a segment that no longer grows.
    pub(super) fn remove(&self, number: u32) -> io::Result<()> {
        if number == self.growing() {
            return Err(io::Error::other("the growing segment is not removed"));
        }
        self.files.write().remove(&number);
        std::fs::remove_file(path_of(&self.folder, number))
    }

    /// Visits every whole record of a segment as it is now, and returns the stretches between them that are none.
    pub(super) fn walk(&self, number: u32, mut each: impl FnMut(&Header, At)) -> io::Result<Vec<Range<u32>>> {
        let file = self.file(number)?;
        let end = {
            let append = self.append.lock();
            if append.end.segment == number && append.file.is_some() {
                append.end.offset
            } else {
                u32::try_from(file.metadata()?.len()).unwrap_or(u32::MAX)
            }
        };
        let mut damaged = Vec::new();
        if !has_header(&file, number) {
            damaged.push(0..FILE_HEADER_OCTETS.min(end));
        }
        let mut from = FILE_HEADER_OCTETS;
        loop {
            let readable = walk(&file, number, from, end, &mut each)?;
            if readable >= end {
                return Ok(damaged);
            }
            from = next_record(&file, readable + 1, end)?;
            damaged.push(readable..from);
        }
    }
}

fn path_of(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}.seg"))
}

fn list(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number: Option<u32> =
            name.to_str().and_then(|n| n.strip_suffix(".seg")).and_then(|n| n.parse().ok());
        numbers.extend(number.filter(|n| *n > 0));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn file_header(number: u32) -> [u8; FILE_HEADER_OCTETS as usize] {
    let mut out = [0; FILE_HEADER_OCTETS as usize];
    let words = FILE_MAGIC
        .iter()
        .chain(&FILE_FORMAT.to_be_bytes())
        .chain(&number.to_be_bytes())
        .copied()
        .collect::<Vec<_>>();
    out.copy_from_slice(&words);
    out
}

fn has_header(file: &File, number: u32) -> bool {
    let mut found = [0; FILE_HEADER_OCTETS as usize];
    file.read_exact_at(&mut found, 0).is_ok() && found == file_header(number)
}

/// Visits the whole records of `from..to`; returns where they end.
fn walk(file: &File, number: u32, from: u32, to: u32, mut each: impl FnMut(&Header, At)) -> io::Result<u32> {
    let mut offset = from;
    let mut head = [0; record::HEADER_OCTETS];
    while to.saturating_sub(offset) >= record::HEADER_OCTETS as u32 {
        file.read_exact_at(&mut head, u64::from(offset))?;
        let Some(header) = Header::decode(&head) else { break };
        let octets = header.record_octets();
        if octets > to - offset {
            break;
        }
        let mut whole = vec![0; octets as usize];
        file.read_exact_at(&mut whole, u64::from(offset))?;
        if record::open(&whole).is_none() {
            break;
        }
        each(&header, At { segment: number, offset, octets });
        offset += octets;
    }
    Ok(offset)
}

/// Where the next whole record begins, behind damage; `to` when there is none.
fn next_record(file: &File, from: u32, to: u32) -> io::Result<u32> {
    const STEP: u32 = 1 << 20;
    let mut at = from;
    while at < to {
        let mut octets = vec![0; (to - at).min(STEP) as usize];
        file.read_exact_at(&mut octets, u64::from(at))?;
        let candidates =
            octets.windows(record::MAGIC.len()).enumerate().filter(|(_, four)| *four == record::MAGIC);
        for (distance, _) in candidates {
            let candidate = at + distance as u32;
            if is_record(file, candidate, to)? {
                return Ok(candidate);
            }
        }
        // The next step overlaps, lest a beginning that lies across the two is missed.
        at = if to - at > STEP { at + STEP - 3 } else { to };
    }
    Ok(to)
}

fn is_record(file: &File, at: u32, to: u32) -> io::Result<bool> {
    let mut head = [0; record::HEADER_OCTETS];
    if to - at < head.len() as u32 {
        return Ok(false);
    }
    file.read_exact_at(&mut head, u64::from(at))?;
    let Some(header) = Header::decode(&head).filter(|header| header.record_octets() <= to - at) else {
        return Ok(false);
    };
    let mut whole = vec![0; header.record_octets() as usize];
    file.read_exact_at(&mut whole, u64::from(at))?;
    Ok(record::open(&whole).is_some())
}
