//! What the parser makes of commands, good and bad. RFC 9051 §9.

use super::*;
use crate::codec::{
    date::Day,
    fetch::{Content, Item, Partial, Spelling},
    list::List,
    search::{Key, Search, SearchReturn},
};
use proptest::prelude::*;
use yubin_formats::mail::{Section, SectionText};

fn read(text: &str) -> Result<Command, (usize, &'static str)> {
    parse(format!("a {text}\r\n").as_bytes(), Dialect::default())
        .map(|r| r.command)
        .map_err(|e| (e.error.at.wrapping_sub(2), e.error.what))
}

fn check(text: &str, want: Command) {
    assert_eq!(read(text), Ok(want), "{text}");
}

fn wrong(text: &str) {
    assert!(read(text).is_err(), "{text}: {:?}", read(text));
}

#[test]
fn simple_commands() {
    check("NOOP", Command::Noop);
    check("noop ", Command::Noop);
    check("Capability", Command::Capability);
    check("IDLE", Command::Idle);
    check("LOGIN ann {4}\r\np w\"", Command::Login { user: b"ann".to_vec(), password: b"p w\"".to_vec() });
    check("LOGIN \"a\\\\b\" \"\"", Command::Login { user: b"a\\b".to_vec(), password: vec![] });
    check(
        "SELECT inbox",
        Command::Select {
            mailbox: "INBOX".into(),
            examine: false,
            parameters: SelectParameters { condstore: false, qresync: None },
        },
    );
    check(
        "EXAMINE a (CONDSTORE)",
        Command::Select {
            mailbox: "a".into(),
            examine: true,
            parameters: SelectParameters { condstore: true, qresync: None },
        },
    );
    check("RENAME a \"&AOk-\"", Command::Rename { from: "a".into(), to: "é".into() });
    check(
        "CREATE x (USE (\\Drafts \\Sent))",
        Command::Create { mailbox: "x".into(), uses: vec!["\\Drafts".into(), "\\Sent".into()] },
    );
    check("ENABLE condstore IMAP4rev2", Command::Enable(vec!["CONDSTORE".into(), "IMAP4REV2".into()]));
    check("ID NIL", Command::Id(vec![]));
    check(
        "ID (\"name\" \"x\" \"os\" NIL)",
        Command::Id(vec![("name".into(), Some("x".into())), ("os".into(), None)]),
    );
    check("AUTHENTICATE plain", Command::Authenticate { mechanism: "PLAIN".into(), initial: None });
    check("AUTHENTICATE PLAIN =", Command::Authenticate { mechanism: "PLAIN".into(), initial: Some(vec![]) });
    check(
        "AUTHENTICATE PLAIN AGEAYg==",
        Command::Authenticate { mechanism: "PLAIN".into(), initial: Some(b"\0a\0b".to_vec()) },
    );
    for text in [
        "",
        "FOO",
        "NOOP x",
        "LOGIN a",
        "LOGIN a b c",
        "SELECT",
        "SELECT \"\"",
        "SELECT &",
        "UID",
        "UID NOOP",
        "ENABLE",
        "ID (\"a\")",
        "AUTHENTICATE PLAIN ???",
        "STATUS a ()",
        "STATUS a (FOO)",
        "CREATE x (FOO)",
        "APPEND x",
    ] {
        wrong(text);
    }
}

#[test]
fn qresync_parameters() {
    let qresync = |text: &str| match read(&format!("SELECT a (QRESYNC ({text}))")) {
        Ok(Command::Select { parameters, .. }) => parameters.qresync,
        _ => None,
    };
    let known = Some(Set::Ranges(vec![(1, 9)]));
    let set = |text: &str| Set::parse(&mut Cursor::new(text.as_bytes())).ok();
    assert_eq!(qresync("7 20"), Some(QResync { uid_validity: 7, modseq: 20, known: None, matched: None }));
    assert_eq!(
        qresync("7 20 1:9"),
        Some(QResync { uid_validity: 7, modseq: 20, known: known.clone(), matched: None })
    );
    assert_eq!(
        qresync("7 20 1:9 (1,2 3,4)"),
        Some(QResync { uid_validity: 7, modseq: 20, known, matched: set("1,2").zip(set("3,4")) })
    );
    assert_eq!(
        qresync("7 20 (1 3)"),
        Some(QResync { uid_validity: 7, modseq: 20, known: None, matched: set("1").zip(set("3")) })
    );
    for wrong in
        ["", "7", "0 1", "7 20 x", "7 20 1 2", "7 20 (1)", "7 20 (1 2", "7 20 1:*", "7 20 $", "7 20 (1 2) 3"]
    {
        assert_eq!(qresync(wrong), None, "{wrong}");
    }
}

