//! One measurement: how much in which time, at what cost.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::process::{settled, usage};

/// What is measured: a running server, ours or another.
#[derive(Clone, Debug)]
pub struct Subject {
    pub name: &'static str,
    pub smtp: u16,
    pub imap: u16,
    pub pop3: u16,
    /// IMAP under TLS, and the certificate.
    pub imaps: Option<(u16, PathBuf)>,
    /// Its first processes; their descendants count as well.
    pub pids: Vec<u32>,
    /// Where it keeps mail.
    pub data: Vec<PathBuf>,
}

/// One run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// Operations a second.
    pub rate: f64,
    /// Microseconds on the processor, for one operation.
    pub cpu_us: f64,
    /// The most memory while it ran, in octets.
    pub peak_octets: f64,
}

/// One line of the table.
pub struct Row {
    pub name: String,
    /// What we want, as a ratio of the rates and of the costs.
    pub goal: Goal,
    /// For each subject, its runs.
    pub runs: Vec<(&'static str, Vec<Run>)>,
    /// One number for each subject, in place of runs.
    pub figure: Option<Figure>,
}

impl Row {
    pub fn figure(name: &str, figure: Figure) -> Row {
        Row { name: name.to_owned(), goal: Goal::default(), runs: Vec::new(), figure: Some(figure) }
    }
}

/// A number that is no rate: the less, the better, unless it has no unit.
pub struct Figure {
    pub unit: &'static str,
    /// What ours should not exceed.
    pub most: Option<f64>,
    pub values: Vec<(&'static str, f64)>,
}

/// What the ratios should be at least (rate) and at most (cost, memory).
#[derive(Clone, Copy, Debug, Default)]
pub struct Goal {
    pub rate: Option<f64>,
    pub cpu: Option<f64>,
    pub memory: Option<f64>,
}

/// Does `work`, which tells how many operations it did and in how many seconds, and accounts for it.
pub fn account_for(subject: &Subject, work: impl FnOnce() -> Result<(f64, f64)>) -> Result<Run> {
    let before = settled(&subject.pids);
    let (stop, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // Shared pages counted in parts: many small processes must not look larger than they are.
                peak.fetch_max(usage(&subject.pids, true).own_octets, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(250));
            }
        });
        let done = work();
        stop.store(true, Ordering::Relaxed);
        done
    });
    let (operations, seconds) = done?;
    let after = settled(&subject.pids);
    Ok(Run {
        rate: operations / seconds.max(1e-9),
        cpu_us: (after.cpu_s - before.cpu_s).max(0.0) * 1e6 / operations.max(1.0),
        peak_octets: peak.load(Ordering::Relaxed) as f64,
    })
}

/// Runs `work` on each subject in turn, so often: side by side, so that what disturbs one disturbs the other.
pub fn side_by_side(
    subjects: &[Subject],
    runs: usize,
    name: &str,
    unit: &'static str,
    goal: Goal,
    mut work: impl FnMut(&Subject) -> Result<Run>,
) -> Result<Row> {
    let mut row = Row {
        name: name.to_owned(),
        goal,
        runs: subjects.iter().map(|subject| (subject.name, Vec::new())).collect(),
        figure: None,
    };
    for _ in 0..runs {
        for (subject, (_, list)) in subjects.iter().zip(&mut row.runs) {
            let begun = Instant::now();
            let run = work(subject).map_err(|error| error.context(format!("{name} on {}", subject.name)))?;
            println!(
                "bench: {name:<44} {:<16} {:>10.0} {unit}/s {:>8.1} µs CPU  ({:.1} s)",
                subject.name,
                run.rate,
                run.cpu_us,
                begun.elapsed().as_secs_f64()
            );
            list.push(run);
        }
    }
    Ok(row)
}

/// Runs `work` in so many threads, and gives the first error.
pub fn in_parallel(threads: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn({
                    let work = &work;
                    move || work(number)
                })
            })
            .collect();
        started.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a client thread panicked")))
        })
    })
}

/// The one in the middle.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
