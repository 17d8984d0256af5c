//! The commands of ManageSieve, one function each. RFC 5804 §2.

use base64::Engine as _;
use yubin_base::{
    AccountId, Next, UnixMs,
    sasl::{AuthFailure, Authenticated, SaslExchange, SaslStep},
};

use super::{
    ScriptsError,
    codec::{Argument, Status, answer, string},
    session::{Session, State},
};
use crate::{CAPABILITIES, compile, limits};

/// The loop's next step, or why the command is refused as a wrong one.
type Ran = Result<Next, &'static str>;

pub(super) async fn run(
    session: &mut Session,
    word: &str,
    arguments: &[Argument],
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Ran {
    use Argument::{Number, Text};
    let account = match &session.state {
        State::User { account, .. } => Some(*account),
        _ => None,
    };
    match (word, arguments) {
        ("CAPABILITY", []) => {
            capability(session, now, out);
            answer(Status::Ok, None, "", out);
        }
        ("NOOP", []) => answer(Status::Ok, None, "done", out),
        ("NOOP", [Text(tag)]) => noop(tag, out),
        ("LOGOUT", []) => {
            // §2.3
            answer(Status::Ok, None, "see you", out);
            return Ok(Next::Close);
        }
        ("STARTTLS", []) => return starttls(session, out),
        ("AUTHENTICATE", [Text(mechanism)]) => return authenticate(session, mechanism, None, now, out).await,
        ("AUTHENTICATE", [Text(mechanism), Text(initial)]) => {
            return authenticate(session, mechanism, Some(initial), now, out).await;
        }
        ("UNAUTHENTICATE", []) => return unauthenticate(session, out),
        ("HAVESPACE", [Text(name), Number(octets)]) => {
            let done = session.services.scripts.have_space(logged_in(account)?, name, *octets).await;
            tell(done, out);
        }
        ("PUTSCRIPT", [Text(name), Text(text)]) => {
            put_script(session, logged_in(account)?, name, text, out).await
        }
        ("CHECKSCRIPT", [Text(text)]) => {
            logged_in(account)?;
            check_script(text, out);
        }
        ("LISTSCRIPTS", []) => list_scripts(session, logged_in(account)?, out).await,
        ("SETACTIVE", [Text(name)]) => {
            // §2.8: the empty name means no script.
            let name = Some(name.as_str()).filter(|name| !name.is_empty());
            tell(session.services.scripts.activate(logged_in(account)?, name).await, out);
        }
        ("GETSCRIPT", [Text(name)]) => get_script(session, logged_in(account)?, name, out).await,
        ("DELETESCRIPT", [Text(name)]) => {
            // §2.10
            tell(session.services.scripts.delete(logged_in(account)?, name).await, out);
        }
        ("RENAMESCRIPT", [Text(old), Text(new)]) => {
            // §2.11.1
            tell(session.services.scripts.rename(logged_in(account)?, old, new).await, out);
        }
        (
            "CAPABILITY" | "NOOP" | "LOGOUT" | "STARTTLS" | "AUTHENTICATE" | "UNAUTHENTICATE" | "HAVESPACE"
            | "PUTSCRIPT" | "CHECKSCRIPT" | "LISTSCRIPTS" | "SETACTIVE" | "GETSCRIPT" | "DELETESCRIPT"
            | "RENAMESCRIPT",
            _,
        ) => return Err("this command takes other arguments"),
        _ => return Err("there is no such command"),
    }
    Ok(Next::Read)
}

fn logged_in(account: Option<AccountId>) -> Result<AccountId, &'static str> {
    account.ok_or("log in first")
}

