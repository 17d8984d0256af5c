//! Runs the steps of a script within a budget. RFC 5228 §2.10; RFC 6609 for scripts within scripts.

mod actions;
mod dates;
mod header;
mod tests;
mod variables;

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    Deed, Explained, Outcome, RunError, Scene, Script, limits,
    program::{Include, Op, Text},
};
use header::Header;
use variables::Variables;

/// Runs a script on a message. Never fails: what goes wrong keeps the message and is told in [`Outcome::error`].
pub fn run(script: &Arc<Script>, scene: &Scene<'_>) -> Outcome {
    let mut machine = Machine::new(script, scene);
    let error = machine.go().err();
    machine.finish(error)
}

struct Machine<'a> {
    scene: &'a Scene<'a>,
    frames: Vec<Frame>,
    header: Header,
    /// RFC 6609 §3.4: shared by all scripts of one run.
    globals: Variables,
    /// RFC 5232 §3: the flags that keep and fileinto use when they name none.
    flags: Vec<String>,
    /// The result of the last test.
    result: bool,
    deeds: Vec<Deed>,
    implicit_keep: bool,
    tracked: Vec<crate::Tracked>,
    included: BTreeSet<(crate::Location, String)>,
    explained: Vec<Explained>,
    untold: usize,
    steps: u64,
    redirects: usize,
}

/// A script that runs.
struct Frame {
    script: Arc<Script>,
    /// The included script's name.
    name: Option<String>,
    next: usize,
    line: u32,
    variables: Variables,
    /// Names that mean a global variable (RFC 6609 §3.4.1).
    declared: BTreeSet<String>,
    /// What the last `:matches` took.
    taken: Vec<String>,
}

impl Frame {
    fn new(script: Arc<Script>, name: Option<String>) -> Self {
        Self {
            script,
            name,
            next: 0,
            line: 0,
            variables: Variables::default(),
            declared: BTreeSet::new(),
            taken: Vec::new(),
        }
    }
}

/// Ends the run.
struct Failure(String);

type Step<T = ()> = Result<T, Failure>;

fn fail<T>(text: impl Into<String>) -> Step<T> {
    Err(Failure(text.into()))
}

impl<'a> Machine<'a> {
    fn new(script: &Arc<Script>, scene: &'a Scene<'a>) -> Self {
        Self {
            scene,
            frames: vec![Frame::new(script.clone(), None)],
            header: Header::parse(scene.header),
            globals: Variables::default(),
            flags: Vec::new(),
            result: false,
            deeds: Vec::new(),
            implicit_keep: true,
            tracked: Vec::new(),
            included: BTreeSet::new(),
            explained: Vec::new(),
            untold: 0,
            steps: 0,
            redirects: 0,
        }
    }

    fn go(&mut self) -> Step {
        while let Some(frame) = self.frames.last_mut() {
            let Some(step) = frame.script.steps.get(frame.next) else {
                self.frames.pop();
                continue;
            };
            frame.next += 1;
            frame.line = step.line;
            let op = step.op.clone();
            self.charge(1)?;
            match op {
                Op::Test(test) => self.result = self.test(&test)?,
                Op::Not => self.result = !self.result,
                Op::JumpIf { when, to } if self.result == when => self.jump(to),
                Op::JumpIf { .. } => {}
                Op::Jump { to } => self.jump(to),
                Op::Act(action) => self.act(&action)?,
                Op::Include(include) => self.include(&include)?,
                Op::Return => {
                    self.explain(|| "return".into());
                    self.frames.pop();
                }
                Op::Stop => {
                    self.explain(|| "stop".into());
                    break;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, error: Option<Failure>) -> Outcome {
        let line = self.frames.last().map_or(0, |frame| frame.line);
        let error = error.map(|failure| RunError { line, text: failure.0 });
        if let Some(error) = &error {
            self.explain(|| format!("failed: {}; the message is kept", error.text));
            self.deeds.clear();
            self.tracked.clear();
            self.flags.clear();
            self.implicit_keep = true;
        }
        if self.implicit_keep {
            self.deeds.push(Deed::Keep { flags: self.flags.clone(), implicit: true });
        }
        if self.untold > 0 {
            let text = format!("and {} further steps", self.untold);
            self.explained.push(Explained { script: None, line: 0, text });
        }
        Outcome {
            header: self.header.changed().filter(|_| error.is_none()),
            deeds: self.deeds,
            tracked: self.tracked,
            error,
            explained: self.explained,
            steps: self.steps,
        }
    }

    fn jump(&mut self, to: usize) {
        if let Some(frame) = self.frames.last_mut() {
            frame.next = to;
        }
    }

    /// Brings in another script. A script that includes itself is an error (RFC 6609 §3.2).
    fn include(&mut self, include: &Include) -> Step {
        let key = (include.location, include.name.clone());
        if include.once && self.included.contains(&key) {
            return Ok(());
        }
        if self.frames.len() >= limits::INCLUDE_DEPTH {
            return fail(format!("scripts include one another at most {} deep", limits::INCLUDE_DEPTH));
        }
        if self.frames.iter().any(|frame| frame.name.as_ref() == Some(&include.name)) {
            return fail(format!("the script {:?} includes itself", include.name));
        }
        let Some(script) = self.scene.world.script(include.location, &include.name) else {
            if include.optional {
                self.explain(|| format!("include: there is no script {:?}", include.name));
                return Ok(());
            }
            return fail(format!("there is no script {:?} to include", include.name));
        };
        self.explain(|| format!("include {:?}", include.name));
        self.included.insert(key);
        self.frames.push(Frame::new(script, Some(include.name.clone())));
        Ok(())
    }

    fn charge(&mut self, steps: u64) -> Step {
        self.steps += steps;
        if self.steps > limits::STEPS {
            return fail(format!("the script takes more than {} steps", limits::STEPS));
        }
        Ok(())
    }

    fn explain(&mut self, text: impl FnOnce() -> String) {
        if self.explained.len() >= limits::EXPLAINED_STEPS {
            self.untold += 1;
            return;
        }
        let (script, line) = self.frames.last().map(|f| (f.name.clone(), f.line)).unwrap_or_default();
        self.explained.push(Explained { script, line, text: text() });
    }

    /// Puts values in the place of variables.
    fn expand(&mut self, text: &Text) -> Step<String> {
        let frame = self.frames.last();
        let expanded = variables::expand(
            text,
            |name| match frame {
                Some(frame) if !name.global && !frame.declared.contains(&name.name) => {
                    frame.variables.get(&name.name)
                }
                _ => self.globals.get(&name.name),
            },
            frame.map(|frame| frame.taken.as_slice()).unwrap_or_default(),
        );
        self.charge(expanded.len() as u64 / 1_024)?;
        Ok(expanded)
    }

    fn expand_all(&mut self, texts: &[Text]) -> Step<Vec<String>> {
        texts.iter().map(|text| self.expand(text)).collect()
    }
}
