//! What an account should be like: the plainest thing that could be right.

use std::collections::{BTreeMap, BTreeSet};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub uid: u32,
    pub flags: u16,
    pub keywords: BTreeSet<String>,
    pub hash: [u8; 16],
    pub size: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub no_select: bool,
    pub uid_next: u32,
    pub messages: Vec<Message>,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Model {
    pub mailboxes: BTreeMap<String, Mailbox>,
    pub subscribed: BTreeSet<String>,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self { no_select: false, uid_next: 1, messages: Vec::new() }
    }
}

impl Mailbox {
    pub fn push(&mut self, message: Message) {
        self.messages.push(Message { uid: self.uid_next, ..message });
        self.uid_next += 1;
    }
    fn take(&mut self, uids: &dyn Fn(u32) -> bool) -> Vec<Message> {
        let (gone, kept) = std::mem::take(&mut self.messages).into_iter().partition(|m| uids(m.uid));
        self.messages = kept;
        gone
    }
}

fn below(name: &str, parent: &str) -> bool {
    name.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))
}

fn parents(name: &str) -> Vec<String> {
    name.match_indices('/').map(|(at, _)| name[..at].to_owned()).collect()
}

/// Each answers whether the change is allowed; if not, nothing has changed.
impl Model {
    pub fn new() -> Self {
        let names = ["INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"];
        Self {
            mailboxes: names.iter().map(|n| (n.to_string(), Mailbox::default())).collect(),
            subscribed: names.iter().map(|n| n.to_string()).collect(),
        }
    }

    pub fn usage(&self) -> (u64, u64) {
        let all = || self.mailboxes.values().flat_map(|m| &m.messages);
        (all().map(|m| u64::from(m.size)).sum(), all().count() as u64)
    }

    fn holds_messages(&self, name: &str) -> bool {
        self.mailboxes.get(name).is_some_and(|m| !m.no_select)
    }

    pub fn append(&mut self, name: &str, messages: &[Message]) -> bool {
        if !self.holds_messages(name) {
            return false;
        }
        let mailbox = self.mailboxes.get_mut(name).unwrap();
        messages.iter().for_each(|m| mailbox.push(m.clone()));
        true
    }

    pub fn flags(&mut self, name: &str, uids: &dyn Fn(u32) -> bool, change: &dyn Fn(&mut Message)) -> bool {
        if !self.holds_messages(name) {
            return false;
        }
        let mailbox = self.mailboxes.get_mut(name).unwrap();
        mailbox.messages.iter_mut().filter(|m| uids(m.uid)).for_each(change);
        true
    }

    pub fn expunge(&mut self, name: &str, uids: &dyn Fn(u32) -> bool, any_flags: bool) -> bool {
        if !self.holds_messages(name) {
            return false;
        }
        let mailbox = self.mailboxes.get_mut(name).unwrap();
        mailbox.messages.retain(|m| !uids(m.uid) || !(any_flags || m.flags & 8 != 0));
        true
    }

    pub fn transfer(&mut self, from: &str, uids: &dyn Fn(u32) -> bool, to: &str, moves: bool) -> bool {
        if !self.holds_messages(from) || !self.holds_messages(to) {
            return false;
        }
        let source = self.mailboxes.get_mut(from).unwrap();
        let messages = match moves {
            true => source.take(uids),
            false => source.messages.iter().filter(|m| uids(m.uid)).cloned().collect(),
        };
        self.append(to, &messages)
    }

    fn make_parents(&mut self, name: &str) {
        for parent in parents(name) {
            self.mailboxes.entry(parent).or_default();
        }
    }

    pub fn create(&mut self, name: &str) -> bool {
        if self.holds_messages(name) {
            return false;
        }
        self.make_parents(name);
        self.mailboxes.insert(name.to_owned(), Mailbox::default());
        true
    }

    fn has_below(&self, name: &str) -> bool {
        self.mailboxes.keys().any(|other| below(other, name))
    }

    fn tidy(&mut self, name: &str) {
        for parent in parents(name).into_iter().rev() {
            let empty = self.mailboxes.get(&parent).is_some_and(|m| m.no_select) && !self.has_below(&parent);
            if !empty {
                return;
            }
            self.mailboxes.remove(&parent);
        }
    }

    pub fn delete(&mut self, name: &str) -> bool {
        if name == "INBOX" || !self.holds_messages(name) {
            return false;
        }
        if self.has_below(name) {
            self.mailboxes.insert(name.to_owned(), Mailbox { no_select: true, ..Mailbox::default() });
        } else {
            self.mailboxes.remove(name);
            self.tidy(name);
        }
        true
    }

    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        if !self.mailboxes.contains_key(from) || self.mailboxes.contains_key(to) {
            return false;
        }
        if from == "INBOX" {
            self.make_parents(to);
            let messages = self.mailboxes.get_mut("INBOX").unwrap().take(&|_| true);
            self.mailboxes.insert(to.to_owned(), Mailbox::default());
            return self.append(to, &messages);
        }
        if below(to, from) {
            return false;
        }
        let moved: Vec<String> =
            self.mailboxes.keys().filter(|n| *n == from || below(n, from)).cloned().collect();
        if moved.iter().any(|n| self.mailboxes.contains_key(&n.replacen(from, to, 1))) {
            return false;
        }
        for name in moved {
            let mailbox = self.mailboxes.remove(&name).unwrap();
            self.mailboxes.insert(name.replacen(from, to, 1), mailbox);
        }
        self.make_parents(to);
        self.tidy(from);
        true
    }
}
