//! RFC 8463 appendix A, signatures that Exim made, and our own signer against our verifier.

use std::sync::Arc;

use yubin_base::UnixMs;
use yubin_filter::{
    Outcome,
    dkim::{
        Canonicalization, DkimResult, Form, KeyKind, SignError, SignOptions, Signer, SigningKey, Verifier,
    },
};
use yubin_testkit::block_on;

use crate::zone::Zone;

const NOW: UnixMs = UnixMs(1_790_000_000_000);

/// RFC 8463 §A.3.
const RFC_8463: &str = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
";

fn football() -> Zone {
    Zone::default()
        .txt("brisbane._domainkey.football.example.com", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
        .txt("test._domainkey.football.example.com", "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB")
}

pub fn crlf(text: &str) -> Vec<u8> {
    text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}

/// Verifies a message in pieces of this size.
pub fn verify_in(message: &[u8], piece: usize, zone: &Zone, now: UnixMs) -> Vec<DkimResult> {
    let at = message.windows(4).position(|w| w == b"\r\n\r\n").map_or(message.len(), |at| at + 2);
    let (header, body) = message.split_at(at);
    let body = body.strip_prefix(b"\r\n").unwrap_or(body);
    let (mut verifier, mut results) = Verifier::new(header, None);
    body.chunks(piece).for_each(|piece| verifier.push(piece));
    results.extend(block_on(verifier.finish(header, zone, now)));
    results
}

fn verify(message: &[u8], zone: &Zone) -> Vec<DkimResult> {
    verify_in(message, 4_096, zone, NOW)
}

fn outcomes(results: &[DkimResult]) -> Vec<(Outcome, &str)> {
    results.iter().map(|result| (result.outcome, result.reason.unwrap_or(""))).collect()
}

#[test]
fn the_example_of_rfc_8463_verifies_in_any_cut() {
    let message = crlf(RFC_8463);
    for piece in [1, 2, 3, 7, 1_000] {
        let results = verify_in(&message, piece, &football(), NOW);
        assert_eq!(outcomes(&results), [(Outcome::Pass, ""), (Outcome::Pass, "")]);
        assert_eq!(results[0].domain.as_deref(), Some("football.example.com"));
        assert_eq!(results[1].selector.as_deref(), Some("test"));
        assert_eq!(results[1].b, "F45dVWDf");
    }
}

#[test]
fn a_signature_made_by_exim_verifies() {
    // From dkimpy's tests (zlib licence), made by Exim.
    let message = crlf(
        "DKIM-Signature: v=1; a=ed25519-sha256; q=dns/txt; c=relaxed/relaxed; d=test.ex
\t; s=sed; h=From:To:Subject; bh=/Ab0giHZitYQbDhFszoqQRUkgqueaX9zatJttIU/plc=;
\t b=5fhyD3EILDrnL4DnkD4hDaeis7+GSzL9GMHrhIDZJjuJ00WD5iI8SQ1q9rDfzFL/Kdw0VIyB4R
\tDq0a4H6HI+Bw==;
Received: from jgh by myhost.test.ex with local (Exim x.yz)
\tenvelope-from <jgh@myhost.test.ex>)
\t 1dtXln-0000YP-Hb
\t a@test.ex; Sun, 17 Sep 2017 12:29:51 +0100
From: nobody@example.com
Message-Id: <E1dtXln-0000YP-Hb@myhost.test.ex>
Sender: CALLER_NAME <jgh@myhost.test.ex>
Date: Sun, 17 Sep 2017 12:29:51 +0100

content
",
    );
    let zone = Zone::default()
        .txt("sed._domainkey.test.ex", "v=DKIM1; k=ed25519; p=sPs07Vu29FpHT/80UXUcYHFOHifD4o2ZlP2+XUh9g6E=");
    assert_eq!(outcomes(&verify(&message, &zone)), [(Outcome::Pass, "")]);
}

