//! MAIL: begins a transaction. RFC 5321 §4.1.1.2; RFC 6409 §4.3 (login), RFC 1870 §6.1 (size), RFC 9422 (limits).

use yubin_base::{Next, event};

use crate::{
    codec::{parameters, reply},
    envelope::MailFrom,
    events,
    server::{Session, options::Login, ports::Reception, shown, transaction::Transaction},
};

/// RFC 5321 §4.1.1.2.
pub(crate) async fn handle<R: Reception>(
    session: &mut Session<R>,
    arguments: &str,
    out: &mut Vec<u8>,
) -> Next {
    if session.options().login == Login::Required && session.facts.authenticated.is_none() {
        return session.refuse(reply::LOGIN_FIRST, out);
    }
    if session.transaction.is_some() {
        return session.refuse(reply::NESTED_MAIL, out);
    }
    if session.tally.messages >= session.options().messages_max {
        return session.end(reply::TOO_MANY_MESSAGES, out);
    }
    let mail = match parameters::parse_mail(arguments, session.facts.extended) {
        Ok(mail) => mail,
        Err(reply) => return session.refuse(reply, out),
    };
    // RFC 1870 §6.1: what is declared too big is refused before it is sent.
    if mail.size.is_some_and(|size| size > session.options().message_octets_max) {
        return session.refuse(reply::MESSAGE_TOO_BIG, out);
    }
    if let Err(refusal) = session.listener.reception.sender(&session.facts, &mail).await {
        event!(events::SENDER_REFUSED, peer = %session.facts.peer.remote, helo = %shown(&session.facts.helo),
            sender = %written(&mail), code = refusal.reply().code, text = %refusal.reply().text);
        return session.refuse_by_policy(&refusal, out);
    }
    session.transaction = Some(Box::new(Transaction::new(mail)));
    reply::SENDER_OK.write(out);
    Next::Read
}

/// The sender for a log line.
pub(super) fn written(mail: &MailFrom) -> String {
    mail.reverse_path.as_ref().map_or_else(|| "<>".to_owned(), |address| shown(&address.to_string()))
}
