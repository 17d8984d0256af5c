//! AUTHENTICATE. RFC 9051 §6.2.2, RFC 4959 (initial response). Carries the exchange; the authenticator decides it.

use base64::Engine as _;
use yubin_base::{
    Next, UnixMs,
    sasl::{AuthFailure, SaslExchange, SaslStep},
};

use crate::{
    codec::{cursor::Cursor, parse::base64_response, write::Code},
    limits,
    session::{Mode, Session, reply::Reply},
};

use super::{capability, login};

/// An exchange under way.
pub(crate) struct Exchange {
    tag: String,
    exchange: Box<dyn SaslExchange>,
}

pub(crate) async fn run(
    session: &mut Session,
    tag: String,
    mechanism: &str,
    initial: Option<Vec<u8>>,
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Next {
    if session.user.is_some() {
        let reply = Reply::bad("you have logged in already");
        return session.finish(&tag, &reply, super::News::All, &[], out).await;
    }
    let authenticator = std::sync::Arc::clone(&session.services.authenticator);
    let exchange = match authenticator.start(mechanism, capability::sasl_context(session, now)) {
        Ok(exchange) => exchange,
        Err(failure) => return login::finish(session, &tag, "", Err(failure), out).await,
    };
    let exchange = Box::new(Exchange { tag, exchange });
    match initial {
        Some(response) => step(session, exchange, &response, now, out).await,
        None if authenticator.server_first(mechanism) => step(session, exchange, b"", now, out).await,
        None => {
            out.extend_from_slice(b"+ \r\n");
            session.mode = Mode::Authenticate(exchange);
            Next::Read
        }
    }
}

/// Takes the client's answer to a challenge: one line.
pub(crate) async fn take(
    session: &mut Session,
    input: &[u8],
    now: UnixMs,
    out: &mut Vec<u8>,
) -> (usize, Next) {
    let Some(end) = memchr::memchr(b'\n', input) else {
        if input.len() > limits::AUTH_LINE_OCTETS {
            return (input.len(), session.bye(Some(Code::TooBig), "the line is too long", out));
        }
        return (0, Next::Read);
    };
    let line = input.get(..=end).unwrap_or_default();
    let Mode::Authenticate(exchange) = std::mem::replace(&mut session.mode, Mode::Commands) else {
        return (0, Next::Read);
    };
    let mut cursor = Cursor::new(line);
    if cursor.rest() == b"*" {
        return (end + 1, login::finish(session, &exchange.tag, "", Err(AuthFailure::Cancelled), out).await);
    }
    let response = if cursor.is_end() { Ok(Vec::new()) } else { base64_response(&mut cursor) };
    match response.and_then(|r| cursor.end().map(|()| r)) {
        Ok(response) => (end + 1, step(session, exchange, &response, now, out).await),
        Err(_) => {
            (end + 1, login::finish(session, &exchange.tag, "", Err(AuthFailure::Malformed), out).await)
        }
    }
}

async fn step(
    session: &mut Session,
    mut exchange: Box<Exchange>,
    response: &[u8],
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Next {
    match exchange.exchange.step(response, now).await {
        SaslStep::Challenge(challenge) => {
            out.extend_from_slice(b"+ ");
            out.extend_from_slice(base64::engine::general_purpose::STANDARD.encode(challenge).as_bytes());
            out.extend_from_slice(b"\r\n");
            session.mode = Mode::Authenticate(exchange);
            Next::Read
        }
        SaslStep::Done(result) => login::finish(session, &exchange.tag, "", result, out).await,
    }
}
