//! RCPT: one more recipient. RFC 5321 §4.1.1.3 and §4.5.3.1.8.

use yubin_base::{Next, event};

use crate::{
    codec::{parameters, reply},
    events,
    server::{Session, command::mail, ports::Reception, shown},
};

/// RFC 5321 §4.1.1.3.
pub(crate) async fn handle<R: Reception>(
    session: &mut Session<R>,
    arguments: &str,
    out: &mut Vec<u8>,
) -> Next {
    let Some(transaction) = &session.transaction else { return session.refuse(reply::MAIL_FIRST, out) };
    // RFC 3030 §2: no RCPT between chunks.
    if transaction.body.is_some() {
        return session.refuse(reply::CHUNKS_UNDER_WAY, out);
    }
    let envelope = &transaction.envelope;
    let rcpt = match parameters::parse_rcpt(arguments, session.facts.extended, envelope.mail.smtputf8) {
        Ok(rcpt) => rcpt,
        Err(reply) => return session.refuse(reply, out),
    };
    // RFC 5321 §4.5.3.1.10: the client sends the rest in another transaction.
    if transaction.is_full(session.options()) {
        reply::TOO_MANY_RECIPIENTS.write(out);
        return Next::Read;
    }
    let reception = &session.listener.reception;
    let answer = reception.recipient(&session.facts, &envelope.mail, &envelope.recipients, &rcpt).await;
    if let Err(refusal) = answer {
        event!(events::RECIPIENT_REFUSED, peer = %session.facts.peer.remote, helo = %shown(&session.facts.helo),
            sender = %mail::written(&envelope.mail), recipient = %shown(&rcpt.original),
            code = refusal.reply().code, text = %refusal.reply().text);
        return session.refuse_by_policy(&refusal, out);
    }
    if let Some(transaction) = &mut session.transaction {
        transaction.add(rcpt);
    }
    reply::RECIPIENT_OK.write(out);
    Next::Read
}
