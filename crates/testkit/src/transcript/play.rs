//! Plays a transcript: takes the part of the clients, the clock and the server's connection loop.

use std::{collections::BTreeMap, fmt, pin::pin};

use yubin_base::{Farewell, Next, Protocol, TlsInfo, UnixMs};

use super::{
    START, Subject,
    matching::{self, Captures},
    parse::{self, Expected, Mark, Step, Text, What},
};
use crate::{block_on, poll_once};

/// How often a session may be asked to go on within one step before we call it an endless loop.
const TURNS_MAX: usize = 1_000_000;

/// How the clients send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each `C` line in one piece.
    Lines,
    /// Octet by octet.
    Octets,
    /// Adjacent `C` lines in one piece.
    Pipelined,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Lines, Self::Octets, Self::Pipelined];

    fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Octets => "octets",
            Self::Pipelined => "pipelined",
        }
    }
}

/// Where and how a transcript failed.
#[derive(Debug)]
pub struct Failure {
    file: String,
    line: usize,
    mode: Option<Mode>,
    text: String,
}

impl Failure {
    pub(super) fn of_file(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), line: 0, mode: None, text: text.to_owned() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = self.mode.map_or("", Mode::name);
        write!(f, "{}:{} ({mode})\n{}", self.file, self.line, self.text)
    }
}

/// Plays the text of a transcript in one mode.
pub fn play_text<S: Subject>(file: &str, text: &str, mode: Mode, subject: S) -> Result<(), Failure> {
    play(file, text, mode, subject, None)
}

/// Plays the text line by line and returns it with the expected lines that did not match replaced.
pub(super) fn bless<S: Subject>(file: &str, text: &str, subject: S) -> Result<String, Failure> {
    let mut edits = Edits::default();
    play(file, text, Mode::Lines, subject, Some(&mut edits))?;
    Ok(edits.apply(text))
}

fn play<S: Subject>(
    file: &str,
    text: &str,
    mode: Mode,
    subject: S,
    mut edits: Option<&mut Edits>,
) -> Result<(), Failure> {
    let fail = |line: usize, text: String| Failure { file: file.to_owned(), line, mode: Some(mode), text };
    let script = parse::parse(text).map_err(|(line, why)| fail(line, why))?;
    if !script.only.is_empty() && !script.only.iter().any(|name| name == mode.name()) && edits.is_none() {
        return Ok(());
    }
    let mut stage = Stage { subject, now: START, mode, sessions: BTreeMap::new(), captures: Captures::new() };
    for scene in scenes(&script.steps) {
        let last_line = scene.iter().map(|step| step.line).max().unwrap_or(0);
        let (acts, expectations) =
            scene.split_at(scene.iter().take_while(|step| !is_expectation(step)).count());
        stage.act(acts).map_err(|(line, why)| fail(line, why))?;
        stage.open_for(expectations);
        stage.wake_all();
        for session in stage.sessions_of(expectations) {
            let expected: Vec<(usize, &Expected)> = expectations_of(session, expectations);
            let got = stage.take_said(session);
            let Err(why) = stage.compare(&expected, &got) else { continue };
            let line = expected.first().map_or(last_line, |(line, _)| *line);
            match edits.as_deref_mut() {
                Some(edits) => edits.replace(session, &expected, &got, last_line),
                None => return Err(fail(line, format!("session {session}: {why}"))),
            }
        }
    }
    stage.close_all();
    Ok(())
}

/// Cuts the steps into scenes: some acts, then what is expected of them.
fn scenes(steps: &[Step]) -> Vec<&[Step]> {
    let mut scenes = Vec::new();
    let mut rest = steps;
    while !rest.is_empty() {
        let acts = rest.iter().take_while(|step| !is_expectation(step)).count();
        let expected = rest.iter().skip(acts).take_while(|step| is_expectation(step)).count();
        let (scene, later) = rest.split_at((acts + expected).min(rest.len()));
        scenes.push(scene);
        rest = later;
    }
    scenes
}

fn is_expectation(step: &Step) -> bool {
    matches!(step.what, What::Expect(..))
}

fn expectations_of(session: usize, steps: &[Step]) -> Vec<(usize, &Expected)> {
    let mut expectations = Vec::new();
    for Step { line, what } in steps {
        if let What::Expect(number, expected) = what
            && *number == session
        {
            expectations.push((*line, expected));
        }
    }
    expectations
}

