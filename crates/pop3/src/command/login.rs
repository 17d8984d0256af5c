//! The end of every login (PASS, AUTH): from the directory's word to an open maildrop, or to the refusal. RFC 1939 §4, RFC 3206.

use yubin_base::{
    Peer, UnixMs, event,
    sasl::{AuthFailure, Authenticated, SaslContext},
};
use yubin_store::StoreError;

use crate::{
    codec::reply::{self, Reply},
    events,
    maildrop::Maildrop,
    session::Pop3Services,
};

/// What the directory said.
pub(crate) struct LoginEnd {
    /// For the log.
    pub(crate) mechanism: &'static str,
    /// Who, or why not.
    pub(crate) result: Result<Authenticated, AuthFailure>,
}

/// A login that did not open a maildrop. The reply is written.
pub(crate) struct LoginRefusal {
    /// How long the reply waits.
    pub(crate) delay_ms: u32,
    /// Whether it counts as a failed attempt.
    pub(crate) counts: bool,
}

/// Whether passwords may not be sent on this connection.
pub(crate) fn plaintext_refused(context: &SaslContext) -> bool {
    context.tls.is_none() && !context.plaintext_allowed
}

/// Opens the maildrop and writes the reply.
pub(crate) async fn finish_login(
    end: LoginEnd,
    services: &Pop3Services,
    peer: &Peer,
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Result<Maildrop, LoginRefusal> {
    let mechanism = end.mechanism;
    let who = end.result.map_err(|failure| {
        event!(events::LOGIN_FAILED, peer = %peer.remote, mechanism, reason = ?failure);
        refuse(&failure, out)
    })?;
    if let Some(delay_s) = services.options.login_delay_s
        && !services.login_delay.admit(who.account, delay_s, now)
    {
        event!(events::LOGIN_TOO_SOON, peer = %peer.remote, account = %who.account);
        Reply::LOGIN_DELAY.write(out);
        return Err(LoginRefusal { delay_ms: 0, counts: false });
    }
    match open(services, &who).await {
        Ok(maildrop) => {
            let (messages, octets) = (maildrop.messages(), maildrop.octets());
            event!(events::LOGGED_IN, peer = %peer.remote, account = %who.account, name = %who.name, mechanism, messages);
            reply::maildrop(messages, octets, out);
            Ok(maildrop)
        }
        Err(error) => {
            event!(events::STORE_FAILED, account = %who.account, error = %error);
            // RFC 3206 §3: PERM asks for a person, TEMP for patience.
            let permanent = matches!(error, StoreError::NoAccount | StoreError::NoMailbox);
            if permanent { Reply::MAILDROP_MISSING } else { Reply::MAILDROP_UNAVAILABLE }.write(out);
            Err(LoginRefusal { delay_ms: 0, counts: false })
        }
    }
}

async fn open(services: &Pop3Services, who: &Authenticated) -> Result<Maildrop, StoreError> {
    Maildrop::open(services.store.account(who.account).await?).await
}

/// Wrong password, unknown user and disabled user get one text at one time, which the directory decides.
fn refuse(failure: &AuthFailure, out: &mut Vec<u8>) -> LoginRefusal {
    let (reply, delay_ms, counts) = match failure {
        AuthFailure::Refused { delay_ms } => (Reply::AUTH_FAILED, *delay_ms, true),
        AuthFailure::Throttled { delay_ms } => (Reply::AUTH_THROTTLED, *delay_ms, true),
        AuthFailure::Malformed => (Reply::AUTH_MALFORMED, 0, true),
        AuthFailure::Cancelled => (Reply::AUTH_CANCELLED, 0, true),
        AuthFailure::TlsRequired => (Reply::TLS_REQUIRED, 0, true),
        AuthFailure::UnknownMechanism => (Reply::AUTH_MECHANISM, 0, true),
        AuthFailure::Unavailable => (Reply::AUTH_UNAVAILABLE, 0, false),
    };
    reply.write(out);
    LoginRefusal { delay_ms, counts }
}
