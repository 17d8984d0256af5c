//! What transcripts cannot say: flags, memory, large answers, what is left after a cut.

use yubin_base::{Next, Protocol as _};
use yubin_pop3::Session;
use yubin_store::Flags;
use yubin_testkit::{
    block_on,
    transcript::{START, Subject as _},
};

use crate::world::World;

/// Says the lines to a new session; returns all it says, and the most it says at once.
fn talk(world: &mut World, lines: &str) -> (Vec<u8>, usize) {
    let mut session = world.connect(1, "");
    talk_to(&mut session, lines)
}

fn talk_to(session: &mut Session, lines: &str) -> (Vec<u8>, usize) {
    let (mut all, mut most, mut rest) = (Vec::new(), 0, lines.as_bytes());
    while !rest.is_empty() {
        let mut out = Vec::new();
        let (used, mut next) = block_on(session.command(rest, START, &mut out));
        assert_ne!(used, 0, "not taken: {:?}", String::from_utf8_lossy(rest));
        rest = &rest[used..];
        loop {
            most = most.max(out.len());
            all.append(&mut out);
            if next != Next::More {
                break;
            }
            next = block_on(session.more(START, &mut out));
        }
    }
    (all, most)
}

const LOGIN: &str = "USER ann\r\nPASS secret\r\n";

#[test]
fn retr_sets_seen_at_quit_and_top_does_not() {
    let mut world = World::new();
    world.given("messages 4");
    talk(&mut world, &format!("{LOGIN}RETR 1\r\nTOP 2 99\r\nRETR 3\r\nDELE 3\r\nQUIT\r\n"));
    let seen: Vec<(u32, bool)> =
        world.rows().iter().map(|row| (row.uid.0, row.flags.has(Flags::SEEN))).collect();
    assert_eq!(seen, [(1, true), (2, false), (4, false)]);
}

#[test]
fn seen_can_be_left_alone() {
    let mut world = World::new();
    world.given("messages 1");
    world.set(|options| options.retr_sets_seen = false);
    talk(&mut world, &format!("{LOGIN}RETR 1\r\nQUIT\r\n"));
    assert!(!world.rows()[0].flags.has(Flags::SEEN));
}

#[test]
fn a_large_message_is_sent_in_pieces() {
    let mut world = World::new();
    let mut message = b"Subject: large\r\n\r\n".to_vec();
    message.extend(b".a line that begins with a dot and goes on for a while\r\n".repeat(150_000));
    world.append(&message);
    let (said, most) = talk(&mut world, &format!("{LOGIN}RETR 1\r\n"));
    assert!(most <= 3 * 65_536, "{most} octets at once");
    let said = String::from_utf8(said).unwrap();
    let (_, answer) = said.split_once(&format!("+OK {} octets\r\n", message.len())).unwrap();
    let body = answer.strip_suffix(".\r\n").unwrap().replace("\r\n..", "\r\n.");
    assert!(body.as_bytes() == message, "not what was stored");
}

#[test]
fn top_reads_no_further_than_asked() {
    let mut world = World::new();
    let mut message = b"Subject: large\r\n\r\n".to_vec();
    message.extend(b"line\r\n".repeat(1_000_000));
    world.append(&message);
    let (said, most) = talk(&mut world, &format!("{LOGIN}TOP 1 3\r\n"));
    assert!(
        String::from_utf8(said)
            .unwrap()
            .ends_with("follows.\r\nSubject: large\r\n\r\nline\r\nline\r\nline\r\n.\r\n")
    );
    assert!(most < 100);
}

#[test]
fn a_long_listing_comes_in_pieces() {
    let mut world = World::new();
    world.given("messages 2500");
    let (said, most) = talk(&mut world, &format!("{LOGIN}DELE 7\r\nUIDL\r\nLIST\r\n"));
    let said = String::from_utf8(said).unwrap();
    assert_eq!(said.lines().count(), 2 + 1 + 2 * (1 + 2_499 + 1));
    assert!(said.contains("\r\n2500 ") && !said.contains("\r\n7 "));
    assert!(most < 40_000, "{most} octets at once");
}

#[test]
fn a_message_that_cannot_be_read_to_its_end_ends_the_connection() {
    let mut world = World::new();
    world.append(&[&b"Subject: x\r\n\r\n"[..], &b"line\r\n".repeat(100_000)].concat());
    let mut session = world.connect(1, "");
    talk_to(&mut session, LOGIN);
    let mut out = Vec::new();
    let (_, next) = block_on(session.command(b"RETR 1\r\n", START, &mut out));
    assert_eq!(next, Next::More);
    world.given("unreadable");
    let mut piece = Vec::new();
    assert_eq!(block_on(session.more(START, &mut piece)), Next::Close);
    assert!(!piece.ends_with(b".\r\n"), "the client must not believe that this was all");
    world.given("healthy");
    assert!(!world.rows()[0].flags.has(Flags::SEEN));
}

#[test]
fn a_message_whose_content_is_gone_is_told_politely() {
    let mut world = World::new();
    world.given("messages 2");
    let mut session = world.connect(1, "");
    talk_to(&mut session, LOGIN);
    world.expunge(1);
    let (said, _) = talk_to(&mut session, "RETR 1\r\nRETR 2\r\n");
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("+OK 34 octets") || said.starts_with("-ERR That message was deleted"), "{said}");
    assert!(said.ends_with("This is message 2.\r\n.\r\n"));
}

#[test]
fn a_stranger_costs_little() {
    assert!(size_of::<Session>() < 1_024, "{}", size_of::<Session>());
    let session = World::new().connect(1, "");
    assert!(session.input_octets_max() <= 32 * 1024);
}