/// What a session said or did, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Line(String),
    Mark(Mark),
}

struct Actor<P> {
    machine: P,
    open: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    said: Vec<Said>,
    heard_at: UnixMs,
}

struct Stage<S: Subject> {
    subject: S,
    now: UnixMs,
    mode: Mode,
    sessions: BTreeMap<usize, Actor<S::Session>>,
    captures: Captures,
}

type Trouble = (usize, String);

impl<S: Subject> Stage<S> {
    fn act(&mut self, steps: &[Step]) -> Result<(), Trouble> {
        let mut rest = steps;
        while let Some((step, later)) = rest.split_first() {
            rest = later;
            match &step.what {
                What::Given(line) => self.subject.given(line),
                What::Connect(session, listener) => self.connect(*session, listener),
                What::Send(session, text) => {
                    let mut octets = self.octets(text);
                    if self.mode == Mode::Pipelined {
                        while let Some((next, text)) = next_send(*session, rest) {
                            octets.extend(self.octets(text));
                            rest = next;
                        }
                    }
                    self.send(*session, &octets).map_err(|why| (step.line, why))?;
                }
                What::ClientClose(session) => {
                    if let Some(mut actor) = self.sessions.remove(session) {
                        block_on(actor.machine.closed());
                    }
                }
                What::Farewell(session, why) => {
                    self.connect_unless_there(*session, false);
                    if let Some(actor) = self.sessions.get_mut(session) {
                        actor.farewell(*why);
                    }
                }
                What::Clock(ms) => self.move_clock(*ms),
                What::Crash => {
                    self.sessions.clear();
                    self.subject.crash_and_restart();
                }
                What::Expect(..) => {}
            }
            self.wake_all();
        }
        Ok(())
    }

    fn octets(&self, text: &Text) -> Vec<u8> {
        match text {
            Text::Line(line) => format!("{}\r\n", matching::fill_in(line, &self.captures)).into_bytes(),
            Text::Raw(octets) => octets.clone(),
        }
    }

    fn connect(&mut self, session: usize, listener: &str) {
        let machine = self.subject.connect(session, listener);
        let mut actor = Actor {
            machine,
            open: true,
            input: Vec::new(),
            output: Vec::new(),
            said: Vec::new(),
            heard_at: self.now,
        };
        let next = block_on(actor.machine.greet(self.now, &mut actor.output));
        actor.follow(next, self.now);
        self.sessions.insert(session, actor);
    }

    fn connect_unless_there(&mut self, session: usize, show_greeting: bool) {
        if self.sessions.contains_key(&session) {
            return;
        }
        self.connect(session, "");
        if let Some(actor) = self.sessions.get_mut(&session)
            && !show_greeting
        {
            actor.take_said();
        }
    }

    /// Sessions that are first named in an expectation show their greeting.
    fn open_for(&mut self, expectations: &[Step]) {
        for step in expectations {
            if let What::Expect(session, _) = step.what {
                self.connect_unless_there(session, true);
            }
        }
    }

    fn send(&mut self, session: usize, octets: &[u8]) -> Result<(), String> {
        self.connect_unless_there(session, false);
        let (mode, now) = (self.mode, self.now);
        let Some(actor) = self.sessions.get_mut(&session) else { return Ok(()) };
        if !actor.open {
            return Err(format!("session {session} was closed already"));
        }
        actor.heard_at = now;
        let piece = if mode == Mode::Octets { 1 } else { octets.len().max(1) };
        for piece in octets.chunks(piece) {
            let dropped_rest = actor.hear(piece, now);
            if dropped_rest || !actor.open {
                break;
            }
        }
        Ok(())
    }

    fn move_clock(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.subject.clock_moved(self.now);
        self.wake_all();
        for actor in self.sessions.values_mut().filter(|actor| actor.open) {
            if self.now.since(actor.heard_at) > u64::from(actor.machine.patience_s()) * 1_000 {
                actor.farewell(Farewell::Timeout);
            }
        }
    }

    /// Lets every idle session say what it wants to say unasked.
    fn wake_all(&mut self) {
        for actor in self.sessions.values_mut() {
            for _ in 0..TURNS_MAX {
                if !actor.open || poll_once(pin!(actor.machine.wake())).is_none() {
                    break;
                }
                let next = block_on(actor.machine.woken(self.now, &mut actor.output));
                actor.follow(next, self.now);
            }
        }
    }

