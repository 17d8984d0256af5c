//! CAPA (RFC 2449 §5): what can be done here and now. In both states; what needs TLS appears with TLS.

use yubin_base::sasl::SaslContext;

use super::login::plaintext_refused;
use crate::{
    codec::reply::{Reply, write_to},
    session::{Outcome, Pop3Services},
};

pub(crate) fn capa(
    services: &Pop3Services,
    context: &SaslContext,
    logged_in: bool,
    out: &mut Vec<u8>,
) -> Outcome {
    Reply::CAPABILITIES.write(out);
    let mut line = |text: std::fmt::Arguments<'_>| write_to(out, format_args!("{text}\r\n"));
    line(format_args!("TOP"));
    line(format_args!("UIDL"));
    // RFC 2449 §6.4, RFC 3206 §6.
    line(format_args!("RESP-CODES"));
    line(format_args!("AUTH-RESP-CODE"));
    line(format_args!("PIPELINING"));
    // RFC 2595 §4: only where it can still be used.
    if services.options.tls_available && context.tls.is_none() && !logged_in {
        line(format_args!("STLS"));
    }
    // RFC 2449 §6.2, RFC 2595 §2.3: USER is not announced where it is refused. Both are announced in both states.
    if !plaintext_refused(context) {
        line(format_args!("USER"));
    }
    let mechanisms = services.authenticator.mechanisms(context);
    if !mechanisms.is_empty() {
        line(format_args!("SASL {}", mechanisms.join(" ")));
    }
    // RFC 2449 §6.5 and §6.7: one rule for everybody, and mail stays until somebody deletes it.
    if let Some(delay_s) = services.options.login_delay_s {
        line(format_args!("LOGIN-DELAY {delay_s}"));
    }
    line(format_args!("EXPIRE NEVER"));
    // RFC 6856 §3.
    line(format_args!("LANG"));
    // RFC 6856 §2.1: names and passwords may be UTF-8 wherever they may be sent.
    line(if plaintext_refused(context) { format_args!("UTF8") } else { format_args!("UTF8 USER") });
    line(format_args!("IMPLEMENTATION yubin"));
    line(format_args!("."));
    Outcome::Done
}
