//! What an IMAP server says, taken apart (RFC 9051 §9, RFC 7162 §7). Knows the wire and nothing of what should come when.

use std::collections::BTreeMap;

use super::flags::Flags;

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `tag OK [CODE] text`
    Tagged {
        tag: String,
        status: String,
        code: Option<Code>,
    },
    Continue,
    Exists(u32),
    Expunge(u32),
    Vanished {
        earlier: bool,
        uids: Vec<u32>,
    },
    Fetch {
        seq: u32,
        items: Fetched,
    },
    /// SEARCH and SORT
    Numbers {
        numbers: Vec<u32>,
        mod_seq: Option<u64>,
    },
    Thread(Vec<Vec<u32>>),
    Esearch(Esearch),
    Status {
        mailbox: String,
        values: BTreeMap<String, u64>,
    },
    /// The name of a mailbox, and whether it can be selected.
    List {
        mailbox: String,
        selectable: bool,
    },
    Flags,
    /// `* OK [CODE] text`
    Untagged {
        status: String,
        code: Option<Code>,
    },
    Bye,
    Capability(String),
    /// What the checker has no opinion on.
    Other,
}

/// A response code and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    pub name: String,
    pub words: Vec<String>,
}

impl Code {
    /// The first word as a number.
    pub fn number(&self) -> Option<u64> {
        self.words.first()?.parse().ok()
    }

    /// The word at this place as a set of numbers.
    pub fn set(&self, at: usize) -> Option<Vec<u32>> {
        parse_set(self.words.get(at)?)
    }
}

/// What one FETCH response tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    pub uid: Option<u32>,
    pub flags: Option<Flags>,
    pub mod_seq: Option<u64>,
    pub size: Option<u64>,
    pub internal_date: Option<String>,
    /// The token of our own header field, wherever it was seen.
    pub token: Option<u64>,
    /// The whole message.
    pub body: Option<Vec<u8>>,
}

/// RFC 4731, RFC 9394.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Esearch {
    pub tag: Option<String>,
    pub uid: bool,
    pub min: Option<u32>,
    pub max: Option<u32>,
    pub count: Option<u64>,
    pub all: Option<Vec<u32>>,
    pub mod_seq: Option<u64>,
    pub partial: Option<(String, Vec<u32>)>,
}

/// A piece of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Word(String),
    Text(Vec<u8>),
    List(Vec<Node>),
}

impl Node {
    fn word(&self) -> Option<&str> {
        match self {
            Node::Word(word) => Some(word),
            _ => None,
        }
    }

    fn number<N: std::str::FromStr>(&self) -> Option<N> {
        self.word()?.parse().ok()
    }

    fn list(&self) -> Option<&[Node]> {
        match self {
            Node::List(list) => Some(list),
            _ => None,
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Node::Word(word) => Some(word.clone()),
            Node::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            Node::List(_) => None,
        }
    }
}

/// Takes one response apart, its literals in place. `None`: it is none that RFC 9051 knows.
pub fn parse(octets: &[u8]) -> Option<Answer> {
    let line = octets.strip_suffix(b"\r\n")?;
    if line.starts_with(b"+") {
        return Some(Answer::Continue);
    }
    let space = line.iter().position(|octet| *octet == b' ')?;
    let (tag, rest) = (line.get(..space)?, line.get(space + 1..)?);
    let head = String::from_utf8_lossy(rest).into_owned();
    if tag != b"*" {
        let (status, code) = status(&head)?;
        return Some(Answer::Tagged { tag: String::from_utf8_lossy(tag).into_owned(), status, code });
    }
    if let Some((status, code)) = status(&head) {
        return Some(if status == "BYE" { Answer::Bye } else { Answer::Untagged { status, code } });
    }
    if head.to_ascii_uppercase().starts_with("CAPABILITY ") {
        return Some(Answer::Capability(head));
    }
    untagged(&nodes(&mut Cursor { octets: rest, at: 0 })?)
}