/// RFC 5804 §1.7 and §2.4: what the server can do.
pub(super) fn capability(session: &Session, now: UnixMs, out: &mut Vec<u8>) {
    let extensions: Vec<&str> = CAPABILITIES.iter().map(|(name, _)| *name).collect();
    let mechanisms = match session.state {
        State::User { .. } => Vec::new(),
        _ => session.services.authenticator.mechanisms(&session.sasl_context(now)),
    };
    let mut say = |name: &str, value: Option<&str>| {
        string(name, out);
        if let Some(value) = value {
            out.push(b' ');
            string(value, out);
        }
        out.extend_from_slice(b"\r\n");
    };
    say("IMPLEMENTATION", Some("Yubin"));
    say("SIEVE", Some(&extensions.join(" ")));
    say("SASL", Some(&mechanisms.join(" ")));
    if session.services.options.tls_available && session.peer.tls.is_none() {
        say("STARTTLS", None);
    }
    say("MAXREDIRECTS", Some(&limits::REDIRECTS.to_string()));
    say("LANGUAGE", Some("en"));
    say("UNAUTHENTICATE", None);
    if let State::User { name, .. } = &session.state {
        say("OWNER", Some(name));
    }
    say("VERSION", Some("1.0"));
}

/// RFC 5804 §2.13: the tag comes back, so that a client knows where it stands.
fn noop(tag: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"OK (TAG ");
    string(tag, out);
    out.extend_from_slice(b") \"done\"\r\n");
}

/// RFC 5804 §2.2. What the client sent before TLS is dropped by the loop.
fn starttls(session: &Session, out: &mut Vec<u8>) -> Ran {
    if session.peer.tls.is_some() {
        return Err("TLS has begun already");
    }
    if !matches!(session.state, State::Stranger) {
        return Err("TLS comes before the login");
    }
    if !session.services.options.tls_available {
        return Err("this server has no certificate for STARTTLS");
    }
    answer(Status::Ok, None, "begin TLS", out);
    Ok(Next::StartTls)
}

