//! CREATE. RFC 9051 §6.3.4, RFC 6154 §3 (USE), RFC 8474 §4.1 (MAILBOXID).

use yubin_store::Rights;

use crate::{
    codec::{Code, request::special_use},
    session::{notify::OwnChange, reach::not_permitted, reply::Reply, user::Context},
};

pub(crate) async fn run(cx: &mut Context<'_>, name: &str, uses: &[String]) -> Result<Reply, Reply> {
    // A separator at the end says that names will be made below it; the mailbox is made either way.
    let name = name.strip_suffix('/').unwrap_or(name);
    let special_use = match uses {
        [] => None,
        [one] => {
            Some(special_use(one).ok_or_else(|| Reply::no(Code::UseAttr, "there is no such special use"))?)
        }
        _ => return Err(Reply::no(Code::UseAttr, "a mailbox has one special use")),
    };
    // RFC 4314 §4: `k` above. What is missing, and what may not be seen, is answered in the same way.
    let place = cx.place(name).await?.ok_or_else(not_permitted)?;
    if !place.access.is_owner() && !place.rights_above().has(Rights::CREATE) {
        return Err(not_permitted());
    }
    let change = place.access.create_mailbox(&place.name, special_use, cx.now).await?;
    cx.user.made(place.access.id(), OwnChange::of_names(change.modseq));
    Ok(Reply::ok_code(Code::MailboxId(change.id.0), "created"))
}
