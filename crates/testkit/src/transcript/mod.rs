//! Transcripts: protocol tests as text. Each file is played three times: line by line, octet by octet, and pipelined.
//! Knows no protocol; what a `given` line means is the subject's to say.
//!
//! | line | meaning |
//! |---|---|
//! | `# text`, or two spaces and `# text` behind a line | a comment |
//! | `given …` | handed to [`Subject::given`] |
//! | `only lines pipelined` | played in these modes only: `lines`, `octets`, `pipelined` |
//! | `C: text` / `2C: text` | session 1 / 2 sends the text and CRLF; `$name` stands for what was captured |
//! | `C~ text` | sends exactly this: `\r` `\n` `\t` `\0` `\\` `\xHH`, and `\*{3000}{ab}` for a repetition; no CRLF is added |
//! | `C! connect NAME` | connects to the listener of this name; without it, a session connects to `""` when it is first named |
//! | `C! close` | the client goes away |
//! | `C! farewell timeout` | the loop ends the session: `timeout`, `shutdown`, `too-long`, `too-busy`, `inflate`, `internal` |
//! | `S: text` | expects this line. `…` matches anything inside a line, and alone any number of lines. `$name` captures a word, and compares from then on; `$$` is a dollar. Octets that are no text are written `\r` `\n` `\xHH` |
//! | `S! close` / `S! starttls` / `S! compress` / `S! uncompress` | expects that the session was closed / went over to TLS / to DEFLATE / back from it. They must be said when they happen |
//! | `S! delay 1000` | expects that the answer was held back this many milliseconds. May be left unsaid |
//! | `@ +29m` | moves the clock: `ms`, `s`, `m`, `h`, `d`. Sessions silent for longer than their patience get their farewell |
//! | `crash` | everything but what is durable is gone: [`Subject::crash_and_restart`] |
//!
//! A session whose first line is `C:` has its greeting left out. Adjacent `C` lines of one session are sent without looking at the answers, and as one
//! segment when pipelined. After STARTTLS the rest of the same segment is dropped, as the server's loop does. Nothing may be said that is not expected.
//!
//! `YUBIN_BLESS=1` rewrites the expected lines that did not match; `YUBIN_TRANSCRIPT=part-of-path` plays only some files.

mod matching;
mod parse;
mod play;

use std::{
    fs,
    path::{Path, PathBuf},
};

use yubin_base::{Protocol, UnixMs};

pub use play::{Failure, Mode, play_text};

/// When every transcript begins: 2026-01-01T00:00:00Z.
pub const START: UnixMs = UnixMs(1_767_225_600_000);

/// What is tested: makes sessions over a world that the `given` lines describe. One per file and mode.
pub trait Subject {
    /// The machine.
    type Session: Protocol;

    /// Takes the text after `given`. Panics when it means nothing.
    fn given(&mut self, line: &str);

    /// Makes the session of this number (from 1) on a listener: what stood behind `connect`, or `""`.
    /// Calls [`Protocol::tls_started`] itself for an implicit-TLS listener.
    fn connect(&mut self, session: usize, listener: &str) -> Self::Session;

    /// The clock was moved. For subjects that hold a [`crate::SimClock`].
    fn clock_moved(&mut self, now: UnixMs) {
        let _ = now;
    }

    /// The process dies and starts again. All sessions are gone already, without [`Protocol::closed`].
    #[allow(clippy::panic)] // a transcript that says `crash` to a subject that cannot is wrong
    fn crash_and_restart(&mut self) {
        panic!("this subject cannot crash");
    }
}

/// Plays every `*.txt` below the folder in every mode. Panics with all failures at the end.
#[allow(clippy::panic)] // this is how a test fails
pub fn run_dir<S: Subject>(folder: impl AsRef<Path>, make_subject: impl Fn() -> S) {
    let only = variable("YUBIN_TRANSCRIPT").unwrap_or_default();
    let bless = variable("YUBIN_BLESS").is_some_and(|value| value == "1");
    let files: Vec<PathBuf> = transcripts_in(folder.as_ref())
        .into_iter()
        .filter(|path| path.to_string_lossy().contains(&only))
        .collect();
    assert!(!files.is_empty(), "no transcripts in {}", folder.as_ref().display());
    let mut failures = Vec::new();
    for path in &files {
        if let Err(failure) = run_file(path, bless, &make_subject) {
            failures.push(failure.to_string());
        }
    }
    if !failures.is_empty() {
        panic!("{} of {} transcripts failed\n\n{}", failures.len(), files.len(), failures.join("\n\n"));
    }
}

/// Plays one file in every mode; the first failure is the result.
pub fn run_file<S: Subject>(path: &Path, bless: bool, make_subject: &impl Fn() -> S) -> Result<(), Failure> {
    let name = path.display().to_string();
    let fail = |error: std::io::Error| Failure::of_file(&name, &error.to_string());
    let mut text = fs::read_to_string(path).map_err(fail)?;
    if bless {
        let blessed = play::bless(&name, &text, make_subject())?;
        if blessed != text {
            fs::write(path, &blessed).map_err(fail)?;
            text = blessed;
        }
    }
    for mode in Mode::ALL {
        play_text(&name, &text, mode, make_subject())?;
    }
    Ok(())
}

fn transcripts_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(transcripts_in(&path));
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[allow(clippy::disallowed_methods)] // the one place where a test is told how to run
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
