//! AUTH (RFC 5034), with an initial response (§4) and `*` to cancel. The mechanisms are the directory's.

use base64::Engine as _;
use yubin_base::{
    UnixMs,
    sasl::{AuthFailure, SaslContext, SaslExchange, SaslStep},
};

use super::login::LoginEnd;
use crate::{
    codec::{
        command::Auth,
        reply::{self, Reply, write_to},
    },
    limits::AUTH_RESPONSE_OCTETS,
    session::{Outcome, Pop3Services},
};

pub(crate) async fn auth(
    arguments: Option<Auth<'_>>,
    services: &Pop3Services,
    context: SaslContext,
    out: &mut Vec<u8>,
) -> Outcome {
    let Some(Auth { mechanism, initial_response }) = arguments else {
        return list_mechanisms(services, &context, out);
    };
    let now = context.now;
    let mechanism = mechanism.to_ascii_uppercase();
    let mut exchange = match services.authenticator.start(&mechanism, context) {
        Ok(exchange) => exchange,
        Err(failure) => return ended(Err(failure)),
    };
    let server_first = services.authenticator.server_first(&mechanism);
    match initial_response {
        // RFC 4422 §5: a mechanism whose server speaks first takes no initial response.
        Some(_) if server_first => ended(Err(AuthFailure::Malformed)),
        // RFC 5034 §4: `=` is an empty initial response.
        Some(b"=") => step(exchange, b"", now, out).await,
        Some(response) => auth_response(exchange, response, now, out).await,
        None if server_first => {
            let first = exchange.step(b"", now).await;
            go_on(exchange, first, out)
        }
        None => {
            reply::challenge(b"", out);
            Outcome::Exchange(exchange)
        }
    }
}

/// Takes one line of the client within an exchange.
pub(crate) async fn auth_response(
    exchange: Box<dyn SaslExchange>,
    line: &[u8],
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Outcome {
    if line == b"*" {
        return ended(Err(AuthFailure::Cancelled));
    }
    match base64::engine::general_purpose::STANDARD.decode(line) {
        Ok(response) if response.len() <= AUTH_RESPONSE_OCTETS => step(exchange, &response, now, out).await,
        _ => ended(Err(AuthFailure::Malformed)),
    }
}

async fn step(
    mut exchange: Box<dyn SaslExchange>,
    response: &[u8],
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Outcome {
    let step = exchange.step(response, now).await;
    go_on(exchange, step, out)
}

fn go_on(exchange: Box<dyn SaslExchange>, step: SaslStep, out: &mut Vec<u8>) -> Outcome {
    match step {
        SaslStep::Challenge(octets) => {
            reply::challenge(&octets, out);
            Outcome::Exchange(exchange)
        }
        SaslStep::Done(result) => ended(result),
    }
}

fn ended(result: Result<yubin_base::sasl::Authenticated, AuthFailure>) -> Outcome {
    Outcome::Login(LoginEnd { mechanism: "AUTH", result })
}

/// AUTH alone is older than CAPA; some clients still ask so.
fn list_mechanisms(services: &Pop3Services, context: &SaslContext, out: &mut Vec<u8>) -> Outcome {
    Reply::MECHANISMS.write(out);
    for mechanism in services.authenticator.mechanisms(context) {
        write_to(out, format_args!("{mechanism}\r\n"));
    }
    out.extend_from_slice(b".\r\n");
    Outcome::Done
}
