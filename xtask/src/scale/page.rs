//! `docs/growth.md` and the plot beside it.

use anyhow::Result;

use super::Line;
use super::growth::Point;
use super::plot;
use crate::workspace::root;

pub fn write(points: &[Point], lines: &[Line], quiet: &str) -> Result<()> {
    let docs = root().join("docs");
    std::fs::write(docs.join("growth.svg"), plot::svg(points))?;
    std::fs::write(docs.join("growth.md"), text(points, lines, quiet))?;
    Ok(())
}

fn text(points: &[Point], lines: &[Line], quiet: &str) -> String {
    let mut sizes: Vec<u32> = points.iter().map(|point| point.messages).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut operations: Vec<&str> = Vec::new();
    for point in points {
        if !operations.contains(&point.operation) {
            operations.push(point.operation);
        }
    }
    let mut text = String::from(
        "# How cost grows\n\nWritten by `cargo x scale`, on the real binary, every answer checked. Milliseconds as a client sees them, medians of nine \
         tries (what answers with all messages, and the first SELECT after a start, once). A command should cost the same whatever the size of the \
         mailbox, or grow with its answer.\n\n![milliseconds against messages](growth.svg)\n\n| |",
    );
    for size in &sizes {
        text.push_str(&format!(" {size} messages |"));
    }
    text.push_str(&format!("\n|---|{}\n", "---:|".repeat(sizes.len())));
    for operation in operations {
        text.push_str(&format!("| {operation} |"));
        for size in &sizes {
            let point = points.iter().find(|point| point.operation == operation && point.messages == *size);
            text.push_str(&point.map_or(" |".to_owned(), |point| format!(" {:.2} ms |", point.ms)));
        }
        text.push('\n');
    }
    text.push_str(&format!("\nBefore the run, {quiet}.\n"));
    text.push_str("\n## At full size\n\n| | |\n|---|---|\n");
    for line in lines {
        let mark = if line.missed { " **(short of the goal)**" } else { "" };
        text.push_str(&format!("| {} | {}{mark} |\n", line.what, line.value));
    }
    text
}
