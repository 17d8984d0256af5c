//! EHLO, HELO and LHLO: the client's name, and what we can do. RFC 5321 §4.1.1.1, RFC 2033 §4.1.
//! Never believes the name.

use std::borrow::Cow;

use yubin_base::Next;

use crate::{
    codec::reply,
    limits,
    server::{Session, ports::Reception, ports::Service},
};

/// EHLO and LHLO. RFC 5321 §4.1.1.1, RFC 2033 §4.1.
pub(crate) fn extended<R: Reception>(
    session: &mut Session<R>,
    arguments: &str,
    behind: bool,
    out: &mut Vec<u8>,
) -> Next {
    match greet(session, arguments, behind, true, out) {
        Ok(()) => {
            reply::write_lines(250, &keywords(session), out);
            Next::Read
        }
        Err(next) => next,
    }
}

/// HELO. RFC 5321 §4.1.1.1.
pub(crate) fn plain<R: Reception>(
    session: &mut Session<R>,
    arguments: &str,
    behind: bool,
    out: &mut Vec<u8>,
) -> Next {
    match greet(session, arguments, behind, false, out) {
        Ok(()) => {
            reply::HELLO.with_text(session.options().hostname.clone()).write(out);
            Next::Read
        }
        Err(next) => next,
    }
}

/// What both have in common. The error is what to do after a refusal.
fn greet<R: Reception>(
    session: &mut Session<R>,
    arguments: &str,
    behind: bool,
    extended: bool,
    out: &mut Vec<u8>,
) -> Result<(), Next> {
    if let Some(next) = session.refuse_early_talk(behind, out) {
        return Err(next);
    }
    if let Some(next) = session.count_idle_command(out) {
        return Err(next);
    }
    let Some(name) = client_name(arguments) else { return Err(session.refuse(reply::NAME_WRONG, out)) };
    session.facts.helo = name.to_owned();
    session.facts.extended = extended;
    // RFC 5321 §4.1.4: a new greeting is a RSET as well.
    session.transaction = None;
    Ok(())
}

/// The name when it can be written into a Received field. Whether it is a host name at all is not asked: RFC 5321 §4.1.4 forbids to refuse
/// mail for it.
fn client_name(arguments: &str) -> Option<&str> {
    let name = arguments.split([' ', '\t']).next().unwrap_or_default();
    let is_fit = |b: u8| b.is_ascii_graphic() && !b"<>()\"\\,;`".contains(&b);
    let is_name = (1..=limits::HELO_OCTETS).contains(&name.len()) && name.bytes().all(is_fit);
    is_name.then_some(name)
}

/// The lines of the answer: our name and the extensions in force now.
fn keywords<R: Reception>(session: &Session<R>) -> Vec<Cow<'static, str>> {
    let options = session.options();
    let mut lines: Vec<Cow<'static, str>> = vec![
        options.hostname.clone().into(),
        "PIPELINING".into(),                                   // RFC 2920
        format!("SIZE {}", options.message_octets_max).into(), // RFC 1870
        "8BITMIME".into(),                                     // RFC 6152
        "SMTPUTF8".into(),                                     // RFC 6531
        "CHUNKING".into(),                                     // RFC 3030
        "BINARYMIME".into(),                                   // RFC 3030
        "ENHANCEDSTATUSCODES".into(),                          // RFC 2034
        "DSN".into(),                                          // RFC 3461
        // RFC 9422
        format!("LIMITS MAILMAX={} RCPTMAX={}", options.messages_max, options.recipients_max).into(),
    ];
    if options.starttls && session.facts.peer.tls.is_none() {
        lines.push("STARTTLS".into()); // RFC 3207
    }
    let mechanisms = session.mechanisms();
    if !mechanisms.is_empty() {
        lines.push(format!("AUTH {}", mechanisms.join(" ")).into()); // RFC 4954
    }
    if options.service != Service::Lmtp {
        lines.push("HELP".into());
    }
    lines
}