    /// Every session that must be looked at now: each that is there, and each that is named.
    fn sessions_of(&self, expectations: &[Step]) -> Vec<usize> {
        let mut sessions: Vec<usize> = self.sessions.keys().copied().collect();
        for step in expectations {
            if let What::Expect(session, _) = step.what {
                sessions.push(session);
            }
        }
        sessions.sort_unstable();
        sessions.dedup();
        sessions
    }

    fn take_said(&mut self, session: usize) -> Vec<Said> {
        self.sessions.get_mut(&session).map(Actor::take_said).unwrap_or_default()
    }

    fn compare(&mut self, expected: &[(usize, &Expected)], got: &[Said]) -> Result<(), String> {
        let mut patterns: Vec<&str> = Vec::new();
        let mut marks: Vec<Mark> = Vec::new();
        for (_, expected) in expected {
            match expected {
                Expected::Line(pattern) => patterns.push(pattern),
                Expected::Mark(mark) => marks.push(*mark),
            }
        }
        let mut lines: Vec<String> = Vec::new();
        let mut seen: Vec<Mark> = Vec::new();
        for said in got {
            match said {
                Said::Line(line) => lines.push(line.clone()),
                Said::Mark(mark) => seen.push(*mark),
            }
        }
        // Delays need not be said.
        if !marks.iter().any(|mark| matches!(mark, Mark::Delay(_))) {
            seen.retain(|mark| !matches!(mark, Mark::Delay(_)));
        }
        match matching::match_lines(&patterns, &lines, &self.captures) {
            Some(captures) if marks == seen => {
                self.captures = captures;
                Ok(())
            }
            _ => Err(difference(expected, got, &self.captures)),
        }
    }

    fn close_all(&mut self) {
        for actor in self.sessions.values_mut().filter(|actor| actor.open) {
            block_on(actor.machine.closed());
        }
    }
}

fn next_send(session: usize, steps: &[Step]) -> Option<(&[Step], &Text)> {
    let (step, later) = steps.split_first()?;
    match &step.what {
        What::Send(number, text) if *number == session => Some((later, text)),
        _ => None,
    }
}

fn difference(expected: &[(usize, &Expected)], got: &[Said], captures: &Captures) -> String {
    let mut text = String::from("  expected:\n");
    for (line, expected) in expected {
        let written = match expected {
            Expected::Line(pattern) => format!("S: {pattern}"),
            Expected::Mark(mark) => format!("S! {}", mark.written()),
        };
        text.push_str(&format!("    {line:>4} {written}\n"));
    }
    text.push_str("  got:\n");
    for said in got {
        text.push_str(&format!("         {}\n", said.written()));
    }
    if !captures.is_empty() {
        text.push_str(&format!("  captured: {captures:?}\n"));
    }
    text
}

impl Said {
    fn written(&self) -> String {
        match self {
            Self::Line(line) => format!("S: {line}"),
            Self::Mark(mark) => format!("S! {}", mark.written()),
        }
    }
}

impl<P: Protocol> Actor<P> {
    /// Takes octets off the wire. Says whether the rest of the segment is dropped, because TLS began.
    fn hear(&mut self, octets: &[u8], now: UnixMs) -> bool {
        self.input.extend_from_slice(octets);
        for _ in 0..TURNS_MAX {
            if self.input.is_empty() || !self.open {
                return false;
            }
            let (used, next) = block_on(self.machine.command(&self.input, now, &mut self.output));
            assert!(used <= self.input.len(), "a session took more than there was");
            self.input.drain(..used);
            if next == Next::Read && used == 0 {
                if self.input.len() > self.machine.input_octets_max() {
                    self.farewell(Farewell::InputTooLong);
                }
                return false;
            }
            if self.follow(next, now) {
                return true;
            }
        }
        endless()
    }

