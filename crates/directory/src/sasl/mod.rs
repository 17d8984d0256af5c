//! The SASL port, implemented: which mechanisms are on offer, and one exchange per attempt.
//! Never touches sockets or base64 lines; sessions do. RFC 4422.

mod login;
mod plain;
mod scram;

use yubin_base::{
    BoxFuture,
    sasl::{AuthFailure, Authenticated, Authenticator, SaslContext, SaslExchange},
};

use crate::Directory;

const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";
const SCRAM: &str = "SCRAM-SHA-256";
const PLAIN: &str = "PLAIN";
const LOGIN: &str = "LOGIN";

impl Authenticator for Directory {
    fn mechanisms(&self, context: &SaslContext) -> Vec<&'static str> {
        let mut offered = Vec::with_capacity(4);
        if context.tls.is_none() && !context.plaintext_allowed {
            return offered;
        }
        if self.0.options.scram {
            if channel_binding(context).is_some() {
                offered.push(SCRAM_PLUS);
            }
            offered.push(SCRAM);
        }
        offered.extend([PLAIN, LOGIN]);
        offered
    }

    fn start(&self, mechanism: &str, context: SaslContext) -> Result<Box<dyn SaslExchange>, AuthFailure> {
        let known = [SCRAM_PLUS, SCRAM, PLAIN, LOGIN];
        let Some(name) = known.into_iter().find(|name| name.eq_ignore_ascii_case(mechanism)) else {
            return Err(AuthFailure::UnknownMechanism);
        };
        if context.tls.is_none() && !context.plaintext_allowed {
            return Err(AuthFailure::TlsRequired);
        }
        if !self.mechanisms(&context).contains(&name) {
            return Err(AuthFailure::UnknownMechanism);
        }
        Ok(match name {
            SCRAM_PLUS => Box::new(scram::Scram::new(self.clone(), context, true)),
            SCRAM => Box::new(scram::Scram::new(self.clone(), context, false)),
            LOGIN => Box::new(login::Login::new(self.clone(), context)),
            _ => Box::new(plain::Plain::new(self.clone(), context)),
        })
    }

    fn server_first(&self, mechanism: &str) -> bool {
        mechanism.eq_ignore_ascii_case(LOGIN)
    }

    fn login<'a>(
        &'a self,
        user: &'a str,
        password: &'a [u8],
        context: SaslContext,
    ) -> BoxFuture<'a, Result<Authenticated, AuthFailure>> {
        Box::pin(async move {
            let now = context.now;
            self.check_password("password", user, password, &context, now).await
        })
    }
}

/// The TLS session's `tls-exporter` binding (RFC 9266), if it has one.
fn channel_binding(context: &SaslContext) -> Option<&[u8]> {
    context.tls.as_ref().map(|tls| tls.exporter.as_slice()).filter(|exporter| !exporter.is_empty())
}
