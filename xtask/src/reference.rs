//! The reference pages, as the built server prints them from the catalogues that its code uses.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::workspace::{build_server, root};

/// The pages that `yubin docs` prints.
const PAGES: [(&str, &str); 4] = [
    ("options", "docs/reference/options.md"),
    ("commands", "docs/reference/commands.md"),
    ("limits", "docs/reference/limits.md"),
    ("events", "docs/reference/events.md"),
];

/// One generated page.
pub struct Page {
    /// From the project's root.
    pub path: &'static str,
    pub text: String,
}

/// The pages as they should be. Builds the server.
pub fn pages() -> Result<Vec<Page>> {
    let binary = build_server(false)?;
    let print = |(name, path)| {
        let output = Command::new(&binary).args(["docs", name]).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("start yubin docs {name}"))?;
        if !output.status.success() {
            bail!("yubin docs {name}: {}", output.status);
        }
        Ok(Page { path, text: String::from_utf8(output.stdout)? })
    };
    PAGES.into_iter().map(print).collect()
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
