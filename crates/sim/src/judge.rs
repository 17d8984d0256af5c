//! Whether a state can be the outcome of what the clients did and were told: some order of the operations, each acknowledged one in effect,
//! each refused one without, each doubtful one either way, gives exactly that state.

use crate::model::{Model, Op};

/// What a client was told about an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// `OK`: it must be there, now and after every crash.
    Done,
    /// Refused, with no fault around: it must not be there.
    Refused,
    /// No answer, or an error while something failed: all of it or nothing.
    Doubtful,
}

/// One operation and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) op: Op,
    pub(crate) told: Told,
}

/// The acts of one client in one round, in their order.
pub(crate) type Acts = Vec<Act>;

/// Looks for an order that explains `after`.
pub(crate) fn explains(before: &Model, acts: &[Acts], after: &Model) -> bool {
    let acts: Vec<&[Act]> = acts.iter().map(Vec::as_slice).filter(|acts| !acts.is_empty()).collect();
    search(before, &acts, after)
}

fn search(now: &Model, left: &[&[Act]], after: &Model) -> bool {
    if left.iter().all(|acts| acts.is_empty()) {
        return same(now, after);
    }
    for (i, acts) in left.iter().enumerate() {
        let Some((act, rest)) = acts.split_first() else { continue };
        let mut left = left.to_vec();
        if let Some(slot) = left.get_mut(i) {
            *slot = rest;
        }
        let stays = act.told != Told::Done && search(now, &left, after);
        if stays
            || (act.told != Told::Refused && now.after(&act.op).iter().any(|next| search(next, &left, after)))
        {
            return true;
        }
    }
    false
}

/// Equal, where a mailbox made in this round may have any identity.
fn same(expected: &Model, actual: &Model) -> bool {
    expected.mailboxes.len() == actual.mailboxes.len()
        && expected.mailboxes.iter().zip(&actual.mailboxes).all(|((name, one), (other_name, other))| {
            name == other_name
                && (one.identity.is_none() || one.identity == other.identity)
                && one.uid_next == other.uid_next
                && one.messages == other.messages
        })
}

/// Says where two states differ, for the failure's text.
pub(crate) fn difference(before: &Model, after: &Model) -> String {
    let mut out = String::new();
    for name in before
        .mailboxes
        .keys()
        .chain(after.mailboxes.keys().filter(|name| !before.mailboxes.contains_key(*name)))
    {
        match (before.mailboxes.get(name), after.mailboxes.get(name)) {
            (Some(one), Some(other)) if one == other => {}
            (one, other) => {
                out.push_str(&format!("\n  {name}\n    was {}\n    is  {}", shown(one), shown(other)))
            }
        }
    }
    out
}

fn shown(mailbox: Option<&crate::model::Mailbox>) -> String {
    let Some(mailbox) = mailbox else { return "not there".to_owned() };
    let messages: Vec<String> = mailbox
        .messages
        .iter()
        .map(|m| {
            let flags: Vec<&str> = m.flags.iter().map(String::as_str).collect();
            format!("{}=#{}({})", m.uid, m.content, flags.join(" "))
        })
        .collect();
    let identity =
        mailbox.identity.map(|i| format!("id {} validity {}", i.id, i.uid_validity)).unwrap_or_default();
    format!("{identity} next {} [{}]", mailbox.uid_next, messages.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FlagNames, How, Identity, Mailbox};

    fn account() -> Model {
        let identity = Some(Identity { id: 1, uid_validity: 9 });
        let mut model = Model::default();
        model.mailboxes.insert("INBOX".to_owned(), Mailbox { identity, uid_next: 1, ..Mailbox::default() });
        model
    }

    fn append(content: u64) -> Op {
        Op::Append { to: "INBOX".to_owned(), messages: vec![(FlagNames::new(), content)], once: false }
    }

    fn seen(uid: u32) -> Op {
        let flags = FlagNames::from(["\\seen".to_owned()]);
        Op::SetFlags { mailbox: 1, uids: [uid].into(), how: How::Add, flags }
    }

    fn after(ops: &[Op]) -> Model {
        ops.iter().fold(account(), |model, op| model.after(op).remove(0))
    }

    fn check(acts: &[&[(Op, Told)]], state: &Model, explained: bool) {
        let acts: Vec<Acts> = acts
            .iter()
            .map(|acts| acts.iter().map(|(op, told)| Act { op: op.clone(), told: *told }).collect())
            .collect();
        assert_eq!(explains(&account(), &acts, state), explained, "{acts:?}");
    }

    #[test]
    fn what_was_acknowledged_must_be_there_and_what_was_refused_must_not() {
        let (without, with) = (account(), after(&[append(2)]));
        check(&[&[(append(2), Told::Done)]], &with, true);
        check(&[&[(append(2), Told::Done)]], &without, false);
        check(&[&[(append(2), Told::Refused)]], &with, false);
        check(&[&[(append(2), Told::Refused)]], &without, true);
        check(&[&[(append(2), Told::Doubtful)]], &with, true);
        check(&[&[(append(2), Told::Doubtful)]], &without, true);
        check(&[], &with, false);
    }

    #[test]
    fn any_order_between_clients_will_do_and_only_one_order_within() {
        let swapped = after(&[append(4), append(2)]);
        check(&[&[(append(2), Told::Done)], &[(append(4), Told::Done)]], &swapped, true);
        check(&[&[(append(2), Told::Done), (append(4), Told::Done)]], &swapped, false);
        let flagged = after(&[append(2), seen(1)]);
        check(&[&[(seen(1), Told::Done)], &[(append(2), Told::Done)]], &flagged, true);
        check(&[&[(seen(1), Told::Done), (append(2), Told::Done)]], &flagged, false);
    }

    #[test]
    fn half_of_an_operation_is_never_explained() {
        let two = Op::Append {
            to: "INBOX".to_owned(),
            messages: vec![(FlagNames::new(), 2), (FlagNames::new(), 4)],
            once: false,
        };
        check(&[&[(two, Told::Doubtful)]], &after(&[append(2)]), false);
    }

    #[test]
    fn a_made_mailbox_may_have_any_identity_and_others_keep_theirs() {
        let create = Op::Create { name: "box".to_owned() };
        let mut state = after(std::slice::from_ref(&create));
        let identity = |id| Some(Identity { id, uid_validity: 10 });
        state.mailboxes.get_mut("box").unwrap().identity = identity(5);
        check(&[&[(create.clone(), Told::Done)]], &state, true);
        state.mailboxes.get_mut("INBOX").unwrap().identity = identity(6);
        check(&[&[(create, Told::Done)]], &state, false);
    }
}
