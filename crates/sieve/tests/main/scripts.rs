//! Scripts on messages, as data: `tests/scripts/*.txt`. One file an area, one case a rule.
//!
//! ```text
//! === what it shows            a case; its script follows
//! @ from ann@example.test      the scene: from, to, spam, virus, mailbox, use, id, seen, environment
//! --- message                  another message than the file's first
//! --- script NAME              a script to include
//! -->                          what comes of it, one deed a line
//! ```
use std::{collections::BTreeMap, path::Path, sync::Arc};

use yubin_base::{Address, UnixMs};
use yubin_formats::mail;
use yubin_sieve::{Body, BodyPart, Deed, Location, Outcome, Scene, Script, World, compile, run};

#[derive(Clone, Default)]
struct Case {
    title: String,
    settings: Vec<(String, String)>,
    script: String,
    message: String,
    included: BTreeMap<String, String>,
    expected: Vec<String>,
}

#[test]
fn scripts_do_what_their_rfcs_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut count, mut wrong) = (0, Vec::new());
    for file in files {
        let cases = cases(&std::fs::read_to_string(&file).unwrap());
        assert!(!cases.is_empty(), "{} has no case", file.display());
        for case in cases {
            count += 1;
            let found = play(&case);
            if found != case.expected {
                wrong.push(format!(
                    "{}: {}\n  wanted {:#?}\n  found {found:#?}",
                    file.file_name().unwrap().display(),
                    case.title,
                    case.expected
                ));
            }
        }
    }
    assert!(count >= 150, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut common = Case::default();
    let mut section = String::new();
    for line in text.lines() {
        let case = cases.last_mut().unwrap_or(&mut common);
        if let Some(title) = line.strip_prefix("=== ") {
            cases.push(Case { title: title.to_owned(), message: common.message.clone(), ..Case::default() });
            section = "code".into();
        } else if line == "--- message" {
            case.message.clear();
            section = "message".into();
        } else if let Some(name) = line.strip_prefix("--- script ") {
            section = format!("script {name}");
        } else if line == "-->" {
            section = "expected".into();
        } else if let Some(setting) = line.strip_prefix("@ ") {
            let (name, value) = setting.split_once(' ').unwrap_or((setting, ""));
            case.settings.push((name.into(), value.into()));
        } else {
            match section.as_str() {
                "message" => case.message.push_str(&format!("{line}\r\n")),
                "expected" if line.trim().is_empty() => {}
                "expected" => case.expected.push(line.to_owned()),
                "code" => case.script.push_str(&format!("{line}\n")),
                other => {
                    if let Some(name) = other.strip_prefix("script ") {
                        case.included.entry(name.to_owned()).or_default().push_str(&format!("{line}\n"));
                    }
                }
            }
        }
    }
    cases
}

fn play(case: &Case) -> Vec<String> {
    let script = match compile(&case.script) {
        Ok(script) => Arc::new(script),
        Err(error) => return vec![format!("refused {}:{} {}", error.at.line, error.at.column, error.text)],
    };
    let all =
        |name: &str| case.settings.iter().filter(|s| s.0 == name).map(|s| s.1.clone()).collect::<Vec<_>>();
    let one = |name: &str| all(name).pop();
    let message = case.message.as_bytes();
    let end = case.message.find("\r\n\r\n").map_or(message.len(), |at| at + 4);
    let from = one("from").unwrap_or_else(|| "ann@example.test".into());
    let from = Address::parse_plain(&from);
    let to = Address::parse_plain(&one("to").unwrap_or_else(|| "bob+list@example.test".into())).unwrap();
    let pairs: Vec<(String, String)> = all("environment")
        .iter()
        .map(|pair| pair.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap())
        .collect();
    let environment: Vec<(&str, String)> = pairs.iter().map(|(a, b)| (a.as_str(), b.clone())).collect();
    let included = |(name, text): (&String, &String)| (name.clone(), Arc::new(compile(text).expect(name)));
    let world = Account {
        mailboxes: all("mailbox"),
        ids: all("id"),
        uses: all("use"),
        seen: all("seen"),
        scripts: case.included.iter().map(included).collect(),
    };
    let scene = Scene {
        header: &message[..end],
        octets: message.len() as u64,
        body: &body(message, end),
        envelope_from: from.as_ref(),
        envelope_to: &to,
        // Wed, 25 Nov 2026 13:00:00 +0000
        now: UnixMs(1_795_611_600_000),
        zone_minutes: 540,
        environment: &environment,
        spam_percent: one("spam").map(|score| score.parse().unwrap()),
        virus: one("virus").map(|score| score.parse().unwrap()),
        world: &world,
    };
    told(&run(&script, &scene))
}

