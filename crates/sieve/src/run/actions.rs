//! What the actions do to the run: nothing happens before it ends. See `program::Action` for the RFCs.

use super::{Machine, Step, fail, variables};
use crate::{
    Deed, FileIntoDeed, VacationDeed, limits,
    program::{Action, FileInto, FlagChange, Index, Name, Text, Vacation, Wanted},
};

impl Machine<'_> {
    pub(super) fn act(&mut self, action: &Action) -> Step {
        match action {
            Action::Keep { flags } => {
                let flags = self.flags_for(flags.as_deref())?;
                self.implicit_keep = false;
                self.explain(|| "keep".into());
                self.push(Deed::Keep { flags, implicit: false })
            }
            Action::Discard => {
                self.implicit_keep = false;
                self.explain(|| "discard".into());
                Ok(())
            }
            Action::FileInto(file_into) => self.file_into(file_into),
            Action::Redirect { address, copy } => self.redirect(address, *copy),
            Action::Reject { reason, extended } => self.reject(reason, *extended),
            Action::Set { name, value, modifiers } => {
                let value = variables::modify(self.expand(value)?, modifiers);
                self.set(name, value)
            }
            Action::Flags { change, variable, flags } => self.change_flags(*change, variable.as_ref(), flags),
            Action::AddHeader { field, value, last } => self.add_header(field, value, *last),
            Action::DeleteHeader { field, index, wanted } => {
                self.delete_header(field, *index, wanted.as_ref())
            }
            Action::Vacation(vacation) => self.vacation(vacation),
            Action::Error(text) => {
                let text = self.expand(text)?;
                fail(text)
            }
            Action::Global(names) => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.declared.extend(names.iter().cloned());
                }
                Ok(())
            }
        }
    }

    fn file_into(&mut self, action: &FileInto) -> Step {
        let mailbox = self.expand(&action.mailbox)?;
        // RFC 5490 §3.1: a name that cannot be one is an error of the script.
        if mailbox.is_empty() || mailbox.chars().any(char::is_control) {
            return fail(format!("{mailbox:?} cannot be the name of a mailbox"));
        }
        let optional =
            |machine: &mut Self, text: &Option<Text>| text.as_ref().map(|t| machine.expand(t)).transpose();
        let deed = FileIntoDeed {
            special_use: optional(self, &action.special_use)?,
            mailbox_id: optional(self, &action.mailbox_id)?,
            create: action.create,
            flags: self.flags_for(action.flags.as_deref())?,
            mailbox,
        };
        self.explain(|| format!("fileinto {:?}", deed.mailbox));
        self.implicit_keep &= action.copy;
        self.push(Deed::FileInto(deed))
    }

    fn redirect(&mut self, address: &Text, copy: bool) -> Step {
        let address = self.expand(address)?;
        if yubin_base::Address::parse_plain(&address).is_none() {
            return fail(format!("{address:?} is no mail address"));
        }
        self.redirects += 1;
        if self.redirects > limits::REDIRECTS {
            return fail(format!("a script redirects a message at most {} times", limits::REDIRECTS));
        }
        self.explain(|| format!("redirect {address:?}"));
        self.implicit_keep &= copy;
        self.push(Deed::Redirect { address })
    }

    fn reject(&mut self, reason: &Text, extended: bool) -> Step {
        let reason = self.expand(reason)?;
        self.explain(|| "reject".into());
        self.implicit_keep = false;
        self.push(Deed::Reject { reason, extended })
    }

    fn vacation(&mut self, vacation: &Vacation) -> Step {
        let optional =
            |machine: &mut Self, text: &Option<Text>| text.as_ref().map(|t| machine.expand(t)).transpose();
        let subject = optional(self, &vacation.subject)?;
        let from = optional(self, &vacation.from)?;
        let reason = self.expand(&vacation.reason)?;
        // RFC 5230 §4.2: without a handle, answers that differ in what the sender reads are different answers.
        let handle = match optional(self, &vacation.handle)? {
            Some(handle) => handle,
            None => {
                format!("{}\0{}\0{reason}", subject.as_deref().unwrap_or(""), from.as_deref().unwrap_or(""))
            }
        };
        if self.deeds.iter().any(|deed| matches!(deed, Deed::Vacation(_))) {
            return fail("a script answers a message once"); // RFC 5230 §4.7
        }
        self.explain(|| "vacation".into());
        let addresses = self.expand_all(&vacation.addresses)?;
        let (seconds, mime) = (vacation.seconds, vacation.mime);
        self.push(Deed::Vacation(VacationDeed { seconds, subject, from, addresses, mime, handle, reason }))
    }

    /// Keeps one of what is the same, and refuses what excludes each other (RFC 5228 §2.10.3 and §2.10.5, RFC 5429 §2.3).
    fn push(&mut self, deed: Deed) -> Step {
        let rejects = |deed: &Deed| matches!(deed, Deed::Reject { .. });
        if !self.deeds.is_empty() && (rejects(&deed) || self.deeds.iter().any(rejects)) {
            return fail(
                "a message that is rejected can be neither kept, filed, redirected, answered nor rejected again",
            );
        }
        let full = self.deeds.len() >= limits::ACTIONS;
        let same = self.deeds.iter_mut().find(|known| match (&**known, &deed) {
            (Deed::Keep { .. }, Deed::Keep { .. }) => true,
            (Deed::FileInto(a), Deed::FileInto(b)) => {
                (&a.mailbox, &a.special_use, &a.mailbox_id) == (&b.mailbox, &b.special_use, &b.mailbox_id)
            }
            (Deed::Redirect { address: a }, Deed::Redirect { address: b }) => a.eq_ignore_ascii_case(b),
            _ => false,
        });
        match same {
            // RFC 5232 §5: the last flags count.
            Some(known) => *known = deed,
            None if full => {
                return fail(format!("a script does at most {} things with a message", limits::ACTIONS));
            }
            None => self.deeds.push(deed),
        }
        Ok(())
    }

    fn set(&mut self, name: &Name, value: String) -> Step {
        let local =
            self.frames.last_mut().filter(|frame| !name.global && !frame.declared.contains(&name.name));
        let variables = match local {
            Some(frame) => &mut frame.variables,
            None => &mut self.globals,
        };
        if !variables.set(&name.name, value) {
            return fail(format!("a script has at most {} variables", limits::VARIABLES));
        }
        Ok(())
    }

    pub(super) fn variable(&self, name: &Name) -> &str {
        match self.frames.last() {
            Some(frame) if !name.global && !frame.declared.contains(&name.name) => {
                frame.variables.get(&name.name)
            }
            _ => self.globals.get(&name.name),
        }
    }

    /// The flags of a keep or fileinto: those it names, or those the script has set. RFC 5232 §5.
    fn flags_for(&mut self, flags: Option<&[Text]>) -> Step<Vec<String>> {
        Ok(match flags {
            Some(flags) => normal_flags(self.expand_all(flags)?),
            None => self.flags.clone(),
        })
    }

    fn change_flags(&mut self, change: FlagChange, variable: Option<&Name>, flags: &[Text]) -> Step {
        let flags = normal_flags(self.expand_all(flags)?);
        let before = match variable {
            Some(name) => normal_flags([self.variable(name).to_owned()]),
            None => std::mem::take(&mut self.flags),
        };
        let after = match change {
            FlagChange::Set => flags,
            FlagChange::Add => normal_flags(before.into_iter().chain(flags)),
            FlagChange::Remove => {
                let stays = |flag: &String| !flags.iter().any(|gone| gone.eq_ignore_ascii_case(flag));
                before.into_iter().filter(stays).collect()
            }
        };
        match variable {
            Some(name) => self.set(name, after.join(" ")),
            None => {
                self.flags = after;
                Ok(())
            }
        }
    }

    fn add_header(&mut self, field: &Text, value: &Text, last: bool) -> Step {
        let field = self.expand(field)?;
        let value = self.expand(value)?;
        if field.is_empty() || !field.bytes().all(|c| c.is_ascii_graphic() && c != b':') {
            return fail(format!("{field:?} cannot be the name of a header field"));
        }
        self.explain(|| format!("addheader {field:?}"));
        if !self.header.add(&field, &value, last) {
            return fail(format!("a script adds at most {} header fields", limits::HEADER_EDITS));
        }
        Ok(())
    }

    fn delete_header(&mut self, field: &Text, index: Option<Index>, wanted: Option<&Wanted>) -> Step {
        let field = self.expand(field)?;
        self.charge(self.header.steps())?;
        let values = self.header.values(&field);
        let chosen = index.map(|index| match index.last {
            false => index.number,
            true => (values.len() + 1).saturating_sub(index.number),
        });
        let mut goes = Vec::with_capacity(values.len());
        for (at, value) in values.iter().enumerate() {
            let here = chosen.is_none_or(|number| number == at + 1);
            let fits = match wanted {
                Some(wanted) if here => self.satisfied(std::slice::from_ref(value), wanted)?.is_some(),
                _ => here,
            };
            goes.push(fits);
        }
        self.explain(|| {
            format!("deleteheader {field:?}: {} of {}", goes.iter().filter(|g| **g).count(), goes.len())
        });
        self.header.delete(&field, |number, _| goes.get(number - 1).copied().unwrap_or(false));
        Ok(())
    }
}

/// One flag each, without doubles and without what no flag can be. RFC 5232 §2: a string may hold several.
pub(super) fn normal_flags(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut flags: Vec<String> = Vec::new();
    for text in texts {
        for flag in text.split_whitespace() {
            let known = flags.iter().any(|known| known.eq_ignore_ascii_case(flag));
            if !known && is_flag(flag) && flags.len() < limits::LIST_STRINGS {
                flags.push(flag.to_owned());
            }
        }
    }
    flags
}

/// A system flag that a script may set, or a keyword.
fn is_flag(flag: &str) -> bool {
    const SYSTEM: [&str; 5] = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"];
    match flag.strip_prefix('\\') {
        Some(_) => SYSTEM.iter().any(|system| system.eq_ignore_ascii_case(flag)),
        None => flag.len() <= 64 && flag.chars().all(|c| c.is_ascii_graphic() && !"(){%*\"\\]".contains(c)),
    }
}
