//! STORE and UID STORE. RFC 9051 §6.4.6, §6.4.9; RFC 7162 §3.1.3 (UNCHANGEDSINCE).

use yubin_store::{FlagChange, FlagOp, Flags, KeywordBits, MailboxState, ModSeq, Rights, Row, StoreFlags};

use crate::{
    codec::{Code, Set, request::StoreArguments, set::ranges},
    session::{
        notify::OwnChange,
        reach::{allowed, not_permitted},
        reply::Reply,
        user::Context,
        view::{Known, find_row},
    },
};

use super::message_limit;

pub(crate) async fn run(
    cx: &mut Context<'_>,
    set: &Set,
    arguments: &StoreArguments,
    uid: bool,
) -> Result<Reply, Reply> {
    let selected = cx.selected_for_writing()?;
    let mailbox = selected.id;
    permitted(selected.rights(), arguments)?;
    let seqs = selected.view.find(set, uid, &selected.saved)?;
    let (seqs, limited) = message_limit::newest(cx, seqs);
    let selected = cx.selected()?;
    let uids = selected.view.uids(&seqs);
    let some_gone = selected.view.rows(&seqs).any(|(.., ghost)| ghost);
    // RFC 7162 §3.1: using UNCHANGEDSINCE enables CONDSTORE.
    cx.user.enabled.condstore |= arguments.unchanged_since.is_some();
    let change = FlagChange {
        op: arguments.op,
        flags: arguments.flags.flags,
        keywords: arguments.flags.keywords.clone(),
        unchanged_since: arguments.unchanged_since.map(ModSeq),
    };
    let mut stored = if uids.is_empty() {
        StoreFlags::default()
    } else {
        cx.access().store_flags(mailbox, &uids, &change, cx.now).await?
    };
    if let Some(modseq) = stored.modseq {
        let account = cx.access().id();
        cx.user.made(account, OwnChange::of_flags(modseq, mailbox));
    }
    stored.modified.sort_unstable();
    let state = cx.access().open(mailbox).await?;
    answer(cx, &seqs, &state, arguments, &stored)?;
    if !stored.modified.is_empty() {
        let selected = cx.selected()?;
        let numbers =
            stored.modified.iter().filter_map(|u| if uid { Some(u.0) } else { selected.view.seq_of(*u) });
        // RFC 7162 §3.1.3: OK, although not all was done.
        let reply = Reply::ok_code(Code::Modified(ranges(numbers)), "some messages had changed");
        return Ok(message_limit::tell(cx, reply, limited));
    }
    if some_gone && !uid {
        return Err(Reply::no(Code::ExpungeIssued, "some of the messages are gone"));
    }
    Ok(message_limit::tell(cx, Reply::ok("stored"), limited))
}

/// RFC 4314 §4: `s` for `\Seen`, `t` for `\Deleted`, `w` for the others. One flag that may be changed is enough; the others stay.
fn permitted(rights: Rights, arguments: &StoreArguments) -> Result<(), Reply> {
    allowed(rights, Rights::READ)?;
    let asked = match arguments.op {
        FlagOp::Replace => Rights::of_flags(Flags::ALL).with(Rights::WRITE),
        _ if arguments.flags.keywords.is_empty() => Rights::of_flags(arguments.flags.flags),
        _ => Rights::of_flags(arguments.flags.flags).with(Rights::WRITE),
    };
    if asked.is_empty() || rights.has_any(asked) { Ok(()) } else { Err(not_permitted()) }
}

/// Tells the flags as they are now, unless the client wants to hear nothing; remembers what the client knows.
fn answer(
    cx: &mut Context<'_>,
    seqs: &[(u32, u32)],
    state: &MailboxState,
    arguments: &StoreArguments,
    stored: &StoreFlags,
) -> Result<(), Reply> {
    let modseq = cx.user.enabled.condstore;
    // RFC 7162 §3.1.3: with CONDSTORE the client must learn the new modseq even when it is silent.
    let silent = arguments.silent && !modseq;
    let mut known = Vec::new();
    let mut out = Vec::new();
    let mut w = crate::codec::Writer::new(&mut out, cx.user.dialect());
    if let Some(selected) = &mut cx.user.selected {
        selected.view.tell_keywords(state, &mut w);
    }
    let selected = cx.selected()?;
    for (seq, before, ghost) in selected.view.rows(seqs) {
        if ghost || stored.modified.binary_search(&before.uid).is_ok() {
            continue;
        }
        let Some(now) = find_row(state, before.uid) else { continue };
        if silent {
            known.push(expected(before, state, arguments));
            continue;
        }
        w.fetch_head(seq, now.uid.0).uid_unless_told(now.uid.0);
        if !arguments.silent {
            w.raw("FLAGS ").flags(now.flags, now.keywords, &state.keywords);
        }
        if modseq {
            w.raw(if arguments.silent { "" } else { " " });
            w.raw("MODSEQ (").number(now.modseq.0).raw(")");
        }
        w.raw(")\r\n");
        known.push(if arguments.silent {
            expected(before, state, arguments)
        } else {
            Known { uid: now.uid, flags: now.flags, keywords: now.keywords }
        });
    }
    cx.out.append(&mut out);
    cx.known = known;
    Ok(())
}

/// The flags the client expects: what it knew, changed as it asked. If they are others now, it is told (RFC 9051 §6.4.6).
fn expected(before: &Row, state: &MailboxState, arguments: &StoreArguments) -> Known {
    let bits =
        arguments.flags.keywords.iter().filter_map(|k| state.keywords.iter().position(|known| known == k));
    let bits = KeywordBits(bits.fold(0, |all, at| all | 1 << (at & 63)));
    let flags: Flags = arguments.flags.flags;
    let (flags, keywords) = match arguments.op {
        FlagOp::Replace => (flags, bits),
        FlagOp::Add => (before.flags.with(flags), KeywordBits(before.keywords.0 | bits.0)),
        FlagOp::Remove => (before.flags.without(flags), KeywordBits(before.keywords.0 & !bits.0)),
    };
    Known { uid: before.uid, flags, keywords }
}
