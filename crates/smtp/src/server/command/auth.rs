//! AUTH: carries a SASL exchange. RFC 4954. Who may log in is the authenticator's to say.
//! Secrets pass through and are not kept; none is ever logged.

use base64::{Engine, engine::general_purpose::STANDARD};
use yubin_base::{
    Next, event,
    sasl::{AuthFailure, Authenticated, SaslExchange, SaslStep},
};

use crate::{
    codec::reply::{self, Reply},
    events, limits,
    server::{Session, ports::Reception, session::Mode},
};

impl<R: Reception> Session<R> {
    /// The mechanisms to offer now: none where AUTH is not offered, and none after a login (RFC 4954 §4: no second AUTH).
    pub(super) fn mechanisms(&self) -> Vec<&'static str> {
        match &self.listener.authenticator {
            Some(authenticator) if self.offers_login() && self.facts.authenticated.is_none() => {
                authenticator.mechanisms(&self.sasl_context())
            }
            _ => Vec::new(),
        }
    }
}

/// RFC 4954 §4.
///
/// ```abnf
/// auth-command     = "AUTH" SP sasl-mech [SP initial-response] *(CRLF [base64]) [CRLF cancel-response]
/// initial-response = base64 / "="
/// ```
pub(crate) async fn handle<R: Reception>(
    session: &mut Session<R>,
    arguments: &str,
    behind: bool,
    out: &mut Vec<u8>,
) -> Next {
    let (mechanism, initial) = match check(session, arguments) {
        Ok(parts) => parts,
        Err(reply) => return session.refuse(reply, out),
    };
    // RFC 4954 §4 with RFC 2920: AUTH is the last of its group.
    if let Some(next) = session.refuse_early_talk(behind, out) {
        return next;
    }
    let Some(authenticator) = session.listener.authenticator.clone() else {
        return session.refuse(reply::NOT_OFFERED, out);
    };
    let mut exchange = match authenticator.start(mechanism, session.sasl_context()) {
        Ok(exchange) => exchange,
        Err(failure) => return fail(session, &failure, out),
    };
    let server_first = authenticator.server_first(mechanism);
    let Some(initial) = initial else {
        if server_first {
            return step(session, exchange, b"", out).await;
        }
        session.mode = Mode::Login(exchange);
        write_challenge(b"", out);
        return Next::Read;
    };
    // LOGIN speaks first, and still many clients send the user name at once: the first challenge is answered already.
    if server_first && let SaslStep::Done(result) = exchange.step(b"", session.facts.now).await {
        return done(session, result, out);
    }
    step(session, exchange, &initial, out).await
}

/// Order, mechanism and initial response.
fn check<'a, R: Reception>(
    session: &Session<R>,
    arguments: &'a str,
) -> Result<(&'a str, Option<Vec<u8>>), Reply> {
    if !session.offers_login() {
        return Err(reply::NOT_OFFERED);
    }
    if !session.facts.extended {
        return Err(reply::GREET_FIRST);
    }
    if session.facts.authenticated.is_some() {
        return Err(reply::LOGGED_IN_ALREADY);
    }
    if session.transaction.is_some() {
        return Err(reply::NOT_IN_TRANSACTION);
    }
    let mut words = arguments.split([' ', '\t']).filter(|word| !word.is_empty());
    let mechanism = words.next().ok_or(reply::ARGUMENTS_WRONG)?;
    let initial = match words.next() {
        None => None,
        Some("=") => Some(Vec::new()),
        Some(text) => Some(decode(text.as_bytes()).ok_or(reply::RESPONSE_MALFORMED)?),
    };
    if words.next().is_some() {
        return Err(reply::ARGUMENTS_WRONG);
    }
    Ok((mechanism, initial))
}

