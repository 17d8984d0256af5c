//! SASL PLAIN (RFC 4616): one message with both names and the password.

use yubin_base::{
    BoxFuture, UnixMs,
    sasl::{AuthFailure, SaslContext, SaslExchange, SaslStep},
};

use crate::{Directory, limits};

/// One exchange.
pub(super) struct Plain {
    directory: Directory,
    context: SaslContext,
    done: bool,
}

impl Plain {
    pub(super) fn new(directory: Directory, context: SaslContext) -> Self {
        Self { directory, context, done: false }
    }
}

impl SaslExchange for Plain {
    fn step<'a>(&'a mut self, response: &'a [u8], now: UnixMs) -> BoxFuture<'a, SaslStep> {
        Box::pin(async move {
            let again = std::mem::replace(&mut self.done, true);
            let Some(message) = Message::read(response).filter(|_| !again) else {
                return SaslStep::Done(Err(AuthFailure::Malformed));
            };
            // RFC 4616 §2: nobody may act as somebody else here, so the authorisation identity must name the same user.
            if !message.authzid.is_empty()
                && self.directory.login_key(message.authzid) != self.directory.login_key(message.authcid)
            {
                let attempt = self.directory.attempt(super::PLAIN, message.authcid, &self.context, now);
                let reason = "may not act as another user";
                return SaslStep::Done(Err(
                    attempt.map_or_else(|e| e, |attempt| self.directory.refuse(&attempt, reason, now))
                ));
            }
            let checked = self.directory.check_password(
                super::PLAIN,
                message.authcid,
                message.password,
                &self.context,
                now,
            );
            SaslStep::Done(checked.await)
        })
    }
}

/// ```abnf
/// message = [authzid] NUL authcid NUL passwd
/// ```
struct Message<'a> {
    authzid: &'a str,
    authcid: &'a str,
    password: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(octets: &'a [u8]) -> Option<Self> {
        if octets.len() > limits::SASL_MESSAGE_OCTETS {
            return None;
        }
        let mut fields = octets.split(|octet| *octet == 0);
        let (authzid, authcid, password) = (fields.next()?, fields.next()?, fields.next()?);
        if fields.next().is_some() || authcid.is_empty() || password.is_empty() {
            return None;
        }
        Some(Self {
            authzid: std::str::from_utf8(authzid).ok()?,
            authcid: std::str::from_utf8(authcid).ok()?,
            password,
        })
    }
}