#[test]
fn tags_are_checked() {
    let tag = |t: &str| {
        parse(format!("{t} NOOP\r\n").as_bytes(), Dialect::default()).map(|r| r.tag).map_err(|e| e.tag)
    };
    assert_eq!(tag("a.1]"), Ok("a.1]".into()));
    for t in ["+", "a+", "*", "(", "", "é", &"x".repeat(129)] {
        assert_eq!(tag(t), Err(None), "{t}");
    }
}

#[test]
fn fetch_items() {
    let items = |text: &str| match read(&format!("FETCH 1 {text}")) {
        Ok(Command::Fetch { items, .. }) => items,
        other => panic!("{text}: {other:?}"),
    };
    let content = |part: &[u32], text, peek, partial| {
        Item::Content(Content {
            spelling: Spelling::Body,
            section: Section { part: part.to_vec(), text },
            fields: None,
            peek,
            partial,
        })
    };
    assert_eq!(items("FAST"), [Item::Flags, Item::InternalDate, Item::Size]);
    assert_eq!(items("(UID BODY)"), [Item::Uid, Item::Body]);
    assert_eq!(items("BODY[]"), [content(&[], SectionText::Whole, false, None)]);
    assert_eq!(
        items("BODY.PEEK[1.2.MIME]<0.10>"),
        [content(&[1, 2], SectionText::Mime, true, Some(Partial { offset: 0, octets: 10 }))]
    );
    assert_eq!(items("body[3]"), [content(&[3], SectionText::Whole, false, None)]);
    assert_eq!(
        items("(BODY[TEXT] BODY[2.HEADER])"),
        [content(&[], SectionText::Text, false, None), content(&[2], SectionText::Header, false, None)]
    );
    let fields = items("BODY[HEADER.FIELDS.NOT (from \"To\")]");
    assert!(
        matches!(fields.as_slice(), [Item::Content(Content { fields: Some((names, false)), .. })] if names.len() == 2)
    );
    assert_eq!(items("BINARY.SIZE[1]"), [Item::BinarySize(vec![1])]);
    assert_eq!(
        items("BINARY[]<1.2>"),
        [Item::Binary { part: vec![], peek: false, partial: Some(Partial { offset: 1, octets: 2 }) }]
    );
    for text in [
        "",
        "()",
        "FOO",
        "(ALL)",
        "BODY[",
        "BODY[0]",
        "BODY[MIME]",
        "BODY[1.]",
        "BODY[1.FOO]",
        "BODY[HEADER.FIELDS]",
        "BODY[HEADER.FIELDS ()]",
        "BODY[]<0.0>",
        "BODY[]<0>",
        "BINARY[TEXT]",
        "BINARY",
        "FLAGS UID",
        "BODY.PEEK",
    ] {
        wrong(&format!("FETCH 1 {text}"));
    }
    check(
        "UID FETCH 1:* FLAGS (CHANGEDSINCE 9)",
        Command::Fetch {
            set: Set::Ranges(vec![(1, 0)]),
            items: vec![Item::Flags],
            modifiers: FetchModifiers { changed_since: Some(9), ..FetchModifiers::default() },
            uid: true,
        },
    );
    wrong("FETCH 1 FLAGS (CHANGEDSINCE)");
    wrong("FETCH 1,0 FLAGS");
    wrong(&format!("FETCH 1 BODY[{}1]", "1.".repeat(40)));
}

