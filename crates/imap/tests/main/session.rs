//! What transcripts cannot say: large mailboxes in pieces, arbitrary octets, what a session costs.

use proptest::prelude::*;
use yubin_base::{Next, Protocol as _};
use yubin_imap::Session;
use yubin_testkit::{block_on, transcript::START};

use crate::world::World;

/// Feeds octets in segments, as the loop does; gives everything that was said, and the largest piece of it.
pub fn talk(session: &mut Session, segments: &[&[u8]]) -> (Vec<u8>, usize) {
    let mut said = Vec::new();
    let mut largest = 0;
    let mut input: Vec<u8> = Vec::new();
    let mut out = Vec::new();
    block_on(session.greet(START, &mut out));
    said.append(&mut out);
    for segment in segments {
        input.extend_from_slice(segment);
        loop {
            let (used, mut next) = block_on(session.command(&input, START, &mut out));
            assert!(used <= input.len());
            input.drain(..used);
            loop {
                largest = largest.max(out.len());
                said.append(&mut out);
                match next {
                    Next::More => next = block_on(session.more(START, &mut out)),
                    _ => break,
                }
            }
            match next {
                Next::Close => return (said, largest),
                Next::StartTls => session.tls_started(Default::default()),
                _ => {}
            }
            if used == 0 || input.is_empty() {
                break;
            }
        }
        assert!(input.len() <= session.input_octets_max(), "the loop would have cut the session off");
    }
    (said, largest)
}

fn text(octets: Vec<u8>) -> String {
    String::from_utf8_lossy(&octets).into_owned()
}

#[test]
fn a_session_is_small_before_login() {
    assert!(size_of::<Session>() <= 512, "{}", size_of::<Session>());
}

#[test]
fn long_answers_come_in_pieces() {
    let world = World::new();
    world.messages(3_000);
    let lines =
        |n: usize| (1..=n).map(|seq| format!("* {seq} FETCH (UID {seq} FLAGS ())\r\n")).collect::<String>();
    let (said, largest) = talk(
        &mut world.session(),
        &[b"a LOGIN ann secret\r\nb SELECT INBOX\r\nc FETCH 1:* (UID FLAGS)\r\nd UID SEARCH ALL\r\ne FETCH 1:* (UID BODY.PEEK[TEXT])\r\n"],
    );
    let said = text(said);
    assert!(said.contains(&lines(3_000)));
    assert!(said.contains(" 2999 3000\r\nd OK"));
    assert!(said.ends_with(
        "* 3000 FETCH (UID 3000 BODY[TEXT] {23}\r\nThis is message 3000.\r\n)\r\ne OK that is all\r\n"
    ));
    assert!(largest <= 68_000, "{largest}");
}

#[test]
fn a_long_set_comes_in_pieces() {
    let world = World::new();
    world.messages(1_000);
    // Every other message: no two numbers are one range.
    let all: Vec<String> = (1..=32_000).step_by(2).map(|n| n.to_string()).collect();
    let set = format!("{}:32000", all.join(","));
    let store =
        all.chunks(5_000).map(|part| format!("s STORE {} +FLAGS.SILENT (\\Flagged)\r\n", part.join(",")));
    let store: String = store.collect();
    let double = "x COPY 1:* INBOX\r\n".repeat(5);
    let script = format!(
        "a LOGIN ann secret\r\nb SELECT INBOX\r\n{double}{store}s STORE 32000 +FLAGS.SILENT (\\Flagged)\r\n\
         c SEARCH RETURN (MIN COUNT ALL) FLAGGED\r\nd UID SEARCH RETURN (PARTIAL 1:20000) MODSEQ 1 FLAGGED\r\n"
    );
    let (said, largest) = talk(&mut world.session(), &[script.as_bytes()]);
    let said = text(said);
    assert!(said.contains(&format!("* ESEARCH (TAG \"c\") MIN 1 COUNT 16001 ALL {set}\r\nc OK")));
    assert!(said.contains(&format!("* ESEARCH (TAG \"d\") UID PARTIAL (1:20000 {set}) MODSEQ ")));
    assert!(largest <= 68_000, "{largest}");
}

#[test]
fn a_large_message_is_never_whole_in_memory() {
    let world = World::new();
    let line = b"0123456789abcd\r\n".repeat(65_536);
    world.append("INBOX", &[b"Subject: x\r\n\r\n", &line[..], &line[..], &line[..]].concat(), START);
    let (said, largest) = talk(
        &mut world.session(),
        &[b"a LOGIN ann secret\r\nb SELECT INBOX\r\nc FETCH 1 BODY.PEEK[TEXT]\r\n"],
    );
    assert!(said.len() > 3 * line.len());
    assert!(largest <= 280_000, "{largest}");
    assert!(said.ends_with(b"\r\n)\r\nc OK that is all\r\n"));
}

#[test]
fn a_text_is_found_where_two_pieces_meet() {
    let world = World::new();
    for at in [262_100usize, 262_130, 262_138, 524_270] {
        let mut body = "x".repeat(at);
        body.push_str("Straße und Wörter");
        body.push_str(&"y".repeat(300_000));
        let head = "Content-Type: text/plain; charset=utf-8\r\n\r\n";
        world.append("INBOX", format!("{head}{body}").as_bytes(), START);
    }
    let script = "a LOGIN ann secret\r\nb SELECT INBOX\r\nc SEARCH BODY {19+}\r\nSTRASSE und WÖRTER\r\n";
    let (said, _) = talk(&mut world.session(), &[script.as_bytes()]);
    assert!(text(said).contains("* SEARCH 1 2 3 4\r\n"));
}

