//! The source files: each says what it is, handlers cite their RFC, nothing is left for later.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::Finding;
use crate::workspace::{files_below, relative, root};

/// Beyond this a file is worth splitting.
const LINES_MAX: usize = 800;

pub fn check() -> Result<Vec<Finding>> {
    let mut sources = Vec::new();
    for dir in ["crates", "xtask", "fuzz", "tests"] {
        for path in files_below(&root().join(dir), ".rs")? {
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            sources.push(Source { path: relative(&path), text });
        }
    }
    Ok(vec![heads(&sources), handlers(&sources), finished(&sources)?, sizes(&sources)])
}

struct Source {
    path: String,
    text: String,
}

/// Every module opens with what it is.
fn heads(sources: &[Source]) -> Finding {
    let mut finding = Finding::new("every module opens with //!");
    for source in sources {
        if !source.text.trim_start_matches('\u{feff}').starts_with("//!") {
            finding.wrong.push(source.path.clone());
        }
    }
    finding
}

/// Every command handler names the rule it follows.
fn handlers(sources: &[Source]) -> Finding {
    let mut finding = Finding::new("every command handler cites its RFC");
    for source in sources.iter().filter(|source| is_handler(&source.path)) {
        if !cites_rfc(&source.text) {
            finding.wrong.push(source.path.clone());
        }
    }
    finding
}

fn is_handler(path: &str) -> bool {
    let path = Path::new(path);
    let in_command = path.parent().and_then(Path::file_name).is_some_and(|name| name == "command");
    in_command && path.starts_with("crates") && path.file_name().is_some_and(|name| name != "mod.rs")
}

fn cites_rfc(text: &str) -> bool {
    text.match_indices("RFC ").any(|(at, found)| {
        text.get(at + found.len()..)
            .and_then(|rest| rest.chars().next())
            .is_some_and(|next| next.is_ascii_digit())
    })
}

/// Nothing is left for later, and no test is switched off.
fn finished(sources: &[Source]) -> Result<Finding> {
    let mut finding = Finding::new("nothing is left for later");
    // Written in two halves, or this file would find itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("#[ign", "ore"),
        concat!("unimplem", "ented!"),
    ];
    let mut look = |path: &str, text: &str| {
        for (number, line) in text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                finding.wrong.push(format!("{path}:{}: {mark}", number + 1));
            }
        }
    };
    for source in sources {
        look(&source.path, &source.text);
    }
    for path in files_below(&root().join("tests"), ".py")? {
        look(&relative(&path), &std::fs::read_to_string(&path)?);
    }
    Ok(finding)
}

/// Long files are told, not refused.
fn sizes(sources: &[Source]) -> Finding {
    let mut finding = Finding::new("file sizes");
    for source in sources {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            finding.notes.push(format!("{} has {lines} lines", source.path));
        }
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_files_in_a_command_folder() {
        for (path, expected) in [
            ("crates/imap/src/command/expunge.rs", true),
            ("crates/imap/src/command/mod.rs", false),
            ("crates/imap/src/codec/command.rs", false),
            ("crates/smtp/src/server/command/mail.rs", true),
            ("xtask/src/command/x.rs", false),
        ] {
            assert_eq!(is_handler(path), expected, "{path}");
        }
    }

    #[test]
    fn a_citation_has_a_number() {
        assert!(cites_rfc("// RFC 9051 §6.4.3"));
        assert!(!cites_rfc("// RFC compliance"));
        assert!(!cites_rfc("no"));
    }
}
