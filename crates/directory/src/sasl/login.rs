//! SASL LOGIN (draft-murchison-sasl-login-00, which never became an RFC; old Outlook still asks for it): the server asks for name and password in turn.

use yubin_base::{
    BoxFuture, UnixMs,
    sasl::{AuthFailure, SaslContext, SaslExchange, SaslStep},
};

use crate::{Directory, limits};

/// One exchange.
pub(super) struct Login {
    directory: Directory,
    context: SaslContext,
    state: State,
}

enum State {
    /// Nothing said yet.
    Begin,
    /// The name was asked for.
    Name,
    /// The password was asked for; this is the name.
    Password(String),
    Done,
}

impl Login {
    pub(super) fn new(directory: Directory, context: SaslContext) -> Self {
        Self { directory, context, state: State::Begin }
    }

    fn named(&mut self, name: &[u8]) -> SaslStep {
        match std::str::from_utf8(name) {
            Ok(name) if !name.is_empty() && name.len() <= limits::LOGIN_NAME_OCTETS => {
                self.state = State::Password(name.to_owned());
                SaslStep::Challenge(b"Password:".to_vec())
            }
            _ => SaslStep::Done(Err(AuthFailure::Malformed)),
        }
    }
}

impl SaslExchange for Login {
    fn step<'a>(&'a mut self, response: &'a [u8], now: UnixMs) -> BoxFuture<'a, SaslStep> {
        Box::pin(async move {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Begin if response.is_empty() => {
                    self.state = State::Name;
                    SaslStep::Challenge(b"Username:".to_vec())
                }
                // Some clients send the name as initial response.
                State::Begin | State::Name => self.named(response),
                State::Password(name) => {
                    let checked =
                        self.directory.check_password(super::LOGIN, &name, response, &self.context, now);
                    SaslStep::Done(checked.await)
                }
                State::Done => SaslStep::Done(Err(AuthFailure::Malformed)),
            }
        })
    }
}
