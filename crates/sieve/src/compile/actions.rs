//! The commands that do something, one function for the arguments of each.

use super::{
    Compiler, MATCH,
    arguments::{Tag, Taken, Takes, extension, tag},
    tests::{check_field_name, index, variable},
};
use crate::{
    CompileError, limits,
    program::{Action, FileInto, FlagChange, Modifier, Op, Text, Vacation},
    syntax::Command,
};

const COPY: &[Tag] = &[extension("copy", Takes::Nothing, "copy")];
const FLAGS: &[Tag] = &[extension("flags", Takes::Strings, "imap4flags")];

impl Compiler {
    pub(super) fn action(&mut self, command: &Command) -> Result<(), CompileError> {
        match command.name.as_str() {
            "stop" => {
                self.take(command, &[])?.end()?;
                self.push(Op::Stop);
                Ok(())
            }
            "return" => {
                self.needs(command.at, "return", &["include"])?;
                self.take(command, &[])?.end()?;
                self.push(Op::Return);
                Ok(())
            }
            "include" => self.include(command),
            "keep" => self.keep(command),
            "discard" => {
                self.take(command, &[])?.end()?;
                self.push_action(Action::Discard);
                Ok(())
            }
            "fileinto" => self.file_into(command),
            "redirect" => self.redirect(command),
            "reject" | "ereject" => self.reject(command),
            "set" => self.set(command),
            "setflag" | "addflag" | "removeflag" => self.flags(command),
            "addheader" => self.add_header(command),
            "deleteheader" => self.delete_header(command),
            "vacation" => self.vacation(command),
            "global" => self.global(command),
            "error" => {
                self.needs(command.at, "error", &["ihave"])?;
                let mut taken = self.take(command, &[])?;
                let text = self.text(command.at, taken.next_string("the message")?)?;
                taken.end()?;
                self.push_action(Action::Error(text));
                Ok(())
            }
            // RFC 5463 §4: under ihave a script may hold what this server does not know; running into it is an error.
            name if self.has("ihave") => {
                self.push_action(Action::Error(Text::literal(&format!("there is no command {name:?}"))));
                Ok(())
            }
            name => Err(CompileError::new(command.at, format!("there is no command {name:?}"))),
        }
    }

    /// RFC 5228 §4.3; RFC 5232 §5 for :flags.
    fn keep(&mut self, command: &Command) -> Result<(), CompileError> {
        let taken = self.take(command, &[FLAGS])?;
        taken.end()?;
        let flags = self.flags_of(&taken)?;
        self.push_action(Action::Keep { flags });
        Ok(())
    }

    /// RFC 5228 §4.1; RFC 5490 for :create, RFC 8579 for :specialuse, RFC 9042 for :mailboxid.
    fn file_into(&mut self, command: &Command) -> Result<(), CompileError> {
        const TAGS: &[Tag] = &[
            extension("create", Takes::Nothing, "mailbox"),
            extension("specialuse", Takes::String, "special-use"),
            extension("mailboxid", Takes::String, "mailboxid"),
        ];
        self.needs(command.at, "fileinto", &["fileinto"])?;
        let mut taken = self.take(command, &[COPY, FLAGS, TAGS])?;
        taken.one_of(&["specialuse", "mailboxid"])?;
        let mailbox = taken.next_string("the mailbox")?;
        taken.end()?;
        if mailbox.is_empty() {
            return Err(CompileError::new(command.at, "a mailbox has a name"));
        }
        let optional = |tag| taken.string(tag).map(|text| self.text(command.at, text)).transpose();
        let action = FileInto {
            mailbox: self.text(command.at, mailbox)?,
            copy: taken.has("copy"),
            create: taken.has("create"),
            flags: self.flags_of(&taken)?,
            special_use: optional("specialuse")?,
            mailbox_id: optional("mailboxid")?,
        };
        self.push_action(Action::FileInto(action));
        Ok(())
    }

    /// RFC 5228 §4.2.
    fn redirect(&mut self, command: &Command) -> Result<(), CompileError> {
        let mut taken = self.take(command, &[COPY])?;
        let address = taken.next_string("the address")?;
        taken.end()?;
        if !address.contains("${") && yubin_base::Address::parse_plain(address).is_none() {
            return Err(CompileError::new(command.at, format!("{address:?} is no mail address")));
        }
        let address = self.text(command.at, address)?;
        self.push_action(Action::Redirect { address, copy: taken.has("copy") });
        Ok(())
    }

    /// RFC 5429 §2.1 and §2.2.
    fn reject(&mut self, command: &Command) -> Result<(), CompileError> {
        self.needs(command.at, &command.name, &[&command.name])?;
        let mut taken = self.take(command, &[])?;
        let reason = self.text(command.at, taken.next_string("the reason")?)?;
        taken.end()?;
        self.push_action(Action::Reject { reason, extended: command.name == "ereject" });
        Ok(())
    }

