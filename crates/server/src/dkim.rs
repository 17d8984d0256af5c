//! The private keys that sign what our users send: one file for each, `dkim/DOMAIN/SELECTOR.der` in the data folder, readable by the server only.
//! Never signs anything itself. RFC 6376 §3.1 (selectors), RFC 8301 and RFC 8463 (kinds of keys).

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;
use yubin_delivery::SigningKeys;
use yubin_filter::dkim::{KeyKind, SigningKey};

/// Every key.
pub struct DkimKeys {
    folder: PathBuf,
    keys: RwLock<BTreeMap<String, Vec<Arc<SigningKey>>>>,
}

impl SigningKeys for DkimKeys {
    fn keys(&self, domain: &str) -> Vec<Arc<SigningKey>> {
        self.keys.read().get(domain).cloned().unwrap_or_default()
    }
}

impl DkimKeys {
    /// Reads the keys of the data folder. A file that holds none is an error: mail would go out unsigned, and nobody would notice.
    pub fn open(data: &Path) -> Result<Arc<Self>, String> {
        let folder = data.join("dkim");
        let mut keys: BTreeMap<String, Vec<Arc<SigningKey>>> = BTreeMap::new();
        for domain in entries(&folder)? {
            let name = file_name(&domain)?;
            for file in entries(&domain)? {
                let selector = file_name(&file)?;
                let Some(selector) = selector.strip_suffix(".der") else { continue };
                let der = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
                let key = SigningKey::from_der(&name, selector, &der)
                    .map_err(|e| format!("{}: {e}", file.display()))?;
                keys.entry(name.clone()).or_default().push(Arc::new(key));
            }
        }
        Ok(Arc::new(Self { folder, keys: RwLock::new(keys) }))
    }

    /// Makes a key. It signs from now on; its public half should stand in DNS by then.
    pub fn add(&self, domain: &str, selector: &str, kind: KeyKind) -> Result<Arc<SigningKey>, String> {
        let (domain, selector) = (domain.to_ascii_lowercase(), selector.to_ascii_lowercase());
        for name in [&domain, &selector] {
            let sane = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
            if name.is_empty() || name.starts_with('.') || name.len() > 253 || !name.chars().all(sane) {
                return Err(format!(
                    "{name:?} is no name; international ones are written in their xn-- form"
                ));
            }
        }
        let mut keys = self.keys.write();
        if keys.get(&domain).is_some_and(|keys| keys.iter().any(|key| key.selector() == selector)) {
            return Err(format!("{domain} has a key with the selector {selector} already"));
        }
        let der = SigningKey::generate(kind).map_err(|e| e.to_string())?;
        let key = Arc::new(SigningKey::from_der(&domain, &selector, &der).map_err(|e| e.to_string())?);
        let folder = self.folder.join(&domain);
        write(&folder, &format!("{selector}.der"), &der).map_err(|e| format!("{}: {e}", folder.display()))?;
        keys.entry(domain).or_default().push(key.clone());
        Ok(key)
    }

    /// Removes a key. Its public half should stay in DNS while messages signed with it are on their way.
    pub fn remove(&self, domain: &str, selector: &str) -> Result<bool, String> {
        let mut keys = self.keys.write();
        let Some(those) = keys.get_mut(domain) else { return Ok(false) };
        let before = those.len();
        those.retain(|key| key.selector() != selector);
        if those.len() == before {
            return Ok(false);
        }
        let file = self.folder.join(domain).join(format!("{selector}.der"));
        fs::remove_file(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        Ok(true)
    }
}

/// What stands in a folder; nothing when there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        found.push(entry.map_err(failed)?.path());
    }
    found.sort();
    Ok(found)
}

fn file_name(path: &Path) -> Result<String, String> {
    let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    name.ok_or_else(|| format!("{}: a name that is no text", path.display()))
}

/// On disk before its final name: a key that signs must not be lost.
fn write(folder: &Path, name: &str, octets: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!("{name}.new"));
    let _ = fs::remove_file(&temporary);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(octets)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(name))?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_found_again_and_removed() {
        let data = tempfile::tempdir().unwrap();
        let keys = DkimKeys::open(data.path()).unwrap();
        keys.add("Example.test", "S1", KeyKind::Ed25519).unwrap();
        assert!(keys.add("example.test", "s1", KeyKind::Ed25519).is_err(), "once");
        assert!(keys.add("../evil", "s1", KeyKind::Ed25519).is_err());
        let again = DkimKeys::open(data.path()).unwrap();
        assert_eq!(again.keys("example.test").len(), 1);
        assert_eq!(again.keys("other.test").len(), 0);
        assert_eq!(again.remove("example.test", "s1"), Ok(true));
        assert_eq!(again.remove("example.test", "s1"), Ok(false));
        assert_eq!(DkimKeys::open(data.path()).unwrap().keys("example.test").len(), 0);
        fs::write(data.path().join("dkim/example.test/s2.der"), b"no key").unwrap();
        assert!(DkimKeys::open(data.path()).is_err());
    }
}