/// Both kinds of key for one domain, and the zone that shows them.
fn keys() -> (Vec<Arc<SigningKey>>, Zone) {
    let mut zone = Zone::default();
    let mut all = Vec::new();
    for (kind, selector) in [(KeyKind::Rsa, "r2026"), (KeyKind::Ed25519, "e2026")] {
        let der = SigningKey::generate(kind).unwrap();
        let key = SigningKey::from_der("Example.test", selector, &der).unwrap();
        assert_eq!(key.kind(), kind);
        assert_eq!(key.record_name(), format!("{selector}._domainkey.example.test"));
        zone = zone.txt(&key.record_name(), &key.record_text().unwrap());
        all.push(Arc::new(key));
    }
    (all, zone)
}

const MESSAGE: &str = "Received: from somewhere
From: Ann <ann@example.test>
To: bob@elsewhere.test,
 carol@elsewhere.test
Subject:  a  \t b
Date: Mon, 21 Sep 2026 14:13:20 +0000
List-Id: <list.example.test>

Hello.  \t
 two  words

\t

";

fn sign(keys: &[Arc<SigningKey>], form: Canonicalization, message: &[u8], piece: usize) -> Vec<u8> {
    let options = SignOptions { canonicalization: form, ..SignOptions::default() };
    let mut signer = Signer::new(keys.to_vec(), options);
    message.chunks(piece).for_each(|piece| signer.push(piece).unwrap());
    let mut signed = signer.finish(NOW).unwrap();
    signed.extend_from_slice(message);
    signed
}

#[test]
fn both_kinds_of_key_sign_at_once_in_every_form_and_cut() {
    let (keys, zone) = keys();
    for header in [Form::Simple, Form::Relaxed] {
        for body in [Form::Simple, Form::Relaxed] {
            for piece in [1, 5, 1_000] {
                let signed = sign(&keys, Canonicalization { header, body }, &crlf(MESSAGE), piece);
                let results = verify(&signed, &zone);
                assert_eq!(outcomes(&results), [(Outcome::Pass, ""); 2], "{header} {body} {piece}");
            }
        }
    }
}

#[test]
fn our_signatures_are_folded_oversigned_and_expire() {
    let (keys, zone) = keys();
    let signed = sign(&keys, Canonicalization::RELAXED, &crlf(MESSAGE), 100);
    let text = String::from_utf8(signed.clone()).unwrap();
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    let head = text.split("\tbh=").next().unwrap();
    let names = head.split("h=").nth(1).unwrap().replace("\r\n\t ", "").replace(";\r\n", "");
    assert_eq!(
        names,
        "From:From:To:To:Subject:Subject:Date:Date:Reply-To:Cc:Message-ID:MIME-Version:Content-Type:\
         Content-Transfer-Encoding:Content-Disposition:Content-ID:In-Reply-To:References:List-Id:List-Id"
    );
    assert!(head.contains("t=1790000000; x=1790604800;"));
    // Another field of any signed name, above or below, breaks it; one that is not signed does not.
    for (added, expected) in [
        ("From: eve@evil.test\r\n", Outcome::Fail),
        ("Subject: other\r\n", Outcome::Fail),
        ("Reply-To: eve@evil.test\r\n", Outcome::Fail),
        ("Content-Type: text/html\r\n", Outcome::Fail),
        ("List-Id: <other>\r\n", Outcome::Fail),
        ("List-Unsubscribe: <https://x>\r\n", Outcome::Pass),
        ("X-Other: y\r\n", Outcome::Pass),
    ] {
        let mut changed = added.as_bytes().to_vec();
        changed.extend_from_slice(&signed);
        assert_eq!(verify(&changed, &zone)[0].outcome, expected, "{added} above");
        let changed = text.replacen("\r\n\r\n", &format!("\r\n{added}\r\n"), 1);
        assert_eq!(verify(changed.as_bytes(), &zone)[0].outcome, expected, "{added} below");
    }
    let week = 7 * 86_400_000;
    assert_eq!(verify_in(&signed, 100, &zone, NOW.plus_ms(week))[0].outcome, Outcome::Pass);
    let late = verify_in(&signed, 100, &zone, NOW.plus_ms(week + 1_000));
    assert_eq!(outcomes(&late), [(Outcome::Fail, "signature expired"); 2]);
    let early = verify_in(&signed, 100, &zone, UnixMs(NOW.0 - 3_700_000));
    assert_eq!(early[0].reason, Some("signed in the future"));
}