/// Takes a response line. RFC 4954 §4.
pub(crate) async fn respond<R: Reception>(
    session: &mut Session<R>,
    input: &[u8],
    out: &mut Vec<u8>,
) -> (usize, Next) {
    let window = input.get(..limits::AUTH_LINE_OCTETS).unwrap_or(input);
    let Some(lf) = memchr::memchr(b'\n', window) else {
        if input.len() < limits::AUTH_LINE_OCTETS {
            return (0, Next::Read);
        }
        // RFC 4954 §4: a response over the limit ends the exchange with 500.
        reply::RESPONSE_TOO_LONG.write(out);
        return (input.len(), Next::Close);
    };
    let Mode::Login(exchange) = std::mem::replace(&mut session.mode, Mode::Commands) else {
        return (0, Next::Read);
    };
    let Some(line) = input.get(..lf).and_then(|line| line.strip_suffix(b"\r")) else {
        return (lf + 1, session.refuse(reply::BARE_NEWLINE_IN_COMMAND, out));
    };
    let next = match line {
        b"*" => fail(session, &AuthFailure::Cancelled, out),
        _ => match decode(line) {
            Some(response) => step(session, exchange, &response, out).await,
            None => fail(session, &AuthFailure::Malformed, out),
        },
    };
    (lf + 1, next)
}

/// Padding must be there and be right: RFC 4648 §3.3 and §3.5.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

async fn step<R: Reception>(
    session: &mut Session<R>,
    mut exchange: Box<dyn SaslExchange>,
    response: &[u8],
    out: &mut Vec<u8>,
) -> Next {
    match exchange.step(response, session.facts.now).await {
        SaslStep::Challenge(challenge) => {
            session.mode = Mode::Login(exchange);
            write_challenge(&challenge, out);
            Next::Read
        }
        SaslStep::Done(result) => done(session, result, out),
    }
}

fn write_challenge(challenge: &[u8], out: &mut Vec<u8>) {
    // Longer than a reply line may be otherwise: RFC 4954 §4 allows challenges up to 12,288 octets.
    out.extend_from_slice(b"334 ");
    out.extend_from_slice(STANDARD.encode(challenge).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn done<R: Reception>(
    session: &mut Session<R>,
    result: Result<Authenticated, AuthFailure>,
    out: &mut Vec<u8>,
) -> Next {
    match result {
        Ok(who) => {
            event!(events::LOGGED_IN, peer = %session.facts.peer.remote, account = %who.account, name = %super::super::shown(&who.name));
            session.facts.authenticated = Some(who);
            session.tally.login_failures = 0;
            reply::LOGGED_IN.write(out);
            Next::Read
        }
        Err(failure) => fail(session, &failure, out),
    }
}

/// RFC 4954 §4 and §6.
fn fail<R: Reception>(session: &mut Session<R>, failure: &AuthFailure, out: &mut Vec<u8>) -> Next {
    event!(events::LOGIN_FAILED, peer = %session.facts.peer.remote, failure = ?failure);
    let (reply, delay_ms) = match failure {
        AuthFailure::Refused { delay_ms } => (reply::CREDENTIALS_WRONG, *delay_ms),
        AuthFailure::Throttled { delay_ms } => (reply::LOGIN_THROTTLED, *delay_ms),
        AuthFailure::Malformed => (reply::RESPONSE_MALFORMED, 0),
        AuthFailure::Cancelled => (reply::LOGIN_CANCELLED, 0),
        AuthFailure::TlsRequired => (reply::MECHANISM_NEEDS_TLS, 0),
        AuthFailure::UnknownMechanism => (reply::MECHANISM_UNKNOWN, 0),
        AuthFailure::Unavailable => (reply::LOGIN_UNAVAILABLE, 0),
    };
    let guessed = matches!(failure, AuthFailure::Refused { .. } | AuthFailure::Throttled { .. });
    if !guessed {
        return session.refuse(reply, out);
    }
    reply.write(out);
    session.tally.login_failures = session.tally.login_failures.saturating_add(1);
    if session.tally.login_failures >= limits::AUTH_FAILURES {
        // The answer goes out with its delay; whatever comes then meets the end.
        session.mode = Mode::Doomed(Box::new(reply::TOO_MANY_FAILURES));
    }
    if delay_ms > 0 { Next::Delay(delay_ms) } else { Next::Read }
}
