//! What a script sees of a message and an account: read before it runs, since the interpreter waits for nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use yubin_base::event;
use yubin_formats::mail;
use yubin_sieve::{Body, BodyPart, Location, Outcome, Scene, Script, World, compile, limits as sieve_limits};
use yubin_store::{AccountState, MailboxState, ScriptError, SpecialUse, Staged, StoreError};

use super::{Copy, hashed};
use crate::{Delivery, events, limits};

/// The active script and those it brings in.
pub(super) struct Rules {
    pub name: String,
    script: Arc<Script>,
    included: BTreeMap<String, Arc<Script>>,
}

impl Delivery {
    /// The account's rules; none when no script is active or it cannot be used, which is told.
    pub(super) async fn rules_of(&self, copy: &Copy<'_>) -> Result<Option<Rules>, StoreError> {
        let Some(name) = copy.open.state().active_script.clone() else { return Ok(None) };
        let Some(script) = self.script(copy, &name).await? else { return Ok(None) };
        let mut included = BTreeMap::new();
        let mut wanted: Vec<String> = personal(&script);
        while let Some(next) = wanted.pop() {
            if included.contains_key(&next) || included.len() >= sieve_limits::INCLUDED_SCRIPTS {
                continue;
            }
            if let Some(script) = self.script(copy, &next).await? {
                wanted.extend(personal(&script));
                included.insert(next, script);
            }
        }
        Ok(Some(Rules { name: name.to_string(), script, included }))
    }

    async fn script(&self, copy: &Copy<'_>, name: &str) -> Result<Option<Arc<Script>>, StoreError> {
        let text = match copy.open.script(name).await {
            Ok(text) => text,
            Err(ScriptError::Store(error)) => return Err(error),
            Err(_) => return Ok(None),
        };
        match compile(&text) {
            Ok(script) => Ok(Some(Arc::new(script))),
            // Written by an older version that knew an extension by another form: mail goes on.
            Err(error) => {
                let (line, why) = (error.at.line, error.text);
                event!(
                    events::RULES_FAILED,
                    trace = %copy.entry.id,
                    account = %copy.account,
                    script = %name,
                    line = line,
                    why = %why,
                );
                Ok(None)
            }
        }
    }