#[test]
fn changes_are_seen_and_forgiven_ones_are_not() {
    let (keys, zone) = keys();
    let signed = String::from_utf8(sign(&keys, Canonicalization::RELAXED, &crlf(MESSAGE), 100)).unwrap();
    for (from, to, expected) in [
        ("two  words", "two words", Outcome::Pass),
        ("Subject:  a  \t b", "SUBJECT: a b", Outcome::Pass),
        ("two  words", "twowords", Outcome::Fail),
        ("Hello.", "Hallo.", Outcome::Fail),
        ("carol@", "eve@", Outcome::Fail),
        ("d=example.test", "d=mple.test", Outcome::PermError),
    ] {
        let changed = signed.replace(from, to);
        assert_ne!(changed, signed, "{from}");
        assert_eq!(verify(changed.as_bytes(), &zone)[0].outcome, expected, "{from} -> {to}");
    }
    assert_eq!(verify(format!("{signed}\r\n\r\n").as_bytes(), &zone)[0].outcome, Outcome::Pass);
    assert_eq!(verify(format!("{signed}more\r\n").as_bytes(), &zone)[0].outcome, Outcome::Fail);
    // The zone says otherwise.
    let name = keys[0].record_name();
    for (zone, expected) in [
        (Zone::default(), (Outcome::PermError, "no key")),
        (Zone::default().timeout(&name), (Outcome::TempError, "no answer about the key")),
        (Zone::default().txt(&name, "v=DKIM1; p="), (Outcome::PermError, "key revoked")),
        (
            Zone::default().txt(&name, &keys[1].record_text().unwrap()),
            (Outcome::PermError, "key is of another kind"),
        ),
        (
            Zone::default().txt(&name, &format!("{}; h=sha1", keys[0].record_text().unwrap())),
            (Outcome::PermError, "key does not allow SHA-256"),
        ),
        (
            Zone::default().txt(&name, &format!("{}; t=y", keys[0].record_text().unwrap())),
            (Outcome::Pass, "domain tests DKIM"),
        ),
        (
            Zone::default().txt(&name, "unrelated").txt(&name, &keys[0].record_text().unwrap()),
            (Outcome::Pass, ""),
        ),
    ] {
        assert_eq!(outcomes(&verify(signed.as_bytes(), &zone))[0], expected);
    }
}

#[test]
fn a_part_of_a_body_is_never_the_body() {
    // Signed by a key of RFC 8463 over the first line only; anything may follow.
    let (keys, zone) = keys();
    let message = crlf("From: ann@example.test\n\nshort\n");
    let signed = String::from_utf8(sign(&keys[1..], Canonicalization::RELAXED, &message, 100)).unwrap();
    // l= must be signed too, so it cannot be added afterwards.
    let added = signed.replace("bh=", "l=7; bh=");
    assert_eq!(verify(added.as_bytes(), &zone)[0].outcome, Outcome::Fail);
    for (octets, expected) in [
        (7, (Outcome::Fail, "header was changed, or the key is another")),
        (8, (Outcome::Fail, "l= says more than there is")),
    ] {
        let added = signed.replace("bh=", &format!("l={octets}; bh="));
        assert_eq!(outcomes(&verify(added.as_bytes(), &zone))[0], expected);
    }
}

