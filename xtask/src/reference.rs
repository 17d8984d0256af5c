//! The reference pages, generated from the crates' own `limits!` and `events!`.
//! Reads the macro calls as text, so that no crate must be built.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::workspace::{files_below, root};

/// One generated page.
pub struct Page {
    /// From the project's root.
    pub path: &'static str,
    pub text: String,
}

/// Writes the pages; the paths of those that changed.
pub fn write() -> Result<Vec<&'static str>> {
    let mut changed = Vec::new();
    for page in pages()? {
        let path = root().join(page.path);
        if std::fs::read_to_string(&path).unwrap_or_default() != page.text {
            std::fs::create_dir_all(path.parent().context("a page has a folder")?)?;
            std::fs::write(&path, &page.text)?;
            changed.push(page.path);
        }
    }
    Ok(changed)
}

/// The pages as they should be.
pub fn pages() -> Result<Vec<Page>> {
    Ok(vec![limits()?, events()?])
}

fn limits() -> Result<Page> {
    let mut text = String::from(
        "# Limits\n\nEvery input, loop and queue has a limit with a name. \
         Generated from the `limits.rs` of each crate by `cargo x bless`; do not edit.\n",
    );
    for (name, body) in declared("limits.rs", "limits!")? {
        text.push_str(&format!("\n## {name}\n\n| Limit | Value | Unit | Why |\n|---|---:|---|---|\n"));
        for entry in entries(&body)? {
            let limit = parse_limit(&entry).with_context(|| format!("in {name}: {}", entry.code))?;
            let value = limit.value.replace('_', " ");
            text.push_str(&format!(
                "| `{}` | {value} | {} | {} |\n",
                limit.name,
                limit.unit,
                cell(&entry.words)
            ));
        }
    }
    Ok(Page { path: "docs/reference/limits.md", text })
}

fn events() -> Result<Page> {
    let mut text = String::from(
        "# Events\n\nEvery line of the log has a stable name. At level Error a person must act; \
         each event is also counted in the metrics. \
         Generated from the `events.rs` of each crate by `cargo x bless`; do not edit.\n",
    );
    for (name, body) in declared("events.rs", "events!")? {
        text.push_str(&format!("\n## {name}\n\n| Event | Level | What happened |\n|---|---|---|\n"));
        for entry in entries(&body)? {
            let (_, rest) =
                entry.code.split_once('=').with_context(|| format!("in {name}: {}", entry.code))?;
            let (level, quoted) =
                rest.trim().split_once(' ').with_context(|| format!("in {name}: {}", entry.code))?;
            text.push_str(&format!(
                "| `{}` | {level} | {} |\n",
                quoted.trim().trim_matches('"'),
                cell(&entry.words)
            ));
        }
    }
    Ok(Page { path: "docs/reference/events.md", text })
}

/// Every crate's call of a macro: the crate's name and what stands in the braces.
fn declared(file: &str, call: &str) -> Result<Vec<(String, String)>> {
    let crates = root().join("crates");
    let mut found = Vec::new();
    for path in files_below(&crates, &format!("/{file}"))? {
        let text = std::fs::read_to_string(&path)?;
        let name = path
            .strip_prefix(&crates)?
            .components()
            .next()
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        if let Some(body) = braces_after(&text, call, &path)? {
            found.push((name.context("a file below crates")?, body));
        }
    }
    Ok(found)
}

/// What stands in the braces after `yubin_base::call! {`, to the brace at the start of a line.
fn braces_after(text: &str, call: &str, path: &Path) -> Result<Option<String>> {
    let Some(at) = text.find(&format!("yubin_base::{call} {{")) else { return Ok(None) };
    let rest = text.get(at..).unwrap_or_default();
    let (_, inside) = rest.split_once('{').with_context(|| path.display().to_string())?;
    let (body, _) =
        inside.split_once("\n}").with_context(|| format!("{}: no closing brace", path.display()))?;
    Ok(Some(body.to_owned()))
}

/// One declaration: its documentation and its code up to the semicolon.
#[derive(Debug, PartialEq)]
struct Entry {
    words: String,
    code: String,
}

fn entries(body: &str) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    let mut words = String::new();
    let mut code = String::new();
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            words = text.trim().to_owned();
        } else if !line.is_empty() && !line.starts_with("//") {
            if !code.is_empty() {
                code.push(' ');
            }
            code.push_str(line);
            if let Some(whole) = code.strip_suffix(';') {
                if words.is_empty() {
                    bail!("`{whole}` says nothing about itself");
                }
                found.push(Entry { words: std::mem::take(&mut words), code: whole.to_owned() });
                code.clear();
            }
        }
    }
    Ok(found)
}

#[derive(Debug, PartialEq)]
struct LimitLine {
    name: String,
    value: String,
    unit: String,
}

/// `NAME: type = value, "unit"`
fn parse_limit(entry: &Entry) -> Result<LimitLine> {
    let (name, rest) = entry.code.split_once(':').context("no colon")?;
    let (_, rest) = rest.split_once('=').context("no equals sign")?;
    let (value, unit) = rest.rsplit_once(',').context("no unit")?;
    Ok(LimitLine {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        unit: unit.trim().trim_matches('"').to_owned(),
    })
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_from_its_declaration() -> Result<()> {
        let body = "\n    /// at least 512\n    LINE: usize = 2 * 1024, \"octets\";\n";
        let entries = entries(body)?;
        assert_eq!(
            entries,
            [Entry { words: "at least 512".into(), code: "LINE: usize = 2 * 1024, \"octets\"".into() }]
        );
        let limit = entries.first().map(parse_limit).transpose()?;
        assert_eq!(
            limit,
            Some(LimitLine { name: "LINE".into(), value: "2 * 1024".into(), unit: "octets".into() })
        );
        Ok(())
    }

    #[test]
    fn a_declaration_without_a_reason_is_refused() {
        assert!(entries("A: usize = 1, \"octets\";").is_err());
    }
}
