//! The URL parts of CATENATE (RFC 4469 §3): octets of messages that are here already, copied in pieces. Of any that the user may read;
//! sets no `\Seen`.

use std::sync::Arc;

use yubin_formats::mail::{Structure, select_fields};
use yubin_store::{Access, MailboxId, Record, Rights, StoreError, Uid};

use crate::{
    codec::{
        Code,
        url::{self, MessageUrl},
    },
    limits,
    session::{reach, reply::Reply, view::find_row},
};

use super::{
    append::{Append, Desk},
    fetch::{clip, resolve},
};

/// Copies what the URL names into the message that is being made.
pub(super) async fn copy(desk: Desk<'_>, append: &mut Append, text: &[u8]) -> Result<(), Reply> {
    let bad =
        || Reply::no(Code::BadUrl(String::from_utf8_lossy(text).into_owned()), "nothing to take from there");
    let wanted = url::parse(text).ok_or_else(bad)?;
    let (access, record) = find(desk, &wanted).await?.ok_or_else(bad)?;
    let Some((section, fields)) = &wanted.section else {
        return copy_range(desk, append, (&access, &record), clip(0..record.size_octets(), wanted.partial))
            .await;
    };
    let mut structure: Option<Structure> = None;
    let range = resolve(section, &record, &mut structure).ok_or_else(bad)?;
    let Some((names, keep)) = fields else {
        return copy_range(desk, append, (&access, &record), clip(range, wanted.partial)).await;
    };
    let range = range.start..range.end.min(range.start.saturating_add(limits::HEADER_OCTETS));
    let header = access.read(&record, range).await?;
    let fields = select_fields(&header, names, *keep);
    let cut = clip(0..fields.len() as u64, wanted.partial);
    let cut = usize::try_from(cut.start).unwrap_or(0)..usize::try_from(cut.end).unwrap_or(0);
    let octets = fields.get(cut).unwrap_or_default();
    append.charge(desk, octets.len() as u64)?;
    append.write(octets, true)
}

/// The message and its account; none when there is no such one that the user may read.
async fn find(desk: Desk<'_>, wanted: &MessageUrl) -> Result<Option<(Access, Arc<Record>)>, Reply> {
    let Some((access, mailbox)) = mailbox(desk, wanted.mailbox.as_deref()).await? else { return Ok(None) };
    if !access.rights_now(mailbox).has(Rights::READ) {
        return Ok(None);
    }
    let opened = match access.open(mailbox).await {
        Ok(opened) => opened,
        Err(StoreError::NoMailbox | StoreError::Cannot(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if wanted.uid_validity.is_some_and(|validity| validity != opened.uid_validity.0) {
        return Ok(None);
    }
    let Some(row) = find_row(&opened, Uid(wanted.uid)) else { return Ok(None) };
    match access.record(row.doc).await {
        Ok(record) => Ok(Some((access, record))),
        Err(StoreError::Gone) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn mailbox(desk: Desk<'_>, name: Option<&str>) -> Result<Option<(Access, MailboxId)>, Reply> {
    let Some(name) = name else {
        return Ok(desk.user.selected.as_ref().map(|selected| (selected.access.clone(), selected.id)));
    };
    let found = reach::find(desk.services, desk.user, name).await?;
    Ok(found.map(|found| (found.access, found.mailbox.id)))
}

/// In pieces: a body is never whole in memory.
async fn copy_range(
    desk: Desk<'_>,
    append: &mut Append,
    (access, record): (&Access, &Record),
    mut range: std::ops::Range<u64>,
) -> Result<(), Reply> {
    append.charge(desk, range.end.saturating_sub(range.start))?;
    while range.start < range.end {
        let end = range.end.min(range.start.saturating_add(limits::BODY_PIECE_OCTETS as u64));
        let octets = access.read(record, range.start..end).await?;
        if octets.is_empty() {
            return Err(StoreError::Gone.into());
        }
        range.start += octets.len() as u64;
        // What is stored may hold NUL: somebody else's BINARYMIME, or a literal8.
        append.write(&octets, true)?;
    }
    Ok(())
}
