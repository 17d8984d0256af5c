//! CAPABILITY. RFC 9051 §6.1.1. Lists what runs, and nothing else.

use yubin_base::sasl::SaslContext;

use crate::session::{Session, reply::Reply};

/// What a client may use once it has logged in.
const AFTER_LOGIN: &str = "IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE IDLE NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE MULTIAPPEND BINARY \
    CONDSTORE QRESYNC ESEARCH SEARCHRES WITHIN PARTIAL MULTISEARCH SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES I18NLEVEL=1 INPROGRESS ACL RIGHTS=kxte LIST-EXTENDED LIST-STATUS LIST-MYRIGHTS SPECIAL-USE CREATE-SPECIAL-USE STATUS=SIZE QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE OBJECTID SAVEDATE UIDONLY UIDBATCHES NOTIFY METADATA LIST-METADATA PREVIEW REPLACE CATENATE COMPRESS=DEFLATE UNAUTHENTICATE UTF8=ACCEPT";

pub(crate) fn run(session: &Session, out: &mut Vec<u8>) -> Reply {
    super::plain(out).raw("* CAPABILITY ").raw(&list(session)).raw("\r\n");
    Reply::ok("that is all")
}

/// The list for the session's state.
pub(crate) fn list(session: &Session) -> String {
    let options = &session.services.options;
    if session.user.is_some() {
        let mut list = format!("{AFTER_LOGIN} APPENDLIMIT={}", options.message_octets_max);
        // RFC 9738 §3: the wider of the two.
        match (options.message_limit, options.save_limit) {
            (Some(limit), _) => list.push_str(&format!(" MESSAGELIMIT={limit}")),
            (None, Some(limit)) => list.push_str(&format!(" SAVELIMIT={limit}")),
            (None, None) => {}
        }
        return list;
    }
    let mut list = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE".to_owned();
    if options.starttls && session.peer.tls.is_none() {
        list.push_str(" STARTTLS");
    }
    if !login_allowed(session) {
        list.push_str(" LOGINDISABLED");
    }
    // Mechanisms do not depend on the time.
    for mechanism in session.services.authenticator.mechanisms(&sasl_context(session, Default::default())) {
        list.push_str(" AUTH=");
        list.push_str(mechanism);
    }
    list
}

/// Whether a password may be sent as it is (RFC 9051 §6.2.3).
pub(crate) fn login_allowed(session: &Session) -> bool {
    session.peer.tls.is_some() || session.services.options.plaintext_allowed
}

/// What decides about logins.
pub(crate) fn sasl_context(session: &Session, now: yubin_base::UnixMs) -> SaslContext {
    SaslContext {
        service: "imap",
        remote: session.peer.remote.ip(),
        tls: session.peer.tls.clone(),
        plaintext_allowed: session.services.options.plaintext_allowed,
        now,
    }
}
