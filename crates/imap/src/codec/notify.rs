//! Arguments of NOTIFY (RFC 5465 §8): which events of which mailboxes a client wants to hear of. Reads them only.

use std::collections::BTreeSet;

use super::{
    Dialect,
    cursor::{Cursor, Parsed, upper},
    fetch::{self, Item},
    parse::mailbox_name,
};
use crate::limits::{NOTIFY_GROUPS, NOTIFY_MAILBOXES};

/// A NOTIFY command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyArguments {
    /// Nothing, whatever happens.
    None,
    /// These events from now on.
    Set(NotifySet),
}

/// What NOTIFY SET asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifySet {
    /// The client wants to know first how things are now.
    pub status: bool,
    /// Events of the selected mailbox, whichever it is; none: not any.
    pub selected: Option<SelectedEvents>,
    /// Events of the others.
    pub groups: Vec<Group>,
    /// An event that is not known was asked for: the command fails with BADEVENT.
    pub unknown_event: bool,
}

/// Events of the selected mailbox: MessageNew and MessageExpunge always go together (RFC 5465 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedEvents {
    /// EXPUNGE waits for a command that permits it (SELECTED-DELAYED).
    pub delayed: bool,
    /// What is fetched of each new message; none: nothing.
    pub items: Vec<Item>,
    /// FlagChange.
    pub flags: bool,
}

/// Mailboxes and their events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Which mailboxes.
    pub filter: Filter,
    /// Which events.
    pub events: Events,
}

/// Which mailboxes (RFC 5465 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum Filter {
    Inboxes,
    Personal,
    Subscribed,
    Subtree(BTreeSet<String>),
    Mailboxes(BTreeSet<String>),
}

/// Which events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// MessageNew and MessageExpunge.
    pub messages: bool,
    /// FlagChange.
    pub flags: bool,
    /// MailboxName.
    pub names: bool,
    /// SubscriptionChange.
    pub subscriptions: bool,
    /// MailboxMetadataChange.
    pub annotations: bool,
    /// ServerMetadataChange: whatever the mailboxes.
    pub server_annotations: bool,
}

/// The events that run here, as BADEVENT lists them.
pub const EVENTS: &str = "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange";

/// Events as they are being read.
#[derive(Default)]
struct Reading {
    new: Option<Vec<Item>>,
    expunge: bool,
    events: Events,
    unknown: bool,
}

/// ```abnf
/// notify = "NOTIFY" SP (notify-set / "NONE")
/// notify-set = "SET" [SP "STATUS"] SP event-group *(SP event-group)
/// ```
pub fn notify(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<NotifyArguments> {
    let start = cursor.clone();
    match upper(cursor.atom()?, &mut [0; 32]) {
        "NONE" => return Ok(NotifyArguments::None),
        "SET" => {}
        _ => return start.wrong("expected SET or NONE"),
    }
    cursor.sp()?;
    let mut set = NotifySet::default();
    if cursor.eat_word("STATUS ") {
        set.status = true;
        while cursor.eat(b' ') {}
    }
    let (mut groups, mut names) = (0, NOTIFY_MAILBOXES);
    let mut has_selected = false;
    loop {
        groups += 1;
        if groups > NOTIFY_GROUPS {
            return cursor.wrong("too many groups of events");
        }
        group(cursor, dialect, &mut set, &mut has_selected, &mut names)?;
        if cursor.is_end() {
            return Ok(NotifyArguments::Set(set));
        }
        cursor.sp()?;
        if cursor.is_end() {
            return Ok(NotifyArguments::Set(set));
        }
    }
}

/// ```abnf
/// event-group = "(" filter-mailboxes SP events ")"
/// filter-mailboxes = "selected" / "selected-delayed" / "inboxes" / "personal" / "subscribed" /
///                    ("subtree" SP one-or-more-mailbox) / ("mailboxes" SP one-or-more-mailbox)
/// ```
fn group(
    cursor: &mut Cursor<'_>,
    dialect: Dialect,
    set: &mut NotifySet,
    has_selected: &mut bool,
    names: &mut usize,
) -> Parsed<()> {
    cursor.expect(b'(', "expected ( before the mailboxes")?;
    let start = cursor.clone();
    let mut mailboxes = |cursor: &mut Cursor<'_>| {
        cursor.sp()?;
        one_or_more(cursor, dialect, names)
    };
    let filter = match upper(cursor.atom()?, &mut [0; 32]) {
        word @ ("SELECTED" | "SELECTED-DELAYED") => {
            if std::mem::replace(has_selected, true) {
                return start.wrong("the selected mailbox is named twice");
            }
            let delayed = word == "SELECTED-DELAYED";
            cursor.sp()?;
            set.selected = selected_events(cursor, delayed, &mut set.unknown_event)?;
            return cursor.expect(b')', "expected ) after the events");
        }
        "INBOXES" => Filter::Inboxes,
        "PERSONAL" => Filter::Personal,
        "SUBSCRIBED" => Filter::Subscribed,
        "SUBTREE" => Filter::Subtree(mailboxes(cursor)?),
        "MAILBOXES" => Filter::Mailboxes(mailboxes(cursor)?),
        _ => return start.wrong("there are no such mailboxes"),
    };
    cursor.sp()?;
    let start = cursor.clone();
    let read = events(cursor)?;
    if read.new.is_some_and(|items| !items.is_empty()) {
        return start.wrong("only new messages of the selected mailbox can be fetched");
    }
    set.unknown_event |= read.unknown;
    set.groups.push(Group { filter, events: read.events });
    cursor.expect(b')', "expected ) after the events")
}

