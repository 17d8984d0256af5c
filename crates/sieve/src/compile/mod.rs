//! The tree to steps: names, arguments and extensions are checked here, so that a script that compiles can run. RFC 5228 §2.10.

mod actions;
mod arguments;
mod tests;
mod text;

use std::{collections::BTreeSet, sync::Arc};

use regex::Regex;

use crate::{
    CompileError, Position, capability,
    compare::{Comparator, MatchType, Relation},
    limits,
    program::{Action, Include, Location, Op, Script, Step, Text, Wanted},
    syntax::{self, Command, Test as TestNode},
};
use arguments::{Tag, Taken, Takes, extension, tag};

/// Compiles a script. The error names the place and says what to do.
pub fn compile(text: &str) -> Result<Script, CompileError> {
    let commands = syntax::parse(text)?;
    let mut compiler = Compiler::default();
    compiler.commands(&commands, true)?;
    Ok(Script {
        steps: compiler.steps,
        includes: compiler.includes,
        reads_body: compiler.reads_body,
        requires: compiler.required,
    })
}

#[derive(Default)]
struct Compiler {
    required: BTreeSet<&'static str>,
    steps: Vec<Step>,
    includes: Vec<Include>,
    reads_body: bool,
    regexes: usize,
    /// The line that steps are made for.
    line: u32,
}

/// The tags of every comparing test.
const MATCH: &[Tag] = &[
    tag("is", Takes::Nothing),
    tag("contains", Takes::Nothing),
    tag("matches", Takes::Nothing),
    extension("regex", Takes::Nothing, "regex"),
    extension("value", Takes::String, "relational"),
    extension("count", Takes::String, "relational"),
    tag("comparator", Takes::String),
];

impl Compiler {
    /// A block. `require` is permitted until something else has stood (RFC 5228 §3.2).
    fn commands(&mut self, commands: &[Command], mut may_require: bool) -> Result<(), CompileError> {
        let mut left = commands.iter().peekable();
        while let Some(command) = left.next() {
            self.line = command.at.line;
            if command.name == "require" {
                if !may_require {
                    return Err(CompileError::new(
                        command.at,
                        "require must stand before all other commands",
                    ));
                }
                self.require(command)?;
                continue;
            }
            may_require = false;
            match command.name.as_str() {
                "if" => {
                    let mut chain = vec![command];
                    while let Some(next) = left.next_if(|next| next.name == "elsif" || next.name == "else") {
                        let closed = chain.last().is_some_and(|last| last.name == "else");
                        if closed {
                            return Err(CompileError::new(
                                next.at,
                                format!("{} cannot follow else", next.name),
                            ));
                        }
                        chain.push(next);
                    }
                    self.branches(&chain)?;
                }
                "elsif" | "else" => {
                    return Err(CompileError::new(
                        command.at,
                        format!("{} must follow the block of an if", command.name),
                    ));
                }
                _ => {
                    if command.block.is_some() {
                        return Err(CompileError::new(
                            command.at,
                            format!("{} takes no block", command.name),
                        ));
                    }
                    if let Some(test) = command.tests.first() {
                        return Err(CompileError::new(
                            test.at,
                            format!(
                                "{} takes no test; is a semicolon missing before {}?",
                                command.name, test.name
                            ),
                        ));
                    }
                    self.action(command)?;
                }
            }
        }
        Ok(())
    }

    fn require(&mut self, command: &Command) -> Result<(), CompileError> {
        let mut taken = self.take(command, &[])?;
        for name in taken.next_strings("the extensions")? {
            match capability::known(name) {
                Some(name) => {
                    self.required.insert(name);
                }
                None => {
                    let hint =
                        capability::similar(name).map(|s| format!("; is {s:?} meant?")).unwrap_or_default();
                    return Err(CompileError::new(
                        command.at,
                        format!("this server has no extension {name:?}{hint}"),
                    ));
                }
            }
        }
        taken.end()
    }

