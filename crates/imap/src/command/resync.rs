//! What a client missed while it was away (QRESYNC): which of its messages are gone, and which have changed. RFC 7162 §3.2.

use yubin_store::{Change, ModSeq};

use crate::{
    codec::{
        Set,
        fetch::Item,
        request::QResync,
        set::{both, resolve, without},
    },
    session::{reply::Reply, user::Context, view::View},
};

use super::fetch::FetchJob;

/// Behind what SELECT says: VANISHED (EARLIER), and FETCH of what has changed (RFC 7162 §3.2.5.1).
pub(super) async fn after_select(
    cx: &mut Context<'_>,
    known: &QResync,
    reply: Reply,
) -> Result<FetchJob, Reply> {
    tell_vanished(cx, known.modseq, known.known.as_ref(), known.matched.as_ref()).await?;
    let selected = cx.selected()?;
    let all = Set::Ranges(vec![(1, u32::MAX)]);
    let seqs = selected.view.find(known.known.as_ref().unwrap_or(&all), true, &selected.saved)?;
    let items = match cx.user.enabled.uid_only {
        true => vec![Item::Flags, Item::ModSeq],
        false => vec![Item::Uid, Item::Flags, Item::ModSeq],
    };
    Ok(FetchJob::of_rows(items, seqs, Some(known.modseq), reply))
}

/// `* VANISHED (EARLIER) 41,43:116`: what was removed since, of the UIDs that the client knows (RFC 7162 §3.2.10.1).
pub(super) async fn tell_vanished(
    cx: &mut Context<'_>,
    since: u64,
    known: Option<&Set>,
    matched: Option<&(Set, Set)>,
) -> Result<(), Reply> {
    let log = cx.access().log(ModSeq(since)).await?;
    let selected = cx.selected()?;
    let last = selected.view.told().uid_next.0.saturating_sub(1);
    let known = match known {
        Some(Set::Ranges(ranges)) => both(&resolve(ranges, last), &[(1, last)]),
        Some(Set::Saved) => selected.saved.ranges().to_vec(),
        None => vec![(1, last)],
    };
    let removed = log.map(|entries| {
        let mut removed: Vec<(u32, u32)> = Vec::new();
        for change in entries.iter().flat_map(|entry| &entry.changes) {
            if let Change::Expunged { mailbox, uids } = change
                && *mailbox == selected.id
            {
                removed.extend_from_slice(uids.ranges());
            }
        }
        resolve(&removed, last)
    });
    let gone = gone(&selected.view, &known, removed.as_deref(), matched);
    if !gone.is_empty() {
        cx.w().raw("* VANISHED (EARLIER) ").set(&gone).raw("\r\n");
    }
    Ok(())
}

/// Of the UIDs that the client knows, those that were removed. Where the log does not reach back so far (none), everything that
/// is not there counts as removed (RFC 7162 §3.2.5.1 allows it), but for what lies below a message that still has the number it had.
fn gone(
    view: &View,
    known: &[(u32, u32)],
    removed: Option<&[(u32, u32)]>,
    matched: Option<&(Set, Set)>,
) -> Vec<(u32, u32)> {
    let removed = match removed {
        Some(removed) => both(known, removed),
        None => {
            let unmoved = matched.map_or(0, |(numbers, uids)| unmoved(view, numbers, uids));
            both(known, &[(unmoved.saturating_add(1), u32::MAX)])
        }
    };
    // What the client still counts is told as VANISHED when its number goes, not before.
    without(&removed, view.all_uids())
}

/// The highest UID whose message has the sequence number that the client remembers: nothing below it was removed
/// (RFC 7162 §3.2.5.2). Beyond the first that has moved, all have.
fn unmoved(view: &View, numbers: &Set, uids: &Set) -> u32 {
    let (Set::Ranges(numbers), Set::Ranges(uids)) = (numbers, uids) else { return 0 };
    let each = |ranges: Vec<(u32, u32)>| ranges.into_iter().flat_map(|(from, to)| from..=to);
    let pairs = each(resolve(numbers, u32::MAX)).zip(each(resolve(uids, u32::MAX)));
    let is_there = |&(seq, uid): &(u32, u32)| view.at(seq).is_some_and(|(row, _)| row.uid.0 == uid);
    pairs.take_while(is_there).last().map_or(0, |(_, uid)| uid)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use yubin_store::{DocId, Flags, KeywordBits, MailboxState, Page, Row, ThreadId, Uid};

    use super::*;

    #[test]
    fn below_the_logs_floor_what_is_not_there_is_gone_unless_the_numbers_say_otherwise() {
        let row = |uid: u32| Row {
            uid: Uid(uid),
            doc: DocId(0),
            flags: Flags(0),
            keywords: KeywordBits(0),
            modseq: ModSeq(1),
            internal_date: Default::default(),
            save_date: Default::default(),
            size_octets: 1,
            thread: ThreadId(0),
        };
        let page = Page { rows: [1, 3, 6, 7].map(row).to_vec() };
        let view = View::new(Arc::new(MailboxState {
            pages: Some(Arc::from([Arc::new(page)])),
            ..Default::default()
        }));
        let known = [(1, 9)];
        let matched = |numbers: &[(u32, u32)], uids: &[(u32, u32)]| {
            (Set::Ranges(numbers.to_vec()), Set::Ranges(uids.to_vec()))
        };
        assert_eq!(gone(&view, &known, Some(&[(4, 4), (20, 20)]), None), [(4, 4)]);
        assert_eq!(gone(&view, &known, None, None), [(2, 2), (4, 5), (8, 9)]);
        // RFC 7162 §3.2.5.2: message 2 had UID 3 already, so nothing before it was removed since.
        let two = matched(&[(1, 2), (4, 4)], &[(1, 1), (3, 3), (9, 9)]);
        assert_eq!(gone(&view, &known, None, Some(&two)), [(4, 5), (8, 9)]);
        let all = matched(&[(1, 4)], &[(1, 1), (3, 3), (6, 7)]);
        assert_eq!(gone(&view, &known, None, Some(&all)), [(8, 9)]);
        let none = matched(&[(1, 1)], &[(2, 2)]);
        assert_eq!(gone(&view, &known, None, Some(&none)), [(2, 2), (4, 5), (8, 9)]);
        // Numbers without end cost no more than there are messages.
        let endless = matched(&[(1, u32::MAX)], &[(1, u32::MAX)]);
        assert_eq!(gone(&view, &known, None, Some(&endless)), [(2, 2), (4, 5), (8, 9)]);
    }
}