fn selected_events(
    cursor: &mut Cursor<'_>,
    delayed: bool,
    unknown: &mut bool,
) -> Parsed<Option<SelectedEvents>> {
    let start = cursor.clone();
    let read = events(cursor)?;
    if (Events { messages: false, flags: false, ..read.events }) != Events::default() {
        return start.wrong("the selected mailbox has events of messages only");
    }
    *unknown |= read.unknown;
    let flags = read.events.flags;
    Ok(read.new.map(|items| SelectedEvents { delayed, items, flags }))
}

/// `mailbox / "(" mailbox *(SP mailbox) ")"`
fn one_or_more(cursor: &mut Cursor<'_>, dialect: Dialect, left: &mut usize) -> Parsed<BTreeSet<String>> {
    let mut one = |cursor: &mut Cursor<'_>| {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return cursor.wrong("too many mailboxes");
        }
        mailbox_name(cursor, dialect)
    };
    if cursor.peek() != Some(b'(') {
        return Ok(BTreeSet::from([one(cursor)?]));
    }
    let start = cursor.clone();
    let names = cursor.parenthesised(NOTIFY_MAILBOXES, one)?;
    if names.is_empty() { start.wrong("expected a mailbox") } else { Ok(names.into_iter().collect()) }
}

/// ```abnf
/// events = ( "(" event *(SP event) ")" ) / "NONE"
/// ```
/// The RFC's own example leaves the inner parentheses out, so that is understood too.
fn events(cursor: &mut Cursor<'_>) -> Parsed<Reading> {
    let start = cursor.clone();
    let mut read = Reading::default();
    if cursor.peek() == Some(b'(') {
        if cursor.parenthesised(32, |c| event(c, &mut read))?.is_empty() {
            return start.wrong("expected an event");
        }
    } else if !cursor.eat_word("NONE") {
        event(cursor, &mut read)?;
        while cursor.peek() == Some(b' ') {
            cursor.sp()?;
            event(cursor, &mut read)?;
        }
    }
    // RFC 5465 §5: the one goes with the other, and flags with both.
    if read.new.is_some() != read.expunge && !read.unknown {
        return start.wrong("MessageNew and MessageExpunge go together");
    }
    if read.events.flags && read.new.is_none() && !read.unknown {
        return start.wrong("FlagChange needs MessageNew and MessageExpunge");
    }
    read.events.messages = read.new.is_some();
    Ok(read)
}

/// ```abnf
/// event = "MessageNew" [SP "(" fetch-att *(SP fetch-att) ")"] / "MessageExpunge" / "FlagChange" / "AnnotationChange" /
///         "MailboxName" / "SubscriptionChange" / "MailboxMetadataChange" / "ServerMetadataChange" / atom
/// ```
fn event(cursor: &mut Cursor<'_>, read: &mut Reading) -> Parsed<()> {
    match upper(cursor.atom()?, &mut [0; 32]) {
        "MESSAGENEW" => {
            let mut ahead = cursor.clone();
            let mut items = Vec::new();
            if ahead.sp().is_ok() && ahead.peek() == Some(b'(') {
                items = fetch::items(&mut ahead)?;
                *cursor = ahead;
            }
            read.new = Some(items);
        }
        "MESSAGEEXPUNGE" => read.expunge = true,
        "FLAGCHANGE" => read.events.flags = true,
        "MAILBOXNAME" => read.events.names = true,
        "SUBSCRIPTIONCHANGE" => read.events.subscriptions = true,
        "MAILBOXMETADATACHANGE" => read.events.annotations = true,
        "SERVERMETADATACHANGE" => read.events.server_annotations = true,
        // Known to the RFC or not: not to us.
        _ => read.unknown = true,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<NotifyArguments> {
        let mut cursor = Cursor::new(text.as_bytes());
        let read = notify(&mut cursor, Dialect::default()).ok()?;
        cursor.end().ok()?;
        Some(read)
    }

    #[test]
    fn groups_are_read() {
        let Some(NotifyArguments::Set(set)) = read(
            "set status (selected MessageNew (uid body.peek[header.fields (from to)]) MessageExpunge) \
             (subtree (Lists \"a b\") (MessageExpunge MessageNew FlagChange)) (personal (MailboxName)) (inboxes NONE)",
        ) else {
            panic!("not read");
        };
        assert!(set.status && !set.unknown_event);
        let selected = set.selected.unwrap();
        assert_eq!((selected.delayed, selected.items.len(), selected.flags), (false, 2, false));
        let messages = Events { messages: true, flags: true, ..Events::default() };
        assert_eq!(
            set.groups,
            [
                Group { filter: Filter::Subtree(["Lists".into(), "a b".into()].into()), events: messages },
                Group { filter: Filter::Personal, events: Events { names: true, ..Events::default() } },
                Group { filter: Filter::Inboxes, events: Events::default() },
            ]
        );
        assert_eq!(read("NONE"), Some(NotifyArguments::None));
        let Some(NotifyArguments::Set(set)) = read("SET (SELECTED-DELAYED (AnnotationChange Whatever))")
        else {
            panic!("not read");
        };
        assert!(set.unknown_event);
    }

    #[test]
    fn what_the_rfc_forbids_is_wrong() {
        for wrong in [
            "",
            "SET",
            "SOME",
            "SET STATUS",
            "SET (selected)",
            "SET (selected ())",
            "SET (selected (MessageNew))",
            "SET (selected (MessageExpunge))",
            "SET (selected (FlagChange))",
            "SET (selected (MailboxName))",
            "SET (selected (MessageNew MessageExpunge)) (selected-delayed NONE)",
            "SET (personal (MessageNew (uid) MessageExpunge))",
            "SET (mailboxes (MailboxName))",
            "SET (mailboxes () (MailboxName))",
            "SET (nowhere (MailboxName))",
            "SET (personal (MailboxName)",
            "SET (personal (MailboxName)) x",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
