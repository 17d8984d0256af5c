//! The header as the script sees and changes it. RFC 5228 §2.7.2 for the values, RFC 5293 for the changes.

use yubin_formats::mail;

/// Fields that no script adds or takes away: RFC 5293 §6 names the first two; the others say what this server found out, and a script
/// must not forge or hide it.
const PROTECTED: &[&str] =
    &["received", "auto-submitted", "return-path", "delivered-to", "authentication-results", "received-spf"];

/// The fields of a message.
pub(super) struct Header {
    fields: Vec<Field>,
    changed: bool,
    edits: usize,
    octets: usize,
}

struct Field {
    /// Lower case.
    name: String,
    /// The whole field with its line ends.
    octets: Vec<u8>,
    /// Unfolded, undecoded.
    value: Vec<u8>,
}

impl Header {
    pub fn parse(block: &[u8]) -> Self {
        let fields = mail::fields(block)
            .map(|field| Field {
                name: String::from_utf8_lossy(field.name).to_ascii_lowercase(),
                value: mail::unfold(field.value).into_owned(),
                octets: block.get(field.range).unwrap_or_default().to_vec(),
            })
            .collect();
        Self { fields, changed: false, edits: 0, octets: block.len() }
    }

    /// What looking through it once costs.
    pub fn steps(&self) -> u64 {
        self.octets as u64 / 1_024
    }

    /// The raw values of the fields of this name.
    pub fn raw(&self, name: &str) -> Vec<&[u8]> {
        let name = name.to_ascii_lowercase();
        self.fields.iter().filter(|field| field.name == name).map(|field| field.value.as_slice()).collect()
    }

    /// The decoded values of the fields of this name.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.raw(name).into_iter().map(|value| mail::decode_header(value).trim().to_owned()).collect()
    }

    pub fn exists(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.fields.iter().any(|field| field.name == name)
    }

    /// Adds a field, first or last. Tells whether there was room.
    pub fn add(&mut self, name: &str, value: &str, last: bool) -> bool {
        if PROTECTED.contains(&name.to_ascii_lowercase().as_str()) {
            return true;
        }
        self.edits += 1;
        let octets = written(name, value);
        let raw = value.as_bytes().to_vec();
        let field = Field { name: name.to_ascii_lowercase(), value: raw, octets };
        let at = if last { self.fields.len() } else { 0 };
        self.fields.insert(at, field);
        self.changed = true;
        self.edits <= crate::limits::HEADER_EDITS
    }

    /// Takes away the fields of this name for which `goes` says so; it gets their number among them and their decoded value.
    pub fn delete(&mut self, name: &str, mut goes: impl FnMut(usize, &str) -> bool) {
        let name = name.to_ascii_lowercase();
        if PROTECTED.contains(&name.as_str()) {
            return;
        }
        let before = self.fields.len();
        let mut number = 0;
        self.fields.retain(|field| {
            if field.name != name {
                return true;
            }
            number += 1;
            !goes(number, mail::decode_header(&field.value).trim())
        });
        self.changed |= before != self.fields.len();
    }

    /// The whole block, when it is not what it was.
    pub fn changed(&self) -> Option<Vec<u8>> {
        self.changed.then(|| {
            let mut block = Vec::new();
            for field in &self.fields {
                block.extend_from_slice(&field.octets);
                if !field.octets.ends_with(b"\n") {
                    block.extend_from_slice(b"\r\n");
                }
            }
            block.extend_from_slice(b"\r\n");
            block
        })
    }
}

/// A field with its value folded at spaces; no line end of the value can begin another field. RFC 5322 §2.2.3.
fn written(name: &str, value: &str) -> Vec<u8> {
    let mut line = format!("{name}:");
    let mut out = String::new();
    for word in value.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if line.len() + word.len() + 1 > 78 && line.trim().len() > name.len() + 1 {
            out.push_str(&line);
            out.push_str("\r\n");
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push_str("\r\n");
    out.into_bytes()
}