    /// `if`, `elsif` and `else`. RFC 5228 §3.1.
    fn branches(&mut self, chain: &[&Command]) -> Result<(), CompileError> {
        let mut exits = Vec::new();
        for command in chain {
            self.line = command.at.line;
            if let Some(argument) = command.arguments.first() {
                return Err(CompileError::new(
                    argument.at,
                    format!("{} takes a test, not {}", command.name, argument.value.kind()),
                ));
            }
            let Some(block) = &command.block else {
                return Err(CompileError::new(
                    command.at,
                    format!("{} needs a block in braces", command.name),
                ));
            };
            let skip = match (command.name.as_str(), command.tests.as_slice()) {
                ("else", []) => None,
                ("else", [test, ..]) => {
                    return Err(CompileError::new(test.at, "else takes no test; write elsif"));
                }
                (_, [test]) => {
                    self.test(test)?;
                    Some(self.push(Op::JumpIf { when: false, to: usize::MAX }))
                }
                _ => return Err(CompileError::new(command.at, format!("{} takes one test", command.name))),
            };
            self.commands(block, false)?;
            exits.push(self.push(Op::Jump { to: usize::MAX }));
            if let Some(skip) = skip {
                self.land(skip);
            }
        }
        exits.into_iter().for_each(|exit| self.land(exit));
        Ok(())
    }

    /// A test; `allof` and `anyof` stop as soon as the result stands, so that later tests cost nothing and take nothing.
    fn test(&mut self, node: &TestNode) -> Result<(), CompileError> {
        self.line = node.at.line;
        match node.name.as_str() {
            "not" => {
                let [inner] = node.tests.as_slice() else {
                    return Err(CompileError::new(node.at, "not takes one test"));
                };
                no_arguments(node)?;
                self.test(inner)?;
                self.push(Op::Not);
            }
            "allof" | "anyof" => {
                no_arguments(node)?;
                if node.tests.is_empty() {
                    return Err(CompileError::new(
                        node.at,
                        format!("{} takes tests in parentheses", node.name),
                    ));
                }
                let mut exits = Vec::new();
                for inner in &node.tests {
                    self.test(inner)?;
                    exits.push(self.push(Op::JumpIf { when: node.name == "anyof", to: usize::MAX }));
                }
                exits.into_iter().for_each(|exit| self.land(exit));
            }
            _ => {
                if let Some(inner) = node.tests.first() {
                    return Err(CompileError::new(inner.at, format!("{} takes no test", node.name)));
                }
                let test = self.leaf(node)?;
                self.push(Op::Test(Arc::new(test)));
            }
        }
        Ok(())
    }

    fn push(&mut self, op: Op) -> usize {
        self.steps.push(Step { line: self.line, op });
        self.steps.len() - 1
    }

    fn push_action(&mut self, action: Action) {
        self.push(Op::Act(Arc::new(action)));
    }

    /// Makes a jump go to the next step.
    fn land(&mut self, jump: usize) {
        let here = self.steps.len();
        if let Some(Step { op: Op::JumpIf { to, .. } | Op::Jump { to }, .. }) = self.steps.get_mut(jump) {
            *to = here;
        }
    }

    fn has(&self, extension: &str) -> bool {
        self.required.contains(extension)
    }

    /// Says what to do when an extension has not been required.
    fn needs(&self, at: Position, name: &str, extensions: &[&str]) -> Result<(), CompileError> {
        if extensions.iter().any(|extension| self.has(extension)) {
            return Ok(());
        }
        let extension = extensions.first().copied().unwrap_or_default();
        Err(CompileError::new(at, format!("put require \"{extension}\"; at the top to use {name}")))
    }

