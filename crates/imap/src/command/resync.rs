//! What a client missed while it was away (QRESYNC): which of its messages are gone, and which have changed. RFC 7162 §3.2.

use yubin_store::{Change, ModSeq};

use crate::{
    codec::{
        Set,
        fetch::Item,
        request::QResync,
        set::{both, resolve, without},
    },
    session::{reply::Reply, user::Context},
};

use super::fetch::FetchJob;

/// Behind what SELECT says: VANISHED (EARLIER), and FETCH of what has changed (RFC 7162 §3.2.5.1).
pub(super) async fn after_select(
    cx: &mut Context<'_>,
    known: &QResync,
    reply: Reply,
) -> Result<FetchJob, Reply> {
    tell_vanished(cx, known.modseq, known.known.as_ref()).await?;
    let selected = cx.selected()?;
    let all = Set::Ranges(vec![(1, u32::MAX)]);
    let seqs = selected.view.find(known.known.as_ref().unwrap_or(&all), true, &selected.saved)?;
    Ok(FetchJob::of_rows(vec![Item::Uid, Item::Flags, Item::ModSeq], seqs, Some(known.modseq), reply))
}

/// `* VANISHED (EARLIER) 41,43:116`: what was removed since, of the UIDs that the client knows (RFC 7162 §3.2.10.1).
pub(super) async fn tell_vanished(
    cx: &mut Context<'_>,
    since: u64,
    known: Option<&Set>,
) -> Result<(), Reply> {
    let log = cx.user.account.log(ModSeq(since)).await?;
    let selected = cx.selected()?;
    let last = selected.view.told().uid_next.0.saturating_sub(1);
    let known = match known {
        Some(Set::Ranges(ranges)) => both(&resolve(ranges, last), &[(1, last)]),
        Some(Set::Saved) => selected.saved.ranges().to_vec(),
        None => vec![(1, last)],
    };
    let removed = match log {
        Some(entries) => {
            let mut removed: Vec<(u32, u32)> = Vec::new();
            for change in entries.iter().flat_map(|entry| &entry.changes) {
                if let Change::Expunged { mailbox, uids } = change
                    && *mailbox == selected.id
                {
                    removed.extend_from_slice(uids.ranges());
                }
            }
            both(&known, &resolve(&removed, last))
        }
        // The log does not reach back so far: everything that is not there counts as removed (RFC 7162 §3.2.5.1 allows it).
        None => known,
    };
    // What the client still counts is told as VANISHED when its number goes, not before.
    let gone = without(&removed, selected.view.all_uids());
    if !gone.is_empty() {
        cx.w().raw("* VANISHED (EARLIER) ").set(&gone).raw("\r\n");
    }
    Ok(())
}
