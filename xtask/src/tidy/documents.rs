//! The pages: every path they name exists, and the generated ones are fresh.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Finding;
use crate::workspace::{files_below, relative, root};

/// Pages that a project must have.
const PAGES: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "docs/glossary.md",
    "docs/rfc.md",
];

pub fn check() -> Result<Vec<Finding>> {
    Ok(vec![present(), paths_exist()?, capabilities_proved()?, generated_fresh()?])
}

fn present() -> Finding {
    let mut finding = Finding::new("the pages are there");
    finding
        .wrong
        .extend(PAGES.iter().filter(|page| !root().join(page).exists()).map(|page| page.to_string()));
    finding
}

/// Every capability that IMAP advertises has a row in `docs/rfc.md`, and a transcript or a test cites an RFC of that row.
fn capabilities_proved() -> Result<Finding> {
    let mut finding = Finding::new("every advertised capability is described and proved");
    let source = std::fs::read_to_string(root().join("crates/imap/src/command/capability.rs"))?;
    let advertised = source
        .split_once("const AFTER_LOGIN: &str = \"")
        .and_then(|(_, rest)| rest.split_once("\";"))
        .map(|(list, _)| list.replace('\\', " "))
        .context("capability.rs has no list AFTER_LOGIN")?;
    let page = std::fs::read_to_string(root().join("docs/rfc.md"))?;
    let rows = rows_of(&page);
    let mut proofs = String::new();
    for ending in [".txt", ".rs"] {
        for path in files_below(&root().join("crates/imap/tests"), ending)? {
            proofs.push_str(&std::fs::read_to_string(path)?);
        }
    }
    for capability in advertised.split_whitespace() {
        match rows.iter().find(|(_, names)| names.contains(&capability)) {
            None => finding.wrong.push(format!("{capability} has no row in docs/rfc.md")),
            Some((numbers, _)) if !numbers.iter().any(|number| proofs.contains(&format!("RFC {number}"))) => {
                finding.wrong.push(format!(
                    "no transcript or test cites RFC {}, for {capability}",
                    numbers.join(" or ")
                ));
            }
            Some(_) => {}
        }
    }
    Ok(finding)
}

/// The rows of a page's tables: the numbers of the first column, and the words of the second.
fn rows_of(page: &str) -> Vec<(Vec<&str>, Vec<&str>)> {
    page.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|');
            let numbers = cells.next()?.split([',', ' ']).filter(|word| !word.is_empty()).collect();
            let names = cells
                .next()?
                .split([',', ' ', ';', ':', '(', ')'])
                .map(|word| word.trim_end_matches('.'))
                .filter(|word| !word.is_empty())
                .collect();
            Some((numbers, names))
        })
        .collect()
}

fn generated_fresh() -> Result<Finding> {
    let mut finding = Finding::new("generated pages are fresh");
    let pages = match crate::reference::pages() {
        Ok(pages) => pages,
        Err(error) => {
            finding.wrong.push(format!("the server does not print them: {error:#}"));
            return Ok(finding);
        }
    };
    for page in pages {
        let stands = std::fs::read_to_string(root().join(page.path)).unwrap_or_default();
        if stands != page.text {
            finding.wrong.push(format!("{} is stale; `cargo x bless --pages` writes it", page.path));
        }
    }
    Ok(finding)
}

fn paths_exist() -> Result<Finding> {
    let mut finding = Finding::new("every path a page names exists");
    let mut pages: Vec<PathBuf> = PAGES.iter().map(|page| root().join(page)).collect();
    pages.extend(files_below(&root().join("docs"), ".md")?);
    pages.retain(|page| page.extension().is_some_and(|ending| ending == "md") && page.exists());
    pages.sort();
    pages.dedup();
    for page in pages {
        let text = std::fs::read_to_string(&page).with_context(|| page.display().to_string())?;
        let folder = page.parent().map(Path::to_path_buf).unwrap_or_default();
        for (number, line) in prose(&text) {
            for link in links(line).filter(|link| !exists_beside(&folder, link)) {
                finding.wrong.push(format!("{}:{number}: link to {link}", relative(&page)));
            }
            for named in code_spans(line).flat_map(expand_braces) {
                if let Some(place) = place_of(&named)
                    && !place.exists()
                {
                    finding.wrong.push(format!("{}:{number}: `{named}`", relative(&page)));
                }
            }
        }
    }
    Ok(finding)
}

/// Lines outside fenced blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((at + 1, line))
    })
}

/// Targets of `[text](target)` that are files of ours.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        (!target.is_empty() && !target.contains(':')).then_some(target)
    })
}

fn exists_beside(folder: &Path, link: &str) -> bool {
    folder.join(link).exists()
}

/// What stands between backticks.
fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// `a/{b,c}.rs` is two paths.
fn expand_braces(text: &str) -> Vec<String> {
    let parts = text.split_once('{').and_then(|(head, rest)| {
        let (middle, tail) = rest.split_once('}')?;
        Some((head, middle, tail))
    });
    match parts {
        Some((head, middle, tail)) => middle
            .split(',')
            .flat_map(|word| expand_braces(&format!("{head}{}{tail}", word.trim())))
            .collect(),
        None => vec![text.to_owned()],
    }
}

/// Where a path of the pages lies, when it is one of ours: `crates/imap/src/lib.rs` from the root, or in short
/// `imap/command/fetch`, which is below the crate's `src` and may leave out `.rs`. Patterns are not paths.
fn place_of(named: &str) -> Option<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let (first, rest) = named.split_once('/')?;
    if !named.chars().all(plain) || first.is_empty() || rest.starts_with('/') {
        return None;
    }
    let from_root = root().join(named);
    if rest.is_empty() && root().join("crates").join(first).is_dir() {
        return Some(root().join("crates").join(first));
    }
    if root().join("crates").join(first).is_dir() && !root().join(first).exists() {
        let below = root().join("crates").join(first).join("src").join(rest);
        if below.exists() {
            return Some(below);
        }
        let beside = root().join("crates").join(first).join(rest);
        return Some(if beside.exists() { beside } else { below.with_extension("rs") });
    }
    // Made when building or running, so absent from a fresh clone.
    let made = ["target", "fuzz/target", "fuzz/corpus", "fuzz/artifacts"];
    if made.iter().any(|dir| Path::new(named).starts_with(dir)) {
        return None;
    }
    root().join(first).exists().then_some(from_root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_several_paths() {
        assert_eq!(expand_braces("a/{b,c}/{d}.rs"), ["a/b/d.rs", "a/c/d.rs"]);
        assert_eq!(expand_braces("plain"), ["plain"]);
    }

    #[test]
    fn links_are_our_own_files() {
        let line = "see [one](docs/a.md#x), [two](https://example.org/) and [three](#here)";
        assert_eq!(links(line).collect::<Vec<_>>(), ["docs/a.md"]);
    }

    #[test]
    fn paths_are_told_from_other_code() {
        assert!(place_of("xtask/src/main.rs").is_some_and(|place| place.exists()));
        assert!(place_of("xtask/src/nothing.rs").is_some_and(|place| !place.exists()));
        assert!(place_of("base/limit").is_some_and(|place| place.exists()));
        assert!(place_of("base/nothing").is_some_and(|place| !place.exists()));
        assert!(place_of("text/plain").is_none());
        assert!(place_of("crates/<name>/src").is_none());
        assert!(place_of("/livez").is_none());
    }

    #[test]
    fn fenced_blocks_are_not_prose() {
        let text = "one\n```\ntwo\n```\nthree";
        assert_eq!(prose(text).collect::<Vec<_>>(), [(1, "one"), (5, "three")]);
    }
}