    fn take<'a>(&self, command: &'a Command, specs: &[&[Tag]]) -> Result<Taken<'a>, CompileError> {
        Taken::new(&command.name, command.at, &command.arguments, specs, |e| self.has(e))
    }

    fn take_test<'a>(&self, test: &'a TestNode, specs: &[&[Tag]]) -> Result<Taken<'a>, CompileError> {
        Taken::new(&test.name, test.at, &test.arguments, specs, |e| self.has(e))
    }

    fn text(&self, at: Position, text: &str) -> Result<Text, CompileError> {
        let decoded = match self.has("encoded-character") {
            true => text::with_encoded_characters(at, text)?,
            false => text.to_owned(),
        };
        Ok(match self.has("variables") {
            true => text::with_variables(&decoded),
            false => Text::literal(&decoded),
        })
    }

    fn texts(&self, at: Position, texts: &[&str]) -> Result<Vec<Text>, CompileError> {
        texts.iter().map(|text| self.text(at, text)).collect()
    }

    /// The match type, the comparator and the keys.
    fn wanted(&mut self, taken: &Taken<'_>, keys: &[&str]) -> Result<Wanted, CompileError> {
        let at = taken.at;
        let relation = |tag| {
            let text = taken.string(tag).unwrap_or_default();
            Relation::parse(text).ok_or_else(|| {
                CompileError::new(
                    at,
                    format!(":{tag} takes \"gt\", \"ge\", \"lt\", \"le\", \"eq\" or \"ne\", not {text:?}"),
                )
            })
        };
        let kind = match taken.one_of(&["is", "contains", "matches", "regex", "value", "count"])? {
            None | Some("is") => MatchType::Is,
            Some("contains") => MatchType::Contains,
            Some("matches") => MatchType::Matches,
            Some("value") => MatchType::Value(relation("value")?),
            Some("count") => MatchType::Count(relation("count")?),
            Some(_) => MatchType::Regex,
        };
        let comparator = match taken.string("comparator") {
            None => Comparator::default(),
            Some(name) => {
                let comparator = Comparator::parse(name).ok_or_else(|| {
                    CompileError::new(at, format!("this server has no comparator {name:?}"))
                })?;
                // RFC 5228 §2.7.3: these two need not be required.
                if !matches!(comparator, Comparator::Octet | Comparator::AsciiCasemap) {
                    self.needs(at, &format!("the comparator {name}"), &[&format!("comparator-{name}")])?;
                }
                comparator
            }
        };
        let parts = matches!(kind, MatchType::Contains | MatchType::Matches | MatchType::Regex);
        if parts && !comparator.has_substrings() {
            return Err(CompileError::new(
                at,
                "i;ascii-numeric compares whole numbers: use it with :is, :value or :count",
            ));
        }
        let keys = self.texts(at, keys)?;
        let mut wanted = Wanted { kind, comparator, keys, regexes: Vec::new() };
        if kind == MatchType::Regex {
            self.regexes += wanted.keys.len();
            if self.regexes > limits::REGEXES {
                return Err(CompileError::new(
                    at,
                    format!("a script has at most {} regular expressions", limits::REGEXES),
                ));
            }
            let constant: Option<Vec<String>> = wanted.keys.iter().map(Text::constant).collect();
            for pattern in constant.iter().flatten() {
                let regex = regex_of(pattern, comparator).map_err(|error| CompileError::new(at, error))?;
                wanted.regexes.push(regex);
            }
        }
        Ok(wanted)
    }

    /// RFC 6609 §3.2.
    fn include(&mut self, command: &Command) -> Result<(), CompileError> {
        const TAGS: &[Tag] = &[
            tag("personal", Takes::Nothing),
            tag("global", Takes::Nothing),
            tag("once", Takes::Nothing),
            tag("optional", Takes::Nothing),
        ];
        self.needs(command.at, "include", &["include"])?;
        let mut taken = self.take(command, &[TAGS])?;
        let location = match taken.one_of(&["personal", "global"])? {
            Some("global") => Location::Global,
            _ => Location::Personal,
        };
        let name = taken.next_string("the script's name")?.to_owned();
        taken.end()?;
        let include = Include { location, name, once: taken.has("once"), optional: taken.has("optional") };
        if self.includes.len() >= limits::INCLUDED_SCRIPTS {
            return Err(CompileError::new(
                command.at,
                format!("a script includes at most {} others", limits::INCLUDED_SCRIPTS),
            ));
        }
        self.includes.push(include.clone());
        self.push(Op::Include(include));
        Ok(())
    }
}

/// Compiles a regular expression within our limits.
pub(crate) fn regex_of(pattern: &str, comparator: Comparator) -> Result<Regex, String> {
    regex::RegexBuilder::new(pattern)
        .case_insensitive(comparator.folds_case())
        .size_limit(limits::REGEX_OCTETS)
        .dfa_size_limit(limits::REGEX_OCTETS)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "this regular expression is too large".to_owned(),
            error => {
                let told = error.to_string();
                let last = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("this is no regular expression: {last}")
            }
        })
}

fn no_arguments(node: &TestNode) -> Result<(), CompileError> {
    match node.arguments.first() {
        Some(argument) => Err(CompileError::new(
            argument.at,
            format!("{} takes tests, not {}", node.name, argument.value.kind()),
        )),
        None => Ok(()),
    }
}
