//! `cargo x fuzz TARGET`: builds one fuzz target with the compiler's coverage counters and runs it.
//! Needs no nightly toolchain.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::workspace::{cargo, root, run as run_command, which};

#[derive(clap::Args)]
pub struct Options {
    /// One of fuzz/fuzz_targets
    target: Option<String>,
    /// How long
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many processes at once
    #[arg(long, default_value_t = 1)]
    jobs: u32,
    /// Runs one saved input instead
    #[arg(long)]
    input: Option<std::path::PathBuf>,
    /// The longest input tried
    #[arg(long, default_value_t = 65_536)]
    octets_max: u64,
}

/// What `-Zsanitizer=fuzzer` of other compilers stands for: counters, comparisons and a table of places.
const COVERAGE: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

pub fn run(options: &Options) -> Result<()> {
    let targets = targets()?;
    let Some(target) = &options.target else {
        println!("{}", targets.join("\n"));
        return Ok(());
    };
    if !targets.contains(target) {
        bail!("no target {target}; there are: {}", targets.join(", "));
    }
    let binary = build(target)?;
    let corpus = made(&format!("fuzz/corpus/{target}"))?;
    let artifacts = made(&format!("fuzz/artifacts/{target}"))?;
    let mut fuzzer = Command::new(binary);
    fuzzer.current_dir(root());
    if let Some(input) = &options.input {
        fuzzer.arg(std::path::absolute(input)?);
        return run_command(&mut fuzzer);
    }
    sow(target, &corpus)?;
    fuzzer
        .arg(corpus)
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-max_total_time={}", options.seconds))
        .arg(format!("-max_len={}", options.octets_max))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    let dictionary = root().join("fuzz/seeds").join(format!("{target}.dict"));
    if dictionary.exists() {
        fuzzer.arg(format!("-dict={}", dictionary.display()));
    }
    if options.jobs > 1 {
        fuzzer.arg(format!("-fork={}", options.jobs));
    }
    run_command(&mut fuzzer).with_context(|| format!("an input that fails lies in {}", artifacts.display()))
}

/// Puts into `corpus` what the fuzzer starts from: the files of `fuzz/seeds`, and what the clients say in the transcripts of the protocol's
/// crate, each begun with two octets for the choices that a target takes from its input.
fn sow(target: &str, corpus: &Path) -> Result<()> {
    for seed in crate::workspace::files_below(&root().join("fuzz/seeds").join(target), "")? {
        let name = seed.file_name().context("a seed has a name")?;
        std::fs::copy(&seed, corpus.join(name))?;
    }
    let transcripts = root().join("crates").join(target).join("tests/transcripts");
    for (number, path) in crate::workspace::files_below(&transcripts, ".txt")?.iter().enumerate() {
        let mut said = b"\x07\x02".to_vec();
        for line in std::fs::read_to_string(path)?.lines() {
            let client = line.trim_start_matches(|c: char| c.is_ascii_digit());
            if let Some(text) = client.strip_prefix("C: ") {
                said.extend_from_slice(text.as_bytes());
                said.extend_from_slice(b"\r\n");
            }
        }
        std::fs::write(corpus.join(format!("transcript-{number}")), said)?;
    }
    Ok(())
}

/// The targets that `fuzz/fuzz_targets` holds.
pub fn targets() -> Result<Vec<String>> {
    let files = crate::workspace::files_below(&root().join("fuzz/fuzz_targets"), ".rs")?;
    Ok(files.iter().filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect())
}

fn build(target: &str) -> Result<std::path::PathBuf> {
    if which("c++").is_none() && which("g++").is_none() {
        bail!("the fuzzing engine is C++; as root:\n    apt-get install g++");
    }
    let triple = host()?;
    let folder = crate::workspace::target().join("fuzz");
    let mut build = cargo();
    build
        .args(["build", "--locked", "--release", "--manifest-path", "fuzz/Cargo.toml", "--bin", target])
        .args(["--target", &triple, "--target-dir"])
        .arg(&folder)
        .env("RUSTC_BOOTSTRAP", "1") // the pass is there in every compiler, but may only be named so
        .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}"));
    run_command(&mut build)?;
    Ok(folder.join(triple).join("release").join(target))
}

/// The triple we run on. Named in the build, so that build scripts are not instrumented.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV tells no host")?.to_owned())
}

fn made(path: &str) -> Result<std::path::PathBuf> {
    let dir = root().join(Path::new(path));
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}
