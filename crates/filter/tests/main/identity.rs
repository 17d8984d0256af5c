//! Whole messages: DMARC with its walk, the author that counts, and the Authentication-Results field.

use std::sync::Arc;

use yubin_base::UnixMs;
use yubin_filter::{
    Arrival, Identity, IdentityCheck, Outcome,
    arc::ArcResult,
    dkim::{KeyKind, SignOptions, Signer, SigningKey},
    dmarc::{Identifiers, Policy, evaluate},
};
use yubin_testkit::block_on;

use crate::zone::Zone;

const NOW: UnixMs = UnixMs(1_790_000_000_000);

fn judge(zone: &Zone, address: &str, sender: Option<(&str, &str)>, message: &[u8]) -> Identity {
    let mut check = IdentityCheck::default();
    message.chunks(11).for_each(|piece| {
        check.push(piece).unwrap();
    });
    let arrival = Arrival {
        address: address.parse().unwrap(),
        helo: "out.example.test",
        sender,
        receiver: "mx.home.test",
        now: NOW,
    };
    block_on(check.finish(zone, arrival))
}

fn dmarc(zone: &Zone, author: &str, dkim: &[&str], spf: Option<&str>) -> (Outcome, Policy, String) {
    let proved = Identifiers {
        dkim: dkim.iter().map(|name| (*name).to_owned()).collect(),
        spf: spf.map(str::to_owned),
        undecided: Vec::new(),
    };
    let result = block_on(evaluate(zone, author, &proved));
    (result.outcome, result.policy, result.organisation)
}

#[test]
fn the_walk_finds_policy_and_organisation() {
    use Outcome::{Fail, None as No, Pass, TempError};
    use Policy::{None as Nothing, Quarantine, Reject};
    let zone = Zone::default()
        .txt("_dmarc.example.test", "v=DMARC1; p=reject; sp=quarantine; np=reject")
        .txt("_dmarc.own.example.test", "v=DMARC1; p=none")
        .txt("_dmarc.unit.example.test", "v=DMARC1; p=reject; psd=n")
        .txt("_dmarc.suffix.test", "v=DMARC1; p=reject; psd=y")
        .txt("_dmarc.strict.test", "v=DMARC1; p=reject; adkim=s; aspf=s")
        .txt("_dmarc.trying.test", "v=DMARC1; p=reject; t=y")
        .txt("_dmarc.old.test", "v=DMARC1; p=quarantine; pct=0")
        .txt("_dmarc.twice.test", "v=DMARC1; p=reject")
        .txt("_dmarc.twice.test", "v=DMARC1; p=none")
        .timeout("_dmarc.slow.test")
        .address("mail.example.test", "192.0.2.1");
    for (author, dkim, spf, expected, organisation) in [
        ("example.test", &["example.test"][..], None, (Pass, Nothing), "example.test"),
        ("example.test", &["news.example.test"], None, (Pass, Nothing), "example.test"),
        ("mail.example.test", &[], Some("bounce.example.test"), (Pass, Nothing), "example.test"),
        (
            "example.test",
            &["example.test.evil.test", "notexample.test", "test"],
            Some("evil.test"),
            (Fail, Reject),
            "example.test",
        ),
        // A subdomain that is there, and one that is not.
        ("mail.example.test", &[], None, (Fail, Quarantine), "example.test"),
        ("ghost.example.test", &[], None, (Fail, Reject), "example.test"),
        // Its own record counts; the organisation is still the parent.
        ("own.example.test", &["example.test"], None, (Pass, Nothing), "example.test"),
        ("own.example.test", &[], None, (Fail, Nothing), "example.test"),
        // psd=n makes an organisation of its own.
        ("unit.example.test", &["example.test"], None, (Fail, Reject), "unit.example.test"),
        ("a.unit.example.test", &["b.unit.example.test"], None, (Pass, Nothing), "unit.example.test"),
        // psd=y: organisations begin one label below, and the suffix's own policy is for those without one.
        ("a.org.suffix.test", &["b.org.suffix.test"], None, (Pass, Nothing), "org.suffix.test"),
        ("org.suffix.test", &["other.suffix.test"], None, (Fail, Reject), "org.suffix.test"),
        ("strict.test", &["a.strict.test"], Some("b.strict.test"), (Fail, Reject), "strict.test"),
        ("strict.test", &[], Some("strict.test"), (Pass, Nothing), "strict.test"),
        ("trying.test", &[], None, (Fail, Quarantine), "trying.test"),
        ("old.test", &[], None, (Fail, Nothing), "old.test"),
        ("twice.test", &[], None, (No, Nothing), "twice.test"),
        ("none.test", &["none.test"], None, (No, Nothing), "none.test"),
        ("slow.test", &["slow.test"], None, (TempError, Nothing), "slow.test"),
    ] {
        let (outcome, policy, found) = dmarc(&zone, author, dkim, spf);
        assert_eq!(
            ((outcome, policy), found.as_str()),
            (expected, organisation),
            "{author} {dkim:?} {spf:?}"
        );
    }
}

