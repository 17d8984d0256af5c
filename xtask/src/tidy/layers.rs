//! The crates' graph: it is the one that ARCHITECTURE.md draws, and no edge goes where none may.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use super::Finding;
use crate::workspace::{files_below, root};

/// Edges that may never be, whatever the drawing says: from, to, why.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("store", "directory", "limits come in as values"),
    ("store", "smtp", "the store knows no wire format"),
    ("store", "imap", "the store knows no wire format"),
    ("store", "pop3", "the store knows no wire format"),
    ("imap", "pop3", "no protocol crate depends on another"),
    ("imap", "smtp", "no protocol crate depends on another"),
    ("imap", "delivery", "no protocol crate depends on another"),
    ("pop3", "imap", "no protocol crate depends on another"),
    ("pop3", "smtp", "no protocol crate depends on another"),
    ("pop3", "delivery", "no protocol crate depends on another"),
    ("smtp", "imap", "no protocol crate depends on another"),
    ("smtp", "pop3", "no protocol crate depends on another"),
    ("smtp", "store", "the SMTP machines know no store"),
    ("smtp", "engine", "the SMTP machines know no store"),
    ("engine", "formats", "the engine knows no mail"),
    ("formats", "engine", "formats are bytes and documents only"),
];

/// Crates of the runtime and the network, which only the server may use.
const RUNTIME: &[&str] = &["tokio", "tokio-rustls", "axum", "hyper", "socket2", "async-std", "smol", "mio"];

/// Crates that are tools for tests: never a normal dependency of another crate, and free to use a runtime.
const TOOLS: &[&str] = &["testkit", "sim"];

/// One crate of the workspace.
struct Member {
    name: String,
    /// Our own crates among its normal dependencies.
    uses: BTreeSet<String>,
    /// Every dependency of any kind.
    all: BTreeSet<String>,
    inherits_lints: bool,
}

pub fn check() -> Result<Vec<Finding>> {
    let members = members()?;
    Ok(vec![drawn(&members)?, forbidden(&members), no_runtime(&members), lints(&members)])
}

/// ARCHITECTURE.md's graph equals Cargo.toml's.
fn drawn(members: &[Member]) -> Result<Finding> {
    let mut finding = Finding::new("the crate graph is the one ARCHITECTURE.md draws");
    let path = root().join("ARCHITECTURE.md");
    let Ok(page) = std::fs::read_to_string(&path) else {
        finding.wrong.push("ARCHITECTURE.md is missing".into());
        return Ok(finding);
    };
    let drawn = arrows(&page);
    if drawn.is_empty() {
        finding.wrong.push("ARCHITECTURE.md draws no graph (a mermaid block with `a --> b`)".into());
        return Ok(finding);
    }
    let built: BTreeSet<(String, String)> = members
        .iter()
        .filter(|member| !TOOLS.contains(&member.name.as_str()))
        .flat_map(|member| member.uses.iter().map(|used| (member.name.clone(), used.clone())))
        .collect();
    for (from, to) in built.difference(&drawn) {
        finding.wrong.push(format!("Cargo.toml has {from} --> {to}; the drawing has not"));
    }
    for (from, to) in drawn.difference(&built) {
        finding.wrong.push(format!("the drawing has {from} --> {to}; Cargo.toml has not"));
    }
    Ok(finding)
}

fn forbidden(members: &[Member]) -> Finding {
    let mut finding = Finding::new("no crate uses one that it must not know");
    for member in members {
        for used in &member.uses {
            let from = member.name.as_str();
            for (_, _, why) in FORBIDDEN.iter().filter(|(a, b, _)| *a == from && b == used) {
                finding.wrong.push(format!("{from} uses {used}: {why}"));
            }
            if used == "server" {
                finding.wrong.push(format!("{from} uses server: nothing stands above the binary"));
            }
            if TOOLS.contains(&used.as_str()) && !TOOLS.contains(&from) {
                finding.wrong.push(format!("{from} uses {used} outside its tests"));
            }
            if from == "base" || (from == "engine" || from == "formats") && used != "base" {
                finding.wrong.push(format!("{from} uses {used}: it stands at the bottom"));
            }
        }
    }
    finding.wrong.extend(cycles(members));
    finding
}

