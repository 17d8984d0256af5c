//! Any text as a Sieve script: read, and run on a message that stands behind the first empty line. It ends within its budget, and keeps
//! the message when it fails.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use yubin_base::{Address, UnixMs};
use yubin_sieve::{Body, BodyPart, Deed, Location, Scene, Script, World, compile, limits, run};

fuzz_target!(|text: &str| {
    let (script, message) = text.split_once("\n\n").unwrap_or((text, "Subject: a\r\n\r\nb\r\n"));
    let Ok(script) = compile(script) else { return };
    let part = BodyPart { content_type: "text/html".into(), text: message.to_owned() };
    let body = Body { raw: message.to_owned(), parts: vec![part] };
    let to = Address::parse_plain("bob+x@example.test").expect("an address");
    let scene = Scene {
        header: message.as_bytes(),
        octets: message.len() as u64,
        body: &body,
        envelope_from: None,
        envelope_to: &to,
        now: UnixMs(1_767_225_600_000),
        zone_minutes: -90,
        environment: &[("name", "Yubin".to_owned())],
        spam_percent: Some(50),
        virus: Some(1),
        world: &Nowhere,
    };
    let outcome = run(&Arc::new(script), &scene);
    assert!(outcome.steps <= limits::STEPS + limits::VARIABLE_OCTETS as u64 * 64);
    assert!(outcome.error.is_none() || matches!(outcome.deeds.as_slice(), [Deed::Keep { implicit: true, .. }]));
    if let Some(header) = outcome.header {
        assert!(header.ends_with(b"\r\n"));
    }
});

struct Nowhere;

impl World for Nowhere {
    fn mailbox_exists(&self, name: &str) -> bool {
        name.len() % 2 == 0
    }
    fn mailbox_id_exists(&self, id: &str) -> bool {
        id.len() % 2 == 0
    }
    fn special_use_exists(&self, _: Option<&str>, special_use: &str) -> bool {
        special_use.len() % 2 == 0
    }
    fn seen_before(&self, id: &str) -> bool {
        id.len() % 2 == 0
    }
    fn script(&self, _: Location, _: &str) -> Option<Arc<Script>> {
        None
    }
}