    /// What the rules want done, and how long the message's header is, its empty line included.
    pub(super) async fn run_rules(
        &self,
        copy: &Copy<'_>,
        rules: &Rules,
        staged: &Staged,
    ) -> Result<(Outcome, u64), StoreError> {
        let mut header = copy.entry.findings.fields.clone();
        let own = self.header_of(staged).await?;
        header.extend_from_slice(&own);
        let all = || std::iter::once(&rules.script).chain(rules.included.values());
        let body = match all().any(|script| script.reads_body()) {
            true => self.body_of(staged, own.len() as u64).await?,
            false => Body::default(),
        };
        let remembered = match all().any(|script| script.tracks_duplicates()) {
            true => copy.open.remembered(copy.now).await?,
            false => BTreeSet::new(),
        };
        let state = copy.open.state();
        let account = Scripts { state: &state, rules, remembered };
        let domain = copy.recipient.domain().to_owned();
        let environment = [
            ("domain", domain),
            ("host", self.0.options.hostname.clone()),
            ("location", "MDA".to_owned()),
            ("name", "Yubin".to_owned()),
            ("phase", "during".to_owned()),
            ("remote-host", copy.entry.origin.helo.clone()),
            ("remote-ip", copy.entry.origin.remote.clone()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let scene = Scene {
            header: &header,
            octets: staged.blob.size_octets,
            body: &body,
            envelope_from: copy.entry.reverse_path.as_ref(),
            envelope_to: copy.recipient,
            now: copy.now,
            zone_minutes: 0,
            environment: &environment,
            spam_percent: copy.entry.findings.junk.then_some(100),
            virus: None,
            world: &account,
        };
        let mut outcome = yubin_sieve::run(&rules.script, &scene);
        outcome.header = outcome
            .header
            // A header whose end was not found cannot be put in the place of the old one.
            .filter(|_| own.ends_with(b"\r\n\r\n"))
            .map(|header| without(header, &copy.entry.findings.fields));
        Ok((outcome, own.len() as u64))
    }

    /// The header, its empty line included.
    pub(super) async fn header_of(&self, staged: &Staged) -> Result<Vec<u8>, StoreError> {
        let mut start = self.read_blob(staged, 0..limits::RULES_HEADER_OCTETS).await?;
        let end = start.windows(4).position(|w| w == b"\r\n\r\n").map_or(start.len(), |at| at + 4);
        start.truncate(end);
        Ok(start)
    }

    async fn body_of(&self, staged: &Staged, header_octets: u64) -> Result<Body, StoreError> {
        let end = header_octets + sieve_limits::BODY_OCTETS as u64;
        let octets = self.read_blob(staged, 0..end).await?;
        let body_start = usize::try_from(header_octets).unwrap_or(usize::MAX).min(octets.len());
        let raw = String::from_utf8_lossy(octets.get(body_start..).unwrap_or_default()).into_owned();
        let structure = mail::Structure::from(&mail::parse(&octets));
        let parts = structure.leaves().into_iter().map(|part| {
            let range = part.body_range();
            let at = |octet: u64| usize::try_from(octet).unwrap_or(usize::MAX).min(octets.len());
            let content = octets.get(at(range.start)..at(range.end)).unwrap_or_default();
            BodyPart {
                content_type: format!("{}/{}", part.main, part.sub),
                text: mail::decode_text(part, content, sieve_limits::BODY_OCTETS),
            }
        });
        Ok(Body { raw, parts: parts.collect() })
    }
}

/// A changed header without the fields found at acceptance: they stand in each copy's prefix.
fn without(header: Vec<u8>, fields: &[u8]) -> Vec<u8> {
    let found = header.windows(fields.len().max(1)).position(|window| window == fields);
    match found {
        Some(at) => header.iter().take(at).chain(header.iter().skip(at + fields.len())).copied().collect(),
        None => header,
    }
}

fn personal(script: &Script) -> Vec<String> {
    let own = script.includes().iter().filter(|include| include.location == Location::Personal);
    own.map(|include| include.name.clone()).collect()
}

/// The account as its scripts may ask about it.
struct Scripts<'a> {
    state: &'a AccountState,
    rules: &'a Rules,
    remembered: BTreeSet<[u8; 16]>,
}

impl World for Scripts<'_> {
    fn mailbox_exists(&self, name: &str) -> bool {
        self.state.named(name).is_some_and(|mailbox| !mailbox.no_select)
    }
    fn mailbox_id_exists(&self, id: &str) -> bool {
        self.state.mailboxes.values().any(|mailbox| mailbox_id(mailbox) == id)
    }
    fn special_use_exists(&self, mailbox: Option<&str>, special_use: &str) -> bool {
        let mut all = self.state.mailboxes.values();
        all.any(|known| has_use(known, special_use) && mailbox.is_none_or(|name| known.name == name))
    }
    fn seen_before(&self, id: &str) -> bool {
        self.remembered.contains(&hashed("duplicate", id))
    }
    fn script(&self, location: Location, name: &str) -> Option<Arc<Script>> {
        match location {
            Location::Personal => self.rules.included.get(name).cloned(),
            Location::Global => None,
        }
    }
}

/// The id as IMAP tells it (RFC 8474).
pub(super) fn mailbox_id(mailbox: &MailboxState) -> String {
    format!("M{}", mailbox.id.0)
}

pub(super) fn has_use(mailbox: &MailboxState, special_use: &str) -> bool {
    mailbox.special_use.is_some_and(|known| use_name(known).eq_ignore_ascii_case(special_use))
}

/// RFC 6154 §2.
pub(super) fn use_name(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    }
}
