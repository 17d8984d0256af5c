//! What a tree of processes has used: time on the processor and memory, read from `/proc`.
//! Never touches a process that we did not start.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

/// What some processes and all their descendants have used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Seconds on the processor, those of children that ended included.
    pub cpu_s: f64,
    /// Resident memory, each shared page counted in parts.
    pub own_octets: u64,
    /// How many processes.
    pub processes: usize,
}

/// Looks at the processes `roots` and all their descendants. `memory` costs the kernel more to tell.
pub fn usage(roots: &[u32], memory: bool) -> Usage {
    let all = every_process();
    let mut wanted: BTreeSet<u32> = roots.iter().copied().collect();
    loop {
        let before = wanted.len();
        for (pid, process) in &all {
            if wanted.contains(&process.parent) {
                wanted.insert(*pid);
            }
        }
        if wanted.len() == before {
            break;
        }
    }
    let mut usage = Usage::default();
    for (pid, process) in wanted.iter().filter_map(|pid| all.get(pid).map(|process| (pid, process))) {
        usage.processes += 1;
        usage.cpu_s += process.cpu_ticks as f64 / ticks_per_second();
        if memory {
            usage.own_octets += own_octets(*pid).unwrap_or(0);
        }
    }
    usage
}

/// The same, once two looks in a row see the same processes and no more work done.
pub fn settled(roots: &[u32]) -> Usage {
    let mut before = usage(roots, false);
    for _ in 0..10 {
        std::thread::sleep(std::time::Duration::from_millis(120));
        let now = usage(roots, false);
        if now.processes == before.processes && now.cpu_s - before.cpu_s < 0.015 {
            return now;
        }
        before = now;
    }
    before
}

/// Asks one process of ours to end.
pub fn terminate(pid: u32) -> Result<()> {
    signal(pid, rustix::process::Signal::TERM)
}

fn signal(pid: u32, signal: rustix::process::Signal) -> Result<()> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid)?).context("process id 0")?;
    rustix::process::kill_process(pid, signal).with_context(|| format!("signal process {pid:?}"))
}

struct Process {
    parent: u32,
    cpu_ticks: u64,
}

fn every_process() -> BTreeMap<u32, Process> {
    let mut all = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir("/proc") else { return all };
    for entry in entries.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(text) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(process) = parse_stat(&text) {
            all.insert(pid, process);
        }
    }
    all
}

/// `proc_pid_stat(5)`: the name stands in parentheses and may hold anything, so we count from its end.
fn parse_stat(text: &str) -> Option<Process> {
    let fields: Vec<&str> = text.get(text.rfind(')')? + 2..)?.split(' ').collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.trim().parse::<u64>().ok());
    let cpu_ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Process { parent: u32::try_from(number(1)?).ok()?, cpu_ticks })
}

/// Memory that a process made for itself. The pages of files, mapped or not, belong to the system, which takes them back
/// when it needs them: a server that maps its files must not look larger than one that reads them.
fn own_octets(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let octets = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    };
    Some(octets("Pss_Anon:")? + octets("Pss_Shmem:")?)
}

fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}
