//! ENABLE. RFC 5161, RFC 9051 §6.3.1; RFC 7162 §3.2.3, RFC 9586 §3. What is not known is passed over, as the RFC has it.

use crate::session::{reply::Reply, user::Context};

pub(crate) fn run(cx: &mut Context<'_>, names: &[String]) -> Result<Reply, Reply> {
    let mut enabled = String::new();
    for name in names {
        let (switch, written) = match name.as_str() {
            "CONDSTORE" => (&mut cx.user.enabled.condstore, " CONDSTORE"),
            // RFC 7162 §3.2.3: QRESYNC brings CONDSTORE with it.
            "QRESYNC" => {
                cx.user.enabled.condstore = true;
                (&mut cx.user.enabled.qresync, " QRESYNC")
            }
            // RFC 5464 §4.1: then changes by others are told unasked.
            "METADATA" => (&mut cx.user.enabled.metadata, " METADATA"),
            "UTF8=ACCEPT" => (&mut cx.user.enabled.utf8, " UTF8=ACCEPT"),
            "IMAP4REV2" => (&mut cx.user.enabled.rev2, " IMAP4rev2"),
            "UIDONLY" => (&mut cx.user.enabled.uid_only, " UIDONLY"),
            _ => continue,
        };
        if !std::mem::replace(switch, true) {
            enabled.push_str(written);
        }
    }
    if cx.user.enabled.metadata && cx.user.annotations_told.is_none() {
        cx.user.annotations_told = Some(cx.user.own.state().annotations.clone());
    }
    cx.w().raw("* ENABLED").raw(&enabled).raw("\r\n");
    Ok(Reply::ok("enabled"))
}