#[test]
fn five_hundred_signatures_cost_no_more_than_a_few() {
    let (keys, zone) = keys();
    let signed = String::from_utf8(sign(&keys, Canonicalization::RELAXED, &crlf(MESSAGE), 100)).unwrap();
    let junk = "DKIM-Signature: v=1; a=rsa-sha256; d=junk.test; s=x; h=From; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n";
    let mut message = junk.repeat(10).into_bytes();
    message.extend_from_slice(signed.as_bytes());
    let at = signed.find("\r\n\r\n").unwrap() + junk.len() * 10 + 2;
    let (header, body) = message.split_at(at);
    let (mut verifier, _) = Verifier::new(header, Some("example.test"));
    verifier.push(&body[2..]);
    let results = block_on(verifier.finish(header, &zone, NOW));
    assert_eq!(results.len(), 5);
    // The author's own come first.
    assert_eq!(outcomes(&results)[..2], [(Outcome::Pass, ""); 2]);
    assert_eq!(verify(junk.repeat(500).as_bytes(), &zone).len(), 5);
}

#[test]
fn sha_1_and_broken_signatures_are_named() {
    let zone = Zone::default();
    let check = |value: &str| {
        let message = format!("DKIM-Signature: {value}\r\nFrom: a@b.test\r\n\r\nx\r\n");
        let results = verify(message.as_bytes(), &zone);
        (results[0].outcome, results[0].reason.unwrap_or(""))
    };
    let sha1 = "v=1; a=rsa-sha1; d=b.test; s=x; h=From; bh=2jmj7l5rSw0yVb/vlWAYkK/YBwk=; b=AAAA";
    assert_eq!(check(sha1), (Outcome::Policy, "rsa-sha1 proves nothing any more"));
    assert_eq!(check("v=1; a=rsa-sha256"), (Outcome::PermError, "no b="));
    let no_from =
        "v=1; a=rsa-sha256; d=b.test; s=x; h=To; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA";
    assert_eq!(check(no_from), (Outcome::PermError, "From is not signed"));
    assert!(verify(b"From: a@b.test\r\n\r\n", &zone).is_empty());
}

#[test]
fn what_is_not_signed() {
    let (keys, _) = keys();
    let refused = |message: &[u8]| {
        let mut signer = Signer::new(keys.clone(), SignOptions::default());
        message.chunks(1_000).try_for_each(|piece| signer.push(piece))?;
        signer.finish(NOW).map(|_| ())
    };
    assert_eq!(refused(b"To: x@y\r\n\r\nbody"), Err(SignError::NoFrom));
    let many = format!("From: a@b\r\n{}\r\n", "To: x\r\n".repeat(200));
    assert_eq!(refused(many.as_bytes()), Err(SignError::TooManyFields));
    let long = format!("From: a@b\r\n{}\r\n", "X: 0123456789\r\n".repeat(30_000));
    assert_eq!(refused(long.as_bytes()), Err(SignError::HeaderTooLong));
    assert!(Signer::new(Vec::new(), SignOptions::default()).finish(NOW).unwrap().is_empty());
}

#[test]
fn keys_are_read_from_pem_and_shown_only_by_name() {
    let der = SigningKey::generate(KeyKind::Ed25519).unwrap();
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(&der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let key = SigningKey::from_pem("example.test", "s1", &pem).unwrap();
    assert_eq!(format!("{key:?}"), "SigningKey(ed25519 s1._domainkey.example.test)");
    assert!(
        key.zone_line().unwrap().starts_with("s1._domainkey.example.test. IN TXT \"v=DKIM1; k=ed25519; p=")
    );
    let rsa =
        SigningKey::from_der("example.test", "s", &SigningKey::generate(KeyKind::Rsa).unwrap()).unwrap();
    assert_eq!(rsa.zone_line().unwrap().matches('"').count(), 4);
    assert_eq!(SigningKey::from_pem("example.test", "s1", "no key").err(), Some(SignError::Key));
    assert_eq!(SigningKey::from_der("no domain", "s1", &der).err(), Some(SignError::Name));
}
