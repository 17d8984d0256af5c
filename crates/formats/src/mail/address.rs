//! Address lists: mailboxes, groups, and everything that is written in their place. Never fails; names stay undecoded.
//! RFC 5322 §3.4 and §4.4 (routes, empty members), RFC 6854 (groups in From).

use super::{decode_phrase, lex::Lexer};
use crate::limits::ADDRESSES;

/// One element of an address list, in ENVELOPE's flat order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A mailbox.
    Mailbox(Mailbox),
    /// A group begins; its name, undecoded.
    GroupStart(Vec<u8>),
    /// The group ends.
    GroupEnd,
}

/// A mailbox as written, unquoted and undecoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, or the comment that stands for it.
    pub name: Option<Vec<u8>>,
    /// The obsolete route: `@a,@b`.
    pub route: Option<Vec<u8>>,
    /// The local part without quotes.
    pub local: Vec<u8>,
    /// The domain; empty when none is written.
    pub domain: Vec<u8>,
}

impl Mailbox {
    /// The decoded display name.
    pub fn decoded_name(&self) -> Option<String> {
        self.name.as_deref().map(decode_phrase)
    }
    /// `local@domain`, raw 8-bit read as UTF-8; the local part alone when there is no domain.
    pub fn address(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.local).into_owned();
        if !self.domain.is_empty() {
            text.push('@');
            text.push_str(&String::from_utf8_lossy(&self.domain));
        }
        text
    }
}

/// Reads the value of From, To and the like. At most [`ADDRESSES`] elements.
///
/// ```abnf
/// address      = mailbox / group                          ; RFC 5322 §3.4
/// mailbox      = [display-name] angle-addr / addr-spec
/// group        = display-name ":" [group-list] ";"
/// obs-route    = obs-domain-list ":"                      ; RFC 5322 §4.4
/// ```
pub fn parse_addresses(value: &[u8]) -> Vec<Address> {
    let mut reader = Reader { lexer: Lexer::new(value), out: Vec::new(), in_group: false };
    while reader.out.len() < ADDRESSES && reader.element() {}
    if reader.in_group {
        reader.out.push(Address::GroupEnd);
    }
    reader.out
}

/// The mailboxes of a list, groups opened.
impl Address {
    /// The mailbox, if this is one.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox),
            _ => None,
        }
    }
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    out: Vec<Address>,
    in_group: bool,
}

/// The words up to a special, and how they are joined.
#[derive(Default)]
struct Words {
    /// As a display name: joined by single spaces where there was any.
    phrase: Vec<u8>,
    /// Where the last word begins in `phrase`.
    last: usize,
    any: bool,
    comment: Vec<u8>,
}

const SPECIALS: &[u8] = b"()<>,;:@\"";