fn untagged(nodes: &[Node]) -> Option<Answer> {
    let (first, rest) = nodes.split_first()?;
    if let Some(number) = first.number::<u32>() {
        let (name, rest) = rest.split_first()?;
        return Some(match name.word()?.to_ascii_uppercase().as_str() {
            "EXISTS" => Answer::Exists(number),
            "EXPUNGE" => Answer::Expunge(number),
            "RECENT" => Answer::Other,
            "FETCH" => Answer::Fetch { seq: number, items: fetched(rest.first()?.list()?)? },
            _ => return None,
        });
    }
    Some(match first.word()?.to_ascii_uppercase().as_str() {
        "SEARCH" | "SORT" => numbers(rest)?,
        "THREAD" => Answer::Thread(rest.iter().map(members).collect::<Option<_>>()?),
        "ESEARCH" => Answer::Esearch(esearch(rest)?),
        "VANISHED" => {
            let earlier = rest.first()?.list().is_some();
            Answer::Vanished { earlier, uids: parse_set(rest.last()?.word()?)? }
        }
        "STATUS" => {
            let values = rest.get(1)?.list()?.chunks(2);
            let values =
                values.map(|pair| Some((pair.first()?.word()?.to_ascii_uppercase(), pair.get(1)?.number()?)));
            // MAILBOXID is no number; such pairs are of no interest.
            Answer::Status { mailbox: rest.first()?.text()?, values: values.flatten().collect() }
        }
        "LIST" => {
            let is_no_select = |node: &Node| {
                node.word().is_some_and(|word| {
                    word.eq_ignore_ascii_case("\\Noselect") || word.eq_ignore_ascii_case("\\NonExistent")
                })
            };
            let selectable = !rest.first()?.list()?.iter().any(is_no_select);
            Answer::List { mailbox: rest.get(2)?.text()?, selectable }
        }
        "FLAGS" => Answer::Flags,
        "ENABLED" | "ID" | "NAMESPACE" | "LSUB" | "QUOTA" | "QUOTAROOT" | "METADATA" | "ACL" | "MYRIGHTS"
        | "LISTRIGHTS" => Answer::Other,
        _ => return None,
    })
}

/// `OK`, `NO`, `BAD`, `BYE` or `PREAUTH`, and the code in brackets.
fn status(text: &str) -> Option<(String, Option<Code>)> {
    let (status, rest) = text.split_once(' ').unwrap_or((text, ""));
    let status = status.to_ascii_uppercase();
    if !["OK", "NO", "BAD", "BYE", "PREAUTH"].contains(&status.as_str()) {
        return None;
    }
    let inside = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inside, _)| inside);
    let code = inside.map(|inside| {
        let mut words = inside.split(' ').map(str::to_owned);
        Code { name: words.next().unwrap_or_default().to_ascii_uppercase(), words: words.collect() }
    });
    Some((status, code))
}

fn fetched(nodes: &[Node]) -> Option<Fetched> {
    let mut found = Fetched::default();
    let mut rest = nodes;
    while let [name, value, others @ ..] = rest {
        rest = others;
        let name = name.word()?.to_ascii_uppercase();
        match name.as_str() {
            "UID" => found.uid = Some(value.number()?),
            "FLAGS" => found.flags = Some(Flags::parse(value.list()?.iter().filter_map(Node::word))?),
            "MODSEQ" => found.mod_seq = Some(value.list()?.first()?.number()?),
            "RFC822.SIZE" => found.size = Some(value.number()?),
            "INTERNALDATE" => found.internal_date = Some(value.text()?),
            "ENVELOPE" => found.token = token_in(&value.list()?.last()?.text()?),
            "BODY[]" => {
                // NIL: the message is gone.
                found.body = match value {
                    Node::Text(text) => Some(text.clone()),
                    value => value.word().filter(|word| word.eq_ignore_ascii_case("NIL")).map(|_| None)?,
                };
            }
            _ if name.starts_with("BODY[HEADER.FIELDS") => found.token = token_in(&value.text()?),
            _ => {}
        }
    }
    rest.is_empty().then_some(found)
}

/// The token of a message in its `Message-ID` or in our own field: `t17.check`.
pub fn token_in(text: &str) -> Option<u64> {
    let end = text.find(super::mail::TOKEN_END)?;
    let digits = text.get(..end)?;
    let start = digits.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    digits.get(start..)?.parse().ok()
}

fn numbers(nodes: &[Node]) -> Option<Answer> {
    let mut answer = Vec::new();
    let mut mod_seq = None;
    for node in nodes {
        match node {
            Node::List(pair) => mod_seq = Some(pair.get(1)?.number()?),
            node => answer.push(node.number()?),
        }
    }
    Some(Answer::Numbers { numbers: answer, mod_seq })
}

/// All numbers of one thread.
fn members(node: &Node) -> Option<Vec<u32>> {
    match node {
        Node::List(list) => {
            Some(list.iter().map(members).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
        }
        node => Some(vec![node.number()?]),
    }
}

fn esearch(nodes: &[Node]) -> Option<Esearch> {
    let mut found = Esearch::default();
    let mut rest = nodes;
    if let [Node::List(correlator), others @ ..] = rest {
        found.tag = correlator.get(1)?.text();
        rest = others;
    }
    if let [Node::Word(word), others @ ..] = rest
        && word.eq_ignore_ascii_case("UID")
    {
        found.uid = true;
        rest = others;
    }
    while let [name, value, others @ ..] = rest {
        rest = others;
        match name.word()?.to_ascii_uppercase().as_str() {
            "MIN" => found.min = Some(value.number()?),
            "MAX" => found.max = Some(value.number()?),
            "COUNT" => found.count = Some(value.number()?),
            "ALL" => found.all = Some(parse_set(value.word()?)?),
            "MODSEQ" => found.mod_seq = Some(value.number()?),
            "PARTIAL" => {
                let pair = value.list()?;
                let set = pair.get(1)?.word()?;
                let set = if set.eq_ignore_ascii_case("NIL") { Vec::new() } else { parse_set(set)? };
                found.partial = Some((pair.first()?.word()?.to_owned(), set));
            }
            _ => {}
        }
    }
    rest.is_empty().then_some(found)
}

/// `3:5,9` in the order it stands.
pub fn parse_set(text: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for range in text.split(',') {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        if from.max(to) - from.min(to) > 1_000_000 {
            return None;
        }
        numbers.extend(from.min(to)..=from.max(to));
    }
    Some(numbers)
}

struct Cursor<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }
}

