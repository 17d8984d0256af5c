//! Over any input: the answers do not depend on how it is cut, no command is answered twice, and nothing panics.

use proptest::prelude::*;
use yubin_base::{Next, Protocol as _};
use yubin_testkit::{
    block_on,
    transcript::{START, Subject as _},
};

use crate::world::World;

/// What a connection with this input says, and how it ends.
fn talk(input: &[u8], cuts: &[usize]) -> (String, bool) {
    let mut world = World::new();
    world.given("messages 2");
    world.given("message Subject: x\\n\\n.\\nend");
    let mut session = world.connect(1, "");
    let (mut said, mut buffer, mut rest) = (Vec::new(), Vec::new(), input);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (piece, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
        rest = later;
        buffer.extend_from_slice(piece);
        loop {
            let (used, mut next) = block_on(session.command(&buffer, START, &mut said));
            buffer.drain(..used);
            while next == Next::More {
                next = block_on(session.more(START, &mut said));
            }
            match next {
                Next::Close | Next::StartTls => return (String::from_utf8(said).unwrap(), true),
                _ if used == 0 => break,
                _ => {}
            }
        }
    }
    (String::from_utf8(said).unwrap(), false)
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "USER ann",
        "PASS secret",
        "STAT",
        "LIST",
        "LIST 1",
        "UIDL",
        "UIDL 2",
        "RETR 1",
        "RETR 3",
        "TOP 3 1",
        "TOP 1 0",
        "DELE 1",
        "DELE 2",
        "RSET",
        "NOOP",
        "CAPA",
        "AUTH PLAIN",
        "AUTH",
        "AGFubgBzZWNyZXQ=",
        "*",
        "LANG en",
        "APOP a b",
    ]);
    prop_oneof![
        6 => known.prop_map(|line| format!("{line}\r\n").into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(|mut octets| { octets.push(b'\n'); octets }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn answers_do_not_depend_on_cutting(
        logged_in in any::<bool>(),
        lines in proptest::collection::vec(line(), 0..25),
        cuts in proptest::collection::vec(1_usize..40, 1..5),
    ) {
        let mut input = if logged_in { b"USER ann\r\nPASS secret\r\n".to_vec() } else { Vec::new() };
        input.extend(lines.concat());
        let whole = talk(&input, &[usize::MAX]);
        prop_assert_eq!(&whole, &talk(&input, &cuts));
        // Every line of the server ends with CRLF, and outside multi-line answers begins with a status.
        prop_assert!(whole.0.is_empty() || whole.0.ends_with("\r\n"));
        prop_assert!(!whole.0.replace("\r\n", "").contains('\n'));
    }
}
