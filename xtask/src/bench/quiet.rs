//! Whether the machine is quiet: on one that is not, wall-clock times of durable work say nothing about the software.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

pub struct Quiet {
    pub words: String,
    pub quiet: bool,
}

/// Flushes a second of a lone writer, at normal and at real-time priority. When the second is much faster, others
/// compete for the processor; the load of the last minute says the same in another way.
pub fn judge(dir: &Path) -> Result<Quiet> {
    let normal = flushes_per_second(dir)?;
    let real_time = at_real_time_priority(dir);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let disturbed = real_time.is_some_and(|fast| normal < 0.8 * fast);
    let busy = load > 0.5 * cores as f64;
    let shown = real_time.map_or("not measured (no chrt)".to_owned(), |rate| format!("{rate:.0}/s"));
    Ok(Quiet {
        words: format!(
            "{}: {normal:.0} flushes/s at normal priority, {shown} at real-time priority, load {load:.2} on {cores} cores",
            if disturbed || busy { "the machine is NOT quiet" } else { "the machine is quiet" }
        ),
        quiet: !disturbed && !busy,
    })
}

/// Appends 4 KiB and flushes, for a second.
pub fn flushes_per_second(dir: &Path) -> Result<f64> {
    let path = dir.join("flush-probe");
    let mut file = std::fs::File::create(&path).with_context(|| path.display().to_string())?;
    let block = [0x59; 4096];
    let begun = Instant::now();
    let mut count = 0_u32;
    while begun.elapsed() < Duration::from_secs(1) {
        file.write_all(&block)?;
        file.sync_data()?;
        count += 1;
    }
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(rate)
}

fn at_real_time_priority(dir: &Path) -> Option<f64> {
    let ourselves = std::env::current_exe().ok()?;
    let mut probe = Command::new("chrt");
    probe.args(["-f", "1"]).arg(ourselves).args(["bench", "--probe"]).arg(dir);
    let output = probe.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
