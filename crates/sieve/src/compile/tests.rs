//! The tests that compare something, one function for the arguments of each.

use super::{
    Compiler, MATCH,
    arguments::{Tag, Taken, Takes, extension, tag},
    text,
};
use crate::{
    CompileError, Position, capability, limits,
    program::{AddressPart, BodyKind, DuplicateId, Index, Test, Text, Wanted, Zone},
    syntax::Test as TestNode,
};

const ADDRESS_PARTS: &[Tag] = &[
    tag("all", Takes::Nothing),
    tag("localpart", Takes::Nothing),
    tag("domain", Takes::Nothing),
    extension("user", Takes::Nothing, "subaddress"),
    extension("detail", Takes::Nothing, "subaddress"),
];
const INDEX: &[Tag] =
    &[extension("index", Takes::Number, "index"), extension("last", Takes::Nothing, "index")];
const ZONE: &[Tag] = &[tag("zone", Takes::String), tag("originalzone", Takes::Nothing)];

impl Compiler {
    pub(super) fn leaf(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        match node.name.as_str() {
            "true" | "false" => {
                self.take_test(node, &[])?.end()?;
                Ok(Test::Constant(node.name == "true"))
            }
            "exists" => self.exists(node),
            "size" => self.size(node),
            "header" => self.header(node),
            "address" => self.address(node),
            "envelope" => self.envelope(node),
            "body" => self.body(node),
            "environment" => self.environment(node),
            "string" => self.string(node),
            "hasflag" => self.has_flag(node),
            "date" | "currentdate" => self.date(node),
            "mailboxexists" => {
                self.needs(node.at, "mailboxexists", &["mailbox"])?;
                Ok(Test::MailboxExists(self.only_strings(node, "the mailboxes")?))
            }
            "mailboxidexists" => {
                self.needs(node.at, "mailboxidexists", &["mailboxid"])?;
                Ok(Test::MailboxIdExists(self.only_strings(node, "the mailbox ids")?))
            }
            "specialuse_exists" => self.special_use_exists(node),
            "spamtest" | "virustest" => self.spam_test(node),
            "duplicate" => self.duplicate(node),
            "ihave" => self.ihave(node),
            name => Err(CompileError::new(node.at, format!("there is no test {name:?}"))),
        }
    }

    /// RFC 5228 §5.5.
    fn exists(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        Ok(Test::Exists(self.only_strings(node, "the header fields")?))
    }

    /// RFC 5228 §5.9.
    fn size(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        let mut taken =
            self.take_test(node, &[&[tag("over", Takes::Nothing), tag("under", Takes::Nothing)]])?;
        let over = match taken.one_of(&["over", "under"])? {
            Some(which) => which == "over",
            None => return Err(CompileError::new(node.at, "size takes :over or :under")),
        };
        let octets = taken.next_number("the size")?;
        taken.end()?;
        Ok(Test::Size { over, octets })
    }

    /// RFC 5228 §5.7.
    fn header(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        let mut taken = self.take_test(node, &[MATCH, INDEX])?;
        let names = self.next_names(&mut taken)?;
        let wanted = self.last_keys(&mut taken)?;
        Ok(Test::Header { names, index: index(&taken)?, wanted })
    }

    /// RFC 5228 §5.1; RFC 5233 for :user and :detail.
    fn address(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        let mut taken = self.take_test(node, &[MATCH, ADDRESS_PARTS, INDEX])?;
        let names = self.next_names(&mut taken)?;
        let wanted = self.last_keys(&mut taken)?;
        Ok(Test::Address { part: address_part(&taken)?, names, index: index(&taken)?, wanted })
    }

    /// RFC 5228 §5.4.
    fn envelope(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        self.needs(node.at, "envelope", &["envelope"])?;
        let mut taken = self.take_test(node, &[MATCH, ADDRESS_PARTS])?;
        let parts = taken.next_strings("the parts of the envelope")?;
        let known = |part: &&&str| {
            ["from", "to"].iter().any(|known| part.eq_ignore_ascii_case(known)) || part.contains("${")
        };
        if let Some(part) = parts.iter().find(|part| !known(part)) {
            return Err(CompileError::new(
                node.at,
                format!("an envelope has \"from\" and \"to\", not {part:?}"),
            ));
        }
        let parts = self.texts(node.at, &parts)?;
        let wanted = self.last_keys(&mut taken)?;
        Ok(Test::Envelope { part: address_part(&taken)?, parts, wanted })
    }

