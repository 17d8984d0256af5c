//! `cargo x deny`: the licences and the sources of everything that goes into the binary.
//! Uses cargo-deny where it is installed; otherwise reads the same `deny.toml` and checks the same three things:
//! licences, bans and sources. Advisories need a database from the network and are cargo-deny's alone.

mod spdx;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::workspace::{cargo, root, run as run_command, which};

pub fn run() -> Result<()> {
    if which("cargo-deny").is_some() {
        return run_command(cargo().args(["deny", "--offline", "check", "licenses", "bans", "sources"]));
    }
    let policy = Policy::read()?;
    let metadata = Metadata::read(&policy)?;
    let wrong = check(&policy, &metadata);
    for line in &wrong {
        println!("deny: {line}");
    }
    let third_parties = metadata.packages.iter().filter(|package| package.source.is_some()).count();
    if !wrong.is_empty() {
        bail!("{} of {third_parties} dependencies are not as deny.toml wants them", wrong.len());
    }
    println!(
        "deny: licences, bans and sources of {third_parties} dependencies: ok (cargo-deny is not installed: no advisories)"
    );
    Ok(())
}

/// The parts of `deny.toml` that we check ourselves.
#[derive(Deserialize)]
struct Policy {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

/// A licence that one named crate may have.
#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Sources {
    #[serde(rename = "allow-registry")]
    allow_registry: BTreeSet<String>,
}

impl Policy {
    fn read() -> Result<Policy> {
        let text = std::fs::read_to_string(root().join("deny.toml")).context("read deny.toml")?;
        toml::from_str(&text).context("deny.toml")
    }
}

/// What cargo tells about the packages.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

impl Metadata {
    fn read(policy: &Policy) -> Result<Metadata> {
        let built = built(&policy.graph.targets)?;
        let mut metadata: Metadata =
            serde_json::from_str(&ask(cargo().args(["metadata", "--format-version", "1", "--locked"]))?)?;
        metadata.packages.retain(|package| built.contains(&(package.name.clone(), package.version.clone())));
        Ok(metadata)
    }
}

/// What is really built for these targets, tests included: names and versions. `cargo metadata` alone would also
/// list what only a feature that nobody switched on would need.
fn built(targets: &[String]) -> Result<BTreeSet<(String, String)>> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "--workspace", "--all-features", "--edges", "normal,build,dev"]);
    tree.args(["--prefix", "none", "--format", "{p}"]);
    for target in targets {
        tree.args(["--target", target]);
    }
    let text = ask(&mut tree)?;
    let lines = text.lines().filter(|line| !line.is_empty());
    let packages = lines.map(|line| {
        let mut words = line.split(' ');
        let (name, version) = (words.next(), words.next().and_then(|word| word.strip_prefix('v')));
        let (name, version) = name.zip(version).with_context(|| format!("cargo tree says {line:?}"))?;
        Ok((name.to_owned(), version.to_owned()))
    });
    packages.collect()
}

fn ask(command: &mut std::process::Command) -> Result<String> {
    let output = command.stderr(std::process::Stdio::inherit()).output().context("start cargo")?;
    if !output.status.success() {
        bail!("{}: {}", crate::workspace::shown(command), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// One line for each thing that is not as it should be.
fn check(policy: &Policy, metadata: &Metadata) -> Vec<String> {
    let mut wrong = Vec::new();
    let exceptions: BTreeMap<&str, &BTreeSet<String>> = policy
        .licenses
        .exceptions
        .iter()
        .map(|exception| (exception.name.as_str(), &exception.allow))
        .collect();
    for package in &metadata.packages {
        let name = format!("{} {}", package.name, package.version);
        let allowed = |licence: &str| {
            policy.licenses.allow.contains(licence)
                || exceptions.get(package.name.as_str()).is_some_and(|allow| allow.contains(licence))
        };
        match package.license.as_deref() {
            None => wrong.push(format!("{name} names no licence")),
            Some(expression) => match spdx::satisfied(expression, &allowed) {
                Ok(true) => {}
                Ok(false) => wrong.push(format!("{name} is under {expression}")),
                Err(error) => wrong.push(format!("{name}: cannot read its licence {expression:?}: {error}")),
            },
        }
        for banned in policy.bans.deny.iter().filter(|banned| banned.name == package.name) {
            wrong.push(format!("{name} is banned: {}", banned.reason));
        }
        if let Some(source) = &package.source {
            let registry = source.strip_prefix("registry+").unwrap_or(source);
            if !policy.sources.allow_registry.contains(registry) {
                wrong.push(format!("{name} comes from {source}"));
            }
        }
    }
    for exception in &policy.licenses.exceptions {
        if !metadata.packages.iter().any(|package| package.name == exception.name) {
            wrong.push(format!("deny.toml excepts {}, which nothing uses", exception.name));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [graph]
        targets = []
        [licenses]
        allow = ["MIT", "Apache-2.0"]
        exceptions = [{ crate = "excepted", allow = ["MPL-2.0"] }]
        [bans]
        deny = [{ crate = "openssl", reason = "one TLS is enough" }]
        [sources]
        allow-registry = ["https://registry.example"]
    "#;

    fn package(name: &str, license: Option<&str>, source: Option<&str>) -> Package {
        Package {
            name: name.into(),
            version: "1.0.0".into(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
        }
    }

    fn wrong(package_under_test: Package) -> usize {
        let policy: Policy = toml::from_str(POLICY).unwrap();
        let kept = package("excepted", Some("MPL-2.0"), None);
        check(&policy, &Metadata { packages: vec![kept, package_under_test] }).len()
    }

    #[test]
    fn each_kind_of_fault_is_found() {
        let ours = Some("registry+https://registry.example");
        for (package, expected) in [
            (package("good", Some("MIT OR Apache-2.0"), ours), 0),
            (package("copyleft", Some("GPL-3.0-only"), ours), 1),
            (package("both", Some("MIT AND GPL-3.0-only"), ours), 1),
            (package("other", Some("MPL-2.0"), ours), 1),
            (package("silent", None, ours), 1),
            (package("garbled", Some("MIT OR"), ours), 1),
            (package("openssl", Some("MIT"), ours), 1),
            (package("elsewhere", Some("MIT"), Some("git+https://code.example")), 1),
        ] {
            let name = package.name.clone();
            assert_eq!(wrong(package), expected, "{name}");
        }
    }
}
