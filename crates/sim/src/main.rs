//! `sim --seed N` runs one seed and tells every step; `sim --seeds N` or `--seeds A..B` runs many. Exits with 1 at the first that fails.

use std::{ops::Range, process::ExitCode};

use yubin_sim::{Options, run};

const USAGE: &str = "usage: sim --seed N | --seeds N | --seeds A..B   [--rounds N]";

fn main() -> ExitCode {
    #[allow(clippy::disallowed_methods)] // a tool with a command line of its own
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((seeds, one, options)) = parse(&words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let (mut commands, mut restarts) = (0_u64, 0_u64);
    let count = seeds.end.saturating_sub(seeds.start);
    for seed in seeds {
        match run(seed, &options) {
            Ok(report) => {
                if one {
                    report.trace.iter().for_each(|step| println!("{step}"));
                }
                commands += u64::from(report.commands);
                restarts += u64::from(report.restarts);
            }
            Err(failure) => {
                if one {
                    let skipped = failure.trace.len().saturating_sub(40);
                    failure.trace.iter().take(skipped).for_each(|step| println!("{step}"));
                }
                println!("{failure}");
                println!("again: cargo x sim --seed {seed}");
                return ExitCode::from(1);
            }
        }
    }
    println!("{count} seeds, {commands} commands, {restarts} restarts: nothing lost, nothing invented");
    ExitCode::SUCCESS
}

fn parse(words: &[String]) -> Option<(Range<u64>, bool, Options)> {
    let mut options = Options::default();
    let mut seeds = None;
    let mut one = false;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word.as_str() {
            "--seed" => {
                let seed: u64 = value.parse().ok()?;
                seeds = Some(seed..seed.checked_add(1)?);
                one = true;
            }
            "--seeds" => {
                seeds = Some(match value.split_once("..") {
                    Some((from, to)) => from.parse().ok()?..to.parse().ok()?,
                    None => 0..value.parse().ok()?,
                });
            }
            "--rounds" => options.rounds = value.parse().ok()?,
            _ => return None,
        }
    }
    Some((seeds?, one, options))
}
