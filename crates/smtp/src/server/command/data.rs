//! DATA, and the answer to a body, however it came. RFC 5321 §4.1.1.4 and §4.5.2; RFC 2033 §4.2 (one answer per recipient).
//! 250 is written here, and only for what the backend called accepted.

use yubin_base::{Next, event};

use crate::{
    codec::{
        body::Framing,
        reply::{self, Reply},
    },
    envelope::{BodyType, Envelope},
    events, limits,
    server::{
        Session,
        command::mail,
        ports::{Accepted, Delivered, Reception, Refusal, Service},
        session::Mode,
        shown,
        transaction::{Incoming, Progress},
    },
};

/// RFC 5321 §4.1.1.4.
pub(crate) async fn handle<R: Reception>(
    session: &mut Session<R>,
    arguments: &str,
    behind: bool,
    out: &mut Vec<u8>,
) -> Next {
    // RFC 2920 §3.1: DATA is the last of its group; the body waits for 354.
    if let Some(next) = session.refuse_early_talk(behind, out) {
        return next;
    }
    if !arguments.is_empty() {
        return session.refuse(reply::NO_ARGUMENTS, out);
    }
    if let Err(reply) = check_order(session) {
        return session.refuse(reply, out);
    }
    match open_body(session, Framing::Dots).await {
        Ok(()) => {
            session.mode = Mode::Data;
            reply::SEND_DATA.write(out);
            Next::Read
        }
        // RFC 5321 §4.1.1.4: the envelope stays; the client may send RSET or try again.
        Err(refusal) => session.refuse_by_policy(&refusal, out),
    }
}

fn check_order<R: Reception>(session: &Session<R>) -> Result<(), Reply> {
    let transaction = session.transaction.as_ref().ok_or(reply::MAIL_FIRST)?;
    if transaction.body.is_some() {
        // RFC 3030 §2: DATA and BDAT do not mix.
        return Err(reply::CHUNKS_UNDER_WAY);
    }
    if transaction.envelope.recipients.is_empty() {
        return Err(reply::RCPT_FIRST);
    }
    if transaction.envelope.mail.body == BodyType::BinaryMime {
        // RFC 3030 §3.
        return Err(reply::BINARY_NEEDS_BDAT);
    }
    Ok(())
}

/// Asks the backend for a place for the body.
pub(super) async fn open_body<R: Reception>(
    session: &mut Session<R>,
    framing: Framing,
) -> Result<(), Refusal> {
    let Some(transaction) = &session.transaction else { return Err(reply::MAIL_FIRST.into()) };
    let envelope = &transaction.envelope;
    let sink = session.listener.reception.begin(&session.facts, envelope).await?;
    let options = &session.listener.options;
    if let Some(transaction) = &mut session.transaction {
        transaction.body = Some(Incoming::new(framing, sink, &transaction.envelope, options));
    }
    Ok(())
}

/// Takes a piece of the body. RFC 5321 §4.5.2.
pub(crate) async fn take<R: Reception>(
    session: &mut Session<R>,
    input: &[u8],
    out: &mut Vec<u8>,
) -> (usize, Next) {
    let step = input.get(..limits::BODY_STEP_OCTETS).unwrap_or(input);
    let body = session.transaction.as_mut().and_then(|transaction| transaction.body.as_mut());
    let Some(body) = body else {
        // Cannot happen; a session without a place for the body has nothing more to say.
        return (input.len(), session.end(reply::SESSION_BROKEN, out));
    };
    match body.take(step).await {
        Progress::Taken(used) => (used, Next::Read),
        Progress::Complete(used) => {
            session.mode = Mode::Commands;
            (used, answer(session, out).await)
        }
        Progress::Overrun => (input.len(), session.end(reply::MESSAGE_TOO_BIG, out)),
    }
}

/// Ends the transaction with a complete body, and answers it.
pub(super) async fn answer<R: Reception>(session: &mut Session<R>, out: &mut Vec<u8>) -> Next {
    let Some(transaction) = session.transaction.take() else { return Next::Read };
    let transaction = *transaction;
    let (envelope, Some(body)) = (transaction.envelope, transaction.body) else { return Next::Read };
    session.tally.messages = session.tally.messages.saturating_add(1);
    let octets = body.octets();
    let (result, broke_lines) = body.finish().await;
    log(session, &envelope, octets, &result);
    if broke_lines {
        event!(events::BARE_NEWLINE_REFUSED, peer = %session.facts.peer.remote, helo = %shown(&session.facts.helo));
    }
    match session.facts.service {
        Service::Lmtp => answer_each(&envelope, &result, out),
        Service::Mx | Service::Submission => answer_once(&result, out),
    }
    // Whoever sends bare newlines may have more prepared behind them (S01): nothing else is taken from this connection.
    if broke_lines || matches!(&result, Err(refusal) if refusal.reply().code == 421) {
        return Next::Close;
    }
    Next::Read
}

fn answer_once(result: &Result<Accepted, Refusal>, out: &mut Vec<u8>) {
    match result {
        Err(refusal) => refusal.reply().write(out),
        Ok(accepted) => match &accepted.delivered {
            Delivered::ToAll => accepted_reply(accepted).write(out),
            Delivered::ToEach(results) if results.iter().any(Result::is_ok) => {
                accepted_reply(accepted).write(out)
            }
            Delivered::ToEach(results) => match results.iter().find_map(|result| result.as_ref().err()) {
                Some(refusal) => refusal.reply().write(out),
                None => reply::NO_RESULT.write(out),
            },
        },
    }
}

/// RFC 2033 §4.2: one answer for each RCPT that was answered 250, in their order.
fn answer_each(envelope: &Envelope, result: &Result<Accepted, Refusal>, out: &mut Vec<u8>) {
    for number in 0..envelope.recipients.len() {
        match result {
            Err(refusal) => refusal.reply().write(out),
            Ok(accepted) => match &accepted.delivered {
                Delivered::ToAll => accepted_reply(accepted).write(out),
                Delivered::ToEach(results) => match results.get(number) {
                    Some(Ok(())) => accepted_reply(accepted).write(out),
                    Some(Err(refusal)) => refusal.reply().write(out),
                    None => reply::NO_RESULT.write(out),
                },
            },
        }
    }
}

fn accepted_reply(accepted: &Accepted) -> Reply {
    reply::MESSAGE_OK.with_text(format!("Accepted as {}", accepted.trace_id))
}

fn log<R: Reception>(
    session: &Session<R>,
    envelope: &Envelope,
    octets: u64,
    result: &Result<Accepted, Refusal>,
) {
    let peer = session.facts.peer.remote;
    let (mail, helo) = (&envelope.mail, &session.facts.helo);
    let recipients = envelope.recipients.len();
    match result {
        Ok(accepted) => {
            event!(events::MESSAGE_ACCEPTED, trace = %accepted.trace_id, peer = %peer, helo = %shown(helo),
            sender = %mail::written(mail), recipients = recipients, octets = octets)
        }
        Err(refusal) => {
            event!(events::MESSAGE_REFUSED, peer = %peer, helo = %shown(helo), sender = %mail::written(mail),
            recipients = recipients, octets = octets, code = refusal.reply().code, text = %refusal.reply().text)
        }
    }
}
