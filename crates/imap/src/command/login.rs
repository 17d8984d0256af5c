//! LOGIN. RFC 9051 §6.2.3. And what follows every login, however it was done.

use yubin_base::{
    Next, UnixMs,
    sasl::{AuthFailure, Authenticated},
};

use crate::{
    codec::{write::Code, write::Shown},
    events,
    session::{Mode, Session, reply::Reply, user::User},
};

use super::capability;

pub(crate) async fn run(
    session: &mut Session,
    tag: &str,
    user: &[u8],
    password: &[u8],
    now: UnixMs,
    out: &mut Vec<u8>,
) -> Next {
    if session.user.is_some() {
        let reply = Reply::bad("you have logged in already");
        return session.finish(tag, &reply, super::News::All, &[], out).await;
    }
    if !capability::login_allowed(session) {
        // RFC 9051 §6.2.3: with LOGINDISABLED any password is refused, so that nobody learns whether it was right.
        return refused(session, tag, "", AuthFailure::TlsRequired, out).await;
    }
    let user = String::from_utf8_lossy(user);
    let authenticator = std::sync::Arc::clone(&session.services.authenticator);
    let result = authenticator.login(&user, password, capability::sasl_context(session, now)).await;
    finish(session, tag, &user, result, out).await
}

/// Ends a login.
pub(crate) async fn finish(
    session: &mut Session,
    tag: &str,
    user: &str,
    result: Result<Authenticated, AuthFailure>,
    out: &mut Vec<u8>,
) -> Next {
    session.mode = Mode::Commands;
    let who = match result {
        Ok(who) => who,
        Err(failure) => return refused(session, tag, user, failure, out).await,
    };
    match session.services.store.account(who.account).await {
        Ok(account) => {
            yubin_base::event!(events::LOGGED_IN, peer = %session.peer.remote.ip(), account = %who.name, tls = session.peer.tls.is_some());
            session.user = Some(Box::new(User::new(account, who.account)));
            // RFC 9051 §6.2.2, §6.2.3: the list is another one now.
            let reply = Reply::ok_code(Code::Capability(capability::list(session)), "welcome");
            session.finish(tag, &reply, super::News::All, &[], out).await
        }
        Err(error) => {
            // The directory knows the account and the store does not, or cannot say.
            yubin_base::event!(events::STORE_FAILED, account = %who.name, why = %error);
            let reply = Reply::no(Code::Unavailable, "the account cannot be opened now; try again later");
            session.finish(tag, &reply, super::News::All, &[], out).await
        }
    }
}

async fn refused(
    session: &mut Session,
    tag: &str,
    user: &str,
    failure: AuthFailure,
    out: &mut Vec<u8>,
) -> Next {
    yubin_base::event!(events::LOGIN_FAILED, peer = %session.peer.remote.ip(), user = %Shown(user), why = ?failure);
    let (reply, delay_ms) = match failure {
        AuthFailure::Refused { delay_ms } => {
            session.failures += 1;
            (Reply::no(Code::AuthenticationFailed, "wrong name or password"), delay_ms)
        }
        AuthFailure::Throttled { delay_ms } => {
            session.failures += 1;
            (Reply::no(Code::Unavailable, "too many failed logins; try again later"), delay_ms)
        }
        AuthFailure::Malformed => (Reply::bad("that breaks the mechanism's rules"), 0),
        AuthFailure::Cancelled => (Reply::bad("the login was given up"), 0),
        AuthFailure::TlsRequired => (Reply::no(Code::PrivacyRequired, "that needs TLS first"), 0),
        AuthFailure::UnknownMechanism => (Reply::no(Code::Cannot, "there is no such mechanism"), 0),
        AuthFailure::Unavailable => {
            (Reply::no(Code::Unavailable, "logins are not possible now; try again later"), 0)
        }
    };
    match session.finish(tag, &reply, super::News::All, &[], out).await {
        Next::Read if delay_ms > 0 => Next::Delay(delay_ms),
        next => next,
    }
}
