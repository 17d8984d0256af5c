//! Whatever comes in: no panic, replies that are well formed, and the same answers however the input is cut.

use std::sync::Arc;

use proptest::prelude::*;
use yubin_base::{Next, Protocol, TlsInfo, UnixMs};
use yubin_smtp::server::{Listener, Login, Options, Service, Session, shown};
use yubin_testkit::block_on;

use crate::world::{Desk, Users, peer};

fn session(service: Service) -> Session<Desk> {
    let mut options = Options::new(service, "mx.example.test");
    options.plaintext_login = true;
    if service == Service::Mx {
        options.login = Login::Offered;
    }
    options.message_octets_max = 1_000;
    let listener = Listener::new(options, Arc::new(Desk::default()), Some(Arc::new(Users)));
    Session::new(Arc::new(listener), peer())
}

/// Feeds the segments one by one; whatever a session does not take at once stays in the buffer.
fn run(service: Service, segments: &[Vec<u8>]) -> Vec<u8> {
    let mut session = session(service);
    let mut out = Vec::new();
    block_on(session.greet(UnixMs(0), &mut out));
    let mut input: Vec<u8> = Vec::new();
    for segment in segments {
        input.extend_from_slice(segment);
        while !input.is_empty() {
            let (used, next) = block_on(session.command(&input, UnixMs(0), &mut out));
            assert!(used <= input.len());
            input.drain(..used);
            match next {
                Next::Close => return out,
                Next::StartTls => {
                    input.clear();
                    session.tls_started(TlsInfo::default());
                }
                Next::Read if used == 0 => {
                    assert!(
                        input.len() <= session.input_octets_max(),
                        "a session must take or refuse long input"
                    );
                    break;
                }
                Next::Read | Next::Delay(_) | Next::More => assert!(used > 0),
                Next::Compress | Next::Uncompress => panic!("SMTP has no compression"),
            }
        }
    }
    out
}

/// Every line is `ddd text` or `ddd-text` in printable US-ASCII, and the last line of each reply has a space.
fn assert_well_formed(out: &[u8]) {
    let text = std::str::from_utf8(out).expect("replies are text");
    assert!(text.ends_with("\r\n"), "{text:?}");
    let mut lines = text.split_terminator("\r\n").peekable();
    while let Some(line) = lines.next() {
        let octets = line.as_bytes();
        assert!(octets.len() >= 4 && octets[..3].iter().all(u8::is_ascii_digit), "{line:?}");
        assert!((b'2'..=b'5').contains(&octets[0]), "{line:?}");
        assert!(octets.iter().all(|b| (b' '..=b'~').contains(b)), "{line:?}");
        match octets[3] {
            b' ' => {}
            b'-' => assert_eq!(lines.peek().and_then(|next| next.get(..3)), line.get(..3)),
            _ => panic!("{line:?}"),
        }
    }
}

/// Lines that come close to sense, and some octets that do not.
fn segment() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "EHLO client.test\r\n",
        "HELO client.test\r\n",
        "LHLO client.test\r\n",
        "MAIL FROM:<ann@example.test>\r\n",
        "MAIL FROM:<> SIZE=10 BODY=BINARYMIME\r\n",
        "RCPT TO:<bob@example.test>\r\n",
        "RCPT TO:<bob@example.test> NOTIFY=NEVER ORCPT=rfc822;a+2Bb\r\n",
        "RCPT TO:<nobody@example.test>\r\n",
        "DATA\r\n",
        "BDAT 5\r\n",
        "BDAT 5 LAST\r\n",
        "BDAT 0 LAST\r\n",
        "BDAT 2000\r\n",
        "hello",
        "a\r\nb",
        "a\nb",
        ".\r\n",
        "\r\n.\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "QUIT\r\n",
        "STARTTLS\r\n",
        "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n",
        "AUTH LOGIN\r\n",
        "YW5u\r\n",
        "c2VjcmV0\r\n",
        "*\r\n",
        "VRFY x\r\n",
        "GET / HTTP/1.1\r\n",
    ]);
    prop_oneof![
        8 => words.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..40),
        1 => "[A-Za-z <>@\":=+.\\[\\]\\\\\r\n]{1,60}".prop_map(String::into_bytes),
        1 => (1usize..40_000).prop_map(|n| vec![b'a'; n]),
    ]
}

fn service() -> impl Strategy<Value = Service> {
    prop::sample::select(vec![Service::Mx, Service::Submission, Service::Lmtp])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_get_well_formed_replies(service in service(), segments in prop::collection::vec(segment(), 1..25)) {
        assert_well_formed(&run(service, &segments));
    }

    #[test]
    fn answers_do_not_depend_on_how_lines_are_cut(service in service(), segments in prop::collection::vec(segment(), 1..15)) {
        let octets: Vec<Vec<u8>> = segments.iter().flatten().map(|octet| vec![*octet]).collect();
        // The one thing that may depend on it is whether a client was caught not waiting; it cannot be when segments are lines.
        let whole = run(service, &segments);
        let cut = run(service, &octets);
        let caught = String::from_utf8_lossy(&whole).contains("Wait for the answer");
        // A segment that holds STARTTLS and more loses the rest; octets do not.
        let tls = String::from_utf8_lossy(&whole).contains("Ready for TLS");
        // A foreign line is known by its first octets or its first word, whichever is there.
        let foreign = String::from_utf8_lossy(&cut).contains("521 ");
        prop_assert!(caught || tls || foreign || whole == cut, "{}\n---\n{}", String::from_utf8_lossy(&whole), String::from_utf8_lossy(&cut));
    }

    #[test]
    fn any_text_is_shown_on_one_line(text in any::<String>()) {
        let shown = shown(&text);
        prop_assert!(!shown.chars().any(char::is_control) && shown.len() < 300);
    }

    #[test]
    fn any_line_parses_or_is_refused(text in "[ -~\u{80}-\u{2fff}]{0,80}", extended in any::<bool>()) {
        for arguments in [text.clone(), format!("FROM:<{text}>"), format!("TO:<{text}>"), format!("FROM:<> {text}"), format!("TO:<a@b.test> ORCPT={text}")] {
            let _ = yubin_smtp::codec::parameters::parse_mail(&arguments, extended);
            let _ = yubin_smtp::codec::parameters::parse_rcpt(&arguments, extended, true);
        }
    }

    /// What an address is written as is read as the same address.
    #[test]
    fn addresses_round_trip(local in "[ -~]{0,40}", domain in "[a-z]{1,10}(\\.[a-z]{1,10}){0,3}") {
        let address = yubin_base::Address::new(&local, &domain).expect("is one");
        let written = format!("<{address}>");
        let (path, rest) = yubin_smtp::codec::path::parse(&written).expect("parses");
        prop_assert_eq!(rest, "");
        prop_assert_eq!(path.target, yubin_smtp::codec::path::Target::Mailbox(address));
    }
}

/// Thousands of them wait at once (S21).
#[test]
fn a_session_is_small() {
    let mut session = session(Service::Mx);
    assert!(size_of_val(&session) <= 512, "{}", size_of_val(&session));
    let mut out = Vec::new();
    let future = session.command(b"NOOP\r\n", UnixMs(0), &mut out);
    assert!(size_of_val(&future) <= 4_096, "{}", size_of_val(&future));
}