/// RFC 5804 §2.1.
async fn authenticate(
    session: &mut Session,
    mechanism: &str,
    initial: Option<&str>,
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Ran {
    if let State::User { .. } = session.state {
        return Err("you are logged in already");
    }
    let mechanism = mechanism.to_ascii_uppercase();
    let authenticator = session.services.authenticator.clone();
    let mut exchange = match authenticator.start(&mechanism, session.sasl_context(now)) {
        Ok(exchange) => exchange,
        Err(failure) => return Ok(ended(session, Err(failure), out)),
    };
    let server_first = authenticator.server_first(&mechanism);
    let step = match (initial, server_first) {
        (Some(_), true) => SaslStep::Done(Err(AuthFailure::Malformed)),
        (Some(initial), false) => match decoded(initial) {
            Some(response) => exchange.step(&response, now).await,
            None => SaslStep::Done(Err(AuthFailure::Malformed)),
        },
        (None, true) => exchange.step(b"", now).await,
        (None, false) => SaslStep::Challenge(Vec::new()),
    };
    Ok(go_on(session, exchange, step, out))
}

/// A line within an exchange: one string, in base64, or `*`.
pub(super) async fn respond(
    session: &mut Session,
    mut exchange: Box<dyn SaslExchange>,
    word: &str,
    arguments: &[Argument],
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Next {
    let step = match (word, arguments) {
        ("", [Argument::Text(text)]) if text == "*" => SaslStep::Done(Err(AuthFailure::Cancelled)),
        ("", [Argument::Text(text)]) => match decoded(text) {
            Some(response) => exchange.step(&response, now).await,
            None => SaslStep::Done(Err(AuthFailure::Malformed)),
        },
        _ => SaslStep::Done(Err(AuthFailure::Malformed)),
    };
    go_on(session, exchange, step, out)
}

fn go_on(session: &mut Session, exchange: Box<dyn SaslExchange>, step: SaslStep, out: &mut Vec<u8>) -> Next {
    match step {
        SaslStep::Challenge(octets) => {
            string(&base64::engine::general_purpose::STANDARD.encode(octets), out);
            out.extend_from_slice(b"\r\n");
            session.state = State::Exchange(exchange);
            Next::Read
        }
        SaslStep::Done(result) => ended(session, result, out),
    }
}

fn ended(session: &mut Session, result: Result<Authenticated, AuthFailure>, out: &mut Vec<u8>) -> Next {
    session.state = State::Stranger;
    let (code, text, delay_ms) = match result {
        Ok(Authenticated { account, name }) => {
            session.login_failures = 0;
            session.state = State::User { account, name };
            answer(Status::Ok, None, "logged in", out);
            return Next::Read;
        }
        Err(AuthFailure::Refused { delay_ms }) => (None, "wrong user or password", delay_ms),
        Err(AuthFailure::Throttled { delay_ms }) => {
            (Some("TRYLATER"), "too many failures; try later", delay_ms)
        }
        Err(AuthFailure::Malformed) => (None, "this breaks the rules of the mechanism", 0),
        Err(AuthFailure::Cancelled) => (None, "given up", 0),
        Err(AuthFailure::TlsRequired) => (Some("ENCRYPT-NEEDED"), "use STARTTLS first", 0),
        Err(AuthFailure::UnknownMechanism) => (None, "there is no such mechanism", 0),
        Err(AuthFailure::Unavailable) => (Some("TRYLATER"), "logins are not possible now", 0),
    };
    session.login_failures += 1;
    if session.login_failures >= limits::AUTH_FAILURES {
        session.state = State::Doomed;
    }
    answer(Status::No, code, text, out);
    if delay_ms > 0 { Next::Delay(delay_ms) } else { Next::Read }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let octets = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    (octets.len() <= limits::AUTH_RESPONSE_OCTETS).then_some(octets)
}

/// RFC 5804 §2.14.
fn unauthenticate(session: &mut Session, out: &mut Vec<u8>) -> Ran {
    if !matches!(session.state, State::User { .. }) {
        return Err("nobody is logged in");
    }
    session.state = State::Stranger;
    answer(Status::Ok, None, "logged out", out);
    Ok(Next::Read)
}

/// RFC 5804 §2.6: a script that does not compile is not stored.
async fn put_script(session: &mut Session, account: AccountId, name: &str, text: &str, out: &mut Vec<u8>) {
    match compile(text) {
        Ok(_) => tell(session.services.scripts.put(account, name, text).await, out),
        Err(error) => answer(Status::No, None, &error.to_string(), out),
    }
}

/// RFC 5804 §2.12.
fn check_script(text: &str, out: &mut Vec<u8>) {
    match compile(text) {
        Ok(_) => answer(Status::Ok, None, "the script is valid", out),
        Err(error) => answer(Status::No, None, &error.to_string(), out),
    }
}

/// RFC 5804 §2.7.
async fn list_scripts(session: &mut Session, account: AccountId, out: &mut Vec<u8>) {
    match session.services.scripts.list(account).await {
        Ok(scripts) => {
            for (name, active) in scripts {
                string(&name, out);
                out.extend_from_slice(if active { b" ACTIVE\r\n" } else { b"\r\n" });
            }
            answer(Status::Ok, None, "", out);
        }
        Err(error) => tell(Err(error), out),
    }
}

/// RFC 5804 §2.9.
async fn get_script(session: &mut Session, account: AccountId, name: &str, out: &mut Vec<u8>) {
    match session.services.scripts.get(account, name).await {
        Ok(text) => {
            out.extend_from_slice(format!("{{{}}}\r\n", text.len()).as_bytes());
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(b"\r\n");
            answer(Status::Ok, None, "", out);
        }
        Err(error) => tell(Err(error), out),
    }
}

/// RFC 5804 §1.3: each refusal with its code.
fn tell(done: Result<(), ScriptsError>, out: &mut Vec<u8>) {
    let (code, text) = match done {
        Ok(()) => return answer(Status::Ok, None, "done", out),
        Err(ScriptsError::NonExistent) => (Some("NONEXISTENT"), "there is no such script"),
        Err(ScriptsError::AlreadyExists) => (Some("ALREADYEXISTS"), "a script has this name already"),
        Err(ScriptsError::Active) => {
            (Some("ACTIVE"), "this script is active; choose another one, or none, first")
        }
        Err(ScriptsError::BadName) => (None, "a script's name is not empty and has no control characters"),
        Err(ScriptsError::MaxSize) => (Some("QUOTA/MAXSIZE"), "the script is too long"),
        Err(ScriptsError::MaxScripts) => (Some("QUOTA/MAXSCRIPTS"), "there are too many scripts"),
        Err(ScriptsError::Unavailable) => (Some("TRYLATER"), "that is not possible now"),
    };
    answer(Status::No, code, text, out);
}