/// A zone with everything right, and a message that is signed.
fn good() -> (Zone, Vec<u8>) {
    let key = SigningKey::generate(KeyKind::Ed25519).unwrap();
    let key = Arc::new(SigningKey::from_der("example.test", "s1", &key).unwrap());
    let zone = Zone::default()
        .txt(&key.record_name(), &key.record_text().unwrap())
        .txt("example.test", "v=spf1 ip4:192.0.2.7 -all")
        .txt("out.example.test", "v=spf1 a -all")
        .txt("_dmarc.example.test", "v=DMARC1; p=reject")
        .ptr("192.0.2.7", "out.example.test")
        .address("out.example.test", "192.0.2.7");
    let message = b"From: Ann <ann@example.test>\r\nSubject: x\r\n\r\nHello.\r\n";
    let mut signer = Signer::new(vec![key], SignOptions::default());
    signer.push(message).unwrap();
    let mut signed = signer.finish(NOW).unwrap();
    signed.extend_from_slice(message);
    (zone, signed)
}

#[test]
fn everything_that_was_found_stands_in_one_field() {
    let (zone, message) = good();
    let identity = judge(&zone, "192.0.2.7", Some(("bounce", "example.test")), &message);
    assert!(identity.sender_is_proved());
    assert_eq!(identity.requested(), Policy::None);
    let b = identity.dkim[0].b.clone();
    let b = if b.contains('=') { format!("\"{b}\"") } else { b };
    assert_eq!(
        String::from_utf8(identity.authentication_results("mx.home.test")).unwrap(),
        format!(
            "Authentication-Results: mx.home.test;\r\n\
             \tiprev=pass (out.example.test) policy.iprev=192.0.2.7;\r\n\
             \tspf=pass smtp.mailfrom=example.test;\r\n\
             \tspf=pass smtp.helo=out.example.test;\r\n\
             \tdmarc=pass (p=reject) header.from=example.test;\r\n\
             \tdkim=pass header.d=example.test header.s=s1 header.a=ed25519-sha256 header.b={b}\r\n"
        )
    );
    // From elsewhere, and changed: nothing is left of it.
    let changed = String::from_utf8(message).unwrap().replace("Hello", "Pay me");
    let identity = judge(&zone, "198.51.100.9", Some(("bounce", "example.test")), changed.as_bytes());
    assert_eq!(identity.requested(), Policy::Reject);
    assert!(!identity.sender_is_proved());
    let field = String::from_utf8(identity.authentication_results("mx.home.test")).unwrap();
    assert!(field.contains("iprev=permerror policy.iprev=198.51.100.9"), "{field}");
    assert!(field.contains("spf=fail smtp.mailfrom=example.test") && field.contains("dmarc=fail (p=reject)"));
    assert!(field.contains("dkim=fail (body was changed)"));
}

#[test]
fn without_dns_nothing_is_asked_for() {
    let (_, message) = good();
    let mut check = IdentityCheck::default();
    check.push(&message).unwrap();
    let arrival = Arrival {
        address: "192.0.2.7".parse().unwrap(),
        helo: "x",
        sender: Some(("a", "example.test")),
        receiver: "mx.home.test",
        now: NOW,
    };
    let identity = block_on(check.finish(&yubin_base::dns::AnyResolver::none(), arrival));
    assert_eq!(identity.requested(), Policy::None);
    assert_eq!(identity.spf.outcome, Outcome::TempError);
    assert_eq!(identity.dkim[0].outcome, Outcome::TempError);
    assert_eq!(identity.dmarc.unwrap().outcome, Outcome::TempError);
    assert_eq!(identity.iprev.outcome, Outcome::TempError);
}

