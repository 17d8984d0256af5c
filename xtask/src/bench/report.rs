//! The table, and `docs/benchmarks.md`.

use std::process::Command;

use anyhow::Result;

use super::Options;
use super::measure::{Figure, Row, Run, median};
use super::quiet::Quiet;
use crate::workspace::root;

/// The rows as Markdown, with ratios of ours to theirs.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| | Yubin | Postfix + Dovecot | ratio | goal | CPU Yubin | CPU theirs | ratio | memory Yubin | memory theirs | ratio |\n\
         |---|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        if let Some(figure) = &row.figure {
            let mut each = figure.values.iter().map(|(_, value)| *value);
            let (ours, theirs) = (each.next().unwrap_or(0.0), each.next());
            let shown = |value: f64| format!("{} {}", round(value), figure.unit).trim_end().to_owned();
            text.push_str(&format!(
                "| {} | {} | {} | {} | {} | | | | | | |\n",
                row.name,
                shown(ours),
                theirs.map_or(String::new(), shown),
                theirs.map_or(String::new(), |theirs| ratio(ours, theirs)),
                figure.most.map_or(String::new(), |most| format!("≤ {}", shown(most))),
            ));
            continue;
        }
        let middle =
            |at: usize, of: fn(&Run) -> f64| row.runs.get(at).map(|(_, runs)| median(runs.iter().map(of)));
        let mut cells = vec![row.name.clone()];
        for (of, shown) in [
            (
                (|run| run.rate) as fn(&Run) -> f64,
                (|value| format!("{}/s", round(value))) as fn(f64) -> String,
            ),
            (|run| run.cpu_us, |value| format!("{value:.1} µs")),
            (|run| run.peak_octets, |value| format!("{:.0} MB", value / 1e6)),
        ] {
            let (ours, theirs) = (middle(0, of), middle(1, of));
            cells.push(ours.map_or(String::new(), shown));
            cells.push(theirs.map_or(String::new(), shown));
            cells.push(ours.zip(theirs).map_or(String::new(), |(ours, theirs)| ratio(ours, theirs)));
            if cells.len() == 4 {
                cells.push(goal(row));
            }
        }
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// Small numbers with what stands after the point.
fn round(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

fn ratio(ours: f64, theirs: f64) -> String {
    if theirs <= 0.0 {
        return "–".into();
    }
    let ratio = ours / theirs;
    if ratio >= 1.0 { format!("{ratio:.1}×") } else { format!("{ratio:.2}×") }
}

fn goal(row: &Row) -> String {
    let mut words = Vec::new();
    let parts = [(row.goal.rate, "rate ≥"), (row.goal.cpu, "CPU ≤"), (row.goal.memory, "memory ≤")];
    for (value, name) in parts {
        if let Some(value) = value {
            words.push(format!("{name} {value}×"));
        }
    }
    words.join(", ")
}

/// Where a row does not reach its goal, and by how much.
fn short_of(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        if let Some(Figure { unit, most: Some(most), values }) = &row.figure
            && let Some((_, ours)) = values.first().filter(|(_, ours)| ours > most)
        {
            lines.push(format!("- {}: {} {unit}, wanted {} {unit}", row.name, round(*ours), round(*most)));
        }
        let [(_, ours), (_, theirs)] = row.runs.as_slice() else { continue };
        let against =
            |of: fn(&Run) -> f64| median(ours.iter().map(of)) / median(theirs.iter().map(of)).max(1e-9);
        let (rate, cpu, memory) =
            (against(|run| run.rate), against(|run| run.cpu_us), against(|run| run.peak_octets));
        if let Some(goal) = row.goal.rate.filter(|goal| rate < *goal) {
            lines.push(format!("- {}: {rate:.2}× the rate, wanted {goal}×", row.name));
        }
        if let Some(goal) = row.goal.cpu.filter(|goal| cpu > *goal) {
            lines.push(format!("- {}: {cpu:.2}× the CPU, wanted {goal}×", row.name));
        }
        if let Some(goal) = row.goal.memory.filter(|goal| memory > *goal) {
            lines.push(format!("- {}: {memory:.2}× the memory, wanted {goal}×", row.name));
        }
    }
    lines
}

pub fn page(rows: &[Row], quiet: &Quiet, options: &Options) -> Result<String> {
    let mut text = format!(
        "# Benchmarks\n\nWritten by `cargo x bench`, which measures our server and Postfix with Dovecot from Debian in one run, \
         on the same generated mail, in turns, and checks every answer. Medians of {} runs. Delivery is measured until the last \
         message is seen in its mailbox over IMAP; every server flushes to disk before it acknowledges. CPU is the time that \
         all processes of a server spent on the processor, for one message. Memory is the most that they made \
         for themselves; pages of files, mapped or read, are the system's and do not count. Mailboxes of {} and {} messages of 1 to 12 KiB are read.\n\n",
        options.runs, options.mailbox, options.huge
    );
    for (name, value) in machine() {
        text.push_str(&format!("- {name}: {value}\n"));
    }
    text.push_str(&format!("- Before the run, {}.\n", quiet.words));
    if !quiet.quiet {
        text.push_str(
            "- So read the ratios and the CPU columns; the rates are those of a disturbed machine.\n",
        );
    }
    text.push_str(&format!("\n{}", table(rows)));
    let short = short_of(rows);
    if short.is_empty() {
        text.push_str("\nEvery goal is reached.\n");
    } else {
        text.push_str(&format!("\n## Short of the goal\n\n{}\n", short.join("\n")));
    }
    Ok(text)
}

/// What it ran on, in the words of the machine.
fn machine() -> Vec<(&'static str, String)> {
    let ask = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).current_dir(root()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory_kib: f64 =
        field(&file("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0.0);
    let system = file("/etc/os-release");
    let system = system
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .unwrap_or_default()
        .trim_matches('"');
    vec![
        ("Date", ask("date", &["-u", "+%Y-%m-%d"])),
        (
            "Machine",
            format!(
                "{cores} cores of {}, {:.0} GB",
                field(&file("/proc/cpuinfo"), "model name"),
                memory_kib / 1e6
            ),
        ),
        ("System", format!("{system}, Linux {}", ask("uname", &["-r"]))),
        (
            "Yubin",
            format!("{} at {}", env!("CARGO_PKG_VERSION"), ask("git", &["rev-parse", "--short", "HEAD"])),
        ),
        ("Postfix", ask("/usr/sbin/postconf", &["-d", "-h", "mail_version"])),
        ("Dovecot", ask("/usr/sbin/dovecot", &["--version"])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::measure::Goal;

    #[test]
    fn goals_that_are_missed_are_told() {
        let run = |rate, cpu_us| Run { rate, cpu_us, peak_octets: 1e6 };
        let row = |ours, theirs| Row {
            name: "row".into(),
            goal: Goal { rate: Some(2.0), cpu: Some(0.5), memory: None },
            runs: vec![("a", vec![ours]), ("b", vec![theirs])],
            figure: None,
        };
        assert_eq!(short_of(&[row(run(300.0, 1.0), run(100.0, 4.0))]).len(), 0);
        assert_eq!(short_of(&[row(run(150.0, 3.0), run(100.0, 4.0))]).len(), 2);
        let figure =
            |ours| Row::figure("memory", Figure { unit: "KiB", most: Some(20.0), values: vec![("a", ours)] });
        assert_eq!(short_of(&[figure(19.0)]).len(), 0);
        assert_eq!(short_of(&[figure(21.0)]).len(), 1);
        assert!(table(&[row(run(300.0, 1.0), run(100.0, 4.0))]).contains("3.0×"));
    }
}
