//! USER (RFC 1939 §7). Answers the same for every name, so that nobody learns which exist.

use yubin_base::sasl::SaslContext;

use super::login::plaintext_refused;
use crate::{codec::reply::Reply, session::Outcome};

pub(crate) fn user(name: &str, context: &SaslContext, out: &mut Vec<u8>) -> Outcome {
    // RFC 2595 §2.3: refused before the password is sent, so that a careless client does not send it.
    if plaintext_refused(context) {
        return Reply::TLS_REQUIRED.into();
    }
    Reply::SEND_PASSWORD.write(out);
    Outcome::User(name.to_owned())
}