    /// RFC 5173.
    fn body(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        const TRANSFORMS: &[Tag] =
            &[tag("raw", Takes::Nothing), tag("text", Takes::Nothing), tag("content", Takes::Strings)];
        self.needs(node.at, "body", &["body"])?;
        let mut taken = self.take_test(node, &[MATCH, TRANSFORMS])?;
        let kind = match taken.one_of(&["raw", "text", "content"])? {
            Some("raw") => BodyKind::Raw,
            Some("content") => {
                let types = taken.strings("content").unwrap_or_default();
                BodyKind::Content(self.texts(node.at, &types)?)
            }
            _ => BodyKind::Text,
        };
        self.reads_body = true;
        let wanted = self.last_keys(&mut taken)?;
        Ok(Test::Body { kind, wanted })
    }

    /// RFC 5183.
    fn environment(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        self.needs(node.at, "environment", &["environment"])?;
        let mut taken = self.take_test(node, &[MATCH])?;
        let item = self.text(node.at, taken.next_string("the item")?)?;
        let wanted = self.last_keys(&mut taken)?;
        Ok(Test::Environment { item, wanted })
    }

    /// RFC 5229 §5.
    fn string(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        self.needs(node.at, "string", &["variables"])?;
        let mut taken = self.take_test(node, &[MATCH])?;
        let sources = self.texts(node.at, &taken.next_strings("the strings")?)?;
        let wanted = self.last_keys(&mut taken)?;
        Ok(Test::String { sources, wanted })
    }

    /// RFC 5232 §4. With one list it tests the flags of the message.
    fn has_flag(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        self.needs(node.at, "hasflag", &["imap4flags"])?;
        let mut taken = self.take_test(node, &[MATCH])?;
        let mut variables = Vec::new();
        if taken.left() > 1 {
            self.needs(node.at, "hasflag with a variable", &["variables"])?;
            for name in taken.next_strings("the variables")? {
                variables.push(variable(node.at, name)?);
            }
        }
        let wanted = self.last_keys(&mut taken)?;
        Ok(Test::HasFlag { variables, wanted })
    }

    /// RFC 5260 §4 and §5.
    fn date(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        self.needs(node.at, &node.name, &["date"])?;
        let current = node.name == "currentdate";
        let mut taken = match current {
            true => self.take_test(node, &[MATCH, &[tag("zone", Takes::String)]])?,
            false => self.take_test(node, &[MATCH, ZONE, INDEX])?,
        };
        let zone = match (taken.one_of(&["zone", "originalzone"])?, taken.string("zone")) {
            (Some("originalzone"), _) => Zone::Original,
            (Some(_), Some(text)) => Zone::Fixed(zone_minutes(text).ok_or_else(|| {
                CompileError::new(node.at, format!("a zone is written +hhmm or -hhmm, not {text:?}"))
            })?),
            _ => Zone::Local,
        };
        let field = match current {
            true => None,
            false => Some(self.text(node.at, taken.next_string("the header field")?)?),
        };
        let part = self.text(node.at, taken.next_string("the part of the date")?)?;
        let wanted = self.last_keys(&mut taken)?;
        Ok(Test::Date { field, zone, part, index: index(&taken)?, wanted })
    }

    /// RFC 8579 §4.
    fn special_use_exists(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        self.needs(node.at, "specialuse_exists", &["special-use"])?;
        let mut taken = self.take_test(node, &[])?;
        let mailbox = match taken.left() {
            2 => Some(self.text(node.at, taken.next_string("the mailbox")?)?),
            _ => None,
        };
        let uses = self.texts(node.at, &taken.next_strings("the special uses")?)?;
        taken.end()?;
        Ok(Test::SpecialUseExists { mailbox, uses })
    }

    /// RFC 5235 §3.1 and §3.2.
    fn spam_test(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        const PERCENT: &[Tag] = &[extension("percent", Takes::Nothing, "spamtestplus")];
        if node.name == "virustest" {
            self.needs(node.at, "virustest", &["virustest"])?;
            let mut taken = self.take_test(node, &[MATCH])?;
            return Ok(Test::Virus { wanted: self.last_key(&mut taken)? });
        }
        self.needs(node.at, "spamtest", &["spamtest", "spamtestplus"])?;
        let mut taken = self.take_test(node, &[MATCH, PERCENT])?;
        let wanted = self.last_key(&mut taken)?;
        Ok(Test::Spam { percent: taken.has("percent"), wanted })
    }

