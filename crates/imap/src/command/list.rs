//! LIST. RFC 9051 §6.3.9 (RFC 5258, RFC 5819, RFC 6154, RFC 3348, RFC 9590). Matches patterns in linear time.

use yubin_store::Rights;

use crate::{
    codec::{Code, Writer, list::List, request::special_use_attribute},
    limits,
    session::{reply::Reply, user::Context},
};

use super::{
    acl, metadata,
    status::{push_status, status_of},
};

#[path = "list_names.rs"]
mod names;
pub(crate) use names::{Entry, Gathered, Names};

pub(crate) async fn run(cx: &mut Context<'_>, list: &List) -> Result<Reply, Reply> {
    if !list.extended && list.patterns.iter().all(String::is_empty) {
        // RFC 3501 §6.3.8: asks for the separator.
        cx.w().raw("* LIST (\\Noselect) \"/\" \"\"\r\n");
        return Ok(Reply::ok("that is all"));
    }
    let patterns = patterns(&list.reference, &list.patterns)?;
    let gathered = Gathered::new(cx, &patterns).await?;
    let names = Names::new(&gathered);
    let limit = cx.services.options.message_octets_max;
    let rev2 = cx.user.enabled.rev2;
    for (name, entry) in &names.all {
        let matches = patterns.iter().any(|p| p.matches(name) && (!entry.level || p.ends_in_level()));
        let selected = matches && entry.is_selected(list);
        let child =
            list.select.recursive_match && matches && names.below(name).any(|(_, e)| e.is_selected(list));
        if !selected && !child {
            continue;
        }
        if entry.mailbox.is_none() && !entry.level && !list.select.subscribed && !child {
            continue;
        }
        push_entry(name, entry, &names, list, rev2, child && list.select.recursive_match, &mut cx.w());
        let Some(found) = entry.reached(name).filter(|found| !found.mailbox.no_select) else { continue };
        let rights = found.rights();
        if list.returns.myrights {
            // RFC 8440 §3: after the LIST response of the same mailbox.
            acl::push_my_rights(name, rights, &mut cx.w());
        }
        if let Some(items) = &list.returns.status
            && rights.has(Rights::READ)
        {
            let told = status_of(&found, items).await?;
            push_status(&told, items, limit, &mut cx.w());
        }
        if let Some(wanted) = &list.returns.metadata
            && metadata::may_see(rights)
        {
            // RFC 9590 §3.
            metadata::push(name, &metadata::of_mailbox(&found), wanted, &mut cx.w());
        }
    }
    Ok(Reply::ok("that is all"))
}

/// One line for a mailbox, as SELECT of IMAP4rev2 has it (RFC 9051 §6.3.2).
pub(crate) fn push_one(cx: &mut Context<'_>, name: &str) {
    cx.w().raw("* LIST () \"/\" ").mailbox(name).raw("\r\n");
}

fn push_entry(
    name: &str,
    entry: &Entry<'_>,
    names: &Names<'_>,
    list: &List,
    rev2: bool,
    child_info: bool,
    w: &mut Writer<'_>,
) {
    w.raw("* LIST (");
    let mut first = true;
    let mut attribute = |text: &str, w: &mut Writer<'_>| {
        w.raw(if std::mem::take(&mut first) { "" } else { " " }).raw(text);
    };
    match entry.mailbox {
        None => attribute(if list.extended || rev2 { "\\NonExistent" } else { "\\Noselect" }, w),
        Some(mailbox) if mailbox.no_select => attribute("\\Noselect", w),
        Some(_) => {}
    }
    let has_children = names.below(name).any(|(_, e)| e.mailbox.is_some());
    attribute(if has_children { "\\HasChildren" } else { "\\HasNoChildren" }, w);
    if (list.select.subscribed || list.returns.subscribed) && entry.subscribed {
        attribute("\\Subscribed", w);
    }
    if let Some(special_use) = entry.special_use() {
        attribute(special_use_attribute(special_use), w);
    }
    w.raw(") \"/\" ").mailbox(name);
    if child_info {
        // RFC 5258 §4: why the name is listed although it was not selected itself.
        let mut why = String::new();
        for (is, text) in
            [(list.select.subscribed, "\"SUBSCRIBED\""), (list.select.special_use, "\"SPECIAL-USE\"")]
        {
            if is {
                why.push_str(if why.is_empty() { "" } else { " " });
                why.push_str(text);
            }
        }
        w.raw(" (\"CHILDINFO\" (").raw(&why).raw("))");
    }
    w.raw("\r\n");
}

/// Patterns with what they are relative to.
pub(crate) fn patterns(reference: &str, patterns: &[String]) -> Result<Vec<Pattern>, Reply> {
    patterns.iter().filter(|p| !p.is_empty()).map(|p| Pattern::new(&format!("{reference}{p}"))).collect()
}