#[test]
fn search_keys() {
    let key = |text: &str| match read(&format!("SEARCH {text}")) {
        Ok(Command::Search { search: Search { key, .. }, .. }) => key,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(key("ALL"), Key::All);
    assert_eq!(
        key("1:2 UNSEEN"),
        Key::And(vec![Key::Seq(Set::Ranges(vec![(1, 2)])), Key::Flag(Flags::SEEN, false)])
    );
    assert_eq!(
        key("OR SEEN (NOT FROM ann)"),
        Key::Or(
            Box::new(Key::Flag(Flags::SEEN, true)),
            Box::new(Key::Not(Box::new(Key::Header(b"From".to_vec(), b"ann".to_vec()))))
        )
    );
    assert_eq!(key("SENTSINCE \"1-Feb-1994\""), Key::SentSince(Day::new(1994, 2, 1).unwrap()));
    assert_eq!(key("HEADER x-y \"\""), Key::Header(b"x-y".to_vec(), vec![]));
    assert_eq!(key("MODSEQ \"/flags/\\\\draft\" all 620162338"), Key::ModSeq(620_162_338));
    assert_eq!(key("UID $"), Key::Uid(Set::Saved));
    let returns = |text: &str| match read(&format!("UID SEARCH {text} ALL")) {
        Ok(Command::Search { search: Search { returns: Some(r), .. }, uid: true }) => r,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(returns("RETURN ()"), SearchReturn { all: true, ..SearchReturn::default() });
    assert_eq!(
        returns("RETURN (MIN COUNT SAVE)"),
        SearchReturn { min: true, count: true, save: true, ..SearchReturn::default() }
    );
    assert_eq!(returns("RETURN (PARTIAL -1:-100)").partial, Some((-1, -100)));
    for text in [
        "",
        "FOO",
        "OR SEEN",
        "NOT",
        "()",
        "BEFORE 32-Jan-2000",
        "BEFORE x",
        "LARGER -1",
        "KEYWORD",
        "SUBJECT",
        "UID a",
        "RETURN (FOO) ALL",
        "OLDER 0",
        "CHARSET UTF-8",
        "(SEEN",
        "RETURN (ALL PARTIAL 1:2) ALL",
    ] {
        wrong(&format!("SEARCH {text}"));
    }
    assert!(read(&format!("SEARCH {}SEEN", "NOT ".repeat(31))).is_ok());
    wrong(&format!("SEARCH {}SEEN", "NOT ".repeat(32)));
    wrong(&format!("SEARCH {}", "(".repeat(60_000)));
    wrong(&format!("SEARCH{}", " SEEN".repeat(1_001)));
}

#[test]
fn list_arguments() {
    let list = |text: &str| match read(&format!("LIST {text}")) {
        Ok(Command::List(list)) => list,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(list("\"\" *"), List { patterns: vec!["*".into()], ..List::default() });
    assert_eq!(
        list("a/ %]"),
        List { reference: "a/".into(), patterns: vec!["%]".into()], ..List::default() }
    );
    let long =
        list("(SUBSCRIBED RECURSIVEMATCH) \"\" (INBOX \"a b\") RETURN (CHILDREN STATUS (MESSAGES UNSEEN))");
    assert!(long.extended && long.select.subscribed && long.returns.children);
    assert_eq!(long.patterns, ["INBOX", "a b"]);
    assert_eq!(long.returns.status, Some(vec![StatusItem::Messages, StatusItem::Unseen]));
    assert!(list("() \"\" %").extended);
    for text in [
        "",
        "\"\"",
        "(RECURSIVEMATCH) \"\" *",
        "(FOO) \"\" *",
        "\"\" () ",
        "\"\" * RETURN",
        "\"\" * RETURN (FOO)",
        "\"\" &",
    ] {
        wrong(&format!("LIST {text}"));
    }
}

#[test]
fn store_flags() {
    let store = |text: &str| match read(&format!("STORE 1 {text}")) {
        Ok(Command::Store { store, .. }) => store,
        other => panic!("{text}: {other:?}"),
    };
    let s = store("+FLAGS.SILENT (\\Seen $Label1 $label1)");
    assert_eq!((s.op, s.silent, s.flags.flags, s.flags.keywords.len()), (FlagOp::Add, true, Flags::SEEN, 1));
    assert_eq!(store("FLAGS \\Deleted x").flags.keywords.len(), 1);
    assert_eq!(store("(UNCHANGEDSINCE 0) -flags ()").unchanged_since, Some(0));
    for text in ["", "FLAGS", "FLAGS (\\Foo)", "*FLAGS ()", "FLAGS (a", "FLAGS.LOUD (a)", "FLAGS (\\*)"] {
        wrong(&format!("STORE 1 {text}"));
    }
}

proptest! {
    #[test]
    fn arbitrary_octets_never_panic(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&input, Dialect::default());
        let _ = crate::codec::append::start(&input, Dialect { utf8: true, ..Dialect::default() });
        let _ = crate::codec::url::parse(&input);
        for literal in [false, true] {
            let mut place = Default::default();
            let _ = crate::codec::append::words(&mut Cursor::new(&input), &mut place, literal);
        }
    }

    #[test]
    fn words_of_the_protocol_in_any_order_never_panic(words in proptest::collection::vec(proptest::sample::select(vec![
        "FETCH", "SEARCH", "STORE", "LIST", "UID", "1:*", "(", ")", "BODY[", "]", "<0.1>", "\"a\"", "{1}\r\nx", "NOT", "OR", "RETURN",
        "STATUS", "CHARSET", "FLAGS", "\\Seen", "HEADER.FIELDS", "$", "*", "%", "a", "APPEND", "USE", "CREATE", "ID", "NIL", "1",
    ]), 0..12), glue in proptest::sample::select(vec![" ", ""])) {
        let text = format!("a {}\r\n", words.join(glue));
        let _ = parse(text.as_bytes(), Dialect::default());
    }
}
