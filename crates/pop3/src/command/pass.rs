//! PASS (RFC 1939 §7). Only right after a USER; the name is used up by it.

use yubin_base::sasl::SaslContext;

use super::login::{LoginEnd, plaintext_refused};
use crate::{
    codec::reply::Reply,
    session::{Outcome, Pop3Services},
};

pub(crate) async fn pass(
    user: Option<String>,
    password: &[u8],
    services: &Pop3Services,
    context: SaslContext,
) -> Outcome {
    if plaintext_refused(&context) {
        return Reply::TLS_REQUIRED.into();
    }
    let Some(user) = user else { return Reply::USER_FIRST.into() };
    let result = services.authenticator.login(&user, password, context).await;
    Outcome::Login(LoginEnd { mechanism: "USER", result })
}
