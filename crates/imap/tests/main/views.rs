//! Several sessions change one mailbox at random; each client believes only what it is told (RFC 9051 §7.5). At the end, after a NOOP,
//! what each believes must be what is there.

use std::collections::BTreeSet;

use proptest::prelude::*;
use yubin_base::{Next, Protocol as _};
use yubin_imap::Session;
use yubin_testkit::{block_on, transcript::START};

use crate::world::World;

/// A client: a session, and the messages it knows of, by sequence number.
struct Client {
    session: Session,
    messages: Vec<Known>,
    by_uid: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    uid: Option<u32>,
    flags: Option<BTreeSet<String>>,
}

impl Client {
    fn new(world: &World, enable: &str) -> Self {
        let mut client =
            Self { session: world.session(), messages: Vec::new(), by_uid: enable.contains("QRESYNC") };
        block_on(client.session.greet(START, &mut Vec::new()));
        client.say("LOGIN ann secret");
        if !enable.is_empty() {
            client.say(enable);
        }
        client.select();
        client
    }

    fn select(&mut self) {
        self.messages.clear();
        self.say("SELECT INBOX");
        self.say("FETCH 1:* (UID FLAGS)");
    }

    fn say(&mut self, command: &str) {
        let mut out = Vec::new();
        let line = format!("t {command}\r\n");
        let (_, mut next) = block_on(self.session.command(line.as_bytes(), START, &mut out));
        while next == Next::More {
            next = block_on(self.session.more(START, &mut out));
        }
        let may_expunge = !["FETCH", "STORE", "SEARCH"].iter().any(|word| command.starts_with(word));
        self.hear_all(out, may_expunge, command);
    }

    fn hear_all(&mut self, out: Vec<u8>, may_expunge: bool, command: &str) {
        // No line of our messages begins as an answer does; so what follows a literal belongs to the line before.
        let text = String::from_utf8(out)
            .unwrap()
            .replace("\r\n* ", "\n* ")
            .replace("\r\nt ", "\nt ")
            .replace("\r\n", " ");
        for line in text.lines() {
            self.hear(line.trim_end(), may_expunge, command);
        }
        if self.by_uid && self.messages.iter().any(|m| m.uid.is_none()) {
            // Who is told of removals by UID has to know the UIDs.
            self.say("UID FETCH 1:* (FLAGS)");
        }
    }

    /// Who is told nothing (`.SILENT`) works out for himself what the flags are.
    fn work_out(&mut self, command: &str) {
        let words: Vec<&str> = command.trim_start_matches("UID ").split(' ').collect();
        let flags: BTreeSet<String> = command
            .split_once('(')
            .map_or("", |(_, f)| f.trim_end_matches(')'))
            .split(' ')
            .map(str::to_owned)
            .collect();
        for (at, message) in self.messages.iter_mut().enumerate() {
            let in_set = words[1] == "1:*" || words[1].split(',').any(|n| n.parse() == Ok(at + 1));
            if let Some(known) = message.flags.as_mut().filter(|_| in_set) {
                match words[2].as_bytes()[0] {
                    b'+' => known.extend(flags.clone()),
                    b'-' => known.retain(|flag| !flags.contains(flag)),
                    _ => *known = flags.clone(),
                }
            }
        }
    }

