//! Users for tests: ann with the password `secret`. PLAIN and LOGIN need TLS; TWO-STEP takes any user name, then the password.

use yubin_base::{
    AccountId, BoxFuture, UnixMs,
    sasl::{AuthFailure, Authenticated, Authenticator, SaslContext, SaslExchange, SaslStep},
};

/// The authenticator.
pub struct Users;

enum Exchange {
    Plain,
    Login(Option<Vec<u8>>, bool),
    TwoStep(Option<Vec<u8>>),
}

impl Authenticator for Users {
    fn mechanisms(&self, context: &SaslContext) -> Vec<&'static str> {
        let mut mechanisms = vec!["TWO-STEP"];
        if context.tls.is_some() || context.plaintext_allowed {
            mechanisms.extend(["PLAIN", "LOGIN"]);
        }
        mechanisms
    }

    fn start(&self, mechanism: &str, context: SaslContext) -> Result<Box<dyn SaslExchange>, AuthFailure> {
        let plain = context.tls.is_some() || context.plaintext_allowed;
        let exchange = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" | "LOGIN" if !plain => return Err(AuthFailure::TlsRequired),
            "PLAIN" => Exchange::Plain,
            "LOGIN" => Exchange::Login(None, false),
            "TWO-STEP" => Exchange::TwoStep(None),
            _ => return Err(AuthFailure::UnknownMechanism),
        };
        Ok(Box::new(exchange))
    }

    fn server_first(&self, mechanism: &str) -> bool {
        mechanism.eq_ignore_ascii_case("LOGIN")
    }

    fn login<'a>(
        &'a self,
        user: &'a str,
        password: &'a [u8],
        _: SaslContext,
    ) -> BoxFuture<'a, Result<Authenticated, AuthFailure>> {
        Box::pin(async move { check(user.as_bytes(), password) })
    }
}

impl SaslExchange for Exchange {
    fn step<'a>(&'a mut self, response: &'a [u8], _: UnixMs) -> BoxFuture<'a, SaslStep> {
        let step = match self {
            Self::Plain => {
                let parts: Vec<&[u8]> = response.split(|b| *b == 0).collect();
                match parts.as_slice() {
                    [_, user, password] => SaslStep::Done(check(user, password)),
                    _ => SaslStep::Done(Err(AuthFailure::Malformed)),
                }
            }
            Self::Login(user, asked) => match (&user, *asked) {
                (_, false) => {
                    *asked = true;
                    SaslStep::Challenge(b"Username:".to_vec())
                }
                (None, _) => {
                    *user = Some(response.to_vec());
                    SaslStep::Challenge(b"Password:".to_vec())
                }
                (Some(user), _) => SaslStep::Done(check(user, response)),
            },
            Self::TwoStep(user) => match &user {
                None if response == b"later" => SaslStep::Done(Err(AuthFailure::Unavailable)),
                None => {
                    *user = Some(response.to_vec());
                    SaslStep::Challenge(b"and?".to_vec())
                }
                Some(user) => SaslStep::Done(check(user, response)),
            },
        };
        Box::pin(std::future::ready(step))
    }
}

fn check(user: &[u8], password: &[u8]) -> Result<Authenticated, AuthFailure> {
    match (user, password) {
        (b"ann", b"secret") => Ok(Authenticated { account: AccountId(1), name: "ann@example.test".into() }),
        (b"slow", _) => Err(AuthFailure::Throttled { delay_ms: 0 }),
        _ => Err(AuthFailure::Refused { delay_ms: 100 }),
    }
}