#[test]
fn long_work_tells_how_far_it_is_every_ten_seconds() {
    // RFC 9585 §4
    let world = World::new();
    world.messages(100);
    let tell = |tag: &str| {
        let mut session = world.session();
        talk(&mut session, &[b"a LOGIN ann secret\r\nb SELECT INBOX\r\n"]);
        let mut out = Vec::new();
        let line = format!("{tag} SORT (ARRIVAL) UTF-8 BODY nothing\r\n");
        let (_, mut next) = block_on(session.command(line.as_bytes(), START, &mut out));
        let mut seconds = 0;
        while next == Next::More {
            seconds += 6;
            next = block_on(session.more(START.plus_ms(seconds * 1_000), &mut out));
        }
        text(out)
    };
    let said = tell("c");
    assert!(said.starts_with("* OK [INPROGRESS (\"c\" 64 100)] still at work\r\n"), "{said}");
    assert!(said.ends_with("* SORT\r\nc OK that is all\r\n"), "{said}");
    assert!(tell("c]").starts_with("* OK [INPROGRESS (NIL 64 100)]"));
}

/// Lines that a client might send, and some that none should.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let known = proptest::sample::select(vec![
        "a SELECT INBOX\r\n",
        "a FETCH 1:* (FLAGS BODY[])\r\n",
        "a STORE 1:2 +FLAGS (\\Deleted k)\r\n",
        "a EXPUNGE\r\n",
        "a UID FETCH * BODY.PEEK[1.MIME]<0.5>\r\n",
        "a APPEND INBOX {5+}\r\nhello\r\n",
        "a APPEND INBOX (\\Seen) {3}\r\nabc {2+}\r\nxy\r\n",
        "a APPEND nowhere {3+}\r\nabc\r\n",
        "a SEARCH RETURN (SAVE ALL) OR TEXT x NOT BODY \"a\"\r\n",
        "a SORT RETURN (ALL SAVE) (REVERSE DATE SUBJECT) UTF-8 TEXT a\r\n",
        "a UID SORT (ARRIVAL) UTF-8 $\r\n",
        "a THREAD REFERENCES UTF-8 ALL\r\n",
        "a COPY $ INBOX\r\n",
        "a MOVE 1 Sent\r\n",
        "a IDLE\r\n",
        "DONE\r\n",
        "a LIST (SUBSCRIBED) \"\" (* %)\r\n",
        "a CLOSE\r\n",
        "a CREATE x/y\r\n",
        "a DELETE x\r\n",
        "a RENAME x/y INBOX/z\r\n",
        "a LOGIN {3+}\r\nann {6+}\r\nsecret\r\n",
        "a AUTHENTICATE STEPS\r\n",
        "YQ==\r\n",
        "*\r\n",
        "a STARTTLS\r\n",
        "a ENABLE IMAP4rev2\r\n",
        "a SEARCH SUBJECT {70000}\r\n",
        "a SEARCH SUBJECT {9+}\r\n",
        "a STATUS INBOX (MESSAGES)\r\n",
        "a UID STORE 1:* FLAGS ()\r\n",
        "(((((\r\n",
        "a {3}\r\n",
        "\r\n",
        "a FETCH 1 BINARY[1]\r\n",
        "a UID EXPUNGE 1:*\r\n",
        "a LOGOUT\r\n",
    ]);
    prop_oneof![
        8 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_is_said_the_answers_do_not_depend_on_how_it_is_cut(
        script in proptest::collection::vec(lines(), 0..14),
        login: bool,
        cut in 1usize..40,
    ) {
        let start = if login { &b"a LOGIN ann secret\r\n"[..] } else { b"" };
        let octets = [start, &script.concat()[..]].concat();
        // What comes in one segment with STARTTLS is dropped by the loop, not by the session.
        prop_assume!(!octets.windows(8).any(|w| w.eq_ignore_ascii_case(b"STARTTLS")) || login);
        let mut answers = Vec::new();
        for step in [octets.len().max(1), 1, cut] {
            let world = World::new();
            world.messages(3);
            let segments: Vec<&[u8]> = octets.chunks(step).collect();
            answers.push(text(talk(&mut world.session(), &segments).0));
        }
        prop_assert_eq!(&answers[0], &answers[1]);
        prop_assert_eq!(&answers[0], &answers[2]);
        prop_assert!(answers[0].ends_with("\r\n") && !answers[0].contains("\r\n\r\n\r\n"));
    }
}

#[test]
fn too_much_news_at_once_is_said_to_be_too_much() {
    // RFC 5465 §5.8
    let world = World::new();
    let mut session = world.session();
    let segments: [&[u8]; 1] = [b"a LOGIN ann secret\r\nb NOTIFY SET (PERSONAL (MailboxName))\r\n"];
    assert!(text(talk(&mut session, &segments).0).contains("b OK it is told"));
    let make = |names: std::ops::Range<usize>| {
        for n in names {
            block_on(world.account().create_mailbox(&format!("m{n}"), None, START)).unwrap();
        }
    };
    let mut hear = || {
        let mut out = Vec::new();
        block_on(session.wake());
        assert_eq!(block_on(session.woken(START, &mut out)), Next::Read);
        text(out)
    };
    make(0..500);
    assert_eq!(hear().matches("* LIST (\\HasNoChildren) \"/\" m").count(), 500);
    make(500..1_001);
    assert_eq!(hear(), "* OK [NOTIFICATIONOVERFLOW] too much has happened; nothing more is told\r\n");
    // From then on nothing is told.
    make(1_001..1_002);
    let said = text(talk(&mut session, &[b"c NOOP\r\n"]).0);
    assert!(said.ends_with("\r\nc OK done\r\n") && !said.contains("* LIST"), "{said}");
}