/// Everything up to the end or the closing parenthesis.
fn nodes(cursor: &mut Cursor<'_>) -> Option<Vec<Node>> {
    let mut found = Vec::new();
    while let Some(octet) = cursor.peek() {
        match octet {
            b' ' => cursor.at += 1,
            b')' => return Some(found),
            b'(' => {
                cursor.at += 1;
                let list = nodes(cursor)?;
                if cursor.peek() != Some(b')') {
                    return None;
                }
                cursor.at += 1;
                found.push(Node::List(list));
            }
            b'"' => found.push(Node::Text(quoted(cursor)?)),
            b'{' => found.push(Node::Text(literal(cursor)?)),
            _ => found.push(Node::Word(word(cursor)?)),
        }
    }
    Some(found)
}

fn quoted(cursor: &mut Cursor<'_>) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        cursor.at += 1;
        match cursor.peek()? {
            b'"' => break,
            b'\\' => {
                cursor.at += 1;
                text.push(cursor.peek()?);
            }
            octet => text.push(octet),
        }
    }
    cursor.at += 1;
    Some(text)
}

fn literal(cursor: &mut Cursor<'_>) -> Option<Vec<u8>> {
    let rest = cursor.octets.get(cursor.at + 1..)?;
    let end = rest.iter().position(|octet| *octet == b'}')?;
    let length: usize = std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
    let start = cursor.at + 1 + end + 3;
    let text = cursor.octets.get(start..start + length)?.to_vec();
    cursor.at = start + length;
    Some(text)
}

/// An atom; `BODY[HEADER.FIELDS (X)]<0>` is one.
fn word(cursor: &mut Cursor<'_>) -> Option<String> {
    let start = cursor.at;
    let mut inside = false;
    while let Some(octet) = cursor.peek() {
        match octet {
            b'[' => inside = true,
            b']' => inside = false,
            b' ' | b'(' | b')' if !inside => break,
            _ => {}
        }
        cursor.at += 1;
    }
    Some(String::from_utf8_lossy(cursor.octets.get(start..cursor.at)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Answer {
        parse(text.as_bytes()).unwrap_or_else(|| panic!("{text:?} was not understood"))
    }

    #[test]
    fn responses_are_taken_apart() {
        assert_eq!(answer("* 4 EXISTS\r\n"), Answer::Exists(4));
        assert_eq!(
            answer("* VANISHED (EARLIER) 3:4,9\r\n"),
            Answer::Vanished { earlier: true, uids: vec![3, 4, 9] }
        );
        let Answer::Fetch { seq: 2, items } = answer(
            "* 2 FETCH (UID 7 FLAGS (\\Seen \\Recent) MODSEQ (12) BODY[HEADER.FIELDS (X-CHECK)] {21}\r\nX-Check: 17.check\r\n\r\n)\r\n",
        ) else {
            panic!("no FETCH")
        };
        assert_eq!(
            (items.uid, items.flags, items.mod_seq, items.token),
            (Some(7), Some(Flags::SEEN), Some(12), Some(17))
        );
        let Answer::Esearch(found) = answer("* ESEARCH (TAG \"t1\") UID MIN 3 COUNT 2 ALL 3,9\r\n") else {
            panic!("no ESEARCH")
        };
        assert_eq!(
            (found.min, found.count, found.all, found.uid),
            (Some(3), Some(2), Some(vec![3, 9]), true)
        );
        assert_eq!(
            answer("* THREAD (3 6 (4 23)(44))(9)\r\n"),
            Answer::Thread(vec![vec![3, 6, 4, 23, 44], vec![9]])
        );
        let Answer::Tagged { code: Some(code), .. } =
            answer("a1 OK [COPYUID 38 304,319:320 3956:3958] Done\r\n")
        else {
            panic!("no code")
        };
        assert_eq!((code.number(), code.set(1)), (Some(38), Some(vec![304, 319, 320])));
    }

    #[test]
    fn what_is_no_response_is_refused() {
        for text in [
            "* 4 EXIST\r\n",
            "* FETCH (UID 3)\r\n",
            "* 1 FETCH (UID)\r\n",
            "a MAYBE\r\n",
            "* 1 FETCH (FLAGS (\\Sen))\r\n",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
