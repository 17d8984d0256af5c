//! `cargo x tidy`: checks that the source keeps its shape. Builds the server, since the reference
//! pages come from it, and changes nothing.

mod documents;
mod layers;
mod sources;

use anyhow::{Result, bail};

/// What one check found.
pub struct Finding {
    pub check: &'static str,
    /// What is wrong and where, one line each. Empty: all well.
    pub wrong: Vec<String>,
    /// What does not fail but should be seen.
    pub notes: Vec<String>,
}

impl Finding {
    fn new(check: &'static str) -> Finding {
        Finding { check, wrong: Vec::new(), notes: Vec::new() }
    }
}

pub fn run() -> Result<()> {
    let findings = check()?;
    let failed = report(&findings);
    if failed > 0 {
        bail!("{failed} of {} tidy checks failed", findings.len());
    }
    Ok(())
}

/// Every check, in order.
pub fn check() -> Result<Vec<Finding>> {
    let mut findings = layers::check()?;
    findings.extend(sources::check()?);
    findings.extend(documents::check()?);
    Ok(findings)
}

/// Prints the findings; the number of checks that failed.
pub fn report(findings: &[Finding]) -> usize {
    for finding in findings {
        for note in &finding.notes {
            println!("tidy: note: {note}");
        }
        for wrong in &finding.wrong {
            println!("tidy: {}: {wrong}", finding.check);
        }
        println!("tidy: {}: {}", finding.check, if finding.wrong.is_empty() { "ok" } else { "FAILED" });
    }
    findings.iter().filter(|finding| !finding.wrong.is_empty()).count()
}