fn body(message: &[u8], end: usize) -> Body {
    let parsed = mail::parse(message);
    let structure = mail::Structure::from(&parsed);
    let leaves = structure.leaves();
    let parts = leaves.iter().map(|part| BodyPart {
        content_type: format!("{}/{}", part.main, part.sub),
        text: mail::decode_text(part, &message[part.body_start as usize..part.body_end as usize], 1 << 20),
    });
    Body { raw: String::from_utf8_lossy(&message[end..]).into_owned(), parts: parts.collect() }
}

struct Account {
    mailboxes: Vec<String>,
    ids: Vec<String>,
    uses: Vec<String>,
    seen: Vec<String>,
    scripts: BTreeMap<String, Arc<Script>>,
}

impl World for Account {
    fn mailbox_exists(&self, name: &str) -> bool {
        self.mailboxes.iter().any(|mailbox| mailbox == name)
    }
    fn mailbox_id_exists(&self, id: &str) -> bool {
        self.ids.iter().any(|known| known == id)
    }
    fn special_use_exists(&self, mailbox: Option<&str>, special_use: &str) -> bool {
        // As in `Junk=\Junk`.
        self.uses.iter().filter_map(|pair| pair.split_once('=')).any(|(name, known)| {
            known.eq_ignore_ascii_case(special_use) && mailbox.is_none_or(|mailbox| mailbox == name)
        })
    }
    fn seen_before(&self, id: &str) -> bool {
        self.seen.iter().any(|seen| seen.replace('|', "\0") == id)
    }
    fn script(&self, location: Location, name: &str) -> Option<Arc<Script>> {
        self.scripts
            .get(&match location {
                Location::Personal => name.to_owned(),
                Location::Global => format!("global/{name}"),
            })
            .cloned()
    }
}

fn told(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(error) = &outcome.error {
        lines.push(format!("failed {}: {}", error.line, error.text));
    }
    let with = |flags: &[String]| flags.iter().map(|flag| format!(" {flag}")).collect::<String>();
    for deed in &outcome.deeds {
        lines.push(match deed {
            Deed::Keep { flags, implicit: true } => format!("implicit keep{}", with(flags)),
            Deed::Keep { flags, implicit: false } => format!("keep{}", with(flags)),
            Deed::FileInto(deed) => {
                let mut line = format!("fileinto {}{}", deed.mailbox, with(&deed.flags));
                line.push_str(if deed.create { " create" } else { "" });
                line.extend(deed.special_use.iter().map(|r#use| format!(" use {use}")));
                line.extend(deed.mailbox_id.iter().map(|id| format!(" id {id}")));
                line
            }
            Deed::Redirect { address } => format!("redirect {address}"),
            Deed::Reject { reason, extended: false } => format!("reject {reason:?}"),
            Deed::Reject { reason, extended: true } => format!("ereject {reason:?}"),
            Deed::Vacation(deed) => {
                let mut line = format!("vacation {} s", deed.seconds);
                line.extend(deed.subject.iter().map(|subject| format!(" subject {subject:?}")));
                line.extend(deed.from.iter().map(|from| format!(" from {from:?}")));
                line.extend(deed.addresses.iter().map(|address| format!(" also {address}")));
                line.push_str(if deed.mime { " mime" } else { "" });
                line + &format!(" text {:?}", deed.reason)
            }
        });
    }
    if outcome.deeds.is_empty() {
        lines.push("dropped".into());
    }
    for tracked in &outcome.tracked {
        lines.push(format!("tracked {} {} s", tracked.id.replace('\0', "|"), tracked.seconds));
    }
    if let Some(header) = &outcome.header {
        lines.extend(String::from_utf8_lossy(header).lines().map(|line| format!("| {line}")));
    }
    lines
}