#[test]
fn only_the_silence_of_the_authors_own_dns_excuses() {
    let zone = Zone::default().txt("_dmarc.example.test", "v=DMARC1; p=reject");
    for (undecided, expected) in [
        ("example.test", (Outcome::TempError, Policy::None)),
        ("news.example.test", (Outcome::TempError, Policy::None)),
        ("evil.test", (Outcome::Fail, Policy::Reject)),
    ] {
        let proved = Identifiers { undecided: vec![undecided.to_owned()], ..Identifiers::default() };
        let result = block_on(evaluate(&zone, "example.test", &proved));
        assert_eq!((result.outcome, result.policy), expected, "{undecided}");
    }
    // The key cannot be had, the policy can: nothing is held against the message.
    let (_, message) = good();
    let zone = zone.txt("example.test", "v=spf1 -all").timeout("s1._domainkey.example.test");
    let identity = judge(&zone, "198.51.100.9", Some(("a", "example.test")), &message);
    assert_eq!(identity.dmarc.as_ref().unwrap().outcome, Outcome::TempError);
    assert_eq!(identity.requested(), Policy::None);
}

/// "Composition Kills": what one part takes for another's word. Each form must not pass for example.test.
#[test]
fn confusions_of_senders_never_pass() {
    let (zone, _) = good();
    let zone =
        zone.txt("evil.test", "v=spf1 ip4:198.51.100.9 -all").txt("_dmarc.evil.test", "v=DMARC1; p=none");
    for (sender, from) in [
        // HELO or MAIL of the attacker, From of the victim.
        (Some(("a", "evil.test")), "From: ann@example.test"),
        (None, "From: ann@example.test"),
        // A sender below the victim that does not exist.
        (Some(("a", "ghost.example.test")), "From: ann@example.test"),
        // Syntax that some read as the victim's domain.
        (Some(("a", "evil.test(.example.test")), "From: ann@example.test"),
        (Some(("a", "evil.test\0.example.test")), "From: ann@example.test"),
        (Some(("any@evil.test'", "example.test")), "From: ann@example.test"),
    ] {
        let message = format!("{from}\r\nSubject: x\r\n\r\nHi\r\n");
        let identity = judge(&zone, "198.51.100.9", sender, message.as_bytes());
        assert_ne!(identity.dmarc.as_ref().unwrap().outcome, Outcome::Pass, "{sender:?} {from}");
        let field = String::from_utf8(identity.authentication_results("mx.home.test")).unwrap();
        assert!(!field.contains("dmarc=pass"), "{field}");
        assert!(field.matches("\r\n").count() == field.matches("\r\n\t").count() + 1, "{field:?}");
    }
    // An attacker's words in a domain stay inside quotes.
    let sender = Some(("a", "evil.test; dmarc=pass header.from=example.test"));
    let identity = judge(&zone, "198.51.100.9", sender, b"From: ann@example.test\r\n\r\n");
    let field = String::from_utf8(identity.authentication_results("mx.home.test")).unwrap();
    assert!(field.contains("smtp.mailfrom=\"evil.test; dmarc=pass header.from=example.test\""), "{field}");
}

#[test]
fn a_message_without_one_author_has_no_dmarc() {
    let (zone, _) = good();
    for header in
        ["", "From: a@example.test\r\nFrom: b@evil.test\r\n", "From: a@example.test, b@evil.test\r\n"]
    {
        let message = format!("{header}Subject: x\r\n\r\n");
        let identity = judge(&zone, "192.0.2.7", Some(("a", "example.test")), message.as_bytes());
        assert!(identity.author.is_err() && identity.dmarc.is_none());
        let field = String::from_utf8(identity.authentication_results("mx.home.test")).unwrap();
        assert!(field.contains("dmarc=permerror ("), "{field}");
    }
}

#[test]
fn only_chains_of_trusted_sealers_speak_for_an_author() {
    let chain = |outcome, sealers: &[&str], results: &str| ArcResult {
        outcome,
        reason: None,
        sealers: sealers.iter().map(|name| (*name).to_owned()).collect(),
        first_results: results.as_bytes().to_vec(),
    };
    let trusted = ["list.test".to_owned(), "forward.test".to_owned()];
    let pass = " list.test; spf=pass; dmarc=pass header.from=example.test";
    assert!(chain(Outcome::Pass, &["list.test", "forward.test"], pass).is_trusted(&trusted));
    assert!(!chain(Outcome::Pass, &["list.test", "evil.test"], pass).is_trusted(&trusted));
    assert!(!chain(Outcome::Fail, &["list.test"], pass).is_trusted(&trusted));
    assert!(!chain(Outcome::Pass, &[], pass).is_trusted(&trusted));
    let saw = |results| chain(Outcome::Pass, &["list.test"], results).saw_dmarc_pass("example.test");
    assert!(saw(pass));
    assert!(!saw(" list.test; dmarc=pass header.from=other.test"));
    assert!(!saw(" list.test; dmarc=fail header.from=example.test"));
    assert!(!saw(" list.test; spf=pass smtp.mailfrom=dmarc=pass header.from=example.test"));
}
