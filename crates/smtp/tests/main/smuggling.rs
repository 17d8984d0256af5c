//! S01: no variant of the end mark smuggles a second message in, wherever the segments are cut, with DATA and with BDAT.

use std::sync::Arc;

use yubin_base::{Next, Protocol, UnixMs};
use yubin_smtp::server::{BareNewlinePolicy, Listener, Options, Service, Session};
use yubin_testkit::block_on;

use crate::world::{Desk, Taken, peer};

/// What broken or evil software sends where CRLF "." CRLF belongs.
const VARIANTS: &[&str] = &[
    "\n.\n",
    "\n.\r",
    "\r.\n",
    "\r.\r",
    "\n.\r\n",
    "\r.\r\n",
    "\r\n\0.\r\n",
    "\r\n.\r\r\n",
    "\r\r\n.\r\r\n",
    "\r\n.\n",
    "\r\n.\r",
    "\r\n.\0\r\n",
    "\n\r\n.\n",
    "\r\n .\r\n",
    "\r\n.\t\r\n",
    "\r\n..\r\n",
    "\u{85}.\u{85}",
    "\u{2028}.\u{2028}",
];

/// What is hidden behind it.
const SECOND: &str =
    "MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nevil\r\n.\r\nQUIT\r\n";

/// Feeds segments as the loop does, until the session closes.
fn feed(session: &mut Session<Desk>, segments: &[&[u8]]) -> String {
    let mut out = Vec::new();
    let mut input = Vec::new();
    for segment in segments {
        input.extend_from_slice(segment);
        while !input.is_empty() {
            let (used, next) = block_on(session.command(&input, UnixMs(0), &mut out));
            input.drain(..used);
            match next {
                Next::Close => return String::from_utf8(out).expect("replies are text"),
                Next::Read if used == 0 => break,
                _ => {}
            }
        }
    }
    String::from_utf8(out).expect("replies are text")
}

fn session(policy: BareNewlinePolicy) -> (Session<Desk>, Arc<Desk>) {
    let desk = Arc::new(Desk::default());
    let mut options = Options::new(Service::Mx, "mx.example.test");
    options.bare_newlines = policy;
    let listener = Listener::new(options, desk.clone(), None);
    let mut session = Session::new(Arc::new(listener), peer());
    let hello: &[&[u8]] =
        &[b"EHLO client.test\r\n", b"MAIL FROM:<ann@example.com>\r\n", b"RCPT TO:<bob@example.test>\r\n"];
    assert!(feed(&mut session, hello).ends_with("250 2.1.5 Recipient OK\r\n"));
    (session, desk)
}

fn is_harmless(taken: &[Taken], variant: &str, what: &str) {
    assert!(taken.len() <= 1, "{variant:?} {what}: {} messages", taken.len());
    for message in taken {
        let sender = message.envelope.mail.reverse_path.as_ref().map(ToString::to_string);
        assert_eq!(sender.as_deref(), Some("ann@example.com"), "{variant:?} {what}");
    }
}

#[test]
fn no_variant_smuggles_through_data() {
    for variant in VARIANTS {
        for policy in [BareNewlinePolicy::Refuse, BareNewlinePolicy::Normalise] {
            let body = format!("first{variant}{SECOND}");
            let octets = body.as_bytes();
            for cut in 0..=octets.len() {
                let (mut session, desk) = session(policy);
                let (a, b) = octets.split_at(cut);
                let answers = feed(&mut session, &[b"DATA\r\n", a, b]);
                let taken = desk.take();
                is_harmless(&taken, variant, &format!("{policy:?} cut at {cut}"));
                // `evil CRLF . CRLF` inside the body is the only end there is.
                let bare = has_bare_newline(body.split("\r\n.\r\n").next().unwrap_or_default());
                let refused = bare && policy == BareNewlinePolicy::Refuse;
                assert_eq!(taken.len(), usize::from(!refused), "{variant:?} cut at {cut}: {answers}");
                assert_eq!(answers.matches("550 5.6.11").count(), usize::from(refused), "{answers}");
            }
            let (mut session, desk) = session(policy);
            let mut segments: Vec<&[u8]> = vec![b"DATA\r\n"];
            segments.extend(octets.chunks(1));
            feed(&mut session, &segments);
            is_harmless(&desk.take(), variant, "octet by octet");
        }
    }
}

fn has_bare_newline(text: &str) -> bool {
    text.replace("\r\n", "").contains(['\r', '\n'])
}

#[test]
fn no_variant_smuggles_through_chunks() {
    for variant in VARIANTS {
        let body = format!("first{variant}{SECOND}");
        for cut in 0..=body.len() {
            let (mut session, desk) = session(BareNewlinePolicy::Refuse);
            let (a, b) = body.as_bytes().split_at(cut);
            let first = [format!("BDAT {}\r\n", a.len()).as_bytes(), a].concat();
            let last = [format!("BDAT {} LAST\r\n", b.len()).as_bytes(), b].concat();
            let answers = feed(&mut session, &[&first, &last]);
            let taken = desk.take();
            is_harmless(&taken, variant, &format!("chunks cut at {cut}"));
            assert_eq!(taken.is_empty(), has_bare_newline(&body), "{variant:?} cut at {cut}: {answers}");
        }
    }
}

#[test]
fn normalised_bodies_hold_no_bare_newline() {
    for variant in VARIANTS {
        let body = format!("first{variant}second\r\n.\r\n");
        for size in 1..=body.len() {
            let (mut session, desk) = session(BareNewlinePolicy::Normalise);
            let mut segments: Vec<&[u8]> = vec![b"DATA\r\n"];
            segments.extend(body.as_bytes().chunks(size));
            feed(&mut session, &segments);
            for message in desk.take() {
                let text = String::from_utf8_lossy(&message.body).into_owned();
                assert!(!has_bare_newline(&text), "{variant:?} in pieces of {size}: {text:?}");
            }
        }
    }
}

#[test]
fn what_stands_behind_starttls_is_of_no_effect_on_the_session() {
    let desk = Arc::new(Desk::default());
    let listener = Listener::new(Options::new(Service::Mx, "mx.example.test"), desk, None);
    let mut session = Session::new(Arc::new(listener), peer());
    feed(&mut session, &[b"EHLO client.test\r\n", b"MAIL FROM:<ann@example.com>\r\n"]);
    let mut out = Vec::new();
    let input = b"STARTTLS\r\nRSET\r\n";
    let (used, next) = block_on(session.command(input, UnixMs(0), &mut out));
    assert_eq!((used, next), (10, Next::StartTls));
    session.tls_started(yubin_base::TlsInfo::default());
    // Greeting and sender are forgotten.
    assert_eq!(feed(&mut session, &[b"RCPT TO:<bob@example.test>\r\n"]), "503 5.5.1 Greet first\r\n");
}

#[test]
fn only_strangers_at_the_mx_must_wait_for_the_greeting() {
    for (service, ends) in [(Service::Mx, true), (Service::Submission, false), (Service::Lmtp, false)] {
        let listener =
            Listener::new(Options::new(service, "mx.example.test"), Arc::new(Desk::default()), None);
        let mut session = Session::new(Arc::new(listener), peer());
        let mut out = Vec::new();
        assert_eq!(session.spoke_early(&mut out), ends);
        assert_eq!(out.starts_with(b"554 5.5.1 "), ends);
    }
}