    /// Does what the machine asked for. Says whether TLS began.
    fn follow(&mut self, next: Next, now: UnixMs) -> bool {
        let mut next = next;
        for _ in 0..TURNS_MAX {
            match next {
                Next::Read => return false,
                Next::More => next = block_on(self.machine.more(now, &mut self.output)),
                Next::Delay(ms) => {
                    self.mark(Mark::Delay(ms));
                    return false;
                }
                Next::StartTls => {
                    self.mark(Mark::StartTls);
                    self.input.clear();
                    self.machine.tls_started(tls());
                    return true;
                }
                // What is said goes on in the clear here: the machine does not know the difference.
                Next::Compress => {
                    self.mark(Mark::Compress);
                    return false;
                }
                Next::Uncompress => {
                    self.mark(Mark::Uncompress);
                    return false;
                }
                Next::Close => {
                    self.close();
                    return false;
                }
            }
        }
        endless()
    }

    fn farewell(&mut self, why: Farewell) {
        self.machine.farewell(why, &mut self.output);
        self.close();
    }

    fn close(&mut self) {
        self.mark(Mark::Close);
        self.open = false;
        self.input.clear();
        block_on(self.machine.closed());
    }

    fn mark(&mut self, mark: Mark) {
        self.cut_output();
        self.said.push(Said::Mark(mark));
    }

    fn cut_output(&mut self) {
        self.said.extend(lines(&self.output).into_iter().map(Said::Line));
        self.output.clear();
    }

    fn take_said(&mut self) -> Vec<Said> {
        self.cut_output();
        std::mem::take(&mut self.said)
    }
}

#[allow(clippy::panic)] // this is how a test fails
fn endless() -> bool {
    panic!("a session goes on for ever");
}

/// The TLS session that every handshake of the stage brings.
fn tls() -> TlsInfo {
    TlsInfo {
        version: "TLSv1.3".into(),
        cipher: "TLS_AES_256_GCM_SHA384".into(),
        exporter: vec![7; 32],
        server_name: None,
    }
}

/// Cuts output at CRLF. What is no text is written as an escape.
fn lines(output: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = output;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\r\n");
        let (line, later) = match end {
            Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 2..).unwrap_or_default()),
            None => (rest, &[][..]),
        };
        lines.push(readable(line));
        rest = later;
    }
    lines
}

fn readable(octets: &[u8]) -> String {
    let mut text = String::new();
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                c if c.is_control() && c != '\t' => text.push_str(&format!("\\x{:02x}", c as u32)),
                c => text.push(c),
            }
        }
        for octet in chunk.invalid() {
            text.push_str(&format!("\\x{octet:02x}"));
        }
    }
    text
}

/// Changes to the expected lines of a file.
#[derive(Default)]
struct Edits {
    /// Lines to leave out.
    gone: Vec<usize>,
    /// New lines behind a line: session and text without its number.
    new: BTreeMap<usize, Vec<(usize, String)>>,
}

impl Edits {
    fn replace(&mut self, session: usize, expected: &[(usize, &Expected)], got: &[Said], after: usize) {
        self.gone.extend(expected.iter().map(|(line, _)| *line));
        let behind = expected.last().map_or(after, |(line, _)| *line);
        let new = self.new.entry(behind).or_default();
        new.extend(got.iter().map(|said| (session, said.written())));
    }

