//! What dkimpy and pyspf say of corpora made by `tests/oracles/make.py`, and what we say.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use yubin_base::UnixMs;
use yubin_filter::{
    HeaderSplit, Outcome,
    arc::ArcVerifier,
    spf::{SpfQuery, check_host},
};
use yubin_testkit::block_on;

use crate::{
    dkim::verify_in,
    zone::{Record, Zone},
};

/// Signatures of the corpus are made whenever it is made.
const LATER: UnixMs = UnixMs(4_000_000_000_000);

fn corpus() -> (Value, Zone) {
    let corpus: Value = serde_json::from_str(include_str!("../oracles/dkimpy.json")).unwrap();
    let mut zone = Zone::default();
    for (name, text) in corpus["zone"].as_object().unwrap() {
        zone = zone.txt(name, text.as_str().unwrap());
    }
    (corpus, zone)
}

fn message(case: &Value) -> Vec<u8> {
    STANDARD.decode(case["message"].as_str().unwrap()).unwrap()
}

#[test]
fn signatures_verify_for_us_as_for_dkimpy() {
    let (corpus, zone) = corpus();
    let cases = corpus["dkim"].as_array().unwrap();
    let (mut passes, mut parts, mut wrong) = (0, 0, Vec::new());
    for (number, case) in cases.iter().enumerate() {
        let message = message(case);
        let results = verify_in(&message, 1_000, &zone, LATER);
        let ours = results.first().map(|result| (result.outcome, result.reason));
        let theirs = case["pass"].as_bool().unwrap();
        passes += u32::from(theirs);
        // dkimpy lets l= cover a body that went on; for us it covers nothing then.
        let part = matches!(ours, Some((Outcome::Policy, _))) && case["length"].as_bool().unwrap() && theirs;
        parts += u32::from(part);
        if !part && (ours.map(|(outcome, _)| outcome) == Some(Outcome::Pass)) != theirs {
            wrong.push(format!("{number}: {ours:?}, dkimpy {theirs}\n{}", String::from_utf8_lossy(&message)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(cases.len() > 200 && passes > 100 && parts > 0, "{} {passes} {parts}", cases.len());
}

#[test]
fn chains_verify_for_us_as_for_dkimpy() {
    let (corpus, zone) = corpus();
    let cases = corpus["arc"].as_array().unwrap();
    let (mut passes, mut wrong) = (0, Vec::new());
    for (number, case) in cases.iter().enumerate() {
        let message = message(case);
        let mut header = HeaderSplit::default();
        let body = header.push(&message).unwrap();
        let mut verifier = ArcVerifier::new(header.block());
        body.chunks(100).for_each(|piece| verifier.push(piece));
        let ours = block_on(verifier.finish(header.block(), &zone, LATER));
        let theirs = case["cv"].as_str().unwrap();
        passes += u32::from(theirs == "pass");
        if ours.outcome.name() != theirs {
            wrong.push(format!(
                "{number}: {} {:?}, dkimpy {theirs}\n{}",
                ours.outcome,
                ours.reason,
                String::from_utf8_lossy(&message)
            ));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(cases.len() > 50 && passes > 5, "{} {passes}", cases.len());
}

#[test]
fn spf_says_for_us_what_it_says_for_pyspf() {
    let cases: Value = serde_json::from_str(include_str!("../oracles/pyspf.json")).unwrap();
    let cases = cases.as_array().unwrap();
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let mut zone = Zone::default().timeout("slow.test");
        for (name, records) in case["zone"].as_object().unwrap() {
            zone.add(name, Record::Nothing);
            for record in records.as_array().unwrap() {
                let text = || record[1].as_str().unwrap().to_owned();
                let record = match record[0].as_str().unwrap() {
                    "TXT" => Record::Txt(text().into_bytes()),
                    "A" | "AAAA" => Record::Address(text().parse().unwrap()),
                    "PTR" => Record::Ptr(text()),
                    _ => Record::Mx(10, record[1][1].as_str().unwrap().to_owned()),
                };
                zone.add(name, record);
            }
        }
        let query = SpfQuery {
            address: case["ip"].as_str().unwrap().parse().unwrap(),
            helo: case["helo"].as_str().unwrap(),
            sender: case["sender"].as_str().unwrap().split_once('@'),
            receiver: "",
            now: UnixMs(0),
        };
        let ours = block_on(check_host(&zone, query));
        let theirs = case["result"].as_str().unwrap();
        if ours.outcome.name() != theirs {
            wrong.push(format!("{number}: {} {:?}, pyspf {theirs}: {case}", ours.outcome, ours.reason));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n")
    );
    assert!(cases.len() > 500);
}