    fn hear(&mut self, line: &str, may_expunge: bool, command: &str) {
        assert!(!line.starts_with("t BAD"), "{command}: {line}");
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["*", number, "EXISTS"] => {
                let count: usize = number.parse().unwrap();
                assert!(count >= self.messages.len(), "{command}: {line}");
                self.messages.resize(count, Known::default());
            }
            ["*", number, "EXPUNGE"] => {
                assert!(may_expunge && !self.by_uid, "{command}: {line}");
                self.messages.remove(number.parse::<usize>().unwrap() - 1);
            }
            ["*", "VANISHED", uids] => {
                assert!(may_expunge && self.by_uid, "{command}: {line}");
                for range in uids.split(',') {
                    let (from, to) = range.split_once(':').unwrap_or((range, range));
                    let (from, to): (u32, u32) = (from.parse().unwrap(), to.parse().unwrap());
                    for uid in from..=to {
                        let at = self.messages.iter().position(|m| m.uid == Some(uid)).unwrap();
                        self.messages.remove(at);
                    }
                }
            }
            ["*", number, "FETCH", ..] => self.hear_fetch(number.parse().unwrap(), line, command),
            _ => {}
        }
    }

    fn hear_fetch(&mut self, seq: usize, line: &str, command: &str) {
        let message = self.messages.get_mut(seq - 1).unwrap_or_else(|| panic!("{command}: {line}"));
        let after = |word: &str| line.split_once(word).map(|(_, rest)| rest);
        if let Some(rest) = after("UID ") {
            let uid = rest.split([' ', ')']).next().unwrap().parse().unwrap();
            assert!(message.uid.is_none_or(|known| known == uid), "{command}: {line}");
            message.uid = Some(uid);
        }
        if let Some(rest) = after("FLAGS (") {
            let flags = rest.split_once(')').unwrap().0;
            message.flags = Some(flags.split_whitespace().map(str::to_owned).collect());
        }
    }

    /// After a NOOP, nothing that the client believes is wrong.
    fn check(&mut self) {
        self.say("NOOP");
        let believed = self.messages.clone();
        self.say("UID FETCH 1:* (FLAGS)");
        assert_eq!(believed.len(), self.messages.len());
        for (before, after) in believed.iter().zip(&self.messages) {
            assert!(before.uid.is_none_or(|uid| Some(uid) == after.uid), "{before:?} {after:?}");
            assert!(before.flags.is_none() || before.flags == after.flags, "{before:?} {after:?}");
        }
    }
}

/// Commands with numbers to fill in: `#` becomes a sequence number that the client knows.
const COMMANDS: &[&str] = &[
    "STORE # +FLAGS (\\Deleted)",
    "STORE # +FLAGS.SILENT (\\Deleted)",
    "STORE #,# FLAGS.SILENT (\\Seen)",
    "STORE # -FLAGS (\\Seen \\Deleted)",
    "STORE # +FLAGS.SILENT (Word)",
    "STORE #:* FLAGS (Word Other)",
    "UID STORE 1:* -FLAGS.SILENT (Word)",
    "FETCH # BODY[TEXT]",
    "FETCH #:* (FLAGS)",
    "FETCH # (UID BODY[])",
    "UID FETCH 1:* (FLAGS)",
    "SEARCH UNSEEN",
    "UID SEARCH DELETED",
    "EXPUNGE",
    "EXPUNGE",
    "UID EXPUNGE 1:3",
    "NOOP",
    "COPY # INBOX",
    "UID COPY * INBOX",
    "MOVE # Archive",
    "APPEND INBOX (\\Seen) {3+}\r\nabc",
    "APPEND INBOX {3+}\r\nabc",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_client_knows_what_is_there(
        steps in proptest::collection::vec((0usize..3, 0usize..COMMANDS.len() + 2, 0usize..100, 0usize..100), 1..40)
    ) {
        let world = World::new();
        world.messages(6);
        let mut clients =
            ["", "ENABLE CONDSTORE", "ENABLE QRESYNC"].map(|enable| Client::new(&world, enable));
        for (who, what, one, other) in steps {
            let client = &mut clients[who];
            let count = client.messages.len();
            match COMMANDS.get(what) {
                None if what == COMMANDS.len() => client.check(),
                None => client.select(),
                Some(command) if command.contains('#') && count == 0 => client.say("NOOP"),
                Some(command) => {
                    let mut command = (*command).to_owned();
                    for number in [one, other] {
                        command = command.replacen('#', &(number % count.max(1) + 1).to_string(), 1);
                    }
                    // The line behind APPEND's literal is a segment of its own here.
                    if let Some((head, literal)) = command.split_once("\r\n") {
                        let mut out = Vec::new();
                        let octets = format!("t {head}\r\n{literal}\r\n");
                        let mut rest = octets.as_bytes();
                        while !rest.is_empty() {
                            let (used, _) = block_on(client.session.command(rest, START, &mut out));
                            rest = &rest[used..];
                        }
                        client.hear_all(out, true, head);
                    } else {
                        if command.contains(".SILENT") {
                            client.work_out(&command);
                        }
                        client.say(&command);
                    }
                }
            }
        }
        for client in &mut clients {
            client.check();
        }
    }
}
