//! What a session tells of changes, and when. RFC 9051 §7.5.

use super::*;
use yubin_store::{DocId, ModSeq};

fn state(uids: &[u32], modseq: u64) -> Arc<MailboxState> {
    let row = |uid: &u32| Row {
        uid: Uid(*uid),
        doc: DocId(u64::from(*uid)),
        flags: Flags::default(),
        keywords: KeywordBits::default(),
        modseq: ModSeq(1),
        internal_date: Default::default(),
        save_date: Default::default(),
        size_octets: 1,
        thread: Default::default(),
    };
    let pages: Vec<Arc<Page>> =
        uids.chunks(3).map(|chunk| Arc::new(Page { rows: chunk.iter().map(row).collect() })).collect();
    Arc::new(MailboxState {
        highest_modseq: ModSeq(modseq),
        pages: Some(pages.into()),
        ..MailboxState::default()
    })
}

fn advance(view: &mut View, uids: &[u32], expunge: bool) -> String {
    let mut out = Vec::new();
    let permits = Permits { expunge, flags: true, modseq: false, vanished: false, recent: false, known: &[] };
    let _ = view.advance(state(uids, 2), permits, &mut Writer::new(&mut out, Default::default()));
    String::from_utf8(out).unwrap().replace("\r\n", "|")
}

fn seen(view: &View) -> Vec<(u32, bool)> {
    (1..=view.exists()).map(|seq| view.at(seq).map(|(row, ghost)| (row.uid.0, ghost)).unwrap()).collect()
}

#[test]
fn messages_gone_are_counted_until_the_client_is_told() {
    let mut view = View::new(state(&[1, 3, 5, 7, 9, 11, 13], 1));
    assert_eq!(advance(&mut view, &[1, 5, 7, 9, 13, 15], false), "* 8 EXISTS|");
    assert_eq!(
        seen(&view),
        [(1, false), (3, true), (5, false), (7, false), (9, false), (11, true), (13, false), (15, false)]
    );
    assert_eq!((view.seq_of(Uid(3)), view.seq_of(Uid(13)), view.seq_of(Uid(4))), (Some(2), Some(7), None));
    assert_eq!(advance(&mut view, &[5, 7, 9, 13, 15], false), "");
    assert_eq!(advance(&mut view, &[5, 7, 9, 13], true), "* 1 EXPUNGE|* 1 EXPUNGE|* 4 EXPUNGE|* 5 EXPUNGE|");
    assert_eq!(seen(&view), [(5, false), (7, false), (9, false), (13, false)]);
}

#[test]
fn all_at_the_ends_may_go() {
    let mut view = View::new(state(&[1, 2, 3, 4], 1));
    assert_eq!(advance(&mut view, &[], false), "");
    assert_eq!(seen(&view), [(1, true), (2, true), (3, true), (4, true)]);
    assert_eq!(advance(&mut view, &[9], true), "* 1 EXPUNGE|* 1 EXPUNGE|* 1 EXPUNGE|* 1 EXPUNGE|* 1 EXISTS|");
}

#[test]
fn sets_find_sequence_numbers() {
    let mut view = View::new(state(&[10, 20, 30, 40, 50], 1));
    let none = UidSet::default();
    let find =
        |view: &View, ranges: &[(u32, u32)], uid| view.find(&Set::Ranges(ranges.to_vec()), uid, &none).ok();
    assert_eq!(find(&view, &[(1, 0)], false), Some(vec![(1, 5)]));
    assert_eq!(find(&view, &[(6, 6)], false), None);
    assert_eq!(find(&view, &[(6, 0)], false), Some(vec![(5, 5)]));
    assert_eq!(find(&view, &[(20, 45)], true), Some(vec![(2, 4)]));
    assert_eq!(find(&view, &[(60, 0)], true), Some(vec![(5, 5)]));
    assert_eq!(find(&view, &[(60, 70), (11, 19)], true), Some(vec![]));
    assert_eq!(find(&view, &[(1, u32::MAX)], true), Some(vec![(1, 5)]));
    advance(&mut view, &[10, 30, 50], false);
    assert_eq!(find(&view, &[(20, 45)], true), Some(vec![(2, 4)]));
    assert_eq!(view.uids(&[(1, 5)]), UidSet::from_ranges([(10, 10), (30, 30), (50, 50)]));
    assert_eq!(find(&View::new(state(&[], 1)), &[(1, 0)], false), Some(vec![]));
    assert_eq!(find(&View::new(state(&[], 1)), &[(1, 1)], false), None);
}

#[test]
fn batches_leave_no_uid_out() {
    let mut view = View::new(state(&[10, 20, 30, 40, 50, 60, 70], 1));
    assert_eq!(view.batches(3, 0, u32::MAX), [(70, 41), (40, 11), (10, 1)]);
    assert_eq!(view.batches(3, 1, 2), [(40, 11)]);
    assert_eq!(view.batches(3, 2, 9), [(10, 1)]);
    assert_eq!(view.batches(7, 0, u32::MAX), [(70, 1)]);
    assert_eq!(view.batches(u32::MAX, 0, 5), [(70, 1)]);
    assert_eq!(view.batches(u32::MAX, 3, 5), []);
    assert_eq!(view.batches(3, 3, u32::MAX), []);
    // Messages gone are in no batch, told or not.
    advance(&mut view, &[10, 30, 50, 70], false);
    assert_eq!(view.batches(2, 0, u32::MAX), [(70, 31), (30, 1)]);
    assert_eq!(View::new(state(&[], 1)).batches(3, 0, u32::MAX), []);
}