impl Reader<'_> {
    /// Reads one element. False at the end.
    fn element(&mut self) -> bool {
        let mut words = self.words();
        match self.lexer.bump() {
            None => {
                self.lone(words);
                return false;
            }
            Some(b'<') => self.angle(words),
            Some(b'@') => {
                let local = match words.any {
                    true => std::mem::take(&mut words.phrase),
                    false => Vec::new(),
                };
                self.address_spec(local, words);
            }
            Some(b':') if !self.in_group => {
                self.out.push(Address::GroupStart(words.phrase));
                self.in_group = true;
            }
            Some(b';') => {
                self.lone(words);
                if self.in_group {
                    self.out.push(Address::GroupEnd);
                    self.in_group = false;
                }
            }
            // A comma ends an element; other specials are out of place and do the same.
            Some(_) => self.lone(words),
        }
        true
    }

    /// Takes atoms and quoted strings up to a special.
    fn words(&mut self) -> Words {
        let mut words = Words::default();
        loop {
            let space = self.lexer.skip_cfws(Some(&mut words.comment));
            let Some(next) = self.lexer.peek() else { return words };
            if next != b'"' && SPECIALS.contains(&next) {
                return words;
            }
            if words.any && space {
                words.phrase.push(b' ');
            }
            words.last = words.phrase.len();
            let before = self.lexer.rest().len();
            if next == b'"' {
                self.lexer.quoted_string(&mut words.phrase);
            } else {
                self.lexer.atom(SPECIALS, &mut words.phrase);
            }
            words.any = true;
            if before == self.lexer.rest().len() {
                self.lexer.bump();
            }
        }
    }

    /// `name <route:local@domain>`; the lexer stands behind `<`.
    fn angle(&mut self, words: Words) {
        let mut mailbox = Mailbox { name: name_of(words.phrase, words.comment), ..Mailbox::default() };
        self.lexer.skip_cfws(None);
        if self.lexer.peek() == Some(b'@') {
            mailbox.route = Some(self.route());
        }
        let local = self.words();
        mailbox.local = local.phrase;
        if self.lexer.eat(b'@') {
            mailbox.domain = self.domain();
        }
        // Whatever else stands before `>` is passed over; without a `>` the next comma ends the address.
        loop {
            match self.lexer.peek() {
                None | Some(b',' | b';') => break,
                Some(b'>') => {
                    self.lexer.bump();
                    break;
                }
                Some(b'"' | b'(') => {
                    self.words();
                }
                Some(_) => {
                    self.lexer.bump();
                }
            }
        }
        if mailbox.local.is_empty() && mailbox.domain.is_empty() && mailbox.name.is_none() {
            self.end_element();
            return;
        }
        let mut comment = Vec::new();
        self.lexer.skip_cfws(Some(&mut comment));
        if mailbox.name.is_none() {
            mailbox.name = name_of(Vec::new(), comment);
        }
        self.out.push(Address::Mailbox(mailbox));
        self.end_element();
    }

    /// `local@domain (name)`; the lexer stands behind `@`. Words before the last are a name that lacks its angle brackets.
    fn address_spec(&mut self, mut local: Vec<u8>, words: Words) {
        let mut name = Vec::new();
        if words.last > 0 && local.get(words.last.saturating_sub(1)) == Some(&b' ') {
            let last = local.split_off(words.last);
            name = std::mem::replace(&mut local, last);
            name.pop();
        }
        let mut mailbox = Mailbox { local, domain: self.domain(), ..Mailbox::default() };
        let mut comment = words.comment;
        self.lexer.skip_cfws(Some(&mut comment));
        if self.lexer.peek() == Some(b'<') {
            // `a@b <c@d>`: the first is the name of the second.
            self.lexer.bump();
            if !name.is_empty() {
                name.push(b' ');
            }
            name.extend_from_slice(&mailbox.local);
            name.push(b'@');
            name.extend_from_slice(&mailbox.domain);
            self.angle(Words { phrase: name, comment, ..Words::default() });
            return;
        }
        mailbox.name = name_of(name, comment);
        self.out.push(Address::Mailbox(mailbox));
        self.end_element();
    }

    /// Words without an address: a local name.
    fn lone(&mut self, words: Words) {
        if words.any {
            let name = name_of(Vec::new(), words.comment);
            self.out.push(Address::Mailbox(Mailbox { name, local: words.phrase, ..Mailbox::default() }));
        }
    }

    /// Takes a comma, if it is next; anything else begins the next element.
    fn end_element(&mut self) {
        self.lexer.skip_cfws(None);
        self.lexer.eat(b',');
    }

    /// A domain or an address literal; white space and comments inside are dropped (RFC 5322 §4.4).
    fn domain(&mut self) -> Vec<u8> {
        let mut domain = Vec::new();
        loop {
            let mut ahead = self.lexer.clone();
            ahead.skip_cfws(None);
            let continues = match ahead.peek() {
                None => false,
                Some(b'.' | b'[') => true,
                Some(next) => !SPECIALS.contains(&next) && (domain.is_empty() || domain.ends_with(b".")),
            };
            if !continues {
                return domain;
            }
            self.lexer = ahead;
            if self.lexer.peek() == Some(b'[') {
                let rest = self.lexer.rest();
                let length =
                    rest.iter().position(|c| matches!(c, b']' | b'>' | b',' | b'\n')).unwrap_or(rest.len());
                let literal = self.lexer.take(length);
                domain.extend(literal.iter().filter(|c| !c.is_ascii_whitespace() && **c != 0));
                if self.lexer.eat(b']') {
                    domain.push(b']');
                }
                return domain;
            }
            let before = self.lexer.rest().len();
            self.lexer.atom(b"()<>,;:@\"[", &mut domain);
            if before == self.lexer.rest().len() {
                return domain;
            }
        }
    }

    /// `@a,@b:`; the lexer stands at the first `@`.
    fn route(&mut self) -> Vec<u8> {
        let mut route = Vec::new();
        while self.lexer.eat(b'@') {
            if !route.is_empty() {
                route.push(b',');
            }
            route.push(b'@');
            route.append(&mut self.domain());
            while self.lexer.skip_cfws(None) || self.lexer.eat(b',') {}
        }
        self.lexer.eat(b':');
        route
    }
}

/// The name is the phrase, or the comment when there is no phrase.
fn name_of(phrase: Vec<u8>, comment: Vec<u8>) -> Option<Vec<u8>> {
    let name = if phrase.is_empty() { comment.trim_ascii().to_vec() } else { phrase };
    (!name.is_empty()).then_some(name)
}
