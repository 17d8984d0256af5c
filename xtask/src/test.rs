//! `cargo x test`: everything that must hold, one part after the other, and a count at the end.
//! A part that fails does not keep the others from running.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::{check, clients, crash, interop, sim, tidy, workspace};

#[derive(clap::Args)]
pub struct Options {
    /// Only the crates' own tests and the tidy checks: no clients, no crash test, no simulation
    #[arg(long)]
    quick: bool,
}

/// How many checks held and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Reads `N passed, M failed` at the end of a line, as our runners close.
    pub fn parse_closing(line: &str) -> Option<Tally> {
        let (before, rest) = line.trim().split_once(" passed, ")?;
        let passed = before.rsplit(' ').next()?.parse().ok()?;
        let failed = rest.strip_suffix(" failed")?.parse().ok()?;
        Some(Tally { passed, failed })
    }

    /// Reads cargo's `test result: ok. N passed; M failed; …`.
    fn parse_cargo(line: &str) -> Option<Tally> {
        let rest = line.trim().strip_prefix("test result: ")?;
        let (_, counts) = rest.split_once(". ")?;
        let mut tally = Tally::default();
        for part in counts.split("; ") {
            match part.split_once(' ') {
                Some((number, "passed")) => tally.passed = number.parse().ok()?,
                Some((number, "failed")) => tally.failed = number.parse().ok()?,
                _ => {}
            }
        }
        Some(tally)
    }
}

pub fn run(options: &Options) -> Result<()> {
    let mut total = Tally::default();
    let mut table: Vec<String> = Vec::new();
    let mut part = |name: &str, what: &mut dyn FnMut() -> Result<Tally>| {
        println!("\n── {name}");
        let begun = Instant::now();
        let tally = what().unwrap_or_else(|error| {
            println!("{name}: {error:#}");
            Tally { passed: 0, failed: 1 }
        });
        total.add(tally);
        let line = format!(
            "{name:<24} {:>6} passed {:>4} failed {:>7.1} s",
            tally.passed,
            tally.failed,
            begun.elapsed().as_secs_f64()
        );
        println!("{line}");
        table.push(line);
    };

    if !options.quick {
        part("clients", &mut || clients::ensure(false).map(|()| Tally { passed: 1, failed: 0 }));
    }
    part("the crates' own tests", &mut cargo_test);
    part("tidy", &mut tidy_tally);
    if !options.quick {
        part("real clients", &mut interop::play_all);
        part("crash, short form", &mut crash::short);
        part("random IMAP clients", &mut check::short);
        if sim::exists() {
            part("simulation, 500 seeds", &mut sim_tally);
        }
    }

    println!("\n── summary");
    for line in &table {
        println!("{line}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed > 0 {
        bail!("{} checks failed", total.failed);
    }
    Ok(())
}

fn cargo_test() -> Result<Tally> {
    let mut test = workspace::cargo();
    test.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
    let said = echo(&mut test)?;
    let mut tally = Tally::default();
    for found in said.lines.iter().filter_map(|line| Tally::parse_cargo(line)) {
        tally.add(found);
    }
    if !said.status.success() && tally.failed == 0 {
        tally.failed = 1; // it did not build, or a test program died
    }
    Ok(tally)
}

fn tidy_tally() -> Result<Tally> {
    let findings = tidy::check()?;
    let failed = tidy::report(&findings);
    Ok(Tally { passed: (findings.len() - failed) as u64, failed: failed as u64 })
}

fn sim_tally() -> Result<Tally> {
    let seeds = 500;
    let mut run = workspace::cargo();
    run.args(["run", "--locked", "--quiet", "--package", "yubin-sim", "--", "--seeds", "500"]);
    let said = echo(&mut run)?;
    if let Some(tally) = said.lines.iter().rev().find_map(|line| Tally::parse_closing(line)) {
        return Ok(tally);
    }
    Ok(if said.status.success() {
        Tally { passed: seeds, failed: 0 }
    } else {
        Tally { passed: 0, failed: 1 }
    })
}

/// What a command said and how it ended.
pub struct Said {
    pub lines: Vec<String>,
    pub status: ExitStatus,
}

/// Runs a command, passing its standard output on and keeping it.
pub fn echo(command: &mut Command) -> Result<Said> {
    let shown = workspace::shown(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("start {shown}"))?;
    let stdout = child.stdout.take().context("no standard output")?;
    let mut lines = Vec::new();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        lines.push(line);
    }
    Ok(Said { lines, status: child.wait()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let tally = |passed, failed| Some(Tally { passed, failed });
        assert_eq!(Tally::parse_closing("interop: 12 passed, 3 failed"), tally(12, 3));
        assert_eq!(Tally::parse_closing("12 passed, 0 failed"), tally(12, 0));
        assert_eq!(Tally::parse_closing("12 passed"), None);
        let line = "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(Tally::parse_cargo(line), tally(5, 2));
        assert_eq!(Tally::parse_cargo("running 3 tests"), None);
    }
}
