//! `yubin sieve check` and `yubin sieve explain`: a script looked at without a server.

use std::{
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

use serde_json::json;
use yubin_base::Address;
use yubin_formats::mail;
use yubin_sieve::{Body, BodyPart, Deed, Location, Outcome, Scene, Script, World, compile, limits, run};

use super::exit;
use crate::clock;

/// Reads a script or a message; `-` is standard input. At most as much as a script may have, or a message that is looked at.
pub fn read(path: &Path) -> Result<String, String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let mut octets = Vec::new();
    let most = limits::BODY_OCTETS as u64 * 2;
    match path.as_os_str() == "-" {
        true => io::stdin().lock().take(most).read_to_end(&mut octets),
        false => std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut octets)),
    }
    .map_err(failed)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// Says whether a script compiles, and where it does not.
pub fn check(path: &Path, as_json: bool) -> u8 {
    match read(path).and_then(|text| compile(&text).map_err(|error| format!("{}: {error}", path.display()))) {
        Ok(_) if as_json => println!("{}", json!({ "valid": true })),
        Ok(_) => println!("The script is valid."),
        Err(error) => return refused(&error, as_json),
    }
    exit::OK
}

/// Runs a script on a message and tells each step.
pub fn explain(script: &Path, message: &Path, from: &str, to: &str, as_json: bool) -> u8 {
    let (compiled, message, to) = match prepare(script, message, to) {
        Ok(prepared) => prepared,
        Err(error) => return refused(&error, as_json),
    };
    let outcome = played(&compiled, &message, Address::parse_plain(from).as_ref(), &to);
    let deeds: Vec<String> = match outcome.deeds.as_slice() {
        [] => vec!["drop the message".into()],
        deeds => deeds.iter().map(deed).collect(),
    };
    if as_json {
        let steps: Vec<_> = outcome
            .explained
            .iter()
            .map(|step| json!({ "script": step.script, "line": step.line, "text": step.text }))
            .collect();
        println!("{}", json!({ "steps": steps, "does": deeds, "cost_steps": outcome.steps }));
        return exit::OK;
    }
    for step in &outcome.explained {
        let script = step.script.as_ref().map(|name| format!("{name}, ")).unwrap_or_default();
        println!("{script}line {}: {}", step.line, step.text);
    }
    println!("\nSo it does: {}.", deeds.join("; "));
    exit::OK
}

fn prepare(script: &Path, message: &Path, to: &str) -> Result<(Arc<Script>, String, Address), String> {
    let compiled = compile(&read(script)?).map_err(|error| format!("{}: {error}", script.display()))?;
    let to = Address::parse_plain(to).ok_or(format!("{to:?} is no mail address"))?;
    Ok((Arc::new(compiled), read(message)?, to))
}

fn refused(error: &str, as_json: bool) -> u8 {
    if as_json {
        println!("{}", json!({ "valid": false, "error": error }));
    } else {
        eprintln!("yubin: {error}");
    }
    exit::FAILED
}

fn played(script: &Arc<Script>, message: &str, from: Option<&Address>, to: &Address) -> Outcome {
    // Files have the line ends of their system; messages have CRLF.
    let message = message.replace("\r\n", "\n").replace('\n', "\r\n");
    let octets = message.as_bytes();
    let end = message.find("\r\n\r\n").map_or(octets.len(), |at| at + 4);
    let structure = mail::Structure::from(&mail::parse(octets));
    let parts = structure.leaves().into_iter().map(|part| {
        let at = |octet: u64| usize::try_from(octet).unwrap_or(usize::MAX).min(octets.len());
        let content = octets.get(at(part.body_start)..at(part.body_end)).unwrap_or_default();
        BodyPart {
            content_type: format!("{}/{}", part.main, part.sub),
            text: mail::decode_text(part, content, limits::BODY_OCTETS),
        }
    });
    let raw = message.get(end..).unwrap_or_default().to_owned();
    let body = Body { raw, parts: parts.collect() };
    let scene = Scene {
        header: octets.get(..end).unwrap_or_default(),
        octets: octets.len() as u64,
        body: &body,
        envelope_from: from,
        envelope_to: to,
        now: clock::now(),
        zone_minutes: 0,
        environment: &[("name", "Yubin".to_owned()), ("version", env!("CARGO_PKG_VERSION").to_owned())],
        spam_percent: None,
        virus: None,
        world: &Somewhere,
    };
    run(script, &scene)
}

/// An account that has every mailbox and remembers nothing.
struct Somewhere;

impl World for Somewhere {
    fn mailbox_exists(&self, _: &str) -> bool {
        true
    }
    fn mailbox_id_exists(&self, _: &str) -> bool {
        true
    }
    fn special_use_exists(&self, _: Option<&str>, _: &str) -> bool {
        true
    }
    fn seen_before(&self, _: &str) -> bool {
        false
    }
    fn script(&self, _: Location, _: &str) -> Option<Arc<Script>> {
        None
    }
}

fn deed(deed: &Deed) -> String {
    match deed {
        Deed::Keep { implicit: true, .. } => "keep it, since no action said otherwise".into(),
        Deed::Keep { .. } => "keep it".into(),
        Deed::FileInto(file_into) => format!("file it into {:?}", file_into.mailbox),
        Deed::Redirect { address } => format!("send it on to {address}"),
        Deed::Reject { reason, .. } => format!("refuse it: {reason:?}"),
        Deed::Vacation(_) => "answer the sender".into(),
    }
}