/// A pattern: `*` matches anything, `%` anything within a level.
pub(crate) struct Pattern {
    steps: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Octet(u8),
    Level,
    Anything,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, Reply> {
        if text.len() > limits::LIST_PATTERN_OCTETS {
            return Err(Reply::no(Code::Limit, "the pattern is too long"));
        }
        let mut steps: Vec<Step> = Vec::with_capacity(text.len());
        for octet in text.bytes() {
            let step = match octet {
                b'*' => Step::Anything,
                b'%' => Step::Level,
                octet => Step::Octet(octet),
            };
            // Wildcards side by side are as good as the widest of them.
            match (steps.last_mut(), step) {
                (Some(Step::Anything), Step::Anything | Step::Level) | (Some(Step::Level), Step::Level) => {}
                (Some(last @ Step::Level), Step::Anything) => *last = Step::Anything,
                _ => steps.push(step),
            }
        }
        if steps.iter().filter(|s| !matches!(s, Step::Octet(_))).count() > limits::LIST_WILDCARDS {
            return Err(Reply::no(Code::Limit, "the pattern has too many wildcards"));
        }
        Ok(Self { steps })
    }

    /// Whether it ends in `%`: then levels that are no mailboxes are listed too (RFC 9051 §6.3.9).
    pub(crate) fn ends_in_level(&self) -> bool {
        self.steps.last() == Some(&Step::Level)
    }

    /// Whether it may match a name that begins with this one, or the name itself.
    pub(crate) fn may_reach(&self, name: &str) -> bool {
        let octet = |step: &Step| if let Step::Octet(octet) = step { Some(*octet) } else { None };
        let literal: Vec<u8> = self.steps.iter().map_while(octet).collect();
        let below = literal.strip_prefix(name.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'/', ..]));
        below || (literal.len() < self.steps.len() && name.as_bytes().starts_with(&literal))
    }

    /// Whether a name matches. Follows every way at once, so that the time is the product of the lengths at most.
    pub(crate) fn matches(&self, name: &str) -> bool {
        // INBOX is INBOX in any case (RFC 9051 §5.1).
        let any_case = name == "INBOX" || name.starts_with("INBOX/");
        let mut now = vec![false; self.steps.len() + 1];
        let mut next = now.clone();
        self.reach(0, &mut now);
        for (at, octet) in name.bytes().enumerate() {
            next.fill(false);
            let mut alive = false;
            for (place, step) in self.steps.iter().enumerate() {
                if !now.get(place).copied().unwrap_or(false) {
                    continue;
                }
                let to = match step {
                    Step::Octet(c)
                        if *c == octet || (any_case && at < 5 && c.eq_ignore_ascii_case(&octet)) =>
                    {
                        place + 1
                    }
                    Step::Anything => place,
                    Step::Level if octet != b'/' => place,
                    _ => continue,
                };
                alive = true;
                self.reach(to, &mut next);
            }
            if !alive {
                return false;
            }
            std::mem::swap(&mut now, &mut next);
        }
        now.last().copied().unwrap_or(false)
    }
    /// Marks a place, and those behind wildcards that match nothing.
    fn reach(&self, mut place: usize, places: &mut [bool]) {
        loop {
            if let Some(reached) = places.get_mut(place) {
                *reached = true;
            }
            match self.steps.get(place) {
                Some(Step::Anything | Step::Level) => place += 1,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(name)
    }

    #[test]
    fn wildcards_match_as_the_rfc_has_it() {
        for (pattern, name) in [
            ("*", "a/b/c"),
            ("%", "a"),
            ("a/%", "a/b"),
            ("%/%", "a/b"),
            ("a*c", "a/b/c"),
            ("*b*", "abc"),
            ("inbox", "INBOX"),
            ("InB*", "INBOX"),
            ("%/b", "a/b"),
            ("a", "a"),
            ("**%*", "x/y"),
            ("", ""),
            ("inbox/%", "INBOX/Work"),
            ("%", "INBOX"),
            ("日%", "日本"),
            ("a*b%c", "axxb/ybzc"),
            ("*o%", "foo/boo"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("%", "a/b"),
            ("a/%", "a/b/c"),
            ("a", "A"),
            ("a", "ab"),
            ("a*c", "a/b"),
            ("", "a"),
            ("%b", "a/b"),
            ("a%", "ab/"),
            ("inbox", "INBOX2"),
            ("INBOX/work", "INBOX/Work"),
            ("*o%x", "foo/boo"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_reach_names_that_begin_alike() {
        for (pattern, reaches) in [
            ("*", true),
            ("%", true),
            ("Other*", true),
            ("Other Users", true),
            ("Other Users/x/%", true),
            ("Other", false),
            ("Other Users 2/*", false),
            ("INBOX/*", false),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().may_reach("Other Users"), reaches, "{pattern}");
        }
    }

    #[test]
    fn hostile_patterns_cost_little() {
        let pattern = "*a%".repeat(15) + "b";
        let pattern = Pattern::new(&pattern).unwrap();
        for _ in 0..100 {
            assert!(!pattern.matches(&"a".repeat(400)));
        }
        assert!(Pattern::new(&"*a".repeat(200)).is_err());
        assert!(Pattern::new(&"a".repeat(513)).is_err());
    }
}