    /// RFC 5229 §4.
    fn set(&mut self, command: &Command) -> Result<(), CompileError> {
        const TAGS: &[Tag] = &[
            tag("lower", Takes::Nothing),
            tag("upper", Takes::Nothing),
            tag("lowerfirst", Takes::Nothing),
            tag("upperfirst", Takes::Nothing),
            tag("quotewildcard", Takes::Nothing),
            extension("quoteregex", Takes::Nothing, "regex"),
            tag("length", Takes::Nothing),
        ];
        self.needs(command.at, "set", &["variables"])?;
        let mut taken = self.take(command, &[TAGS])?;
        // RFC 5229 §4.1: two of one precedence exclude each other.
        let groups: [&[(&'static str, Modifier)]; 4] = [
            &[("lower", Modifier::Lower), ("upper", Modifier::Upper)],
            &[("lowerfirst", Modifier::LowerFirst), ("upperfirst", Modifier::UpperFirst)],
            &[("quotewildcard", Modifier::QuoteWildcard), ("quoteregex", Modifier::QuoteRegex)],
            &[("length", Modifier::Length)],
        ];
        let mut modifiers = Vec::new();
        for group in groups {
            let tags: Vec<&'static str> = group.iter().map(|(tag, _)| *tag).collect();
            let found = taken.one_of(&tags)?;
            modifiers
                .extend(group.iter().filter(|(tag, _)| Some(*tag) == found).map(|(_, modifier)| *modifier));
        }
        let name = variable(command.at, taken.next_string("the variable")?)?;
        let value = self.text(command.at, taken.next_string("the value")?)?;
        taken.end()?;
        self.push_action(Action::Set { name, value, modifiers });
        Ok(())
    }

    /// RFC 5232 §3. The variable may be left out.
    fn flags(&mut self, command: &Command) -> Result<(), CompileError> {
        self.needs(command.at, &command.name, &["imap4flags"])?;
        let mut taken = self.take(command, &[])?;
        let name = match taken.left() {
            2 => {
                self.needs(command.at, &format!("{} with a variable", command.name), &["variables"])?;
                Some(variable(command.at, taken.next_string("the variable")?)?)
            }
            _ => None,
        };
        let flags = self.texts(command.at, &taken.next_strings("the flags")?)?;
        taken.end()?;
        let change = match command.name.as_str() {
            "setflag" => FlagChange::Set,
            "addflag" => FlagChange::Add,
            _ => FlagChange::Remove,
        };
        self.push_action(Action::Flags { change, variable: name, flags });
        Ok(())
    }

    /// RFC 5293 §4.
    fn add_header(&mut self, command: &Command) -> Result<(), CompileError> {
        self.needs(command.at, "addheader", &["editheader"])?;
        let mut taken = self.take(command, &[&[tag("last", Takes::Nothing)]])?;
        let field = taken.next_string("the header field")?;
        if !field.contains("${") {
            check_field_name(command.at, field)?;
        }
        let field = self.text(command.at, field)?;
        let value = self.text(command.at, taken.next_string("the value")?)?;
        taken.end()?;
        self.push_action(Action::AddHeader { field, value, last: taken.has("last") });
        Ok(())
    }

    /// RFC 5293 §5.
    fn delete_header(&mut self, command: &Command) -> Result<(), CompileError> {
        self.needs(command.at, "deleteheader", &["editheader"])?;
        let index_tags = [tag("index", Takes::Number), tag("last", Takes::Nothing)];
        let mut taken = self.take(command, &[MATCH, &index_tags])?;
        let field = taken.next_string("the header field")?;
        if !field.contains("${") {
            check_field_name(command.at, field)?;
        }
        let field = self.text(command.at, field)?;
        let wanted = match taken.left() {
            0 => None,
            _ => {
                let keys = taken.next_strings("the values")?;
                Some(self.wanted(&taken, &keys)?)
            }
        };
        taken.end()?;
        self.push_action(Action::DeleteHeader { field, index: index(&taken)?, wanted });
        Ok(())
    }

    /// RFC 5230 §4; RFC 6131 for :seconds.
    fn vacation(&mut self, command: &Command) -> Result<(), CompileError> {
        const TAGS: &[Tag] = &[
            tag("days", Takes::Number),
            extension("seconds", Takes::Number, "vacation-seconds"),
            tag("subject", Takes::String),
            tag("from", Takes::String),
            tag("addresses", Takes::Strings),
            tag("mime", Takes::Nothing),
            tag("handle", Takes::String),
        ];
        const DAY_S: u64 = 86_400;
        self.needs(command.at, "vacation", &["vacation", "vacation-seconds"])?;
        let mut taken = self.take(command, &[TAGS])?;
        let seconds = match taken.one_of(&["days", "seconds"])? {
            Some("seconds") => taken
                .number("seconds")
                .unwrap_or_default()
                .clamp(limits::VACATION_SECONDS_MIN, limits::VACATION_DAYS_MAX * DAY_S),
            _ => {
                let days = taken.number("days").unwrap_or(limits::VACATION_DAYS_DEFAULT);
                days.clamp(limits::VACATION_DAYS_MIN, limits::VACATION_DAYS_MAX) * DAY_S
            }
        };
        let reason = self.text(command.at, taken.next_string("the reason")?)?;
        taken.end()?;
        let optional = |tag| taken.string(tag).map(|text| self.text(command.at, text)).transpose();
        let action = Vacation {
            seconds,
            subject: optional("subject")?,
            from: optional("from")?,
            addresses: self.texts(command.at, &taken.strings("addresses").unwrap_or_default())?,
            mime: taken.has("mime"),
            handle: optional("handle")?,
            reason,
        };
        self.push_action(Action::Vacation(action));
        Ok(())
    }

    /// RFC 6609 §3.4.1.
    fn global(&mut self, command: &Command) -> Result<(), CompileError> {
        self.needs(command.at, "global", &["include"])?;
        self.needs(command.at, "global", &["variables"])?;
        let mut taken = self.take(command, &[])?;
        let mut names = Vec::new();
        for name in taken.next_strings("the variables")? {
            names.push(variable(command.at, name)?.name);
        }
        taken.end()?;
        self.push_action(Action::Global(names));
        Ok(())
    }

    fn flags_of(&self, taken: &Taken<'_>) -> Result<Option<Vec<Text>>, CompileError> {
        taken.strings("flags").map(|flags| self.texts(taken.at, &flags)).transpose()
    }
}