    fn apply(&self, text: &str) -> String {
        let numbered = text.lines().any(|line| line.starts_with("1C") || line.starts_with("1S"));
        let mut result = String::new();
        for (index, line) in text.lines().enumerate() {
            if !self.gone.contains(&(index + 1)) {
                result.push_str(line);
                result.push('\n');
            }
            for (session, written) in self.new.get(&(index + 1)).into_iter().flatten() {
                let number = if *session == 1 && !numbered { String::new() } else { session.to_string() };
                result.push_str(&format!("{number}{written}\n"));
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Echoes lines; knows `tls`, `quit`, `more`, `slow` and `wake`.
    #[derive(Default)]
    struct Echo {
        tls: bool,
        more: u32,
        wake: bool,
    }

    impl Protocol for Echo {
        async fn greet(&mut self, _: UnixMs, out: &mut Vec<u8>) -> Next {
            out.extend_from_slice(b"hello\r\n");
            Next::Read
        }
        async fn command(&mut self, input: &[u8], now: UnixMs, out: &mut Vec<u8>) -> (usize, Next) {
            let Some(at) = input.iter().position(|b| *b == b'\n') else { return (0, Next::Read) };
            let line = &input[..at - 1];
            let next = match line {
                b"tls" => Next::StartTls,
                b"quit" => Next::Close,
                b"slow" => Next::Delay(5),
                b"more" => {
                    self.more = 2;
                    Next::More
                }
                b"wake" => {
                    self.wake = true;
                    Next::Read
                }
                b"time" => {
                    out.extend_from_slice(format!("{}\r\n", now.since(START)).as_bytes());
                    return (at + 1, Next::Read);
                }
                _ => Next::Read,
            };
            out.extend_from_slice(line);
            out.extend_from_slice(if self.tls { b" tls\r\n" } else { b"\r\n" });
            (at + 1, next)
        }
        async fn more(&mut self, _: UnixMs, out: &mut Vec<u8>) -> Next {
            out.extend_from_slice(b"again\r\n");
            self.more -= 1;
            if self.more == 0 { Next::Read } else { Next::More }
        }
        async fn wake(&mut self) {
            if !self.wake {
                std::future::pending::<()>().await;
            }
        }
        async fn woken(&mut self, _: UnixMs, out: &mut Vec<u8>) -> Next {
            self.wake = false;
            out.extend_from_slice(b"woken\r\n");
            Next::Read
        }
        fn tls_started(&mut self, _: TlsInfo) {
            self.tls = true;
        }
        fn patience_s(&self) -> u32 {
            60
        }
        fn input_octets_max(&self) -> usize {
            100
        }
        fn farewell(&mut self, why: Farewell, out: &mut Vec<u8>) {
            out.extend_from_slice(format!("{why:?}\r\n").as_bytes());
        }
    }

    struct World;

    impl Subject for World {
        type Session = Echo;
        fn given(&mut self, _: &str) {}
        fn connect(&mut self, _: usize, _: &str) -> Echo {
            Echo::default()
        }
        fn crash_and_restart(&mut self) {}
    }

    fn check(text: &str, fails_at: Option<usize>) {
        for mode in Mode::ALL {
            let result = play_text("test", text, mode, World);
            assert_eq!(result.as_ref().err().map(|f| f.line), fails_at, "{mode:?} {result:?}");
        }
    }

    #[test]
    fn sessions_are_played_in_every_mode() {
        check("S: hello\nC: a\nC: b\nS: a\nS: b\n", None);
        check("C: a\n2C: b\nS: a\n2S: b\n", None);
        check("2S: hello\n1C: a $x\n1S: a $y\n", None);
        check("C! connect x\nS: hello\nC! close\nS: hello\n", None);
        check("C: more\nC: x\nS: more\nS: again\nS: again\nS: x\n", None);
        check("C: wake\nS: wake\nS: woken\n", None);
        check("C: slow\nS: slow\n", None);
        check("C: slow\nS: slow\nS! delay 5\n", None);
        check("C: slow\nS: slow\nS! delay 6\n", Some(2));
        check("C: quit\nS: quit\nS! close\n", None);
        check("C: quit\nS: quit\n", Some(2));
        check("C: a\n", Some(1));
        check("C: a\nS: b\n", Some(2));
        check("C: quit\nS: quit\nS! close\nC: a\n", Some(4));
        check("C: a\nS: a\ncrash\nC: b\nS: b\n", None);
    }

    #[test]
    fn the_rest_of_a_segment_is_dropped_when_tls_begins() {
        check("C~ tls\\r\\ninjected\\r\\n\nS: tls\nS! starttls\nC: a\nS: a tls\n", None);
    }

    #[test]
    fn the_clock_moves_and_patience_ends() {
        check("@ +50s\nC: time\nS: 50000\n@ +60s\nC: time\nS: 110000\n", None);
        check("C: a\nS: a\n@ +61s\nS: Timeout\nS! close\n", None);
        check("C~ \\*{101}{x}\nS: InputTooLong\nS! close\n", None);
        check("C! farewell shutdown\nS: Shutdown\nS! close\n", None);
    }

    #[test]
    fn blessing_replaces_what_did_not_match_and_nothing_else() {
        let text = "# why\nC: a\nS: b  # old\n\nC: b\nS: …\nC: quit\n";
        let blessed = "# why\nC: a\nS: a\n\nC: b\nS: …\nC: quit\nS: quit\nS! close\n";
        assert_eq!(bless("test", text, World).ok().as_deref(), Some(blessed));
    }
}