    /// RFC 7352 §3.
    fn duplicate(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        const TAGS: &[Tag] = &[
            tag("header", Takes::String),
            tag("uniqueid", Takes::String),
            tag("handle", Takes::String),
            tag("seconds", Takes::Number),
            tag("last", Takes::Nothing),
        ];
        self.needs(node.at, "duplicate", &["duplicate"])?;
        let taken = self.take_test(node, &[TAGS])?;
        taken.end()?;
        let id = match (taken.one_of(&["header", "uniqueid"])?, taken.string("uniqueid")) {
            (Some("uniqueid"), Some(id)) => DuplicateId::UniqueId(self.text(node.at, id)?),
            (Some(_), _) => {
                DuplicateId::Header(self.text(node.at, taken.string("header").unwrap_or_default())?)
            }
            (None, _) => DuplicateId::Header(Text::literal("message-id")),
        };
        let seconds = taken.number("seconds").unwrap_or(limits::DUPLICATE_SECONDS_DEFAULT);
        Ok(Test::Duplicate {
            handle: self.text(node.at, taken.string("handle").unwrap_or_default())?,
            id,
            seconds: seconds.min(limits::DUPLICATE_SECONDS_MAX),
            last: taken.has("last"),
        })
    }

    /// RFC 5463 §4: what is there counts as required from here on.
    fn ihave(&mut self, node: &TestNode) -> Result<Test, CompileError> {
        self.needs(node.at, "ihave", &["ihave"])?;
        let mut taken = self.take_test(node, &[])?;
        let names = taken.next_strings("the extensions")?;
        taken.end()?;
        let known: Option<Vec<&'static str>> = names.iter().map(|name| capability::known(name)).collect();
        self.required.extend(known.iter().flatten());
        Ok(Test::Constant(known.is_some()))
    }

    fn only_strings(&mut self, node: &TestNode, what: &str) -> Result<Vec<Text>, CompileError> {
        let mut taken = self.take_test(node, &[])?;
        let strings = taken.next_strings(what)?;
        taken.end()?;
        self.texts(node.at, &strings)
    }

    fn next_names(&self, taken: &mut Taken<'_>) -> Result<Vec<Text>, CompileError> {
        let names = taken.next_strings("the header fields")?;
        for name in names.iter().filter(|name| !name.contains("${")) {
            check_field_name(taken.at, name)?;
        }
        self.texts(taken.at, &names)
    }

    fn last_keys(&mut self, taken: &mut Taken<'_>) -> Result<Wanted, CompileError> {
        let keys = taken.next_strings("the keys")?;
        taken.end()?;
        self.wanted(taken, &keys)
    }

    fn last_key(&mut self, taken: &mut Taken<'_>) -> Result<Wanted, CompileError> {
        let key = taken.next_string("the value")?;
        taken.end()?;
        self.wanted(taken, &[key])
    }
}

/// RFC 5322 §2.2: printable, no colon, no space.
pub(super) fn check_field_name(at: Position, name: &str) -> Result<(), CompileError> {
    if !name.is_empty() && name.bytes().all(|c| c.is_ascii_graphic() && c != b':') {
        return Ok(());
    }
    Err(CompileError::new(at, format!("{name:?} cannot be the name of a header field")))
}

pub(super) fn variable(at: Position, name: &str) -> Result<crate::program::Name, CompileError> {
    text::name(name)
        .ok_or_else(|| CompileError::new(at, format!("{name:?} cannot be the name of a variable")))
}

pub(super) fn index(taken: &Taken<'_>) -> Result<Option<Index>, CompileError> {
    match taken.number("index") {
        Some(0) => Err(CompileError::new(taken.at, ":index counts from 1")),
        Some(number) => {
            let number = usize::try_from(number).unwrap_or(usize::MAX);
            Ok(Some(Index { number, last: taken.has("last") }))
        }
        None if taken.has("last") => Err(CompileError::new(taken.at, ":last goes with :index")),
        None => Ok(None),
    }
}

fn address_part(taken: &Taken<'_>) -> Result<AddressPart, CompileError> {
    Ok(match taken.one_of(&["all", "localpart", "domain", "user", "detail"])? {
        None | Some("all") => AddressPart::All,
        Some("localpart") => AddressPart::LocalPart,
        Some("domain") => AddressPart::Domain,
        Some("user") => AddressPart::User,
        Some(_) => AddressPart::Detail,
    })
}

/// `+0900` in minutes.
fn zone_minutes(text: &str) -> Option<i32> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits =
        text.get(1..).filter(|digits| digits.len() == 4 && digits.bytes().all(|c| c.is_ascii_digit()))?;
    let number: i32 = digits.parse().ok()?;
    (number % 100 < 60).then_some(sign * (number / 100 * 60 + number % 100))
}
