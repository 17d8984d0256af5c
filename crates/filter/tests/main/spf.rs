//! The openspf test suite for RFC 7208 (see tests/spf/LICENSE), and cases of our own.

use std::collections::BTreeMap;

use serde_json::Value;
use yubin_base::UnixMs;
use yubin_filter::{
    Outcome,
    spf::{SpfQuery, SpfResult, check_host},
};
use yubin_testkit::block_on;

use crate::zone::{Record, Zone};

/// One character of the fixture's text is one octet.
fn octets(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

fn text_of(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => octets(text),
        Value::Array(parts) => parts.iter().flat_map(text_of).collect(),
        other => panic!("{other}"),
    }
}

/// SPF records of the suite stand for TXT records, unless the name has TXT records of its own.
fn load(data: &Value) -> Zone {
    let mut zone = Zone::default();
    let mut aliases: BTreeMap<String, String> = BTreeMap::new();
    for (name, records) in data.as_object().unwrap() {
        let records = records.as_array().unwrap();
        let own_txt = records.iter().any(|record| record.get("TXT").is_some());
        for record in records {
            let Some(object) = record.as_object() else {
                assert_eq!(record, "TIMEOUT");
                zone.add(name, Record::Timeout);
                continue;
            };
            for (kind, value) in object {
                let none = value == "NONE";
                match kind.as_str() {
                    "TXT" if !none => _ = zone.add(name, Record::Txt(text_of(value))),
                    "SPF" if !none && !own_txt => _ = zone.add(name, Record::Txt(text_of(value))),
                    "TXT" | "SPF" => _ = zone.add(name, Record::Nothing),
                    "A" | "AAAA" => {
                        _ = zone.add(name, Record::Address(value.as_str().unwrap().parse().unwrap()));
                    }
                    "MX" => {
                        let preference = value[0].as_u64().unwrap() as u16;
                        _ = zone.add(name, Record::Mx(preference, value[1].as_str().unwrap().into()));
                    }
                    "PTR" => _ = zone.add(name, Record::Ptr(value.as_str().unwrap().into())),
                    "CNAME" => _ = aliases.insert(name.clone(), value.as_str().unwrap().into()),
                    other => panic!("{other}"),
                }
            }
        }
    }
    for (name, target) in aliases {
        zone.alias(&name, &target);
    }
    zone
}

fn query(zone: &Zone, host: &str, helo: &str, mailfrom: &str) -> SpfResult {
    let sender = mailfrom.rsplit_once('@').or((!mailfrom.is_empty()).then_some(("", mailfrom)));
    let query = SpfQuery { address: host.parse().unwrap(), helo, sender, receiver: "", now: UnixMs(0) };
    block_on(check_host(zone, query))
}

#[test]
fn the_openspf_suite() {
    let suite: Value = serde_json::from_str(include_str!("../spf/rfc7208-tests.json")).unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for scenario in suite.as_array().unwrap() {
        let zone = load(&scenario["zonedata"]);
        for (id, test) in scenario["tests"].as_object().unwrap() {
            count += 1;
            let field = |name: &str| test[name].as_str().unwrap_or_default();
            let result = query(&zone, field("host"), field("helo"), field("mailfrom"));
            let expected: Vec<&str> = match &test["result"] {
                Value::String(one) => vec![one],
                Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
                other => panic!("{id}: {other}"),
            };
            if !expected.contains(&result.outcome.name()) {
                wrong.push(format!("{id}: {expected:?}, not {} ({:?})", result.outcome, result.reason));
            }
            if let Some(explanation) = test["explanation"].as_str() {
                let said = result.explanation.as_deref().unwrap_or("DEFAULT");
                if said != explanation {
                    wrong.push(format!("{id}: {explanation:?}, not {said:?}"));
                }
            }
        }
    }
    assert_eq!((count, wrong), (203, Vec::<String>::new()));
}

#[test]
fn the_null_sender_is_checked_by_its_helo_name() {
    let zone = Zone::default().txt("mail.example.test", "v=spf1 ip4:192.0.2.1 -all");
    assert_eq!(query(&zone, "192.0.2.1", "mail.example.test", "").outcome, Outcome::Pass);
    assert_eq!(query(&zone, "::ffff:192.0.2.1", "mail.example.test", "").outcome, Outcome::Pass);
    assert_eq!(query(&zone, "192.0.2.2", "mail.example.test", "").outcome, Outcome::Fail);
    assert_eq!(query(&zone, "192.0.2.2", "[192.0.2.2]", "").outcome, Outcome::None);
}

#[test]
fn loops_and_bombs_end_in_permerror() {
    let zone = Zone::default()
        .txt("loop.test", "v=spf1 include:loop.test -all")
        .txt("round.test", "v=spf1 redirect=round.test")
        .txt("big.test", &format!("v=spf1 {}", "ip4:192.0.2.1 ".repeat(2_000)))
        .txt("wide.test", &format!("v=spf1 exists:%{{l}}{}.x.test -all", "%{l}".repeat(200)));
    for name in ["loop.test", "round.test", "big.test"] {
        assert_eq!(
            query(&zone, "192.0.2.9", "h.test", &format!("a@{name}")).outcome,
            Outcome::PermError,
            "{name}"
        );
    }
    let long = format!("{}@wide.test", "x".repeat(4_000));
    assert_eq!(query(&zone, "192.0.2.9", "h.test", &long).outcome, Outcome::Fail);
}