fn no_runtime(members: &[Member]) -> Finding {
    let mut finding = Finding::new("no runtime and no socket below the server");
    for member in members.iter().filter(|member| member.name != "server") {
        for used in RUNTIME.iter().filter(|name| member.all.contains(**name)) {
            finding.wrong.push(format!("{} depends on {used}", member.name));
        }
    }
    finding
}

fn lints(members: &[Member]) -> Finding {
    let mut finding = Finding::new("every crate takes the workspace's lints");
    for member in members.iter().filter(|member| !member.inherits_lints) {
        finding.wrong.push(format!("crates/{}/Cargo.toml lacks [lints] workspace = true", member.name));
    }
    finding
}

/// The arrows of every mermaid block.
fn arrows(page: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut inside = false;
    for line in page.lines().map(str::trim) {
        if line.starts_with("```") {
            inside = line == "```mermaid";
        } else if inside && let Some((from, to)) = line.split_once("-->") {
            // `a & b --> c & d` is mermaid for all four.
            for a in from.split('&') {
                for b in to.split('&') {
                    found.insert((a.trim().to_owned(), b.trim().trim_end_matches(';').to_owned()));
                }
            }
        }
    }
    found
}

fn cycles(members: &[Member]) -> Vec<String> {
    let graph: BTreeMap<&str, &BTreeSet<String>> =
        members.iter().map(|member| (member.name.as_str(), &member.uses)).collect();
    let mut wrong = Vec::new();
    for start in graph.keys() {
        let mut seen = BTreeSet::new();
        let mut left: Vec<&str> =
            graph.get(start).into_iter().flat_map(|uses| uses.iter().map(String::as_str)).collect();
        while let Some(name) = left.pop() {
            if name == *start {
                wrong.push(format!("{start} depends on itself in a circle"));
                break;
            }
            if seen.insert(name) {
                left.extend(graph.get(name).into_iter().flat_map(|uses| uses.iter().map(String::as_str)));
            }
        }
    }
    wrong
}

fn members() -> Result<Vec<Member>> {
    let mut members = Vec::new();
    for path in files_below(&root().join("crates"), "/Cargo.toml")? {
        let text = std::fs::read_to_string(&path)?;
        let manifest: toml::Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let package =
            manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
        let name = package.with_context(|| format!("{} has no name", path.display()))?;
        let names = |kind: &str| -> BTreeSet<String> {
            let table = manifest.get(kind).and_then(toml::Value::as_table);
            table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
        };
        let normal = names("dependencies");
        let mut all = normal.clone();
        all.extend(names("dev-dependencies"));
        all.extend(names("build-dependencies"));
        members.push(Member {
            name: short(name),
            uses: normal.iter().filter(|name| name.starts_with("yubin-")).map(|name| short(name)).collect(),
            all,
            inherits_lints: manifest.get("lints").and_then(|lints| lints.get("workspace"))
                == Some(&toml::Value::Boolean(true)),
        });
    }
    Ok(members)
}

fn short(name: &str) -> String {
    name.strip_prefix("yubin-").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_are_read_from_mermaid_blocks_only() {
        let page =
            "a --> b\n```mermaid\ngraph TD\n  server --> imap & pop3\n  imap --> base;\n```\nc --> d\n";
        let expected = [("imap", "base"), ("server", "imap"), ("server", "pop3")];
        assert_eq!(arrows(page), expected.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect());
    }

    fn member(name: &str, uses: &[&str]) -> Member {
        let uses: BTreeSet<String> = uses.iter().map(|name| name.to_string()).collect();
        Member { name: name.into(), all: BTreeSet::new(), uses, inherits_lints: true }
    }

    #[test]
    fn forbidden_edges_and_circles_are_seen() {
        assert!(forbidden(&[member("imap", &["base", "store"])]).wrong.is_empty());
        assert_eq!(forbidden(&[member("store", &["directory"])]).wrong.len(), 1);
        assert_eq!(forbidden(&[member("base", &["engine"])]).wrong.len(), 1);
        assert_eq!(forbidden(&[member("imap", &["testkit"])]).wrong.len(), 1);
        assert_eq!(cycles(&[member("a", &["b"]), member("b", &["a"])]).len(), 2);
    }
}
