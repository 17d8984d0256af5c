//! Who may do what, as a table (RFC 4314 §4): every command that touches a mailbox, for the owner, for each right alone, with and
//! without `l`, granted to a person or to anyone, and taken away again. Whoever is refused and has no `l` must hear exactly what is
//! said of a mailbox that is not there.

use yubin_base::{Next, Protocol as _};
use yubin_imap::Session;
use yubin_testkit::{block_on, transcript::START};

use crate::world::World;

const LETTERS: &str = "lrswipkxtea";

/// One command: what is asked, and which rights it needs. `$` is the mailbox.
struct Row {
    /// Said before, while everything is permitted that `r` and the tested rights permit.
    selects: bool,
    command: &'static str,
    /// All of these are needed, or any one of them.
    needs: Needs,
}

enum Needs {
    All(&'static str),
    Any(&'static str),
}

const fn row(command: &'static str, needs: &'static str) -> Row {
    Row { selects: false, command, needs: Needs::All(needs) }
}

const fn inside(command: &'static str, needs: &'static str) -> Row {
    Row { selects: true, command, needs: Needs::All(needs) }
}

const fn any(selects: bool, command: &'static str, needs: &'static str) -> Row {
    Row { selects, command, needs: Needs::Any(needs) }
}

/// The table of RFC 4314 §4.
const TABLE: &[Row] = &[
    row("SELECT $", "r"),
    row("EXAMINE $", "r"),
    row("STATUS $ (MESSAGES UNSEEN HIGHESTMODSEQ)", "r"),
    row("GETQUOTAROOT $", "r"),
    row("SUBSCRIBE $", "l"),
    row("DELETE $", "x"),
    row("SETACL $ eve +r", "a"),
    row("SETACL $ -eve r", "a"),
    row("DELETEACL $ eve", "a"),
    row("GETACL $", "a"),
    row("LISTRIGHTS $ eve", "a"),
    any(false, "MYRIGHTS $", "lrikxa"),
    row("APPEND $ {19+}\r\nSubject: x\r\n\r\ntext\r\n", "i"),
    // From the user's own INBOX, which has one message.
    row("COPY 1 $", "i"),
    row("MOVE 1 $", "i"),
    // In the selected mailbox: `r` is there as well.
    inside("EXPUNGE", "e"),
    inside("UID EXPUNGE 1", "e"),
    inside("STORE 1 +FLAGS (\\Seen)", "s"),
    inside("STORE 1 +FLAGS (\\Deleted)", "t"),
    inside("STORE 1 +FLAGS (\\Flagged)", "w"),
    inside("STORE 1 -FLAGS (Keyword)", "w"),
    any(true, "STORE 1 FLAGS (\\Flagged)", "swt"),
    any(true, "STORE 1 +FLAGS (\\Seen \\Deleted)", "st"),
    inside("MOVE 1 INBOX", "te"),
    inside("COPY 1 INBOX", ""),
    inside("FETCH 1 (FLAGS BODY[])", ""),
    inside("SEARCH ALL", ""),
    inside("CLOSE", ""),
];

const BOX: &str = "\"Other Users/ann@example.test/Box\"";
const MISSING: &str = "\"Other Users/ann@example.test/Missing\"";
const NOBODY: &str = "\"Other Users/nobody@example.test/Box\"";

/// How rights come to somebody.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// By name.
    Granted,
    /// As one of all.
    Anyone,
    /// Everything, by name, and all but these taken away again.
    Negative,
    /// Everything to anyone, and all but these taken away from the one.
    AnyoneButNotThem,
}

fn world(way: Way, rights: &str) -> World {
    let world = World::new();
    world.account_of("ann").create_mailbox_now("Box");
    world.append_to(&world.account_of("ann"), "Box", b"Subject: a\r\n\r\nb\r\n", START);
    world.append_to(&world.account_of("bob"), "INBOX", b"Subject: c\r\n\r\nd\r\n", START);
    let others: String = LETTERS.chars().filter(|c| !rights.contains(*c)).collect();
    match way {
        Way::Granted => world.acl("ann", "Box", "bob", rights),
        Way::Anyone => world.acl("ann", "Box", "anyone", rights),
        Way::Negative => {
            world.acl("ann", "Box", "bob", LETTERS);
            world.acl("ann", "Box", "-bob", &others);
        }
        Way::AnyoneButNotThem => {
            world.acl("ann", "Box", "anyone", LETTERS);
            world.acl("ann", "Box", "-bob", &others);
        }
    }
    world
}

trait CreateNow {
    fn create_mailbox_now(&self, name: &str);
}
impl CreateNow for yubin_store::Account {
    fn create_mailbox_now(&self, name: &str) {
        block_on(self.create_mailbox(name, None, START)).unwrap();
    }
}

/// What is said to a command, tagged line and all.
fn say(session: &mut Session, command: &str) -> String {
    let (mut input, mut out) = (format!("t {command}\r\n").into_bytes(), Vec::new());
    while !input.is_empty() {
        let (used, mut next) = block_on(session.command(&input, START, &mut out));
        input.drain(..used);
        while let Next::More = next {
            next = block_on(session.more(START, &mut out));
        }
        if used == 0 {
            break;
        }
    }
    String::from_utf8(out).unwrap()
}

fn session(world: &World, user: &str) -> Session {
    let mut session = world.session();
    block_on(session.greet(START, &mut Vec::new()));
    assert!(say(&mut session, &format!("LOGIN {user} secret")).contains("t OK"));
    session
}

/// What bob hears. Rows of the selected mailbox select it first; the others have bob's own INBOX selected.
fn heard(way: Way, rights: &str, row: &Row, mailbox: &str) -> String {
    let world = world(way, rights);
    let mut bob = session(&world, "bob");
    let first = if row.selects { mailbox } else { "INBOX" };
    let selected = say(&mut bob, &format!("SELECT {first}"));
    assert!(selected.contains("t OK"), "{selected}");
    let said = say(&mut bob, &row.command.replace('$', mailbox));
    said.replace(MISSING, BOX).replace(NOBODY, BOX)
}

fn check(way: Way, rights: &str, row: &Row) {
    // A mailbox is selected with `r`.
    let rights = match row.selects && !rights.contains('r') {
        true => format!("{rights}r"),
        false => rights.to_owned(),
    };
    let has = |c: char| rights.contains(c);
    let allowed = match row.needs {
        Needs::All(needs) => needs.chars().all(has),
        Needs::Any(needs) => needs.chars().any(has),
    };
    let said = heard(way, &rights, row, BOX);
    let tagged = said.lines().last().unwrap();
    let context = format!("{} with {way:?} {rights:?}: {said}", row.command);
    if allowed {
        assert!(tagged.starts_with("t OK"), "{context}");
    } else if has('l') {
        assert!(tagged.starts_with("t NO [NOPERM]"), "{context}");
    } else if row.selects {
        assert!(tagged.starts_with("t NO ["), "{context}");
    } else {
        assert_eq!(said, heard(way, &rights, row, MISSING), "{context}");
        assert_eq!(said, heard(way, &rights, row, NOBODY), "{context}");
    }
}

#[test]
fn every_command_needs_its_rights_and_tells_nothing_without_lookup() {
    for row in TABLE {
        for way in [Way::Granted, Way::Anyone, Way::Negative, Way::AnyoneButNotThem] {
            check(way, "", row);
            check(way, LETTERS, row);
            for letter in LETTERS.chars() {
                check(way, &letter.to_string(), row);
                check(way, &format!("l{letter}"), row);
            }
        }
        // Two rights for what needs two.
        check(Way::Granted, "te", row);
        check(Way::Granted, "lte", row);
    }
}

#[test]
fn the_owner_may_do_everything() {
    for row in TABLE {
        let world = world(Way::Granted, "");
        world.append_to(&world.account_of("ann"), "INBOX", b"Subject: c\r\n\r\nd\r\n", START);
        let mut ann = session(&world, "ann");
        say(&mut ann, if row.selects { "SELECT Box" } else { "SELECT INBOX" });
        let said = say(&mut ann, &row.command.replace('$', "Box"));
        assert!(said.lines().last().unwrap().starts_with("t OK"), "{}: {said}", row.command);
    }
}

#[test]
fn somebody_of_another_domain_is_not_anyone() {
    for row in TABLE.iter().filter(|row| !row.selects) {
        let world = world(Way::Anyone, LETTERS);
        world.append_to(&world.account_of("zoe"), "INBOX", b"Subject: c\r\n\r\nd\r\n", START);
        let mut zoe = session(&world, "zoe");
        say(&mut zoe, "SELECT INBOX");
        let said = say(&mut zoe, &row.command.replace('$', BOX));
        say(&mut zoe, "SELECT INBOX");
        let missing = say(&mut zoe, &row.command.replace('$', MISSING));
        assert!(said.contains("t NO ["), "{}: {said}", row.command);
        assert_eq!(said, missing, "{}", row.command);
    }
}

/// CREATE and RENAME need `k` above the new name, and answer alike whether the place is hidden or not there.
#[test]
fn names_are_made_only_below_what_permits_it() {
    let new = |parent: &str| format!("\"{}/New\"", parent.trim_matches('"'));
    for rights in LETTERS.chars().map(|c| c.to_string()).chain(["".to_owned(), LETTERS.to_owned()]) {
        for command in ["CREATE $", "RENAME $ $"] {
            let world = world(Way::Granted, &rights);
            world.account_of("ann").create_mailbox_now("Other");
            world.acl("ann", "Other", "bob", "lx");
            let mut bob = session(&world, "bob");
            let ask = |parent: &str| match command {
                "CREATE $" => format!("CREATE {}", new(parent)),
                _ => format!("RENAME \"Other Users/ann@example.test/Other\" {}", new(parent)),
            };
            let said = say(&mut bob, &ask(BOX));
            if rights.contains('k') {
                assert!(said.contains("t OK"), "{command} with {rights}: {said}");
            } else {
                assert!(said.contains("t NO [NOPERM]"), "{command} with {rights}: {said}");
                assert_eq!(said, say(&mut bob, &ask(MISSING)), "{command} with {rights}");
                assert_eq!(said, say(&mut bob, &ask(NOBODY)), "{command} with {rights}");
            }
        }
    }
}

/// LIST and LSUB show what has `l`, and nothing of the rest.
#[test]
fn lists_show_what_may_be_looked_up() {
    for way in [Way::Granted, Way::Anyone, Way::Negative, Way::AnyoneButNotThem] {
        for letter in LETTERS.chars() {
            let world = world(way, &letter.to_string());
            let mut bob = session(&world, "bob");
            for command in [
                "LIST \"\" *",
                "LIST \"\" \"Other Users/ann@example.test/%\"",
                "LIST \"\" (* \"Other Users/%\") RETURN (MYRIGHTS CHILDREN STATUS (MESSAGES))",
                "LIST (SPECIAL-USE) \"\" * RETURN (SUBSCRIBED)",
                "LIST \"\" %",
            ] {
                let said = say(&mut bob, command);
                assert!(said.contains("t OK"), "{said}");
                let shows = said.contains("ann@example.test");
                let asked = command.contains("SPECIAL-USE") || command.ends_with('%');
                assert_eq!(shows, letter == 'l' && !asked, "{command} with {way:?} {letter}: {said}");
                assert_eq!(
                    said.contains("Other Users"),
                    letter == 'l' && !command.contains("SPECIAL"),
                    "{said}"
                );
            }
        }
    }
}
