//! The reference model: an account as plain vectors, and what each operation makes of it. Knows no transaction, no cache, no page.

use std::collections::{BTreeMap, BTreeSet};

/// Flags and keywords of a message, by name, lower case: `\seen`, `$forwarded`.
pub(crate) type FlagNames = BTreeSet<String>;

/// A message in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) uid: u32,
    pub(crate) flags: FlagNames,
    /// Names the octets.
    pub(crate) content: u64,
}

/// A mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// None: made in the round under judgement, and any unused one will do.
    pub(crate) identity: Option<Identity>,
    pub(crate) uid_next: u32,
    pub(crate) messages: Vec<Message>,
}

/// What tells a mailbox from one of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) id: u32,
    pub(crate) uid_validity: u32,
}

/// An account: mailboxes by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) mailboxes: BTreeMap<String, Mailbox>,
    /// Contents that came by a delivery with a name: the same delivery again adds nothing, whatever became of the first.
    pub(crate) delivered: BTreeSet<u64>,
}

/// How flags change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Replace,
    Add,
    Remove,
}

/// One change to the account: all of it or nothing.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Append {
        to: String,
        messages: Vec<(FlagNames, u64)>,
        once: bool,
    },
    SetFlags {
        mailbox: u32,
        uids: BTreeSet<u32>,
        how: How,
        flags: FlagNames,
    },
    /// Removes messages with `\Deleted`, or of any flags. `visible`: those the session knows; it may spare the others.
    Expunge {
        mailbox: u32,
        only: Option<BTreeSet<u32>>,
        any_flags: bool,
        visible: BTreeSet<u32>,
    },
    Copy {
        from: u32,
        uids: BTreeSet<u32>,
        to: String,
        moves: bool,
    },
    Create {
        name: String,
    },
    /// `id`: what the name stood for when the command was sent. A rename at the same moment may take the name away; the server then
    /// deletes or renames what it had found under it.
    Delete {
        name: String,
        id: Option<u32>,
    },
    Rename {
        from: String,
        id: Option<u32>,
        to: String,
    },
}

impl Model {
    fn by_id(&mut self, id: u32) -> Option<&mut Mailbox> {
        self.mailboxes.values_mut().find(|mailbox| mailbox.identity.is_some_and(|identity| identity.id == id))
    }

    /// The name now of the mailbox that was found under a name a moment ago.
    fn found_under(&self, name: &str, id: Option<u32>) -> Option<String> {
        let by_id = self.mailboxes.iter().find(|(_, m)| id.is_some() && m.identity.map(|i| i.id) == id);
        by_id
            .map(|(name, _)| name.clone())
            .or_else(|| self.mailboxes.contains_key(name).then(|| name.to_owned()))
    }

    /// Every state that the operation may lead to; none when it cannot succeed here.
    pub(crate) fn after(&self, op: &Op) -> Vec<Model> {
        let mut next = self.clone();
        match op {
            Op::Expunge { mailbox, only, any_flags, visible } => {
                self.after_expunge(*mailbox, only.as_ref(), *any_flags, visible)
            }
            op => {
                if next.apply(op).is_some() {
                    vec![next]
                } else {
                    Vec::new()
                }
            }
        }
    }

    fn after_expunge(
        &self,
        id: u32,
        only: Option<&BTreeSet<u32>>,
        any_flags: bool,
        visible: &BTreeSet<u32>,
    ) -> Vec<Model> {
        let goes = |message: &Message| {
            only.is_none_or(|only| only.contains(&message.uid))
                && (any_flags || message.flags.contains("\\deleted"))
        };
        let mut everything = self.clone();
        let Some(mailbox) = everything.by_id(id) else {
            // The mailbox is gone, and its messages with it: that is as good as done.
            return vec![everything];
        };
        mailbox.messages.retain(|message| !goes(message));
        let mut careful = self.clone();
        if let Some(mailbox) = careful.by_id(id) {
            mailbox.messages.retain(|message| !(goes(message) && visible.contains(&message.uid)));
        }
        if careful == everything { vec![everything] } else { vec![everything, careful] }
    }

    fn apply(&mut self, op: &Op) -> Option<()> {
        match op {
            Op::Append { to, messages, once } => {
                let mailbox = self.mailboxes.get_mut(to)?;
                for (flags, content) in messages {
                    if !once || self.delivered.insert(*content) {
                        mailbox.push(flags.clone(), *content);
                    }
                }
            }
            Op::SetFlags { mailbox, uids, how, flags } => {
                // In a mailbox that is gone there is nothing to change.
                for message in self.by_id(*mailbox).iter_mut().flat_map(|mailbox| &mut mailbox.messages) {
                    if uids.contains(&message.uid) {
                        message.change(*how, flags);
                    }
                }
            }
            Op::Copy { from, uids, to, moves } => self.copy(*from, uids, to, *moves)?,
            Op::Create { name } => {
                if self.mailboxes.contains_key(name) {
                    return None;
                }
                self.mailboxes.insert(name.clone(), Mailbox { uid_next: 1, ..Mailbox::default() });
            }
            Op::Delete { name, id } => {
                let name = self.found_under(name, *id)?;
                self.mailboxes.remove(&name)?;
            }
            Op::Rename { from, id, to } => {
                if self.mailboxes.contains_key(to) {
                    return None;
                }
                let from = self.found_under(from, *id)?;
                if from == "INBOX" {
                    return self.rename_inbox(to);
                }
                let mailbox = self.mailboxes.remove(&from)?;
                self.mailboxes.insert(to.clone(), mailbox);
            }
            Op::Expunge { .. } => return None,
        }
        Some(())
    }

    /// RFC 9051 §6.3.6: INBOX stays, its messages move into the new mailbox.
    fn rename_inbox(&mut self, to: &str) -> Option<()> {
        let messages = std::mem::take(&mut self.mailboxes.get_mut("INBOX")?.messages);
        let mut made = Mailbox { uid_next: 1, ..Mailbox::default() };
        messages.into_iter().for_each(|message| made.push(message.flags, message.content));
        self.mailboxes.insert(to.to_owned(), made);
        Some(())
    }

    fn copy(&mut self, from: u32, uids: &BTreeSet<u32>, to: &str, moves: bool) -> Option<()> {
        // From a mailbox that is gone, nothing is copied: as with UIDs that are gone, that is no error.
        let Some(source) = self.by_id(from) else { return Some(()) };
        let taken: Vec<Message> = source.messages.iter().filter(|m| uids.contains(&m.uid)).cloned().collect();
        if moves {
            source.messages.retain(|m| !uids.contains(&m.uid));
        }
        let target = self.mailboxes.get_mut(to)?;
        for message in taken {
            target.push(message.flags, message.content);
        }
        Some(())
    }
}

impl Mailbox {
    fn push(&mut self, flags: FlagNames, content: u64) {
        self.messages.push(Message { uid: self.uid_next, flags, content });
        self.uid_next += 1;
    }
}

impl Message {
    fn change(&mut self, how: How, flags: &FlagNames) {
        match how {
            How::Replace => self.flags.clone_from(flags),
            How::Add => self.flags.extend(flags.iter().cloned()),
            How::Remove => self.flags.retain(|flag| !flags.contains(flag)),
        }
    }
}
