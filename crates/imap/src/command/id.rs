//! ID. RFC 2971. Believes nothing of what the client says; logs a little of it.

use crate::{
    codec::write::Shown,
    events,
    session::{Session, reply::Reply},
};

pub(crate) fn run(session: &Session, pairs: &[(String, Option<String>)], out: &mut Vec<u8>) -> Reply {
    let value = |name: &str| {
        let pair = pairs.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        pair.and_then(|(_, value)| value.as_deref()).unwrap_or("-")
    };
    yubin_base::event!(events::CLIENT_ID, peer = %session.peer.remote.ip(), name = %Shown(value("name")), version = %Shown(value("version")));
    let (name, version) = &session.services.options.product;
    let mut w = super::plain(out);
    w.raw("* ID (\"name\" ")
        .string(name.as_bytes())
        .raw(" \"version\" ")
        .string(version.as_bytes())
        .raw(")\r\n");
    Reply::ok("nice to meet you")
}
